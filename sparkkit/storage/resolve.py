"""Reading through the journal: where the files of an output are, whatever state the last run left it in."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sparkkit.errors import InfrastructureError
from sparkkit.storage.lock import fate
from sparkkit.storage.log import LOOKS, Entry, Log, Part
from sparkkit.storage.seam import Store, data, guarded, walk

MARKER = ".sparkkit"
"""The hidden file in a whole folder that says whose publication it is."""


@dataclass(frozen=True)
class View:
    """What an output is now: the files below `root` but `without` some, and the `adds` below `extra`, which are on their way there."""

    version: str
    root: str
    extra: str | None = None
    without: frozenset[str] = frozenset()
    adds: tuple[str, ...] = ()

    def files(self, store: Store) -> tuple[str, ...]:
        """The paths of the data files."""
        moving = {f: f"{self.extra}/{f}" for f in self.adds}
        there = {f: f"{self.root}/{f}" for f in data(walk(store, self.root)) if f not in self.without}
        return tuple(path for _, path in sorted({**moving, **there}.items()))


@guarded
def resolve(store: Store, target: str) -> View:
    """Where the data of an output are now.

    Raises:
        UsageError: a newer sparkkit wrote the journal.
        InfrastructureError: what was published is not there.
    """
    log = Log(store, target)
    for _ in range(LOOKS):
        _, last = log.last()
        pending = _pending(log, last)
        if pending is None or pending.how == "table":
            return View(last.runs[-1] if last and last.runs else "", target)
        if pending.staged:
            return View(pending.run_id, target, f"{log.folder}/{pending.staged}", frozenset(pending.removes), pending.adds)
        found = workspace(log, pending.run_id)
        if found and pending.how == "files":
            return View(pending.run_id, target, f"{found[1]}/new", frozenset(pending.removes), pending.adds)
        for root in (target, f"{found[1]}/new") if found else ():
            if is_of(store, root, pending.run_id):  # seen to be there: it may move while it is looked for
                return View(pending.run_id, root)
    raise InfrastructureError(f"the files that were published to {target} are not in {log.folder}/work",
                              reason="journal_damaged", hint="run its job again, or read again when it has ended")


def files(store: Store, target: str) -> tuple[str, ...]:
    """The data files of one version of an output: looked at twice, so that no publication came between the folders.

    Raises:
        InfrastructureError: it changed each time.
    """
    for _ in range(LOOKS):
        view = resolve(store, target)
        found = view.files(store)
        if resolve(store, target) == view:
            return found
    raise InfrastructureError(f"{target} changed each of {LOOKS} times that it was listed", reason="busy", hint="read again later")


def _pending(log: Log, last: Entry | None) -> Part | None:
    if last and last.kind == "open" and last.home[0] != log.target:
        _, decision = fate(log.store, last)
        if decision:
            return next((p for p in decision.parts if p.target == log.target), None)
    return last.pending if last else None


def workspaces(log: Log, kind: str = "work") -> Iterator[tuple[str, int, str]]:
    """The folders of runs in a journal: the run, the token it was last claimed with, the path."""
    for name in log.store.list(f"{log.folder}/{kind}"):
        run_id, _, token = name.rstrip("/").rpartition(".")
        if token.isdigit():
            yield run_id, int(token), f"{log.folder}/{kind}/{run_id}.{token}"


def workspace(log: Log, run_id: str) -> tuple[int, str] | None:
    """The token and path of one run's folder."""
    return max(((token, path) for run, token, path in workspaces(log) if run == run_id), default=None)


def is_of(store: Store, folder: str, run_id: str) -> bool:
    """Whether a folder is, as a whole, what a run published."""
    found = store.read(f"{folder}/{MARKER}")
    return found is not None and found.data == run_id.encode()
