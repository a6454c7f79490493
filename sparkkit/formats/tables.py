"""Tables: Delta at a path, and tables of the catalog (Hive's, or Delta's by name). A table commits by itself, and
says how many rows its commit holds; what it promises as an input is counted at one version, so that a writer beside
us changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from sparkkit import compat
from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, NotReadyError, UsageError
from sparkkit.formats.base import Format, Land, Scan, spark_path
from sparkkit.formats.columnar import stored_rows
from sparkkit.formats.writing import setting
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop

SETTINGS = "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension"
JARS = "run scripts/setup.sh, which fetches Delta's jars, or name them by spark.jars"


def land_delta(scan: Scan) -> Land:
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
        options = {"versionAsOf": str(_last(scan.spark, _delta(scan.table))["version"])}
    data = scan.spark.read.format("delta").options(**options).load(scan.table)
    return replace(_landed(scan, data), version=f"{scan.table} {options}")


def land_table(scan: Scan) -> Land:
    """Lands a table of the catalog by its name, `schema.table`.

    Raises:
        NotReadyError: there is no such table; the message says what to do where the catalog forgets its tables.
    """
    if not scan.spark.catalog.tableExists(scan.table):
        raise NotReadyError(f"there is no table {scan.table}", reason="input_missing", hint=_catalog_hint(scan.spark))
    return _landed(scan, scan.spark.table(scan.table))


def _landed(scan: Scan, data: DataFrame) -> Land:
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


def _catalog_hint(spark: SparkSession) -> str:
    if compat.is_connect(spark) or spark.conf.get("spark.sql.catalogImplementation", "in-memory") == "hive":
        return "check the name, or wait until it is made"
    return "this session's catalog forgets its tables: set spark.sql.catalogImplementation=hive under [spark] in conf"


def check_delta(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses a Delta target where there is no Delta."""
    need_delta(spark)


