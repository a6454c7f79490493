"""The job word_count: its counts are those of plain Python on the same text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from sparkkit.testing import RunJob, frame

BOOKS = Path(__file__).resolve().parents[2] / "data" / "books"
SHAPE = "word string, count bigint"


def test_counts_the_sample_books_as_python_does(run_job: RunJob) -> None:
    result = run_job("word_count", {"text": BOOKS})
    texts = [path.read_bytes() for path in BOOKS.glob("*.txt")]  # bytes, for they split at ASCII's blanks only, as tr does
    expected = Counter(word.decode() for text in texts for word in text.split())
    assert {row["word"]: row["count"] for row in result.output.collect()} == expected
    assert result.record["inputs"]["text"]["read"] == sum(len(text.splitlines()) for text in texts)


def test_options_of_the_command_line_reach_the_count(spark: SparkSession, run_job: RunJob) -> None:
    data = frame(spark, [("The sea, the Sea; the fog",), ("",)], "value string")
    options = ["--tokens=words", "--case=lower", "--minimum=2", "--stop-words=the", "--stop-words=a"]
    result = run_job("word_count", {"text": data}, options)
    assert_df_equality(result.output, frame(spark, [("sea", 2)], SHAPE), ignore_nullable=True)
