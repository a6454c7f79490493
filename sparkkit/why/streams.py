"""The lines of a log, whatever it is packed in, a piece at a time: an event log may be gigabytes.

Spark's lz4 and snappy streams are not those of the tools of these names: each has a frame of the Java library that wrote it.
"""
from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from sparkkit.errors import NotReadyError, UsageError

PIECE = 1 << 20
LONGEST = 64 << 20
"""Bytes of one line: longer ones (a plan of a million columns) are passed over."""


class CutOffError(Exception):
    """The file ends in the middle of something: its writer was killed, or is still at it."""


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, decompressed by what its name says.

    Raises:
        CutOffError: after the last whole line, where the rest is missing.
        UsageError: no library at hand reads its compression (`missing_package`).
        NotReadyError: it can't be opened.
    """
    try:
        with path.open("rb") as file:
            yield from _split(_pieces(path, file))
    except OSError as error:
        raise NotReadyError(f"{path} can't be read: {error.strerror or error}", reason="log_missing") from error


def codec(path: Path) -> str:
    """The compression that a name tells, `` for none.

    >>> codec(Path("events_1_app-1.zstd")), codec(Path("app-1.lz4.inprogress")), codec(Path("local-1"))
    ('zstd', 'lz4', '')
    """
    name = path.name.removesuffix(".inprogress").removesuffix(".compact")
    ending = name.rpartition(".")[2] if "." in name else ""
    return {"zst": "zstd", "gzip": "gz"}.get(ending, ending) if ending in (*READERS, "zst", "gzip", "lzf") else ""


def _pieces(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    name = codec(path)
    reader = READERS.get(name)
    if reader is None:
        raise UsageError(f"{path} is compressed with {name}, which can't be read here", reason="missing_package",
                         hint="set spark.io.compression.codec=zstd for the next run, or unpack it")
    return reader(file)


def _split(pieces: Iterator[bytes]) -> Iterator[str]:
    rest: list[bytes] = []
    size = 0
    for piece in pieces:
        head, *whole = piece.split(b"\n")
        rest.append(head)
        size += len(head)
        if whole:
            yield _text(b"".join(rest) if size <= LONGEST else b"")
            yield from map(_text, whole[:-1])
            rest, size = [whole[-1]], len(whole[-1])
        elif size > LONGEST:
            rest = []
    if size:
        yield _text(b"".join(rest))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(PIECE), b"")


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        yield from _arrow_zstd(file)
        return
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    yield from _until_cut(lambda: reader.read(PIECE), zstandard.ZstdError)


def _arrow_zstd(file: IO[bytes]) -> Iterator[bytes]:
    pa = _needed("pyarrow", "zstd", "zstandard")
    stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
    yield from _until_cut(lambda: stream.read(PIECE), OSError)


def _gzip(file: IO[bytes]) -> Iterator[bytes]:
    packed = gzip.GzipFile(fileobj=file)
    yield from _until_cut(lambda: packed.read1(PIECE), EOFError, zlib.error, gzip.BadGzipFile)


def _until_cut(read: Callable[[], bytes], *error: type[Exception]) -> Iterator[bytes]:
    try:
        while piece := read():
            yield piece
    except error as found:
        raise CutOffError(str(found)) from found


def _lz4(file: IO[bytes]) -> Iterator[bytes]:
    """Frames of lz4-java's LZ4BlockOutputStream: magic, method, both sizes, a checksum, the block."""
    pa = _needed("pyarrow", "lz4", "pyarrow")
    unpack = pa.Codec("lz4_raw").decompress
    while head := file.read(21):
        if len(head) < 21:
            raise CutOffError("within a frame's head")
        if head[:8] != b"LZ4Block":
            raise CutOffError("a frame's head is damaged")
        packed, size = struct.unpack("<ii", head[9:17])
        block = _exactly(file, packed)
        if size:
            yield block if head[8] & 0xF0 == 0x10 else unpack(block, decompressed_size=size).to_pybytes()


def _snappy(file: IO[bytes]) -> Iterator[bytes]:
    """Chunks of snappy-java's SnappyOutputStream: a head of 16 bytes (again where a stream follows), then size and block."""
    pa = _needed("pyarrow", "snappy", "pyarrow")
    unpack = pa.Codec("snappy").decompress
    while head := file.read(4):
        if head == b"\x82SNA":
            _exactly(file, 12)
            continue
        if len(head) < 4:
            raise CutOffError("within a chunk's head")
        block = _exactly(file, struct.unpack(">i", head)[0])
        yield unpack(block, decompressed_size=_varint(block)).to_pybytes()


def _varint(block: bytes) -> int:
    value = 0
    for place, byte in enumerate(block[:5]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return value


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise CutOffError("within a block")
    return data


def _needed(module: str, what: str, package: str) -> Any:
    try:
        return __import__(module)
    except ImportError as error:
        raise UsageError(f"the log is compressed with {what}, and nothing here reads that", reason="missing_package",
                         hint=f"pip install {package}") from error


READERS: dict[str, Callable[[IO[bytes]], Iterator[bytes]]] = {"": _plain, "zstd": _zstd, "gz": _gzip, "lz4": _lz4, "snappy": _snappy}
"""How to read each compression."""
