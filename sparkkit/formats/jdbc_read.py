"""Rows out of a database: by several queries at once, of one state of it where it can show one to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, NotReadyError, UsageError, nearest
from sparkkit.formats.base import Land, Scan
from sparkkit.formats.jdbc_connection import Database, credentials, own, zone
from sparkkit.formats.jdbc_dialects import POSTGRESQL, Address, Column, Sqlite, address, named, parts, quoted
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.types import quote

OPTIONS = ("table", "query", "user", "password", "partition_column", "lower_bound", "upper_bound", "partitions", "fetch_size", "snapshot")
"""What an input may be given."""

FETCH = 5000
"""Rows that are asked for at once; without a number PostgreSQL's driver takes all of them into memory."""

NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double")


@dataclass(frozen=True)
class Relation:
    """A table or query: `source` is SQL after `FROM`, `kinds` are Spark's types by column, `named` says it to a person; `texts` are
    columns that come as texts, which Spark casts."""

    source: str
    named: str
    columns: tuple[Column, ...]
    kinds: Mapping[str, str]
    texts: frozenset[str] = frozenset()

    def asked(self, column: Column) -> str:
        """The type of Spark's that a column comes as."""
        return "string" if column.name in self.texts else self.kinds[column.name]

    def select(self, address: Address) -> str:
        """SQL: each column as its type of Spark's, under a name that Spark can quote."""
        read, pairs = address.dialect.read, zip(self.columns, self.places, strict=True)
        shown = (f"{read(c, self.asked(c))} AS {quoted(place)}" for c, place in pairs)
        return f"(SELECT {', '.join(shown)} FROM {self.source}) AS q"

    @property
    def places(self) -> tuple[str, ...]:
        """The names for Spark, which puts double quotes around them and does not double those within."""
        return tuple(f"_sparkkit_c{i}" if '"' in c.name else c.name for i, c in enumerate(self.columns))


def land(scan: Scan) -> Land:
    """Lands a table or the rows of a query. In PostgreSQL all is read in one snapshot, whose number of rows is promised.

    Raises:
        UsageError: settings that don't fit together, a URL or a user that is refused.
        NotReadyError: there is no such table, or file.
        ContractError: values that are none of their column's type (SQLite).
        InfrastructureError: no server answers.
    """
    found, options = address(scan.table), scan.options
    refuse_options(options, OPTIONS, "an input from a database")
    if found.file and not Path(found.file).is_file():
        raise NotReadyError(f"there is no file {found.file}", reason="input_missing", hint="check the path, or wait until it is there")
    base = Database(scan.spark, found, options)
    try:
        snapshot = _begin(scan.spark, base, options)
        relation = _relation(base, options)
        data = _frame(scan.spark, base, relation, options, snapshot)
    except BaseException:
        base.close()
        raise
    rows = data if scan.filter is None else data.where(scan.filter)
    frame = rows.select(
        F.lit(f"{found.url.partition('?')[0]} {relation.named}").alias(FILE),
        F.lit(None).cast("string").alias(RAW),
        F.lit(None).cast(BAD_TYPE).alias(BAD),
        *[F.col(quote(c)) for c in rows.columns],
    )
    promise = snapshot is not None and scan.filter is None
    return Land(frame, rows=rows.count, promised=(lambda: counted(base, relation)) if promise else None, close=base.close)


def counted(base: Database, relation: Relation) -> int:
    """The rows of a relation, as the driver's own transaction sees it."""
    return int(base.value(f"SELECT count(*) FROM {relation.source}") or 0)


def refuse_options(options: Mapping[str, str], known: tuple[str, ...], what: str) -> None:
    """Refuses an option that is not known, or not set to something.

    Raises:
        UsageError: `bad_option`.
    """
    for name, value in options.items():
        if name not in known:
            close = nearest(name, known)
            raise UsageError(f"{what} has no option {name!r}", reason="bad_option",
                             hint=f"did you mean {close!r}?" if close else f"the options are {', '.join(known)}")
        if name not in ("user", "password") and not value.strip():
            raise UsageError(f"the option {name} of {what} is empty", reason="bad_option", hint="give it a value, or leave it out")


