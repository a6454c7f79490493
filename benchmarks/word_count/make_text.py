"""A large text, the same at every run: the samples in data/books again and again, a few lines changed each time.

    python benchmarks/word_count/make_text.py FILE MEGABYTES
"""
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

BOOKS = Path(__file__).resolve().parents[2] / "data" / "books"


def lines() -> list[str]:
    """The samples' lines with their line ends (LF and CRLF), in the order of file names."""
    texts = [path.read_bytes().decode("utf-8") for path in sorted(BOOKS.glob("*.txt"))]
    return [line + "\n" for text in texts for line in text.removesuffix("\n").split("\n")]


def changed(line: str, random: Random) -> str:
    """The line, in about one of twenty-two with a new number, its case swapped or other blanks."""
    n = random.random()
    if n < 0.02:
        return line.replace(" ", f" {random.randrange(100_000)} ", 1)
    if n < 0.04:
        return line.swapcase()
    return line.replace(" ", "\t\v", 2) if n < 0.045 else line


def chunks(megabytes: float) -> Iterator[bytes]:
    """Bytes of text, `megabytes` (of 10**6) or a little more in all."""
    random, books, size = Random(7), lines(), 0
    while size < megabytes * 1_000_000:
        chunk = "".join(changed(line, random) for line in books).encode()
        size += len(chunk)
        yield chunk


def make(path: Path, megabytes: float) -> int:
    """Write the text; returns its size in bytes."""
    with path.open("wb") as out:
        return sum(map(out.write, chunks(megabytes)))


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), float(sys.argv[2])))
