from __future__ import annotations

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from sparkkit.errors import UsageError
from sparkkit.transforms import joins
from tests.transforms.strategies import DDL, NAN, bag, batches, few, plain

KEYS = st.tuples(
    st.sampled_from([None, "a", "b", "c"]), st.sampled_from([None, NAN, -1.5, 0.0]), st.sampled_from([None, 7])
)
TABLE = "example int, k string, x double, v int"


@few
@given(rows=batches(), table=batches(KEYS, unique_by=lambda row: plain(row[:2])))
def test_lookup_gives_each_row_once_and_unmatched_the_rest(spark, rows, table):
    df, names = spark.createDataFrame(rows, DDL), spark.createDataFrame(table, TABLE)
    found = {plain(row[:3]): row[3] for row in table if None not in row[:3]}
    keys = [plain((row[0], row[1], row[3])) for row in rows]

    result = df.transform(joins.lookup, names, on=["example", "k", "x"], flag="known").collect()
    left = df.transform(joins.unmatched, names, on=["example", "k", "x"]).collect()

    assert bag(result) == bag((*row, found.get(key), key in found) for row, key in zip(rows, keys, strict=True))
    assert bag(left) == bag(row for row, key in zip(rows, keys, strict=True) if key not in found)


@few
@given(rows=batches(), other=batches(KEYS))
def test_semi_and_anti_share_the_rows_out_and_null_equals_null(spark, rows, other):
    df, keys = spark.createDataFrame(rows, DDL), spark.createDataFrame(other, TABLE)
    known = {plain(row[:3]) for row in other}
    inside = [plain((row[0], row[1], row[3])) in known for row in rows]

    kept = df.transform(joins.semi, keys, on=["example", "k", "x"]).collect()
    left = df.transform(joins.anti, keys, on=["example", "k", "x"]).collect()

    assert bag(kept) == bag(row for row, yes in zip(rows, inside, strict=True) if yes)
    assert bag(left) == bag(row for row, yes in zip(rows, inside, strict=True) if not yes)


def test_a_key_that_stands_twice_in_the_table_fails_the_task_and_is_named(spark):
    df = spark.createDataFrame([("a",)], "k string")
    table = spark.createDataFrame([("a", 1), ("z", 1), ("z", 1)], "k string, v int")
    joined = df.transform(joins.lookup, table, on="k")
    with pytest.raises(Exception, match=r"stands more than once in the lookup table: .*z"):
        joined.collect()


def test_a_lookup_cannot_fan_out_even_where_its_guard_is_not_read(spark):
    df = spark.createDataFrame([("a",), ("b",)], "k string")
    table = spark.createDataFrame([("a", 1), ("a", 2)], "k string, v int")
    assert df.transform(joins.lookup, table, on="k").select("k").count() == 2


def test_null_keys_in_the_table_are_no_duplicates_and_never_found(spark):
    df = spark.createDataFrame([(None,)], "k string")
    table = spark.createDataFrame([(None, 1), (None, 2)], "k string, v int")
    expected = spark.createDataFrame([(None, None)], "k string, v int")
    assert_df_equality(df.transform(joins.lookup, table, on="k"), expected)


def test_lookup_joins_a_frame_to_itself_by_differently_named_keys(spark):
    df = spark.createDataFrame([(1, None, "boss"), (2, 1, "maid")], "id int, `the.boss` int, name string")
    names = df.withColumnRenamed("name", "boss name")
    result = df.transform(joins.lookup, names, on={"the.boss": "id"}, columns=["boss name"])
    expected = spark.createDataFrame(
        [(1, None, "boss", None), (2, 1, "maid", "boss")], "id int, `the.boss` int, name string, `boss name` string"
    )
    assert_df_equality(result.orderBy("id"), expected.orderBy("id"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": "contry"}, "did you mean 'country'"),
        ({"on": []}, "no column given"),
        ({"on": "country", "columns": ["nam"]}, "did you mean 'name'"),
        ({"on": "country", "flag": "Country"}, "there is a column 'Country' already"),
        ({"on": {"n": "country"}}, "key 'n' is int here and string in the table"),
    ],
)
def test_wrong_use_of_lookup_is_refused_before_any_job(spark, options, message):
    df = spark.createDataFrame([("a", 1)], "country string, n int")
    table = spark.createDataFrame([("a", "A")], "country string, name string")
    with pytest.raises(UsageError, match=message):
        df.transform(joins.lookup, table, **options)
