"""What changed between two frames, key by key."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, cols, need, refuse, type_of
from sparkkit.transforms.order import unsortable
from sparkkit.transforms.widen import same

__all__ = ["diff"]


def diff(
    before: DataFrame, after: DataFrame, *, keys: str | Sequence[str], ignore: str | Sequence[str] = ()
) -> DataFrame:
    """The keys that were added, removed or changed, with what they were and are.

    Law: at most one row a key, none for a key whose rows are equal (null equals null, NaN equals NaN); columns are
    the keys, `change` (`added`, `removed` or `changed`), `changed` (array of the names of columns that differ, in
    `before`'s order, empty for added and removed), `before` and `after` (struct of the row without ignored columns;
    null where there is none). `after.*` of what is not removed is what to upsert. One shuffle, no join.

    Args:
        before: at most one row a key.
        after: the same columns, in any order, with the same types.
        keys: what names a row; null is a key.
        ignore: columns that are not compared nor shown.

    Raises:
        UsageError: unknown columns, columns or types that differ, or a map or variant to compare (Spark can't).
        Spark's USER_RAISED_EXCEPTION, in the task: a key stands twice on one side.

    >>> old = spark.createDataFrame([(1, "a"), (2, "b")], "id int, name string")
    >>> new = spark.createDataFrame([(1, "A"), (3, "c")], "id int, name string")
    >>> [(row.id, row.change, row.changed) for row in diff(old, new, keys="id").orderBy("id").collect()]
    [(1, 'changed', ['name']), (2, 'removed', []), (3, 'added', [])]
    """
    by = need(before, keys, where="diff keys", some=True)
    skipped = need(before, ignore, where="diff ignore")
    shown = [name for name in before.columns if name not in skipped or name in by]
    _comparable(before, after, shown, skipped)
    clash = [name for name in by if name.lower() in ("change", "changed", "before", "after")]
    if clash:
        raise UsageError(f"diff: the key {clash[0]!r} has the name of a column of the result", hint="rename it")
    sides = _side(before, by, shown, "before").unionAll(_side(after, by, shown, "after"))
    keyed = [f"_sparkkit_k{i}" for i in range(len(by))]
    grouped = sides.groupBy(*keyed).agg(*_held("before"), *_held("after"))
    values = [name for name in shown if name not in by]
    judged = grouped.withColumn("changed", _changed(values)).withColumn("change", _change(keyed, by))
    named = [F.col(k).alias(name) for k, name in zip(keyed, by, strict=True)]
    return judged.where("change != 'same'").select(*named, "change", "changed", "before", "after")


def _comparable(before: DataFrame, after: DataFrame, shown: Sequence[str], skipped: Sequence[str]) -> None:
    need(after, shown, where="diff (after)")
    more = [name for name in after.columns if name not in (*shown, *skipped)]
    if more:
        raise UsageError(
            f"diff: column {more[0]!r} is only in the later frame", hint="drop it, or add it to the earlier one"
        )
    for name in shown:
        old, new = type_of(before, name), type_of(after, name)
        if not same(old, new):
            raise UsageError(
                f"diff: {name!r} was {old.simpleString()} and is {new.simpleString()}", hint="cast one, or ignore it"
            )
        if unsortable(old):
            raise UsageError(f"diff: {name!r} is a {old.simpleString()}, which can't be compared", hint="ignore it")


def _side(df: DataFrame, by: Sequence[str], shown: Sequence[str], side: str) -> DataFrame:
    keys = [col(name).alias(f"_sparkkit_k{i}") for i, name in enumerate(by)]
    return df.select(*keys, F.struct(*cols(shown)).alias("_sparkkit_row"), F.lit(side).alias("_sparkkit_side"))


def _held(side: str) -> tuple[Column, Column]:
    here = F.col("_sparkkit_side") == side
    row = F.first(F.when(here, F.col("_sparkkit_row")), ignorenulls=True)
    return row.alias(side), F.count(F.when(here, 1)).alias(f"_sparkkit_{side}")


def _changed(values: Sequence[str]) -> Column:
    def differs(name: str) -> Column:
        old, new = F.col("before").getField(name), F.col("after").getField(name)
        return F.when(~old.eqNullSafe(new), F.lit(name))

    both = F.col("before").isNotNull() & F.col("after").isNotNull()
    none = F.array().cast("array<string>")
    return F.when(both, F.array_compact(F.array(*map(differs, values)).cast("array<string>"))).otherwise(none)


def _change(keyed: Sequence[str], by: Sequence[str]) -> Column:
    named = [F.col(k).alias(name) for k, name in zip(keyed, by, strict=True)]
    twice = refuse("diff: a key stands more than once on one side", *named)
    return (
        F.when((F.col("_sparkkit_before") > 1) | (F.col("_sparkkit_after") > 1), twice)
        .when(F.col("before").isNull(), F.lit("added"))
        .when(F.col("after").isNull(), F.lit("removed"))
        .when(F.size("changed") > 0, F.lit("changed"))
        .otherwise(F.lit("same"))
    )