def check_table(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses a table in a catalog that would forget it, and one that is there where the mode is `error`.

    Raises:
        UsageError: `forgetful_catalog` or `output_exists`.
    """
    kept = spark.conf.get("spark.sql.catalogImplementation", "in-memory") == "hive" or compat.is_connect(spark)
    if not kept and str(conf.path).count(".") < 2:
        raise UsageError(
            f"table {conf.path} would be forgotten when the session ends: its catalog is in memory",
            reason="forgetful_catalog",
            hint="set spark.sql.catalogImplementation=hive under [spark] in conf",
        )
    if conf.mode == "error" and spark.catalog.tableExists(str(conf.path)):
        raise UsageError(f"table {conf.path} exists and the mode is error", reason="output_exists", hint="--mode overwrite or append")


def commit_delta(spark: SparkSession, frame: DataFrame, conf: OutputConf, path: str) -> tuple[int, list[str]]:
    """Commits a frame to the Delta table at a path; the rows that the commit's own metrics give, and the partitions
    replaced."""
    before, app = _version(spark, path), conf.options.get("txnAppId")
    given = {"userMetadata": "sparkkit", **conf.options}
    replaced: list[str] = []
    done = _version_of(spark, path, app) if app and before >= 0 else None
    if done is not None:
        return _rows_of(spark, path, done), replaced
    writer = frame.write.format("delta")
    if conf.mode == "overwrite_partitions":
        by = list(conf.partition_by) or (_partitions(spark, _delta(path)) if before >= 0 else [])
        _need_partitions(path, by)
        replaced = folders(frame, by)
        writer = writer.mode("overwrite").option("partitionOverwriteMode", "dynamic")
    else:
        writer = writer.mode("append" if conf.mode == "append" else "overwrite" if conf.mode == "overwrite" else "error")
        if conf.mode == "overwrite":
            writer = writer.option("overwriteSchema", "true")
    if conf.partition_by:
        writer = writer.partitionBy(*conf.partition_by)
    writer.options(**given).save(path)
    done = _version_of(spark, path, app) if app else None
    return _committed(spark, path, before, given["userMetadata"]) if done is None else _rows_of(spark, path, done), replaced


def _version_of(spark: SparkSession, path: str, app: str) -> int | None:
    """The version in which an application's number was committed, by the table's log; None where it was not."""
    log = spark.read.schema("txn struct<appId: string>").json(spark_path(f"{path.rstrip('/')}/_delta_log/") + "*.json")
    row = log.where(F.col("txn.appId") == app).select(F.input_file_name()).first()
    return int(str(row[0]).rsplit("/", 1)[1].partition(".")[0]) if row else None


def _rows_of(spark: SparkSession, path: str, version: int) -> int:
    row = spark.sql(f"DESCRIBE HISTORY {_delta(path)}").where(F.col("version") == version).select("operationMetrics").first()
    return int(row[0].get("numOutputRows", 0)) if row else 0


def _committed(spark: SparkSession, path: str, before: int, mark: str) -> int:
    """The rows of our own commit: that which bears our mark, after the version that was there before."""
    history = spark.sql(f"DESCRIBE HISTORY {_delta(path)}").where((F.col("version") > before) & (F.col("userMetadata") == mark))
    rows = [row for row in history.orderBy("version").toLocalIterator() if row["operation"] not in ("OPTIMIZE", "VACUUM END")]
    if not rows:
        raise ContractError(f"the commit to {path} is not in its history", reason="accounting_broken", hint="look at its _delta_log")
    return int(rows[-1]["operationMetrics"].get("numOutputRows", 0))


def commit_table(spark: SparkSession, frame: DataFrame, conf: OutputConf, name: str) -> tuple[int, list[str]]:
    """Writes a frame into a table of the catalog, by column name; the rows that the table gained, and the partitions
    replaced."""
    exists, by = spark.catalog.tableExists(name), list(conf.partition_by)
    replaced: list[str] = []
    if not exists or conf.mode in ("overwrite", "error"):
        writer = frame.write.format(conf.options.get("provider", "parquet")).mode("overwrite" if conf.mode == "overwrite" else "error")
        (writer.partitionBy(*by) if by else writer).saveAsTable(name)
        return spark.table(name).count(), replaced
    columns = [quote(c) for c in spark.table(name).columns]
    told = by or [c.name for c in spark.catalog.listColumns(name) if c.isPartition]
    if conf.mode == "overwrite_partitions":
        _need_partitions(name, told)
        replaced = folders(frame, told)
        with setting(spark, "spark.sql.sources.partitionOverwriteMode", "dynamic"):
            frame.select(*columns).write.insertInto(name, overwrite=True)
        keys = frame.select(*[quote(c) for c in told]).distinct()
        same = [spark_eq(c) for c in told]
        return spark.table(name).alias("t").join(F.broadcast(keys.alias("k")), F.expr(" and ".join(same)), "left_semi").count(), replaced
    before = spark.table(name).count()
    frame.select(*columns).write.insertInto(name, overwrite=False)
    return spark.table(name).count() - before, replaced


def spark_eq(column: str) -> str:
    """SQL text: a column of `t` equals that of `k`, null equal to null."""
    return f"t.{quote(column)} <=> k.{quote(column)}"


def folders(frame: DataFrame, by: list[str]) -> list[str]:
    """The partitions of a frame, as the folders that Hive would name (`dt=2024-01-01`), sorted."""
    found = frame.select(*[F.col(quote(c)).cast("string") for c in by]).distinct().toLocalIterator()
    null = "__HIVE_DEFAULT_PARTITION__"
    return sorted("/".join(f"{c}={null if v is None else v}" for c, v in zip(by, row, strict=True)) for row in found)


def _need_partitions(name: str, by: list[str]) -> None:
    if not by:
        raise UsageError(
            f"{name} has no partitions, and the mode is overwrite_partitions",
            reason="wrong_conf",
            hint="set partition_by, or use --mode overwrite",
        )


def _delta(path: str) -> str:
    return f"delta.{quote(path)}"


def _last(spark: SparkSession, table: str) -> Mapping[str, Any]:
    row = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").first()
    assert row is not None
    return row.asDict()


def is_delta(spark: SparkSession, path: str) -> bool:
    """Whether a Delta table is at a path."""
    if not compat.is_connect(spark):
        return Hadoop.of(spark).exists(f"{path.rstrip('/')}/_delta_log")
    try:
        return bool(_last(spark, _delta(path)))
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


def _version(spark: SparkSession, path: str) -> int:
    """The table's version, -1 where there is none."""
    return int(_last(spark, _delta(path))["version"]) if is_delta(spark, path) else -1


def _partitions(spark: SparkSession, table: str) -> list[str]:
    row = spark.sql(f"DESCRIBE DETAIL {table}").select(F.to_json("partitionColumns").alias("p")).first()
    return list(json.loads(row["p"])) if row else []


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """The writer of a table's staged files is Parquet's; this one is for a frame that goes straight to the table."""
    return writer.options(**options)


def view_table(spark: SparkSession, path: str, options: Mapping[str, str]) -> DataFrame:
    """The table as it is now."""
    return spark.table(path)


DELTA = Format("delta", (), land_delta, write, files=False, check=check_delta, commit=commit_delta)
TABLE = Format("table", (), land_table, write, files=False, check=check_table, commit=commit_table, view=view_table)
