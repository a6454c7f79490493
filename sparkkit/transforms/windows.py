"""Rows among the rows of their group: top-n, lag, change, running totals, rank.

Each is deterministic: an order that leaves ties is broken by every other column (`top_n`, `running`, `rank`), or
refused in the task where a tie would make the answer arbitrary (`lag`, `change`). `by=()` is one group, in one task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, cols, free, given, grouping, need, refuse
from sparkkit.transforms.order import places, sorting, total

__all__ = ["change", "lag", "rank", "running", "top_n"]

Names = str | Sequence[str]


def top_n(df: DataFrame, *, n: int, by: Names, order: Names) -> DataFrame:
    """The first `n` rows of each group.

    Law: exactly min(n, size) rows of each group, each a row of `df`; columns unchanged; the same rows whatever the
        partitions.

    Args:
        df: the rows.
        n: how many a group, at least 1.
        by: the group's columns; null is a group.
        order: best first; `-sales` is the greatest sales; null and NaN come last.

    Raises:
        UsageError: unknown columns, or `n` below 1.

    >>> df = spark.createDataFrame([("a", 1.0), ("a", 3.0), ("a", float("nan"))], "k string, v double")
    >>> df.transform(top_n, n=1, by="k", order="-v").collect()
    [Row(k='a', v=3.0)]
    """
    if n < 1:
        raise UsageError(f"windows.top_n: n is {n}", hint="give 1 or more")
    numbered = df.withColumn("_sparkkit_n", F.row_number().over(_total(df, by, order, "windows.top_n")))
    return numbered.where(F.col("_sparkkit_n") <= n).drop("_sparkkit_n")


def lag(df: DataFrame, *, column: str, by: Names, order: Names, into: str | None = None, n: int = 1) -> DataFrame:
    """The value of `column` `n` rows earlier in the group, in the new column `into` (default `<column>_lag`).

    Law: rows kept; columns kept, one added; null for the first `n` rows of a group.

    Raises:
        UsageError: unknown columns, `into` taken, or `n` below 1 (for later rows, turn the order round).
        Spark's USER_RAISED_EXCEPTION, in the task: two rows of a group share a place in the order.

    >>> df = spark.createDataFrame([(2020, 5), (2021, 7)], "year int, n int")
    >>> df.transform(lag, column="n", by=(), order="year").collect()
    [Row(year=2020, n=5, n_lag=None), Row(year=2021, n=7, n_lag=5)]
    """
    into = into or f"{column}_lag"
    need(df, column, where="windows.lag column")
    free(df, [into], where="windows.lag into")
    if n < 1:
        raise UsageError(f"windows.lag: n is {n}", hint="give 1 or more; for later rows, turn the order round")
    window, tied, error = _strict(df, by, order, "windows.lag")
    return df.withColumn(into, F.when(tied, error).otherwise(F.lag(col(column), n).over(window)))


def change(df: DataFrame, *, column: str, by: Names, period: str, prefix: str | None = None) -> DataFrame:
    """The change of `column` against the latest earlier period of the group in which it was given.

    Law: rows kept; columns kept, four added: `<prefix>_previous` (the value then), `<prefix>_since` (its period),
    `<prefix>_change` (the difference, in the column's arithmetic) and `<prefix>_growth` (double, the difference over
    the previous value; null where that is 0). A period without a value (null, NaN) is passed over, not compared with.

    Args:
        df: one row a group and period.
        column: a number.
        by: the group's columns.
        period: what orders the rows: a year, a date.
        prefix: default `column`.

    Raises:
        UsageError: unknown columns, or a new name taken.
        Spark's USER_RAISED_EXCEPTION, in the task: two rows of a group have the same period.

    >>> df = spark.createDataFrame([(2010, 50), (2015, None), (2020, 60)], "year int, n int")
    >>> df.transform(change, column="n", by=(), period="year").where("year = 2020").show()
    +----+---+----------+-------+--------+--------+
    |year|  n|n_previous|n_since|n_change|n_growth|
    +----+---+----------+-------+--------+--------+
    |2020| 60|        50|   2010|      10|     0.2|
    +----+---+----------+-------+--------+--------+
    <BLANKLINE>
    """
    need(df, column, where="windows.change column")
    need(df, period, where="windows.change period")
    names = [f"{prefix or column}_{what}" for what in ("previous", "since", "change", "growth")]
    free(df, names, where="windows.change")
    window, tied, error = _strict(df, by, period, "windows.change")
    now = given(df, column)
    seen = F.when(now.isNotNull(), F.struct(now.alias("value"), col(period).alias("since")))
    last = F.last(seen, ignorenulls=True).over(window.rowsBetween(Window.unboundedPreceding, -1))
    placed = df.withColumn("_sparkkit_last", F.when(tied, error).otherwise(last))
    before = F.col("_sparkkit_last.value")
    difference = now - before
    growth = F.when(before != 0, difference.cast("double") / before.cast("double"))
    added = (before, F.col("_sparkkit_last.since"), difference, growth)
    return placed.select(*cols(df.columns), *(value.alias(name) for value, name in zip(added, names, strict=True)))


def running(
    df: DataFrame,
    *,
    column: str,
    by: Names,
    order: Names,
    into: str | None = None,
    how: Literal["sum", "count", "min", "max", "mean"] = "sum",
) -> DataFrame:
    """`how` over the group's rows from its first to this one, in the new column `into` (default `<column>_<how>`).

    Law: rows kept; columns kept, one added; on the last row of a group it is the group's own figure. Null and NaN
    add nothing. Rows that tie in `order` are taken one after the other, by all their columns, not at once.

    Raises:
        UsageError: unknown columns, `into` taken, or an unknown `how`.

    >>> df = spark.createDataFrame([(1, 5), (2, 7)], "day int, n int")
    >>> [row.n_sum for row in df.transform(running, column="n", by=(), order="day").collect()]
    [5, 12]
    """
    into = into or f"{column}_{how}"
    need(df, column, where="windows.running column")
    free(df, [into], where="windows.running into")
    ways = {"sum": F.sum, "count": F.count, "min": F.min, "max": F.max, "mean": F.mean}
    if how not in ways:
        raise UsageError(f"windows.running: no such figure {how!r}", hint=f"known are {', '.join(ways)}")
    window = _total(df, by, order, "windows.running").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return df.withColumn(into, ways[how](given(df, column)).over(window))


def rank(
    df: DataFrame, *, by: Names, order: Names, into: str = "rank", ties: Literal["same", "dense", "broken"] = "same"
) -> DataFrame:
    """Each row's rank in its group, from 1, in the new column `into`.

    Law: rows kept; columns kept, one added (int). A row whose order is missing (null or NaN in any of its columns) has
    no rank and moves no other's; Spark would rank it, and NaN above every number.

    Args:
        df: the rows.
        by: the group's columns.
        order: best first; `-sales` ranks the greatest first.
        into: the new column.
        ties: `same` (1, 1, 3), `dense` (1, 1, 2) or `broken` (1, 2, 3, by all columns).

    Raises:
        UsageError: unknown columns, `into` taken, or unknown `ties`.

    >>> df = spark.createDataFrame([(5,), (None,), (7,)], "n int")
    >>> [(row.n, row.rank) for row in df.transform(rank, by=(), order="-n").orderBy("rank").collect()]
    [(None, None), (7, 1), (5, 2)]
    """
    free(df, [into], where="windows.rank into")
    ways = {"same": F.rank, "dense": F.dense_rank, "broken": F.row_number}
    if ties not in ways:
        raise UsageError(f"windows.rank: no such ties {ties!r}", hint=f"known are {', '.join(ways)}")
    groups = need(df, by, where="windows.rank by")
    missing = F.lit(False)
    for place in places(df, order, where="windows.rank order"):
        missing = missing | place.isNull()
    keys = total(df, order, by=groups, where="") if ties == "broken" else sorting(df, order, where="")
    window = Window.partitionBy(*grouping(groups)).orderBy(missing, *keys)
    return df.withColumn(into, F.when(~missing, ways[ties]().over(window)))


def _total(df: DataFrame, by: Names, order: Names, where: str) -> WindowSpec:
    groups = need(df, by, where=f"{where} by")
    return Window.partitionBy(*grouping(groups)).orderBy(*total(df, order, by=groups, where=f"{where} order"))


def _strict(df: DataFrame, by: Names, order: Names, where: str) -> tuple[WindowSpec, Column, Column]:
    """The window, whether a row ties with the one before it, and the error to raise then."""
    groups = need(df, by, where=f"{where} by")
    window = Window.partitionBy(*grouping(groups)).orderBy(*sorting(df, order, where=f"{where} order"))
    values = places(df, order, where=where)
    place = F.struct(*values)
    tied = F.lag(place, 1).over(window).eqNullSafe(place)
    return window, tied, refuse(f"{where}: two rows of a group have the same place", *cols(groups), *values)
