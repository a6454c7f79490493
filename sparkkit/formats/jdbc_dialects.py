"""The databases that are known: how each names, types and compares things. SQL text alone; nothing here speaks to a database.

Values are never part of a text: they are bound. Names are quoted (`quoted`), and stand as people wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sparkkit.errors import UsageError, nearest


@dataclass(frozen=True)
class Column:
    """A column as a database tells it: its own type's name (small letters), digits, and whether it fills the column where a row has
    no value for it (`filled`), or computes it (`computed`)."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0
    filled: bool = False
    computed: bool = False


@dataclass(frozen=True)
class Dialect:
    """One kind of database.

    `types` are the columns of a new table by Spark's types, `staged` those of a staging table where they differ; `same` is the operator
    by which null equals null.
    """

    name: str
    driver: str
    types: Mapping[str, str]
    same: str
    one_writer: bool = False
    staged: Mapping[str, str] = field(default_factory=dict)

    def type_of(self, kind: str, *, staged: bool = False) -> str | None:
        """The type of a column for one of Spark's, None where there is none."""
        if kind.startswith("decimal("):
            return self.types["decimal"].format(kind[7:])
        return (self.staged.get(kind) if staged else None) or self.types.get(kind)

    def spark_type(self, column: Column) -> str:
        """The type of Spark's that holds every value of a column."""
        raise NotImplementedError

    def read(self, column: Column, kind: str) -> str:
        """SQL: a column as it is to be read for a type of Spark's."""
        raise NotImplementedError

    def moved(self, name: str, kind: str, there: Column | None) -> str:
        """SQL: a staged column as the table's column takes it; None is one of a table that was made by `types`."""
        raise NotImplementedError

    def takes(self, kind: str, column: Column) -> bool:
        """Whether a column that is read as a text takes a type of Spark's, and keeps what it is."""
        raise NotImplementedError


def quoted(name: str) -> str:
    """A name in SQL.

    >>> print(quoted('we"ird'))
    "we""ird"
    """
    return '"' + name.replace('"', '""') + '"'


def parts(table: str) -> tuple[str, ...]:
    """A table's name taken apart: schema and table, or the table alone; each may be quoted.

    Raises:
        UsageError: it is no name.

    >>> parts("sales.orders"), parts('"odd.name"')
    (('sales', 'orders'), ('odd.name',))
    """
    found = re.findall(r'(?:^|\.)(?:"((?:[^"]|"")+)"|([^".]+))(?=\.|$)', table)
    names = tuple((a.replace('""', '"') or b) for a, b in found)
    whole = ".".join(quoted(a.replace('""', '"')) if a else b for a, b in found)
    if not names or len(names) > 2 or whole != table or any("\0" in name for name in names):
        raise UsageError(f"{table!r} is no table's name", reason="wrong_conf", hint='write schema.table, odd names as "odd.name"')
    return names


def named(names: Sequence[str]) -> str:
    """A table in SQL.

    >>> print(named(("sales", "orders")))
    "sales"."orders"
    """
    return ".".join(quoted(name) for name in names)


class Postgresql(Dialect):
    """PostgreSQL. Texts are compared by their bytes (`COLLATE "C"`), as Spark does, so that a filter means the same in both."""

    def spark_type(self, column: Column) -> str:
        """What is no type of Spark's is read as its text, and so is a number without digits that are declared."""
        if column.type == "numeric":
            fits = 0 < column.precision <= 38 and 0 <= column.scale <= column.precision
            return f"decimal({column.precision},{column.scale})" if fits else "string"
        return POSTGRESQL_TYPES.get(column.type, "string")

    def read(self, column: Column, kind: str) -> str:
        """Texts, and what is read as one."""
        name = quoted(column.name)
        if kind != "string":
            return name
        return f'{name} COLLATE "C"' if column.type in ("text", "varchar") else f'{name}::text COLLATE "C"'

    def moved(self, name: str, kind: str, there: Column | None) -> str:
        """A cast where the column is none of the texts, whose casts would cut."""
        if kind == "timestamp_ntz":
            return f"CAST({name} AS timestamp)"
        text = there is None or there.type in ("text", "varchar", "bpchar")
        return name if kind != "string" or text or there is None else f"CAST({name} AS {there.type})"

    def takes(self, kind: str, column: Column) -> bool:
        """A text goes into what is read as one; the database refuses those that are none of its own."""
        number = column.type == "numeric" and (kind.startswith("decimal") or kind in ("tinyint", "smallint", "int", "bigint"))
        return self.spark_type(column) == "string" and (kind == "string" or number)


class Sqlite(Dialect):
    """SQLite, whose columns hold any value whatever they declare: what is declared is checked when it is read."""

    def spark_type(self, column: Column) -> str:
        """By the rules of SQLite's affinity; times and decimals are texts there."""
        kind = column.type.upper()
        if kind == "BOOLEAN":
            return "boolean"
        for words, found in ((("INT",), "bigint"), (("CHAR", "CLOB", "TEXT"), "string"), (("BLOB",), "binary"),
                             (("REAL", "FLOA", "DOUB"), "double")):
            if any(word in kind for word in words):
                return found
        return "string"

    def read(self, column: Column, kind: str) -> str:
        """Texts are compared by their bytes."""
        name = quoted(column.name)
        return f"CAST({name} AS TEXT) COLLATE BINARY" if kind == "string" else name

    def moved(self, name: str, kind: str, there: Column | None) -> str:
        """As it was staged."""
        return name

    def takes(self, kind: str, column: Column) -> bool:
        """Texts, and what is written as one. Elsewhere SQLite makes a number of a text that looks like one, of 15 digits."""
        text = any(word in column.type.upper() for word in ("CHAR", "CLOB", "TEXT"))
        digits = int(kind[8:].partition(",")[0]) if kind.startswith("decimal(") else 0
        told = kind in ("date", "timestamp", "timestamp_ntz") or (digits > 0 and (text or digits <= 15))
        return self.spark_type(column) == "string" and (told or (kind == "string" and text))

    def odd(self, column: Column, kind: str) -> str | None:
        """SQL: whether a value is none of its column's; None where each is."""
        name = quoted(column.name)
        if kind == "boolean":
            return f"typeof({name}) <> 'null' AND (typeof({name}) <> 'integer' OR {name} NOT IN (0, 1))"
        held = {"bigint": "'integer'", "double": "'real', 'integer'", "binary": "'blob'"}.get(kind)
        return f"typeof({name}) NOT IN ('null', {held})" if held else None


