"""A disk that loses what was not synced when the power is cut; stands in for `os` in `sparkkit.storage.local`.

A file's bytes are safe after fsync of the file, its names after fsync of their folder; a rename is one step, as a journalling
filesystem makes it. The harshest cut keeps only that; another keeps all names, with files as short as what was synced.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from sparkkit.storage.local import EXCHANGE, NOREPLACE
from tests.storage.faults import Crash

CUTS = ("nothing lost", "names kept", "all lost")


@dataclass(eq=False)
class Node:
    """A file (bytes) or a folder (names): what is there, and what is safe."""

    data: bytes | None = None
    safe: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)
    safe_names: dict[str, Node] = field(default_factory=dict)


class Disk:
    """The calls of `os` that the local store makes; the `crash_at`-th that changes something never returns."""

    O_RDONLY, O_WRONLY, O_CREAT, O_EXCL = os.O_RDONLY, os.O_WRONLY, os.O_CREAT, os.O_EXCL
    strerror, fsencode, fsdecode = staticmethod(os.strerror), staticmethod(os.fsencode), staticmethod(os.fsdecode)

    def __init__(self, root: Node | None = None, crash_at: int | None = None) -> None:
        self.root = root or Node()
        self.crash_at, self.calls = crash_at, 0
        self._files: dict[int, tuple[Node, list[int]]] = {}
        self._moves: list[list[tuple[Node, str, Node | None]]] = []
        self.path = SimpleNamespace(isdir=self._isdir, islink=lambda _: False, lexists=lambda p: self._get(p) is not None)

    def cut(self, how: str) -> Disk:
        """What is left after the power was cut."""

        def left(node: Node) -> Node:
            names = node.safe_names if how == "all lost" else node.names
            data = node.data if how == "nothing lost" or node.data is None else node.safe
            kept = {name: left(child) for name, child in names.items()}
            return Node(data, data or b"", dict(kept), dict(kept))

        return Disk(left(self.root))

    def _step(self) -> None:
        self.calls += 1
        if self.crash_at is not None and self.calls >= self.crash_at:
            raise Crash

    def _get(self, path: str) -> Node | None:
        node: Node | None = self.root
        for name in filter(None, path.split("/")):
            node = node.names.get(name) if node else None
        return node

    def _at(self, path: str) -> tuple[Node, str]:
        above, _, name = path.rpartition("/")
        folder = self._get(above)
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, "no such folder", path)
        return folder, name

    def _there(self, path: str) -> Node:
        node = self._get(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "not there", path)
        return node

    def _isdir(self, path: str) -> bool:
        node = self._get(path)
        return node is not None and node.data is None

    def _change(self, *moves: tuple[Node, str, Node | None]) -> None:
        self._moves.append(list(moves))
        for folder, name, node in moves:
            folder.names.pop(name, None) if node is None else folder.names.__setitem__(name, node)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        folder, name = self._at(path)
        if flags & os.O_CREAT:
            self._step()
            if name in folder.names:
                raise FileExistsError(errno.EEXIST, "is there", path)
            self._change((folder, name, Node(b"")))
        number = max(self._files, default=2) + 1
        self._files[number] = (self._there(path), [0])
        return number

    def read(self, file: int, size: int) -> bytes:
        node, at = self._files[file]
        found = (node.data or b"")[at[0] : at[0] + size]
        at[0] += len(found)
        return found

    def write(self, file: int, data: Any) -> int:
        """Takes at most 100 bytes at once, as write(2) may."""
        self._step()
        node = self._files[file][0]
        node.data = (node.data or b"") + bytes(data[:100])
        return len(data[:100])

    def close(self, file: int) -> None:
        del self._files[file]

    def fsync(self, file: int) -> None:
        self._step()
        node = self._files[file][0]
        if node.data is not None:
            node.safe = node.data
            return
        for move in [m for m in self._moves if any(folder is node for folder, _, _ in m)]:
            self._moves.remove(move)
            for folder, name, child in move:
                folder.safe_names.pop(name, None) if child is None else folder.safe_names.__setitem__(name, child)

    def mkdir(self, path: str) -> None:
        self._step()
        folder, name = self._at(path)
        if name in folder.names:
            raise FileExistsError(errno.EEXIST, "is there", path)
        self._change((folder, name, Node()))

    def link(self, old: str, new: str) -> None:
        self._step()
        node, (folder, name) = self._there(old), self._at(new)
        if name in folder.names:
            raise FileExistsError(errno.EEXIST, "is there", new)
        self._change((folder, name, node))

    def unlink(self, path: str) -> None:
        self._step()
        self._there(path)
        self._change((*self._at(path), None))

    def rmdir(self, path: str) -> None:
        self.unlink(path)

    def move(self, old: str, new: str, flag: int) -> int:
        """In place of `local._rename`: the errno of a renameat2."""
        self._step()
        if self._get(old.rpartition("/")[0]) is None or self._get(new.rpartition("/")[0]) is None:
            return errno.ENOENT
        (a, old_name), (b, new_name) = self._at(old), self._at(new)
        one, other = a.names.get(old_name), b.names.get(new_name)
        if one is None or (other is None and flag == EXCHANGE):
            return errno.ENOENT
        if other and flag == NOREPLACE:
            return errno.EEXIST
        self._change((b, new_name, one), (a, old_name, other if flag == EXCHANGE else None))
        return 0

    @contextmanager
    def scandir(self, path: str) -> Iterator[Any]:
        node = self._there(path)
        yield [SimpleNamespace(name=n, is_dir=lambda c=c: c.data is None) for n, c in sorted(node.names.items())]

    def stage(self, path: str, data: bytes) -> None:
        """A file as Spark leaves it: written, closed, never synced."""
        folder = self.root
        *above, name = filter(None, path.split("/"))
        for part in above:
            if part not in folder.names:
                self._change((folder, part, Node()))
            folder = folder.names[part]
        self._change((folder, name, Node(data)))
