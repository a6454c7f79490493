"""What the footer of a Parquet or ORC file says: its schema as text, and how many rows it promises. Read by the driver,
many at once, a few kilobytes a file; the classes of the JVM are looked up once, since each look-up is a round trip."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from sparkkit.storage.hadoop import Hadoop, path_class

EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Footer:
    """One file's footer: `schema` is the format's own text for it, equal for files of one schema."""

    schema: str
    rows: int


def footers(hadoop: Hadoop, name: str, files: Iterable[str]) -> Mapping[str, Footer | Exception]:
    """The footer of each file, or the error of reading it."""
    return hadoop.each(files, {"parquet": _parquet, "orc": _orc}[name](hadoop))


def highest(hadoop: Hadoop, files: Iterable[str], column: str) -> Mapping[str, dt.datetime | Decimal | None]:
    """The highest value of a column of Parquet files, by their footers: a date or time (UTC), or a whole number; None where a footer
    does not tell, or there may be nulls."""
    parquet = hadoop.jvm.org.apache.parquet.hadoop
    from_path, opener = parquet.util.HadoopInputFile.fromPath, parquet.ParquetFileReader.open
    path = _paths(hadoop)
    options = hadoop.jvm.org.apache.parquet.HadoopReadOptions.builder(hadoop.conf).build()

    def top(file: str) -> dt.datetime | Decimal | None:
        reader = opener(from_path(path(file), hadoop.conf), options)
        try:
            return _highest(reader.getFooter(), column)
        finally:
            reader.close()

    return {file: None if isinstance(found, Exception) else found for file, found in hadoop.each(files, top).items()}


STEPS: Mapping[str, Callable[[int], dt.datetime | Decimal]] = {
    "DATE": lambda n: EPOCH + dt.timedelta(days=n),
    "TIMESTAMP(MICROS": lambda n: EPOCH + dt.timedelta(microseconds=n),
    "TIMESTAMP(MILLIS": lambda n: EPOCH + dt.timedelta(milliseconds=n),
    "None": Decimal, "INTEGER(64": Decimal, "INTEGER(32": Decimal,
}
"""What a number in a footer means, by the beginning of its logical type."""


def _highest(footer: Any, column: str) -> dt.datetime | Decimal | None:
    schema, found = footer.getFileMetaData().getSchema(), []
    if not schema.containsField(column) or not schema.getType(column).isPrimitive():
        return None
    kind = schema.getType(column).asPrimitiveType()
    said = str(kind.getLogicalTypeAnnotation())
    unsigned = said.startswith("INTEGER") and said.endswith(",false)")  # its statistics are read as signed numbers
    step = None if unsigned else STEPS.get(said.partition(",")[0])
    if step is None or str(kind.getPrimitiveTypeName()) not in ("INT32", "INT64"):
        return None
    at, blocks = schema.getFieldIndex(column), footer.getBlocks()
    for i in range(blocks.size()):
        chunk = blocks.get(i).getColumns().get(at)
        told = chunk.getStatistics()
        if chunk.getPath().toDotString() != column or told is None or not told.isNumNullsSet() or told.getNumNulls():
            return None
        if not told.hasNonNullValue():
            return None
        found.append(int(told.genericGetMax()))
    return step(max(found)) if found else None


def _parquet(hadoop: Hadoop) -> Callable[[str], Footer]:
    parquet = hadoop.jvm.org.apache.parquet.hadoop
    from_path, opener = parquet.util.HadoopInputFile.fromPath, parquet.ParquetFileReader.open
    path = _paths(hadoop)
    options = hadoop.jvm.org.apache.parquet.HadoopReadOptions.builder(hadoop.conf).build()  # else each open reads Hadoop's XML anew

    def foot(file: str) -> Footer:
        reader = opener(from_path(path(file), hadoop.conf), options)
        try:
            text = str(reader.getFileMetaData().getSchema().toString())
            return Footer(text.partition("\n")[2], int(reader.getRecordCount()))  # the first line is the writer's name
        finally:
            reader.close()

    return foot


def _orc(hadoop: Hadoop) -> Callable[[str], Footer]:
    opener, options = hadoop.jvm.org.apache.orc.OrcFile.createReader, hadoop.jvm.org.apache.orc.OrcFile.readerOptions
    path = _paths(hadoop)

    def foot(file: str) -> Footer:
        reader = opener(path(file), options(hadoop.conf))
        try:
            return Footer(str(reader.getSchema().toString()), int(reader.getNumberOfRows()))
        finally:
            reader.close()

    return foot


def _paths(hadoop: Hadoop) -> Callable[[str], Any]:
    path = path_class(hadoop.jvm)
    return lambda file: path(unquote(file))
