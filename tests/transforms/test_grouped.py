from __future__ import annotations

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.schema.types import parse
from sparkkit.transforms import grouped
from tests.transforms.strategies import DDL, bag, batches, few
from tests.transforms.strategies import groups as grouped_rows

pytest.importorskip("pandas", exc_type=ImportError)
pytest.importorskip("pyarrow", exc_type=ImportError)

WHOLE = "k string, v int"


@few
@given(rows=batches())
def test_the_function_sees_each_group_once_and_whole(spark, rows):
    def sizes(frame):
        import pandas as pd

        return pd.DataFrame({"rows": [len(frame)], "k": [frame["k"].iloc[0]], "example": [frame["example"].iloc[0]]})

    df = spark.createDataFrame(rows, DDL).select("example", "k")
    result = df.transform(
        grouped.grouped_pandas, function=sizes, by=["example", "k"], schema="example int, k string, rows long"
    )
    assert bag(result.collect()) == bag((*key, len(group)) for key, group in grouped_rows(rows, 0, 1).items())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda frame: frame.drop(columns="v"), r"returned the columns \['k'\], declared are \['k', 'v'\]"),
        (lambda frame: frame.assign(w=1), "declared are"),
        (lambda frame: frame.assign(v=1.5), "truncated"),
        (lambda frame: frame.assign(v=2**40), "not in range"),
    ],
)
def test_what_was_not_declared_fails_the_task(spark, function, message):
    df = spark.createDataFrame([("a", 1)], WHOLE)
    with pytest.raises(Exception, match=message):
        df.transform(grouped.grouped_pandas, function=function, by="k", schema=WHOLE).collect()


def test_a_bigint_that_pandas_would_round_fails_the_task(spark):
    df = spark.createDataFrame([("a", 2**53 + 1), ("a", None)], "k string, v bigint")
    with pytest.raises(Exception, match="pandas would round the bigint column 'v'"):
        df.transform(grouped.grouped_pandas, function=lambda frame: frame, by="k", schema=df.schema).collect()


@few
@given(rows=batches())
def test_arrow_groups_come_back_exact(spark, rows):
    df = spark.createDataFrame(rows, DDL)
    same = df.transform(grouped.grouped_arrow, function=lambda table: table, by=["example", "k"], schema=df.schema)
    assert bag(same.collect()) == bag(rows)


@few
@given(rows=batches())
def test_the_way_of_spark_3_5_sees_each_group_once_and_whole(spark, rows):
    def one(table):
        return table.slice(0, 1).set_column(2, "p", [[table.num_rows]])

    df = spark.createDataFrame(rows, DDL).select("example", "x", "p")
    schema = parse("struct<example int, x double, p int>")
    result = grouped._in_batches(df, ["example", "x"], one, schema).collect()
    assert bag(result) == bag((*key, len(group)) for key, group in grouped_rows(rows, 0, 3).items())


def test_a_group_may_span_batches():
    import pyarrow as pa

    marks = [[True, False, True], [False], [False, True], [], [True]]
    batches_ = [
        pa.RecordBatch.from_pydict({"n": [1] * len(m), "_sparkkit_first": pa.array(m, pa.bool_())}) for m in marks
    ]
    cut = grouped._cut(lambda table: pa.table({"n": [table.num_rows]}), pa.schema([("n", pa.int64())]))
    assert [batch["n"].to_pylist() for batch in cut(iter(batches_))] == [[2], [3], [1], [1]]


def test_arrow_columns_are_checked(spark):
    df = spark.createDataFrame([("a", 1)], WHOLE)
    result = df.transform(grouped.grouped_arrow, function=lambda table: table.drop(["v"]), by="k", schema=WHOLE)
    with pytest.raises(Exception, match="declared are"):
        result.collect()


@pytest.mark.parametrize(
    "options", [{"by": "kk", "schema": WHOLE}, {"by": [], "schema": WHOLE}, {"by": "k", "schema": ""}]
)
def test_wrong_use_is_refused(spark, options):
    with pytest.raises(UsageError):
        spark.createDataFrame([], WHOLE).transform(grouped.grouped_pandas, function=lambda frame: frame, **options)
