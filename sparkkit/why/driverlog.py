"""The driver's log, or what a terminal or YARN kept of it: its messages, each with the stack that follows it."""
from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from sparkkit.why.facts import Facts, Said
from sparkkit.why.streams import CutOffError, lines

STAMP = re.compile(r'(\[?\d{2,4}[-/]\d{2}[-/]\d{2}[ T]\d{2}:\d{2}|\{"ts":)')
"""How a message of Spark's log begins; what has no such beginning belongs to the message before."""

LONGEST = 2_000
"""Characters of a line that are kept."""


def read(path: Path, facts: Facts, telling: re.Pattern[str]) -> int:
    """Keeps the messages in which one of the causes' patterns is found; how many messages there were."""
    count = 0
    try:
        for number, text in blocks(lines(path)):
            count += 1
            if telling.search(text):
                facts.say(Said(f"{path.name}:{number}", text))
    except CutOffError as cut:
        facts.notes.append(f"{path.name} is incomplete ({cut}): read as far as it goes")
    return count


def blocks(log: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The messages of a log, each with the number of its first line.

    >>> list(blocks(["26/11/22 10:00:00 WARN a", "  at b", "26/11/22 10:00:01 INFO c"]))
    [(1, '26/11/22 10:00:00 WARN a\\n  at b'), (3, '26/11/22 10:00:01 INFO c')]
    """
    start, head = 1, list[str]()
    tail: deque[str] = deque(maxlen=60)  # the last words of a long stack say more than its middle
    for number, line in enumerate(log, 1):
        if head and STAMP.match(line):
            yield start, "\n".join([*head, *tail])
            start, head = number, []
            tail.clear()
        (head if len(head) < 40 else tail).append(line[:LONGEST])
    if head:
        yield start, "\n".join([*head, *tail])
