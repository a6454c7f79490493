from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms.export import _table_by_workers, to_pandas
from tests.transforms.strategies import DDL, bag, batches, few, plain

pytest.importorskip("pandas", exc_type=ImportError)
pytest.importorskip("pyarrow", exc_type=ImportError)


def values(frame):
    import pyarrow as pa

    return [tuple(row.values()) for row in pa.Table.from_pandas(frame, preserve_index=False).to_pylist()]


@few
@given(rows=batches())
def test_every_value_comes_out_exact(spark, rows):
    assert bag(values(to_pandas(spark.createDataFrame(rows, DDL)))) == bag(rows)


@few
@given(rows=batches())
def test_the_way_of_spark_3_5_is_exact_too(spark, rows):
    table = _table_by_workers(spark.createDataFrame(rows, DDL))
    assert bag(row.values() for row in table.to_pylist()) == bag(rows)


def test_decimals_times_and_nested_values_come_out_exact(spark):
    big, day, time = (
        Decimal("12345678901234567890123456.789012345678"),
        dt.date(9999, 12, 31),
        dt.datetime(1, 1, 1, 0, 0, 0, 1),
    )
    rows = [(big, day, time, [1, None], {"a": 2**53 + 1}), (None,) * 5]
    df = spark.createDataFrame(rows, "d decimal(38,12), day date, t timestamp_ntz, l array<int>, s struct<a:bigint>")
    assert [plain(row) for row in values(to_pandas(df))] == [(big, day, time, (1, None), {"a": 2**53 + 1}), (None,) * 5]


def test_an_instant_in_the_repeated_hour_stays_apart(spark):
    df = spark.sql("select timestamp_micros(1635638400000001) a, timestamp_micros(1635642000000001) b")
    frame = to_pandas(df)
    assert [frame[c][0].timestamp() for c in ("a", "b")] == [1635638400.000001, 1635642000.000001]


def test_rows_beyond_the_limit_are_refused_and_the_limit_itself_is_not(spark):
    assert len(to_pandas(spark.range(3), limit=3)) == 3
    with pytest.raises(UsageError, match="more than 2 rows"):
        to_pandas(spark.range(3), limit=2)


def test_an_empty_frame_keeps_its_types(spark):
    frame = to_pandas(spark.createDataFrame([], "a bigint, b decimal(5,2)"))
    assert [str(kind) for kind in frame.dtypes] == ["int64[pyarrow]", "decimal128(5, 2)[pyarrow]"]


def test_the_order_of_the_frame_is_kept(spark):
    frame = to_pandas(spark.range(50).repartition(4).orderBy("id", ascending=False))
    assert frame["id"].tolist() == list(range(49, -1, -1))


def test_columns_of_one_name_are_refused(spark):
    with pytest.raises(UsageError, match="stands twice"):
        to_pandas(spark.range(1).toDF("a").selectExpr("a", "a"))
