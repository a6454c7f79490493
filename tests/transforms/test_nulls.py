from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms import nulls
from tests.transforms.strategies import DDL, bag, batches, few, last_if_missing, missing, nulls_last, per_group

BY = ["example", "k"]


@few
@given(rows=batches())
def test_fill_leaves_nothing_missing_and_changes_nothing_given(spark, rows):
    df = spark.createDataFrame(rows, DDL)
    result = df.transform(nulls.fill, values={"x": 9.5, "n": -1, "t": "?"})
    filled = [
        (*r[:3], 9.5 if missing(r[3]) else r[3], -1 if r[4] is None else r[4], "?" if r[5] is None else r[5])
        for r in rows
    ]
    assert result.schema.simpleString() == df.schema.simpleString()
    assert bag(result.collect()) == bag(filled)


def carried(rows):
    last = None
    for row in sorted(rows, key=lambda row: (last_if_missing(row[2]), nulls_last(row))):
        last = last if missing(row[3]) else row[3]
        yield (*row[:3], row[3] if last is None else last, *row[4:])


@few
@given(rows=batches())
def test_fill_forward_carries_the_last_given_value(spark, rows):
    df = spark.createDataFrame(rows, DDL).repartition(3)
    result = df.transform(nulls.fill_forward, columns="x", by=BY, order="p").collect()
    assert bag(result) == bag(per_group(rows, carried, 0, 1))


def figure(how, values):
    if not values:
        return None
    counts = Counter(values)
    ways = {"mean": statistics.fmean, "median": statistics.median, "min": min, "max": max}
    return min(v for v in counts if counts[v] == max(counts.values())) if how == "mode" else ways[how](values)


@pytest.mark.parametrize("how", ["mean", "median", "mode", "min", "max"])
@few
@given(rows=batches())
def test_fill_by_group_takes_the_figure_of_what_is_given(spark, how, rows):
    def filled(group):
        value = figure(how, [row[3] for row in group if not missing(row[3])])
        return [(*r[:3], value if missing(r[3]) and value is not None else r[3], *r[4:]) for r in group]

    result = spark.createDataFrame(rows, DDL).transform(nulls.fill_by_group, columns="x", by=BY, how=how).collect()
    assert bag(result) == bag(per_group(rows, filled, 0, 1))


def test_fill_takes_a_value_of_each_type(spark):
    ddl = "a tinyint, b decimal(5,2), c boolean, d date, e timestamp_ntz, f binary, g float"
    values = {
        "a": 7,
        "b": Decimal("123.45"),
        "c": True,
        "d": dt.date(1, 1, 1),
        "e": dt.datetime(1, 1, 1),
        "f": b"x",
        "g": 0.5,
    }
    df = spark.createDataFrame([(None,) * 7], ddl)
    assert df.transform(nulls.fill, values=values).first().asDict() == values


def test_fill_takes_an_instant_with_its_zone(spark):
    noon = dt.datetime(2024, 2, 29, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    df = spark.createDataFrame([(None,)], "t timestamp").transform(nulls.fill, values={"t": noon})
    assert df.selectExpr("unix_seconds(t) s").first().s == noon.timestamp()


@pytest.mark.parametrize(
    ("value", "ddl"),
    [
        (1.5, "int"),
        ("1", "int"),
        (True, "int"),
        (128, "tinyint"),
        (Decimal("1.234"), "decimal(5,2)"),
        (1000, "decimal(5,2)"),
    ]
    + [
        (1, "string"),
        (dt.datetime(2020, 1, 1), "date"),
        (2**53 + 1, "double"),
        (float("nan"), "double"),
        (None, "int"),
    ],
)
def test_fill_refuses_a_value_that_is_not_of_the_type(spark, value, ddl):
    with pytest.raises(UsageError, match="the type of 'a'"):
        spark.createDataFrame([], f"a {ddl}").transform(nulls.fill, values={"a": value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "n", "how": "mean"}, "the mean of 'n' is not a bigint"),
        ({"columns": "k", "how": "mode"}, "'k' is to be filled and also groups"),
        ({"columns": "n", "how": "men"}, "no such figure 'men'"),
        ({"columns": "m", "how": "mode"}, "no column 'm'"),
    ],
)
def test_fill_by_group_refuses_what_would_not_fit(spark, options, message):
    with pytest.raises(UsageError, match=message):
        spark.createDataFrame([], "k string, n bigint").transform(nulls.fill_by_group, by="k", **options)
