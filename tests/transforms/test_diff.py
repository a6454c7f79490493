from __future__ import annotations

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms.diff import diff
from tests.transforms.strategies import DDL, NAMES, bag, batches, few, plain

ONCE = batches(unique_by=lambda row: row[:2])


def expected(before, after):
    old, new = ({plain(row[:3]): plain(row) for row in rows} for rows in (before, after))
    for key in {**old, **new}:
        a, b = old.get(key), new.get(key)
        if a is None or b is None:
            yield (*key, "added" if a is None else "removed", (), a and a[:5], b and b[:5])
        elif a[:5] != b[:5]:
            changed = tuple(name for name, x, y in zip(NAMES[:5], a, b, strict=False) if x != y)
            yield (*key, "changed", changed, a[:5], b[:5])


@few
@given(before=ONCE, after=ONCE)
def test_diff_names_each_key_that_changed_and_the_columns(spark, before, after):
    old, new = spark.createDataFrame(before, DDL), spark.createDataFrame(after, DDL).select(*reversed(NAMES))
    result = diff(old, new, keys=["example", "k", "p"], ignore="t").collect()
    assert bag(result) == bag(expected(before, after))


def test_a_frame_of_keys_alone_has_only_added_and_removed(spark):
    old, new = spark.createDataFrame([(1,), (2,)], "id int"), spark.createDataFrame([(2,), (3,)], "id int")
    assert bag(diff(old, new, keys="id").select("id", "change").collect()) == [(1, "removed"), (3, "added")]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_key_that_stands_twice_fails_the_task_even_with_equal_rows(spark, side):
    twice, once = (spark.createDataFrame(rows, "id int, v int") for rows in ([(None, 1), (None, 1)], [(None, 1)]))
    frames = (twice, once) if side == "before" else (once, twice)
    with pytest.raises(Exception, match="a key stands more than once on one side"):
        diff(*frames, keys="id").collect()


@pytest.mark.parametrize(
    ("later", "keys", "message"),
    [
        ("id int", "id", "no column 'v'"),
        ("id int, v int, w int", "id", "column 'w' is only in the later frame"),
        ("id int, v bigint", "id", "'v' was int and is bigint"),
        ("id int, v int", "idd", "did you mean 'id'"),
        ("id int, v int", [], "no column given"),
    ],
)
def test_frames_of_different_shape_are_refused(spark, later, keys, message):
    with pytest.raises(UsageError, match=message):
        diff(spark.createDataFrame([], "id int, v int"), spark.createDataFrame([], later), keys=keys)


def test_maps_are_refused_unless_ignored(spark):
    df = spark.sql("select 1 id, map('a', 1) m")
    with pytest.raises(UsageError, match="can't be compared"):
        diff(df, df, keys="id")
    assert diff(df, df, keys="id", ignore="m").count() == 0
