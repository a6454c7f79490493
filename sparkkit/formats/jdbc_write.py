"""Rows into a database: staged by the executors in a table of the run, counted there, and moved by one transaction of the driver.

Before the run's decision the move is rehearsed and rolled back, so that what the database refuses is known before anything is decided.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, ContractError, InfrastructureError, LockedError, UsageError
from sparkkit.formats.base import LAW, Commit, Committed
from sparkkit.formats.jdbc_connection import explained
from sparkkit.formats.jdbc_dialects import POSTGRESQL, SQLITE, quoted
from sparkkit.formats.jdbc_read import reader_options
from sparkkit.formats.jdbc_tables import COMMITS, Table, figures, last, opened, staging
from sparkkit.schema.types import ddl, quote
from sparkkit.storage.hadoop import Hadoop

NOTE = "_staged"
"""The file beside staged rows that names the table which the same run has filled with them."""

BATCH = "5000"
STAMP = "yyyy-MM-dd HH:mm:ss.SSSSSSXXX"
NO_EQUALS = ("json", "xml", "point", "polygon", "circle", "box", "path", "line", "lseg")
"""Types of PostgreSQL that are compared by their texts."""


@dataclass(frozen=True)
class Move:
    """One commit on an open table: the frame's columns are `c0`, `c1`, … in the staging table."""

    table: Table
    conf: OutputConf
    schema: t.StructType
    how: Commit

    def moved(self) -> list[str]:
        """SQL: each staged column as the target takes it."""
        there = {c.name: c for c in self.table.columns()} if self.table.there else {}
        dialect = self.table.base.address.dialect
        return [dialect.moved(f"s.c{i}", ddl(f.dataType), there.get(f.name)) for i, f in enumerate(self.schema.fields)]

    def create(self) -> None:
        """Makes the table; of one by keys they are its primary key."""
        dialect, base = self.table.base.address.dialect, self.table.base
        columns = [f"{quoted(f.name)} {dialect.type_of(ddl(f.dataType))}" for f in self.schema.fields]
        columns += [f"PRIMARY KEY ({', '.join(quoted(k) for k in self.conf.keys)})"] if self.conf.mode == "merge" else []
        base.run(f"CREATE TABLE {self.table.sql} ({', '.join(columns)})", what=f"the table {self.table.path} can't be made")

    def move(self, staged: str) -> dict[str, int]:
        """Brings the staged rows into the table; what became of them."""
        base, table = self.table.base, self.table.sql
        done = dict.fromkeys((*LAW, "closed", "copied", "removed"), 0)
        if not self.table.there:
            self.create()
        elif base.address.dialect is POSTGRESQL and self.conf.mode != "append":
            base.run(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        what = f"{self.table.path} refuses the rows"
        if self.conf.mode == "overwrite" and self.table.there:
            done["removed"] = base.run(f"DELETE FROM {table}", what=f"the rows of {self.table.path} can't be replaced")
        columns, values = [quoted(f.name) for f in self.schema.fields], self.moved()
        insert = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {staged} AS s"
        if self.conf.mode != "merge":
            done["inserted"] = base.run(insert, what=what)
        else:
            same = " AND ".join(f"t.{c} = {v}" for c, v, f in zip(columns, values, self.schema.fields, strict=True)
                                if f.name in self.conf.keys)
            done["updated"] = self._update(staged, same, what)
            done["inserted"] = base.run(f"{insert} WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same})", what=what)
            self._refuse_twice(staged, same)
            done["unchanged"] = int(self.how.rows or 0) - done["updated"] - done["inserted"]
        if base.address.dialect is POSTGRESQL:
            base.run("SET CONSTRAINTS ALL IMMEDIATE", what=what)
        return done

    def _update(self, staged: str, same: str, what: str) -> int:
        """Changes the rows of known keys that differ; the others are not touched."""
        pairs = [(f.name, value) for f, value in zip(self.schema.fields, self.moved(), strict=True) if f.name not in self.conf.keys]
        if not pairs or not self.table.there:
            return 0
        as_text = {c.name for c in self.table.columns() if c.type in NO_EQUALS}
        equals = self.table.base.address.dialect.same
        unlike = " OR ".join(f"NOT (CAST(t.{quoted(c)} AS text) {equals} CAST({v} AS text))" if c in as_text else
                             f"NOT (t.{quoted(c)} {equals} {v})" for c, v in pairs)
        new = ", ".join(f"{quoted(c)} = {v}" for c, v in pairs)
        return self.table.base.run(f"UPDATE {self.table.sql} AS t SET {new} FROM {staged} AS s WHERE {same} AND ({unlike})", what=what)

    def _refuse_twice(self, staged: str, same: str) -> None:
        met = int(self.table.base.value(f"SELECT count(*) FROM {staged} AS s JOIN {self.table.sql} AS t ON {same}") or 0)
        if met != self.how.rows:
            raise ContractError(f"the table {self.table.path} holds keys more than once", reason="duplicate_keys",
                                hint="take them out first, or give the table a unique index")

    def refuse_keys(self, staged: str) -> None:
        """Refuses a batch whose keys are no keys.

        Raises:
            ContractError: `null_keys`, `duplicate_keys`.
        """
        if self.conf.mode != "merge":
            return
        keys = [f"c{self.schema.names.index(k)}" for k in self.conf.keys]
        nulls = self.table.base.value(f"SELECT count(*) FROM {staged} WHERE {' OR '.join(f'{k} IS NULL' for k in keys)}")
        by = ", ".join(keys)
        twice = self.table.base.value(f"SELECT count(*) FROM (SELECT 1 FROM {staged} GROUP BY {by} HAVING count(*) > 1) AS d")
        for rows, words, reason in ((nulls, "rows for {} have no key (null)", "null_keys"),
                                    (twice, "keys for {} stand more than once in the batch", "duplicate_keys")):
            if rows != "0":
                raise ContractError(f"{rows} {words.format(self.table.path)}", reason=reason,
                                    hint="reduce them in the job, or let the contract quarantine them")

    def stage(self, frame: DataFrame) -> str:
        """Fills a new table with the frame, by the executors; the table in SQL. Counted there: a task that ran twice has brought its
        rows twice, and then it is done once more.

        Raises:
            AccountingError: another number of rows than were staged before.
        """
        for _ in range(2):
            staged = self.table.beside(f"{staging(self.table)}{secrets.token_hex(4)}")
            self._fill(frame, staged)
            rows = int(self.table.base.value(f"SELECT count(*) FROM {staged}") or 0)
            if self.how.rows in (None, rows):
                return staged
            self.table.base.run(f"DROP TABLE {staged}")
        raise AccountingError(f"{self.how.rows} rows were staged for {self.table.path}, but {rows} are in its staging table",
                              hint="nothing was published")

    def _fill(self, frame: DataFrame, staged: str) -> None:
        base = self.table.base
        dialect = base.address.dialect
        columns = ", ".join(f"c{i} {dialect.type_of(ddl(f.dataType), staged=True)}" for i, f in enumerate(self.schema.fields))
        base.run(f"CREATE {'UNLOGGED ' if dialect is POSTGRESQL else ''}TABLE {staged} ({columns})", what="the staging table can't be made")
        given = reader_options(base, self.conf.options) | {"dbtable": staged, "batchsize": self.conf.options.get("batch_size", BATCH)}
        given |= {"reWriteBatchedInserts": "true"} if dialect is POSTGRESQL else {}
        rows = frame.select(*[_told(f, dialect.one_writer).alias(f"c{i}") for i, f in enumerate(self.schema.fields)])
        try:
            (rows.coalesce(1) if dialect.one_writer else rows).write.format("jdbc").options(**given).mode("append").save()
        except Exception as error:
            found = explained(error, f"the rows for {self.table.path} can't be staged")
            if found is None:
                raise
            raise found from None

    def note(self, staged: str, done: Mapping[str, int]) -> None:
        """Writes down what was committed, in the commit's own transaction."""
        if self.how.txn is None:
            return
        name, generation = self.how.txn
        commits = self.table.beside(COMMITS)
        self.table.base.run(
            f'INSERT INTO {commits} ("target", "slice", "number", "run_id", "rows", "figures") VALUES (?, ?, ?, ?, ?, ?)'
            ' ON CONFLICT ("target", "slice") DO UPDATE SET "number" = excluded."number", "run_id" = excluded."run_id",'
            ' "rows" = excluded."rows", "figures" = excluded."figures", "at" = CURRENT_TIMESTAMP',
            self.table.sql, name, generation, self.how.run_id, int(self.how.rows or 0), json.dumps(dict(done)))
        self.table.base.run(f"DROP TABLE {staged}")

    def done(self) -> Committed | None:
        """What this number did before; None where it did nothing.

        Raises:
            LockedError: a later number is there, or this one by another run. Where a dead run's commit is finished, that is its end.
        """
        if self.how.txn is None or (found := last(self.table, self.how.txn[0])) is None:
            return None
        name, generation = self.how.txn
        there, run_id = int(found[0] or 0), found[1]
        if there < generation:
            return None
        if there == generation and run_id == self.how.run_id:
            return Committed(figures(found), already=True)
        if self.how.late:
            return Committed(dict.fromkeys((*LAW, "closed", "copied", "removed")), already=True)
        raise LockedError(f"{self.table.path} holds generation {there} of {name} by run {run_id}, and this run is generation {generation}",
                          reason="newer_generation", hint="a later run has replaced this one")


def _told(field: t.StructField, as_text: bool) -> Expression:
    """A column as it is staged: a time without a zone as its text, which no zone of a JVM can shift; for SQLite what it has no type for."""
    column = F.col(quote(field.name))
    if as_text and isinstance(field.dataType, t.TimestampType):
        return F.date_format(column, STAMP)
    texts = (t.TimestampNTZType, t.DateType, t.DecimalType) if as_text else t.TimestampNTZType
    return column.cast("string") if isinstance(field.dataType, texts) else column


def judge(frame: DataFrame, conf: OutputConf, path: str, how: Commit) -> None:
    """Stages the rows and moves them in a transaction that is rolled back: what the database refuses is refused before the decision.

    Raises:
        UsageError: `append` would add a slice once more, whose rows nobody can tell from others (`can_not_replace`).
        ContractError: the database refuses rows, or their keys.
        AccountingError: another number of rows came to the staging table.
    """
    with opened(frame.sparkSession, conf) as table:
        move = Move(table, conf, frame.schema, how)
        _refuse_again(move)
        _refuse_nan(move, frame)
        staged = move.stage(frame)
        move.refuse_keys(staged)
        if table.there:
            with table.base.transaction(keep=False):
                _account(move, move.move(staged))
        Hadoop.of(frame.sparkSession).write(f"{how.scratch}/{NOTE}", staged.encode())


def _refuse_again(move: Move) -> None:
    found = last(move.table, move.how.txn[0]) if move.how.txn else None
    if found and move.table.there and move.conf.mode == "append" and found[3] != "0":
        raise UsageError(f"{move.table.path} holds what run {found[1]} appended for the same slice, which can't be told from other rows",
                         reason="can_not_replace", hint="use merge, or take its rows out and its row out of sparkkit_commits first")


def _refuse_nan(move: Move, frame: DataFrame) -> None:
    """SQLite would keep null in the place of NaN."""
    floats = [f.name for f in move.schema.fields if isinstance(f.dataType, t.FloatType | t.DoubleType)]
    if move.table.base.address.dialect is not SQLITE or not floats:
        return
    any_ = " OR ".join(f"isnan({quote(c)})" for c in floats)
    rows = frame.where(any_).count()
    if rows:
        raise ContractError(f"{rows} rows for {move.table.path} have a NaN, which SQLite would keep as null", reason="unfit_for_format",
                            hint="make it null in the job, or keep it elsewhere")


def _account(move: Move, done: Mapping[str, int]) -> None:
    rows = sum(done[name] for name in LAW)
    if move.how.rows is not None and rows != move.how.rows:
        raise AccountingError(f"{move.how.rows} rows were staged for {move.table.path}, but {rows} are accounted for before the commit",
                              hint="nothing was published")


def commit(frame: DataFrame, conf: OutputConf, path: str, how: Commit) -> Committed:
    """Moves a frame's rows into the table in one transaction, with its number; a number moves once.

    Raises:
        LockedError: a later generation is there (`newer_generation`).
        AccountingError: another number of rows is accounted for; nothing was committed.
    """
    try:
        with opened(frame.sparkSession, conf) as table:
            return _commit(Move(table, conf, frame.schema, how), frame)
    except InfrastructureError:
        with opened(frame.sparkSession, conf) as table:  # an answer that was lost may have been yes
            done = Move(table, conf, frame.schema, how).done()
        if done is None:
            raise
        return done


def _commit(move: Move, frame: DataFrame) -> Committed:
    done = move.done()
    if done is not None:
        return done
    staged = _noted(move, frame) or move.stage(frame)
    with move.table.base.transaction():
        _alone(move)
        done = move.done()
        if done is not None:
            return done
        if move.table.there and move.conf.mode == "error":
            raise UsageError(f"{move.table.path} exists and the mode is error", reason="output_exists", hint="--mode overwrite or append")
        moved = move.move(staged)
        _account(move, moved)
        move.note(staged, moved)
    return Committed(moved)


def _alone(move: Move) -> None:
    """One commit to a table at a time; SQLite's transaction is that from its first statement."""
    if move.table.base.address.dialect is POSTGRESQL:
        move.table.base.query("SELECT pg_advisory_xact_lock(hashtext(?))", f"commit {move.table.sql}")


def _noted(move: Move, frame: DataFrame) -> str | None:
    """The staging table that this run's judgement filled, where it is whole; None where a dead run's commit is finished, whose tasks may
    still write."""
    hadoop, at = Hadoop.of(frame.sparkSession), f"{move.how.scratch}/{NOTE}"
    if move.how.late or not hadoop.exists(at):
        return None
    staged = hadoop.read(hadoop.path(at).toUri().toString()).decode()
    counted: Callable[[], str | None] = lambda: move.table.base.value(f"SELECT count(*) FROM {staged}")  # noqa: E731
    try:
        return staged if counted() == str(move.how.rows) else None
    except Exception:
        return None


def shape(frame: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """Refuses columns that no table takes.

    Raises:
        UsageError: naming the columns and their types (`unsupported_type`).
    """
    wrong = [f"{f.name} ({f.dataType.simpleString()})" for f in frame.schema.fields if not _plain(f.dataType)]
    if wrong:
        raise UsageError(f"a table of a database can't hold the column{'s' * (len(wrong) > 1)} {', '.join(wrong)}",
                         reason="unsupported_type", hint="make a text (to_json), a number or a column for each part in the job")
    return frame


def _plain(kind: t.DataType) -> bool:
    try:
        return POSTGRESQL.type_of(ddl(kind)) is not None
    except UsageError:
        return False
