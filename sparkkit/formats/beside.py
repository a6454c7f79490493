"""A frame beside the files that it is to be added to: files of two formats or schemas in one folder are refused before anything is
computed.

Each of them would be read by the columns of whichever file a reader meets first. Tables know better, and have `schema_evolution`.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import spark_path
from sparkkit.storage.hadoop import File, Hadoop

LOOK = 1000
"""So many of the files that are there are looked at for the newest."""

ADDING = ("append", "overwrite_partitions")


def one_format(spark: SparkSession, conf: OutputConf, path: str, of: Callable[[str], str | None]) -> None:
    """Refuses to add to files of another format, or in other partitions; `of` tells a file's format by its name.

    Raises:
        UsageError: `mixed_formats`.
        ContractError: `partition_changed`.
    """
    file = _newest(Hadoop.of(spark), path) if conf.mode in ADDING else None
    there = of(file.path) if file else None
    if file and there and there != conf.format:
        raise UsageError(f"the files at {path} are {there} ({file.path}), and the output is {conf.format}", reason="mixed_formats",
                         hint=f"set its format to {there}, overwrite the whole output, or choose another path")
    if file and there:
        _same_partitions(spark, conf, path, file)


def _same_partitions(spark: SparkSession, conf: OutputConf, path: str, file: File) -> None:
    """Readers of a folder with files on two levels pass over some of them, or fail. The file of an empty result is in no partition."""
    below = unquote(file.path).rpartition(f"/{path.rstrip('/').rpartition('/')[2]}/")[2]
    by = tuple(unquote(part.partition("=")[0]) for part in below.split("/")[:-1] if "=" in part)  # Spark escapes names, too
    if by == tuple(conf.partition_by) or not by and spark.read.format(conf.format).load(spark_path(file.path)).limit(1).count() == 0:
        return
    raise ContractError(f"the files at {path} are partitioned by {', '.join(by) or 'nothing'}, not by "
                        f"{', '.join(conf.partition_by) or 'nothing'}", reason="partition_changed",
                        hint="leave partition_by as it is, overwrite the whole output, or choose another path")


def fits_typed(frame: DataFrame, conf: OutputConf, path: str, *, name: str) -> None:
    """Refuses columns or types other than those of the newest file at a path.

    Raises:
        ContractError: `schema_changed`, with every difference.
    """
    def differences(spark: SparkSession, file: File) -> Iterator[str]:
        there = spark.read.format(name).load(spark_path(file.path)).schema
        yield from typed(_stored(frame.schema, conf), _stored(there, conf))

    _fits(frame, conf, path, differences)


def fits_header(frame: DataFrame, conf: OutputConf, path: str) -> None:
    """Refuses columns other than those in the header of the newest file at a path; without headers nothing can be told.

    Raises:
        ContractError: `schema_changed`, with every difference.
    """
    if conf.options.get("header", "true").lower() == "true":
        _fits(frame, conf, path, lambda spark, file: headed(spark, file.path, frame.schema, conf))


def headed(spark: SparkSession, file: str, schema: StructType, conf: OutputConf) -> Iterator[str]:
    """The differences of a schema and the header of a CSV file (a URI) in words; their order is one, since most readers go by position."""
    head = Hadoop.of(spark).head(file, 1 << 16).decode(conf.options.get("encoding", "utf-8"), errors="replace")
    mark = {"delimiter": conf.options.get("delimiter", conf.options.get("sep", ",")), "quotechar": conf.options.get("quote", '"')}
    there = next(csv.reader(head.splitlines(keepends=True), **mark), [])  # type: ignore[arg-type]
    here = _stored(schema, conf).names
    yield from (f"column {name!r} is new" for name in here if name not in there)
    yield from (f"column {name!r} is missing" for name in there if name not in (*here, *conf.partition_by))
    if sorted(here) == sorted(there) and here != there:
        yield f"the columns are in the order {', '.join(here)}, and were in that of {', '.join(there)}"


def typed(frame: StructType, there: StructType) -> Iterator[str]:
    """The differences of two schemas in words; the order of columns and what may be null are none.

    >>> from sparkkit.schema.types import parse
    >>> list(typed(parse("struct<a:int,c:int>"), parse("struct<a:bigint,b:int>")))
    ["column 'a' is int and was bigint", "column 'c' (int) is new", "column 'b' is missing"]
    """
    known = {f.name: f.dataType.simpleString() for f in there.fields}
    for field in frame.fields:
        said = field.dataType.simpleString()
        if field.name not in known:
            yield f"column {field.name!r} ({said}) is new"
        elif known[field.name] != said:
            yield f"column {field.name!r} is {said} and was {known[field.name]}"
    yield from (f"column {name!r} is missing" for name in known if name not in frame.names)


def _stored(schema: StructType, conf: OutputConf) -> StructType:
    """Without the columns of partitions, which only the file of an empty result has."""
    return StructType([f for f in schema.fields if f.name not in conf.partition_by])


def _fits(frame: DataFrame, conf: OutputConf, path: str, differences: Callable[[SparkSession, File], Iterator[str]]) -> None:
    if conf.mode not in ADDING:
        return
    spark = frame.sparkSession
    file = _newest(Hadoop.of(spark), path)
    try:
        found = list(differences(spark, file)) if file else []
    except Exception:
        return  # a file that can't be read is not made worse by one beside it, and tells its reader so itself
    if found:
        raise ContractError(f"the frame does not fit the files at {path}: {'; '.join(found)}", reason="schema_changed",
                            hint="change the job, overwrite the whole output, or keep it as a Delta table, which has schema_evolution")


def _newest(hadoop: Hadoop, path: str) -> File | None:
    """The newest file at and below a path, of those that hold anything."""
    files = (f for status in hadoop.glob(path) for f in hadoop.walk(status) if not f.hidden and f.size)
    return max(itertools.islice(files, LOOK), key=lambda f: f.modified, default=None)
