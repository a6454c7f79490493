"""What a run would change in one output: the rows that would go, beside those that would come; nothing is written to know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit import formats
from sparkkit.conf import KEYED
from sparkkit.repair.multiset import comparable, compare
from sparkkit.schema.types import quote
from sparkkit.staging import Target
from sparkkit.storage.records import Record
from sparkkit.transforms.diff import diff

ORDERED = ("cdc", "scd2")
"""Modes that fit changes into the history of their keys: a row that comes may change none that is there, and none goes."""

TYPED = ("parquet", "orc", "avro", "delta", "table", "jdbc")
"""Formats whose files have types, so that what they hold can be compared with what would be written."""

MOST = 20
"""How many partitions are named."""


def there(spark: SparkSession, target: Target) -> DataFrame | None:
    """What an output holds; None where it holds nothing that can be read."""
    conf = target.conf
    try:
        found = formats.view(spark, conf.format, target.path, conf.options)
        return found if found.columns else None
    except Exception:  # nothing is there, or it has no file yet
        return None


def columns(old: StructType, new: StructType) -> list[str]:
    """The columns that would come, go, or be of another type.

    >>> from pyspark.sql.types import StructType
    >>> columns(StructType(), StructType().add("a", "integer"))
    ["'a' int is new"]
    """
    was, now = ({f.name: f.dataType.simpleString() for f in schema.fields} for schema in (old, new))
    found = [f"{n!r} {kind} is new" for n, kind in now.items() if n not in was]
    found += [f"{n!r} {kind} is not among them" for n, kind in was.items() if n not in now]
    return found + [f"{n!r} was {was[n]} and is {kind}" for n, kind in now.items() if n in was and was[n] != kind]


def partitions(rows: DataFrame, by: Sequence[str]) -> dict[str, Any] | None:
    """How many partitions the rows are in, and the first of them."""
    if not by or not set(by) <= set(rows.columns):
        return None
    found = rows.select(*[F.col(quote(c)).cast("string").alias(c) for c in by]).distinct()
    first = ["/".join(f"{c}={row[c]}" for c in by) for row in found.orderBy(*[quote(c) for c in by]).limit(MOST).toLocalIterator()]
    return {"count": len(first) if len(first) < MOST else found.count(), "first": first}


def replaced(held: DataFrame, target: Target, rows: DataFrame, last: Record | None, by: Sequence[str]) -> DataFrame | None:
    """The rows that would go; None where nobody can tell them from others."""
    mode = target.conf.mode
    if mode in (*KEYED, "overwrite", "error"):
        return held
    mine = _of_slice(held, target, last)
    if mode == "append" or mine is None or not by:
        return mine
    touched = rows.select(*[quote(c) for c in by]).distinct()
    same = [F.col(f"o.{quote(c)}").eqNullSafe(F.col(f"n.{quote(c)}")) for c in by]
    marked = held.withColumn("_mine", _is_mine(target, last))
    met = marked.alias("o").join(touched.alias("n").withColumn("_met", F.lit(True)), same, "left")
    return met.where("_met or _mine").select(*[F.col(f"o.{quote(c)}").alias(c) for c in held.columns])


def _of_slice(held: DataFrame, target: Target, last: Record | None) -> DataFrame | None:
    """The rows that the last generation of a slice has brought."""
    return None if target.conf.format in ("table", "jdbc") else held.where(_is_mine(target, last))


def _is_mine(target: Target, last: Record | None) -> Any:
    if last is None:
        return F.lit(False)
    if target.conf.format != "delta":
        names = [file.rpartition("/")[2] for file in last.fields["files"]]
    else:
        from sparkkit.formats.deltalog import Transaction

        spark = SparkSession.getActiveSession()
        assert spark is not None
        names = [file.path.rpartition("/")[2] for file in Transaction(spark, target.path).files(last.name)]
    return F.substring_index(F.input_file_name(), "/", -1).isin(*names) if names else F.lit(False)


def rows(before: DataFrame, after: DataFrame, keys: Sequence[str], mode: str, show: int) -> dict[str, Any] | None:
    """The rows added, changed and removed, by key where there is one, with samples; else those that only one of both has. None where
    rows are brought in by keys, and a key stands more than once."""
    shared = [f.name for f in after.schema.fields if f.name in before.columns
              and before.schema[f.name].dataType.simpleString() == f.dataType.simpleString()]
    kinds = {n: after.schema[n].dataType for n in shared}
    old, new = (frame.select(*[comparable(F.col(quote(n)), kind).alias(n) for n, kind in kinds.items()]) for frame in (before, after))
    if keys and set(keys) <= set(shared):
        try:
            return _by_key(old, new, keys, mode, show)
        except Exception as error:
            if "stands more than once" not in str(error):
                raise
    if mode in KEYED:
        return None
    found = compare(old, new, show=show)
    told = {"by": None, "added": found.more if found else 0, "removed": found.gone if found else 0, "changed": None}
    samples = [{"change": "removed" if n > 0 else "added", "row": row} for n, row in found.samples] if found else []
    return {**told, "samples": samples}


def _by_key(old: DataFrame, new: DataFrame, keys: Sequence[str], mode: str, show: int) -> dict[str, Any]:
    found = diff(old, new, keys=list(keys)).persist()
    try:
        counts = {row["change"]: row["n"] for row in found.groupBy("change").agg(F.count(F.lit(1)).alias("n")).toLocalIterator()}
        if mode in KEYED:
            counts.pop("removed", None)
        samples: list[Mapping[str, Any]] = []
        for change in ("added", "changed", "removed"):
            few = found.where(F.col("change") == change).orderBy(*[quote(k) for k in keys]).limit(show if counts.get(change) else 0)
            samples += [_sample(row.asDict(recursive=True), keys) for row in few.toLocalIterator()]
    finally:
        found.unpersist()
    return {"by": list(keys), **{change: counts.get(change, 0) for change in ("added", "changed", "removed")}, "samples": samples}


def _sample(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    changed = row["changed"]
    told = {"change": row["change"], "key": {k: row[k] for k in keys}}
    if changed:
        return {**told, "was": {c: row["before"][c] for c in changed}, "is": {c: row["after"][c] for c in changed}}
    return {**told, "row": row["after"] or row["before"]}
