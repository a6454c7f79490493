"""Ten deaths of an application on a real YARN: how the command ends, and what `sparkkit why` says of each."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import cluster, environments
from tests.e2e.cluster import Hdfs

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = environments.ROOT
JOB = '''
"""Dies as it is told to."""
from typing import Literal
from sparkkit import DataFrame, F, Job, main


def told(how):
    import time
    if how == "raises":
        raise ValueError("no such town")
    if how == "module":
        import no_such_package
    if how == "memory":
        held = bytearray(900 << 20)
        for at in range(0, len(held), 4096):
            held[at] = 1
        time.sleep(20)
    if how == "sleeps":
        time.sleep(300)
    return how


def build(people: DataFrame, *, how: Literal["raises", "module", "memory", "sleeps", "collects", "well"] = "well") -> DataFrame:
    """A row for each."""
    if how == "collects":
        spark = people.sparkSession
        many = spark.range(0, 3_000_000, 1, 2).select(F.repeat(F.lit("x"), 500).alias("x"), "id")
        spark._jvm.java.util.ArrayList(many._jdf.collectAsList())
    return people.limit(1).select("firstname", F.udf(told)(F.lit(how)).alias("how"))


JOB = Job(build)
if __name__ == "__main__":
    main(JOB)
'''


@dataclass(frozen=True)
class Death:
    """One way to die: options of the submission and of the job, what is done to it once it runs, and how it is told."""

    cause: str
    code: int
    submit: tuple[str, ...] = ()
    job: tuple[str, ...] = ()
    then: Callable[[str], None] | None = None


def kill_master(application: str) -> None:
    """SIGKILL for the process of the ApplicationMaster, driver and all."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if b"java" in words.partition(b"\0")[0] and b"ApplicationMaster" in words and application.encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)


def kill_by_user(application: str) -> None:
    """As a person kills it."""
    code = f"from sparkkit.submission import yarn; yarn.kill({application!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=300)


DEATHS = {
    "out of memory": Death("out_of_memory", 1, ("--conf", "spark.driver.maxResultSize=0", "--conf", "spark.driver.memoryOverhead=1g"),
                           ("--how", "collects")),
    "container over its memory": Death("container_killed", 6, ("--conf", "spark.executor.memoryOverhead=384m"), ("--how", "memory")),
    "lost master": Death("process_killed", 6, job=("--how", "sleeps"), then=kill_master),
    "killed by a person": Death("killed_by_user", 6, job=("--how", "sleeps"), then=kill_by_user),
    "missing file": Death("missing_file", 3, job=("--input", "hdfs:///in/nowhere")),
    "wrong queue": Death("wrong_queue", 2, ("--queue", "weekly")),
    "too large": Death("too_large", 2, ("--executor-memory", "8g")),
    "bad module": Death("missing_module", 2, job=("--how", "module")),
    "an error in Python": Death("python_error", 1, job=("--how", "raises")),
    "wrong Python": Death("wrong_python", 2, ("--conf", "spark.pyspark.python=/no/such/python3")),
}


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, str]]:
    with cluster.running("hdfs", "yarn") as variables:
        hdfs = Hdfs(variables)
        hdfs.put(ROOT / "data" / "names" / "csv", "/in/names")
        yield variables | {"OUT": f"{hdfs.root}{hdfs.out}"}


@pytest.mark.parametrize("name", DEATHS)
def test_why_names_the_death(name: str, found: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, text in (("jobs/dies.py", JOB), ("conf/env/yarn.toml", (ROOT / "conf" / "env" / "yarn.toml").read_text(encoding="utf-8"))):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    death, root = DEATHS[name], found["SPARKKIT_HDFS"]
    for key, value in found.items():
        monkeypatch.setenv(key, value)
    paths = ("--input", f"{root}/in/names", "--output", f"{found['OUT']}/{name.replace(' ', '_')}", "--ledger", f"{root}/deaths")
    words = ("dies", "--target", "yarn", "--deploy-mode", "cluster", "--wait", *death.submit, "--", *paths, *death.job)
    process = cluster.start(found, *words, cwd=tmp_path, log=tmp_path / "said")
    if death.then:
        death.then(running(tmp_path))
    process.wait(900)
    said = (tmp_path / "said").read_text(encoding="utf-8")
    application = (re.findall(r"application_\d+_\d+", said) or [""])[-1]
    (log,) = tmp_path.glob("runs/*.submit.log")
    asked = cluster.sparkkit(found, "why", str(log), *(("--application", application) if application else ()), "--json", cwd=tmp_path)
    causes = [one["cause"] for one in json.loads(asked.stdout)["causes"]]
    assert (process.returncode, causes[:1]) == (death.code, [death.cause]), f"{said[-3000:]}\n{asked.stdout[-4000:]}\n{asked.stderr}"


def running(folder: Path) -> str:
    """The application that a submission says is running, when it has run for a while."""
    until = time.monotonic() + 600
    while time.monotonic() < until:
        for log in folder.glob("runs/*.submit.log"):
            state = re.search(r"Application report for (\S+) \(state: RUNNING\)", log.read_text(encoding="utf-8"))
            if state:
                time.sleep(5)
                return state[1]
        time.sleep(0.5)
    raise AssertionError("the application did not come to run")
