"""The small records of a journal: what each slice's generations wrote, and the named states that are committed with them.

A record is one line of JSON, and after it the bytes of a state. Of each name the last generations are kept, so that a rollback can
put back those before.
"""
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sparkkit.errors import InfrastructureError
from sparkkit.storage import log as journal
from sparkkit.storage.log import VERSIONS, Log, Part, damaged, decode
from sparkkit.storage.seam import is_there

Kind = Literal["slices", "states"]

WHOLE = "*"
"""The slice of what replaces all that there is."""

CALLED = "* called"
"""The record of what that slice would be called among others, which has no rows of its own."""


@dataclass(frozen=True)
class Record:
    """One generation of one name; `fields` are those of its kind."""

    name: str
    generation: int
    run_id: str
    fields: Mapping[str, Any]
    data: bytes = b""

    def encode(self) -> bytes:
        """The line, and the bytes after it."""
        found = {"format": journal.FORMAT, "name": self.name, "generation": self.generation, "run_id": self.run_id, **self.fields}
        return json.dumps(found, ensure_ascii=False).encode() + b"\n" + self.data

    def path(self, kind: Kind) -> str:
        """Where it is, relative to the journal."""
        return f"{_folder(kind, self.name)}/{self.generation:09}"


def last_of(log: Log, kind: Kind, name: str) -> Record | None:
    """The last generation of a name; None where it was never written."""
    return _last(log, _folder(kind, name))


def every_last(log: Log, kind: Kind) -> Iterator[Record]:
    """The last generation of every name."""
    for name in log.store.list(f"{log.folder}/{kind}"):
        if found := _last(log, f"{kind}/{name.rstrip('/')}"):
            yield found


def before(log: Log, kind: Kind, record: Record) -> Record | None:
    """The generation before this one; None before the first.

    Raises:
        InfrastructureError: it is not kept any more.
    """
    if record.generation == 1:
        return None
    found = _get(log, f"{_folder(kind, record.name)}/{record.generation - 1:09}")
    if found is None:
        raise InfrastructureError(f"what {record.name} was before generation {record.generation} is not in {log.folder}/{kind}",
                                  reason="journal_damaged", hint="run its job again in place of a rollback")
    return found


def slice_record(part: Part) -> Record:
    """What is to be known of a slice: its logical id, the files it wrote, and how."""
    fields = {"logical_id": part.logical_id, "how": part.how, "slot": part.slot, "files": list(part.adds)}
    return Record(part.slice, part.generation, part.run_id, fields)


def remember(log: Log, part: Part) -> None:
    """Records a slice's generation."""
    record = slice_record(part)
    _put(log, record.path("slices"), record.encode())


def put_small(log: Log, work: str, part: Part) -> None:
    """Puts a publication's small objects from its workspace into the journal.

    Raises:
        InfrastructureError: somebody deleted them.
    """
    for path in part.puts:
        if found := log.store.read(f"{work}/put/{path}"):
            _put(log, path, found.data)
        elif is_there(log.store, work) and not log.store.read(f"{log.folder}/{path}"):  # else who took over has them
            raise InfrastructureError(f"{work}/put/{path} is gone", reason="journal_damaged", hint="restore the file")


def _folder(kind: Kind, name: str) -> str:
    return f"{kind}/{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _put(log: Log, path: str, data: bytes) -> None:
    """Puts a record, and forgets that of the same name which no kept version needs any more."""
    log.store.put_if_absent(f"{log.folder}/{path}", data)
    folder, _, number = path.rpartition("/")
    if int(number) > VERSIONS + 1:
        log.store.delete(f"{log.folder}/{folder}/{int(number) - VERSIONS - 1:09}")


def _last(log: Log, folder: str) -> Record | None:
    names = [name for name in log.store.list(f"{log.folder}/{folder}") if name.isdigit()]
    return _get(log, f"{folder}/{names[-1]}") if names else None


def _get(log: Log, path: str) -> Record | None:
    found = log.store.read(f"{log.folder}/{path}")
    if not found:
        return None
    line, _, data = found.data.partition(b"\n")
    fields = decode(line, f"{log.folder}/{path}")
    try:
        return Record(fields.pop("name"), fields.pop("generation"), fields.pop("run_id"), fields, data)
    except KeyError as error:
        raise damaged(f"{log.folder}/{path}") from error
