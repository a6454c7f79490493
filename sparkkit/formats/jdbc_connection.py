"""The driver's own connection to a database, through the JVM's `java.sql`; and what its errors mean."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pyspark.sql import SparkSession

from sparkkit import compat, redaction
from sparkkit.errors import ContractError, InfrastructureError, NotReadyError, SparkkitError, UsageError
from sparkkit.formats.jdbc_dialects import POSTGRESQL, SQLITE, Address, Column

Row = tuple[str | None, ...]

STATES: tuple[tuple[str, type[SparkkitError], str, str], ...] = (
    ("42501", UsageError, "access_denied", "give the user the right to it"),
    ("42P01|42S02", NotReadyError, "input_missing", "check the name, or wait until it is made"),
    ("28", UsageError, "access_denied", "check the options user and password, and what the server allows"),
    ("3D|3F", UsageError, "wrong_path", "check the name of the database or schema"),
    ("22|23|44", ContractError, "refused_by_database", "mend the rows in the job, or let the contract quarantine them"),
    ("0A|42|2[0-9A-Z]", UsageError, "wrong_conf", "check the table, the query and the filter"),
    ("", InfrastructureError, "database", "run again when the database is back"),
)
"""What a database's error means, by the beginning of its SQLSTATE; the first that fits."""

CODES: Mapping[int, tuple[type[SparkkitError], str, str]] = {
    1: (UsageError, "wrong_conf", "check the table, the query and the filter"),
    8: (UsageError, "access_denied", "give the user the right to write the file and its folder"),
    13: (InfrastructureError, "disk_full", "free space, and run again"),
    14: (UsageError, "wrong_path", "check the file and the rights to its folder"),
    19: (ContractError, "refused_by_database", "mend the rows in the job, or let the contract quarantine them"),
    20: (ContractError, "refused_by_database", "mend the rows in the job, or let the contract quarantine them"),
    26: (UsageError, "wrong_path", "name a file of SQLite"),
}
"""The same for SQLite, by its code; others are of the infrastructure."""


class Database:
    """One connection. Statements are each their own transaction, but within `transaction`."""

    def __init__(self, spark: SparkSession, address: Address, options: Mapping[str, str]) -> None:
        """Connects.

        Raises:
            UsageError: there is no driver (`missing_jar`), or the server does not know the user; also on Spark Connect.
            InfrastructureError: no server answers.
        """
        if compat.is_connect(spark):
            raise UsageError("databases need the driver's own JVM, which is not there over Spark Connect", reason="connect_no_jdbc",
                             hint="run on a classic session")
        self.address = address
        jvm: Any = spark._jvm
        self.jvm = jvm
        properties: Any = self.jvm.java.util.Properties()
        for key, value in {**credentials(options), **own(address)}.items():
            properties.setProperty(key, value)
        with self._telling(f"{address.url.partition('?')[0]} can't be reached"):
            self.java = self._driver().connect(address.url, properties)

    def _driver(self) -> Any:
        node: Any = self.jvm
        for name in self.address.dialect.driver.split("."):
            node = getattr(node, name)
        try:
            return node()
        except TypeError as error:  # a name that is no class is a package
            name = self.address.dialect.name
            raise UsageError(f"this session has no driver of {name}", reason="missing_jar",
                             hint=f"{jar_hint(name)}; a conf that names the URL's format (jdbc) starts the session with it") from error

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            found = explained(error, what)
            if found is None:
                raise
            raise found from None  # what Java says more may hold values of rows

    def query(self, sql: str, *values: str | int | None) -> list[Row]:
        """The rows of a query, as texts."""
        with self._telling("the database refuses a question"):
            statement = self._prepared(sql, values)
            try:
                rows = statement.executeQuery()
                width = rows.getMetaData().getColumnCount()
                found = list[Row]()
                while rows.next():
                    found.append(tuple(rows.getString(i + 1) for i in range(width)))
                return found
            finally:
                statement.close()

    def value(self, sql: str, *values: str | int | None) -> str | None:
        """The first value of the first row, None where there is none."""
        found = self.query(sql, *values)
        return found[0][0] if found else None

    def run(self, sql: str, *values: str | int | None, what: str = "the database refuses a statement") -> int:
        """Executes a statement; the rows that it changed."""
        with self._telling(what):
            statement = self._prepared(sql, values)
            try:
                return 0 if statement.execute() else max(0, int(statement.getLargeUpdateCount()))
            finally:
                statement.close()

    def _prepared(self, sql: str, values: tuple[str | int | None, ...]) -> Any:
        statement = self.java.prepareStatement(sql)
        for i, value in enumerate(values):
            if isinstance(value, int):
                statement.setLong(i + 1, value)
            else:
                statement.setString(i + 1, value)
        return statement

    def columns(self, relation: str, what: str = "the table") -> list[Column]:
        """The columns of what a query selects from, by its own metadata; nothing is read."""
        with self._telling(f"{what} can't be read"):
            statement = self.java.prepareStatement(f"SELECT * FROM {relation} WHERE 1 = 0")
            try:
                told = statement.getMetaData()
                return [Column(str(told.getColumnLabel(i)), str(told.getColumnTypeName(i)).strip('"').lower(), told.getPrecision(i),
                               told.getScale(i)) for i in range(1, told.getColumnCount() + 1)]
            finally:
                statement.close()

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """All or nothing; what fails, and what is not to be kept, is rolled back."""
        self.java.setAutoCommit(False)
        try:
            yield
            with self._telling("the database refuses the commit"):
                self.java.commit() if keep else self.java.rollback()
        except BaseException:
            with suppress(Exception):
                self.java.rollback()
            raise
        finally:
            with suppress(Exception):
                self.java.setAutoCommit(True)

    def close(self) -> None:
        """Ends the connection; one that is gone already is fine."""
        with suppress(Exception):
            self.java.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def jar_hint(name: str) -> str:
    """How a person gets a driver."""
    return f"run .venv/bin/python scripts/jars.py {name} in the checkout, or put its jar into SPARKKIT_JARS"


