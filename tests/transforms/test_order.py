from __future__ import annotations

from sparkkit.transforms.order import sorting, total
from tests.transforms.strategies import NAN


def test_missing_values_come_last_in_both_directions(spark):
    df = spark.createDataFrame([(None, 1), (2.0, 2), (NAN, 3), (1.0, 4)], "x double, i int")
    up = [row.i for row in df.orderBy(*sorting(df, ["x", "i"], where="")).collect()]
    down = [row.i for row in df.orderBy(*sorting(df, ["-x", "i"], where="")).collect()]
    assert (up, down) == ([4, 2, 1, 3], [2, 4, 1, 3])


def test_a_column_whose_name_starts_with_a_minus_is_itself(spark):
    df = spark.createDataFrame([(2,), (1,)], "`-x` int")
    assert [row[0] for row in df.orderBy(*sorting(df, "-x", where="")).collect()] == [1, 2]


def test_maps_sort_by_their_text(spark):
    df = spark.sql("select map('b', 1) m union all select map('a', 1)")
    assert [list(row.m) for row in df.orderBy(*total(df, (), where="")).collect()] == [["a"], ["b"]]
