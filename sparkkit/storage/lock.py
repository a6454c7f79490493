"""The lock on a run's outputs: an `open` entry at the end of each output's log, whose number is the fencing token.

A publication is decided by the entry after the `open` in its home log. Whoever takes over puts something else there first, so that a
commit, which is put if absent, verifies the token in the same step in which it takes effect: one of the two is there, for good.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from sparkkit.errors import LockedError
from sparkkit.storage.alive import is_dead, me
from sparkkit.storage.log import KEEP, Entry, Log
from sparkkit.storage.seam import Store


@dataclass(frozen=True)
class Patience:
    """How long a holder may be silent: `missed` looks in a row, `interval` seconds apart by this machine's monotonic clock.

    Nobody's wall clock counts, and a waiter that was suspended has looked only once in all that time.
    """

    interval: float = 2.0
    missed: int = 10
    sleep: Callable[[float], None] = time.sleep

    def gone(self, look: Callable[[], object]) -> bool:
        """Whether nothing changed; False at the first change."""
        seen = look()
        for _ in range(self.missed):
            self.sleep(self.interval)
            if look() != seen:
                return False
        return True


def take(log: Log, run_id: str, home: tuple[str, int] | None, patience: Patience) -> tuple[int, Entry]:
    """Puts the run's `open` at the end of a log; its number and the entry. `home` is None for the run's first log.

    Raises:
        LockedError: another run has the lock, and its heart beats.
    """
    while True:
        slot, last = log.last()
        if last and last.kind in ("open", "commit") and not _released(log, slot, last, patience):
            continue
        here = slot + 1
        entry = Entry("open", run_id, home or (log.target, here), first=max(1, here - KEEP))
        if last:
            entry = replace(entry, pending=last.pending, runs=last.runs, first=max(last.first, entry.first))
        if log.append(here, entry):
            return here, entry


def _released(log: Log, slot: int, last: Entry, patience: Patience) -> bool:
    """Whether the run that has the lock is over; False where there is something new in the log to be looked at."""
    home, opened = Log(log.store, last.home[0]), last.home[1]
    away = last.kind == "open" and home != log
    what, decision = fate(log.store, last) if away else ("undecided", None)
    if what == "abort":
        return True
    if decision:
        follow(log, slot, last, decision)
        return False
    heart = log.store.read(beat(home, opened))
    dead = heart is not None and is_dead(heart.data.decode(errors="replace").partition(" ")[2])
    if not dead and not patience.gone(lambda: (log.slots(), log.store.read(beat(home, opened)))):
        if log.slots()[-1:] != [slot]:
            return False
        raise LockedError(f"run {last.run_id} is at work on {log.target}",
                          hint=f"wait until it ends; `sparkkit runs show {last.run_id}` tells where it runs")
    if away:
        _, there = home.last()
        home.append(opened + 1, replace(there, kind="abort") if there else Entry("abort", last.run_id, last.home))
        return False
    for part in last.parts:
        other = Log(log.store, part.target)
        begun = other.get(part.slot) if other != log else None
        if begun:
            follow(other, part.slot, begun, last)
    return True


def fate(store: Store, begun: Entry) -> tuple[Literal["commit", "abort", "undecided"], Entry | None]:
    """What became of the publication of a run, by its `open` and the log that decides for it; with the entry where it was committed."""
    home, opened = Log(store, begun.home[0]), begun.home[1]
    slot, last = home.last()
    if last and slot == opened:
        return "undecided", None
    # what is below the first number that counts was followed in every log before it was pruned, or came too late
    entry = home.get(opened + 1) if last and opened + 1 >= last.first else None
    committed = entry is not None and entry.kind == "commit" and entry.run_id == begun.run_id  # somebody may have begun the log anew
    return ("commit", entry) if committed else ("abort", None)


def follow(log: Log, slot: int, opened: Entry, decision: Entry) -> None:
    """Puts into an output's own log what was decided in the home log, where the run that did so is gone."""
    part = next((p for p in decision.parts if p.target == log.target), None)
    log.append(slot + 1, replace(opened.settled(), kind="commit" if part else "abort", pending=part))


def beat(home: Log, opened: int) -> str:
    """Where the heart of a run beats."""
    return f"{home.path(opened)}.beat"


class Heart:
    """Beats while a run has its lock, in a thread of its own. A beat that fails is no beat; the commit is what tells who has the lock."""

    def __init__(self, home: Log, opened: int, interval: float) -> None:
        self.store, self.path, self.interval = home.store, beat(home, opened), interval
        self.holder = me()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sparkkit-heart", daemon=True)

    def __enter__(self) -> Heart:
        self._beat(0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        with suppress(OSError):
            self.store.delete(self.path)

    def _run(self) -> None:
        count = 0
        while not self._over.wait(self.interval):
            self._beat(count := count + 1)

    def _beat(self, count: int) -> None:
        with suppress(OSError):
            found, data = self.store.read(self.path), f"{count} {self.holder}".encode()
            if found:
                self.store.replace_if_unchanged(self.path, data, found.version)
            else:
                self.store.put_if_absent(self.path, data)
