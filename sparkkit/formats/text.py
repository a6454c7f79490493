"""Text: one row a line, in the column `value`; bytes that are not the declared encoding are findings, not
characters."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit import compat
from sparkkit.errors import UsageError
from sparkkit.formats.base import Format, Land, Raws, Scan, Unfit
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.types import quote

ENCODINGS = {
    "utf-8": "UTF-8",
    "utf8": "UTF-8",
    "latin-1": "ISO-8859-1",
    "latin1": "ISO-8859-1",
    "iso-8859-1": "ISO-8859-1",
}


def lines(scan: Scan, *, whole: bool = False) -> DataFrame:
    """FILE and `value`: the physical lines of the files, split at LF, CRLF or CR, bytes as they are; or their whole
    texts."""
    frame = scan.spark.read.text(scan.read_paths, wholetext=whole)
    return frame.select(F.input_file_name().alias(FILE), F.col("value"))


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
        value = F.decode(F.col("value").cast("binary"), "ISO-8859-1")
        frame = raw.select(FILE, value.alias(RAW), F.lit(None).cast(BAD_TYPE).alias(BAD), value.alias("value"))
    filtered = frame if scan.filter is None else frame.where(scan.filter)
    rows = (lambda: lines(scan).count()) if scan.filter is None else (lambda: filtered.count())
    return Land(filtered, rows=rows)


def reland(raws: Raws) -> DataFrame:
    """Lands lines once more."""
    return raws.lines.select(FILE, RAW, F.lit(None).cast(BAD_TYPE).alias(BAD), F.col(RAW).alias("value"))


def shape(frame: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """The frame as it is, if it has one text column beside those of its partitions.

    Raises:
        UsageError: for several columns, or one that is not text (`unsupported_type`).
    """
    columns = [f for f in frame.schema.fields if f.name not in by]
    if len(columns) != 1 or not isinstance(columns[0].dataType, t.StringType):
        found = ", ".join(f"{f.name} ({f.dataType.simpleString()})" for f in columns)
        raise UsageError(
            f"text files hold one text column, and the frame has {found or 'none'}",
            reason="unsupported_type",
            hint="--output-format csv or json, or select one text column in the job",
        )
    return frame


def unfit(frame: DataFrame, by: tuple[str, ...]) -> Unfit | None:
    """Texts with a line break would be several rows, and a null would be an empty text."""
    value = F.col(quote(next(c for c in frame.columns if c not in by)))
    return Unfit(
        value.isNull() | value.rlike("[\r\n]"),
        "each row is one line, so a text with a line break in it, or a null, has none",
        "write csv, json or parquet, or replace them in the job",
    )


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of one string column, a line a row."""
    return writer.options(**options)


def count(spark: SparkSession, path: str, options: Mapping[str, str]) -> int:
    """The lines below a path."""
    return spark.read.option("recursiveFileLookup", "true").text(path).count()


FORMAT = Format("text", (".txt", ".text", ".log", ".md"), land, write, count, frozenset({"encoding"}), shape=shape, unfit=unfit,
                reland=reland)
