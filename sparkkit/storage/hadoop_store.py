"""The seam on HDFS, by Hadoop's FileContext in the session's JVM, whose rename never lands on something nor in it.

What HDFS gives: the NameNode makes each rename and each delete in one step, at most once however often the client asks, and refuses a
rename to a name that is there (`FileSystem.rename` would put a folder into it, and may say no by False or by an exception). What is
closed is known to the NameNode and on as many DataNodes as were asked for, though their disks may not have it yet: a power cut of all
of them at once is not survived unless `dfs.datanode.synconclose` is on; the journal's own objects are synced. There are no links and
no exchange, and a list of more than 1,000 names (`dfs.ls.limit`) is several.

S3 has no rename: see `object_store`. What is on neither is refused; only tables, which commit by themselves, can be written there,
and two writers at once are not kept apart.
"""
from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from py4j.protocol import Py4JError, Py4JJavaError

from sparkkit.errors import UsageError
from sparkkit.storage.hadoop import Hadoop, path_class
from sparkkit.storage.seam import Found, above

KNOWN = ("hdfs", "viewfs", "file")
"""The schemes whose rename is one step; `file` has checks and move in two, and is here for tests (a local disk has `LocalStore`)."""

T = TypeVar("T")

_ROOT = re.compile(r"\w+://[^/]*")
_MISSING = ("java.io.FileNotFoundException",)
_REFUSED = (*_MISSING, "org.apache.hadoop.fs.FileAlreadyExistsException", "org.apache.hadoop.fs.ParentNotDirectoryException")
_FORBIDDEN = ("org.apache.hadoop.security.AccessControlException", "java.nio.file.AccessDeniedException")


