"""CSV: raw lines through a strict RFC 4180 lexer, headers matched by name in each file; every line lands once, good or bad.

`settle` (in `headers`) looks at each file's first bytes and groups the files, `land` reads each group by one projection. A row is
a physical line after the header, or with `newlines_in_quotes` an RFC 4180 record. In line mode the lexer has no state from
one line to the next: a quote that is open at the end of its line makes that line `unclosed_quote`, the line that closes it
`stray_quote`, and a line between them that has exactly the right number of fields can't be told from a row.
"""
from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from sparkkit.formats.base import Format, Land, Scan
from sparkkit.formats.headers import HEAD_BYTES, Group, Settled, settle, settings, spark_path
from sparkkit.formats.lexer import Lexer, bad, chain
from sparkkit.formats.records import records
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW

__all__ = ["FORMAT", "Group", "Settled", "land", "rejects", "rows", "settle"]

_FIELDS, _BYTES, _PLACE, _HEADER, _SENTENCE = "_fields", "_bytes", "_place", "_header", "_sentence"
_PATH = r"^[a-zA-Z][a-zA-Z0-9+.-]*:(//[^/]*)?"


def land(spark: SparkSession, settled: Settled, contract: Contract | None, options: Mapping[str, str]) -> DataFrame:
    """FILE, RAW, BAD and one string column for each of `settled.columns`; each line of each settled file is one row.

    A line that equals its file's header has the reason `header`: `rejects` drops one a file. Nothing is read by this call.
    """
    given = settings(contract, options)
    good = [_good(spark, group, settled, given) for group in settled.groups if group.kind == "good"]
    wrong = [_mismatch(spark, group, settled, given) for group in settled.groups if group.kind == "mismatch"]
    frames = good + wrong
    if not frames:
        names = ", ".join(f"c{i} string" for i in range(len(settled.columns)))
        return spark.createDataFrame([], f"f string, r string, b {BAD_TYPE}, {names}").toDF(FILE, RAW, BAD, *settled.columns)
    return reduce(DataFrame.unionAll, frames).toDF(FILE, RAW, BAD, *settled.columns)


def rejects(bad_rows: DataFrame) -> DataFrame:
    """Bad rows without each file's one header line; any further line that repeats it is a `repeated_header`.

    Only lines that equal a header are shuffled, counted by file. Takes the frame of `land` or of `conform`, restricted to its
    bad rows, with FILE, RAW, BAD and any further columns, which are null for a repeated header.
    """
    headers = bad_rows.where(F.col(BAD).reason == "header").groupBy(FILE, RAW, BAD).agg(F.count(F.lit(1)).alias(_PLACE))
    repeated = headers.select(FILE, RAW, F.explode(F.expr(f"case when {_PLACE} > 1 then sequence(2, {_PLACE}) end")).alias(_PLACE),
                              _repeated(F.col(BAD).rule).alias(BAD))
    nulls = [F.lit(None).cast(field.dataType) for field in bad_rows.schema.fields if field.name not in (FILE, RAW, BAD)]
    others = bad_rows.where(F.col(BAD).reason != "header")
    return others.unionAll(repeated.select(*[_or_null(name, nulls) for name in bad_rows.columns]))


def _or_null(name: str, nulls: list[Column]) -> Column:
    return F.col(name) if name in (FILE, RAW, BAD) else nulls.pop(0)


def _repeated(sentence: Column) -> Column:
    return F.when(sentence == "", bad("repeated_header", "the line repeats the header")).otherwise(bad("header_mismatch", sentence))


def rows(spark: SparkSession, settled: Settled, contract: Contract | None, options: Mapping[str, str]) -> int:
    """The lines (or records) that the settled files hold, headers among them, counted apart from the landed frame."""
    given = settings(contract, options)
    return sum(_raw(spark, group, given).count() for group in settled.groups)


def _raw(spark: SparkSession, group: Group, given: Mapping[str, str]) -> DataFrame:
    """FILE, the line's bytes as a string, its text, and its place where the row is a record (else null)."""
    whole = given["newlines_in_quotes"] == "true"
    lines = spark.read.text([spark_path(path) for path in group.paths], wholetext=whole)
    value, latin = F.col("value"), group.encoding == "latin-1"
    if whole:
        text = F.decode(value.cast("binary"), F.lit("ISO-8859-1")) if latin else value
        return records(lines.select(F.col("_metadata.file_path").alias(FILE), text.alias(RAW)), lexer(given))
    return lines.select(F.col("_metadata.file_path").alias(FILE), value.alias(_BYTES), 
                        (F.decode(value.cast("binary"), F.lit("ISO-8859-1")) if latin else value).alias(RAW),
                        F.lit(False).alias(_PLACE))
