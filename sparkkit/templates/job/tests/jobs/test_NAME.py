"""The job NAME: what it builds, and its whole run."""
from __future__ import annotations

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from sparkkit.testing import RunJob, frame


def test_counts_the_rows_of_each_kind(spark: SparkSession, run_job: RunJob) -> None:
    data = frame(spark, [(1, "a"), (2, "b"), (3, "a")], "id int, kind string")
    result = run_job("NAME", {"rows": data}, ["--minimum=2"])
    expected = frame(spark, [("a", 2)], "kind string, n bigint")
    assert_df_equality(result.output, expected, ignore_nullable=True)


def test_runs_on_the_sample_and_accounts_for_each_row(run_job: RunJob) -> None:
    result = run_job("NAME")
    assert (result.message, result.record["inputs"]["rows"]["read"]) == ("", 3)
