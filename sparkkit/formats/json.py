"""JSON: one object a line, or whole documents (`multiline`); with a contract each value travels as the text that
stands in the file.

So that no number makes a detour through a double, and so that a malformed line, a key that stands twice and a key
that nobody expects are found: Spark's own reader drops them in silence. Without a contract Spark infers a schema,
which a finding says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.compat import valid_utf8
from sparkkit.errors import UsageError
from sparkkit.formats import jsonlexer, partitions, writing
from sparkkit.formats.base import Finding, Format, Land, Raws, Scan
from sparkkit.formats.lexer import bad, chain
from sparkkit.formats.text import lines
from sparkkit.schema import contract as contracts
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.reader import effective
from sparkkit.schema.types import parse, quote

MOST = 256 << 20
"""How big a document may be: with `multiline` a file is one task, and its text one value."""

_KEYS, _VALUES, _CORRUPT = "_sparkkit_keys", "_sparkkit_values", "_sparkkit_corrupt"


def land(scan: Scan) -> Land:
    """Lands JSON: a string column for each of the contract's, or typed columns by inference where there is none.

    Raises:
        UsageError: an encoding other than UTF-8, or `multiline` that is neither true nor false.
    """
    options = scan.options
    if options.get("encoding", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UsageError(f"JSON in {options['encoding']} is not read", reason="unknown_encoding", hint="write it as UTF-8")
    if options.get("multiline", "false") not in ("true", "false"):
        raise UsageError(f"multiline is {options['multiline']!r}", reason="bad_option", hint="it is true or false")
    return _inferred(scan) if scan.contract is None else _by_contract(scan, scan.contract)


def _whole(scan: Scan) -> bool:
    return scan.options.get("multiline", "false") == "true"


def _by_contract(scan: Scan, contract: contracts.Contract) -> Land:
    keep, big = _of_size(scan)
    if not keep.files:
        return Land(_none(scan, contract.names), rows=lambda: 0, unreadable=big)
    frame = _cut(_raw(keep), contract, partitions.values(scan.paths, scan.root))
    filtered = frame if scan.filter is None else frame.where(scan.filter)
    rows = (lambda: _raw(keep).count()) if scan.filter is None else (lambda: filtered.count())
    return Land(filtered, rows=rows, unreadable=big)


def _none(scan: Scan, names: tuple[str, ...]) -> DataFrame:
    columns = "".join(f", {quote(c)} string" for c in names)
    return scan.spark.createDataFrame([], f"`{FILE}` string, `{RAW}` string, `{BAD}` {BAD_TYPE}{columns}")


def _raw(scan: Scan) -> DataFrame:
    """FILE and RAW: a row for each line, or for each object of each document; a document that is neither stays one
    row."""
    texts = lines(scan, whole=_whole(scan)).select(FILE, F.col("value").alias(RAW))
    if not _whole(scan):
        return texts
    cut = F.when(valid_utf8(F.col(RAW)), jsonlexer.items(F.col(RAW)))
    return texts.select(FILE, F.explode(F.coalesce(cut, F.array(F.col(RAW)))).alias(RAW))


def _cut(raw: DataFrame, contract: contracts.Contract, folders: Mapping[str, set[str]]) -> DataFrame:
    line = F.col(RAW)
    whole = raw.select(FILE, RAW, chain(jsonlexer.faults(line)).alias(BAD))
    fine = F.col(BAD).isNull()
    keys, values = F.when(fine, jsonlexer.keys(line)).alias(_KEYS), F.when(fine, jsonlexer.values(line)).alias(_VALUES)
    given = [c for c in contract.columns if c.name not in folders]
    texts = whole.select(FILE, RAW, BAD, keys, values).select(
        FILE, RAW, BAD, _KEYS, *[_raw_value(c.name).alias(f"v{i}") for i, c in enumerate(given)]
    )
    places = {c.name: (F.col(f"v{i}"), parse(c.type), effective(contract, c)) for i, c in enumerate(given)}
    wrong = [*_key_faults(contract, folders), *[_strict(n, v, d, o) for n, (v, d, o) in places.items()]]
    columns = [_value(*places[n][:2]) if n in places else partitions.column(n) for n in contract.names]
    placed = [c.alias(f"c{i}") for i, c in enumerate(columns)]
    told = F.coalesce(BAD, chain(wrong)).alias(BAD)
    return _kept(_kept(texts).select(FILE, RAW, told, *placed)).toDF(FILE, RAW, BAD, *contract.names)


def reland(raws: Raws) -> DataFrame:
    """Lands the texts of objects once more; without a contract there is nothing to say what their columns were.

    Raises:
        UsageError: no contract.
    """
    if raws.contract is None:
        raise UsageError("JSON without a contract can't be landed once more", reason="no_contract", hint="run the date again")
    folders = {n: values for n, values in partitions.values(raws.files, "/").items() if n in raws.contract.names}
    return _cut(raws.lines, raws.contract, folders)


def objects(lines: DataFrame, contract: contracts.Contract, hidden: str) -> DataFrame:
    """FILE, RAW, BAD and a string column for each of the contract's, out of rejected rows whose RAW is their columns as one object.

    A value is what it was as text, so that it is cast as the file's own would have been. Bad are texts that are no object, those that
    lack a column or have another that is not null, and those in which a value is still `hidden`.
    """
    line = F.col(RAW)
    fine = jsonlexer.good_object(line)
    keys, values = F.when(fine, jsonlexer.keys(line)).alias(_KEYS), F.when(fine, jsonlexer.values(line)).alias(_VALUES)
    names = F.array(*[F.lit(n) for n in contract.names])
    texts = _kept(lines.select(FILE, RAW, keys, values))
    lacks = F.array_except(names, F.col(_KEYS))
    more = F.filter(F.arrays_zip(_KEYS, _VALUES), lambda pair: ~F.array_contains(names, pair[_KEYS]) & (pair[_VALUES] != "null"))
    faults = [
        (F.col(_KEYS).isNull(), bad("unreadable_row", "it is not one JSON object")),
        (F.array_contains(_VALUES, F.lit(f'"{hidden}"')), bad("masked", "a value is not shown")),
        _twice(),
    ]
    if contract.on("missing_column") != "allow":
        faults.append((F.size(lacks) > 0, bad("missing_column", F.concat(F.array_join(lacks, ", "), F.lit(": not there")))))
    if contract.on("extra_column") != "allow":
        faults.append((F.size(more) > 0, bad("extra_column", "it has a column that is not in the contract")))
    columns = [_value(_raw_value(n), parse(contract.column(n).type)).alias(f"c{i}") for i, n in enumerate(contract.names)]
    return _kept(texts.select(FILE, RAW, chain(faults).alias(BAD), *columns)).toDF(FILE, RAW, BAD, *contract.names)


def _kept(frame: DataFrame) -> DataFrame:
    """The same frame behind a generator, through which the optimizer pushes no filter: pushed down, a filter on what
    stands above would repeat each expression below for each of its uses, and those below that, beyond any memory."""
    return frame.select(F.inline(F.array(F.struct(*frame.columns))))


def _raw_value(name: str) -> Column:
    return F.get(F.col(_VALUES), (F.array_position(_KEYS, name) - 1).cast("int"))


def _key_faults(contract: contracts.Contract, folders: Mapping[str, set[str]]) -> list[tuple[Column, Column]]:
    keys = F.col(_KEYS)
    rest = F.array_except(keys, F.array(*[F.lit(n) for n in contract.names if n not in folders]))
    found = [_twice()]
    answer = contract.on("extra_column")
    if answer != "allow":
        shown = F.concat(F.lit("not in the contract: "), F.array_join(F.slice(rest, 1, 5), ", "))
        found.append((F.size(rest) > 0, bad("extra_column", shown)))
    return found


def _twice() -> tuple[Column, Column]:
    fewer = F.size(F.array_distinct(_KEYS)) < F.size(_KEYS)
    return fewer, bad("unreadable_row", "a key stands twice in the object")


def _strict(name: str, value: Column, dtype: t.DataType, options: Mapping[str, str]) -> tuple[Column, Column]:
    """A JSON value of another kind than the type is written as: a text for a number, a number for a text."""
    kinds: list[tuple[type[t.DataType] | tuple[type[t.DataType], ...], str, str]] = [
        ((t.ByteType, t.ShortType, t.IntegerType, t.LongType, t.DecimalType), r"\A[-0-9]", "a number"),
        ((t.FloatType, t.DoubleType), r'\A(?:[-0-9]|"(?:NaN|[-+]?Infinity)"\z)', "a number"),
        (t.BooleanType, r"\A[tf]", "true or false"),
        (t.ArrayType, r"\A\[", "an array"),
        ((t.MapType, t.StructType), r"\A\{", "an object"),
    ]
    pattern, what = next(((p, w) for kind, p, w in kinds if isinstance(dtype, kind)), (r'\A"', "a text"))
    if options.get("thousands") and what == "a number":
        pattern = r'\A["\-0-9]'  # a number with thousands signs can only be a text
    shown = F.concat(F.lit(f"{name}: "), value.substr(1, 80), F.lit(f" is not {what}"))
    return (value != "null") & ~value.rlike(pattern), bad("bad_value", shown)


def _value(raw: Column, dtype: t.DataType) -> Column:
    text = F.when(F.startswith(raw, F.lit('"')), jsonlexer.string(raw)).otherwise(raw)
    return F.when(raw != "null", text)


def _inferred(scan: Scan) -> Land:
    keep, big = _of_size(scan)
    if not keep.files:
        return Land(_none(scan, ()), rows=lambda: 0, unreadable=big)
    options = {k: v for k, v in scan.options.items() if k not in ("mode", "multiline")}
    reader = scan.spark.read.options(**options).option("multiLine", str(_whole(scan)).lower())
    schema = reader.option("columnNameOfCorruptRecord", _CORRUPT).json(keep.read_paths).schema
    data = [f for f in schema.fields if f.name != _CORRUPT]
    full = t.StructType([*data, t.StructField(_CORRUPT, t.StringType())])
    told = {**options, "mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT}
    parsed = _raw(keep).select(FILE, RAW, F.from_json(RAW, full, told).alias("row"), jsonlexer.keys(F.col(RAW)).alias(_KEYS))
    corrupt = F.col(f"row.{_CORRUPT}").isNotNull()
    wrong = [*jsonlexer.faults(F.col(RAW)), (corrupt, bad("unreadable_row", "it is not one JSON object")), _twice()]
    judged = _kept(parsed.select(FILE, RAW, chain(wrong).alias(BAD), "row"))
    frame = judged.select(FILE, RAW, BAD, *[F.col(f"row.{quote(f.name)}") for f in data])
    filtered = frame if scan.filter is None else frame.where(scan.filter)
    said = Finding(scan.root, "inferred_schema", "no contract, so Spark inferred types: big numbers may have lost digits")
    rows = (lambda: _raw(keep).count()) if scan.filter is None else (lambda: filtered.count())
    return Land(filtered, rows=rows, findings=(said,), unreadable=big)


def _of_size(scan: Scan) -> tuple[Scan, tuple[Finding, ...]]:
    """The files that are not too large to be read whole, and findings for the rest."""
    big = [f for f in scan.files if _whole(scan) and f.size > MOST]
    told = tuple(Finding(f.path, "too_large", f"{f.size} bytes, and a document has {MOST} at most") for f in big)
    return replace(scan, files=tuple(f for f in scan.files if f not in big)), told


def shape(frame: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """The frame as it is, if JSON has a form for each of its types."""
    writing.plain(frame, "json", by)
    return frame


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of JSON lines that keeps nulls, and timestamps whole with their zone."""
    return writer.options(**{**writing.JSON_OPTIONS, **options})


def count(spark: SparkSession, path: str, options: Mapping[str, str]) -> int:
    """The lines below a path."""
    return spark.read.option("recursiveFileLookup", "true").text(path).count()


FORMAT = Format("json", (".json", ".jsonl", ".ndjson"), land, write, count, frozenset({"multiline", "encoding"}), shape=shape,
                reland=reland)
