"""Long to wide and back, with nothing dropped on the way.

Spark's `pivot` leaves out values that were not listed and takes any of several rows for a cell; `unpivot` leaves out
columns that were not named. Both are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError, nearest
from sparkkit.transforms.names import col, cols, free, need, refuse, type_of
from sparkkit.transforms.widen import fits, literal, widest

__all__ = ["to_long", "to_wide"]

OUTSIDE = "_outside"
"""bigint: with `outside="report"`, how many rows of the key had a name that was not declared."""


def to_wide(
    df: DataFrame,
    *,
    keys: str | Sequence[str],
    names: str,
    value: str,
    declared: Sequence[Any] | Mapping[Any, str],
    outside: Literal["refuse", "report"] = "refuse",
) -> DataFrame:
    """One row a key, with a column for each declared value of the column `names`, holding `value`.

    Law: exactly one row for each key; columns are the keys, then the declared ones, in that order whatever the data
    holds; each cell is the value of the one row with that key and name, null where there is none.

    Args:
        df: at most one row for each key and name; other columns are left out.
        keys: what a wide row stands for; null is a key.
        names: the column whose values become columns.
        value: the column whose values fill them.
        declared: the values to expect, or a mapping of value to column name (default the value's text).
        outside: rows with another name (null too): `refuse`, or `report` them as a count in the column `_outside`.

    Raises:
        UsageError: unknown columns, a declared value that is not of the column's type, or a name taken.
        Spark's USER_RAISED_EXCEPTION, in the task: two rows for a cell, or a name that was not declared.

    >>> df = spark.createDataFrame([("a", 2010, 5), ("a", 2020, 6)], "k string, year int, n int")
    >>> df.transform(to_wide, keys="k", names="year", value="n", declared=[2010, 2020, 2021]).collect()
    [Row(k='a', 2010=5, 2020=6, 2021=None)]
    """
    where = "reshape.to_wide"
    by = need(df, keys, where=f"{where} keys", some=True)
    need(df, [names, value], where=where)
    wanted = dict(declared) if isinstance(declared, Mapping) else {v: str(v) for v in declared}
    _declared(df, names, wanted, where)
    if outside not in ("refuse", "report"):
        raise UsageError(f"{where}: no such answer {outside!r} to names outside", hint="give 'refuse' or 'report'")
    free(df.select(*cols(by)), [*wanted.values(), *([OUTSIDE] if outside == "report" else [])], where=where)
    known = [col(names).eqNullSafe(literal(v, type_of(df, names))) for v in wanted]
    cells = [_cell(i, is_it, value) for i, is_it in enumerate(known)]
    strange = F.when(~_any(known), col(names).cast("string"))
    counts = [F.count(F.when(~_any(known), 1)).alias("_sparkkit_out"), F.min(strange).alias("_sparkkit_name")]
    grouped = df.groupBy(*cols(by)).agg(*(part for cell in cells for part in cell), *counts)
    checked = [_checked(i, by, outside).alias(name) for i, name in enumerate(wanted.values())]
    report = [F.col("_sparkkit_out").alias(OUTSIDE)] if outside == "report" else []
    return grouped.select(*cols(by), *checked, *report)


def _declared(df: DataFrame, names: str, wanted: Mapping[Any, str], where: str) -> None:
    kind = type_of(df, names)
    if not wanted:
        raise UsageError(f"{where}: no declared values", hint=f"list the values of {names!r} to expect")
    for v in wanted:
        if not fits(v, kind):
            raise UsageError(
                f"{where}: {v!r} is not a {kind.simpleString()}, the type of {names!r}", hint="declare it as one"
            )


def _any(conditions: Sequence[Column]) -> Column:
    found = F.lit(False)
    for condition in conditions:
        found = found | condition
    return found


def _cell(i: int, is_it: Column, value: str) -> tuple[Column, Column]:
    # in a struct, so that a null value is told from no row
    held = F.first(F.when(is_it, F.struct(col(value).alias("v"))), ignorenulls=True)
    return held.alias(f"_sparkkit_c{i}"), F.count(F.when(is_it, 1)).alias(f"_sparkkit_n{i}")


def _checked(i: int, by: Sequence[str], outside: str) -> Column:
    twice = refuse("reshape.to_wide: two rows for one cell", *cols(by))
    strange = refuse("reshape.to_wide: a name that was not declared", *cols(by), F.col("_sparkkit_name").alias("name"))
    value = F.when(F.col(f"_sparkkit_n{i}") > 1, twice).otherwise(F.col(f"_sparkkit_c{i}.v"))
    return value if outside == "report" else F.when(F.col("_sparkkit_out") > 0, strange).otherwise(value)


def to_long(
    df: DataFrame, *, keys: str | Sequence[str], columns: Sequence[str], names: str = "name", value: str = "value"
) -> DataFrame:
    """One row for each row and each of `columns`: its name in `names` (string), its value in `value`.

    Law: rows out = rows in times columns, nulls too; columns are the keys, `names`, `value`; `to_wide` turns it
    back. The values' type is the narrowest that holds them all without loss.

    Raises:
        UsageError: unknown columns, a column that is neither a key nor listed (`select` it away first), types with
            no common lossless one, or a name taken.

    >>> df = spark.createDataFrame([("a", 5, None)], "k string, `2010` int, `2020` bigint")
    >>> df.transform(to_long, keys="k", columns=["2010", "2020"], names="year", value="n").collect()
    [Row(k='a', year='2010', n=5), Row(k='a', year='2020', n=None)]
    """
    where = "reshape.to_long"
    by, wide = need(df, keys, where=f"{where} keys"), need(df, columns, where=f"{where} columns", some=True)
    need(df, [*by, *wide], where=where)
    left = [name for name in df.columns if name not in (*by, *wide)]
    if left:
        near = nearest(left[0], [*by, *wide])
        raise UsageError(
            f"{where}: {left[0]!r} is neither a key nor listed",
            hint=f"add or drop it{f' (near: {near!r})' if near else ''}",
        )
    kind = widest(type_of(df, name) for name in wide)
    if kind is None or isinstance(kind, T.NullType):
        types = ", ".join(f"{name!r} {type_of(df, name).simpleString()}" for name in wide)
        raise UsageError(f"{where}: no type holds all values without loss ({types})", hint="cast them first")
    free(df.select(*cols(by)), [names, value], where=where)
    pairs = [F.struct(F.lit(name).alias("name"), col(name).cast(kind).alias("value")) for name in wide]
    rows = df.select(*cols(by), F.explode(F.array(*pairs)).alias("_sparkkit_pair"))
    return rows.select(*cols(by), F.col("_sparkkit_pair.name").alias(names), F.col("_sparkkit_pair.value").alias(value))
