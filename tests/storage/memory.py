"""A store in a dict, for the model check: every call is one step; what it can do is a matter of flags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkkit.storage.seam import Found

CALLS = (
    *("list", "read", "put_if_absent", "replace_if_unchanged", "rename", "duplicate", "exchange"),
    *("link", "delete", "make_folder", "persist"),
)
"""The calls of the seam."""


@dataclass
class MemoryStore:
    """Files are bytes, folders None, by path; `/` itself is not listed."""

    state: dict[str, bytes | None] = field(default_factory=dict)
    renames: bool = True
    links: bool = True
    exchanges: bool = True
    threads = 1

    def copy(self) -> MemoryStore:
        """Another store that holds the same, and can do the same."""
        return MemoryStore(dict(self.state), self.renames, self.links, self.exchanges)

    def list(self, folder: str) -> Sequence[str]:
        below, size = folder + "/", len(folder) + 1
        inside = [(path[size:], data) for path, data in self.state.items() if path.startswith(below)]
        if not self.renames:  # an object store has no folders but those of its objects
            full = {name[:at] for name, data in inside if data is not None for at in range(len(name)) if name[at] == "/"}
            inside = [(name, data) for name, data in inside if data is not None or name in full]
        return tuple(sorted(name + "/" * (data is None) for name, data in inside if "/" not in name))

    def read(self, path: str) -> Found | None:
        data = self.state.get(path)
        return None if data is None else Found(data, data.hex())

    def put_if_absent(self, path: str, data: bytes) -> bool:
        if path in self.state:
            return False
        self._make(above(path))
        self.state[path] = data
        return True

    def replace_if_unchanged(self, path: str, data: bytes, version: str) -> str | None:
        found = self.read(path)
        if not found or found.version != version:
            return None
        self.state[path] = data
        return data.hex()

    def rename(self, old: str, new: str) -> bool:
        assert self.renames, "no rename here"
        if old not in self.state or new in self.state or not self._folder(above(new)):
            return False
        self._move({old: new})
        return True

    def duplicate(self, old: str, new: str) -> bool:
        data = self.state.get(old)
        if data is None:
            return False
        self._make(above(new))
        self.state[new] = data
        return True

    def exchange(self, one: str, other: str) -> bool:
        assert self.exchanges, "no exchange here"
        if one not in self.state or other not in self.state:
            return False
        self._move({one: other, other: one})
        return True

    def link(self, old: str, new: str) -> None:
        assert self.links, "no links here"
        data = self.state.get(old)
        if data is None:
            raise FileNotFoundError(old)
        if new in self.state:
            raise FileExistsError(new)
        self._make(above(new))
        self.state[new] = data

    def delete(self, path: str) -> None:
        for key in [k for k in self.state if within(k, path)]:
            del self.state[key]

    def make_folder(self, path: str) -> None:
        self._make(path)

    def persist(self, folder: str) -> None:
        if not self._folder(folder):
            raise FileNotFoundError(folder)

    def _folder(self, path: str) -> bool:
        return not path or (path in self.state and self.state[path] is None)

    def _make(self, path: str) -> None:
        missing = []
        while path and path not in self.state:
            missing.append(path)
            path = above(path)
        if not self._folder(path):
            raise NotADirectoryError(path)
        self.state.update(dict.fromkeys(missing))

    def _move(self, moves: dict[str, str]) -> None:
        taken = {old: {k: self.state.pop(k) for k in list(self.state) if within(k, old)} for old in moves}
        for old, new in moves.items():
            self.state.update({new + path[len(old) :]: data for path, data in taken[old].items()})


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or below it."""
    return path == folder or path.startswith(folder + "/")


def above(path: str) -> str:
    """The folder of a path."""
    return path.rpartition("/")[0]


def world(target: str, *files: str) -> dict[str, bytes | None]:
    """The state of a store that holds these files of a target, each with its relative path as content."""
    store = MemoryStore()
    for file in files:
        store.put_if_absent(f"{target}/{file}", file.encode())
    return store.state


def call_on(store: Any, call: tuple[str, Iterable[Any]]) -> Any:
    """Makes one recorded call."""
    name, args = call
    found = getattr(store, name)(*args)
    return tuple(found) if name == "list" else found
