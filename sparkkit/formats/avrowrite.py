"""Avro written without Spark's jar for it: rows become container files in tasks, and Spark's text writer puts them down.

A container file is a head and blocks, each with a mark of 16 bytes behind it. The text writer changes no byte of a row
and puts a mark of our choice behind it (`lineSep`), so that Spark's own committer sees to the files. Where an output
has partitions each row is a whole file, since Spark may sort rows on their way to the writer.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.conf import OutputConf
from sparkkit.errors import UsageError
from sparkkit.formats import writing
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop

if TYPE_CHECKING:
    from pyarrow import RecordBatch

CODECS: Mapping[str, str] = {"deflate": "deflate", "uncompressed": "null", "null": "null"}
"""The values of the option `compression`, and Avro's names for them."""
PART, PARTS = 4 << 20, 8
"""A file is rows of this many bytes, and this many of them: 32 MiB, since a file is one value of one task for our own
reader, and in the count of what was staged."""
BLOCK = 64_000
"""The bytes of a block before it is packed, as Avro's own library has it."""

_BYTES = "_sparkkit_avro"
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TYPES: Mapping[type[t.DataType], Any] = {
    t.BooleanType: "boolean",
    t.ByteType: "int",
    t.ShortType: "int",
    t.IntegerType: "int",
    t.LongType: "long",
    t.FloatType: "float",
    t.DoubleType: "double",
    t.StringType: "string",
    t.BinaryType: "bytes",
    t.DateType: {"type": "int", "logicalType": "date"},
    t.TimestampType: {"type": "long", "logicalType": "timestamp-micros"},
    t.TimestampNTZType: {"type": "long", "logicalType": "local-timestamp-micros"},
}


