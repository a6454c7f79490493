"""Column names as arguments: looked for before a plan is built, and quoted so that dots and blanks do no harm.

Only `df.columns` and `df.schema` are asked for: analysis, never a job, on classic and on Spark Connect.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError, nearest

__all__ = ["col", "cols", "free", "given", "grouping", "need", "refuse", "row_text", "type_of"]


def need(df: DataFrame, names: str | Sequence[str], *, where: str, some: bool = False) -> tuple[str, ...]:
    """The names as a tuple, each a column of `df` exactly once.

    Args:
        df: the frame that must have them.
        names: one name or several; a name given twice is refused.
        where: the function and argument, for the message.
        some: refuse an empty list.

    Raises:
        UsageError: a name is unknown (the nearest is named), given twice, or stands twice in the frame.

    >>> need(spark.range(1), "id", where="demo")
    ('id',)
    """
    asked = (names,) if isinstance(names, str) else tuple(names)
    have = df.columns
    if some and not asked:
        raise UsageError(f"{where}: no column given", reason="no_column", hint=f"the frame has {', '.join(have)}")
    for name in asked:
        if name not in have:
            near = nearest(name, have)
            hint = f"did you mean {near!r}?" if near else f"it has {', '.join(have) or 'no columns'}"
            raise UsageError(f"{where}: the frame has no column {name!r}", reason="unknown_column", hint=hint)
        if have.count(name) > 1 or asked.count(name) > 1:
            raise UsageError(f"{where}: column {name!r} stands twice", reason="duplicate_column", hint="rename one")
    return asked


def free(df: DataFrame, names: Sequence[str], *, where: str) -> None:
    """Refuses new column names that `df` has already or that are given twice (upper and lower case are one).

    Raises:
        UsageError: a name is taken.

    >>> free(spark.range(1), ["n"], where="demo")
    """
    taken = {name.lower() for name in df.columns}
    for name in names:
        if name.lower() in taken:
            raise UsageError(
                f"{where}: there is a column {name!r} already", reason="column_taken", hint="rename or drop it"
            )
        taken.add(name.lower())


def refuse(message: str, *values: Column) -> Column:
    """An expression that fails its task with `message`, then the values as JSON.

    It is lazy: it costs nothing, and fails nothing, until a row reaches it. The error is Spark's own
    `USER_RAISED_EXCEPTION`.

    >>> spark.range(1).select(refuse("no row may come here")).columns
    ['refused']
    """
    if not values:
        return F.raise_error(F.lit(message)).alias("refused")
    return F.raise_error(F.concat(F.lit(f"{message}: "), row_text(*values))).alias("refused")


def row_text(*values: Column) -> Column:
    """The values as one JSON text; never null.

    >>> spark.sql("select 1 a, null b").select(row_text(col("a"), col("b")).alias("x")).first().x
    '{"a":1}'
    """
    return F.to_json(F.struct(*values))


def col(name: str) -> Column:
    """The column of that name, dots, blanks and backticks taken as they stand.

    >>> spark.range(1).toDF("a.b").select(col("a.b")).columns
    ['a.b']
    """
    return F.col("`" + name.replace("`", "``") + "`")


def cols(names: Sequence[str]) -> list[Column]:
    """The columns of those names.

    >>> spark.range(1).select(*cols(["id"])).columns
    ['id']
    """
    return [col(name) for name in names]


def grouping(names: Sequence[str]) -> list[Column]:
    """The columns of those names for a window; a constant for none, which is one group and no warning about it.

    >>> spark.range(1).select(*grouping([])).first()[0]
    0
    """
    return cols(names) or [F.lit(0)]


def type_of(df: DataFrame, name: str) -> T.DataType:
    """The type of the column of exactly that name.

    >>> type_of(spark.range(1), "id").simpleString()
    'bigint'
    """
    return next(field.dataType for field in df.schema.fields if field.name == name)


def given(df: DataFrame, name: str) -> Column:
    """The column's value, with NaN as null: what counts as given in orders, fills and sums.

    >>> df = spark.sql("select double('NaN') x")
    >>> df.select(given(df, "x").alias("x")).first().x is None
    True
    """
    if isinstance(type_of(df, name), (T.FloatType, T.DoubleType)):
        return F.when(~F.isnan(col(name)), col(name))
    return col(name)
