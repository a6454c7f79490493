"""Reason and rule as the name of a folder: nothing is lost, and it is never too long."""
from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from sparkkit.schema import reasons
from sparkkit.schema.landing import BAD, BAD_TYPE
from sparkkit.staging import SPLIT

LONG = "\N{GRINNING FACE}" * 70 + "=" * 60


CASES = [
    ("a | b", "a | b: n > 0", ("a | b", "a | b")),
    ("%7C|%25", "%7C|%25: x", ("%7C|%25", "%7C|%25")),
    ("null", "EUR|USD: null, where a value is required", ("null", "EUR|USD")),
    ("a: b", "a: b: n > 0", ("a: b", "a: b")),
    ("header_mismatch", f"{LONG}: 'x' is no int", ("header_mismatch", LONG[:46] + "…")),
    (reasons.fitting(LONG), f"{reasons.fitting(LONG)}: x", (reasons.fitting(LONG),) * 2),
]


def test_reason_and_rule_come_back_out_of_a_folder_s_name(spark: SparkSession, tmp_path: Path) -> None:
    bad = spark.createDataFrame([(i, case[:2]) for i, case in enumerate(CASES)], f"i int, {BAD} {BAD_TYPE}").coalesce(1)
    bad.selectExpr("i", f"{reasons.parted()} as {SPLIT}").write.partitionBy(SPLIT).parquet(str(tmp_path / "x"))
    back = spark.read.schema(f"i int, {SPLIT} string").parquet(str(tmp_path / "x"))
    rows = back.selectExpr("i", f"{reasons.reason_of(SPLIT)} as reason", f"{reasons.rule_of(SPLIT)} as rule").orderBy("i").collect()
    assert [(row.reason, row.rule) for row in rows] == [case[2] for case in CASES]


def test_two_long_names_that_begin_alike_stay_apart() -> None:
    assert reasons.fitting(LONG + "a") != reasons.fitting(LONG + "b")
