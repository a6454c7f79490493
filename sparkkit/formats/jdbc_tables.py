"""An output's table in a database, as the driver sees it: its name, its columns, who else is at it, and what was committed to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, LockedError, UsageError
from sparkkit.formats.jdbc_connection import Database, Row, tries, zone
from sparkkit.formats.jdbc_dialects import POSTGRESQL, SQLITE, Column, address, named, parts
from sparkkit.formats.jdbc_read import refuse_options
from sparkkit.schema.diff import widened
from sparkkit.schema.types import ddl, parse
from sparkkit.storage.hadoop import Hadoop

OPTIONS = ("table", "user", "password", "journal", "batch_size")
"""What an output may be given."""

MODES = ("append", "overwrite", "merge", "error")
COMMITS = "sparkkit_commits"
"""The table beside an output's, with the last number of each slice."""

MICROS = 6
"""Digits of a second that a time of ours has."""

WAIT = 10.0
"""Seconds in which a server sees that a killed run is gone."""


@dataclass(frozen=True)
class Table:
    """One output's table on an open connection: `names` as the database has them, `there` whether it is there."""

    base: Database
    names: tuple[str, ...]
    there: bool

    @property
    def sql(self) -> str:
        """The table in SQL, whole."""
        return named(self.names)

    @property
    def path(self) -> str:
        """The URL, `#`, and the table: what tells it from every other output."""
        return f"{self.base.address.url.partition('?')[0]}#{self.sql.replace(chr(34), '') if _plain(self.names) else self.sql}"

    @property
    def key(self) -> str:
        """A short name for what belongs to this table."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:12]

    def beside(self, name: str) -> str:
        """Another table of the same schema, in SQL."""
        return named((*self.names[:-1], name))

    def columns(self) -> list[Column]:
        """Its columns, with what the database does by itself."""
        filled = {str(row[0]): (row[1] in ("t", "1"), row[2] in ("t", "1")) for row in self._filled()}
        return [replace(c, filled=filled[c.name][0], computed=filled[c.name][1]) for c in self.base.columns(self.sql)]

    def _filled(self) -> list[Row]:
        if self.base.address.dialect is POSTGRESQL:
            return self.base.query("SELECT attname, atthasdef OR attidentity <> '', attgenerated <> '' FROM pg_attribute"
                                   " WHERE attrelid = to_regclass(CAST(? AS text)) AND attnum > 0 AND NOT attisdropped", self.sql)
        return self.base.query("SELECT name, dflt_value IS NOT NULL OR (pk = 1 AND upper(type) = 'INTEGER'), hidden IN (2, 3)"
                               " FROM pragma_table_xinfo(?)", self.names[-1])


def _plain(names: tuple[str, ...]) -> bool:
    return all('"' not in name and "." not in name for name in names)


@contextmanager
def opened(spark: SparkSession, conf: OutputConf) -> Iterator[Table]:
    """The table of an output, for a block.

    Raises:
        UsageError: settings that don't fit together, a schema that is not there, a view.
    """
    refuse(conf)
    base = Database(spark, address(str(conf.path)), conf.options)
    try:
        if base.address.dialect is POSTGRESQL:
            base.run(zone(str(spark.conf.get("spark.sql.session.timeZone"))))
        yield _found(base, parts(conf.options["table"]))
    finally:
        base.close()


def refuse(conf: OutputConf) -> None:
    """Refuses settings of an output that say nothing here, before anything is opened.

    Raises:
        UsageError: `bad_option`, `wrong_conf`.
    """
    refuse_options(conf.options, OPTIONS, "an output to a database")
    if not conf.options.get("table"):
        raise UsageError("an output to a database needs a table", reason="wrong_conf", hint="set options.table")
    if conf.mode not in MODES:
        raise UsageError(f"mode {conf.mode} is not for databases", reason="wrong_conf", hint=f"use {', '.join(MODES)}")
    if conf.partition_by:
        raise UsageError("partition_by says nothing for a table of a database", reason="wrong_conf", hint="leave it out")
    if not conf.options.get("batch_size", "1").isdigit():
        raise UsageError(f"the option batch_size is {conf.options['batch_size']!r}, expected a whole number", reason="bad_option")


def _found(base: Database, names: tuple[str, ...]) -> Table:
    if base.address.dialect is SQLITE:
        rows = base.query("SELECT name, type FROM sqlite_master WHERE lower(name) = lower(?)", names[-1])
        if len(names) > 1:
            raise UsageError(f"{named(names)} names a schema, and SQLite has none", reason="wrong_conf", hint="name the table alone")
    else:
        rows = base.query("SELECT n.nspname, c.relname, CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' END FROM pg_class c"
                          " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(CAST(? AS text))", named(names))
    if rows and rows[0][-1] != "table":
        raise UsageError(f"{named(names)} is no table", reason="wrong_conf", hint="name the table itself")
    if rows:
        return Table(base, tuple(str(name) for name in rows[0][:-1]), True)
    return Table(base, names if base.address.dialect is SQLITE else _schema(base, names), False)


def _schema(base: Database, names: tuple[str, ...]) -> tuple[str, ...]:
    """The name of a table that is yet to be made."""
    schema = names[0] if len(names) > 1 else base.value("SELECT current_schema()")
    if schema is None or base.value("SELECT 1 FROM pg_namespace WHERE nspname = ?", schema) is None:
        raise UsageError(f"there is no schema {schema or 'in the search path'}", reason="wrong_path", hint="make it, or name another")
    return (schema, names[-1])


def place(spark: SparkSession, conf: OutputConf) -> tuple[str, str]:
    """What tells an output from every other, and the path that its journal is beside: in the folder `options.journal`, or next to
    SQLite's file, or below the session's warehouse."""
    with opened(spark, conf) as table:
        file, name, given = table.base.address.file, ".".join(table.names).replace("/", "_"), conf.options.get("journal")
        if given:
            return table.path, f"{Hadoop.of(spark).qualified(given).rstrip('/')}/{name}"
        return table.path, f"file:{file}.{name}" if file else f"jdbc/{table.base.address.folder}/{name}"


def there(spark: SparkSession, conf: OutputConf) -> bool:
    """Whether the table is there."""
    with opened(spark, conf) as table:
        return table.there


def has_rows(spark: SparkSession, conf: OutputConf) -> bool:
    """Whether the table is there and has rows."""
    with opened(spark, conf) as table:
        return table.there and table.base.value(f"SELECT 1 FROM {table.sql} LIMIT 1") is not None


@contextmanager
def hold(spark: SparkSession, conf: OutputConf) -> Iterator[None]:
    """Keeps other runs off the table, from other machines too, and clears away what dead ones have left. A server lets go of it when
    this connection ends, however it ends; what guards the commit is its number.

    Raises:
        LockedError: another run is at work on it.
    """
    with opened(spark, conf) as table:
        base = table.base
        if base.address.dialect is POSTGRESQL:
            number = int.from_bytes(hashlib.sha256(f"sparkkit {table.sql}".encode()).digest()[:8], "big", signed=True)
            _watchful(base)
            if not any(base.value("SELECT pg_try_advisory_lock(?)", number) == "t" for _ in tries(WAIT)):
                raise LockedError(f"another run is at work on {table.path}", hint="wait until it ends")
        _make_commits(table)
        for name in _leftovers(table):
            base.run(f"DROP TABLE {table.beside(name)}")
        yield


def _watchful(base: Database) -> None:
    """Asks the server to see soon that the driver is gone."""
    for setting, value in (("tcp_keepalives_idle", "15"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3"),
                           ("client_connection_check_interval", "2000"), ("lock_timeout", "60000")):
        base.query("SELECT set_config(name, ?, false) FROM pg_settings WHERE name = ?", value, setting)


def _make_commits(table: Table) -> None:
    """Makes the table of commits where it is not there; a user without the right to it may find it made by another."""
    base = table.base
    if base.address.dialect is POSTGRESQL and base.value("SELECT to_regclass(CAST(? AS text))", table.beside(COMMITS)):
        return
    columns = ('"target" TEXT NOT NULL, "slice" TEXT NOT NULL, "number" BIGINT NOT NULL, "run_id" TEXT NOT NULL, "rows" BIGINT NOT NULL,'
               ' "figures" TEXT NOT NULL, "at" TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY ("target", "slice")')
    with base.transaction():
        if base.address.dialect is POSTGRESQL:  # two that make it at once would both find it missing
            base.query("SELECT pg_advisory_xact_lock(7370111)")
        base.run(f"CREATE TABLE IF NOT EXISTS {table.beside(COMMITS)} ({columns})", what=f"the table {COMMITS} can't be made")


def staging(table: Table) -> str:
    """How the names of a table's staging tables begin."""
    return f"sparkkit_s_{table.key}_"


