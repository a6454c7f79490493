"""Tables of the catalog, by name (Hive's, or Delta's). A table commits by itself; what it holds afterwards is counted."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from sparkkit import compat
from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, NotReadyError, UsageError
from sparkkit.formats.base import Commit, Committed, Format, Land, Scan
from sparkkit.formats.beside import ADDING, typed
from sparkkit.formats.delta_table import folders, landed, need_partitions, write
from sparkkit.formats.writing import setting
from sparkkit.schema.types import quote


def resolved(spark: SparkSession, name: str) -> tuple[str, ...]:
    """Catalog, schema and table of a name, as the session takes it; small letters."""
    parts = [p[1:-1].replace("``", "`") if p[0] == "`" else p for p in re.findall(r"`(?:[^`]|``)+`|[^.`]+", name.lower())]
    if len(parts) == 1:
        parts = [str(spark.catalog.currentDatabase()).lower(), *parts]
    if len(parts) == 2:
        parts = [str(spark.catalog.currentCatalog()).lower(), *parts]
    return tuple(parts)


def spellings(spark: SparkSession, name: str) -> list[str]:
    """How the same table may be named in this session: as it was given, then the usual way, then the others; small letters."""
    whole = resolved(spark, name)
    short = whole[1:] if whole[:1] == (str(spark.catalog.currentCatalog()).lower(),) else whole
    least = short[1:] if short[:-1] == (str(spark.catalog.currentDatabase()).lower(),) else short
    return [name.replace("`", "").lower(), *(".".join(parts) for parts in (short, whole, least))]


def land_table(scan: Scan) -> Land:
    """Lands a table of the catalog by its name, `schema.table`.

    Raises:
        NotReadyError: there is no such table; the message says what to do where the catalog forgets its tables.
    """
    if not scan.spark.catalog.tableExists(scan.table):
        raise NotReadyError(f"there is no table {scan.table}", reason="input_missing", hint=_catalog_hint(scan.spark))
    return landed(scan, scan.spark.table(scan.table))


def _catalog_hint(spark: SparkSession) -> str:
    if compat.is_connect(spark) or spark.conf.get("spark.sql.catalogImplementation", "in-memory") == "hive":
        return "check the name, or wait until it is made"
    return "this session's catalog forgets its tables: set spark.sql.catalogImplementation=hive under [spark] in conf"


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


def fits_table(frame: DataFrame, conf: OutputConf, name: str) -> None:
    """Refuses columns or types other than the table's, where rows are added: a column would be left out, a value converted.

    Raises:
        ContractError: `schema_changed`, with every difference.
    """
    spark = frame.sparkSession
    if conf.mode not in ADDING or not spark.catalog.tableExists(name):
        return
    found = list(typed(_lower(frame.schema), _lower(spark.table(name).schema)))
    if found:
        raise ContractError(f"the frame does not fit the table {name}: {'; '.join(found)}", reason="schema_changed",
                            hint="change the job, or write to another table")


def _lower(schema: StructType) -> StructType:
    """With names as a catalog compares them."""
    return StructType([StructField(f.name.lower(), f.dataType) for f in schema.fields])


def judge_table(frame: DataFrame, conf: OutputConf, name: str, _how: Commit) -> None:
    """Refuses before a run's decision what the commit would refuse after it.

    Raises:
        UsageError: the table has no partitions to replace.
        ContractError: it has a column that the frame lacks.
    """
    spark = frame.sparkSession
    if conf.mode in ("overwrite", "error") or not spark.catalog.tableExists(name):
        return
    if conf.mode == "overwrite_partitions":
        need_partitions(name, partitions(spark, conf, name))
    here = {c.lower() for c in frame.columns}
    missing = [c for c in spark.table(name).columns if c.lower() not in here]
    if missing:
        raise ContractError(f"the table {name} has columns that the frame lacks: {', '.join(missing)}", reason="schema_changed",
                            hint="change the job, or write to another table")


def partitions(spark: SparkSession, conf: OutputConf, name: str) -> list[str]:
    """The partition columns of the table of a name, or of the one that will be there."""
    there = not conf.partition_by and spark.catalog.tableExists(name)
    return [c.name for c in spark.catalog.listColumns(name) if c.isPartition] if there else list(conf.partition_by)


def commit_table(frame: DataFrame, conf: OutputConf, name: str, how: Commit) -> Committed:
    """Writes a frame into a table of the catalog, by column name; the rows that the table gained, and the partitions
    replaced."""
    rows, replaced = _commit(frame.sparkSession, frame, conf, name)
    return Committed({"inserted": rows}, tuple(replaced))


def _commit(spark: SparkSession, frame: DataFrame, conf: OutputConf, name: str) -> tuple[int, list[str]]:
    exists, by = spark.catalog.tableExists(name), list(conf.partition_by)
    replaced: list[str] = []
    if not exists or conf.mode in ("overwrite", "error"):
        writer = frame.write.format(conf.options.get("provider", "parquet")).mode("overwrite" if conf.mode == "overwrite" else "error")
        (writer.partitionBy(*by) if by else writer).saveAsTable(name)
        return spark.table(name).count(), replaced
    columns = [quote(c) for c in spark.table(name).columns]
    told = partitions(spark, conf, name)
    if conf.mode == "overwrite_partitions":
        need_partitions(name, told)
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


def view_table(spark: SparkSession, path: str, options: Mapping[str, str]) -> DataFrame:
    """The table as it is now."""
    return spark.table(path)


FORMAT = Format("table", (), land_table, write, files=False, check=check_table, fits=fits_table, partitions=partitions, judge=judge_table,
                commit=commit_table, view=view_table)
