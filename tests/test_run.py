"""The law of accounting, whatever a build does with its input."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit import intake, run, sinks
from sparkkit.errors import AccountingError, JobError, NotReadyError, UsageError
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project

ROWS = 1000


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two text files of 500 lines, one of them empty of content in one line."""
    folder = tmp_path_factory.mktemp("lines")
    for part in (0, 1):
        (folder / f"{part}.txt").write_text("".join(f"line {i % 7} {i}\n" for i in range(part * 500, part * 500 + 500)))
    return folder


@pytest.fixture(scope="module")
def stored(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 rows of Parquet in two files."""
    folder = tmp_path_factory.mktemp("stored") / "p"
    spark.range(0, ROWS, 1, 2).select("id", (F.col("id") % 7).alias("k")).write.parquet(str(folder))
    return folder


@pytest.fixture
def go(spark: SparkSession, tmp_path: Path) -> Callable[..., Record]:
    """Runs a build down the road; the record has `frames`, the published outputs."""

    def call(build: Callable[..., Any], inputs: dict[str, Path], outputs: tuple[str, ...] = ("output",), **over: Any) -> Record:
        job = Job(build, name="job", outputs=outputs)
        settings = {f"inputs.{n}.path": str(p) for n, p in inputs.items()}
        settings |= {f"outputs.{n}.path": str(tmp_path / n) for n in outputs} | over
        home = Project(tmp_path)
        conf = confs.load(home, "job", inputs=job.inputs, outputs=outputs, params=(), over=settings)
        record = Record("job-1", "job")
        staged = run.run(spark, run.Request(job, conf, home), record)
        record.frames = {n: sinks.view(spark, s) for n, s in staged.items()}  # type: ignore[attr-defined]
        return record

    return call


BUILDS: dict[str, tuple[Callable[[DataFrame], DataFrame], int]] = {
    "plain": (lambda d: d, ROWS),
    "ordered": (lambda d: d.orderBy("value"), ROWS),
    "limited": (lambda d: d.limit(10), 10),
    "doubled": (lambda d: d.union(d), 2 * ROWS),
    "grouped": (lambda d: d.groupBy(F.length("value").alias("n")).count(), 3),
    "emptied": (lambda d: d.join(d.where("1 = 0").select(F.col("value").alias("v")), F.col("value") == F.col("v")).select("value"), 0),
    "random": (lambda d: d.where(F.rand(3) < 2).select(F.expr("uuid()").alias("value")), ROWS),
    "repartitioned": (lambda d: d.repartitionByRange(3, "value").limit(3), 3),
}


@pytest.mark.parametrize("name", BUILDS)
def test_text_is_read_whole_whatever_the_build_does(go: Callable[..., Record], lines: Path, name: str) -> None:
    build, written = BUILDS[name]
    record = go(lambda text: build(text), {"text": lines})
    read, wrote = record.inputs["text"], record.outputs["output"]
    assert (read["read"], read["passed"], read["quarantined"], wrote["built"], wrote["written"]) == (ROWS, ROWS, 0, written, written)


@pytest.mark.parametrize("name", ["plain", "ordered", "limited", "emptied"])
def test_parquet_is_read_as_its_footers_promise(go: Callable[..., Record], stored: Path, name: str) -> None:
    build, written = BUILDS[name]
    record = go(lambda rows: build(rows.select(F.col("id").cast("string").alias("value"))), {"rows": stored})
    assert (record.inputs["rows"]["read"], record.outputs["output"]["written"]) == (ROWS, written)


def test_a_limit_says_that_the_input_was_not_read_whole(go: Callable[..., Record], lines: Path) -> None:
    record = go(lambda text: text.limit(10), {"text": lines})
    assert (record.inputs["text"]["complete"], "Limit" in record.inputs["text"]["why"]) == (False, True)


def test_a_clean_plain_run_needs_no_recount(go: Callable[..., Record], lines: Path) -> None:
    record = go(lambda text: text, {"text": lines})
    assert (record.inputs["text"]["complete"], record.inputs["text"]["counted_by"]) == (True, "observed")


def test_two_outputs_have_an_account_each(go: Callable[..., Record], lines: Path) -> None:
    def build(text: DataFrame) -> dict[str, DataFrame]:
        even = F.length("value") % 2 == 0
        return {"even": text.where(even), "odd": text.where(~even)}

    record = go(build, {"text": lines}, outputs=("even", "odd"))
    assert sum(o["written"] for o in record.outputs.values()) == record.inputs["text"]["read"] == ROWS


def test_a_planted_miscount_is_refused_and_nothing_is_published(
    go: Callable[..., Record], lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "judge", lambda frame, *_: frame.where("value not like '%3'"))
    with pytest.raises(AccountingError, match="read 1000 rows, but passed 900"):
        go(lambda text: text, {"text": lines})
    assert not [p for p in tmp_path.iterdir() if p.name != "job.toml" and p.name[0] != "."]


def test_bytes_that_are_not_utf8_go_to_the_quarantine(go: Callable[..., Record], spark: SparkSession, tmp_path: Path) -> None:
    source = tmp_path / "in" / "latin.txt"
    source.parent.mkdir()
    source.write_bytes("gut\nschön\n".encode("latin-1"))
    record = go(lambda text: text, {"text": source})
    found = spark.read.parquet(f"{tmp_path}/output.quarantine").first()
    assert (record.inputs["text"]["quarantined_by"], found["reason"], found["input"], found["run_id"]) == (
        {"invalid_encoding": 1}, "invalid_encoding", "text", "job-1")


def test_plain_rejects_are_not_put_into_a_delta_table(go: Callable[..., Record], tmp_path: Path) -> None:
    (tmp_path / "output.quarantine" / "_delta_log").mkdir(parents=True)
    (tmp_path / "latin.txt").write_bytes("schön\n".encode("latin-1"))
    with pytest.raises(UsageError, match="output.quarantine is a Delta table, made over Spark Connect"):
        go(lambda text: text, {"text": tmp_path / "latin.txt"})
    assert sorted(p.name for p in tmp_path.iterdir() if p.name[0] != ".") == ["latin.txt", "output.quarantine"]


def test_a_missing_input_can_be_retried(go: Callable[..., Record], tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="nothing is at"):
        go(lambda text: text, {"text": tmp_path / "later.txt"})


def test_an_output_that_exists_is_refused_before_anything_is_read(go: Callable[..., Record], lines: Path, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    with pytest.raises(UsageError, match="exists and the mode is error"):
        go(lambda text: text, {"text": lines})


def test_a_build_that_returns_no_frame_is_the_jobs_own_failure(go: Callable[..., Record], lines: Path) -> None:
    with pytest.raises(JobError, match="not a DataFrame"):
        go(lambda text: 3, {"text": lines})


def test_the_record_is_one_line_of_json(go: Callable[..., Record], lines: Path) -> None:
    text = go(lambda text: text.limit(1), {"text": lines}).to_json()
    assert ("\n" in text, json.loads(text)["format"]) == (False, 1)
