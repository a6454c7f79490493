"""Rows put together: union by name, by a declared policy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError, nearest
from sparkkit.transforms.names import col, need, type_of
from sparkkit.transforms.widen import widest

__all__ = ["union"]


def union(df: DataFrame, *others: DataFrame, missing: Literal["refuse", "null", "intersect"] = "refuse") -> DataFrame:
    """All rows of all frames, matched by column name (`union` matches by position, `unionByName` casts with loss).

    Law: rows out = the sum of rows in, duplicates too; columns in the order of first sight; each value unchanged, in
    the narrowest type that holds its column in every frame without loss.

    Args:
        df: the first frame.
        others: any number of frames.
        missing: a column that some frame lacks: `refuse`, fill with `null`, or keep only the `intersect`ion.

    Raises:
        UsageError: a column is missing under `refuse`, is spelled in two cases or twice in a frame, no column is
            left, or types have no lossless common type (bigint and double, string and int).

    >>> a, b = spark.sql("select 1 id, 'x' name"), spark.sql("select bigint(2) id")
    >>> a.transform(union, b, missing="null").orderBy("id").collect()
    [Row(id=1, name='x'), Row(id=2, name=None)]
    """
    frames = (df, *others)
    if missing not in ("refuse", "null", "intersect"):
        raise UsageError(f"rows.union: no such policy {missing!r}", hint="give 'refuse', 'null' or 'intersect'")
    for i, frame in enumerate(frames):
        need(frame, frame.columns, where=f"rows.union (frame {i + 1})")
    names = _names(frames, missing)
    kinds = {name: _kind(frames, name) for name in names}
    return reduce(lambda a, b: a.unionAll(b), (_fitted(frame, kinds) for frame in frames))


def _names(frames: Sequence[DataFrame], missing: str) -> list[str]:
    every = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    spelled: dict[str, str] = {}
    for name in every:
        if spelled.setdefault(name.lower(), name) != name:
            raise UsageError(
                f"rows.union: {spelled[name.lower()]!r} and {name!r} differ only in case", hint="rename one"
            )
    common = [name for name in every if all(name in frame.columns for frame in frames)]
    if missing == "refuse" and len(common) < len(every):
        lost = next(name for name in every if name not in common)
        number, frame = next((i + 1, f) for i, f in enumerate(frames) if lost not in f.columns)
        near = nearest(lost, frame.columns)
        hint = f"did it mean {near!r}?" if near else "give missing='null' or 'intersect', or add it"
        raise UsageError(f"rows.union: frame {number} has no column {lost!r}", reason="unknown_column", hint=hint)
    if not (names := common if missing == "intersect" else every):
        raise UsageError("rows.union: the frames have no column in common", hint="rename columns first")
    return names


def _kind(frames: Sequence[DataFrame], name: str) -> T.DataType:
    kinds = [type_of(frame, name) for frame in frames if name in frame.columns]
    found = widest(kinds)
    if found is None:
        types = " and ".join(dict.fromkeys(kind.simpleString() for kind in kinds))
        raise UsageError(f"rows.union: no type holds {name!r} without loss ({types})", hint="cast it in one frame")
    return found


def _fitted(df: DataFrame, kinds: dict[str, T.DataType]) -> DataFrame:
    return df.select(*((col(n) if n in df.columns else F.lit(None)).cast(kind).alias(n) for n, kind in kinds.items()))