def credentials(options: Mapping[str, str]) -> dict[str, str]:
    """User and password, where they are given."""
    return {key: options[key] for key in ("user", "password") if options.get(key)}


def own(address: Address) -> dict[str, str]:
    """What a connection of ours asks for beside: patience, and its name in the server's list."""
    if address.dialect is POSTGRESQL:
        return {"connectTimeout": "20", "tcpKeepAlive": "true", "ApplicationName": "sparkkit"}
    return {"busy_timeout": "30000", "transaction_mode": "IMMEDIATE"} if address.dialect is SQLITE else {}


def explained(error: BaseException, what: str) -> SparkkitError | None:
    """A database's error in one sentence; None for another error. `what` says what was tried."""
    java = getattr(error, "java_exception", None)
    while java is not None and not _is_sql(java):
        java = java.getCause()
    if java is None:
        return None
    first = redaction.redact((str(java.getMessage() or "").strip().splitlines() or ["it says nothing"])[0][:300])
    if "SQLite" in str(java.getClass().getName()):
        code = int(java.getErrorCode()) & 0xFF
        kind, reason, hint = CODES.get(code, (InfrastructureError, "database", "run again when nobody else writes there"))
        if code == 1 and "no such table" in first:
            kind, reason, hint = NotReadyError, "input_missing", "check the name, or wait until it is made"
    else:
        state = str(java.getSQLState() or "")
        kind, reason, hint = next((k, r, h) for pattern, k, r, h in STATES if re.match(pattern, state))
    return kind(f"{what} ({first})", reason=reason, hint=hint)


def _is_sql(java: Any) -> bool:
    kind = java.getClass()
    while kind is not None:
        if kind.getName() == "java.sql.SQLException":
            return True
        kind = kind.getSuperclass()
    return False


def zone(name: str) -> str:
    """SQL of PostgreSQL: the session's zone is this one of Spark's, so that a time in a filter is the same time.

    >>> print(zone("UTC"), "|", zone("+05:30"), "|", zone("GMT-3"))
    SET TIME ZONE 'UTC' | SET TIME ZONE INTERVAL '+05:30' HOUR TO MINUTE | SET TIME ZONE INTERVAL '-03:00' HOUR TO MINUTE
    """
    found = re.fullmatch(r"(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d\d))?", name)
    if found:
        return f"SET TIME ZONE INTERVAL '{found[1]}{int(found[2]):02}:{found[3] or '00'}' HOUR TO MINUTE"
    return f"SET TIME ZONE '{'UTC' if name == 'Z' else name.replace(chr(39), '')}'"


def tries(seconds: float, pause: float = 0.5) -> Iterator[int]:
    """Numbers of tries for some seconds, with a pause before each but the first."""
    until, n = time.monotonic() + seconds, 0
    while not n or time.monotonic() < until:
        if n:
            time.sleep(pause)
        n += 1
        yield n