def _begin(spark: SparkSession, base: Database, options: Mapping[str, str]) -> str | None:
    """Begins the transaction whose state all tasks see; the snapshot's name, None where there is none."""
    if base.address.dialect is not POSTGRESQL:
        return None
    base.run(zone(_zone(spark)))
    if options.get("snapshot", "true") != "true":
        return None
    base.java.setAutoCommit(False)
    base.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    base.run("SET LOCAL idle_in_transaction_session_timeout = 0")
    return base.value("SELECT pg_export_snapshot()")


def _zone(spark: SparkSession) -> str:
    return str(spark.conf.get("spark.sql.session.timeZone"))


def _relation(base: Database, options: Mapping[str, str]) -> Relation:
    table, query = options.get("table"), options.get("query")
    if bool(table) == bool(query):
        raise UsageError("an input from a database is a table or a query", reason="wrong_conf", hint="set options.table, or options.query")
    source = named(parts(table)) if table else f"({str(query).strip().rstrip(';')}\n) AS given"
    columns = tuple(base.columns(source, f"the table {table}" if table else "the query"))
    _refuse_names(columns)
    kinds = {c.name: base.address.dialect.spark_type(c) for c in columns}
    texts = frozenset(name for name, kind in kinds.items() if kind == "timestamp_ntz" and _moving(base))
    found = Relation(source, table or "query", columns, kinds, texts)
    if isinstance(base.address.dialect, Sqlite):
        _refuse_odd(base, base.address.dialect, found)
    return found


def _moving(base: Database) -> bool:
    """Whether the JVM is in a zone whose clocks were ever changed: the driver shifts a time that the zone leaves out."""
    return not base.jvm.java.time.ZoneId.systemDefault().getRules().isFixedOffset()


def _is_fixed(base: Database, name: str) -> bool:
    """Whether a zone has every hour once: a time as text means one moment there."""
    return bool(base.jvm.java.time.ZoneId.of(name).getRules().isFixedOffset())


def _refuse_names(columns: tuple[Column, ...]) -> None:
    names = [c.name.lower() for c in columns]
    twice = next((c.name for c in columns if names.count(c.name.lower()) > 1), None)
    if twice:
        raise UsageError(f"there are two columns {twice!r}, which Spark can't tell apart", reason="column_twice",
                         hint="give a query that names them")


def _refuse_odd(base: Database, dialect: Sqlite, relation: Relation) -> None:
    """SQLite keeps a text in a column of numbers, which its driver would read as 0."""
    asked = {c.name: odd for c in relation.columns if (odd := dialect.odd(c, relation.kinds[c.name]))}
    counts = ", ".join(f"count(CASE WHEN {odd} THEN 1 END)" for odd in asked.values())
    found = base.query(f"SELECT {counts} FROM {relation.source}")[0] if asked else ()
    for name, rows in zip(asked, found, strict=True):
        if rows != "0":
            raise ContractError(f"{rows} values of column {name!r} of {relation.named} are no {relation.kinds[name]}, as it declares",
                                reason="schema_mismatch", hint=f"mend them, or give a query with CAST({quoted(name)} AS TEXT)")


def reader_options(base: Database, options: Mapping[str, str]) -> dict[str, str]:
    """What Spark's own reader and writer need to connect."""
    return {"url": base.address.url, "driver": base.address.dialect.driver, **own(base.address), **credentials(options)}


def _frame(spark: SparkSession, base: Database, relation: Relation, options: Mapping[str, str], snapshot: str | None) -> DataFrame:
    pairs = zip(relation.places, relation.columns, strict=True)
    typed = ", ".join(f"{quote(place)} {relation.asked(c).upper()}" for place, c in pairs)
    given = reader_options(base, options) | {"dbtable": relation.select(base.address), "customSchema": typed}
    given["fetchsize"] = str(_whole("fetch_size", options.get("fetch_size", str(FETCH)), 1))
    if base.address.dialect is POSTGRESQL:
        first = zone(_zone(spark))
        # else Spark writes a filter's times in the zone of the JVM, and the database reads them in that of the session
        spark.conf.set("spark.sql.datetime.java8API.enabled", "true")
        given["pushDownPredicate"] = str("timestamp" not in relation.kinds.values() or _is_fixed(base, _zone(spark))).lower()
        shared = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'; "
        given["sessionInitStatement"] = (shared if snapshot else "") + first
    data = spark.read.format("jdbc").options(**given, **_partitions(base, relation, options)).load()
    names = tuple(c.name for c in relation.columns)
    data = data if names == relation.places else data.toDF(*names)
    return data.withColumns({name: F.col(quote(name)).cast(relation.kinds[name]) for name in relation.texts}) if relation.texts else data


