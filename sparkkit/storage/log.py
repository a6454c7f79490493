"""The log of one output: numbered entries, each put if absent, so that whoever is first at a number decides it. The last says all."""
from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.storage.seam import Store

FORMAT = 1
"""The version of entries, records and states: raised with every change of their fields, since who does not know a field can't act on it."""

KEEP = 100
"""How many numbers behind the last one are kept."""

VERSIONS = 2
"""How many publications back the replaced files are kept."""

LOOKS = 20
"""How often something that moves is looked at again before it is given up."""


@dataclass(frozen=True)
class Part:
    """One output of a publication: all that its steps need, whoever makes them.

    `slot` is that of the run's `open` in the output's log; `slice` names what a re-run replaces. `how` it is put in place: as a
    `whole` folder, file by file (`files`), or by the `table`'s own commit of what is `staged`, a path below the journal, or in the
    run's workspace where there is none. `adds` and `removes` are files, relative to the target; `puts` small objects of the journal,
    records and states, that wait in the workspace.
    """

    target: str
    slot: int
    run_id: str
    slice: str
    logical_id: str
    generation: int
    mode: str
    how: Literal["whole", "files", "table"]
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    staged: str = ""
    puts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """What is so from this number on.

    `open`: the run has the lock, its number is the fencing token. `commit`: its publication is decided. `done`: and in place; free.
    `abort`: the run is over without a publication; free. `home` is the output in whose log (after that number) it is decided for
    every output of the run; the `commit` there has all `parts`. `pending` was committed and may not be in place yet; `runs` are those whose
    publications are, the last ones. No number below `first` counts.
    """

    kind: Literal["open", "commit", "done", "abort"]
    run_id: str
    home: tuple[str, int]
    parts: tuple[Part, ...] = ()
    pending: Part | None = None
    runs: tuple[str, ...] = ()
    first: int = 1

    def settled(self) -> Entry:
        """What is so once the pending publication is in place."""
        return replace(self, pending=None, runs=(*self.runs, self.pending.run_id)[-VERSIONS:]) if self.pending else self

    def encode(self) -> bytes:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **vars(self)}, ensure_ascii=False, default=vars).encode() + b"\n"


def decode(data: bytes, path: str) -> dict[str, Any]:
    """The object of one line of JSON.

    Raises:
        UsageError: a later version of sparkkit wrote it.
        InfrastructureError: it is damaged.
    """
    try:
        found = dict(json.loads(data))
        number = int(found.pop("format"))
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path) from error
    if number > FORMAT:
        raise UsageError(f"{path} has format {number}, and this sparkkit knows formats up to {FORMAT}", reason="newer_format",
                         hint="run with the newer sparkkit that wrote it")
    return found


def damaged(path: str) -> InfrastructureError:
    """The error of a file that nobody can read as what it should be."""
    journal = f"{path.rpartition('.sparkkit/')[0]}.sparkkit"
    return InfrastructureError(f"{path} is damaged", reason="journal_damaged",
                               hint=f"restore the file, or move {journal} away: locks, kept versions and incremental state go with it")


def entry_of(data: bytes, path: str) -> Entry:
    """The entry of one line of JSON; as `decode` raises."""
    found = decode(data, path)
    try:
        parts = tuple(_part(p) for p in found.pop("parts"))
        pending = found.pop("pending")
        home, runs = tuple(found.pop("home")), tuple(found.pop("runs"))
        return Entry(**found, home=home, parts=parts, pending=_part(pending) if pending else None, runs=runs)
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path) from error


def _part(found: dict[str, Any]) -> Part:
    return Part(**{**found, **{name: tuple(found[name]) for name in ("adds", "removes", "puts")}})


@dataclass(frozen=True)
class Log:
    """The entries in the journal of an output, a hidden folder beside it."""

    store: Store
    target: str

    @property
    def folder(self) -> str:
        """The journal."""
        above, _, name = self.target.rpartition("/")
        return f"{above}/.{name}.sparkkit"

    def path(self, slot: int) -> str:
        """Where an entry is."""
        return f"{self.folder}/log/{slot:012}"

    def slots(self) -> list[int]:
        """The numbers that are taken."""
        return [int(name) for name in self.store.list(f"{self.folder}/log") if name.isdigit()]

    def last(self) -> tuple[int, Entry | None]:
        """The last number and its entry; 0 and None where nothing was ever published."""
        for _ in range(LOOKS):
            slot = max(self.slots(), default=0)
            entry = self.get(slot) if slot else None
            if entry or not slot:
                return slot, entry
        raise InfrastructureError(f"{self.path(slot)} is listed and can't be read", reason="journal_damaged",
                                  hint="see that this user can read the folder, and that nobody deletes in it")

    def get(self, slot: int) -> Entry | None:
        """One entry."""
        found = self.store.read(self.path(slot))
        return entry_of(found.data, self.path(slot)) if found else None

    def append(self, slot: int, entry: Entry) -> bool:
        """Whether this is the entry of that number."""
        path, data = self.path(slot), entry.encode()
        if self.store.put_if_absent(path, data):
            return True
        found = self.store.read(path)  # an answer that was lost on the way, and asked for again, is ours all the same
        return found is not None and found.data == data

    def stands(self, slot: int) -> bool:
        """Whether a number that was just taken counts: one that was pruned is free again, for a run that slept all that time."""
        top, last = self.last()
        return top == slot or (last is not None and slot >= last.first)

    def prune(self, first: int) -> None:
        """Deletes all below a number: entries, beats, and what was half written."""
        for name in self.store.list(f"{self.folder}/log"):
            number = name.lstrip(".").partition(".")[0]
            if number.isdigit() and int(number) < first:
                self.store.delete(f"{self.folder}/log/{name}")
