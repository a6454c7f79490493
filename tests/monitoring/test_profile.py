"""The profile of a data set, on Spark: every count is exact, whatever the column holds."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("pyarrow")

from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402

from sparkkit.errors import UsageError  # noqa: E402
from sparkkit.monitoring.profile import SCHEMA, features, is_profile, profile  # noqa: E402

N = 400
ROWS = [
    (float(i) if i % 10 else None, float("nan") if i % 8 == 0 else float(i), 0.0 if i % 5 < 2 else i / 7, 5, Decimal(i) / 4,
     dt.date(2026, 1, 1) + dt.timedelta(days=i), dt.datetime(2026, 1, 1, 0, i // 60, i % 60), i % 3 == 0,
     ["a", "b", "b", None, ""][i % 5], None, float("inf") if i == 7 else float(i), i % 4)
    for i in range(N)
]
SHAPE = ("nulls double, nans double, `the atom` double, const int, dec decimal(8,2), day date, at timestamp_ntz, flag boolean,"
         " `a.b` string, nothing string, inf double, code int")


@pytest.fixture(scope="module")
def data(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(ROWS, SHAPE).repartition(3)


@pytest.fixture(scope="module")
def counts(data: DataFrame) -> dict[str, list[Any]]:
    """Each feature's rows of the profile, by bin."""
    found: dict[str, list[Any]] = {}
    for row in sorted(profile(data, categorical=["code"]).collect(), key=lambda row: (row.bin, row.category or "")):
        found.setdefault(row.feature, []).append(row)
    return found


def test_each_feature_has_all_rows(counts: Any) -> None:
    names = ("nulls", "nans", "the atom", "const", "dec", "day", "at", "flag", "a.b", "nothing", "inf", "code")
    assert {name: sum(row.rows for row in rows) for name, rows in counts.items()} == dict.fromkeys(names, N)


@pytest.mark.parametrize(("name", "at"), [("nulls", 0), ("dec", 4), ("day", 5), ("at", 6)])
def test_numbers_dates_and_times_are_counted_in_their_bins(counts: Any, name: str, at: int) -> None:
    def number(value: Any) -> float:
        if isinstance(value, dt.datetime):
            return value.replace(tzinfo=dt.UTC).timestamp()
        return float((value - dt.date(1970, 1, 1)).days) if isinstance(value, dt.date) else float(value)

    values = [number(row[at]) for row in ROWS if row[at] is not None]
    bins = [row for row in counts[name] if row.bin >= 0]
    shift = bins[0].high - min(values) if name == "at" else 0.0  # the session's zone
    assert [row.rows for row in bins] == [
        sum((row.low is None or row.low <= v + shift) and (row.high is None or v + shift < row.high) for v in values)
        for row in bins]
    assert (bins[0].rows, bins[-1].rows) == (0, 0)


def test_null_and_nan_are_missing(counts: Any) -> None:
    missing = {name: row.rows for name, rows in counts.items() for row in rows if row.bin == -1 and row.rows}
    assert missing == {"nulls": 40, "nans": 50, "a.b": 80, "nothing": 400}


def test_a_value_that_many_rows_share_has_a_bin_of_its_own(counts: Any) -> None:
    (atom,) = [row for row in counts["the atom"] if row.low == 0.0]
    assert (atom.rows, atom.high) == (160, float(np.nextafter(0, 1)))
    assert [row.rows for row in counts["const"]] == [0, 0, N, 0]


def test_categories_are_counted_by_name_and_codes_too(counts: Any) -> None:
    def named(name: str) -> Counter[str]:
        return Counter({row.category: row.rows for row in counts[name] if row.bin >= 0})

    assert (named("a.b"), named("flag")) == ({"a": 80, "b": 160, "": 80}, {"true": 134, "false": 266})
    assert named("code") == dict.fromkeys("0123", 100)


def test_other_data_are_counted_in_the_same_bins(spark: SparkSession, data: DataFrame) -> None:
    kept = spark.createDataFrame(profile(data, only=["nulls", "a.b"], top=2).collect(), SCHEMA)
    other = data.withColumn("nulls", F.col("nulls") + 1000).withColumn("a.b", F.lit("new")).where("code > 0")
    found = {(row.feature, row.bin, row.category): row.rows for row in profile(other, like=kept).where("rows > 0").collect()}
    last = kept.where("feature = 'nulls'").agg(F.max("bin")).first()[0]  # type: ignore[index]
    missing = other.where("nulls is null").count()
    assert found == {("nulls", last, None): 300 - missing, ("nulls", -1, None): missing, ("a.b", -2, "new"): 300}
    assert is_profile(kept)
    assert not is_profile(other)


def test_few_categories_are_listed_and_the_others_counted(data: DataFrame) -> None:
    rows = profile(data, only=["a.b"], top=1).collect()
    assert sorted((row.bin, row.category, row.rows) for row in rows if row.category) == [(-2, "a", 80), (0, "b", 160)]


def test_a_literal_table_in_several_partitions_is_counted(spark: SparkSession) -> None:
    table = spark.sql(f"select * from values {', '.join(f'({i % 3})' for i in range(60))} as t(n)")
    assert {row.low: row.rows for row in profile(table).where("rows > 0").collect()} == {0.0: 20, 1.0: 20, 2.0: 20}


@pytest.mark.parametrize(("given", "reason"), [({"only": ["nulll"]}, "no_column"), ({"categorical": ["no"]}, "no_column"),
                                              ({"only": ["list"]}, "wrong_type")])
def test_columns_that_can_not_be_watched_are_refused(spark: SparkSession, given: Any, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        features(spark.createDataFrame([], "nulls double, list array<int>"), **given)
    assert raised.value.reason == reason
