"""Joins that can neither multiply rows nor lose the rows with a null key.

`lookup` is guarded by its plan: the table is first grouped by its key, so a row can never meet two; a key that
stands twice in the table then fails the task that reads its value, by `raise_error`. Nothing is counted or collected
beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, free, need, refuse, type_of
from sparkkit.transforms.widen import INTEGRAL, same

__all__ = ["On", "anti", "lookup", "semi", "unmatched"]

On = str | Sequence[str] | Mapping[str, str]
"""Key columns of the same name on both sides, or a mapping of ours to theirs."""


def lookup(
    df: DataFrame, table: DataFrame, *, on: On, columns: Sequence[str] | None = None, flag: str | None = None
) -> DataFrame:
    """`df` with columns of `table` added, found by key.

    Law: exactly one row out for each row in, with the columns of `df`, then `columns`, then `flag`.
    A row without a match, or with a null in its key, gets nulls; `unmatched` gives those rows.

    Args:
        df: the rows to keep.
        table: at most one row a key; rows with a null in the key are never found.
        on: the key, as names or as a mapping of columns of `df` to columns of `table`; types must agree.
        columns: what to take; default every column of `table` outside the key.
        flag: name of a boolean column, true where a row was found (a value found may itself be null).

    Raises:
        UsageError: unknown columns, a name taken already, key types that differ.
        Spark's USER_RAISED_EXCEPTION, in the task: a key stands twice in `table`, and one of the added columns is used.

    >>> sales = spark.createDataFrame([("a", 1), ("b", 2)], "code string, n int")
    >>> names = spark.createDataFrame([("a", "Anna")], "code string, name string")
    >>> sales.transform(lookup, names, on="code", flag="known").orderBy("n").show()
    +----+---+----+-----+
    |code|  n|name|known|
    +----+---+----+-----+
    |   a|  1|Anna| true|
    |   b|  2|NULL|false|
    +----+---+----+-----+
    <BLANKLINE>
    """
    ours, theirs = _keys(df, table, on, "joins.lookup")
    asked = [name for name in table.columns if name not in theirs] if columns is None else columns
    wanted = need(table, asked, where="joins.lookup columns")
    free(df, [*wanted, *([flag] if flag else [])], where="joins.lookup")
    joined = df.join(_one_a_key(table, theirs, wanted), _condition(ours, null_safe=False), "left")
    added: list[Column] = [F.col(f"_sparkkit_row.v{i}").alias(name) for i, name in enumerate(wanted)]
    if flag:
        added.append(F.col("_sparkkit_row").isNotNull().alias(flag))
    return joined.select(*(col(name) for name in df.columns), *added)


def unmatched(df: DataFrame, table: DataFrame, *, on: On) -> DataFrame:
    """The rows of `df` for which `lookup` finds nothing: no such key in `table`, or a null in their own.

    Law: with the rows where `lookup`'s flag is true they make up `df`, each row once; columns unchanged.

    Raises:
        UsageError: unknown columns, key types that differ.

    >>> sales = spark.createDataFrame([("a", 1), (None, 2)], "code string, n int")
    >>> sales.transform(unmatched, spark.createDataFrame([("a",), (None,)], "code string"), on="code").collect()
    [Row(code=None, n=2)]
    """
    ours, theirs = _keys(df, table, on, "joins.unmatched")
    return df.join(_key_frame(table, theirs), _condition(ours, null_safe=False), "left_anti")


def semi(df: DataFrame, other: DataFrame, *, on: On) -> DataFrame:
    """The rows of `df` whose key is in `other`; a null equals a null.

    Law: never more rows, however often a key stands in `other`; columns unchanged; with `anti` they make up `df`.

    Raises:
        UsageError: unknown columns, key types that differ.

    >>> df = spark.createDataFrame([("a",), (None,), ("b",)], "code string")
    >>> df.transform(semi, spark.createDataFrame([(None,), (None,)], "code string"), on="code").collect()
    [Row(code=None)]
    """
    ours, theirs = _keys(df, other, on, "joins.semi")
    return df.join(_key_frame(other, theirs), _condition(ours, null_safe=True), "left_semi")


def anti(df: DataFrame, other: DataFrame, *, on: On) -> DataFrame:
    """The rows of `df` whose key is not in `other`; a null equals a null (SQL's `not in` loses every row here).

    Law: never more rows; columns unchanged; with `semi` they make up `df`, each row once.

    Raises:
        UsageError: unknown columns, key types that differ.

    >>> df = spark.createDataFrame([("a",), (None,), ("b",)], "code string")
    >>> df.transform(anti, spark.createDataFrame([("b",), (None,)], "code string"), on="code").collect()
    [Row(code='a')]
    """
    ours, theirs = _keys(df, other, on, "joins.anti")
    return df.join(_key_frame(other, theirs), _condition(ours, null_safe=True), "left_anti")


def _keys(df: DataFrame, table: DataFrame, on: On, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pairs = dict(on) if isinstance(on, Mapping) else {name: name for name in ([on] if isinstance(on, str) else on)}
    ours = need(df, [*pairs], where=f"{where} on", some=True)
    theirs = need(table, [*pairs.values()], where=f"{where} on (table)")
    for mine, its in pairs.items():
        a, b = type_of(df, mine), type_of(table, its)
        # Spark would cast one side: '1' meets 1, and 'x' stops the job
        if not (same(a, b) or (type(a) in INTEGRAL and type(b) in INTEGRAL)):
            types = f"{a.simpleString()} here and {b.simpleString()} in the table"
            raise UsageError(f"{where}: key {mine!r} is {types}", hint="cast one first")
    return ours, theirs


def _condition(ours: Sequence[str], *, null_safe: bool) -> Column:
    condition = F.lit(True)
    for i, name in enumerate(ours):
        theirs = F.col(f"_sparkkit_k{i}")
        condition = condition & (col(name).eqNullSafe(theirs) if null_safe else col(name) == theirs)
    return condition


def _key_frame(table: DataFrame, keys: Sequence[str]) -> DataFrame:
    return table.select(*_key_columns(keys))


def _key_columns(keys: Sequence[str]) -> list[Column]:
    return [col(name).alias(f"_sparkkit_k{i}") for i, name in enumerate(keys)]


def _one_a_key(table: DataFrame, keys: Sequence[str], wanted: Sequence[str]) -> DataFrame:
    row = F.struct(F.lit(True).alias("found"), *(col(name).alias(f"v{i}") for i, name in enumerate(wanted)))
    aliases = [f"_sparkkit_k{i}" for i in range(len(keys))]
    known = table.select(*_key_columns(keys), row.alias("_sparkkit_row"))
    grouped = (
        known.where(" and ".join(f"{a} is not null" for a in aliases))
        .groupBy(*aliases)
        .agg(F.first("_sparkkit_row").alias("_sparkkit_row"), F.count(F.lit(1)).alias("_sparkkit_n"))
    )
    named = [F.col(a).alias(name) for name, a in zip(keys, aliases, strict=True)]
    twice = refuse("joins.lookup: a key stands more than once in the lookup table", *named)
    checked = F.when(F.col("_sparkkit_n") > 1, twice).otherwise(F.col("_sparkkit_row"))
    return grouped.select(*aliases, checked.alias("_sparkkit_row"))
