"""CSV: raw lines through a strict RFC 4180 lexer, headers matched by name in each file; no line is lost.

`settle` (in `headers`) looks at each file's first bytes and groups the files, `land` reads each group by one
projection. A row is a physical line after the header, or with `newlines_in_quotes` an RFC 4180 record. In line mode the
lexer has no state from one line to the next: a quote that is open at the end of its line makes that line
`unclosed_quote`, the line that closes it `stray_quote` or `ragged_row`, and a line between them that has exactly the
right number of fields can't be told from a row. Where values have line breaks, say so by `newlines_in_quotes`.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.formats.base import KEYED, spark_path
from sparkkit.formats.headers import Group, Settled, lexer, plain_path, settings, settle
from sparkkit.formats.lexer import bad, chain
from sparkkit.formats.records import OPEN, PLACE, records
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW, barrier

__all__ = ["Group", "Settled", "land", "rejects", "rows", "settle"]

_FIELDS, _BYTES, _HEADER, _SENTENCE, _PLACE = "_fields", "_bytes", "_header", "_sentence", PLACE
_AUTHORITY = r"^[a-zA-Z][a-zA-Z0-9+.-]*:(//[^/]*)?"


def land(spark: SparkSession, settled: Settled, contract: Contract | None, options: Mapping[str, str]) -> DataFrame:
    """FILE, RAW, BAD and one string column for each of `settled.columns`; each line of each settled file is one row.

    A line that equals its file's header has the reason `header`: `rejects` drops one a file. Nothing is read yet.
    """
    given = settings(contract, options)
    good = [_good(_raw(spark, group, given), group, settled, given) for group in settled.groups if group.kind == "good"]
    wrong = [_mismatch(spark, group, settled, given) for group in settled.groups if group.kind == "mismatch"]
    return _all(spark, good + wrong, settled)


def reland(lines: DataFrame, settled: Settled, contract: Contract | None, options: Mapping[str, str]) -> DataFrame:
    """As `land`, of lines that are given with their settled files; those of other files are left out."""
    given = settings(contract, options)
    file, frames = F.substring_index(FILE, KEYED, 1), []
    for group in settled.groups:
        mine = lines.where(file.isin(*group.paths)).select(FILE, RAW, F.lit(-1).alias(PLACE), F.lit(False).alias(OPEN))
        frames += [_good(mine, group, settled, given)] if group.kind == "good" else []
    return _all(lines.sparkSession, frames, settled)


def _all(spark: SparkSession, frames: list[DataFrame], settled: Settled) -> DataFrame:
    if not frames:
        names = ", ".join(f"c{i} string" for i in range(len(settled.columns)))
        schema = ", ".join(part for part in ("f string, r string", names, f"b {BAD_TYPE}") if part)
        return spark.createDataFrame([], schema).toDF(FILE, RAW, *settled.columns, BAD)
    return reduce(DataFrame.unionAll, frames).toDF(FILE, RAW, *settled.columns, BAD)


def rejects(bad_rows: DataFrame) -> DataFrame:
    """Bad rows without each file's one header line; any further line that repeats it is a `repeated_header`.

    Only lines that equal a header are shuffled, counted by file. Takes the frame of `land` or of `conform`, restricted to its bad
    rows, with FILE, RAW, BAD and any further columns, which are null for a repeated header.
    """
    bad_rows = barrier(bad_rows)
    headers = bad_rows.where(F.col(BAD).reason == "header").groupBy(FILE, RAW, BAD).agg(F.count("*").alias(_PLACE))
    repeated = headers.select(
        FILE,
        RAW,
        F.explode(F.expr(f"case when {_PLACE} > 1 then sequence(2, {_PLACE}) end")).alias(_PLACE),
        _repeated(F.col(BAD).rule).alias(BAD),
    )
    nulls = [F.lit(None).cast(field.dataType) for field in bad_rows.schema.fields if field.name not in (FILE, RAW, BAD)]
    others = bad_rows.where(F.col(BAD).reason != "header")
    return others.unionAll(repeated.select(*[_or_null(name, nulls) for name in bad_rows.columns]))


def _or_null(name: str, nulls: list[Column]) -> Column:
    return F.col(name) if name in (FILE, RAW, BAD) else nulls.pop(0)


def _repeated(sentence: Column) -> Column:
    return F.when(sentence == "", bad("repeated_header", "the line repeats the header")).otherwise(
        bad("header_mismatch", sentence)
    )


def rows(spark: SparkSession, settled: Settled, contract: Contract | None, options: Mapping[str, str]) -> int:
    """The lines (or records) that the settled files hold, headers among them, counted apart from the landed frame."""
    given = settings(contract, options)
    return sum(_raw(spark, group, given).count() for group in settled.groups)


def _raw(spark: SparkSession, group: Group, given: Mapping[str, str]) -> DataFrame:
    """FILE, RAW, PLACE (-1 where the text source tells none), OPEN: the lines, or records, of a group of good files."""
    if given["newlines_in_quotes"] == "true" and group.kind == "good":
        return records(_texts(spark, group, whole=True), lexer(given))
    return _texts(spark, group).select(FILE, RAW, F.lit(-1).alias(PLACE), F.lit(False).alias(OPEN))


def _texts(spark: SparkSession, group: Group, whole: bool = False) -> DataFrame:
    """FILE, RAW (decoded) and the bytes of the lines or whole files of a group."""
    source = spark.read.text([spark_path(path) for path in group.paths], wholetext=whole)
    value = F.col("value")
    text = F.decode(value.cast("binary"), "ISO-8859-1") if group.encoding == "latin-1" else value
    # input_file_name() would do, but it counts as random, and Spark 3.5 then fails to push a filter through `rejects`
    path = F.col("_metadata.file_path")  # file:/x is to be file:///x
    short = F.startswith(path, F.lit("file:/")) & ~F.startswith(path, F.lit("file://"))
    file = F.when(short, F.concat(F.lit("file:///"), F.substr(path, F.lit(7)))).otherwise(path)
    return source.select(file.alias(FILE), text.alias(RAW), value.alias(_BYTES))


def _good(raw: DataFrame, group: Group, settled: Settled, given: Mapping[str, str]) -> DataFrame:
    cut = lexer(given)
    line, fields = F.col(RAW), F.col(_FIELDS)
    lexed = raw.select(FILE, RAW, PLACE, OPEN, cut.fields(line).alias(_FIELDS))
    values = [F.lit(None).cast("string") if place is None else cut.value(fields, place) for place in group.order]
    faults = _headers(group, given) + cut.faults(line, fields, group.width, utf8=group.encoding == "utf-8")
    if given["header"] == "true":  # the same names, quoted otherwise: tables that were put one behind another
        names = [v == F.lit(n) for v, n, place in zip(values, settled.columns, group.order, strict=True) if place is not None]
        faults.append((reduce(Column.__and__, names, F.lit(bool(names))), bad("repeated_header", "the line repeats the header")))
    return lexed.select(FILE, RAW, *[v.alias(f"c{i}") for i, v in enumerate(values)], chain(faults).alias(BAD))


def _headers(group: Group, given: Mapping[str, str]) -> list[tuple[Column, Column]]:
    """The findings that come before those of the lexer: header lines, and the rest of a file after an open quote."""
    found = []
    if given["header"] == "true":
        same = F.col(RAW) == F.lit(group.header_raw)
        if given["newlines_in_quotes"] == "true":
            found = [
                (F.col(PLACE) == 0, bad("header", "")),
                (same, bad("repeated_header", "the record repeats the header")),
            ]
        else:
            found = [(same, bad("header", ""))]
    if given["newlines_in_quotes"] == "true":
        found.append(
            (F.col(OPEN), bad("unclosed_quote", "a quote opened on this line or before it is not rightly closed"))
        )
    return found


def _mismatch(spark: SparkSession, group: Group, settled: Settled, given: Mapping[str, str]) -> DataFrame:
    lines = _texts(spark, group)
    if len(group.paths) == 1:
        told = lines.select("*", F.lit(group.headers[0]).alias(_HEADER), F.lit(group.sentences[0]).alias(_SENTENCE))
    else:
        told = _told(spark, lines, group)
    sentence = F.coalesce(_SENTENCE, F.lit("the header does not match"))
    verdict = F.when(F.col(_BYTES).cast("binary") == F.col(_HEADER), bad("header", sentence)).otherwise(
        bad("header_mismatch", sentence)
    )
    nulls = [F.lit(None).cast("string").alias(f"c{i}") for i in range(len(settled.columns))]
    return told.select(FILE, RAW, *nulls, verdict.alias(BAD))


def _told(spark: SparkSession, lines: DataFrame, group: Group) -> DataFrame:
    """The lines beside their own file's header and sentence; a file that is not found keeps its lines."""
    keys = [re.sub(_AUTHORITY, "", plain_path(path)) for path in group.paths]
    told = spark.createDataFrame(
        list(zip(keys, group.headers, group.sentences, strict=True)),
        f"_key string, {_HEADER} binary, {_SENTENCE} string",
    )
    key = F.regexp_replace(F.url_decode(F.replace(FILE, F.lit("+"), F.lit("%2B"))), _AUTHORITY, "")
    return lines.withColumn("_key", key).join(F.broadcast(told), "_key", "left")
