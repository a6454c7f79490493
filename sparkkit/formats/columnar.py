"""Parquet and ORC: typed files whose footers promise a number of rows; what is read must equal the promise."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import Finding, Format, Land, Scan
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.storage.hadoop import Hadoop



def land(scan: Scan, name: str) -> Land:
    """Lands typed rows. Each file's own schema is looked at first, so that a column that one file lacks is not filled with nulls."""
    heads = _heads(scan, name)
    unreadable = tuple(Finding(file, "unreadable_file", short(error)) for file, error in heads.items()
                       if isinstance(error, Exception))
    files = [file for file, head in heads.items() if not isinstance(head, Exception)]
    findings = _odd_schemas({file: heads[file] for file in files})
    rows = read(scan, name, files)
    data = rows if scan.filter is None else rows.where(scan.filter)
    frame = data.select(F.col("_metadata.file_path").alias(FILE), F.lit(None).cast("string").alias(RAW),
                        F.lit(None).cast(BAD_TYPE).alias(BAD), *[f"`{c}`" for c in data.columns])
    promised = (lambda: footer_rows(scan, name, files)) if scan.filter is None else None
    return Land(frame, rows=lambda: stored_rows(data), promised=promised, findings=findings, unreadable=unreadable)


def read(scan: Scan, name: str, files: list[str]) -> DataFrame:
    """The files as Spark reads them, partition columns of the folder included; columns that only some files have, too."""
    reader = scan.spark.read.option("basePath", scan.root).option("mergeSchema", "true").options(**scan.options)
    return reader.format(name).load(files) if files else scan.spark.createDataFrame([], StructType([]))


def footer_rows(scan: Scan, name: str, files: list[str]) -> int:
    """The rows that the footers promise: a count that reads footers only, in tasks."""
    return scan.spark.read.format(name).load(files).count()


def stored_rows(data: DataFrame) -> int:
    """The rows that are really there: every column of every row is read, so that a count can't be answered by footers."""
    touched = F.count(F.when(F.xxhash64(*[F.col(f"`{c}`") for c in data.columns]).isNotNull(), 1))
    row = data.agg(touched.alias("rows")).first()
    return int(row["rows"]) if row else 0


def _heads(scan: Scan, name: str) -> Mapping[str, Any]:
    if scan.hadoop is None:
        return {file.path: None for file in scan.files}
    return scan.hadoop.each(scan.paths, partial(FOOTERS[name], scan.hadoop))


def _parquet_footer(hadoop: Hadoop, file: str) -> tuple[str, ...]:
    input_file = hadoop.jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(hadoop.path(file), hadoop.conf)
    reader = hadoop.jvm.org.apache.parquet.hadoop.ParquetFileReader.open(input_file)
    try:
        schema = reader.getFileMetaData().getSchema()
        return tuple(str(schema.getFieldName(i)) for i in range(schema.getFieldCount()))
    finally:
        reader.close()


def _orc_footer(hadoop: Hadoop, file: str) -> tuple[str, ...]:
    orc = hadoop.jvm.org.apache.orc.OrcFile
    reader = orc.createReader(hadoop.path(file), orc.readerOptions(hadoop.conf))
    try:
        return tuple(str(name) for name in reader.getSchema().getFieldNames())
    finally:
        reader.close()


FOOTERS: Mapping[str, Callable[[Hadoop, str], tuple[str, ...]]] = {"parquet": _parquet_footer, "orc": _orc_footer}


def _odd_schemas(heads: Mapping[str, Any]) -> tuple[Finding, ...]:
    union = {name for head in heads.values() for name in head or ()}
    lacking = {file: union - set(head or union) for file, head in heads.items()}
    return tuple(Finding(file, "missing_column", f"lacks {', '.join(sorted(names))}")
                 for file, names in lacking.items() if names)


def short(error: Exception) -> str:
    """The first line of an error that came out of the JVM."""
    text = str(getattr(error, "java_exception", error)).strip().splitlines() or [type(error).__name__]
    return text[0][:300]


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of typed rows."""
    return writer.options(**options)


def count(spark: SparkSession, path: str, options: Mapping[str, str], *, name: str) -> int:
    """The rows that the staged footers promise."""
    return spark.read.format(name).option("recursiveFileLookup", "true").load(path).count()


PARQUET = Format("parquet", (".parquet", ".pq"), partial(land, name="parquet"), write, partial(count, name="parquet"))
ORC = Format("orc", (".orc",), partial(land, name="orc"), write, partial(count, name="orc"))
