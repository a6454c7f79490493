"""The Delta table at a path: whether it is there, what it is, and its rows as an input, which are counted at one version, so
that a writer beside us changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from sparkkit import compat
from sparkkit.errors import NotReadyError, UsageError
from sparkkit.formats.base import Land, Scan, spark_path
from sparkkit.formats.columnar import stored_rows
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.increments import HIVE_NULL

SETTINGS = "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension"
JARS = "run scripts/setup.sh, which fetches Delta's jars, or name them by spark.jars"


def land(scan: Scan) -> Land:
    """Lands a Delta table at its version of now (or at the option `versionAsOf`); its log promises the rows.

    Raises:
        UsageError: the session has no Delta (`missing_jar`), or can't know the path (`wrong_path`).
        NotReadyError: there is no table (`input_missing`).
    """
    need_delta(scan.spark)
    need_full(scan.spark, scan.table)
    if not is_delta(scan.spark, scan.table):
        raise NotReadyError(f"no Delta table is at {scan.table}", reason="input_missing", hint="check the path, or wait for it")
    options = {k: v for k, v in scan.options.items() if k in ("versionAsOf", "timestampAsOf")}
    if not options:
        options = {"versionAsOf": str(last(scan.spark, named(scan.table))["version"])}
    data = scan.spark.read.format("delta").options(**options).load(scan.table)
    return replace(landed(scan, data), version=f"{scan.table} {identity(scan.spark, scan.table)} {options}")


def identity(spark: SparkSession, path: str) -> str:
    """What tells the table at a path from one that is made there anew, whose versions begin again."""
    row = spark.sql(f"DESCRIBE DETAIL {named(path)}").select("id").first()
    return str(row["id"]) if row else ""


def landed(scan: Scan, data: DataFrame) -> Land:
    """A table's rows as an input."""
    rows = data if scan.filter is None else data.where(scan.filter)
    frame = rows.select(
        F.input_file_name().alias(FILE),
        F.lit(None).cast("string").alias(RAW),
        F.lit(None).cast(BAD_TYPE).alias(BAD),
        *[F.col(quote(c)) for c in rows.columns],
    )
    return Land(frame, rows=lambda: stored_rows(rows), promised=data.count if scan.filter is None else None)


def has_delta(spark: SparkSession) -> bool:
    """Whether the session, or its Spark Connect server, was started with Delta."""
    return "io.delta" in str(spark.conf.get("spark.sql.extensions", "") or "")


def need_delta(spark: SparkSession) -> None:
    """Refuses where the session was started without Delta.

    Raises:
        UsageError: with how to get it (`missing_jar`).
    """
    if not has_delta(spark):
        raise no_delta(spark)


def need_full(spark: SparkSession, path: str) -> None:
    """Refuses a path that is relative to a folder of ours, of which a Spark Connect server knows nothing.

    Raises:
        UsageError: with an example (`wrong_path`).
    """
    if compat.is_connect(spark) and not re.match(r"/|[a-zA-Z][a-zA-Z0-9+.-]*:", path):
        raise UsageError(f"{path} is a relative path, and Spark Connect's server has another folder", reason="wrong_path",
                         hint="write it whole, such as /data/x or s3a://bucket/x")


def no_delta(spark: SparkSession) -> UsageError:
    """The error that says how to get Delta."""
    if compat.is_connect(spark):
        hint = f"start it with {SETTINGS} and with Delta's jars"
        return UsageError("the Spark Connect server has no Delta", reason="missing_jar", hint=hint)
    hint = f"--set inputs.NAME.format=delta (or --output-format delta) starts one with it; {JARS}"
    return UsageError("this session has no Delta", reason="missing_jar", hint=hint)


def folders(frame: DataFrame, by: list[str]) -> list[str]:
    """The partitions of a frame, as the folders that Hive would name (`dt=2024-01-01`), sorted."""
    found = frame.select(*[F.col(quote(c)).cast("string") for c in by]).distinct().toLocalIterator()
    return sorted("/".join(f"{c}={HIVE_NULL if v is None else v}" for c, v in zip(by, row, strict=True)) for row in found)


def need_partitions(name: str, by: Sequence[str]) -> None:
    """Refuses to replace partitions where there are none.

    Raises:
        UsageError: with what to do (`wrong_conf`).
    """
    if not by:
        raise UsageError(
            f"{name} has no partitions, and the mode is overwrite_partitions",
            reason="wrong_conf",
            hint="set partition_by, or use --mode overwrite",
        )


def named(path: str) -> str:
    """The table at a path, as SQL names it."""
    return f"delta.{quote(path)}"


def last(spark: SparkSession, table: str) -> Mapping[str, Any]:
    """The newest commit of a table, as its history tells it."""
    row = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").first()
    assert row is not None
    return row.asDict()


def is_delta(spark: SparkSession, path: str) -> bool:
    """Whether a Delta table is at a path."""
    if not compat.is_connect(spark):
        return Hadoop.of(spark).exists(f"{path.rstrip('/')}/_delta_log")
    try:
        return bool(last(spark, named(path)))
    except Exception as error:
        if re.search("`HISTORY`|catalog plugin class", str(error)):  # its settings name Delta, and its jars are not there
            raise no_delta(spark) from error
        if re.search("is not a Delta table|DELTA_TABLE_NOT_FOUND|DELTA_PATH_DOES_NOT_EXIST", str(error)):
            return False
        raise


def is_taken(spark: SparkSession, path: str) -> bool:
    """Whether any file, or a folder, is at a path, by the word of a Connect server."""
    try:
        return bool(spark.read.format("binaryFile").load(spark_path(path)).columns)
    except Exception as error:
        if "PATH_NOT_FOUND" in str(error):
            return False
        raise


def version(spark: SparkSession, path: str) -> int:
    """The table's version, -1 where there is none."""
    return int(last(spark, named(path))["version"]) if is_delta(spark, path) else -1


def partitions(spark: SparkSession, path: str) -> tuple[str, ...]:
    """The columns that the table at a path is partitioned by."""
    row = spark.sql(f"DESCRIBE DETAIL {named(path)}").select(F.to_json("partitionColumns").alias("p")).first()
    return tuple(json.loads(row["p"])) if row else ()


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """The writer of a table's staged files is Parquet's; this one is for a frame that goes straight to the table."""
    return writer.options(**options)
