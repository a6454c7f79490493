"""Bringing a batch into a Delta table by keys: `merge` (upsert) and `cdc` (changes in their own order).

What becomes of each row of the batch is decided by one join with the table, staged as Parquet, and counted from there. Then
only the files that hold a row to be changed are written anew. A row that stays as it is touches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, ContractError
from sparkkit.formats.delta_kept import Kept
from sparkkit.formats.delta_schema import Fit
from sparkkit.formats.deltalog import Stored, Transaction
from sparkkit.formats.writing import JSON_OPTIONS
from sparkkit.schema.types import quote

ACTION, FILE, OLD, DELETED, PLACE = (f"_sparkkit_{n}" for n in ("action", "file", "old", "deleted", "place"))
PUT = ("inserted", "updated")
OUT = ("updated", "deleted")


@dataclass
class Change:
    """What a batch does to a table. `put` are the rows that go in, `out` names those that go, by `identity`; both bear
    `ACTION`. `gone` is the number of rows out, `came` of rows in, `figures` the account of the batch. `keep` is what `kept` is to
    keep of it."""

    put: DataFrame
    out: DataFrame
    identity: Sequence[str]
    touched: Sequence[str]
    came: int
    gone: int
    figures: dict[str, int]
    numbers: dict[str, int] = field(default_factory=dict)
    kept: Kept | None = None
    keep: DataFrame | None = None


@dataclass(frozen=True)
class Batch:
    """The rows to be brought in, in the table's columns, and where the change may be staged; `DELETED` marks deletes. `staged` says
    that the change is there already, since these rows were judged beside this version of the table before."""

    txn: Transaction
    frame: DataFrame
    conf: OutputConf
    fit: Fit
    scratch: str
    staged: bool = False

    @property
    def columns(self) -> list[str]:
        """The table's columns after the commit."""
        return self.fit.schema.names

    def table(self) -> DataFrame | None:
        """The table's rows with the files they are in; None where there is no table yet."""
        if self.txn.version < 0:
            return None
        return self.txn.read().select("*", F.col("_metadata.file_path").alias(FILE))

    def stage(self, frame: DataFrame, name: str) -> DataFrame:
        """Writes a frame to the scratch folder, and gives it as it is there."""
        at = f"{self.scratch}/{name}"
        if not self.staged:
            frame.write.parquet(at)
        return self.txn.spark.read.schema(frame.schema).parquet(at)


def merge(batch: Batch) -> Change:
    """Upsert: a key that the table lacks is inserted, one whose row differs is updated.

    Raises:
        ContractError: a key is null or stands twice (`duplicate_keys`), in the batch or in the table; with a count and a
            sample.
    """
    keys = batch.conf.keys
    frame = batch.frame.withColumn(PLACE, F.count(F.lit(1)).over(Window.partitionBy(*_cols(keys))))
    joined = _beside(batch, frame)
    old = F.col(FILE).isNotNull()
    action = (
        F.when(_any_null(keys), "null").when(F.col(PLACE) > 1, "twice").when(~old, "inserted")
        .when(_same(batch, keys), "unchanged").otherwise("updated")
    )
    return _changed(batch, joined.withColumn(ACTION, action), keys)


def cdc(batch: Batch) -> Change:
    """Changes by their sequence: the newest of each key counts, and only if it is newer than what was applied before,
    also where that was a delete.

    Raises:
        ContractError: a key or sequence is null, or two changes of one key have the same sequence and say different things
            (`sequence_tie`); with a count and a sample.
    """
    keys, at = batch.conf.keys, str(batch.conf.sequence_by)
    kept = Kept(batch.txn, keys)
    order = Window.partitionBy(*_cols(keys)).orderBy(F.col(quote(at)).desc_nulls_first())
    said = F.struct(*[_plain(F.col(quote(c)), batch.fit.schema[c].dataType) for c in batch.columns], F.col(DELETED))
    newest = F.first(said).over(order)
    differs = ~F.when(F.col(DELETED) & newest.getField(DELETED), True).otherwise(said.eqNullSafe(newest))
    ranked = batch.frame.select("*", F.rank().over(order).alias("_sparkkit_rank"), F.row_number().over(order).alias(PLACE),
                                differs.alias("_sparkkit_differs"))
    joined, deleted = _buried(batch, kept, _beside(batch, ranked), keys, at)
    old = F.col(FILE).isNotNull()
    applied, mine = F.when(old, F.col(OLD).getField(at)).otherwise(deleted), F.col(quote(at))
    same = F.when(old, ~F.col(DELETED) & _same(batch, keys)).otherwise(F.col(DELETED))
    action = (
        F.when(_any_null((*keys, at)), "null").when((F.col("_sparkkit_rank") == 1) & F.col("_sparkkit_differs"), "tie")
        .when((F.col(PLACE) > 1) | (mine < applied), "superseded")
        .when(mine == applied, F.when(same, "unchanged").otherwise("tie"))
        .when(F.col(DELETED), F.when(old, "deleted").otherwise("absent"))
        .when(old, "updated").otherwise("inserted")
    )
    change = _changed(batch, joined.withColumn(ACTION, action), (*keys, at), keys)
    buried = change.figures.pop("absent", 0)
    change.figures["unchanged"] += buried
    if buried or change.figures["deleted"]:
        gone = batch.txn.spark.read.parquet(f"{batch.scratch}/changes").where(F.col(ACTION).isin("deleted", "absent"))
        change.kept = kept
        change.keep = gone.select(*_cols(keys), F.col(quote(at)).alias("_sparkkit_at"), F.lit(True).alias(DELETED))
    return change


