"""The profile: exact where it says so, near where it says so, and of every type."""
from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit.errors import UsageError
from sparkkit.verbs.quality import profile

DDL = ("n int, x double, s string, d date, c decimal(6,2), b boolean, y binary, l array<int>, m map<string,int>,"
       " t struct<u:int,v:struct<w:string>>, `odd.name` int")


def rows(count: int) -> list[tuple[Any, ...]]:
    return [(i, float("nan") if i % 10 == 0 else i / 4, "x" * (i % 3) if i % 5 else None, dt.date(2024, 1, 1 + i % 28),
             Decimal(i) / 4, i % 4 == 0, bytes(i % 7), [1] * (i % 3), {"k": i}, (i % 2, (f"w{i % 2}",)), None) for i in range(count)]


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, dict[str, Any]]:
    total, bad, columns = profile(spark.createDataFrame(rows(200), DDL))
    assert (total, bad) == (200, 0)
    return {one["column"]: one for one in columns}


def some(one: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(one.get(name) for name in names)


def test_numbers_have_a_range_and_a_mean_without_their_nans(found: dict[str, dict[str, Any]]) -> None:
    assert some(found["n"], "count", "nulls", "min", "max", "mean") == (200, 0, 0, 199, 99.5)
    assert some(found["x"], "count", "nulls", "nan", "min", "max") == (200, 0, 20, 0.25, 49.75)
    assert some(found["c"], "min", "max", "type") == (0, 49.75, "decimal(6,2)")


def test_texts_are_told_by_range_and_length(found: dict[str, dict[str, Any]]) -> None:
    assert some(found["s"], "count", "nulls", "min", "max", "min_length", "max_length") == (160, 40, "", "xx", 0, 2)


def test_nested_and_binary_columns_are_told_by_fields_and_sizes(found: dict[str, dict[str, Any]]) -> None:
    assert list(found) == ["n", "x", "s", "d", "c", "b", "y", "l", "m", "t.u", "t.v.w", "odd.name"]
    assert some(found["y"], "min_length", "max_length", "top") == (0, 6, [])
    assert some(found["l"], "min_length", "max_length", "distinct") == (0, 2, None)
    assert some(found["m"], "min_length", "max_length") == (1, 1)
    assert some(found["t.v.w"], "min", "max", "distinct") == ("w0", "w1", 2)
    assert some(found["odd.name"], "count", "nulls", "min", "top", "histogram") == (0, 200, None, [], [])


def test_times_are_those_of_the_session_wherever_the_driver_is(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        _, _, columns = profile(spark.sql("select timestamp'2024-01-01 00:00:00' as at"))
    time.tzset()
    told = [columns[0][name] for name in ("min", "max")] + [columns[0]["top"][0]["value"], columns[0]["quantiles"]["0.5"]]
    assert (columns[0]["type"], {str(one).replace(" ", "T") for one in told}) == ("timestamp", {"2024-01-01T00:00:00"})


def test_top_values_are_the_most_frequent(found: dict[str, dict[str, Any]]) -> None:
    assert [(str(p["value"]).lower(), p["rows"]) for p in found["b"]["top"]] == [("false", 150), ("true", 50)]
    assert {p["value"]: p["rows"] for p in found["s"]["top"]} == {"": 53, "x": 54, "xx": 53}


def test_estimates_are_within_what_the_profile_says_of_them(found: dict[str, dict[str, Any]]) -> None:
    assert abs(found["n"]["distinct"] - 200) <= 3 * 0.05 * 200
    assert all(abs(found["n"]["quantiles"][str(q)] - 200 * q) <= 2 for q in (0.05, 0.25, 0.5, 0.75, 0.95))
    assert sum(bar["rows"] for bar in found["n"]["histogram"]) == 200
    assert found["d"]["quantiles"]["0.5"] == "2024-01-14"


def test_no_rows_at_all_have_a_profile(spark: SparkSession) -> None:
    total, _, columns = profile(spark.createDataFrame([], DDL))
    assert (total, {some(one, "count", "nulls", "min") for one in columns}) == (0, {(0, 0, None)})


def test_columns_are_chosen_by_name(spark: SparkSession) -> None:
    frame = spark.createDataFrame(rows(3), DDL)
    assert [one["column"] for one in profile(frame, ["t", "n"])[2]] == ["n", "t.u", "t.v.w"]
    with pytest.raises(UsageError, match="did you mean 'odd.name'"):
        profile(frame, ["odd_name"])
