"""What the logs of a run say, gathered in a few figures and sentences, however long the logs are."""
from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STAMPED = re.compile(r"^\[?\d[\d/:,. T-]*")
"""The time that a message begins with, which makes it no other."""

MOST = 500
"""Different things said that are kept; a thousand tasks that fail the same way are one, with its number."""


@dataclass
class Said:
    """One text: an error's message and stack, a reason, a block of a log. `place` says where it was read, in words."""

    place: str
    text: str
    executor: str | None = None
    stage: str | None = None
    fatal: bool = False
    times: int = 1


@dataclass
class Stage:
    """One attempt of a stage: what each of its tasks that succeeded took (ms, bytes, rows), and its sums."""

    id: int
    attempt: int
    name: str = ""
    failed: str | None = None
    milliseconds: array[int] = field(default_factory=lambda: array("q"))
    bytes: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    running: int = 0
    collecting: int = 0
    spilled: int = 0
    to_disk: int = 0
    failures: int = 0
    longest: int = 0
    slowest: str = ""
    query: int | None = None

    def __str__(self) -> str:
        return f"stage {self.id}.{self.attempt}" + (f" ({self.name})" if self.name else "")


@dataclass
class Facts:
    """Everything that was gathered. `messages` and `events` are how many were read; `ended` says that an event log has its end."""

    record: Mapping[str, Any] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    stages: dict[tuple[int, int], Stage] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    plans: dict[int, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    messages: int = 0
    events: int = 0
    ended: bool = False
    _known: dict[tuple[str, str], Said] = field(default_factory=dict)

    def say(self, said: Said) -> None:
        """Keeps a text; one that was heard before, from wherever, is only counted."""
        before = self._known.get(_key(said))
        if before is not None:
            before.times += 1
            return
        if len(self.said) >= MOST:  # the first ones and the last ones say most
            gone = self.said.pop(next((i for i in range(MOST // 2, len(self.said)) if not self.said[i].fatal), MOST // 2))
            del self._known[_key(gone)]
        self._known[_key(said)] = said
        self.said.append(said)

    @property
    def done(self) -> bool:
        """Whether the run ended well."""
        return self.record.get("exit_code") == 0


def _key(said: Said) -> tuple[str, str]:
    return STAMPED.sub("", said.text, 1)[:400], str(said.fatal)
