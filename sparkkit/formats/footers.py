"""What the footer of a Parquet or ORC file says: its schema as text, and how many rows it promises. Read by the driver,
many at once, a few kilobytes a file; the classes of the JVM are looked up once, since each look-up is a round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sparkkit.storage.hadoop import Hadoop


@dataclass(frozen=True)
class Footer:
    """One file's footer: `schema` is the format's own text for it, equal for files of one schema."""

    schema: str
    rows: int


def footers(hadoop: Hadoop, name: str, files: Iterable[str]) -> Mapping[str, Footer | Exception]:
    """The footer of each file, or the error of reading it."""
    return hadoop.each(files, {"parquet": _parquet, "orc": _orc}[name](hadoop))


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
    path = hadoop.jvm.org.apache.hadoop.fs.Path
    return lambda file: path(unquote(file))
