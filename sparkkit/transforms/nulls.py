"""Fills by rule. Missing means null or NaN here: both are filled, and neither enters a figure.

Law of all: rows, columns and types kept; a value that is given is never changed; what the rule has no value for
stays missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, given, grouping, need, type_of
from sparkkit.transforms.order import total, unsortable
from sparkkit.transforms.widen import fits, literal

__all__ = ["fill", "fill_by_group", "fill_forward"]


def fill(df: DataFrame, *, values: Mapping[str, Any]) -> DataFrame:
    """Missing values replaced by a constant for each column.

    Law: rows, columns and types kept; given values never changed; none of the columns is missing afterwards.
    `fillna` cuts 1.5 to 1 in an int column and passes over a text for a number; here both are refused.

    Raises:
        UsageError: an unknown column, or a value that is not one of its column's type.

    >>> df = spark.createDataFrame([(None, float("nan")), (1, 2.0)], "a int, b double")
    >>> df.transform(fill, values={"a": 0, "b": 0.5}).collect()
    [Row(a=0, b=0.5), Row(a=1, b=2.0)]
    """
    need(df, [*values], where="nulls.fill values", some=True)
    for name, value in values.items():
        kind = type_of(df, name)
        if not fits(value, kind):
            raise UsageError(
                f"nulls.fill: {value!r} is not a {kind.simpleString()}, the type of {name!r}",
                hint="give one, or cast first",
            )
    return _filled(df, df, {name: literal(value, type_of(df, name)) for name, value in values.items()})


def fill_forward(
    df: DataFrame, *, columns: str | Sequence[str], by: str | Sequence[str], order: str | Sequence[str]
) -> DataFrame:
    """Missing values replaced by the last given one before, in the group's order.

    Law: rows, columns and types kept; given values never changed; missing ones stay only before a group's first
    given one. Ties in the order are broken by all columns.

    Raises:
        UsageError: unknown columns, or a column that is filled and also groups.

    >>> df = spark.createDataFrame([(1, "a"), (2, None)], "day int, v string")
    >>> df.transform(fill_forward, columns="v", by=(), order="day").collect()
    [Row(day=1, v='a'), Row(day=2, v='a')]
    """
    names, groups = _columns(df, columns, by, "nulls.fill_forward")
    window = Window.partitionBy(*grouping(groups)).orderBy(
        *total(df, order, by=groups, where="nulls.fill_forward order")
    )
    before = window.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return _filled(df, df, {name: F.last(given(df, name), ignorenulls=True).over(before) for name in names})


def fill_by_group(
    df: DataFrame,
    *,
    columns: str | Sequence[str],
    by: str | Sequence[str],
    how: Literal["mean", "median", "mode", "min", "max"],
) -> DataFrame:
    """Missing values replaced by a figure of the given ones of their group.

    Law: rows, columns and types kept; given values never changed; missing ones stay only where a whole group is
    missing. `median` is exact (between the two middle values, halfway); `mode` is the most frequent value, the least
    of equals.

    Raises:
        UsageError: unknown columns, a column that is filled and also groups, an unknown `how`, or `mean`/`median` of
            anything but float or double (the figure would not fit: cast to double first).

    >>> df = spark.createDataFrame([("a", 1.0), ("a", 3.0), ("a", None)], "k string, v double")
    >>> sorted(row.v for row in df.transform(fill_by_group, columns="v", by="k", how="mean").collect())
    [1.0, 2.0, 3.0]
    """
    names, groups = _columns(df, columns, by, "nulls.fill_by_group")
    if how not in ("mean", "median", "mode", "min", "max"):
        raise UsageError(f"nulls.fill_by_group: no such figure {how!r}", hint="known are mean, median, mode, min, max")
    for name in names:
        kind = type_of(df, name)
        real = isinstance(kind, (T.FloatType, T.DoubleType))
        if unsortable(kind) or (how in ("mean", "median") and not real):
            raise UsageError(
                f"nulls.fill_by_group: the {how} of {name!r} is not a {kind.simpleString()}",
                hint="cast to double first, or take mode",
            )
    if how == "mode":
        return _fill_mode(df, names, groups)
    figure = {"mean": F.mean, "median": F.median, "min": F.min, "max": F.max}[how]
    window = Window.partitionBy(*grouping(groups))
    return _filled(df, df, {name: figure(given(df, name)).over(window) for name in names})


def _fill_mode(df: DataFrame, names: Sequence[str], groups: Sequence[str]) -> DataFrame:
    # Spark 3.5's mode() takes any of several equals
    times = {f"_sparkkit_t{i}": _times(given(df, name), groups) for i, name in enumerate(names)}

    def most(i: int, name: str) -> Column:
        window = Window.partitionBy(*grouping(groups)).orderBy(
            F.col(f"_sparkkit_t{i}").desc(), given(df, name).asc_nulls_last()
        )
        return F.first(given(df, name)).over(window)

    return _filled(df, df.withColumns(times), {name: most(i, name) for i, name in enumerate(names)})


def _times(value: Column, groups: Sequence[str]) -> Column:
    return F.count(value).over(Window.partitionBy(*grouping(groups), value))


def _columns(
    df: DataFrame, columns: str | Sequence[str], by: str | Sequence[str], where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names, groups = need(df, columns, where=f"{where} columns", some=True), need(df, by, where=f"{where} by")
    both = [name for name in names if name in groups]
    if both:
        raise UsageError(f"{where}: {both[0]!r} is to be filled and also groups", hint="leave it out of one")
    return names, groups


def _filled(df: DataFrame, source: DataFrame, values: Mapping[str, Column]) -> DataFrame:
    def value(name: str) -> Column:
        if name not in values:
            return col(name)
        return F.coalesce(given(df, name), values[name].cast(type_of(df, name)), col(name)).alias(name)

    return source.select(*(value(name) for name in df.columns))
