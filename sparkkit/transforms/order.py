"""The total order behind dedupe, top-n, rank and running: the same input gives the same rows, whatever its partitions.

An order is one column name or several; a leading `-` means descending. Missing values (null, NaN) come last in both
directions, so that NaN is never the greatest. `total` adds every other column as a tie-break: two rows that still
tie are equal in every column, and which of them is taken cannot be seen.
(The one exception: -0.0 and 0.0 are equal to Spark's sort.)
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.transforms.names import col, given, need, type_of

__all__ = ["places", "sorting", "total", "unsortable"]


def sorting(df: DataFrame, order: str | Sequence[str], *, where: str) -> list[Column]:
    """The order as sort expressions, missing values last.

    Raises:
        UsageError: a column is unknown.

    >>> df = spark.createDataFrame([(1.0,), (None,), (float("nan"),), (2.0,)], "x double")
    >>> [row.x for row in df.orderBy(*sorting(df, "-x", where="demo")).limit(2).collect()]
    [2.0, 1.0]
    """
    named = _split(df, order, where)
    return [given(df, n).desc_nulls_last() if down else given(df, n).asc_nulls_last() for n, down in named]


def places(df: DataFrame, order: str | Sequence[str], *, where: str) -> list[Column]:
    """The values that the order compares, NaN as null; each named after its column.

    Raises:
        UsageError: a column is unknown.

    >>> spark.range(1).select(*places(spark.range(1), "-id", where="demo")).columns
    ['id']
    """
    return [given(df, name).alias(name) for name, _ in _split(df, order, where)]


def total(df: DataFrame, order: str | Sequence[str], *, by: Sequence[str] = (), where: str) -> list[Column]:
    """The order, then every column of the frame as a tie-break (`by` left out: it is the same within a group).

    Raises:
        UsageError: a column is unknown.

    >>> len(total(spark.sql("select 1 a, 2 b, 3 c"), "a", by=["b"], where="demo"))
    3
    """
    rest = [name for name in df.columns if name not in by]
    return [*sorting(df, order, where=where), *(_comparable(df, name).asc_nulls_last() for name in rest)]


def _split(df: DataFrame, order: str | Sequence[str], where: str) -> list[tuple[str, bool]]:
    words = [order] if isinstance(order, str) else list(order)
    named = [(w[1:], True) if w.startswith("-") and w not in df.columns else (w, False) for w in words]
    need(df, [name for name, _ in named], where=where)
    return named


def _comparable(df: DataFrame, name: str) -> Column:
    # Spark sorts neither maps nor variants: their JSON text stands in
    return F.to_json(F.struct(col(name))) if unsortable(type_of(df, name)) else col(name)


def unsortable(kind: T.DataType) -> bool:
    """True where Spark has no equality for the type.

    >>> unsortable(T.MapType(T.StringType(), T.LongType())), unsortable(T.LongType())
    (True, False)
    """
    text = kind.simpleString()
    return "map<" in text or "variant" in text
