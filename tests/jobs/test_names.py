"""The job names: what it builds, and the same result out of each format."""

from __future__ import annotations

from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from sparkkit.project import Project
from sparkkit.submission.local import load_job
from sparkkit.testing import RunJob, frame

ROOT = Path(__file__).resolve().parents[2]
NAMES = ROOT / "data" / "names"
SHAPE = "firstname string, lastname string, gender string, salary bigint"
OVER = [("Ilse", "Tamm", "F", 300000), ("Noor", "Quist", "F", 400000), ("Bram", "Okafor", "M", 400000)]


def test_multiplies_selects_and_filters(spark: SparkSession) -> None:
    data = [
        ("Ada", None, "B", None, "F", 3),
        ("Cy", "D", "E", None, None, 2),
        ("No", "", "Pay", None, "M", None),
        ("Max", "", "I", None, "M", 2147483647),
    ]
    people = frame(spark, data, Project(ROOT).contract("names"))
    result = load_job(str(ROOT / "jobs" / "names.py")).build(people, times=10, over=20)
    expected = frame(spark, [("Ada", "B", "F", 30), ("Max", "I", "M", 21474836470)], SHAPE)
    assert_df_equality(result, expected, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "orc", "avro"])
def test_each_format_gives_the_same(form: str, spark: SparkSession, run_job: RunJob) -> None:
    if form == "avro":
        pytest.importorskip("fastavro")
    result = run_job("names", {"people": NAMES / form}, [f"--set=inputs.people.format={form}"])
    assert result.message == ""
    assert_df_equality(result.output, frame(spark, OVER, SHAPE), ignore_nullable=True, ignore_row_order=True)


def test_a_person_without_a_name_or_with_a_broken_date_is_quarantined_not_lost(run_job: RunJob, tmp_path: Path) -> None:
    head = "salary,gender,dob,lastname,middlename,firstname"
    (tmp_path / "names.csv").write_text(
        f"{head}\n30,F,2000-02-29,Tamm,,Ilse\n30,F,2001-02-29,Tamm,,Noor\n30,M,,Varga,,\n"
    )
    result = run_job("names", {"people": tmp_path / "names.csv"})
    assert result.quarantine is not None
    rejected = {(row.reason, row.raw) for row in result.quarantine.collect()}
    hidden = '{{"firstname":{},"middlename":null,"lastname":"***","dob":{},"gender":"***","salary":"30"}}'.format
    assert rejected == {("bad_value", hidden('"***"', '"***"')), ("null", hidden("null", "null"))}
    assert [row.firstname for row in result.output.collect()] == ["Ilse"]