def _partitions(base: Database, relation: Relation, options: Mapping[str, str]) -> dict[str, str]:
    """Spark's options of a read by several queries; rows without a value of the column are in the first."""
    asked = [name for name in ("lower_bound", "upper_bound", "partitions") if name in options]
    column = options.get("partition_column")
    if column is None:
        if asked:
            raise UsageError(f"the option {asked[0]} says nothing without partition_column", reason="wrong_conf", hint="set both, or none")
        return {}
    if column not in relation.kinds:
        raise UsageError(f"partition_column is {column!r}, which {relation.named} does not have", reason="wrong_conf",
                         hint=f"its columns are {', '.join(relation.kinds)}")
    kind = relation.kinds[column]
    number = kind in NUMBERS or kind.startswith("decimal")
    if not number and kind not in ("date", "timestamp", "timestamp_ntz"):
        raise UsageError(f"partition_column {column!r} is {kind}, which has no even parts", reason="wrong_conf",
                         hint="choose a column of numbers, dates or times")
    cores = str(base.jvm.org.apache.spark.SparkContext.getOrCreate().defaultParallelism())
    parted = _whole("partitions", options.get("partitions", cores), 1)
    if column in relation.texts:
        raise UsageError(f"partition_column {column!r} has times without a zone, and this machine's zone changes its clocks",
                         reason="wrong_conf", hint="set TZ=UTC for the run, or choose another column")
    low, high = _bounds(base, relation, column, kind, options)
    if low is None or high is None or parted == 1:
        return {}
    place = relation.places[[c.name for c in relation.columns].index(column)]
    low, high = (_rounded(low, "lower_bound", -1), _rounded(high, "upper_bound", 1)) if number else (low, high)
    if low == high:
        return {}
    return {"partitionColumn": place, "lowerBound": low, "upperBound": high, "numPartitions": str(parted)}


def _bounds(base: Database, relation: Relation, column: str, kind: str, options: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The column's least and greatest value as texts, where they are not given."""
    given = options.get("lower_bound"), options.get("upper_bound")
    if None not in given:
        return given
    name = quoted(column)
    shown = "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')" if kind.startswith("timestamp") else "{}"
    odd = kind in ("float", "double") and base.address.dialect is POSTGRESQL
    finite = f" WHERE {name} NOT IN ('NaN', 'Infinity', '-Infinity')" if odd else ""
    low, high = base.query(f"SELECT {shown.format(f'min({name})')}, {shown.format(f'max({name})')} FROM {relation.source}{finite}")[0]
    return given[0] or low, given[1] or high


def _rounded(text: str, option: str, away: int) -> str:
    """A bound as the whole number that Spark takes, beside the value and away from the middle."""
    try:
        value = Decimal(text.strip())
        whole = int(value.to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        raise UsageError(f"{option} is {text!r}, expected a number", reason="bad_option") from None
    return str(whole if whole == value else whole + away)


def _whole(option: str, text: str, least: int) -> int:
    if not text.strip().isdigit() or int(text) < least:
        raise UsageError(f"the option {option} is {text!r}, expected a whole number from {least}", reason="bad_option")
    return int(text)


def view(spark: SparkSession, path: str, options: Mapping[str, str]) -> DataFrame:
    """The rows of an output's table as they are now; `path` is the URL, `#`, and the table."""
    url, _, table = path.partition("#")
    known = {key: options[key] for key in ("user", "password") if key in options}
    base = Database(spark, address(url), known)
    try:
        return _frame(spark, base, _relation(base, {"table": table}), known, None)
    finally:
        base.close()


