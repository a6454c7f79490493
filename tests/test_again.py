"""The same run again: a retry does nothing, a re-run replaces what it wrote before, another date touches nothing else.

For Parquet; tests/e2e/test_again_delta.py runs all of it for Delta.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit import publishing, run
from sparkkit.errors import ContractError, InfrastructureError, LockedError, UsageError
from sparkkit.formats import delta_adopt
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.storage import journal
from sparkkit.storage.local import LocalStore
from sparkkit.storage.lock import Patience

Go = Callable[..., Record]
KIND = os.environ.get("SPARKKIT_TEST_KIND", "parquet")


def same(text: DataFrame) -> DataFrame:
    return text.select("value", F.substring("value", 1, 1).alias("p"))


@pytest.fixture
def go(spark: SparkSession, tmp_path: Path) -> Go:
    """`go(lines, date, build, again=False, code="c1", **settings)`: one attempt that appends lines to `tmp_path/out`."""
    number = itertools.count(1)

    def call(
        lines: list[str], date: str | None = None, build: Callable[..., Any] = same, *, again: bool = False, code: str = "c1", **over: Any,
    ) -> Record:
        job = Job(lambda text: build(text), name="job")
        for line in lines:  # a file that stands is the same input
            if not (tmp_path / "in" / f"{line}.txt").exists():
                (tmp_path / "in").mkdir(exist_ok=True)
                (tmp_path / "in" / f"{line}.txt").write_bytes(f"{line}\n".encode("latin-1"))
        settings = {"inputs.text.path": [str(tmp_path / "in" / f"{line}.txt") for line in lines], "inputs.text.format": "text",
                    "outputs.output.path": str(tmp_path / "out"), "outputs.output.mode": "append", "outputs.output.format": KIND} | over
        conf = confs.load(Project(tmp_path), "job", inputs=job.inputs, outputs=job.outputs, params=(), over=settings)
        record = Record(f"job-{next(number)}", "job", code_version=code)
        staged = run.run(spark, run.Request(job, conf, Project(tmp_path), date=date, again=again), record)
        record.status = "done" if staged else "already_done"
        return record

    return call


@pytest.fixture
def held(spark: SparkSession, tmp_path: Path) -> Callable[..., list[str]]:
    """What the output holds, or its quarantine."""

    def call(name: str = "out", column: str = "value") -> list[str]:
        kind = KIND if name == "out" else "parquet"
        return sorted(row[0] for row in spark.read.format(kind).load(str(tmp_path / name)).select(column).collect())

    return call


def test_a_retry_does_nothing_and_says_whose_work_stands(go: Go, held: Any, tmp_path: Path) -> None:
    first = go(["a"], "2026-01-01")
    files = sorted(p.stat().st_ino for p in (tmp_path / "out").glob("part-*"))
    second = go(["a"], "2026-01-01")
    assert (second.status, second.logical_id, held()) == ("already_done", first.logical_id, ["a"])
    assert "run job-1 has done this" in str(second.message)
    assert files == sorted(p.stat().st_ino for p in (tmp_path / "out").glob("part-*"))


@pytest.mark.parametrize("again", [
    pytest.param({"lines": ["a", "late"]}, id="a late file"),
    pytest.param({"code": "c2"}, id="mended code"),
    pytest.param({"again": True}, id="asked for"),
])
def test_a_re_run_replaces_what_its_date_wrote(go: Go, held: Any, again: dict[str, Any]) -> None:
    go(["a"], "2026-01-01")
    go(["b"], "2026-01-02")
    record = go(again.pop("lines", ["a"]), "2026-01-01", **again)
    assert (record.outputs["output"]["generation"], held()) == (2, ["a", "b", "late"] if record.inputs["text"]["read"] == 2 else ["a", "b"])


def test_a_backfill_of_an_older_date_is_not_skipped(go: Go, held: Any) -> None:
    for day in (1, 5, 3):
        go([f"d{day}"], f"2026-01-0{day}")
    assert held() == ["d1", "d3", "d5"]


def test_a_re_run_of_partitions_takes_away_those_it_no_longer_writes(go: Go, held: Any) -> None:
    by: Any = {"outputs.output.mode": "overwrite_partitions", "outputs.output.partition_by": ["p"]}
    go(["x1", "y1"], "2026-01-01", **by)
    go(["z1"], "2026-01-02", **by)
    record = go(["x2"], "2026-01-01", **by)
    assert (held(), record.outputs["output"]["partitions"]) == (["x2", "z1"], ["p=x", "p=y"])


def test_a_re_run_without_rows_takes_nothing_away_unless_it_is_asked_for(go: Go, held: Any) -> None:
    def none(text: DataFrame) -> DataFrame:
        return same(text).where("1 = 0")

    go(["a"], "2026-01-01")
    go(["b"], "2026-01-02")
    with pytest.raises(ContractError, match="the result is empty") as error:
        go(["a"], "2026-01-01", none, code="c2")
    assert (error.value.exit_code, error.value.reason, held()) == (4, "empty_result", ["a", "b"])
    go(["a"], "2026-01-01", none, code="c2", **{"outputs.output.allow_empty": True})
    go(["a"], "2026-01-01", none, code="c3")  # nothing is left to lose
    assert held() == ["b"]


def test_without_a_date_the_same_input_is_added_once_and_another_input_too(go: Go, held: Any) -> None:
    go(["a"])
    assert (go(["a"]).status, go(["b"]).status, held()) == ("already_done", "done", ["a", "b"])
    go(["a"], code="c2")
    assert held() == ["a", "b"]


def test_a_retry_of_what_another_run_overwrote_is_made_again(go: Go, held: Any) -> None:
    whole: Any = {"outputs.output.mode": "overwrite"}
    assert [go(["a"], **whole).status, go(["b"], **whole).status, go(["a"], **whole).status] == ["done"] * 3
    assert (go(["a"], **whole).status, held()) == ("already_done", ["a"])


def test_a_date_that_overwrote_all_is_not_added_once_more(go: Go, held: Any) -> None:
    whole: Any = {"outputs.output.mode": "overwrite"}
    go(["a"], "2026-01-01", **whole)
    go(["b"], "2026-01-02")
    with pytest.raises(UsageError, match="run job-1 overwrote .*/out by the rows of 2026-01-01, and append would add them once more"):
        go(["a"], "2026-01-01")
    assert held() == ["a", "b"]
    go(["c"], "2026-01-03", **whole)
    assert (go(["a"], "2026-01-01").status, held()) == ("done", ["a", "c"])


@pytest.mark.skipif(KIND != "parquet", reason="by files: a table knows what it has")
def test_a_retry_of_which_a_file_was_deleted_is_made_again(go: Go, held: Any, tmp_path: Path) -> None:
    go(["a"], "2026-01-01")
    go(["b"], "2026-01-02")
    for file in (tmp_path / "out").glob("*.parquet"):
        if pq.read_table(file).column("value").to_pylist() == ["a"]:
            file.unlink()
    assert (held(), go(["b"], "2026-01-02").status) == (["b"], "already_done")
    assert (go(["a"], "2026-01-01").status, held()) == ("done", ["a", "b"])


def test_mode_error_lets_a_retry_pass(go: Go) -> None:
    once: Any = {"outputs.output.mode": "error"}
    assert (go(["a"], **once).status, go(["a"], **once).status) == ("done", "already_done")


def test_rejected_rows_are_replaced_with_the_rows_they_belong_to(go: Go, held: Any) -> None:
    go(["a", "é"], "2026-01-01")
    go(["ü"], "2026-01-02")
    assert (held(), len(held("out.quarantine", "raw"))) == (["a"], 2)
    go(["a"], "2026-01-01")
    assert (held(), len(held("out.quarantine", "raw"))) == (["a"], 1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_attempt_that_died_after_its_decision_is_finished_by_the_next(
    when: str, go: Go, held: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    go(["a"], "2026-01-01")
    place = (publishing.Journals, "_commit_now") if KIND == "delta" else (journal, "put_whole")
    honest = getattr(*place)

    def dies(*args: Any) -> None:
        if when == "after":
            honest(*args)
        raise InfrastructureError("died")

    monkeypatch.setattr(publishing, "Patience", lambda: Patience(interval=0.2, missed=3))
    with monkeypatch.context() as patch:
        patch.setattr(*place, dies)
        with pytest.raises(InfrastructureError, match="died"):
            go(["b"], "2026-01-02")
    assert held() == (["a"] if when == "before" else ["a", "b"])
    assert (go(["b"], "2026-01-02").status, held()) == ("already_done", ["a", "b"])


def test_the_second_of_two_runs_ends_with_exit_code_5_and_touches_nothing(go: Go, held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go(["a"], "2026-01-01")
    monkeypatch.setattr(publishing, "Patience", lambda: Patience(interval=0.2, missed=3))

    def build(text: DataFrame) -> DataFrame:
        with pytest.raises(LockedError, match="is at work on") as error:
            go(["c"], "2026-01-03")
        assert error.value.exit_code == 5
        return same(text)

    go(["b"], "2026-01-02", build)
    assert held() == ["a", "b"]


def test_an_owner_that_slept_while_another_published_is_refused(go: Go, held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go(["a"], "2026-01-01")
    monkeypatch.setattr(publishing, "Patience", lambda: Patience(interval=1000, missed=1, sleep=lambda _: None))

    def build(text: DataFrame) -> DataFrame:
        go(["c"], "2026-01-03")
        return same(text)

    with pytest.raises(LockedError, match="another took over: it published nothing") as error:
        go(["b"], "2026-01-02", build)
    assert (error.value.exit_code, held()) == (5, ["a", "c"])


def test_an_owner_that_slept_after_its_decision_leaves_what_another_finished(
    go: Go, held: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    go(["a"], "2026-01-01")
    monkeypatch.setattr(publishing, "Patience", lambda: Patience(interval=1000, missed=1, sleep=lambda _: None))
    place = (delta_adopt.Adoption, "said") if KIND == "delta" else (journal, "put_whole")
    honest, slept = getattr(*place), list[str]()

    def sleeps(*args: Any) -> Any:
        if not slept:
            slept.append("")
            go(["c"], "2026-01-03")
        return honest(*args)

    monkeypatch.setattr(*place, sleeps)
    if KIND == "delta":
        with pytest.raises(LockedError, match="another took over: it finishes what was published"):
            go(["b"], "2026-01-02")
    else:
        assert go(["b"], "2026-01-02").status == "done"  # each step finds itself made
    assert held() == ["a", "b", "c"]
    assert (go(["b"], "2026-01-02").status, held()) == ("already_done", ["a", "b", "c"])


def test_what_was_private_stays_private(go: Go, tmp_path: Path) -> None:
    go(["a"], "2026-01-01")
    (tmp_path / "out").chmod(0o700)
    go(["b"], "2026-01-02")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("out", ".out.sparkkit")] == [0o700, 0o700]


def test_what_a_refused_run_staged_is_gone(go: Go, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="boom"):
        go(["a"], "2026-01-01", lambda text: text.select(F.raise_error(F.lit("boom")).cast("string").alias("value")))
    assert LocalStore().list(f"{tmp_path}/.out.sparkkit/work") == ()