def _leftovers(table: Table) -> list[str]:
    """The staging tables of this table: while it is held, those of dead runs."""
    if table.base.address.dialect is POSTGRESQL:
        rows = table.base.query("SELECT tablename FROM pg_tables WHERE schemaname = ? AND starts_with(tablename, ?)", table.names[0],
                                staging(table))
    else:
        rows = table.base.query("SELECT name FROM sqlite_master WHERE type = 'table' AND instr(name, ?) = 1", staging(table))
    return [str(row[0]) for row in rows]


def last(table: Table, slice_name: str) -> Row | None:
    """The last number of a slice, the run that committed it, and its figures; None where there is none."""
    base = table.base
    if base.address.dialect is POSTGRESQL and not base.value("SELECT to_regclass(CAST(? AS text))", table.beside(COMMITS)):
        return None
    if base.address.dialect is SQLITE and not base.value("SELECT 1 FROM sqlite_master WHERE name = ?", COMMITS):
        return None
    sql = f'SELECT "number", "run_id", "figures", "rows" FROM {table.beside(COMMITS)} WHERE "target" = ? AND "slice" = ?'
    found = base.query(sql, table.sql, slice_name)
    return found[0] if found else None


def number(spark: SparkSession, conf: OutputConf, path: str, app: str) -> int:
    """The last number of a slice in the database's own table, -1 for none."""
    with opened(spark, conf) as table:
        found = last(table, app)
    return int(found[0] or 0) if found else -1


