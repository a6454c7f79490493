"""A dry run builds on empty frames and touches no data."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import dry
from sparkkit.job import Job
from sparkkit.submission.local import load_job

ROOT = Path(__file__).resolve().parents[1]


def lengths(text: DataFrame) -> DataFrame:
    return text.select(F.length("value").alias("n"))


def wrong(text: DataFrame) -> DataFrame:
    return text.select("no_such_column")


def test_shows_the_columns_of_a_job_with_a_contract_though_its_input_is_nowhere(
    spark: SparkSession,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    code = dry.run(
        load_job(str(ROOT / "jobs" / "names.py")), ["--input=/nowhere/at/all", f"--output={tmp_path / 'out'}"], spark
    )
    out = capsys.readouterr().out
    assert (
        code,
        "firstname string, lastname string, gender string, salary bigint" in out,
        list(tmp_path.iterdir()),
    ) == (0, True, [])


def test_text_needs_no_contract(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    code = dry.run(Job(lengths, name="lengths", settings={"inputs.text.format": "text"}), [], spark)
    assert (code, capsys.readouterr().out.splitlines()[1]) == (0, "output output (no path yet): n int")


def test_an_input_s_source_file_column_is_there_where_it_is_asked_for(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(lambda text: text, name="same", settings={"inputs.text.format": "text", "inputs.text.keep_source": True})
    assert dry.run(job, [], spark) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("value string, _source_file string")


@pytest.mark.parametrize(
    ("job", "argv", "code", "message"),
    [
        (Job(wrong, name="wrong", settings={"inputs.text.format": "text"}), [], 1, "no_such_column"),
        (Job(lengths, name="lengths"), [], 2, "input 'text' has no contract"),
        (Job(lengths, name="lengths"), ["--mode=x"], 2, "expected one of append"),
    ],
)
def test_what_a_run_would_refuse_is_refused(
    job: Job,
    argv: list[str],
    code: int,
    message: str,
    spark: SparkSession,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dry.run(job, argv, spark) == code
    assert message in capsys.readouterr().err
