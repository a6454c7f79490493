"""Word count as a mapper, a combiner and a reducer, for mrjob; `map_reduce` runs the same functions.

    python scripts/word_count_mrjob.py -r inline TEXT
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mrjob.job import MRJob

_WORD = re.compile("[^ \t\n\r\v\f]+")


def words(line: str) -> Iterator[tuple[str, int]]:
    """Each word of a line, with 1."""
    for word in _WORD.findall(line):
        yield word, 1


def total(word: str, counts: Iterable[int]) -> Iterator[tuple[str, int]]:
    """The word with its sum: combiner and reducer."""
    yield word, sum(counts)


class WordCount(MRJob):  # type: ignore[misc]  # mrjob has no types
    """The same three steps in mrjob's form."""

    def mapper(self, _: Any, line: str) -> Iterator[tuple[str, int]]:
        return words(line)

    def combiner(self, key: str, values: Iterable[int]) -> Iterator[tuple[str, int]]:
        return total(key, values)

    def reducer(self, key: str, values: Iterable[int]) -> Iterator[tuple[str, int]]:
        return total(key, values)


def inline(text: Path) -> dict[str, int]:
    """The counts of mrjob's inline runner."""
    job = WordCount(["-r", "inline", "--no-conf", str(text)])
    with job.make_runner() as runner:
        runner.run()
        return dict(job.parse_output(runner.cat_output()))


if __name__ == "__main__":
    WordCount.run()
