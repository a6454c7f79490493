"""Avro without Spark's jar for it: whole files by Spark's `binaryFile`, blocks decoded in tasks by fastavro, in Arrow
batches.

All logical types come exact. The count of rows is that of the blocks' own heads. A file is one task, of `MOST` bytes
at most. Columns that stand in the names of folders are text, unless a contract types them. How it is written:
`avrowrite`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, ContractError, UsageError
from sparkkit.formats import avrowrite, partitions
from sparkkit.formats.base import Finding, Format, Land, Scan, short
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, LANDING, RAW
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
    data = _with_folders(part, data)
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


def _with_folders(scan: Scan, data: DataFrame) -> DataFrame:
    folders = partitions.values(scan.paths, scan.root)
    twice = [c for c in data.columns if c in folders]
    if twice:
        raise ContractError(
            f"the files below {scan.root} hold the column {', '.join(map(repr, twice))}, which their folders' names give too",
            reason="column_twice",
            hint="take it out of the files, or give each file's path by itself",
        )
    return data.select("*", *[partitions.column(name).alias(name) for name in folders])


def _need() -> None:
    try:
        import fastavro  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"avro needs the package {error.name}",
            reason="missing_package",
            hint="install sparkkit with its extra [avro]",
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
    return _contents(scan.spark.read.format("binaryFile").load(scan.read_paths))


def _contents(read: DataFrame) -> DataFrame:
    return read.select(F.input_file_name().alias(FILE), "content")


def _decoded(scan: Scan, schema: t.StructType) -> DataFrame:
    out = t.StructType([t.StructField(FILE, t.StringType()), *schema.fields])
    return _files(scan).mapInArrow(_decoder(out.json()), out)


def _decoder(schema: str) -> Callable[[Iterator[RecordBatch]], Iterator[RecordBatch]]:
    """Decodes in a task; nested functions travel by value, since a worker may not have sparkkit."""
    plain, arrow_schema, rows_of = _plainer(), _arrow(), _rows()

    def decode(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        import json as text
        from itertools import islice

        import pyarrow as pa
        from pyspark.sql.types import StructType

        fields = arrow_schema(StructType.fromJson(text.loads(schema)))
        data = list(fields)[1:]
        for batch in batches:
            for file, content in zip(batch.column(0), batch.column(1), strict=True):
                path = file.as_py()
                try:
                    rows = rows_of(content.as_py())
                    while some := list(islice(rows, 4096)):
                        columns = [[path] * len(some), *[[plain(row[f.name], f.type) for row in some] for f in data]]
                        arrays = [pa.array(c, type=f.type) for c, f in zip(columns, fields, strict=True)]
                        yield pa.RecordBatch.from_arrays(arrays, schema=fields)
                except Exception as error:
                    raise ValueError(f"FAILED_READ_FILE: {path} is a damaged Avro file: {error}") from error

    return decode


def _rows() -> Callable[[bytes], Iterator[Any]]:
    """A function of a file's content: its rows. Days and microseconds stay numbers, as Arrow has them: Python's dates
    end with the year 9999, Spark's do not."""
    numbers = ("date", "timestamp-micros", "local-timestamp-micros")

    def bare(schema: Any) -> Any:
        if isinstance(schema, list):
            return [bare(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        if schema.get("logicalType") in numbers:
            return schema["type"]
        inner = {key: bare(schema[key]) for key in ("type", "items", "values") if key in schema}
        fields = {"fields": [{**f, "type": bare(f["type"])} for f in schema["fields"]]} if "fields" in schema else {}
        return {key: value for key, value in schema.items() if not key.startswith("__")} | inner | fields

    def rows(content: bytes) -> Iterator[Any]:
        import io as bytes_io

        import fastavro

        schema: Any = None
        blocks: Iterator[Any] = fastavro.block_reader(bytes_io.BytesIO(content))
        for block in blocks:
            schema = schema or fastavro.parse_schema(bare(block.writer_schema))
            for _ in range(block.num_records):
                yield fastavro.schemaless_reader(block.bytes_, schema, None)

    return rows


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


def _blocks(files: DataFrame) -> DataFrame:
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

    return files.mapInArrow(count, "file string, rows bigint, error string")


def _block_rows(scan: Scan) -> int:
    row = _blocks(_files(scan)).agg(F.sum("rows").alias("rows")).first()
    return int(row["rows"] or 0) if row else 0


def _wrong_files(scan: Scan) -> tuple[Finding, ...]:
    found = _blocks(_files(scan)).where("error is not null").orderBy("file").toLocalIterator()
    return tuple(Finding(row["file"], "unreadable_file", row["error"]) for row in found)


def check(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses an Avro output that can't be written here, before anything is read.

    Raises:
        UsageError: fastavro or pyarrow is missing (`missing_package`), or an option is not known (`wrong_conf`).
    """
    _need()
    avrowrite.check(spark, conf)


def count(spark: SparkSession, path: str, options: Mapping[str, str]) -> int:
    """The rows of staged Avro files, as the heads of their blocks have it.

    Raises:
        AccountingError: a file that was staged can't be read.
    """
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)
    row = _blocks(_contents(files)).agg(F.sum("rows"), F.max(F.concat("file", F.lit(": "), "error")).alias("error")).first()
    if row and row["error"]:
        raise AccountingError(f"what was staged can't be read: {row['error']}", hint="nothing was published; report it")
    return int(row[0] or 0) if row else 0


def view(spark: SparkSession, path: str, options: Mapping[str, str]) -> DataFrame:
    """What was written, for a look."""
    hadoop = Hadoop.of(spark)
    files = tuple(file for status in hadoop.glob(path) for file in hadoop.walk(status) if not file.hidden)
    return land(Scan(spark, files, path, hadoop=hadoop)).frame.drop(*LANDING)


FORMAT = Format("avro", (".avro",), land, None, count, shape=avrowrite.shape, view=view, check=check, save=avrowrite.save)
