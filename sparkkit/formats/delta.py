"""Delta tables at a path: reading them, and the one way in which rows come into them.

On a classic session each commit goes through `deltalog.Transaction`: the files are written, counted and judged before a
reader can see them, and the number of the run's application is committed with them. A Spark Connect client has no such
transaction; there Delta's own writer commits, and what needs more is refused.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StructField, StructType

from sparkkit import compat
from sparkkit.conf import KEYED, OutputConf
from sparkkit.errors import AccountingError, ContractError, LockedError, UsageError
from sparkkit.formats import delta_connect, delta_constraints, delta_table, deltalog
from sparkkit.formats.base import LAW, Commit, Committed, Format
from sparkkit.formats.delta_adopt import Adoption, stage, writer_options
from sparkkit.formats.delta_earlier import earlier
from sparkkit.formats.delta_merge import DELETED, Batch, Change, cdc, merge, prepare, verify
from sparkkit.formats.delta_scd2 import scd2
from sparkkit.formats.delta_schema import Fit, fit, need_columns
from sparkkit.formats.deltalog import CONFLICT, Stored, Transaction
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop

TRIES = 8
"""How often a commit is tried where other writers are faster; with its pauses that is about half a minute."""

OURS = ("mergeschema", "overwriteschema", "replacewhere", "partitionoverwritemode", "txnappid", "txnversion", "datachange")
"""Options of Delta's writer that would change what a mode promises."""

FORGETS = "delta.setTransactionRetentionDuration"
"""A table property after whose time Delta drops the numbers of applications."""

APPENDS = "delta.appendOnly"
"""A table property that lets no row go."""

JUDGED = "_done"
"""In the folder of a judgement that came to its end."""

PLANS = {"merge": merge, "cdc": cdc, "scd2": scd2}


