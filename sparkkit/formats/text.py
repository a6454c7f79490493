"""Text: one row a line, in the column `value`; bytes that are not the declared encoding are findings, not characters."""
from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from sparkkit import compat
from sparkkit.errors import UsageError
from sparkkit.formats.base import Format, Land, Scan
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW

ENCODINGS = {"utf-8": "UTF-8", "utf8": "UTF-8", "latin-1": "ISO-8859-1", "iso-8859-1": "ISO-8859-1"}


def lines(scan: Scan) -> DataFrame:
    """FILE and `value`: the physical lines of the files, split at LF, CRLF or CR, bytes as they are."""
    frame = scan.spark.read.text(scan.paths)
    return frame.select(F.col("_metadata.file_path").alias(FILE), F.col("value"))


def encoding(options: Mapping[str, str]) -> str:
    """The Java name of the encoding option; one that can't be read line by line is refused by name."""
    given = options.get("encoding", "utf-8")
    if given.lower() not in ENCODINGS:
        raise UsageError(f"encoding {given!r} is not read", reason="unknown_encoding", hint="utf-8 and latin-1 are")
    return ENCODINGS[given.lower()]


def bad(reason: str, rule: str) -> Column:
    """A BAD value with a reason and a rule."""
    return F.struct(F.lit(reason).alias("reason"), F.lit(rule).alias("rule")).cast(BAD_TYPE)


def land(scan: Scan) -> Land:
    """Lands lines as they are; a line that is not UTF-8 is `invalid_encoding`."""
    raw = lines(scan)
    if encoding(scan.options) == "UTF-8":
        wrong = F.when(~compat.valid_utf8(F.col("value")), bad("invalid_encoding", "the line is not UTF-8"))
        frame = raw.select(FILE, F.col("value").alias(RAW), wrong.alias(BAD), "value")
    else:
        value = F.decode(F.col("value").cast("binary"), F.lit("ISO-8859-1"))
        frame = raw.select(FILE, value.alias(RAW), F.lit(None).cast(BAD_TYPE).alias(BAD), value.alias("value"))
    return Land(frame, rows=lambda: lines(scan).count())


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of one string column, a line a row."""
    return writer.options(**options)


def count(spark: SparkSession, path: str, options: Mapping[str, str]) -> int:
    """The lines below a path."""
    return spark.read.option("recursiveFileLookup", "true").text(path).count()


FORMAT = Format("text", (".txt", ".text", ".log", ".md"), land, write, count, frozenset({"encoding"}))
