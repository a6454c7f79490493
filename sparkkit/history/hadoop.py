"""The ledger's store on any Hadoop filesystem, through a session's JVM: few calls an object, one for a folder of any size."""
from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.seam import Found, above

OBJECT_STORES = ("s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "oss", "cosn", "obs")
"""Where an object appears whole when its stream is closed, and where a rename is a copy."""

T = TypeVar("T")


class HadoopStore:
    """A filesystem by its URI. Trouble is an `OSError`."""

    def __init__(self, hadoop: Hadoop) -> None:
        self._hadoop = hadoop

    def list(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted; by one call into the JVM, for a name costs a millisecond otherwise."""
        statuses = self._call(lambda: self._hadoop.system(folder).listStatus(self._hadoop.path(folder)), missing=None)
        if statuses is None:
            return ()
        jvm = self._hadoop.jvm
        paths = jvm.org.apache.commons.lang3.ArrayUtils.toString(jvm.org.apache.hadoop.fs.FileUtil.stat2Paths(statuses))
        return tuple(sorted(path.rpartition("/")[2] for path in paths[1:-1].split(",") if path))

    def read(self, path: str) -> Found | None:
        """A small object, whole."""
        data = self._call(lambda: self._read(path), missing=None)
        return None if data is None else Found(data, hashlib.sha256(data).hexdigest())

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Creates it, readable by its owner; whole by way of a hidden file and a rename, or by the store's own way."""
        system, target = self._call(lambda: self._hadoop.system(path)), self._hadoop.path(path)
        if self._call(lambda: system.exists(target)):
            return False
        if path.partition(":")[0].lower() in OBJECT_STORES:
            return self._created(path, data, self._conditional(system, target))
        folder, _, name = path.rpartition("/")
        partial = f"{folder}/.{name}.{secrets.token_hex(4)}.tmp"
        self._owned(system, above(path))
        self._created(partial, data, lambda: system.create(self._hadoop.path(partial), False))
        self._call(lambda: self._mode(system, partial, "600"))
        if self._call(lambda: system.rename(self._hadoop.path(partial), target)):
            return True
        self.delete(partial)
        return False

    def delete(self, path: str) -> None:
        """Deletes an object."""
        self._call(lambda: self._hadoop.delete(path))

    def _owned(self, system: Any, folder: str) -> None:
        """Makes a folder and takes the rights on it from all but its owner; one that is there keeps its own."""
        path = self._hadoop.path(folder)
        if not self._call(lambda: system.exists(path)):
            self._call(lambda: system.mkdirs(path))
            self._call(lambda: self._mode(system, folder, "700"))

    def _mode(self, system: Any, path: str, mode: str) -> None:
        system.setPermission(self._hadoop.path(path), self._hadoop.jvm.org.apache.hadoop.fs.permission.FsPermission(mode))

    def _conditional(self, system: Any, target: Any) -> Callable[[], Any]:
        """S3A lets two writers succeed unless it is told; the others ignore the option."""
        def make() -> Any:
            builder = system.createFile(target).overwrite(False).recursive()
            return builder.opt("fs.option.create.conditional.overwrite", "true").build()

        return make

    def _created(self, path: str, data: bytes, make: Callable[[], Any]) -> bool:
        def write() -> bool:
            stream = make()
            stream.write(bytearray(data))
            stream.close()
            return True

        return self._call(write, exists=False)

    def _read(self, path: str) -> bytes:
        stream = self._hadoop.system(path).open(self._hadoop.path(path))
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()

    def _call(self, call: Callable[[], T], **instead: T) -> T:
        """The call's result; `missing` and `exists` are what to give for those two errors, all others are an `OSError`."""
        try:
            return call()
        except OSError:
            raise
        except Exception as error:
            text = _said(error)
            if "missing" in instead and "FileNotFoundException" in text:
                return instead["missing"]
            if "exists" in instead and ("FileAlreadyExistsException" in text or "RemoteFileChangedException" in text):
                return instead["exists"]
            raise OSError(text[:300]) from error


def _said(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    try:
        return str(java.toString()).splitlines()[0] if java is not None else f"{type(error).__name__}: {error}".splitlines()[0]
    except Exception:
        return f"{type(error).__name__}: the JVM does not answer"
