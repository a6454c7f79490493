"""Functions over whole groups, in pandas or Arrow, held to a declared schema.

Spark's own `applyInPandas` turns 1.5 into 1 for an int column and a bigint with nulls into rounded floats without a
word; here both stop the task. pandas and pyarrow are imported in the workers; the functions need no sparkkit there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.schema.types import parse
from sparkkit.transforms.names import cols, need

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["grouped_arrow", "grouped_pandas"]


def grouped_pandas(
    df: DataFrame,
    *,
    function: Callable[[pd.DataFrame], pd.DataFrame],
    by: str | Sequence[str],
    schema: T.StructType | str,
) -> DataFrame:
    """`function` applied to each group as a pandas frame; its frames put together.

    Law: the function sees every row once, with all the rows of its group (null is a group); columns and types out
    are those declared, whatever it returns. A group must fit in a worker's memory.

    Args:
        df: the rows.
        function: frame to frame; it returns exactly the declared columns, in any order.
        by: the group's columns, which the function sees too.
        schema: what it returns, as a StructType or DDL.

    Raises:
        UsageError: unknown columns, or a schema that can't be read.
        Spark's PythonException, from the task: columns missing or too many, a value that does not fit its declared
            type without loss, or a bigint that pandas would round (it has nulls beside numbers beyond 2^53: use
            `grouped_arrow`).

    >>> df = spark.createDataFrame([("a", 1.0), ("a", 3.0)], "k string, v double")
    >>> middle = lambda frame: frame.groupby("k", as_index=False, dropna=False)["v"].mean()
    >>> df.transform(grouped_pandas, function=middle, by="k", schema="k string, v double").collect()
    [Row(k='a', v=2.0)]
    """
    groups = need(df, by, where="grouped.grouped_pandas by", some=True)
    need(df, df.columns, where="grouped.grouped_pandas")
    declared = _struct(schema, "grouped.grouped_pandas")
    return df.groupBy(*cols(groups)).applyInPandas(_pandas_checked(function, declared, _bigints(df)), declared)


def grouped_arrow(
    df: DataFrame, *, function: Callable[[pa.Table], pa.Table], by: str | Sequence[str], schema: T.StructType | str
) -> DataFrame:
    """`function` applied to each group as an Arrow table, every value exact; its tables put together.

    Law: as `grouped_pandas`, but nothing is rounded on the way: integers with nulls, decimals and timestamps stay
        what they are.

    Args:
        df: the rows.
        function: table to table; it returns exactly the declared columns, in any order.
        by: the group's columns, which the function sees too.
        schema: what it returns, as a StructType or DDL.

    Raises:
        UsageError: unknown columns, a schema that can't be read, or a Spark before 4.0, which has no such call.
        Spark's PythonException, from the task: columns missing or too many, or a value that does not fit its
            declared type.

    >>> df = spark.createDataFrame([("a", 2**53 + 1), ("a", None)], "k string, v bigint")
    >>> df.transform(grouped_arrow, function=lambda table: table.slice(0, 1), by="k", schema=df.schema).collect()
    [Row(k='a', v=9007199254740993)]
    """
    groups = need(df, by, where="grouped.grouped_arrow by", some=True)
    need(df, df.columns, where="grouped.grouped_arrow")
    declared = _struct(schema, "grouped.grouped_arrow")
    frames: Any = df.groupBy(*cols(groups))
    if not hasattr(frames, "applyInArrow"):
        raise UsageError(
            "grouped.grouped_arrow: this Spark has no applyInArrow", hint="use Spark 4.0 or later, or grouped_pandas"
        )
    result: DataFrame = frames.applyInArrow(_arrow_checked(function, declared), declared)
    return result


def _struct(schema: T.StructType | str, where: str) -> T.StructType:
    found = parse(f"struct<{schema}>") if isinstance(schema, str) and schema.strip() else schema
    if not isinstance(found, T.StructType) or not found.names:
        raise UsageError(f"{where}: the schema {schema!r} has no columns", hint="write it as 'name type, …'")
    return found


def _bigints(df: DataFrame) -> list[str]:
    return [field.name for field in df.schema.fields if isinstance(field.dataType, T.LongType)]


def _pandas_checked(function: Callable[[Any], Any], declared: T.StructType, bigints: list[str]) -> Callable[[Any], Any]:
    # a closure of plain values: it travels to workers that have no sparkkit
    names, kinds = list(declared.names), {f.name: f.dataType.simpleString() for f in declared.fields}

    def checked(frame: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        safe = {
            "tinyint": pa.int8(),
            "smallint": pa.int16(),
            "int": pa.int32(),
            "bigint": pa.int64(),
            "float": pa.float32(),
        }
        for name in bigints:
            values = frame[name]
            if values.dtype == np.float64 and (values.abs() >= 2**53).any():
                raise ValueError(f"grouped_pandas: pandas would round the bigint column {name!r}: use grouped_arrow")
        result = function(frame)
        if sorted(map(str, result.columns)) != sorted(names):
            raise ValueError(
                f"grouped_pandas: the function returned the columns {list(result.columns)}, declared are {names}"
            )
        for name, kind in kinds.items():
            if kind in safe:
                pa.Array.from_pandas(result[name], type=safe[kind], safe=kind != "float")
        return result[names]

    return checked


def _arrow_checked(function: Callable[[Any], Any], declared: T.StructType) -> Callable[[Any], Any]:
    names = list(declared.names)

    def checked(table: Any) -> Any:
        result = function(table)
        if sorted(result.column_names) != sorted(names):
            raise ValueError(
                f"grouped_arrow: the function returned the columns {result.column_names}, declared are {names}"
            )
        return result.select(names)

    return checked
