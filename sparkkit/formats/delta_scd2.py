"""History by keys (slowly changing dimension, type 2) in a Delta table: each row of a batch says what held from a time on.

The history of a key is a function of all that was ever said of it, in whatever order it came: the rows by their time, without
those that say what held already; a version ends where the next begins, or where a delete was said. What said nothing new is
kept beside the table (`delta_kept`), since a late row may part it from the version that it repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DoubleType, FloatType

from sparkkit.errors import ContractError
from sparkkit.formats.delta_kept import Kept
from sparkkit.formats.delta_merge import ACTION, DELETED, FILE, WRONG, Batch, Change, sample
from sparkkit.formats.writing import JSON_OPTIONS
from sparkkit.schema.types import quote

AT, FROM, DIGEST, UNTIL, ROW, REST, PLACE = (f"_sparkkit_{n}" for n in ("at", "from", "digest", "until", "row", "rest", "place"))
TABLE, GAP, KEPT, BATCH = range(4)
"""Where an event is known from: a version in the table, the end of one that no other follows, what was kept, the batch."""

FIGURES = ("inserted", "deleted", "unchanged", "superseded", "closed", "removed", "restored")


def scd2(batch: Batch) -> Change:
    """Fits a batch into the history: the rows that go into the table, and those that go.

    Raises:
        ContractError: a key or time is null, or two rows of one key and time differ (`sequence_tie`); with a count and a
            sample.
    """
    shape = Shape(batch)
    kept = Kept(batch.txn, shape.keys)
    _refuse_null(batch, shape)
    known = _known(batch, shape, kept)
    events = shape.batch() if known is None else known.unionByName(shape.batch(), allowMissingColumns=True)
    staged = batch.stage(_outcome(shape, _ordered(shape, events)), "changes")
    counts = {r[ACTION]: r["count"] for r in staged.groupBy(ACTION).count().toLocalIterator()}
    _refuse(batch, shape, staged, counts)
    figures = {k: counts.get(k, 0) for k in FIGURES} | {"updated": 0}
    figures["unchanged"] += counts.get("repeated", 0)
    removed, restored = figures.pop("removed"), figures.pop("restored")
    away = F.when(F.col(ACTION) == "closed", "updated").otherwise("deleted").alias(ACTION)
    into = F.when(F.col(ACTION) == "closed", "updated").otherwise("inserted").alias(ACTION)
    out = staged.where(F.col(ACTION).isin("closed", "removed")).select(*shape.named, F.col(AT).alias(shape.at), FILE, away)
    put = staged.where(F.col(ACTION).isin("closed", "inserted", "restored")).select(f"{ROW}.*", into)
    gone = figures["closed"] + removed
    touched = [r[FILE] for r in out.select(FILE).distinct().toLocalIterator()] if gone else []
    came = figures["closed"] + figures["inserted"] + restored
    change = Change(put, out.drop(FILE), (*shape.keys, shape.at), touched, came, gone, figures)
    if counts.get("repeated") or removed or counts.get("idle"):
        rest = [REST] if shape.rest else []
        keep = staged.where(F.col(ACTION).isin("repeated", "removed", "idle")).select(*shape.named, AT, DELETED, DIGEST, *rest)
        change.kept, change.keep = kept, keep
    return change


class Shape:
    """The columns of a history, and its batch as events."""

    def __init__(self, batch: Batch) -> None:
        conf, self._batch = batch.conf, batch
        self.keys, self.at = list(conf.keys), str(conf.valid_from)
        self.to, self.current = conf.valid_to or "valid_to", conf.is_current or "is_current"
        own = {*self.keys, self.at, self.to, self.current}
        self.tracked = [c for c in batch.columns if c not in own and (not conf.track or c in conf.track)]
        self.rest = [c for c in batch.columns if c not in own and c not in self.tracked]

    @property
    def named(self) -> list[Column]:
        """The columns of the key."""
        return [F.col(quote(k)) for k in self.keys]

    def events(self, frame: DataFrame, source: int, deleted: Column, at: str | None = None) -> DataFrame:
        """Rows of the table's columns as events: key, time, what it says (as a digest), the row and where it came from."""
        row = F.struct(*[F.col(quote(c)) for c in self._batch.columns])
        more = [F.col(FILE), F.col(quote(self.to)).alias(UNTIL)] if source == TABLE else []
        rest = [F.struct(*[F.col(quote(c)) for c in self.rest]).alias(REST)] if self.rest else []
        digest = self._digest() if at is None else F.lit(None).cast("string")
        return frame.select(*self.named, F.col(quote(at or self.at)).alias(AT), F.lit(source).alias(FROM), deleted.alias(DELETED),
                            digest.alias(DIGEST), row.alias(ROW), *rest, *more)

    def _digest(self) -> Column:
        types = {f.name: f.dataType for f in self._batch.fit.schema.fields}
        told = F.to_json(F.struct(*[_exact(c, types[c]) for c in self.tracked]), dict(JSON_OPTIONS, ignoreNullFields="true"))
        return F.sha2(told if self.tracked else F.lit(""), 256)

    def batch(self) -> DataFrame:
        """The batch as events."""
        return self.events(self._batch.frame, BATCH, F.col(DELETED))


