"""What a format is: how it lands rows and how it writes them; the interface between the road and each format's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession

from sparkkit.conf import OutputConf
from sparkkit.schema.contract import Contract
from sparkkit.storage.hadoop import File, Hadoop

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/.*%", re.DOTALL)


def spark_path(uri: str) -> str:
    """A file's URI as the path text that Spark's readers take: decoded, and its glob characters escaped.

    >>> print(spark_path("file:///a%20b/x%5B1%5D.csv"))
    file:///a b/x\\[1\\].csv
    """
    return re.sub(r"([{}\[\]*?\\])", r"\\\1", unquote(uri) if _URI.match(uri) else uri)


@dataclass(frozen=True)
class Finding:
    """Something about a file that a person should know: `reason` is a stable word, `detail` a sentence."""

    file: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Scan:
    """What is to be read: files already listed, the folder they were found under, contract and options."""

    spark: SparkSession
    files: tuple[File, ...]
    root: str
    contract: Contract | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    hadoop: Hadoop | None = None
    table: str = ""

    @property
    def paths(self) -> list[str]:
        """The files' paths, as URIs."""
        return [file.path for file in self.files]

    @property
    def read_paths(self) -> list[str]:
        """The files' paths, as Spark's readers take them."""
        return [spark_path(file.path) for file in self.files]


@dataclass(frozen=True)
class Land:
    """A landed input. `rows` counts by storage, apart from the landed frame; `promised` is the source's own word; `version` is that
    of a table which has versions; `close` lets go of what holds the rows as they are, at the end of a run."""

    frame: DataFrame
    rows: Callable[[], int]
    promised: Callable[[], int] | None = None
    headers: int = 0
    findings: tuple[Finding, ...] = ()
    unreadable: tuple[Finding, ...] = ()
    single_header: Callable[[DataFrame], DataFrame] | None = None
    wrong_files: Callable[[], tuple[Finding, ...]] | None = None
    version: str | None = None
    close: Callable[[], None] | None = None


KEYED = "\x01"
"""What stands in FILE between a source file and the key of a row that is landed once more."""


@dataclass(frozen=True)
class Raws:
    """Raw rows that are to be landed once more, and where they came from: `lines` has FILE (with the row's key behind `KEYED`) and RAW."""

    spark: SparkSession
    lines: DataFrame
    files: tuple[str, ...]
    contract: Contract | None
    options: Mapping[str, str]
    hadoop: Hadoop


@dataclass(frozen=True)
class Unfit:
    """Rows that a format can't hold as they are: `where` finds them, `what` says why, `hint` what to do."""

    where: Column
    what: str
    hint: str


LAW = ("inserted", "updated", "deleted", "unchanged", "superseded")
"""What becomes of each good row of an output; together they are all of them."""


@dataclass(frozen=True)
class Commit:
    """What a run tells a table's commit.

    Args:
        run_id: the attempt, for the table's history and the pauses between tries.
        rows: the good rows that were staged; None where nobody counted.
        scratch: a folder or prefix of the run's own, deleted at its end, where a commit may stage.
        txn: the application's id (job, output and date) and its number (the generation). A number is committed once;
            a later one replaces what an earlier one appended.
        late: another run, which died after its decision, is being finished.
    """

    run_id: str = "sparkkit"
    rows: int | None = None
    scratch: str = ""
    txn: tuple[str, int] | None = None
    late: bool = False


@dataclass(frozen=True)
class Committed:
    """What a commit did: `figures` by name (`LAW`; `closed`, `copied` and `removed` apart), None where it is not known.

    `already` says that the same number had been committed before: nothing was changed, and the figures are those of then.
    """

    figures: Mapping[str, int | None]
    partitions: tuple[str, ...] = ()
    version: int | None = None
    already: bool = False

    @property
    def rows(self) -> int:
        """The good rows that it accounts for."""
        return sum(self.figures.get(name) or 0 for name in LAW)


@dataclass(frozen=True)
class Format:
    """A format: `land` reads, `write` sets up a writer (None: not for writing), `count` counts what was staged.

    `read_options` are the options of an input that it looks at; a format without any hands its options to Spark, which knows its own.

    Where Spark has no writer for a format, `save(frame, options, partition_by, path)` writes a shaped frame instead.

    `shape(frame, partition_by)` makes columns that the format has no type for into text, or refuses them by name;
    `unfit(frame, partition_by)` finds rows of a shaped frame that it can't hold; `view` reads what was written, for a
    look. `reland` lands raw texts of rejected rows once more; rows that it can't place it leaves out. A format of tables has
    `check`, which refuses a target that can't be written before anything is read, `fits`, which refuses a frame that can't go
    there before it is computed, `partitions`, the columns that the table is or will be partitioned by, `stage`, which may stage it
    in the table's own way, `judge`, which refuses staged rows that the commit would refuse, before a run's decision, and `commit`,
    which brings a frame into the table at a name or path and gives an account of it; `number` is the last one of an application
    there. Where a path alone tells no table, `place` gives what does, and the path that its journal is beside (below the session's
    warehouse, where it is not whole), `there` says whether it is there, and `hold` keeps runs of other machines off it.
    """

    name: str
    suffixes: tuple[str, ...]
    land: Callable[[Scan], Land] | None
    write: Callable[[DataFrameWriter, Mapping[str, str]], DataFrameWriter] | None = None
    count: Callable[[SparkSession, str, Mapping[str, str]], int] | None = None
    read_options: frozenset[str] = frozenset()
    files: bool = True
    shape: Callable[[DataFrame, tuple[str, ...]], DataFrame] | None = None
    unfit: Callable[[DataFrame, tuple[str, ...]], Unfit | None] | None = None
    view: Callable[[SparkSession, str, Mapping[str, str]], DataFrame] | None = None
    check: Callable[[SparkSession, OutputConf], None] | None = None
    fits: Callable[[DataFrame, OutputConf, str], None] | None = None
    partitions: Callable[[SparkSession, OutputConf, str], Sequence[str]] | None = None
    judge: Callable[[DataFrame, OutputConf, str, Commit], None] | None = None
    commit: Callable[[DataFrame, OutputConf, str, Commit], Committed] | None = None
    number: Callable[[SparkSession, OutputConf, str, str], int] | None = None
    stage: Callable[[DataFrame, OutputConf, str, str, str], bool] | None = None
    save: Callable[[DataFrame, Mapping[str, str], Sequence[str], str], None] | None = None
    reland: Callable[[Raws], DataFrame] | None = None
    place: Callable[[SparkSession, OutputConf], tuple[str, str]] | None = None
    there: Callable[[SparkSession, OutputConf], bool] | None = None
    hold: Callable[[SparkSession, OutputConf], AbstractContextManager[None]] | None = None


def short(error: Exception) -> str:
    """What an error says in one line: Spark's own condition, or the deepest cause, of one that came out of the JVM."""
    text = str(getattr(error, "java_exception", None) or error).strip()
    java = getattr(error, "java_exception", None)
    if java is not None:
        while java.getCause() is not None:
            java = java.getCause()
        text = str(java.getMessage() or java.toString())
    return (text.splitlines() or [type(error).__name__])[0][:300]
