from __future__ import annotations

import pytest
from chispa import assert_df_equality
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms import reshape
from tests.transforms.strategies import DDL, bag, batches, few, groups

WIDE = {"keys": "k", "names": "year", "value": "n", "declared": [2010, 2020]}


@few
@given(rows=batches(unique_by=lambda row: row[:2]))
def test_wide_has_one_row_a_key_with_each_value_in_its_cell(spark, rows):
    df = spark.createDataFrame(rows, DDL)
    declared = {1: "one", 2: "two", 9: "never"}
    result = df.transform(
        reshape.to_wide, keys=["example", "k"], names="p", value="x", declared=declared, outside="report"
    ).collect()

    def wide(key, group):
        cells = {row[2]: row[3] for row in group}
        return (*key, *(cells.get(p) for p in declared), sum(row[2] not in declared for row in group))

    assert bag(result) == bag(wide(key, group) for key, group in groups(rows, 0, 1).items())


@few
@given(rows=batches(unique_by=lambda row: row[0]))
def test_long_has_a_row_for_each_cell_and_turns_back(spark, rows):
    df = spark.createDataFrame(rows, DDL).select("example", "k", "p", "n")
    long = df.transform(reshape.to_long, keys=["example", "k"], columns=["p", "n"])
    back = long.transform(reshape.to_wide, keys=["example", "k"], names="name", value="value", declared=["p", "n"])
    assert bag(long.collect()) == bag(row for e, k, p, _, n, _ in rows for row in [(e, k, "p", p), (e, k, "n", n)])
    assert bag(back.collect()) == bag((e, k, p, n) for e, k, p, _, n, _ in rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", 2010, 1), ("a", 2010, None)], "two rows for one cell"),
        ([("a", 2010, 1), ("a", 1999, 1)], "a name that was not declared: .*1999"),
        ([("a", None, 1)], "a name that was not declared"),
    ],
)
def test_wide_fails_the_task_on_what_a_pivot_drops_in_silence(spark, rows, message):
    df = spark.createDataFrame(rows, "k string, year int, n int")
    with pytest.raises(Exception, match=message):
        df.transform(reshape.to_wide, **WIDE).collect()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"declared": ["2010"]}, "'2010' is not a int"),
        ({"declared": []}, "no declared values"),
        ({"declared": {2010: "k"}}, "a column 'k' already"),
        ({"outside": "drop"}, "no such answer 'drop'"),
        ({"names": "yaer"}, "did you mean 'year'"),
    ],
)
def test_wrong_use_of_wide_is_refused(spark, options, message):
    df = spark.createDataFrame([], "k string, year int, n int")
    with pytest.raises(UsageError, match=message):
        df.transform(reshape.to_wide, **{**WIDE, **options})


def test_long_widens_values_without_loss(spark):
    df = spark.sql("select 'x' k, cast(1 as smallint) a, cast(2.50 as decimal(4,2)) b")
    expected = spark.sql("select 'x' k, 'a' name, cast(1 as decimal(7,2)) value union all select 'x', 'b', 2.50")
    result = df.transform(reshape.to_long, keys="k", columns=["a", "b"])
    assert_df_equality(result, expected, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["a"]}, "'b' is neither a key nor listed"),
        ({"columns": ["a", "b"]}, "no type holds all values without loss"),
        ({"columns": ["a", "k"]}, "column 'k' stands twice"),
        ({"columns": ["a", "bb"]}, "no column 'bb'"),
    ],
)
def test_wrong_use_of_long_is_refused(spark, options, message):
    with pytest.raises(UsageError, match=message):
        spark.createDataFrame([], "k string, a bigint, b double").transform(reshape.to_long, keys="k", **options)
