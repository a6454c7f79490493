from __future__ import annotations

import pytest
from chispa import assert_df_equality
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms.rows import union
from tests.transforms.strategies import DDL, NAMES, bag, batches, few


@few
@given(first=batches(), second=batches())
def test_union_keeps_every_row_by_name(spark, first, second):
    a, b = spark.createDataFrame(first, DDL), spark.createDataFrame(second, DDL).select(*reversed(NAMES))
    result = a.transform(union, b)
    assert result.columns == list(NAMES)
    assert bag(result.collect()) == bag([*first, *second])


@pytest.mark.parametrize(
    ("missing", "expected", "ddl"),
    [
        ("null", [(1, "x", None), (2, None, 2.5)], "id bigint, a string, b double"),
        ("intersect", [(1,), (2,)], "id bigint"),
    ],
)
def test_a_missing_column_is_answered_as_declared(spark, missing, expected, ddl):
    a = spark.createDataFrame([(1, "x")], "id int, a string")
    b = spark.createDataFrame([(2, 2.5)], "id bigint, b double")
    assert_df_equality(
        a.transform(union, b, missing=missing), spark.createDataFrame(expected, ddl), ignore_row_order=True
    )


def test_three_frames_widen_to_a_type_that_holds_them_all(spark):
    frames = [spark.sql(f"select cast(1 as {kind}) v") for kind in ("tinyint", "decimal(4,2)", "int")]
    assert frames[0].transform(union, *frames[1:]).schema.simpleString() == "struct<v:decimal(12,2)>"


@pytest.mark.parametrize(
    ("other", "missing", "message"),
    [
        ("ida bigint", "refuse", "frame 2 has no column 'id'.* 'ida'"),
        ("id double", "refuse", "no type holds 'id' without loss .bigint and double"),
        ("id string", "null", "no type holds 'id' without loss"),
        ("ID bigint", "null", "'id' and 'ID' differ only in case"),
        ("a int", "intersect", "no column in common"),
        ("id bigint", "fill", "no such policy 'fill'"),
    ],
)
def test_what_cannot_be_put_together_is_refused(spark, other, missing, message):
    with pytest.raises(UsageError, match=message):
        spark.createDataFrame([], "id bigint").transform(union, spark.createDataFrame([], other), missing=missing)