def check(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses a Delta target where there is no Delta, and settings that don't fit together.

    Raises:
        UsageError: naming the setting.
    """
    delta_table.need_delta(spark)
    wrong = [k for k in conf.options if k.lower() in OURS]
    if wrong:
        raise UsageError(f"the option {wrong[0]} is not for outputs", reason="wrong_conf",
                         hint="set mode, schema_evolution or partition_by")
    if conf.mode in KEYED and compat.is_connect(spark):
        raise UsageError(f"mode {conf.mode} needs Delta's own transaction, which Spark Connect's client does not have",
                         reason="connect_no_keys", hint="run on a classic session, or use append, overwrite or overwrite_partitions")


def fits(frame: DataFrame, conf: OutputConf, path: str) -> None:
    """Refuses a frame that can't go into the table at a path, before it is computed.

    Raises:
        UsageError: a setting names a column that is not there, or SQL that can't be read.
        ContractError: the frame's columns differ from the table's in what `schema_evolution` does not allow.
    """
    need_columns(conf, frame.schema)
    try:
        _ready(frame, conf).schema  # noqa: B018
    except Exception as error:
        said = f"apply_as_deletes is {conf.apply_as_deletes!r}: {str(error).splitlines()[0]}"
        raise UsageError(said, reason="wrong_conf", hint="write an SQL predicate") from error
    spark = frame.sparkSession
    if delta_table.is_delta(spark, path):
        fit(conf, _stored(conf, frame.schema), *_table(spark, path), path)


def _table(spark: SparkSession, path: str) -> tuple[StructType, tuple[str, ...]]:
    if compat.is_connect(spark):
        return spark.read.format("delta").load(path).schema, delta_table.partitions(spark, path)
    txn = Transaction(spark, path)
    return txn.schema, txn.partitions


def partitions(spark: SparkSession, conf: OutputConf, path: str) -> Sequence[str]:
    """The partition columns of the table at a path, or of the one that will be there."""
    return _table(spark, path)[1] if delta_table.is_delta(spark, path) else conf.partition_by


def number(spark: SparkSession, conf: OutputConf | None, path: str, app: str) -> int:
    """The last number of an application in the table's own log, -1 for none, or where there is no table."""
    if not delta_table.is_delta(spark, path):
        return -1
    return delta_connect.number(spark, path, app) if compat.is_connect(spark) else deltalog.number(spark, path, app)


def committed(spark: SparkSession, path: str, txn: tuple[str, int]) -> bool:
    """Whether an application's number, or a later one, is in the table's own log."""
    app, generation = txn
    return number(spark, None, path, app) >= generation


def commit(frame: DataFrame, conf: OutputConf, path: str, how: Commit) -> Committed:
    """Brings a frame into the Delta table at a path by the output's mode, in one commit or not at all.

    Raises:
        ContractError: the frame, its keys or its order can't go into this table; nothing was changed.
        AccountingError: the files that were written hold another number of rows than were staged; nobody has seen them.
        LockedError: other writers were faster each time (`conflict`), or a later generation is there (`newer_generation`).
    """
    spark = frame.sparkSession
    if compat.is_connect(spark):
        return delta_connect.commit(frame, conf, path, how)
    _widen(frame, conf, path)
    for pause in pauses(how.run_id):
        attempt = Attempt(Transaction(spark, path), frame, conf, how)
        try:
            return attempt.run()
        except Exception as error:
            done = attempt.settle(error)
            if done is not None:
                return done
            if not _is_conflict(error):
                raise
            time.sleep(pause)
    raise LockedError(f"other writers changed {path} during each of {TRIES} tries", reason="conflict", hint="run again when they are done")


def judge(frame: DataFrame, conf: OutputConf, path: str, how: Commit) -> None:
    """Refuses before a run's decision what the commit would refuse after it, as far as the rows and the table as they are can tell;
    what a commit by keys will do is staged on the way, and used by it where the table is the same then. `how.txn` has any number.

    Raises:
        ContractError: the frame, its keys or its order can't go into this table, or what is to be replaced was rewritten.
        UsageError: the table has no partitions to replace, or would forget what was committed.
    """
    if compat.is_connect(frame.sparkSession):
        return
    attempt = Attempt(Transaction(frame.sparkSession, path), frame, conf, how)
    attempt.refuse_forgetful()
    if conf.schema_evolution == "widen":
        _widen(frame, conf, path)
        attempt = Attempt(Transaction(frame.sparkSession, path), frame, conf, how)
    attempt.judge()


def pauses(seed: str) -> Iterator[float]:
    """The seconds between tries: twice as long each time, no two runs in step.

    >>> len(list(pauses("run-1"))), max(pauses("run-1")) < 10
    (8, True)
    """
    chance = random.Random(seed)
    for n in range(TRIES):
        yield min(6.0, 0.1 * 2**n) * (0.5 + chance.random())


def _is_conflict(error: BaseException) -> bool:
    return not isinstance(error, AccountingError | ContractError) and bool(re.search(CONFLICT, f"{type(error).__name__} {error}"))


class Attempt:
    """One try of a commit: its transaction, and what it has written."""

    def __init__(self, txn: Transaction, frame: DataFrame, conf: OutputConf, how: Commit) -> None:
        self.txn, self.frame, self.conf, self.how = txn, frame, conf, how
        self.made: list[Stored] = []
        self.adoption = Adoption(txn, how.scratch)
        self.change: Change | None = None
        self.sent = False
        self.fresh = txn.version < 0

    def run(self) -> Committed:
        """Writes, counts, judges, commits."""
        self.refuse_forgetful()
        if self.how.txn:
            done = _done(self.txn, self.how.txn)
            if done is not None:
                return done
        shape = self._shape(_stored(self.conf, self.frame.schema))
        rows = shape.frame(_ready(self.frame, self.conf))
        if self.conf.mode in KEYED:
            return self._by_keys(rows, shape)
        return self._whole(rows)

    def judge(self) -> None:
        """Refuses what `run` would refuse, and commits nothing."""
        shape = self._shape(_stored(self.conf, self.frame.schema))
        rows = shape.frame(_ready(self.frame, self.conf))
        if not self.fresh:
            delta_constraints.refuse(self.txn, rows)
        if self.conf.mode not in KEYED:
            replaces = self.conf.mode.startswith("overwrite") and not self.fresh and bool(self.txn.files())
            self._refuse_removal(bool(self._gone(rows)[1]) or replaces)
            return
        batch = Batch(self.txn, rows, self.conf, shape, self._judged())
        self._refuse_removal(bool(PLANS[self.conf.mode](batch).touched))
        Hadoop.of(self.txn.spark).write(f"{batch.scratch}/{JUDGED}", b"")

    def refuse_forgetful(self) -> None:
        """Refuses a table that drops the numbers of applications which this commit relies on."""
        txn = self.txn
        if not self.fresh and (self.how.txn or self.conf.mode in ("cdc", "scd2")) and txn.property(FORGETS):
            raise UsageError(f"{txn.path} has the property {FORGETS}, and would forget what was committed", reason="forgetful_table",
                             hint=f"ALTER TABLE delta.`{txn.path}` UNSET TBLPROPERTIES ('{FORGETS}')")

    def _refuse_removal(self, removes: bool) -> None:
        """Refuses to take rows out of a table that is for appends alone, which Delta would refuse after the decision."""
        if removes and not self.fresh and self.txn.property(APPENDS) == "true":
            raise ContractError(f"{self.txn.path} has the property {APPENDS}, and rows of it would be replaced", reason="append_only",
                                hint=f"add other dates to it, or ALTER TABLE delta.`{self.txn.path}` UNSET TBLPROPERTIES ('{APPENDS}')")

    def _shape(self, schema: StructType) -> Fit:
        conf, txn = self.conf, self.txn
        if self.fresh:
            properties = {k: v for k, v in conf.options.items() if k.startswith("delta.")}
            txn.create(schema, conf.partition_by, properties)
            return Fit(schema)
        if conf.mode == "error":
            raise UsageError(f"{txn.path} exists and the mode is error", reason="output_exists", hint="--mode overwrite or append")
        found = fit(conf, schema, txn.schema, txn.partitions, txn.path)
        if found.added:
            txn.reshape(found.schema)
        return found

    def _whole(self, rows: DataFrame) -> Committed:
        """append, overwrite and overwrite_partitions: all rows go in, and some files go."""
        txn, conf = self.txn, self.conf
        by, old = self._gone(rows)
        said = self.adoption.said()
        if said is None:
            self.adoption.undo()  # an attempt before may have moved some, when the table still took them in
        self.made = txn.write(rows, writer_options(conf)) if said is None else self.adoption.files(said)
        wrote = txn.count(self.made)
        self._judge(wrote)
        if self.how.txn:
            self.made = txn.tagged(self.made, {"app": self.how.txn[0], "generation": self.how.txn[1], "rows": wrote})
        remove, replaced = old, set[str]()
        if conf.mode == "overwrite" and not self.fresh:
            remove = txn.files()
        if conf.mode == "overwrite_partitions" and not self.fresh:
            mine = {f.partition for f in self.made}
            gone = {f.path for f in old}
            remove = [f for f in txn.files() if f.partition in mine or f.path in gone]
        if conf.mode == "overwrite_partitions":
            replaced = {txn.folder(f.partition, by) for f in (*self.made, *remove)}
        figures = dict.fromkeys(LAW, 0) | {"inserted": wrote, "closed": 0, "copied": 0, "removed": txn.count(remove)}
        mode = "Overwrite" if conf.mode.startswith("overwrite") else "Append"
        return self._commit(self.made, remove, figures, tuple(sorted(replaced)), txn.writes(mode, by), {})

    def _gone(self, rows: DataFrame) -> tuple[tuple[str, ...], list[Stored]]:
        """The partition columns, and the files of earlier generations that are to go."""
        conf = self.conf
        by = tuple(conf.partition_by) or (() if self.fresh else self.txn.partitions)
        whole = conf.mode == "overwrite_partitions"
        if whole:
            delta_table.need_partitions(self.txn.path, by)
        if self.fresh or not self.how.txn or not (whole or conf.mode == "append"):
            return by, []
        return by, earlier(self.txn, self.how.txn[0], rows, by, partitions=whole)

    def _by_keys(self, rows: DataFrame, shape: Fit) -> Committed:
        txn, at = self.txn, self._judged()
        staged = Hadoop.of(txn.spark).exists(f"{at}/{JUDGED}")
        batch = Batch(txn, rows, self.conf, shape, at if staged else f"{self.how.scratch}/_commit-{time.monotonic_ns()}", staged)
        change = self.change = PLANS[self.conf.mode](batch)
        figures = {**dict.fromkeys((*LAW, "closed", "copied", "removed"), 0), **change.figures}
        self._judge(sum(figures[name] for name in LAW))
        if change.kept is not None and change.keep is not None:
            change.numbers = change.kept.add(change.keep)
        self.made, remove = prepare(batch, change, writer_options(self.conf))
        verify(txn, change, self.made)
        figures |= {k: v for k, v in change.figures.items() if k == "copied"}
        if not (self.made or remove or change.numbers or self.how.txn or self.fresh or shape.added):
            return Committed(figures, version=txn.version)
        metrics = {
            "numTargetRowsInserted": figures["inserted"], "numTargetRowsUpdated": figures["updated"] + figures["closed"],
            "numTargetRowsDeleted": figures["deleted"], "numTargetRowsCopied": figures["copied"],
        }
        return self._commit(self.made, remove, figures, (), txn.merges(), change.numbers, metrics)

    def _judged(self) -> str:
        """Where the judgement of these rows beside this version of the table stages what becomes of them."""
        return f"{self.how.scratch}/_judged-{'new' if self.fresh else self.txn.named()}-{self.txn.version}"

    def _judge(self, rows: int) -> None:
        if self.how.rows is not None and rows != self.how.rows:
            raise AccountingError(f"{self.how.rows} rows were staged for {self.txn.path}, but {rows} are accounted for before the commit",
                                  hint="nothing was published")

    def _commit(
        self, add: Sequence[Stored], remove: Sequence[Stored], figures: Mapping[str, int], partitions: tuple[str, ...], operation: Any,
        numbers: Mapping[str, int], metrics: Mapping[str, int] | None = None,
    ) -> Committed:
        note = json.dumps({"figures": figures, "partitions": partitions})
        own = {self.how.txn[0]: self.how.txn[1]} if self.how.txn else {}
        word = self.conf.options.get("userMetadata", f"sparkkit {self.how.run_id}")
        self.sent = True
        version = self.txn.commit(add, remove, {**own, **numbers}, operation=operation, word=word, note=note, metrics=metrics or {})
        return Committed(figures, partitions, version)

    def settle(self, error: BaseException) -> Committed | None:
        """After an error: what was committed all the same, or None; files are deleted only where it is sure that nobody
        knows of them."""
        if self.sent and not _is_conflict(error):
            return _done(Transaction(self.txn.spark, self.txn.path), self.how.txn) if self.how.txn else None
        hadoop, adopted = Hadoop.of(self.txn.spark), bool(self.adoption.moved)
        if adopted and isinstance(error, AccountingError | ContractError):
            self.adoption.undo()
        for file in self.made if not adopted else ():
            hadoop.delete(self.txn.place(file.path))
        if self.change is not None and self.change.kept is not None:
            self.change.kept.drop()
        return None


def _done(txn: Transaction, wanted: tuple[str, int]) -> Committed | None:
    """What this number committed before; None where it did not.

    Raises:
        LockedError: a later number is there (`newer_generation`).
    """
    app, generation = wanted
    last = txn.number(app)
    if last > generation:
        raise LockedError(f"{txn.path} holds generation {last} of {app}, and this run is generation {generation}",
                          reason="newer_generation", hint="a later run has replaced this one")
    if last < generation:
        return None
    found = deltalog.noted(txn.spark, txn.path, app, generation)
    note = json.loads(found[1]) if found else {}
    figures: Mapping[str, int | None] = note.get("figures") or dict.fromkeys((*LAW, "closed", "copied", "removed"))
    return Committed(figures, tuple(note.get("partitions", ())), found[0] if found else None, already=True)


def _stored(conf: OutputConf, schema: StructType) -> StructType:
    """The columns that a frame of a schema gives a table."""
    fields = [f for f in schema.fields if f.name not in conf.leave_out]
    if conf.mode == "scd2":
        end = StructField(conf.valid_to or "valid_to", schema[str(conf.valid_from)].dataType)
        fields += [end, StructField(conf.is_current or "is_current", BooleanType())]
    return StructType(fields)


def _ready(frame: DataFrame, conf: OutputConf) -> DataFrame:
    """A frame with the table's columns; by keys, with a mark of what deletes."""
    columns = [F.col(quote(c)) for c in frame.columns if c not in conf.leave_out]
    if conf.mode not in KEYED:
        return frame.select(*columns)
    deletes = F.coalesce(F.expr(conf.apply_as_deletes or "false").cast("boolean"), F.lit(False)).alias(DELETED)
    added = [f for f in _stored(conf, frame.schema).fields if f.name not in frame.columns]
    return frame.select(*columns, *[F.lit(None).cast(f.dataType).alias(f.name) for f in added], deletes)


def _widen(frame: DataFrame, conf: OutputConf, path: str) -> None:
    """Widens the table's columns where the frame's are wider and the conf allows it: a commit of its own, which changes no
    value.

    Raises:
        ContractError: this version of Delta, or this column, can't be widened (`schema_changed`).
    """
    spark = frame.sparkSession
    if conf.schema_evolution != "widen" or not delta_table.is_delta(spark, path):
        return
    found = fit(conf, _stored(conf, frame.schema), *_table(spark, path), path)
    name = delta_table.named(path)
    fixed = [c for c, _ in found.wider if conf.mode in KEYED and c in (*conf.keys, conf.sequence_by, conf.valid_from)]
    try:
        if fixed:
            raise ValueError("it names or orders the rows")
        if found.wider:
            spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')")
        for column, kind in found.wider:
            spark.sql(f"ALTER TABLE {name} ALTER COLUMN {quote(column)} TYPE {kind.simpleString()}")
    except Exception as error:
        what = ", ".join(f"{c} to {k.simpleString()}" for c, k in found.wider)
        raise ContractError(f"{path}: {what} can't be widened here ({str(error).splitlines()[0][:200]})", reason="schema_changed",
                            hint="cast it in the job, or write the table anew at another path") from error


FORMAT = Format("delta", (), delta_table.land, delta_table.write, files=False, check=check, fits=fits, partitions=partitions, judge=judge,
                commit=commit, number=number, stage=stage)
