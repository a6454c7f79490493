"""Two frames as multisets of rows: how many rows only one of them has, in which columns they differ, and a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit import compat
from sparkkit.formats.writing import JSON_OPTIONS
from sparkkit.schema.types import quote

TIMES = "_sparkkit_times"


@dataclass(frozen=True)
class Unlike:
    """`gone` rows are only in the first frame, `more` only in the second; `columns` are those that differ, as far as can be told; of the
    `samples` a number above 0 is a row of the first."""

    gone: int
    more: int
    columns: tuple[str, ...]
    samples: tuple[tuple[int, dict[str, Any]], ...] = ()


def compare(first: DataFrame, second: DataFrame, *, keys: Sequence[str] = (), show: int = 3) -> Unlike | None:
    """What is unlike; None where both hold the same rows, each as often. One shuffle of both; the rows that differ are cached.

    >>> some, other = spark.sql("select 1 a, 'x' b"), spark.sql("select 1 a, 'y' b")
    >>> compare(some, other).columns, compare(some, some)
    (('b',), None)
    """
    names = [c for c in first.columns if c in second.columns]
    lost = [c for c in (*first.columns, *second.columns) if c not in names]
    both = _side(first, names, 1).unionAll(_side(second, names, -1))
    found = both.groupBy(*_at(names)).agg(F.sum(TIMES).alias(TIMES)).where(f"{TIMES} != 0").persist()
    try:
        return _told(found, names, lost, keys, show)
    finally:
        found.unpersist()


def _told(found: DataFrame, names: Sequence[str], lost: Sequence[str], keys: Sequence[str], show: int) -> Unlike | None:
    sides = (("gone", 1), ("more", -1))
    sums = found.agg(*[F.sum(F.when(F.col(TIMES) * sign > 0, F.abs(TIMES))).alias(name) for name, sign in sides]).first()
    gone, more = (int(sums[name] or 0) for name in ("gone", "more")) if sums else (0, 0)
    if not (gone or more or lost):
        return None
    columns = lost or (_columns(found, names, keys) if gone and more else [])
    few = [compat.zoneless(found.where(F.col(TIMES) * sign > 0).select(TIMES, *_at(names)).limit(show)) for _, sign in sides]
    samples = [(row[TIMES], dict(zip(names, row[1:], strict=True))) for rows in few for row in rows.toLocalIterator()]
    return Unlike(gone, more, tuple(columns), tuple(samples))


def _at(names: Sequence[str]) -> list[str]:
    """Columns by their place, whatever their names are."""
    return [f"c{i}" for i in range(len(names))]


def _side(frame: DataFrame, names: Sequence[str], times: int) -> DataFrame:
    values = [comparable(F.col(quote(n)), frame.schema[n].dataType).alias(f"c{i}") for i, n in enumerate(names)]
    return frame.select(*values, F.lit(times).cast("bigint").alias(TIMES))


def comparable(value: Column, dtype: t.DataType) -> Column:
    """A value that Spark can group by: maps, and what holds them, as JSON in the order of their keys."""
    if isinstance(dtype, t.MapType):
        return F.to_json(F.array_sort(F.map_entries(value)), dict(JSON_OPTIONS))
    return F.to_json(value, dict(JSON_OPTIONS)) if any(word in dtype.simpleString() for word in ("map<", "variant")) else value


def _columns(found: DataFrame, names: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Where keys tell which rows belong together, the columns in which they differ. Else those whose values differ taken by themselves;
    else those without which the rows would be the same."""
    places = dict(zip(names, _at(names), strict=True))
    if keys and set(keys) <= set(names):
        by = [places[k] for k in keys]
        first, second = found.where(f"{TIMES} > 0"), found.where(f"{TIMES} < 0")
        marks = [F.max((~F.col(f"a.{c}").eqNullSafe(F.col(f"b.{c}"))).cast("int")).alias(c) for c in places.values() if c not in by]
        on = [F.col(f"a.{c}").eqNullSafe(F.col(f"b.{c}")) for c in by]
        told = first.alias("a").join(second.alias("b"), on).agg(*marks).first() if marks else None
        differ = [n for n in names if n not in keys and told and told[places[n]]]
        if differ:
            return differ
    alone = [n for n, c in places.items() if _unlike(found, [c])]
    return alone or [n for n in names if not _unlike(found, [c for o, c in places.items() if o != n])]


def _unlike(found: DataFrame, columns: Sequence[str]) -> bool:
    return bool(found.groupBy(*columns).agg(F.sum(TIMES).alias(TIMES)).where(f"{TIMES} != 0").limit(1).count())