def _buried(batch: Batch, kept: Kept, joined: DataFrame, keys: Sequence[str], at: str) -> tuple[DataFrame, Column]:
    """The changes beside the sequence at which their key was deleted."""
    before = kept.since(batch.frame, at)
    if before is None:
        return joined, F.lit(None).cast(batch.fit.schema[at].dataType)
    named = [F.col(quote(k)).alias(f"_sparkkit_b{i}") for i, k in enumerate(keys)]
    last = before.groupBy(*named).agg(F.max("_sparkkit_at").alias("_sparkkit_buried"))
    same = [F.col(quote(k)) == F.col(f"_sparkkit_b{i}") for i, k in enumerate(keys)]
    return joined.join(last, reduce(lambda a, b: a & b, same), "left"), F.col("_sparkkit_buried")


def _cols(names: Sequence[str]) -> list[Column]:
    return [F.col(quote(n)) for n in names]


def _any_null(names: Sequence[str]) -> Column:
    return reduce(lambda a, b: a | b, [F.col(quote(n)).isNull() for n in names])


def _beside(batch: Batch, frame: DataFrame) -> DataFrame:
    """The batch's rows, each with the table's row of its key (`OLD`) and the file of that (null where there is none)."""
    table, keys = batch.table(), batch.conf.keys
    if table is None:
        return frame.select("*", F.lit(None).cast(batch.fit.table).alias(OLD), F.lit(None).cast("string").alias(FILE))
    named = [F.col(quote(k)).alias(f"_sparkkit_k{i}") for i, k in enumerate(keys)]
    held = table.select(*named, F.struct(*_cols(batch.fit.table.names)).alias(OLD), F.col(FILE))
    same = [F.col(quote(k)) == F.col(f"_sparkkit_k{i}") for i, k in enumerate(keys)]
    return frame.join(held, reduce(lambda a, b: a & b, same), "left")


def _same(batch: Batch, keys: Sequence[str]) -> Column:
    """Whether the batch's row is the table's, null equal to null; columns that the table lacks were null in it."""
    held = set(batch.fit.table.names)
    rest = [f for f in batch.fit.schema.fields if f.name not in keys]
    pairs = [
        _plain(F.col(quote(f.name)), f.dataType).eqNullSafe(_plain(F.col(OLD).getField(f.name), f.dataType))
        if f.name in held else F.col(quote(f.name)).isNull()
        for f in rest
    ]
    return reduce(lambda a, b: a & b, pairs, F.lit(True))


def _plain(column: Column, kind: DataType) -> Column:
    """A value that can be compared: Spark compares no maps, so those are compared as their JSON."""
    return F.to_json(F.struct(column.alias("v")), dict(JSON_OPTIONS)) if mapped(kind) else column


def mapped(kind: DataType) -> bool:
    """Whether a type has a map (or a variant) in it."""
    if isinstance(kind, StructType):
        return any(mapped(f.dataType) for f in kind.fields)
    if isinstance(kind, ArrayType):
        return mapped(kind.elementType)
    return isinstance(kind, MapType) or kind.typeName() == "variant"


def _changed(batch: Batch, judged: DataFrame, shown: Sequence[str], keys: Sequence[str] | None = None) -> Change:
    """Stages the judged rows and counts them; `shown` are kept for each row, all columns for those that go in."""
    by = keys or shown
    put = F.col(ACTION).isin(*PUT)
    columns = [
        F.col(quote(f.name)) if f.name in shown else F.when(put, F.col(quote(f.name))).alias(f.name) for f in batch.fit.schema.fields
    ]
    met = F.when(~F.col(ACTION).isin("superseded", "inserted"), F.col(FILE)).alias(FILE)
    staged = batch.stage(judged.select(*columns, ACTION, met), "changes")
    counts: dict[str, int] = {r[ACTION]: r["count"] for r in staged.groupBy(ACTION).count().toLocalIterator()}
    _refuse(batch, staged, counts, shown)
    _refuse_table(batch, staged, by)
    figures = {k: counts.get(k, 0) for k in ("inserted", "updated", "deleted", "unchanged", "superseded", "absent")}
    out = staged.where(F.col(ACTION).isin(*OUT))
    touched = [r[FILE] for r in out.select(FILE).distinct().toLocalIterator()] if figures["updated"] + figures["deleted"] else []
    put_rows = staged.where(F.col(ACTION).isin(*PUT)).select(*_cols(batch.columns), ACTION)
    return Change(put_rows, out.select(*_cols(by), ACTION), by, touched, figures["inserted"] + figures["updated"],
                  figures["updated"] + figures["deleted"], figures)