def _exact(name: str, kind: DataType) -> Column:
    column = F.col(quote(name))
    return (column + F.lit(0.0)).cast(kind).alias(name) if isinstance(kind, FloatType | DoubleType) else column  # -0.0 is 0.0


def _known(batch: Batch, shape: Shape, kept: Kept) -> DataFrame | None:
    """What was known of the batch's keys before: versions, deletes that ended one, and what was kept and still holds."""
    table = batch.table()
    if table is None:
        return None
    mine = batch.frame.select(*shape.named).distinct()
    missing = [F.lit(None).cast(f.dataType).alias(f.name) for f in batch.fit.added]
    held = table.select("*", *missing).join(mine, shape.keys, "left_semi")
    ends = shape.events(held.where(F.col(quote(shape.to)).isNotNull()), GAP, F.lit(True), shape.to)
    found = shape.events(held, TABLE, F.lit(False)).unionByName(ends, allowMissingColumns=True)
    more = kept.since(batch.frame, shape.at)
    if more is None:
        return found
    more = more.join(mine, shape.keys, "left_semi").withColumn(FROM, F.lit(KEPT))
    return _holding(shape, batch, found.unionByName(more, allowMissingColumns=True))


def _holding(shape: Shape, batch: Batch, found: DataFrame) -> DataFrame:
    """Without what was kept and no longer holds: the table was restored, or changed by another hand. Of what holds the row
    is that of the version in force, with the columns of its own that are not tracked."""
    order = Window.partitionBy(*shape.named).orderBy(AT, FROM).rowsBetween(Window.unboundedPreceding, 0)
    version = F.struct(F.col(DIGEST).alias("digest"), F.col(UNTIL).alias("until"), F.col(ROW).alias("row"))
    beside = found.withColumn("_sparkkit_v", F.last(F.when(F.col(FROM) == TABLE, version), ignorenulls=True).over(order))
    v = F.col("_sparkkit_v")
    in_force = v.isNotNull() & F.coalesce(F.col(AT) < v["until"], F.lit(True))
    holds = F.when(F.col(DELETED), ~in_force).otherwise(in_force & (v["digest"] == F.col(DIGEST)))
    columns = {c: v["row"][c] for c in batch.columns} | {shape.at: F.col(AT)} | {c: F.col(REST)[c] for c in shape.rest}
    row = F.struct(*[column.alias(c) for c, column in columns.items()])
    return (
        beside.where((F.col(FROM) != KEPT) | holds)
        .withColumn(ROW, F.when((F.col(FROM) == KEPT) & ~F.col(DELETED), row).otherwise(F.col(ROW))).drop("_sparkkit_v")
    )


