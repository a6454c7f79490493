"""Writing one frame as files of one format: what the format can't hold is made text or refused, sizes and rows are
kept in sight."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.compat import is_connect
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import Format, Unfit
from sparkkit.schema.types import quote

WRITERS_AT_ONCE = "spark.sql.maxConcurrentOutputFileWriters"
GUESS = "spark.sql.sources.partitionColumnTypeInference.enabled"
ADVISED = "spark.sql.adaptive.advisoryPartitionSizeInBytes"
_SIZE = re.compile(r"(\d+)\s*([KMG]?)B?", re.IGNORECASE)
_NESTED = (t.ArrayType, t.MapType, t.StructType)
_SIMPLE = (
    t.StringType,
    t.BooleanType,
    t.BinaryType,
    t.DateType,
    t.ByteType,
    t.ShortType,
    t.IntegerType,
    t.LongType,
    t.FloatType,
    t.DoubleType,
    t.TimestampType,
    t.TimestampNTZType,
    t.DecimalType,
)


def size_of(text: str, where: str) -> int:
    """The bytes of a size such as `128MB`.

    Raises:
        UsageError: for a text that is no size.

    >>> size_of("128MB", "x")
    134217728
    """
    found = _SIZE.fullmatch(text.strip())
    if not found or int(found[1]) == 0:
        raise UsageError(f"{where} is {text!r}, expected a size such as 128MB", reason="wrong_conf")
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2].upper()]


def save(frame: DataFrame, form: Format, options: Mapping[str, str], by: list[str], path: str) -> None:
    """Writes a frame that was shaped already; a partitioned one keeps several files open, so that it needs no sort."""
    if form.save:
        form.save(frame, options, by, path)
        return
    if form.write is None:
        raise UsageError(f"format {form.name!r} can't be written", reason="unknown_format")
    writer = form.write(frame.write.mode("error"), options).format(form.name)
    with setting(frame.sparkSession, WRITERS_AT_ONCE, "32"):
        (writer.partitionBy(*by) if by else writer).save(path)


@contextmanager
def setting(spark: SparkSession, key: str, value: str) -> Iterator[None]:
    """One setting of the session for the time of a block."""
    before = spark.conf.get(key, None)
    spark.conf.set(key, value)
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, before)


def sized(frame: DataFrame, by: list[str]) -> DataFrame:
    """The frame shuffled into parts of the advised size (`ADVISED`, set by the caller), whole partitions of `by`
    together.

    Small parts are joined, big ones cut. The size is that of the shuffled rows; a sort order does not outlive it.
    """
    if is_connect(frame):
        return frame.hint("REBALANCE")  # into a table that is staged without partitions; 3.5's client has no sql(frame=…)
    columns = ", ".join(quote(c) for c in by)
    hint = f"REBALANCE({columns})" if by else "REBALANCE"
    return frame.sparkSession.sql(f"SELECT /*+ {hint} */ * FROM {{frame}}", frame=frame)  # DataFrame.hint takes no columns on 3.5


def plain(frame: DataFrame, form: str, by: tuple[str, ...]) -> None:
    """Refuses columns of types that have no place in a contract (intervals, void, variants), which text formats would
    garble.

    Raises:
        UsageError: naming the columns and their types.
    """
    wrong = [f"{f.name} ({f.dataType.simpleString()})" for f in frame.schema.fields if not _known(f.dataType)]
    if wrong:
        raise UsageError(
            f"{form} can't hold the column{'s' * (len(wrong) > 1)} {', '.join(wrong)}",
            reason="unsupported_type",
            hint="cast to text or a number in the job, or write Parquet",
        )
    lost = [c for c in by if c not in frame.columns]
    if lost:
        raise UsageError(
            f"partition_by names {', '.join(lost)}, which the frame does not have",
            reason="wrong_conf",
            hint=f"its columns are {', '.join(frame.columns)}",
        )


def _known(dtype: t.DataType) -> bool:
    if isinstance(dtype, t.ArrayType):
        return _known(dtype.elementType)
    if isinstance(dtype, t.MapType):
        return _known(dtype.valueType) and isinstance(dtype.keyType, _SIMPLE) and not isinstance(dtype.keyType, t.BinaryType)
    if isinstance(dtype, t.StructType):
        return all(_known(field.dataType) for field in dtype.fields)
    return isinstance(dtype, _SIMPLE)


STAMP = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"
JSON_OPTIONS: Mapping[str, str] = {
    "ignoreNullFields": "false",
    "timestampFormat": f"{STAMP}XXX",
    "timestampNTZFormat": STAMP,
}
"""How nested values, and JSON files, are written: nulls kept, timestamps whole and with their zone."""


def as_text(column: Column, dtype: t.DataType) -> Column:
    """A column as the text that conform reads back exactly: JSON for nested values, base64 for binary, plain
    decimals."""
    if isinstance(dtype, _NESTED):
        return F.to_json(column, dict(JSON_OPTIONS))
    if isinstance(dtype, t.BinaryType):
        return F.translate(F.base64(column), "\r\n", "")  # Spark 3.5 may break lines after 76 characters
    if isinstance(dtype, t.DecimalType):
        return column.cast("string")
    return column


def unfit(shaped: DataFrame, form: Format, by: Sequence[str]) -> list[Unfit]:
    """What of a shaped frame a format, or the folders of its partitions, can't hold."""
    found = form.unfit(shaped, tuple(by)) if form.unfit else None
    texts = [f.name for f in shaped.schema.fields if f.name in by and isinstance(f.dataType, t.StringType)]
    empty = [
        Unfit(
            F.col(quote(c)) == "",
            f"an empty text in the partition column {c} would be read back as null",
            "give it a value in the job, or partition by another column",
        )
        for c in texts
    ]
    return [*([found] if found else []), *empty]


def refuse_unfit(form: str, name: str, rows: int, found: Unfit) -> None:
    """Refuses an output of which rows can't be held by its format.

    Raises:
        ContractError: with the number of rows, if there is any.
    """
    if rows:
        raise ContractError(
            f"output {name!r}: {rows} row{'s' * (rows > 1)} can't be written as {form}: {found.what}",
            reason="unfit_for_format",
            hint=found.hint,
        )