POSTGRESQL_TYPES: Mapping[str, str] = {
    "bool": "boolean", "int2": "smallint", "smallserial": "smallint", "int4": "int", "serial": "int", "int8": "bigint",
    "bigserial": "bigint", "float4": "float", "float8": "double", "date": "date", "timestamp": "timestamp_ntz", "timestamptz": "timestamp",
    "bytea": "binary",
}

POSTGRESQL = Postgresql(
    "postgresql", "org.postgresql.Driver",
    {"boolean": "BOOLEAN", "tinyint": "SMALLINT", "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT", "float": "REAL",
     "double": "DOUBLE PRECISION", "decimal": "NUMERIC{}", "string": "TEXT", "binary": "BYTEA", "date": "DATE",
     "timestamp": "TIMESTAMP WITH TIME ZONE", "timestamp_ntz": "TIMESTAMP"},
    "IS NOT DISTINCT FROM", staged={"timestamp_ntz": "TEXT"})

SQLITE = Sqlite(
    "sqlite", "org.sqlite.JDBC",
    {"boolean": "BOOLEAN", "tinyint": "INTEGER", "smallint": "INTEGER", "int": "INTEGER", "bigint": "INTEGER", "float": "REAL",
     "double": "REAL", "decimal": "TEXT", "string": "TEXT", "binary": "BLOB", "date": "TEXT", "timestamp": "TEXT", "timestamp_ntz": "TEXT"},
    "IS", one_writer=True)

DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (POSTGRESQL, SQLITE)}

HARMLESS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connectTimeout", "socketTimeout", "loginTimeout", "tcpKeepAlive",
            "targetServerType", "currentSchema", "gssEncMode", "channelBinding", "requireAuth")
"""What may stand behind the `?` of a URL."""


@dataclass(frozen=True)
class Address:
    """Where a database is, and of which kind."""

    url: str
    dialect: Dialect

    @property
    def file(self) -> str:
        """The file of an embedded database, '' for a server."""
        return self.url.removeprefix("jdbc:sqlite:").removeprefix("file:") if self.dialect is SQLITE else ""

    @property
    def folder(self) -> str:
        """Host, port and database as folders.

        >>> address("jdbc:postgresql://db:5432/sales?sslmode=require").folder
        'db_5432/sales'
        """
        return re.sub(r"[^A-Za-z0-9._/-]", "_", self.url.partition("?")[0].partition("//")[2].replace(":", "_"))


def address(url: str) -> Address:
    """What a JDBC URL says.

    Raises:
        UsageError: it is none, of a database that is not known, or holds what does not belong there, such as a password; the message
            does not show it.

    >>> address("jdbc:postgresql://db:5432/sales").dialect.name
    'postgresql'
    >>> address("jdbc:mysql://db/sales")
    Traceback (most recent call last):
    sparkkit.errors.UsageError: databases of 'mysql' are not known: known are postgresql, sqlite
    """
    found = re.match(r"jdbc:([a-z0-9]+):(.+)", url, re.DOTALL)
    if found is None:
        raise UsageError("the path of a database is a JDBC URL", reason="wrong_path", hint="such as jdbc:postgresql://host:5432/database")
    dialect = DIALECTS.get(found[1])
    if dialect is None:
        close = nearest(found[1], DIALECTS)
        raise UsageError(f"databases of {found[1]!r} are not known", reason="unknown_database",
                         hint=f"did you mean {close!r}?" if close else f"known are {', '.join(DIALECTS)}")
    if dialect is SQLITE:
        _refuse_memory(url, found[2])
        return Address(url, dialect)
    return _server(url, found[2], dialect)


def _refuse_memory(url: str, rest: str) -> None:
    path = rest.removeprefix("file:")
    if "?" in rest or not path.startswith("/"):
        raise UsageError(f"{url.partition('?')[0]} is no whole path of a file", reason="wrong_path",
                         hint="write jdbc:sqlite:/folder/file.db, without parameters")


def _server(url: str, rest: str, dialect: Dialect) -> Address:
    before, _, query = rest.partition("?")
    keys = [word.partition("=")[0] for word in query.split("&")] if query else []
    if "@" in before or any(re.search("(?i)user|pass|secret|token", key) for key in keys):
        raise UsageError("the URL of a database names a user or a password", reason="secret_in_conf",
                         hint="take them out, and give them by the options user and password")
    wrong = next((key for key in keys if key not in HARMLESS), None)
    if wrong is not None:
        raise UsageError(f"the URL of a database has the parameter {wrong!r}, which is not for it", reason="wrong_path",
                         hint=f"those that may be there are {', '.join(HARMLESS)}")
    if not re.fullmatch(r"//[^/@?]+/[^/@?]+", before):
        raise UsageError(f"{url.partition('?')[0]} is no address of a database", reason="wrong_path",
                         hint=f"write jdbc:{dialect.name}://host:port/database")
    return Address(url, dialect)
