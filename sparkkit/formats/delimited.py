"""CSV on the road: heads looked at, files settled and landed by `csv`, partition folders read as columns; and the
writer.

What is written is RFC 4180 that `csv` reads back as it was (with `newlines_in_quotes` where a value has a line
break): a header in each file, empty text in quotes and null without, quotes doubled, nested values as JSON and binary
as base64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.formats import csv, partitions, writing
from sparkkit.formats.base import Finding, Format, Land, Raws, Scan, Unfit, short
from sparkkit.formats.beside import fits_header
from sparkkit.formats.headers import HEAD_BYTES
from sparkkit.schema.landing import LANDING
from sparkkit.schema.reader import OPTIONS
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop

MOST_HEAD = 1 << 20
"""How far a header line is followed, in bytes."""


def land(scan: Scan) -> Land:
    """Lands CSV: a string column for each of the contract's, from the file's header or from its folders' names.

    Raises:
        ContractError: a column is in no file (`missing_column`), or one too many, and the contract stops at it.
    """
    if scan.hadoop is None:
        raise UsageError(
            "CSV files can't be looked at without a filesystem",
            reason="connect_no_files",
            hint="use Delta or a table on Spark Connect",
        )
    hadoop, contract, options = scan.hadoop, scan.contract, scan.options
    heads = hadoop.each(scan.paths, lambda path: _head(hadoop, path))
    broken = tuple(Finding(p, "unreadable_file", short(h)) for p, h in heads.items() if isinstance(h, Exception))
    texts = {path: head for path, head in heads.items() if isinstance(head, bytes)}
    folders = partitions.values(scan.paths, scan.root)
    asked = replace(contract, columns=tuple(c for c in contract.columns if c.name not in folders)) if contract else None
    settled = csv.settle(texts, {file.path: file.size for file in scan.files}, asked, options)
    landed = _placed(csv.land(scan.spark, settled, asked, options), settled.columns, contract.names if contract else (), folders)
    frame = landed if scan.filter is None else landed.where(scan.filter)
    return Land(
        frame,
        headers=settled.headers,
        findings=settled.findings,
        unreadable=broken + settled.unreadable,
        rows=lambda: csv.rows(scan.spark, settled, asked, options),
        single_header=csv.rejects,
    )


def reland(raws: Raws) -> DataFrame:
    """Lands lines once more by the headers that their files have now; the lines of a file that is gone are left out."""
    heads = raws.hadoop.each(raws.files, lambda path: _head(raws.hadoop, path))
    texts = {path: head for path, head in heads.items() if isinstance(head, bytes)}
    names = raws.contract.names if raws.contract else ()
    folders = {name: values for name, values in partitions.values(texts, "/").items() if name in names}
    columns = tuple(c for c in raws.contract.columns if c.name not in folders) if raws.contract else ()
    asked = replace(raws.contract, columns=columns) if raws.contract else None
    settled = csv.settle(texts, {}, asked, raws.options) if texts else csv.Settled(tuple(c.name for c in columns), ())
    return _placed(csv.reland(raws.lines, settled, asked, raws.options), settled.columns, names, folders)


def _head(hadoop: Hadoop, path: str) -> bytes:
    """The first bytes of a file: more of them where the first line does not end in them."""
    head = hadoop.head(path, HEAD_BYTES)
    full = len(head) >= HEAD_BYTES and not (b"\n" in head or b"\r" in head)
    return hadoop.head(path, MOST_HEAD) if full else head


def _placed(frame: DataFrame, has: tuple[str, ...], due: tuple[str, ...], folders: Mapping[str, set[str]]) -> DataFrame:
    """The landed frame with the columns of its folders: in the contract's order, or behind where there is none."""
    if not folders:
        return frame
    order = due or (*has, *[name for name in folders if name not in has])
    columns = [F.col(quote(n)) if n in has else partitions.column(n).alias(n) for n in order]
    return frame.select(*LANDING, *columns)


def shape(frame: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """The frame with nested values, binary and decimals as the text that conform reads back.

    Raises:
        UsageError: for a type that has no place in a contract (`unsupported_type`).
    """
    writing.plain(frame, "csv", by)
    return frame.select(*[writing.as_text(F.col(quote(f.name)), f.dataType).alias(f.name) for f in frame.schema.fields])


def unfit(frame: DataFrame, by: tuple[str, ...]) -> Unfit | None:
    """The null of a single column would be a blank line, which is no row."""
    columns = [c for c in frame.columns if c not in by]
    if len(columns) > 1:
        return None
    return Unfit(
        F.col(quote(columns[0])).isNull(),
        "a null in the only column would be a blank line, which is no row",
        "write json or parquet, or add a column in the job",
    )


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of CSV; `delimiter`, `quote`, `header` and `compression` may be set, what would lose data may not."""
    given = {("sep" if key == "delimiter" else key): value for key, value in options.items() if key not in _READING}
    mark = given.get("quote", '"')
    return writer.options(**{**_PLAIN, **given, "escape": mark, "emptyValue": mark * 2})


_READING = frozenset(OPTIONS) - {"delimiter", "quote", "header"}
_PLAIN: Mapping[str, str] = {
    "header": "true",
    "nullValue": "",
    "timestampFormat": f"{writing.STAMP}XXX",
    "timestampNTZFormat": writing.STAMP,
    "ignoreLeadingWhiteSpace": "false",
    "ignoreTrailingWhiteSpace": "false",
}


def view(spark: SparkSession, path: str, options: Mapping[str, str]) -> DataFrame:
    """What was written, read by Spark, for a look: every value a text."""
    quoted = options.get("quote", '"')
    reader = spark.read.option("multiLine", "true").option("escape", quoted).option("quote", quoted)
    return reader.option("header", options.get("header", "true")).option("sep", options.get("delimiter", options.get("sep", ","))).csv(path)


def count(spark: SparkSession, path: str, options: Mapping[str, str]) -> int:
    """The rows of staged CSV below a path, header lines apart; read as Spark wrote them, line breaks in quotes and
    all."""
    quoted = options.get("quote", '"')
    reader = spark.read.option("recursiveFileLookup", "true").option("multiLine", "true").option("escape", quoted)
    reader = reader.option("quote", quoted).option("sep", options.get("delimiter", options.get("sep", ",")))
    return reader.option("header", options.get("header", "true")).csv(path).count()


_READS = frozenset({"delimiter", "quote", "encoding", "header", "newlines_in_quotes", "max_record_file", "trim"})
FORMAT = Format("csv", (".csv", ".tsv"), land, write, count, _READS, shape=shape, unfit=unfit, view=view,
                reland=reland, fits=fits_header)
