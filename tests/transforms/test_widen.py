from __future__ import annotations

from itertools import product

import pytest
from pyspark.sql import types as T

from sparkkit.transforms.widen import same, widest

WHOLE = [T.ByteType(), T.ShortType(), T.IntegerType(), T.LongType()]
OTHER = [
    T.FloatType(),
    T.DoubleType(),
    T.DecimalType(5, 2),
    T.DecimalType(38, 0),
    T.StringType(),
    T.DateType(),
    T.NullType(),
]


@pytest.mark.parametrize(("a", "b"), [*product(WHOLE + OTHER, repeat=2)])
def test_the_common_type_does_not_depend_on_the_order(a, b):
    ab, ba = widest([a, b]), widest([b, a])
    assert ab is ba is None or same(ab, ba)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (T.ByteType(), T.LongType(), "bigint"),
        (T.ShortType(), T.FloatType(), "float"),
        (T.IntegerType(), T.FloatType(), "double"),
        (T.LongType(), T.DoubleType(), None),
        (T.LongType(), T.DecimalType(38, 20), None),
        (T.DecimalType(10, 4), T.DecimalType(8, 0), "decimal(12,4)"),
        (T.DecimalType(5, 2), T.DoubleType(), None),
        (T.StringType(), T.LongType(), None),
        (T.DateType(), T.TimestampType(), None),
        (T.NullType(), T.DateType(), "date"),
    ],
)
def test_the_common_type_loses_nothing_or_there_is_none(a, b, expected):
    found = widest([a, b])
    assert (found and found.simpleString()) == expected
