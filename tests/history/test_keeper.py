"""A run's own entry in the ledger: however it ends, and whatever becomes of the ledger."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit import project
from sparkkit.history import hadoop, keeper, places
from sparkkit.history.book import Ledger
from sparkkit.history.hadoop import HadoopStore
from sparkkit.history.places import OwnStore
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.storage.hadoop import Hadoop
from sparkkit.testing import RunJob


def same(text: DataFrame) -> DataFrame:
    return text


def raising(text: DataFrame) -> DataFrame:
    raise ValueError("password=hunter2 is no year")


def terminated(text: DataFrame) -> DataFrame:
    os.kill(os.getpid(), signal.SIGTERM)
    return text


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("x\n")
    return tmp_path / "a.txt"


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]


@pytest.mark.parametrize(
    ("build", "options", "status"),
    [(same, [], "done"), (raising, [], "failed"), (terminated, [], "interrupted"), (same, ["--env=nowhere"], "refused"),
     (same, ["--nothing"], "refused"), (same, ["--set=inputs.text.formt=csv"], "refused")],
)  # fmt: skip
def test_the_record_is_in_the_ledger_however_the_run_ends(
    build: Callable[..., Any], options: list[str], status: str, line: Path, run_job: RunJob, tmp_path: Path
) -> None:
    done = run_job(Job(build, name="job"), {"text": line}, [f"--ledger={tmp_path / 'l'}", *options])
    assert (entries(tmp_path / "l"), done.record["status"]) == ([done.record], status)


def test_the_ledger_holds_no_secret_of_the_record(line: Path, tmp_path: Path) -> None:
    paths = ["jdbc:postgresql://me:hunter2@db/x"]
    record = Record("job-20261122T223348-1a2b3c", "job", inputs={"db": {"paths": paths}}, env="password=hunter2")
    kept = keeper.Keeper(record, project.find(line), places.Place(str(tmp_path / "l"), "said"))
    found = []
    with kept.beginning(str(tmp_path / "r.json")):
        found += [path.read_text() for path in (tmp_path / "l").rglob("*.json")]
    assert kept.end() is None
    found += [path.read_text() for path in (tmp_path / "l").rglob("*.json")]
    assert (len(found), [text for text in found if "hunter2" in text]) == (2, [])


@pytest.mark.parametrize("build", [same, raising])
def test_a_ledger_that_can_not_be_reached_is_one_warning_and_changes_nothing(
    build: Callable[..., Any], line: Path, run_job: RunJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run_job(Job(build, name="job"), {"text": line}, [f"--ledger={line}/ledger"])
    warnings = [text for text in capsys.readouterr().err.splitlines() if "warning" in text]
    spare = tmp_path / ".sparkkit" / "ledger"
    text = f"sparkkit: job: warning: this run is not in the ledger {line}/ledger (--ledger): Not a directory; it is in {spare}"
    assert (warnings, entries(spare), done.exit_code) == ([text], [done.record], int(build is raising))
    assert build is raising or done.output.count() == 1


def test_a_ledger_that_does_not_answer_is_not_waited_for(
    line: Path, run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import threading

    waits = threading.Event()
    put = OwnStore.put_if_absent

    def slow(self: OwnStore, path: str, data: bytes) -> bool:
        return (".sparkkit" in path or waits.wait(60)) and put(self, path, data)

    monkeypatch.setattr(OwnStore, "put_if_absent", slow)
    monkeypatch.setattr(keeper, "PATIENCE", 0.2)
    done = run_job(Job(same, name="job"), {"text": line}, [f"--ledger={tmp_path / 'l'}"])
    waits.set()
    assert (done.exit_code, "no answer in 0 s" in capsys.readouterr().err) == (0, True)


def test_the_stack_of_a_failed_run_is_kept_for_its_owner_without_secrets(line: Path, run_job: RunJob) -> None:
    done = run_job(Job(raising, name="job"), {"text": line})
    log = Path(done.record["driver_log"])
    text = log.read_text()
    assert (stat.S_IMODE(log.stat().st_mode), "in raising" in text, "hunter2" in text) == (0o600, True, False)
    assert run_job(Job(same, name="job"), {"text": line}).record["driver_log"] is None


def test_the_conf_names_the_ledger_relative_to_the_project(line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkkit.command import command

    monkeypatch.delenv("SPARKKIT_LEDGER")
    command(Job(same, name="job"), ["--set=ledger.path=books", "--set=spark.sql.ansi.enabled=false", f"--input={line}"])
    assert [entry["reason"] for entry in entries(tmp_path / "books")] == ["unsafe_setting"]


@pytest.mark.parametrize("stores", [hadoop.OBJECT_STORES, ("file",)], ids=["by rename", "as an object"])
def test_a_store_of_hadoop_does_as_the_local_disk_does(
    stores: tuple[str, ...], spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hadoop, "OBJECT_STORES", stores)
    store = HadoopStore(Hadoop.of(spark))
    book = Ledger(store, f"file://{tmp_path}/l")
    run_id = "my job-20261120T101500-000001"
    book.begin(run_id, {"process": {}})
    under_way = [row.status for row in book.runs()]
    book.end({"format": 1, "run_id": run_id, "job": "my job", "status": "done"})
    book.end({"format": 1, "run_id": run_id, "job": "my job", "status": "failed"})
    assert (under_way, [(row.run_id, row.status) for row in book.runs()]) == (["unknown"], [(run_id, "done")])
    assert (store.list(f"file://{tmp_path}/none"), store.read(f"file://{tmp_path}/none")) == ((), None)
    names = [p.name for p in (tmp_path / "l").rglob("*") if p.is_file() and not p.name.endswith(".crc")]
    assert names == [f"{run_id}.json".replace(" ", "%20")] or names == [f"{run_id}.json"]
    with pytest.raises(OSError, match="No FileSystem for scheme"):
        store.put_if_absent("nofs://x/y", b"1")