@dataclass(frozen=True)
class HadoopStore:
    """Paths of one filesystem, with or without its scheme."""

    jvm: Any
    files: Any

    renames, links, exchanges, threads = True, False, False, 1

    @staticmethod
    def knows(hadoop: Hadoop, path: str) -> bool:
        """Whether the rename of a path's filesystem is known to be one step."""
        return str(hadoop.system(path).getUri().getScheme()) in KNOWN

    @classmethod
    def of(cls, hadoop: Hadoop, path: str) -> HadoopStore:
        """The store that a path is on.

        Raises:
            UsageError: plain files can't be published there.
        """
        scheme = str(hadoop.system(path).getUri().getScheme())
        if scheme not in KNOWN:
            raise UsageError(f"{path} is on {scheme}, where a rename is no single step, so that plain files can't be published",
                             reason="no_rename", hint="write Delta there, one run at a time")
        jvm, fs = hadoop.jvm, hadoop.jvm.org.apache.hadoop.fs
        conf = jvm.org.apache.hadoop.conf.Configuration(hadoop.conf)
        conf.set("fs.AbstractFileSystem.file.impl", "org.apache.hadoop.fs.local.RawLocalFs")  # no checksums beside the journal
        return cls(jvm, fs.FileContext.getFileContext(hadoop.system(path).getUri(), conf))

    def list(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted, those of folders with a `/` at their end."""
        path, found = self._path(folder), []
        statuses = _unless(_MISSING, None, lambda: self.files.listStatus(path))
        while statuses is not None and _told(statuses.hasNext):
            status = _told(statuses.next)
            if status.isFile() and status.getPath().toUri().getPath() == path.toUri().getPath():
                return ()
            found.append(str(status.getPath().getName()) + "/" * bool(status.isDirectory()))
        return tuple(sorted(found))

    def read(self, path: str) -> Found | None:
        """A small file, whole."""
        stream = _unless(_REFUSED, None, lambda: self.files.open(self._path(path)))
        if stream is None:
            return None
        try:
            data = bytes(_told(stream.readAllBytes))
        finally:
            stream.close()
        return Found(data, _version(data))

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Writes a hidden file beside, and renames it: the first rename wins, and nobody sees half a file."""
        self.make_folder(above(path))
        partial = self._write_beside(path, data)
        if self.rename(partial, path):
            return True
        self.delete(partial)
        return False

    def replace_if_unchanged(self, path: str, data: bytes, version: str) -> str | None:
        """Replaces the file in a second step after the look: enough for one writer."""
        found = self.read(path)
        if found is None or found.version != version:
            return None
        partial = self._write_beside(path, data)
        return _version(data) if self._rename(partial, path, "OVERWRITE") else None

    def rename(self, old: str, new: str) -> bool:
        """Moves a file or folder, never over something nor into it."""
        return self._rename(old, new)

    def duplicate(self, old: str, new: str) -> bool:
        """Nothing asks for it: there is `rename`.

        Raises:
            OSError: always.
        """
        raise OSError(f"{old} is not copied to {new}: it can be renamed")

    def exchange(self, one: str, other: str) -> bool:
        """Can't."""
        return False

    def link(self, old: str, new: str) -> None:
        """Can't.

        Raises:
            OSError: always.
        """
        raise OSError(f"{old} can't have a second name on {self.files.getDefaultFileSystem().getUri()}")

    def delete(self, path: str) -> None:
        """Deletes a file or a whole folder."""
        _unless(_MISSING, False, lambda: self.files.delete(self._path(path), True))

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it."""
        permission = self.jvm.org.apache.hadoop.fs.permission.FsPermission.getDirDefault()
        _told(lambda: self.files.mkdir(self._path(path), permission, True))

    def persist(self, folder: str) -> None:
        """Nothing: what is closed is kept by the DataNodes."""

    def _path(self, path: str) -> Any:
        root = not path or _ROOT.fullmatch(path)
        return path_class(self.jvm)(f"{path}/" if root else path)

    def _rename(self, old: str, new: str, *options: str) -> bool:
        kind = self.jvm.java.lang.Class.forName("org.apache.hadoop.fs.Options$Rename")
        given = self.jvm.java.lang.reflect.Array.newInstance(kind, len(options))
        for at, name in enumerate(options):
            given[at] = self.jvm.java.lang.Enum.valueOf(kind, name)

        source, target = self._path(old), self._path(new)
        try:
            self.files.rename(source, target, given)
        except Py4JJavaError as error:
            if thrown(error) in _REFUSED or "must both be" in str(error.java_exception.getMessage()):  # a file on a folder, or so
                return False
            raise as_os_error(error) from error
        except Py4JError as error:
            raise as_os_error(error) from error
        return True

    def _write_beside(self, path: str, data: bytes) -> str:
        folder, _, name = path.rpartition("/")
        partial = f"{folder}/.{name}.{secrets.token_hex(4)}.tmp"
        kind = self.jvm.java.lang.Class.forName("org.apache.hadoop.fs.Options$CreateOpts")
        none = self.jvm.java.lang.reflect.Array.newInstance(kind, 0)
        flags = self.jvm.java.util.EnumSet.of(self.jvm.org.apache.hadoop.fs.CreateFlag.CREATE)
        stream = _told(lambda: self.files.create(self._path(partial), flags, none))
        try:
            _told(lambda: stream.write(data))
            _told(stream.hsync)
        finally:
            _told(stream.close)
        return partial


def _unless(names: Sequence[str], otherwise: T, call: Callable[[], T]) -> T:
    """What a call answers, or this where it throws one of these."""
    try:
        return call()
    except Py4JJavaError as error:
        if thrown(error) in names:
            return otherwise
        raise as_os_error(error) from error
    except Py4JError as error:
        raise as_os_error(error) from error


def _told(call: Callable[[], T]) -> T:
    """What a call answers; its trouble as an `OSError`."""
    try:
        return call()
    except Py4JError as error:
        raise as_os_error(error) from error


def thrown(error: Py4JJavaError) -> str:
    """The class of what was thrown."""
    return str(error.java_exception.getClass().getName())


def as_os_error(error: Py4JError) -> OSError:
    """An error of the JVM's as one of storage."""
    if not isinstance(error, Py4JJavaError):
        return OSError(f"the JVM does not answer: {error}")
    lines = str(error.java_exception.getMessage() or thrown(error)).splitlines() or [thrown(error)]
    line = lines[0].partition(" (Service: ")[0]  # numbers of S3's request
    return PermissionError(line) if thrown(error) in _FORBIDDEN else OSError(line)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
