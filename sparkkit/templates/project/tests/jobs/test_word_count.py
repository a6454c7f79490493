"""The job word_count: what it builds, and its whole run."""
from __future__ import annotations

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from sparkkit.testing import RunJob, frame


def test_counts_each_word(spark: SparkSession, run_job: RunJob) -> None:
    data = frame(spark, [("the fog",), ("the tide the",)], "value string")
    result = run_job("word_count", {"text": data}, ["--minimum=2"])
    expected = frame(spark, [("the", 3)], "word string, count bigint")
    assert_df_equality(result.output, expected, ignore_nullable=True)


def test_runs_on_the_sample_and_accounts_for_each_line(run_job: RunJob) -> None:
    result = run_job("word_count")
    assert (result.message, result.record["inputs"]["text"]["read"]) == ("", 2)