WRONG: Mapping[str, tuple[str, str, str]] = {
    "null": ("have no key or no place in the order (null)", "null_keys", "mend the job, or let the contract quarantine them"),
    "twice": ("have a key that stands more than once in the batch", "duplicate_keys", "reduce them in the job, or use mode cdc"),
    "tie": ("say different things of one key at the same place in the order", "sequence_tie", "make the order unique"),
}


def _refuse(batch: Batch, staged: DataFrame, counts: Mapping[str, int], shown: Sequence[str]) -> None:
    for what, (words, reason, hint) in WRONG.items():
        if counts.get(what):
            some = staged.where(F.col(ACTION) == what).select(*_cols(shown)).distinct().limit(3).toLocalIterator()
            raise ContractError(f"{counts[what]} rows for {batch.txn.path} {words}, such as {sample(some)}", reason=reason, hint=hint)


def _refuse_table(batch: Batch, staged: DataFrame, keys: Sequence[str]) -> None:
    """A key that the table holds twice has met its row of the batch twice."""
    if batch.txn.version < 0:
        return
    twice = staged.where(F.col(FILE).isNotNull()).groupBy(*_cols(keys)).count().where("count > 1").limit(3)
    found = list(twice.select(*_cols(keys)).toLocalIterator())
    if found:
        raise ContractError(f"the table {batch.txn.path} holds keys more than once, such as {sample(found)}", reason="duplicate_keys",
                            hint="overwrite it without them first")


def sample(rows: Any) -> str:
    """A few rows for a message, short."""
    return "; ".join(", ".join(f"{k}={str(v)[:40]}" for k, v in row.asDict().items()) for row in rows)


def prepare(batch: Batch, change: Change, options: Mapping[str, str]) -> tuple[list[Stored], list[Stored]]:
    """Writes what a change puts in, and anew what stays of the files it touches; the files to add and to remove. `copied`
    comes to the change's figures."""
    txn, columns = batch.txn, _cols(batch.columns)
    remove = txn.files_at(change.touched)
    before = txn.count(remove)
    change.figures["copied"] = before - change.gone
    if not change.came + before:
        return [], []
    feed = txn.property("delta.enableChangeDataFeed") == "true"
    rows = change.put.select(*columns)
    parts = [rows]
    if remove:
        old = _with(txn.rows_of(remove), batch.fit)
        parts.append(old.join(change.out.select(*_cols(change.identity)), list(change.identity), "left_anti").select(*columns))
    if feed:
        parts = [p.withColumn("_change_type", F.lit(None).cast("string")) for p in parts] + _fed(batch, change, remove)
    return txn.write(reduce(lambda a, b: a.unionByName(b), parts), options), remove


def verify(txn: Transaction, change: Change, add: Sequence[Stored]) -> None:
    """Counts what was written for a change.

    Raises:
        AccountingError: the files hold another number of rows than the change says. Nobody has seen them.
    """
    wrote, expected = txn.count([f for f in add if "_change_data/" not in f.path]), change.came + change.figures["copied"]
    if wrote != expected or change.figures["copied"] < 0:
        raise AccountingError(f"{expected} rows were to go to {txn.path} ({change.came} new or changed), but {wrote} were written",
                              hint="nothing was published")


def _with(old: DataFrame, fit: Fit) -> DataFrame:
    return old.select("*", *[F.lit(None).cast(f.dataType).alias(f.name) for f in fit.added])


def _fed(batch: Batch, change: Change, remove: Sequence[Stored]) -> list[DataFrame]:
    """The rows of the table's change feed, as Delta's own MERGE writes them."""
    columns = _cols(batch.columns)
    into = F.when(F.col(ACTION) == "inserted", "insert").otherwise("update_postimage").alias("_change_type")
    parts = [change.put.select(*columns, into)]
    if remove:
        away = F.when(F.col(ACTION) == "deleted", "delete").otherwise("update_preimage").alias("_change_type")
        old = _with(batch.txn.rows_of(remove), batch.fit)
        gone = change.out.select(*_cols(change.identity), ACTION)
        parts.append(old.join(gone, list(change.identity)).select(*columns, away))
    return parts
