"""A Delta table as what came since a version: the files that commits added, or the rows of its change data feed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, InfrastructureError, NotReadyError, UsageError
from sparkkit.formats import delta_table, deltalog
from sparkkit.formats.deltalog import Stored, Transaction

Versions = tuple[int | None, int]
"""Commits after one version (None: from the table's beginning) up to another, which is one of them."""

FEED = "delta.enableChangeDataFeed"
KINDS = ("_change_type", "_commit_version", "_commit_timestamp")
"""The columns that the change data feed adds."""


def opened(spark: SparkSession, path: str) -> Transaction:
    """The table as it is now: nothing that comes later is seen by who reads up to its version.

    Raises:
        UsageError: the session has no Delta.
        NotReadyError: there is no table.
    """
    delta_table.need_delta(spark)
    if not delta_table.is_delta(spark, path):
        raise NotReadyError(f"no Delta table is at {path}", reason="input_missing", hint="check the path, or wait for it")
    return Transaction(spark, path)


def added(table: Transaction, stretches: Sequence[Versions]) -> tuple[DataFrame, int]:
    """The rows that were added in these versions, and are all still there; and the last version that added any.

    Raises:
        ContractError: rows were removed or changed since the first of them (`rows_removed`).
        InfrastructureError: the log has one of the versions no longer (`log_expired`).
    """
    starts = [high if low is None else low for low, high in stretches]
    files: list[Stored] = []
    last = max((high for low, high in stretches if low is None), default=-1)
    for version in range(min(starts, default=table.version) + 1, table.version + 1):
        wanted = any(low is not None and low < version <= high for low, high in stretches)
        found = table.told(_adds(table, version, wanted))
        files, last = [*files, *found], max(last, version if found else -1)
    whole = [_at(table, high) for low, high in stretches if low is None]
    return reduce(DataFrame.unionAll, [*whole, table.rows_of(files)] if files or not whole else whole), last


def _adds(table: Transaction, version: int, wanted: bool) -> Iterator[str]:
    done = deltalog.actions(table.spark, table.path, version)
    if done is None:
        raise InfrastructureError(f"version {version} of {table.path} is not in its log any more", reason="log_expired",
                                  hint="read all again with --full, and run more often than delta.logRetentionDuration")
    for kind, content, line in done:
        if kind == "remove" and content.get("dataChange", True):
            raise ContractError(f"version {version} of {table.path} removed or changed rows that were read",
                                reason="rows_removed", hint='set incremental = "changes", or read all again with --full')
        if wanted and kind == "add" and content.get("dataChange", True):
            yield line


def changes(table: Transaction, stretches: Sequence[Versions]) -> DataFrame:
    """What happened to rows in these versions, with `KINDS`; a table's beginning is an insert of all that it held. What a row was
    before an update is left out.

    Raises:
        UsageError: the table keeps no change data feed (`no_change_feed`).
    """
    if (table.property(FEED) or "").lower() != "true":
        raise UsageError(f"{table.path} keeps no change data feed", reason="no_change_feed",
                         hint=f"ALTER TABLE delta.`{table.path}` SET TBLPROPERTIES ('{FEED}' = 'true')")
    frames = [_first(table, high) if low is None else _feed(table, low, high) for low, high in stretches]
    return reduce(DataFrame.unionByName, frames) if frames else _first(table, table.version).where(F.lit(False))


def _feed(table: Transaction, low: int, high: int) -> DataFrame:
    reader = table.spark.read.format("delta").option("readChangeFeed", "true")
    found = reader.option("startingVersion", low + 1).option("endingVersion", high).load(table.path)
    return found.where("_change_type != 'update_preimage'")


def _first(table: Transaction, version: int) -> DataFrame:
    history = table.spark.sql(f"DESCRIBE HISTORY {delta_table.named(table.path)}").where(F.col("version") == version)
    row = history.select(F.col("timestamp").cast("string").alias("at")).first()
    at = F.lit(row["at"] if row else None).cast("timestamp")
    return _at(table, version).withColumns(dict(zip(KINDS, (F.lit("insert"), F.lit(version).cast("long"), at), strict=True)))


def _at(table: Transaction, version: int) -> DataFrame:
    return table.spark.read.format("delta").option("versionAsOf", version).load(table.path)
