"""Avro without Spark's jar for it: whole files by Spark's `binaryFile`, blocks decoded in tasks by fastavro, in Arrow
batches.

All logical types come exact. The count of rows is that of the blocks' own heads. A file is one task, of `MOST` bytes
at most. Writing needs the jar: Spark has no sink of
its own for Avro, and a second client to the filesystem is not used here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import Finding, Format, Land, Scan, short
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop

if TYPE_CHECKING:
    from pyarrow import RecordBatch

HEAD = 1 << 16
MOST = 256 << 20
"""How big a file may be: it is one value of one task."""
_PLAIN: Mapping[str, t.DataType] = {
    "boolean": t.BooleanType(),
    "int": t.IntegerType(),
    "long": t.LongType(),
    "float": t.FloatType(),
    "double": t.DoubleType(),
    "bytes": t.BinaryType(),
    "string": t.StringType(),
    "enum": t.StringType(),
    "fixed": t.BinaryType(),
}
_LOGICAL: Mapping[str, t.DataType] = {
    "date": t.DateType(),
    "timestamp-millis": t.TimestampType(),
    "timestamp-micros": t.TimestampType(),
    "uuid": t.StringType(),
    "local-timestamp-millis": t.TimestampNTZType(),
    "local-timestamp-micros": t.TimestampNTZType(),
    "time-millis": t.StringType(),
    "time-micros": t.StringType(),
}


def land(scan: Scan) -> Land:
    """Lands Avro rows with their own types; times of day are text (`12:34:56.789000`), which Spark has no type for.

    Raises:
        UsageError: fastavro or pyarrow is missing (`missing_package`).
        ContractError: the files' schemas differ (`schema_mismatch`), or have no place in a frame (`unsupported_type`).
    """
    _need()
    if scan.hadoop is None:
        raise UsageError(
            "avro files can't be looked at without a filesystem",
            reason="connect_no_files",
            hint="use Delta or a table on Spark Connect",
        )
    hadoop = scan.hadoop
    sizes = {file.path: file.size for file in scan.files}
    heads = hadoop.each(scan.paths, lambda path: _schema(hadoop, path, sizes[path]))
    broken = tuple(Finding(file, "unreadable_file", short(head)) for file, head in heads.items() if isinstance(head, Exception))
    good = {file: head for file, head in heads.items() if isinstance(head, str)}
    return _land(scan, good, broken)


def _land(scan: Scan, good: Mapping[str, str], broken: tuple[Finding, ...]) -> Land:
    if not good:
        return Land(
            scan.spark.createDataFrame([], f"`{FILE}` string, `{RAW}` string, `{BAD}` {BAD_TYPE}"),
            rows=lambda: 0,
            unreadable=broken,
        )
    schema = _one(good)
    part = Scan(scan.spark, tuple(f for f in scan.files if f.path in good), scan.root, scan.contract, scan.options)
    data = _decoded(part, schema)
    rows = data if scan.filter is None else data.where(scan.filter)
    columns = [F.col(quote(c)) for c in rows.columns if c != FILE]
    frame = rows.select(FILE, F.lit(None).cast("string").alias(RAW), F.lit(None).cast(BAD_TYPE).alias(BAD), *columns)
    promised = partial(_block_rows, part)
    return Land(
        frame,
        rows=promised if scan.filter is None else rows.count,
        unreadable=broken,
        promised=promised if scan.filter is None else None,
        wrong_files=partial(_wrong_files, part),
    )


def _need() -> None:
    try:
        import fastavro  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"reading avro needs the package {error.name}",
            reason="missing_package",
            hint="pip install 'sparkkit[avro]'",
        ) from None


def _schema(hadoop: Hadoop, path: str, size: int) -> str:
    """The writer's schema in a file's head, as JSON."""
    import fastavro

    if size > MOST:
        raise ValueError(f"{size} bytes, and an Avro file has {MOST} at most: write it in parts")
    size_read = HEAD
    while True:
        head = hadoop.head(path, size_read)
        try:
            return json.dumps(fastavro.reader(io.BytesIO(head)).writer_schema)
        except Exception:
            if len(head) < size_read:
                raise
            size_read *= 16


def _one(good: Mapping[str, str]) -> t.StructType:
    found: dict[str, str] = {}
    for file, text in good.items():
        found.setdefault(struct(json.loads(text)).json(), file)
    if len(found) > 1:
        files = ", ".join(list(found.values())[:3])
        raise ContractError(f"the files' schemas differ: {files}", reason="schema_mismatch", hint="read each kind by itself")
    return struct(json.loads(next(iter(good.values()))))


def struct(schema: Any) -> t.StructType:
    """A record's schema as Spark's.

    >>> struct({"type": "record", "name": "r", "fields": [{"name": "a", "type": ["null", "long"]}]}).simpleString()
    'struct<a:bigint>'
    """
    found = _type(schema, {})
    if not isinstance(found, t.StructType):
        raise ContractError(f"its rows are {found.simpleString()}, not records", reason="unsupported_type", hint="write records")
    return found


def _type(schema: Any, named: dict[str, Any]) -> t.DataType:
    if isinstance(schema, list):
        kinds = [s for s in schema if s != "null"]
        if len(kinds) == 1:
            return _type(kinds[0], named)
        raise ContractError(
            f"a union of {len(kinds)} types has no place in a frame: {json.dumps(schema)[:100]}",
            reason="unsupported_type",
            hint="write it with one type and null",
        )
    if isinstance(schema, str):
        return _PLAIN[schema] if schema in _PLAIN else _type(named[schema], named)
    kind, logical = schema["type"], schema.get("logicalType")
    if isinstance(kind, dict | list):
        return _type(kind, named)
    if "name" in schema and kind in ("record", "enum", "fixed"):
        named[schema["name"]] = schema
    if logical == "decimal":
        return t.DecimalType(schema["precision"], schema.get("scale", 0))
    return _LOGICAL.get(logical) or _complex(schema, kind, named)


def _complex(schema: Any, kind: str, named: dict[str, Any]) -> t.DataType:
    if kind == "array":
        return t.ArrayType(_type(schema["items"], named))
    if kind == "map":
        return t.MapType(t.StringType(), _type(schema["values"], named))
    if kind == "record":
        return t.StructType([t.StructField(f["name"], _type(f["type"], named)) for f in schema["fields"]])
    return _PLAIN[kind]


def _files(scan: Scan) -> DataFrame:
    read = scan.spark.read.format("binaryFile").load(scan.read_paths)
    return read.select(F.input_file_name().alias(FILE), "content")


def _decoded(scan: Scan, schema: t.StructType) -> DataFrame:
    out = t.StructType([t.StructField(FILE, t.StringType()), *schema.fields])
    return _files(scan).mapInArrow(_decoder(out.json()), out)


def _decoder(schema: str) -> Callable[[Iterator[RecordBatch]], Iterator[RecordBatch]]:
    """Decodes in a task; nested functions travel by value, since a worker may not have sparkkit."""
    plain, arrow_schema = _plainer(), _arrow()

    def decode(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        import io as bytes_io
        import json as text
        from itertools import islice

        import fastavro
        import pyarrow as pa
        from pyspark.sql.types import StructType

        fields = arrow_schema(StructType.fromJson(text.loads(schema)))
        data = list(fields)[1:]
        for batch in batches:
            for file, content in zip(batch.column(0), batch.column(1), strict=True):
                path = file.as_py()
                try:
                    rows: Iterator[Any] = fastavro.reader(bytes_io.BytesIO(content.as_py()))
                    while some := list(islice(rows, 4096)):
                        columns = [[path] * len(some), *[[plain(row[f.name], f.type) for row in some] for f in data]]
                        arrays = [pa.array(c, type=f.type) for c, f in zip(columns, fields, strict=True)]
                        yield pa.RecordBatch.from_arrays(arrays, schema=fields)
                except Exception as error:
                    raise ValueError(f"FAILED_READ_FILE: {path} is a damaged Avro file: {error}") from error

    return decode


def _arrow() -> Callable[[Any], Any]:
    """A function of a Spark schema: Arrow's schema for it; Spark 4 asks for the zone that Spark 3 takes for granted."""

    def arrow_schema(schema: Any) -> Any:
        import inspect

        from pyspark.sql.pandas.types import to_arrow_schema

        zone: dict[str, Any] = {"timezone": "UTC"} if "timezone" in inspect.signature(to_arrow_schema).parameters else {}
        return to_arrow_schema(schema, **zone)

    return arrow_schema