def refuse_misfit(table: Table, schema: StructType) -> None:
    """Refuses a frame whose columns the table lacks, or takes otherwise than they are.

    Raises:
        ContractError: `schema_changed`, with every difference.
    """
    known = {c.name: c for c in table.columns()}
    wrong = [said for f in schema.fields if (said := _misfit(table, f.name, ddl(f.dataType), known.get(f.name)))]
    wrong += [f"column {n!r} is missing" for n, c in known.items() if n not in schema.names and not (c.filled or c.computed)]
    if wrong:
        raise ContractError(f"the frame does not fit the table {table.path}: {'; '.join(wrong)}", reason="schema_changed",
                            hint="change the job, or the table")


def _misfit(table: Table, name: str, kind: str, column: Column | None) -> str:
    """What is wrong with one column of a frame in words, '' where nothing is."""
    if column is None:
        return f"column {name!r} ({kind}) is new"
    if column.computed:
        return f"column {name!r} is computed by the table"
    dialect, was = table.base.address.dialect, table.base.address.dialect.spark_type(column)
    if kind.startswith("timestamp") and dialect is POSTGRESQL and column.type.startswith("timestamp") and column.scale < MICROS:
        return f"column {name!r} keeps {column.scale} digits of a second there, and a time has {MICROS}"
    if dialect.takes(kind, column) or (was != "string" and widened(parse(kind), parse(was))):
        return ""
    return f"column {name!r} is {kind}, and {column.type} there"


def figures(row: Row) -> Mapping[str, int | None]:
    """What a commit did, as it was written down."""
    found: Mapping[str, int | None] = json.loads(str(row[2]))
    return found
