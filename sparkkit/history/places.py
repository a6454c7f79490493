"""Where the ledger is, and the store it is on: this machine's disk, or what Hadoop reaches through a session."""
from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sparkkit.errors import UsageError
from sparkkit.project import Project
from sparkkit.storage.local import LocalStore
from sparkkit.storage.seam import Found

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VARIABLE = "SPARKKIT_LEDGER"
HIDDEN = ".sparkkit"
"""The folder in a project that nobody needs to look at; it keeps itself out of git."""


class Keeps(Protocol):
    """What the ledger asks of a store: four calls of the storage seam."""

    def list(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted, those of folders perhaps with a `/` at their end; none where there is no folder."""

    def read(self, path: str) -> Found | None:
        """A small object, whole; None where there is none."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Makes an object, whole and durable; False, and nothing done, where one is there."""

    def delete(self, path: str) -> None:
        """Deletes an object; nothing there is fine."""


@dataclass(frozen=True)
class Place:
    """The ledger's folder: a path of this machine, absolute, or a URI; `said` is who chose it."""

    path: str
    said: str

    @property
    def local(self) -> bool:
        """Whether it is on this machine, so that no session is needed."""
        return "://" not in self.path


def find(home: Project, option: str | None = None, conf: str | None = None) -> Place:
    """The ledger of a project: `--ledger`, then SPARKKIT_LEDGER, then `[ledger] path` (relative to the project), then a hidden
    folder in the project.

    Raises:
        UsageError: it is a URI without a path.

    >>> find(Project(Path("/p")), "/l/").path, find(Project(Path("/p")), "hdfs://n/l/").path, fallback(Project(Path("/p"))).path
    ('/l', 'hdfs://n/l', '/p/.sparkkit/ledger')
    """
    said = ((option, "--ledger", Path.cwd()), (os.environ.get(VARIABLE), VARIABLE, Path.cwd()), (conf, "conf: ledger.path", home.root))
    for path, who, base in said:
        if path:
            return Place(_whole(path, base, who), who)
    return fallback(home)


def fallback(home: Project) -> Place:
    """The project's hidden folder, also for a record that its ledger did not take; never inside an installed package: the working
    folder then."""
    root = home.root.absolute()
    installed = {"site-packages", "dist-packages"} & set(root.parts) or (root.exists() and not root.is_dir())
    return Place(str((Path.cwd() if installed else root) / HIDDEN / "ledger"), "default")


def _whole(path: str, base: Path, who: str) -> str:
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]+):(//[^/]*)?(/.*)?", path)
    if match is None:
        return os.path.normpath(base.absolute() / Path(path).expanduser())
    if not match[3]:
        raise UsageError(f"{who} is {path!r}, which has no path", reason="wrong_path", hint="write such as hdfs://namenode/ledger")
    if match[1].lower() == "file":
        return os.path.normpath(match[3])
    return f"{match[1]}:{match[2] or '//'}{match[3].rstrip('/')}"


class OwnStore(LocalStore):
    """This machine's disk, where folders and files that we make are their owner's alone."""

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it, each with the rights 0700; one that is there keeps its own."""
        if not os.path.isdir(path):
            super().make_folder(path)
            if not os.path.isdir(path):  # a file, a device: what is not ours keeps its rights
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            os.chmod(path, 0o700)
            if os.path.basename(path) == HIDDEN:
                super().put_if_absent(f"{path}/.gitignore", b"*\n")

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Writes a file that only its owner reads (in a folder that only its owner enters, while it is written)."""
        made = super().put_if_absent(path, data)
        if made:
            os.chmod(path, 0o600)
        return made


def store(place: Place, spark: SparkSession | None = None) -> Keeps:
    """The store of a place.

    Raises:
        UsageError: the place is not on this machine, and there is no session, or one of Spark Connect.
    """
    if place.local:
        return OwnStore()
    if spark is None:
        raise UsageError(f"the ledger {place.path} is not on this machine, and there is no session", reason="ledger_far")
    from sparkkit.history.hadoop import HadoopStore
    from sparkkit.storage.hadoop import Hadoop

    return HadoopStore(Hadoop.of(spark))
