"""Drift between two frames on Spark: what is reported, out of frames and out of a kept profile."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("scipy")

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.monitoring.drift import VERDICTS, drift, limits_of
from sparkkit.monitoring.profile import SCHEMA, profile


def made(spark: SparkSession, seed: int, n: int = 3000) -> DataFrame:
    """Columns `id`, `size`, `kind`, `gaps`; the same distribution for each seed."""
    kind = F.when(F.rand(seed) < 0.6, "a").when(F.rand(seed + 1) < 0.5, "b").otherwise("c")
    gaps = F.when(F.rand(seed + 2) < 0.9, F.rand(seed + 3))
    return spark.range(0, n, 1, 2).select("id", F.randn(seed + 4).alias("size"), kind.alias("kind"), gaps.alias("gaps"))


@pytest.fixture(scope="module")
def kept(spark: SparkSession) -> DataFrame:
    """The profile of a reference, as it would be read."""
    return spark.createDataFrame(profile(made(spark, 10), ignore=["id"]).collect(), SCHEMA)


def reported(verdicts: DataFrame) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in verdicts.where("severity <> 'none'").collect():
        found.setdefault(row.feature, {})[row.measure] = row.severity
    return found


def test_the_same_distribution_is_not_reported_and_each_measure_has_a_row(spark: SparkSession, kept: DataFrame) -> None:
    found = drift(kept, made(spark, 50), ignore=["id"])
    assert reported(found) == {}
    assert [name for name, _ in found.dtypes] == [part.split()[0] for part in VERDICTS.split(",")]
    rows = sorted((row.feature, row["count"]) for row in found.groupBy("feature").count().collect())
    assert rows == [("gaps", 7), ("kind", 6), ("size", 7)]


def test_planted_changes_are_found_and_nothing_else(spark: SparkSession, kept: DataFrame) -> None:
    some = F.rand(99) < 0.05
    changed = made(spark, 60).withColumn("size", F.when(some, 99.0).otherwise(F.col("size")))
    changed = changed.withColumn("kind", F.when(some, "new").otherwise(F.col("kind")))
    found = reported(drift(kept, changed, only=["size", "kind", "gaps"], predictions=["size"]))
    assert found.keys() == {"size", "kind"}
    assert {"outside_range", "largest_change"} <= found["size"].keys()
    assert {"new_categories", "largest_change"} <= found["kind"].keys()


def test_frames_give_what_profiles_give(spark: SparkSession) -> None:
    before, now = (spark.createDataFrame(made(spark, seed, 300).collect()).select("size", "kind") for seed in (10, 70))
    kept = profile(before)
    ways = [drift(before, now), drift(kept, profile(now, like=kept))]
    first, second = [sorted(map(tuple, way.collect()), key=str) for way in ways]
    assert first == second


def test_a_column_that_is_gone_or_of_another_kind_is_an_alarm(spark: SparkSession, kept: DataFrame) -> None:
    now = made(spark, 50, 300).drop("gaps").withColumn("size", F.lit("big"))
    found = drift(kept, now, ignore=["id"]).where("measure = 'column'").collect()
    assert [(row.feature, row.severity, row.detail) for row in found] == [
        ("gaps", "alarm", "only in the reference data"), ("size", "alarm", "numeric in the reference, and categorical now")]


def test_no_row_is_an_alarm_and_no_error(spark: SparkSession, kept: DataFrame) -> None:
    alarm = {"column": "alarm"}
    assert reported(drift(kept, made(spark, 50).where("false"), ignore=["id"])) == {"size": alarm, "kind": alarm, "gaps": alarm}


@pytest.mark.parametrize(("given", "reason"), [
    ({"alpha": 0}, "wrong_option"), ({"limits": {"psy": (0.1, 0.2)}}, "wrong_option"), ({"limits": {"psi": (0.2, 0.1)}}, "wrong_option"),
    ({"only": ["sise"]}, "no_column"), ({"ignore": ["id", "size", "kind", "gaps"]}, "no_features")])
def test_what_makes_no_sense_is_refused_before_anything_is_computed(spark: SparkSession, given: Any, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        drift(made(spark, 1), made(spark, 2), **given)
    assert raised.value.reason == reason


def test_a_profile_is_not_judged_against_other_bins(spark: SparkSession, kept: DataFrame) -> None:
    with pytest.raises(UsageError, match="their bins differ"):
        drift(made(spark, 1), kept)


@pytest.mark.parametrize("text", ["psi", "psi=0.1", "psi=a,b"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not MEASURE=WARNING,ALARM"):
        limits_of([text])
