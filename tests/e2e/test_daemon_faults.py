"""Daemons that die, or stand still, while a job writes: it ends right or fails clean, and nothing is lost, and nothing twice."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import duckdb
import pytest

from tests.e2e import cluster
from tests.e2e.buckets import Bucket
from tests.e2e.cluster import Hdfs

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
ROWS, PARTS = 2400, 12
JOB = f'''
"""Writes slowly, a file after another, so that what dies in between dies in the middle of it."""
from sparkkit import DataFrame, F, Job, main


def slowly(id):
    import time
    time.sleep(0.01)
    return id


def build(ids: DataFrame) -> DataFrame:
    """The same numbers."""
    parted = ids.repartitionByRange({PARTS}, "id")
    return parted.select(F.udf(slowly, "bigint")("id").alias("id"), F.repeat(F.col("id").cast("string"), 200).alias("text"))


JOB = Job(build, settings={{"inputs.ids.format": "parquet"}})
if __name__ == "__main__":
    main(JOB)
'''
EXPECTED = [(number, str(number) * 200) for number in range(ROWS)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("project")
    for name, text in (("jobs/slow.py", JOB), ("conf/env/yarn.toml", '[submit]\ntarget = "yarn"\n')):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    (made / "in").mkdir()
    duckdb.sql(f"copy (select range as id from range({ROWS})) to '{made}/in/ids.parquet' (format parquet)")
    return made


def pids(of: str) -> list[int]:
    """The process of a daemon, by its name."""
    state = json.loads((cluster.ROOT / ".sparkkit" / "cluster" / "state.json").read_text(encoding="utf-8"))
    return [int(state[of]["pid"])]


def executors() -> list[int]:
    """The executors that run here."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes()
            if b"java" in words.partition(b"\0")[0] and b"CoarseGrainedExecutorBackend" in words:
                found.append(int(path.parent.name))
    return found


def rows(folder: Path) -> list[tuple[object, ...]]:
    files = [str(file) for file in folder.rglob("*.parquet") if not file.relative_to(folder).as_posix().startswith((".", "_"))]
    return sorted(duckdb.sql(f"select * from read_parquet({files})").fetchall()) if files else []


def until(seen: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 300) -> None:
    """Waits for an event; one that never comes is an error, since then nothing was tried."""
    end = time.monotonic() + seconds
    while not seen():
        assert process.poll() is None, f"the job ended first: {log.read_text()[-3000:]}"
        assert time.monotonic() < end, "the event never came"
        time.sleep(0.05)


def begun(files: Callable[[str], list[str]], out: str) -> Callable[[], bool]:
    """Whether a first task has written where the run stages."""
    folder, _, name = out.rpartition("/")
    return lambda: any(".parquet" in file for file in files(f"{folder}/.{name}.sparkkit/stage"))


class TestYarn:
    """On YARN over HDFS."""

    @pytest.fixture(scope="class")
    def found(self) -> Iterator[dict[str, str]]:
        with cluster.running("hdfs", "yarn") as variables:
            yield variables

    @pytest.fixture(autouse=True)
    def whole(self, found: dict[str, str]) -> Iterator[None]:
        yield
        cluster.again("hdfs", "yarn")

    @pytest.mark.parametrize("victim", ["executor", "nodemanager1", "datanode1"])
    @pytest.mark.parametrize("mode", ["client", "cluster"])
    def test_a_job_outlives_it_or_fails_clean(self, found: dict[str, str], project: Path, victim: str, mode: str, tmp_path: Path) -> None:
        hdfs = Hdfs(found)
        hdfs.put(project / "in", f"{hdfs.out}/in")
        out = f"{hdfs.out}/{victim}-{mode}"
        words = ("slow", "--target", "yarn", "--deploy-mode", mode, "--wait", "--num-executors", "2", "--", "--input",
                 f"{hdfs.root}{hdfs.out}/in", "--output", f"{hdfs.root}{out}", "--ledger", f"{hdfs.root}/ledger")

        def files(folder: str) -> list[str]:
            with suppress(HTTPError):
                return [name for entry in hdfs.list(folder) for name in (
                    files(f"{folder}/{entry['pathSuffix']}") if entry["type"] == "DIRECTORY" else [entry["pathSuffix"]])]
            return []

        log = tmp_path / "log"
        process = cluster.start(found, *words, cwd=project, log=log)
        until(begun(files, out), process, log)
        for pid in executors()[:1] if victim == "executor" else pids(victim):
            os.kill(pid, signal.SIGKILL)
        process.wait(900)
        said = log.read_text(encoding="utf-8")
        print(f"{victim}, {mode}: exit {process.returncode}", said.splitlines()[-1:])
        assert process.returncode in ((0, 6) if victim == "nodemanager1" else (0,)), said[-3000:]
        if process.returncode:
            assert [name for name in files(out) if name.endswith(".parquet")] == []
            cluster.again("hdfs", "yarn")
            done = cluster.submit(found, *words, cwd=project)
            assert done.returncode == 0, done.stderr[-3000:]
        assert rows(hdfs.get(out, tmp_path / "there")) == EXPECTED


class TestS3:
    """From and to S3."""

    @pytest.fixture(scope="class")
    def bucket(self) -> Iterator[Bucket]:
        with cluster.running("s3") as found:
            yield Bucket(found)

    @pytest.mark.parametrize("how", ["stopped", "killed"])
    @pytest.mark.parametrize("kind", ["parquet", "delta"])
    def test_a_job_outlives_20_seconds_without_it_or_fails_clean(
        self, bucket: Bucket, project: Path, how: str, kind: str, tmp_path: Path,
    ) -> None:
        key = f"{how}/{kind}"
        bucket.put(project / "in", f"{key}-in")
        words = ("slow", "--target", "local", "--", "--input", f"{bucket.root}/{key}-in", "--output", f"{bucket.root}/{key}",
                 "--output-format", kind, "--set", "spark.master=local[2]")
        log = tmp_path / "log"
        process = cluster.start(bucket.found, *words, cwd=project, log=log)
        until(begun(bucket.keys, key), process, log)
        os.kill(pids("s3")[0], signal.SIGSTOP if how == "stopped" else signal.SIGKILL)
        time.sleep(20)
        if how == "stopped":
            os.kill(pids("s3")[0], signal.SIGCONT)
        else:
            cluster.again("s3")
        process.wait(900)
        said = log.read_text(encoding="utf-8")
        print(f"{how}, {kind}: exit {process.returncode}", said.splitlines()[-1:])
        assert process.returncode in (0, 6), said[-3000:]
        if process.returncode:
            assert [name for name in bucket.keys(f"{key}/") if "_delta_log" in name or kind == "parquet"] == []
            done = cluster.submit(bucket.found, *words, cwd=project)
            assert done.returncode == 0, done.stderr[-3000:]
        there = bucket.get(key, tmp_path / "there")
        if kind == "delta":  # what was staged and not committed may lie beside: the log says what counts
            log = [json.loads(line) for file in there.glob("_delta_log/*.json") for line in file.read_text("utf-8").splitlines()]
            counted = {action["add"]["path"] for action in log if "add" in action}
            for file in there.glob("*.parquet"):
                if file.name not in counted:
                    file.unlink()
        assert rows(there) == EXPECTED
