from __future__ import annotations

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms import windows
from tests.transforms.strategies import (
    DDL,
    NAN,
    bag,
    batches,
    few,
    groups,
    last_if_missing,
    missing,
    nulls_last,
    per_group,
)

BY = ["example", "k"]


def by_x(row):
    return (last_if_missing(row[3], down=True), nulls_last(row))


@few
@given(rows=batches())
def test_top_n_keeps_exactly_the_first_n_of_each_group(spark, rows):
    df = spark.createDataFrame(rows, DDL).repartition(3)
    result = df.transform(windows.top_n, n=2, by=BY, order="-x").collect()
    assert bag(result) == bag(per_group(rows, lambda group: sorted(group, key=by_x)[:2], 0, 1))


def lagged(rows):
    rows = sorted(rows, key=lambda row: last_if_missing(row[2]))
    return [(*row, rows[i - 1][4] if i else None) for i, row in enumerate(rows)]


@few
@given(rows=batches(unique_by=lambda row: row[:2]))
def test_lag_takes_the_value_of_the_row_before(spark, rows):
    df = spark.createDataFrame(rows, DDL)
    result = df.transform(windows.lag, column="n", by=BY, order="p", into="before").collect()
    assert bag(result) == bag(per_group(rows, lagged, 0, 1))


def changed(rows):
    rows = sorted(rows, key=lambda row: last_if_missing(row[2]))
    for i, row in enumerate(rows):
        value, since = next(((r[3], r[2]) for r in reversed(rows[:i]) if not missing(r[3])), (None, None))
        change = None if value is None or missing(row[3]) else row[3] - value
        yield (*row, value, since, change, change / value if value and change is not None else None)


@few
@given(rows=batches(unique_by=lambda row: row[:2]))
def test_change_is_against_the_latest_period_that_was_given(spark, rows):
    df = spark.createDataFrame(rows, DDL)
    result = df.transform(windows.change, column="x", by=BY, period="p").collect()
    assert bag(result) == bag(per_group(rows, changed, 0, 1))


@pytest.mark.parametrize("f", [windows.lag, windows.change])
def test_two_rows_in_one_place_fail_the_task(spark, f):
    df = spark.createDataFrame([("a", 2020, 1), ("a", 2020, 2)], "k string, year int, n int")
    order = {"order": "year"} if f is windows.lag else {"period": "year"}
    with pytest.raises(Exception, match="two rows of a group have the same place"):
        df.transform(f, column="n", by="k", **order).collect()


def run_up(rows):
    rows = sorted(rows, key=lambda row: (last_if_missing(row[2]), nulls_last(row)))
    for i, row in enumerate(rows):
        seen = [r[3] for r in rows[: i + 1] if not missing(r[3])]
        yield (*row, sum(seen) if seen else None, len(seen))


@few
@given(rows=batches(unique_by=lambda row: row))  # of two that are equal nobody knows which sum and which count belong together
def test_running_figures_end_at_the_figure_of_the_group(spark, rows):
    df = spark.createDataFrame(rows, DDL).repartition(3)
    sums = df.transform(windows.running, column="x", by=BY, order="p")
    result = sums.transform(windows.running, column="x", by=BY, order="p", how="count", into="seen").collect()
    assert bag(result) == bag(per_group(rows, run_up, 0, 1))


def ranked(rows):
    given_ = [row[3] for row in rows if not missing(row[3])]
    for row in rows:
        over = [x for x in given_ if not missing(row[3]) and x > row[3]]
        yield (*row, None, None) if missing(row[3]) else (*row, len(over) + 1, len(set(over)) + 1)


@few
@given(rows=batches())
def test_ranks_leave_out_what_is_missing(spark, rows):
    df = spark.createDataFrame(rows, DDL)
    same = df.transform(windows.rank, by=BY, order="-x", into="same")
    result = same.transform(windows.rank, by=BY, order="-x", into="dense", ties="dense").collect()
    assert bag(result) == bag(per_group(rows, ranked, 0, 1))


def test_broken_ties_give_every_row_its_own_rank(spark):
    df = spark.createDataFrame([("b", 1.0), ("a", 1.0), ("c", NAN), ("d", 2.0)], "k string, x double")
    result = df.transform(windows.rank, by=(), order="-x", ties="broken").collect()
    assert {row.k: row["rank"] for row in result} == {"d": 1, "a": 2, "b": 3, "c": None}


@pytest.mark.parametrize(
    ("f", "options", "message"),
    [
        (windows.top_n, {"n": 0, "order": "n"}, "n is 0"),
        (windows.lag, {"column": "n", "order": "yaer"}, "did you mean 'year'"),
        (windows.lag, {"column": "n", "order": "year", "n": -1}, "turn the order round"),
        (windows.change, {"column": "n", "period": "year", "prefix": "old"}, "column 'old_change' already"),
        (windows.running, {"column": "n", "order": "year", "how": "som"}, "no such figure 'som'"),
        (windows.rank, {"order": "n", "ties": "any"}, "no such ties 'any'"),
        (windows.rank, {"order": "n", "into": "year"}, "column 'year' already"),
    ],
)
def test_wrong_use_is_refused(spark, f, options, message):
    df = spark.createDataFrame([("a", 1, 2, 3)], "k string, year int, n int, old_change int")
    with pytest.raises(UsageError, match=message):
        df.transform(f, by="k", **options)


def test_groups_helper_sees_nan_as_one_value():
    assert len(groups([(NAN,), (float("nan"),)], 0)) == 1
