"""Files on any Hadoop filesystem (local disk, HDFS, S3), by Spark's own client on the driver; a few calls a file, no row data."""
from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from sparkkit import tls
from sparkkit.compat import is_connect
from sparkkit.errors import UsageError
from sparkkit.storage.seam import is_hidden as is_hidden

THREADS = 16
"""Calls to the filesystem under way at once: enough to hide a store's latency, few enough for its rate limit."""

T = TypeVar("T")

S3 = re.compile(r"s3[an]?://[^/]*", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """One file: `path` is a URI as `_metadata.file_path` gives it (percent-encoded), sizes in bytes, `modified` in ms since 1970."""

    path: str
    size: int
    modified: int
    hidden: bool = False


@dataclass(frozen=True)
class Hadoop:
    """The filesystems that a session reaches, through its JVM."""

    jvm: Any
    conf: Any

    @classmethod
    def of(cls, spark: SparkSession) -> Hadoop:
        """The filesystems of a session.

        Raises:
            UsageError: on Spark Connect, which has no filesystem at hand.
        """
        if is_connect(spark):
            raise UsageError("plain files can't be listed or published over Spark Connect", reason="connect_no_files",
                             hint="use Delta or a table there, or run on a classic session")
        jvm: Any = spark._jvm
        return cls(jvm, spark._jsc.hadoopConfiguration())

    def path(self, text: str) -> Any:
        """A Hadoop `Path` of a path as people and `qualified` write it: a `%` in it is a `%`."""
        return path_class(self.jvm)(text)

    def uri(self, text: str) -> Any:
        """A Hadoop `Path` of a file's URI, as `File.path` gives it."""
        return path_class(self.jvm)(self.jvm.java.net.URI(text))

    def system(self, text: str) -> Any:
        """The filesystem of a path.

        Raises:
            UsageError: Java does not trust the certificate of an S3 server.
        """
        bucket = S3.match(text)
        if bucket and bucket[0] not in self._trusted:
            tls.refuse_untrusted(self.jvm, self.conf, text)
            self._trusted.add(bucket[0])
        return self.path(text).getFileSystem(self.conf)

    @cached_property
    def _trusted(self) -> set[str]:
        return set()

    def exists(self, text: str) -> bool:
        """Whether something is at the path."""
        return bool(self.system(text).exists(self.path(text)))

    def is_folder(self, text: str) -> bool:
        """Whether what is at the path is a folder."""
        return bool(self.system(text).getFileStatus(self.path(text)).isDirectory())

    def qualified(self, text: str) -> str:
        """The path with scheme and absolute, not percent-encoded."""
        return str(self.system(text).makeQualified(self.path(text)).toString())

    def glob(self, text: str) -> list[Any]:
        """The statuses that a path or glob pattern matches; a path that exists as it is written matches itself."""
        system, path = self.system(text), self.path(text)
        asked = "*" in text and text.partition(":")[0].lower() in ("s3", "s3a", "s3n")  # who may only list a prefix may not ask for that
        if not asked and system.exists(path):
            return [system.getFileStatus(path)]
        return list(system.globStatus(path) or ())

    def walk(self, status: Any, hidden: bool = False) -> Iterator[File]:
        """The files at and below a status; hidden ones (`_x`, `.x`, and what is in such folders) are marked, not left out."""
        path = status.getPath()
        if not status.isDirectory():
            uri = _file_uri(path.toUri().toString())
            yield File(uri, status.getLen(), status.getModificationTime(), hidden or is_hidden(path.getName()))
            return
        for child in path.getFileSystem(self.conf).listStatus(path):
            yield from self.walk(child, hidden or (child.isDirectory() and is_hidden(child.getPath().getName())))

    def head(self, file: str, size: int) -> bytes:
        """The first bytes of a file, decompressed where its name says it is compressed."""
        path = self.uri(file)
        stream = path.getFileSystem(self.conf).open(path)
        try:
            codec = self._codecs.getCodec(path)
            return bytes((codec.createInputStream(stream) if codec else stream).readNBytes(size))
        finally:
            stream.close()

    @cached_property
    def _codecs(self) -> Any:
        return self.jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(self.conf)

    def read(self, file: str) -> bytes:
        """A small file, whole."""
        return self.head(file, 2**31 - 8)

    def write(self, text: str, data: bytes) -> None:
        """Makes a small file; an error of the filesystem's where one is there."""
        stream = self.system(text).create(self.path(text), False)
        try:
            stream.write(bytearray(data))
        finally:
            stream.close()

    def each(self, files: Iterable[str], call: Callable[[str], T]) -> Mapping[str, T | Exception]:
        """`call` on every file, many at once; an error is that file's value, so that one bad file hides no other."""
        def guarded(file: str) -> T | Exception:
            try:
                return call(file)
            except Exception as error:
                return error

        names = list(files)
        if len(names) == 1:
            return {names[0]: guarded(names[0])}
        with ThreadPoolExecutor(THREADS) as pool:
            return dict(zip(names, pool.map(guarded, names), strict=True))

    def make_folder(self, text: str) -> None:
        """Makes a folder and those above it."""
        self.system(text).mkdirs(self.path(text))

    def owner_only(self, text: str) -> None:
        """Takes every right on a path, and on all below it, from all but its owner, where the filesystem knows rights."""
        folder, file = (self.jvm.org.apache.hadoop.fs.permission.FsPermission(rights) for rights in ("700", "600"))
        system, waiting = self.system(text), [self.path(text)]
        system.setPermission(waiting[0], folder)
        while waiting:
            for status in system.listStatus(waiting.pop()):
                system.setPermission(status.getPath(), folder if status.isDirectory() else file)
                if status.isDirectory():
                    waiting.append(status.getPath())

    def like(self, model: str, text: str) -> None:
        """Gives a path the rights that another has; the owner, and a group of which this user is none, stay as they are."""
        status = self.system(model).getFileStatus(self.path(model))
        self.system(text).setPermission(self.path(text), status.getPermission())

    def rename(self, old: str, new: str) -> None:
        """Moves a file or folder on one filesystem; an `OSError` where the filesystem says no."""
        if not self.system(old).rename(self.path(old), self.path(new)):
            raise OSError(f"{old} could not be renamed to {new}")

    def copy(self, old: str, new: str) -> None:
        """Copies a file, within a filesystem or between two, into a folder that is made.

        Raises:
            OSError: it could not be copied.
        """
        self.make_folder(new.rpartition("/")[0])
        here, there = (self.system(old), self.path(old)), (self.system(new), self.path(new))
        if not self.jvm.org.apache.hadoop.fs.FileUtil.copy(*here, *there, False, self.conf):
            raise OSError(f"{old} could not be copied to {new}")

    def fetch(self, text: str, folder: Path) -> None:
        """Copies a folder with all its files to a folder of this machine that is not there yet."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.system(text).copyToLocalFile(False, self.path(text), self.path(folder.absolute().as_uri()), True)

    def send(self, folder: Path, text: str) -> None:
        """Copies a folder of this machine to a place, which has all of it or nothing."""
        partial = f"{text}.{uuid.uuid4().hex[:8]}"
        system = self.system(text)
        system.copyFromLocalFile(False, True, self.path(folder.absolute().as_uri()), self.path(partial))
        if not system.rename(self.path(partial), self.path(text)):  # another was quicker
            system.delete(self.path(partial), True)

    def home(self) -> str:
        """The user's folder on the session's own filesystem."""
        return str(self.path("/").getFileSystem(self.conf).getHomeDirectory().toString())

    def delete(self, text: str) -> None:
        """Deletes a file or a whole folder; nothing there is fine."""
        self.system(text).delete(self.path(text), True)


@lru_cache(maxsize=1)
def path_class(jvm: Any) -> Any:
    """Hadoop's `Path`, looked up once: each part of a Java name is a question to the JVM, five for this one."""
    return jvm.org.apache.hadoop.fs.Path


def _file_uri(uri: str) -> str:
    """`file:/x` as `file:///x`, the form of `_metadata.file_path`."""
    return "file:///" + uri[6:] if uri.startswith("file:/") and not uri.startswith("file://") else uri