def _ordered(shape: Shape, events: DataFrame) -> DataFrame:
    """Events beside the first of their key and time, and those beside the event before: whether they change anything, and
    when the next does."""
    for name, kind in ((FILE, "string"), (UNTIL, events.schema[AT].dataType)):
        if name not in events.columns:
            events = events.withColumn(name, F.lit(None).cast(kind))
    instant = Window.partitionBy(*shape.named, AT).orderBy(FROM)
    said = F.struct(DELETED, F.when(~F.col(DELETED), F.col(DIGEST)).alias("digest"))
    placed = events.select("*", F.row_number().over(instant).alias(PLACE), said.alias("_sparkkit_said"),
                           F.first(F.struct(FROM, said.alias("said"))).over(instant).alias("_sparkkit_first"))
    first = F.col(PLACE) == 1
    order = Window.partitionBy(*shape.named, first).orderBy(AT)
    before = F.lag("_sparkkit_said").over(order)
    seen = placed.withColumn("_sparkkit_before", before)
    was = F.col("_sparkkit_before")
    none = was.isNull() | was[DELETED]
    changes = first & F.when(F.col(DELETED), ~none).otherwise(none | (was["digest"] != F.col(DIGEST)))
    acting = seen.withColumn("_sparkkit_acts", changes)
    later = Window.partitionBy(*shape.named, first).orderBy(F.col(AT).desc()).rowsBetween(Window.unboundedPreceding, -1)
    return acting.withColumn("_sparkkit_next", F.last(F.when(F.col("_sparkkit_acts"), F.col(AT)), ignorenulls=True).over(later))


def _outcome(shape: Shape, events: DataFrame) -> DataFrame:
    """What becomes of each event, and of those that go into the table the row with its new end."""
    acts, deleted, first = F.col("_sparkkit_acts"), F.col(DELETED), F.col(PLACE) == 1
    source, ahead = F.col(FROM), F.col("_sparkkit_first")
    again = (
        F.when(source == TABLE, "held twice").when(source != BATCH, "none")
        .when(~ahead["said"].eqNullSafe(F.col("_sparkkit_said")), "tie")
        .when(ahead[FROM] == BATCH, "superseded").otherwise("unchanged")
    )
    action = (
        F.when(~first, again)
        .when(source == BATCH, F.when(~acts, "repeated").when(deleted, "deleted").otherwise("inserted"))
        .when((source == TABLE) & ~acts, "removed")
        .when(source == TABLE, F.when(F.col("_sparkkit_next").eqNullSafe(F.col(UNTIL)), "none").otherwise("closed"))
        .when(source == GAP, F.when(acts, "none").otherwise("idle"))
        .otherwise(F.when(acts & ~deleted, "restored").otherwise("none"))
    )
    row = F.col(ROW).withField(quote(shape.to), F.col("_sparkkit_next")).withField(quote(shape.current), F.col("_sparkkit_next").isNull())
    judged = events.withColumn(ACTION, action).where(F.col(ACTION) != "none")
    into = F.when(F.col(ACTION).isin("closed", "inserted", "restored"), row).alias(ROW)
    rest = [REST] if shape.rest else []
    return judged.select(*shape.named, AT, DELETED, DIGEST, *rest, into, FILE, ACTION)


def _refuse_null(batch: Batch, shape: Shape) -> None:
    bad = reduce(lambda a, b: a | b, [F.col(quote(c)).isNull() for c in (*shape.keys, shape.at)])
    wrong = batch.frame.where(bad).select(*shape.named, quote(shape.at))
    found = list(wrong.limit(3).toLocalIterator())
    if found:
        words, reason, hint = WRONG["null"]
        raise ContractError(f"{wrong.count()} rows for {batch.txn.path} {words}, such as {sample(found)}", reason=reason, hint=hint)


def _refuse(batch: Batch, shape: Shape, staged: DataFrame, counts: Mapping[str, int]) -> None:
    def some(action: str) -> str:
        rows = staged.where(F.col(ACTION) == action).select(*shape.named, F.col(AT).alias(shape.at)).distinct().limit(3)
        return sample(rows.toLocalIterator())

    if counts.get("tie"):
        words, reason, hint = WRONG["tie"]
        raise ContractError(f"{counts['tie']} rows for {batch.txn.path} {words}, such as {some('tie')}", reason=reason, hint=hint)
    if counts.get("held twice"):
        raise ContractError(f"the table {batch.txn.path} holds versions more than once, such as {some('held twice')}",
                            reason="duplicate_keys", hint="overwrite it without them first")