def _plainer() -> Callable[[Any, Any], Any]:
    """A function of a value that fastavro gives and an Arrow type: the value as Arrow takes it."""

    def plain(value: Any, kind: Any) -> Any:
        import datetime

        import pyarrow as pa

        if value is None:
            return None
        if pa.types.is_map(kind):
            return [(k, plain(v, kind.item_type)) for k, v in value.items()]
        if pa.types.is_struct(kind):
            return {f.name: plain(value[f.name], f.type) for f in kind}
        if pa.types.is_list(kind):
            return [plain(v, kind.value_type) for v in value]
        if isinstance(value, datetime.time):
            return value.isoformat("microseconds")
        return str(value) if pa.types.is_string(kind) else value

    return plain


def _blocks(scan: Scan) -> DataFrame:
    """FILE, `rows` and `error`: what the heads of each file's blocks promise; the rows are not decoded."""

    def count(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        import io as bytes_io

        import fastavro
        import pyarrow as pa

        for batch in batches:
            for file, content in zip(batch.column(0), batch.column(1), strict=True):
                rows, error = 0, None
                try:
                    for block in fastavro.block_reader(bytes_io.BytesIO(content.as_py())):
                        rows += block.num_records
                except Exception as found:
                    error = f"{type(found).__name__}: {found}"[:300]
                yield pa.RecordBatch.from_pydict({"file": [file.as_py()], "rows": [rows], "error": pa.array([error], pa.string())})

    return _files(scan).mapInArrow(count, "file string, rows bigint, error string")


def _block_rows(scan: Scan) -> int:
    row = _blocks(scan).agg(F.sum("rows").alias("rows")).first()
    return int(row["rows"] or 0) if row else 0


def _wrong_files(scan: Scan) -> tuple[Finding, ...]:
    found = _blocks(scan).where("error is not null").orderBy("file").toLocalIterator()
    return tuple(Finding(row["file"], "unreadable_file", row["error"]) for row in found)


def has_jar(spark: SparkSession) -> bool:
    """Whether Spark's own Avro source is there."""
    try:
        spark.read.format("avro").schema("a int").load([])
    except Exception as error:
        return "Failed to find data source" not in str(error) and "DATA_SOURCE_NOT_FOUND" not in str(error)
    return True


def check(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses an Avro output where there is no jar for it, before anything is read.

    Raises:
        UsageError: with how to get the jar (`missing_jar`).
    """
    if not has_jar(spark):
        version = spark.version
        raise UsageError(
            "avro is written by Spark's own jar for it, which this session lacks",
            reason="missing_jar",
            hint=f"--packages org.apache.spark:spark-avro_2.1x:{version} (2.12 for Spark 3, 2.13 for Spark 4), or"
            " spark.jars in conf; or write parquet",
        )


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of Spark's own Avro source."""
    return writer.options(**options)


def count(spark: SparkSession, path: str, options: Mapping[str, str]) -> int:
    """The rows of staged Avro files."""
    return spark.read.format("avro").option("recursiveFileLookup", "true").load(path).count()


FORMAT = Format("avro", (".avro",), land, write, count, check=check)