def shape(frame: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """The frame as it is, if Avro has a type and a name for each of its columns.

    Raises:
        UsageError: for a type without a place (`unsupported_type`), or a name that Avro does not take (`wrong_name`).
    """
    writing.plain(frame, "avro", by)
    inside = [f for f in frame.schema.fields if f.name not in by]
    if not inside:
        raise UsageError("avro files need a column that is not in partition_by", reason="wrong_conf", hint="partition by fewer columns")
    maps = [f"{f.name} ({f.dataType.simpleString()})" for f in inside if _odd_keys(f.dataType)]
    if maps:
        raise UsageError(
            f"avro's maps have text for keys, and those of {', '.join(maps)} are none",
            reason="unsupported_type",
            hint="make them text or an array of structs in the job, or write Parquet",
        )
    names = [name for f in inside for name in _names(f.name, f.dataType) if not _NAME.fullmatch(name.rsplit(".", 1)[-1])]
    if names:
        raise UsageError(
            f"avro's names are ASCII letters, digits and _, and do not begin with a digit; {', '.join(map(repr, names))}"
            f" {'do' if len(names) > 1 else 'does'} not fit",
            reason="wrong_name",
            hint="rename in the job (transforms.names), or write Parquet",
        )
    return frame


def _odd_keys(dtype: t.DataType) -> bool:
    if isinstance(dtype, t.MapType):
        return not isinstance(dtype.keyType, t.StringType) or _odd_keys(dtype.valueType)
    if isinstance(dtype, t.ArrayType):
        return _odd_keys(dtype.elementType)
    return isinstance(dtype, t.StructType) and any(_odd_keys(f.dataType) for f in dtype.fields)


def _names(name: str, dtype: t.DataType) -> Iterator[str]:
    """The name of a column and of each field below it."""
    yield name
    while isinstance(dtype, t.ArrayType | t.MapType):
        dtype = dtype.elementType if isinstance(dtype, t.ArrayType) else dtype.valueType
    if isinstance(dtype, t.StructType):
        for field in dtype.fields:
            yield from (f"{name}.{inner}" for inner in _names(field.name, field.dataType))


def check(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses options that are not known, and files too big for one value of a task, before anything is read.

    Raises:
        UsageError: with what there is (`wrong_conf`).
    """
    wrong = {k: v for k, v in conf.options.items() if k != "compression" or v.lower() not in CODECS}
    if wrong:
        raise UsageError(
            f"avro is not written with {', '.join(f'{k}={v}' for k, v in wrong.items())}",
            reason="wrong_conf",
            hint=f"its only option is compression: {', '.join(CODECS)}",
        )
    size, most = conf.target_file_size, PART * PARTS
    if size and writing.size_of(size, "target_file_size") > most:
        raise UsageError(
            f"avro files have {most >> 20}MB at most, and target_file_size is {size}",
            reason="wrong_conf",
            hint="ask for less, or write Parquet",
        )


def schema(dtype: t.DataType, name: str = "topLevelRecord", space: str = "") -> Any:
    """The Avro schema of a frame's type, with the names that Spark's own writer gives.

    >>> schema(t.StructType().add("a", "integer").add("b", "string", False))["fields"]
    [{'name': 'a', 'type': ['int', 'null']}, {'name': 'b', 'type': 'string'}]
    """

    def part(inner: t.DataType, nullable: bool, name: str, space: str) -> Any:
        found = schema(inner, name, space)
        return [found, "null"] if nullable else found

    below = f"{space}.{name}" if space else name
    if isinstance(dtype, t.ArrayType):
        return {"type": "array", "items": part(dtype.elementType, dtype.containsNull, name, space)}
    if isinstance(dtype, t.MapType):
        return {"type": "map", "values": part(dtype.valueType, dtype.valueContainsNull, name, space)}
    if isinstance(dtype, t.StructType):
        fields = [{"name": f.name, "type": part(f.dataType, f.nullable, f.name, below)} for f in dtype.fields]
        return {"type": "record", "name": name, **({"namespace": space} if space else {}), "fields": fields}
    if isinstance(dtype, t.DecimalType):
        digits = {"logicalType": "decimal", "precision": dtype.precision, "scale": dtype.scale}
        return {"type": "fixed", "name": "fixed", "namespace": below, "size": _width(dtype), **digits}
    return next(avro for kind, avro in _TYPES.items() if isinstance(dtype, kind))


def _width(dtype: t.DecimalType) -> int:
    """The bytes that hold every number of so many digits, with its sign."""
    return int(10**dtype.precision - 1).bit_length() // 8 + 1


def save(frame: DataFrame, options: Mapping[str, str], by: Sequence[str], path: str) -> None:
    """Writes a shaped frame to a folder; where there are partitions, each task brings the rows of one together."""
    inside = t.StructType([f for f in frame.schema.fields if f.name not in by])
    outside = t.StructType([frame.schema[c] for c in by])
    ordered = frame.select(*map(quote, by), *map(quote, inside.names))
    if by:
        ordered = ordered.sortWithinPartitions(*map(quote, by))
    mark = secrets.token_urlsafe(12)  # 16 signs of ASCII, which are in no data but by a chance of 1 to 2^96
    codec = CODECS[options.get("compression", "deflate").lower()]
    size, parts = (PART * PARTS, 1) if by else (PART, PARTS)
    task = _task(outside.json(), inside.json(), _head(schema(inside), codec), mark.encode(), (BLOCK, size, parts), codec)
    encoded = ordered.mapInArrow(task, t.StructType([*outside.fields, t.StructField(_BYTES, t.BinaryType())]))
    rows = encoded.select(*map(quote, by), F.col(_BYTES).cast("string"))
    writer = rows.write.mode("error").format("text").options(lineSep=mark, compression="none", maxRecordsPerFile=parts)
    with writing.setting(frame.sparkSession, writing.WRITERS_AT_ONCE, "32"):
        (writer.partitionBy(*by) if by else writer).save(path)
    _named(Hadoop.of(frame.sparkSession), path)


def _named(hadoop: Hadoop, path: str) -> None:
    """Gives the files Avro's suffix; one of 0 bytes, which Spark makes of no partition at all, is none."""
    files = [file for status in hadoop.glob(path) for file in hadoop.walk(status) if not file.hidden]
    sizes = {unquote(file.path): file.size for file in files}

    def name(file: str) -> None:
        if sizes[file]:
            hadoop.rename(file, f"{file.removesuffix('.txt')}.avro")
        else:
            hadoop.delete(file)

    for error in hadoop.each(sizes, name).values():
        if isinstance(error, Exception):
            raise error


def _head(avro: Any, codec: str) -> bytes:
    """The head of a container file, without the mark behind it."""
    long = _long()
    meta = {b"avro.schema": json.dumps(avro).encode(), b"avro.codec": codec.encode()}
    entries = b"".join(long(len(word)) + word for entry in meta.items() for word in entry)
    return b"Obj\x01" + long(len(meta)) + entries + long(0)


def _task(
    outside: str, inside: str, head: bytes, mark: bytes, sizes: tuple[int, int, int], codec: str
) -> Callable[[Iterator[RecordBatch]], Iterator[RecordBatch]]:
    """Encodes in a task: rows of the partition columns and bytes, of which each `sizes[2]`th begins a file.

    Nested functions travel by value, since a worker may not have sparkkit.
    """
    encode, pieces = _encoder(), _pieces(mark, sizes, codec)
    every = sizes[2]

    def task(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        from itertools import chain, groupby

        import pyarrow as pa
        from pyspark import TaskContext
        from pyspark.sql.types import StructType

        places, data = (StructType.fromJson(json.loads(text)) for text in (outside, inside))

        def runs() -> Iterator[tuple[bytes, list[Any], list[bytes]]]:
            """The rows that stand together in one partition: its key, its columns, the rows."""
            for batch in batches:
                beside, columns = batch.columns[: len(places)], batch.columns[len(places) :]
                rows, keys = encode(columns, data.fields, batch.num_rows), encode(beside, places.fields, batch.num_rows)
                start = 0
                for key, group in groupby(keys):
                    end = start + sum(1 for _ in group)
                    yield key, [c.slice(start, 1) for c in beside], rows[start:end]
                    start = end

        def out(place: list[Any], content: bytes) -> RecordBatch:
            return pa.RecordBatch.from_arrays([*place, pa.array([content], pa.binary())], names=[*places.names, _BYTES])

        empty = True
        for _, group in groupby(runs(), key=lambda run: run[0]):
            first = next(group)
            for n, piece in enumerate(pieces(rows for _, _, rows in chain([first], group))):
                empty = False
                yield out(first[1], piece if n % every else head + mark + piece)
        if empty and not places and TaskContext.get().partitionId() == 0:  # type: ignore[union-attr]
            yield out([], head)  # of which Spark makes a file in any case

    return task


def _pieces(mark: bytes, sizes: tuple[int, int, int], codec: str) -> Callable[[Iterable[list[bytes]]], Iterator[bytes]]:
    """A function of encoded rows: blocks of them, packed, and joined by the mark until they have the size of a piece."""
    most_block, most_piece, _ = sizes
    long = _long()

    def block(rows: list[bytes]) -> bytes:
        import zlib

        content = b"".join(rows)
        if codec == "deflate":
            packer = zlib.compressobj(wbits=-15)
            content = packer.compress(content) + packer.flush()
        return long(len(rows)) + long(len(content)) + content

    def filled(parts: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
        held: list[bytes] = []
        size = 0
        for part in parts:
            held.append(part)
            size += len(part)
            if size >= most:
                yield held
                held, size = [], 0
        if held:
            yield held

    def pieces(runs: Iterable[list[bytes]]) -> Iterator[bytes]:
        blocks = (block(rows) for rows in filled((row for rows in runs for row in rows), most_block))
        return (mark.join(some) for some in filled(blocks, most_piece))

    return pieces


def _encoder() -> Callable[[Sequence[Any], Sequence[t.StructField], int], list[bytes]]:
    """A function of Arrow arrays, their Spark fields and their length: the bytes of each row."""
    long, simple = _long(), _simple()

    def record(arrays: Sequence[Any], fields: Sequence[Any], length: int) -> list[bytes]:
        columns = [encode(a, f.dataType, f.nullable) for a, f in zip(arrays, fields, strict=True)]
        return [b"".join(row) for row in zip(*columns, strict=True)] if columns else [b""] * length

    def encode(array: Any, dtype: Any, nullable: bool) -> list[bytes]:
        if nullable:
            held = iter(encode(array.drop_null(), dtype, False))
            return [b"\0" + next(held) if there else b"\2" for there in array.is_valid().to_pylist()]
        if array.null_count:
            raise ValueError(f"a null in a column of {dtype.simpleString()} whose schema says that it has none")
        kind = dtype.typeName()
        if kind == "struct":
            return record([array.field(i) for i in range(len(dtype))], dtype.fields, len(array))
        if kind == "array":
            return series(array, encode(array.values, dtype.elementType, dtype.containsNull))
        if kind == "map":
            values = encode(array.items, dtype.valueType, dtype.valueContainsNull)
            return series(array, list(map(bytes.__add__, encode(array.keys, dtype.keyType, False), values)))
        return simple(array, dtype)

    def series(array: Any, parts: list[bytes]) -> list[bytes]:
        from itertools import pairwise

        spans = pairwise(array.offsets.to_pylist())
        return [(long(b - a) + b"".join(parts[a:b]) if a < b else b"") + b"\0" for a, b in spans]

    return record


def _simple() -> Callable[[Any, Any], list[bytes]]:
    """A function of an Arrow array without nulls and its Spark type, which has no parts: the bytes of each value."""
    long = _long()

    def fixed(array: Any, width: int) -> list[bytes]:
        start, data = array.offset * width, array.buffers()[1].to_pybytes() if len(array) else b""
        return [data[i : i + width] for i in range(start, start + len(array) * width, width)]

    def simple(array: Any, dtype: Any) -> list[bytes]:
        import pyarrow as pa

        kind = dtype.typeName()
        if kind in ("float", "double"):
            return fixed(array, 4 if kind == "float" else 8)
        if kind == "decimal":
            last = (10**dtype.precision - 1).bit_length() // 8  # Arrow's lowest byte comes first, Avro's highest
            return [number[last::-1] for number in fixed(array, 16)]
        if kind == "boolean":
            return [b"\1" if value else b"\0" for value in array.to_pylist()]
        if kind in ("string", "binary"):
            return [long(len(value)) + value for value in array.cast(pa.large_binary()).to_pylist()]
        return [long(value) for value in array.cast(pa.int32() if kind == "date" else pa.int64()).to_pylist()]

    return simple


def _long() -> Callable[[int], bytes]:
    """A function of a whole number: Avro's bytes for it."""
    small = [bytes([n]) for n in range(128)]

    def long(number: int) -> bytes:
        rest = (number << 1) ^ (number >> 63)
        if rest < 128:
            return small[rest]
        out = bytearray()
        while rest > 127:
            out.append(rest & 127 | 128)
            rest >>= 7
        out.append(rest)
        return bytes(out)

    return long
