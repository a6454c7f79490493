"""Functions over whole groups, in pandas or Arrow, held to a declared schema.

By itself `applyInPandas` hands a bigint with nulls over as rounded floats, and on Spark 3.5 writes 1.5 into an int
column as 1 and 2^40 as 0, without a word; here each stops the task. pandas and pyarrow are imported in the workers, which need
no sparkkit for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
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
        UsageError: unknown columns, or a schema that can't be read.
        Spark's PythonException, from the task: columns missing or too many, or a value that does not fit its
            declared type.

    >>> df = spark.createDataFrame([("a", 2**53 + 1), ("a", None)], "k string, v bigint")
    >>> df.transform(grouped_arrow, function=lambda table: table.slice(0, 1), by="k", schema=df.schema).collect()
    [Row(k='a', v=9007199254740993)]
    """
    groups = need(df, by, where="grouped.grouped_arrow by", some=True)
    need(df, df.columns, where="grouped.grouped_arrow")
    declared = _struct(schema, "grouped.grouped_arrow")
    checked = _arrow_checked(function, declared)
    frames: Any = df.groupBy(*cols(groups))
    if not hasattr(frames, "applyInArrow"):
        return _in_batches(df, groups, checked, declared)
    result: DataFrame = frames.applyInArrow(checked, declared)
    return result


def _in_batches(
    df: DataFrame, groups: Sequence[str], function: Callable[[Any], Any], declared: T.StructType
) -> DataFrame:
    """`applyInArrow` for Spark 3.5: a window puts each group's rows together and marks the first."""
    from pyspark.sql.pandas.types import to_arrow_schema

    window = Window.partitionBy(*cols(groups)).orderBy(F.lit(0))
    marked = df.withColumn("_sparkkit_first", F.row_number().over(window) == 1)
    return marked.mapInArrow(_cut(function, to_arrow_schema(declared)), declared)


def _cut(function: Callable[[Any], Any], kinds: Any) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def cut(batches: Iterator[Any]) -> Iterator[Any]:
        from itertools import pairwise

        import pyarrow as pa

        held: list[Any] = []
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            starts = [i for i, first in enumerate(rows["_sparkkit_first"].to_pylist()) if first]
            rows = rows.drop(["_sparkkit_first"])
            for i, (begin, end) in enumerate(pairwise([0, *starts, rows.num_rows])):
                if i and held:  # all but the piece before the first mark begin a group
                    yield from function(pa.concat_tables(held)).cast(kinds).to_batches()
                    held = []
                held += [rows.slice(begin, end - begin)] if end > begin else []
        if held:
            yield from function(pa.concat_tables(held)).cast(kinds).to_batches()

    return cut


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
