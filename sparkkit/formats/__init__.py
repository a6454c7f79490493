"""The formats: one file each, listed here. A new format is a file and an entry in `names`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkkit.errors import UsageError, nearest
from sparkkit.formats.base import Format

WHERE = {
    "text": "text:FORMAT",
    "csv": "delimited:FORMAT",
    "json": "json:FORMAT",
    "parquet": "columnar:PARQUET",
    "orc": "columnar:ORC",
    "avro": "avro:FORMAT",
    "delta": "delta:FORMAT",
    "table": "tables:FORMAT",
    "jdbc": "jdbc:FORMAT",
}
"""Each format's module and name; a module is imported when its format is used, so that none slows the start."""

SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".md": "text",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".orc": "orc",
    ".avro": "avro",
}
COMPRESSED = (".gz", ".bz2", ".deflate", ".zst", ".snappy", ".lz4")
UNREAD = {
    ".zip": "unzip it first",
    ".xz": "unpack it first",
    ".7z": "unpack it first",
    ".tar": "unpack it first",
    ".xlsx": "export it as CSV",
    ".xls": "export it as CSV",
}


def known(name: str) -> Format:
    """The format of a name.

    Raises:
        UsageError: for a name that is no format.

    >>> known("parquet").suffixes
    ('.parquet', '.pq')
    """
    if name not in WHERE:
        close = nearest(name, WHERE)
        raise UsageError(
            f"format {name!r} is not supported",
            reason="unknown_format",
            hint=f"did you mean {close!r}?" if close else f"supported are {', '.join(WHERE)}",
        )
    module, _, attribute = WHERE[name].partition(":")
    found: Format = getattr(import_module(f"sparkkit.formats.{module}"), attribute)
    return found


def view(spark: SparkSession, kind: str, path: str, options: Mapping[str, str]) -> DataFrame:
    """What was published at a path, or to a table of a name, for a look at it."""
    form = known(kind)
    try:
        return form.view(spark, path, options) if form.view else spark.read.format(form.name).load(path)
    except Exception as error:
        if "UNABLE_TO_INFER_SCHEMA" in str(error):  # partitions of which there is none yet
            return spark.createDataFrame([], StructType())
        raise


def of_path(path: str) -> str | None:
    """The format that a file's name tells, None where it tells none; compression suffixes are looked through.

    Raises:
        UsageError: for an archive or a spreadsheet, which Spark would read as garbage.

    >>> of_path("a/b.csv.gz"), of_path("a/b.snappy.parquet"), of_path("a/b")
    ('csv', 'parquet', None)
    """
    name = path.rsplit("/", 1)[-1].lower()
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    ending = name[name.rindex(".") :] if "." in name else ""
    if ending in UNREAD:
        raise UsageError(f"{path}: {ending} files are not read", reason="unknown_format", hint=UNREAD[ending])
    return SUFFIXES.get(ending)
