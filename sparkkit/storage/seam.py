"""The storage seam: the few calls on which the journal, the lock and the incremental state are a state machine, without Spark.

Safety rests on two of them: `put_if_absent`, of which one caller wins, and `rename`, which consumes its source and never lands on
something. The others may be as weak as their docstrings say.
"""
from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from sparkkit.errors import InfrastructureError

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Found:
    """A small object as it was read: its bytes, and the version by which it can be replaced."""

    data: bytes
    version: str


class Store(Protocol):
    """A filesystem or object store, by absolute paths with `/`. Trouble is an `OSError`; after one, a call may have had its effect."""

    @property
    def renames(self) -> bool:
        """Whether `rename` is there (local disk, HDFS; not S3)."""

    @property
    def links(self) -> bool:
        """Whether `link` is there (local disk)."""

    @property
    def threads(self) -> int:
        """How many calls may be under way at once where there are many to make."""

    @property
    def exchanges(self) -> bool:
        """Whether `exchange` may succeed (local disk, where the kernel has it)."""

    def list(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted, those of folders with a `/` at their end; none where there is no such folder."""

    def read(self, path: str) -> Found | None:
        """A small object, whole; None where there is none."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Makes an object, whole and durable, and the folders above it; False, and nothing done, where one is there."""

    def replace_if_unchanged(self, path: str, data: bytes, version: str) -> str | None:
        """Replaces an object that still has this version; the new version, or None where it has not, or another is at it.

        Used by one writer for each path: HDFS has it in two steps only, which safety must not rest on.
        """

    def rename(self, old: str, new: str) -> bool:
        """Moves a file or folder, durably; False where `old` or the folder above `new` is missing, or `new` is there."""

    def duplicate(self, old: str, new: str) -> bool:
        """Makes a file that has what another has, in one step, also over one of that name; False, and nothing done, where `old` is not
        there. Asked for only where there is no `rename`, which this stands in for."""

    def exchange(self, one: str, other: str) -> bool:
        """Swaps two folders in one step, durably; False where one is missing or the filesystem can't."""

    def link(self, old: str, new: str) -> None:
        """A second name for a file, in a folder that is made; not durable before `persist`."""

    def delete(self, path: str) -> None:
        """Deletes a file or a whole folder; nothing there is fine."""

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it."""

    def persist(self, folder: str) -> None:
        """Makes all that is below a folder outlive a power cut; nothing to do where closing a file does."""


def each(store: Store, call: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What a call says of each item, as many at once as the store may have under way."""
    if store.threads < 2 or len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(store.threads) as pool:
        return list(pool.map(call, items))


def walk(store: Store, folder: str) -> tuple[str, ...]:
    """The files below a folder, as paths relative to it, hidden ones too."""
    found: list[str] = []
    for name in store.list(folder):
        if name.endswith("/"):
            found += (name + below for below in walk(store, folder + "/" + name[:-1]))
        else:
            found.append(name)
    return tuple(found)


def data(files: Sequence[str]) -> tuple[str, ...]:
    """Those of these relative paths that Spark reads as data.

    >>> data([".a.crc", "a", "_SUCCESS", "_x=1/b", "_temporary/c"])
    ('a', '_x=1/b')
    """
    return tuple(file for file in files if not any(is_hidden(part) for part in file.split("/")))


def is_hidden(name: str) -> bool:
    """Whether Spark's readers skip a file or folder of this name; `_x=1` is a partition, not hidden.

    >>> [is_hidden(n) for n in ("_SUCCESS", ".crc", "part-0", "_year=2020")]
    [True, True, False, False]
    """
    return (name.startswith("_") and "=" not in name) or name.startswith(".")


def above(path: str) -> str:
    """The folder that a path is in.

    >>> above("/d/t"), above("t")
    ('/d', '')
    """
    return path.rpartition("/")[0]


def is_there(store: Store, folder: str) -> bool:
    """Whether a folder is there, by the list of the one above it."""
    above, _, name = folder.rpartition("/")
    return name + "/" in store.list(above)


def guarded(call: Callable[P, T]) -> Callable[P, T]:
    """The call, with the storage's trouble as an error of ours; but what the user may not do stays what it is."""

    @functools.wraps(call)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except PermissionError:
            raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            first, reason = ("free space, and ", "disk_full") if full else ("", "storage_failed")
            raise InfrastructureError(f"the storage failed: {error}", reason=reason,
                                      hint=f"{first}run again: what was decided is then finished, what was not is thrown away") from error

    return inner
