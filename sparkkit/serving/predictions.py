"""The log of predictions: JSON lines that the job which watches for drift reads, written by a thread of its own.

A request never waits for the disk. What can't be written is counted, and the count stands in `/healthz` and `/metrics`.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import socket
import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sparkkit.schema.contract import Contract

WAITING = 10_000
"""Lines that may wait for the disk; more are dropped, and counted."""

LARGEST = 64 * 1024 * 1024
"""Bytes of a file, after which the next begins."""


def line(about: Mapping[str, Any], record: Mapping[str, Any], answer: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    """One line of the log. What is personal by the contract is left out, from the hash of the features, too: a small domain's hashes
    could be tried out.

    >>> found = line({"model": "m", "version": "3"}, {"name": "Ann", "n": 1}, {"prediction": 1, "score": 0.9}, frozenset({"name"}))
    >>> found["features"], found["masked"], found["score"]
    ({'n': 1}, ['name'], 0.9)
    """
    shown = {name: value for name, value in record.items() if name not in hidden}
    canonical = json.dumps(shown, sort_keys=True, ensure_ascii=False, default=_plain)
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **about,
        "features_hash": hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()[:16],
        "score": answer.get("score"), "prediction": answer.get("prediction"), "features": shown, "masked": sorted(hidden & record.keys()),
    }


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, Decimal) else repr(value)


def personal(contract: Contract) -> frozenset[str]:
    """The columns that a contract marks as personal."""
    return frozenset(column.name for column in contract.columns if column.pii)


class Log:
    """Writes lines to files of this process in a folder, `predictions-HOST-PID-N.json`; `lost` counts those that were not written."""

    def __init__(self, folder: Path, *, waiting: int = WAITING, largest: int = LARGEST) -> None:
        self.lost = 0
        self._folder, self._largest, self._number = folder, largest, 0
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue(waiting)
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def put(self, entry: dict[str, Any]) -> None:
        """Hands over a line; never waits."""
        try:
            self._lines.put_nowait(entry)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Writes what is waiting, and ends; waits 5 seconds at most."""
        self._lines.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        size, ended = 0, False
        while not ended:
            taken = self._taken()
            ended = taken[-1] is None
            entries = [entry for entry in taken if entry is not None]
            data = b"".join(json.dumps(e, ensure_ascii=False, default=_plain).encode("utf-8", "replace") + b"\n" for e in entries)
            size = self._written(data, size, len(entries))

    def _taken(self) -> list[dict[str, Any] | None]:
        """All that is waiting, at least one."""
        taken = [self._lines.get()]
        while taken[-1] is not None and not self._lines.empty():
            taken.append(self._lines.get())
        return taken

    def _written(self, data: bytes, size: int, count: int) -> int:
        """The size of the file after a write; lines that the disk did not take are lost."""
        if size and size + len(data) > self._largest:
            self._number, size = self._number + 1, 0
        name = f"predictions-{socket.gethostname()}-{os.getpid()}-{self._number}.json"
        try:
            with (self._folder / name).open("ab") as file:
                file.write(data)
        except OSError:
            self.lost += count
            return size
        return size + len(data)
