"""The lines of a log come out whole, whatever it is packed in and wherever it was cut off."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkkit.errors import UsageError
from sparkkit.why import streams

TEXT = "".join(f"line {n} with ünïcode {n * 7919}\n" for n in range(3_000)).encode()
LINES = TEXT.decode().splitlines()


def zstd(data: bytes) -> bytes:
    """As Spark writes: a frame is closed at each flush."""
    zstandard = pytest.importorskip("zstandard")
    half = len(data) // 2
    return b"".join(zstandard.ZstdCompressor().compress(part) for part in (data[:half], data[half:]))


def lz4(data: bytes) -> bytes:
    """As lz4-java's LZ4BlockOutputStream writes; the last block is as it is, the end an empty one."""
    codec = pytest.importorskip("pyarrow").Codec("lz4_raw")
    parts = [data[at : at + 32_768] for at in range(0, len(data), 32_768)]
    packed = [(0x20, codec.compress(part, asbytes=True), len(part)) for part in parts[:-1]] + [(0x10, parts[-1], len(parts[-1]))]
    frames = [b"LZ4Block" + bytes([kind | 5]) + struct.pack("<iii", len(block), size, 0) + block for kind, block, size in packed]
    return b"".join([*frames, b"LZ4Block\x15" + struct.pack("<iii", 0, 0, 0)])


def snappy(data: bytes) -> bytes:
    """As snappy-java's SnappyOutputStream writes."""
    codec = pytest.importorskip("pyarrow").Codec("snappy")
    blocks = [codec.compress(data[at : at + 32_768], asbytes=True) for at in range(0, len(data), 32_768)]
    return b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".zstd": zstd, ".lz4": lz4, ".snappy": snappy, ".gz": gzip.compress}


@pytest.mark.parametrize("ending", PACKED)
def test_every_line_comes_out_whole(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PIECE", 997)
    path = tmp_path / f"app-1{ending}.inprogress"
    path.write_bytes(PACKED[ending](TEXT))
    assert list(streams.lines(path)) == LINES


@pytest.mark.parametrize("ending", PACKED)
def test_of_a_log_that_was_cut_off_what_is_whole_comes_out(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"app-1{ending}"
    path.write_bytes(PACKED[ending](TEXT)[:-40])
    found = []
    try:
        for line in streams.lines(path):
            found.append(line)
    except streams.CutOffError:
        pass
    assert len(found) > 1_000
    assert found[:-1] == LINES[: len(found) - 1]


def test_a_log_that_is_damaged_in_its_middle_is_cut_off_there(tmp_path: Path) -> None:
    data = bytearray(PACKED[".gz"](TEXT))
    data[len(data) // 2: len(data) // 2 + 50] = b"\0" * 50
    (tmp_path / "app-1.gz").write_bytes(bytes(data))
    with pytest.raises(streams.CutOffError):
        list(streams.lines(tmp_path / "app-1.gz"))


def test_zstd_is_read_by_pyarrow_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "app-1.zstd"
    path.write_bytes(zstd(TEXT))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert list(streams.lines(path)) == LINES


@pytest.mark.parametrize(("ending", "missing"), [("zstd", "zstandard"), ("lz4", "pyarrow"), ("snappy", "pyarrow")])
def test_where_no_library_is_at_hand_it_is_said_which(ending: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zstandard", "pyarrow"):
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / f"x.{ending}").write_bytes(b"x")
    with pytest.raises(UsageError, match=f"compressed with {ending}.*pip install {missing}"):
        list(streams.lines(tmp_path / f"x.{ending}"))


def test_a_codec_that_nothing_reads_is_named(tmp_path: Path) -> None:
    (tmp_path / "app-1.lzf").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"with lzf, which can't be read here"):
        list(streams.lines(tmp_path / "app-1.lzf"))


def test_a_line_that_is_far_too_long_is_passed_over_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PIECE", 100)
    monkeypatch.setattr(streams, "LONGEST", 1_000)
    (tmp_path / "log").write_bytes(b"a\n" + b"x" * 5_000 + b"\nb\n")
    assert list(streams.lines(tmp_path / "log")) == ["a", "", "b"]
