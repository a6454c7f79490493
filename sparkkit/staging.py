"""Where an output goes, and where a run stages it on the way: in the workspace of the target's journal. On Spark Connect,
where no filesystem is at hand, `sparkkit.connect` stages in tables instead, by the same methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from sparkkit import formats
from sparkkit.conf import OutputConf
from sparkkit.errors import UsageError
from sparkkit.formats import tables, writing
from sparkkit.formats.base import Format
from sparkkit.publishing import Identity, Journals, Piece
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop, is_hidden
from sparkkit.storage.increments import HIVE_NULL

SPLIT = "_sparkkit_reason"
"""The staged column, or folder level, that parts good rows (null) from rejected ones (`reason|rule`, see
`schema.reasons`), in one write."""

TABLES = ("delta", "table", "jdbc")
"""Formats of tables, which commit by themselves."""

GOOD = f"{SPLIT}={HIVE_NULL}"


@dataclass(frozen=True)
class Target:
    """Where one output goes: its qualified path or its name, the place where it is staged, its quarantine, and the path
    that its journal is beside."""

    name: str
    conf: OutputConf
    path: str
    staging: str
    quarantine: str
    journal: str = ""

    @property
    def table(self) -> bool:
        """Whether the output is a table of Delta, of the catalog or of a database, which commits by itself."""
        return self.conf.format in TABLES

    def staged_as(self, checked: bool) -> Format:
        """The format of the staged files: the output's own, or Parquet where rows are still to be parted or committed
        to a table."""
        return formats.known("parquet" if checked or self.table else self.conf.format)


@dataclass(frozen=True)
class Files:
    """Staging in the workspaces of the targets' journals, which are there while the lock is held."""

    spark: SparkSession
    run_id: str
    hadoop: Hadoop
    journals: Journals

    @classmethod
    def of(cls, spark: SparkSession, run_id: str) -> Files:
        """The staging of a run on a classic session.

        Raises:
            UsageError: on Spark Connect.
        """
        hadoop = Hadoop.of(spark)
        return cls(spark, run_id, hadoop, Journals(spark, run_id, hadoop))

    def target(self, name: str, conf: OutputConf) -> Target:
        """The places of an output that has a path; it is staged nowhere before the lock is held.

        Raises:
            UsageError: plain files on a store that keeps no two runs apart (`no_rename`).
        """
        place = formats.known(conf.format).place
        if place:
            path, at = place(self.spark, conf)
            beside = journal = self.hadoop.qualified(at if ":" in at or at.startswith("/") else f"{self._warehouse()}/{at}")
            self.journals.settings[path] = conf.options
        elif conf.format == "table":
            path, beside = str(conf.path), self.hadoop.qualified(str(conf.path).replace("`", ""))
            journal = self._beside_table(path)
        else:
            path = beside = journal = self.hadoop.qualified(str(conf.path)).rstrip("/")
        if conf.format not in TABLES and not self.journals.journaled(path):
            raise UsageError(f"output {name!r}: plain files are not published to {path}, whose store keeps no two runs apart",
                             reason="no_rename", hint="write Delta there, one run at a time")
        quarantine = self.hadoop.qualified(conf.quarantine).rstrip("/") if conf.quarantine else f"{beside}.quarantine"
        return Target(name, conf, path, "", quarantine, journal)

    def _beside_table(self, name: str) -> str:
        """The path that a table's journal is beside: where one is, under this name or another of the same table; else the usual one."""
        paths = [f"{self._warehouse()}/{spelt}" for spelt in tables.spellings(self.spark, name)]
        return next((p for p in paths if (log := self.journals.log(p)) and log.store.list(log.folder)), paths[1])

    def _warehouse(self) -> str:
        return self.hadoop.qualified(self.spark.conf.get("spark.sql.warehouse.dir") or "spark-warehouse").rstrip("/")

    @contextmanager
    def lock(self, targets: Mapping[str, Target]) -> Iterator[dict[str, Target]]:
        """Holds the lock on the outputs, and on the quarantine of the first, in the block; the targets with where each is staged.

        Raises:
            LockedError: another run is at work on one of them.
        """
        shelf = next(iter(targets.values())).quarantine
        with ExitStack() as held:
            for one in sorted(targets.values(), key=lambda target: target.path):
                hold = formats.known(one.conf.format).hold
                if hold:
                    held.enter_context(hold(self.spark, one.conf))
            held.enter_context(self.journals.lock([*(t.journal for t in targets.values()), shelf]))
            yield {n: replace(t, staging=f"{self.journals.workspace(t.journal)}/staged") for n, t in targets.items()}

    def done_by(self, identity: Identity, targets: Mapping[str, Target]) -> str | None:
        """The run that has left in these outputs what this one would; None where none has, or where a table is gone."""
        done = self.journals.done_by(identity, {t.journal: identity.slices[n] for n, t in targets.items()})
        gone = done and any(t.table and not (self.there(t) and self._knows(t, identity.slices[n])) for n, t in targets.items())
        return None if gone else done

    def _knows(self, target: Target, name: str) -> bool:
        """Whether a table that numbers its slices has ever had this one; one that was made anew has not."""
        number = formats.known(target.conf.format).number
        return number is None or number(self.spark, target.conf, target.path, name) > 0

    def there(self, target: Target) -> bool:
        """Whether an output is there: files, or a table by its path or its name."""
        known = formats.known(target.conf.format).there
        if known:
            return known(self.spark, target.conf)
        if target.conf.format == "table":
            return bool(self.spark.catalog.tableExists(target.path))
        return self.hadoop.exists(target.path)

    def taken(self, target: Target) -> bool:
        """Whether something is at an output's path; a table of the catalog is looked for by its own `check`."""
        return target.conf.format != "table" and self.there(target)

    def save(self, frame: DataFrame, form: Format, options: Mapping[str, str], by: list[str], at: str) -> None:
        """Stages a frame in one pass."""
        writing.save(frame, form, options, by, at)

    def total(self, target: Target, form: Format) -> int:
        """All rows that were staged for an output."""
        assert form.count is not None
        return form.count(self.spark, target.staging, target.conf.options) if self.any(target.staging) else 0

    def good(self, target: Target, form: Format) -> tuple[str, int]:
        """Where the good rows are that were staged beside rejected ones, and how many they are."""
        assert form.count is not None
        data = f"{target.staging}/{GOOD}"
        return data, form.count(self.spark, data, {}) if self.hadoop.exists(data) else 0

    def rejects(self, target: Target, schema: StructType) -> DataFrame | None:
        """The rejected rows that were staged, with `SPLIT`; None where there are none. A guess at partition values would make 1 of
        `01`."""
        found = self.hadoop.glob(f"{target.staging}/{SPLIT}=*")
        folders = [s.getPath().toString() for s in found if s.getPath().getName() != GOOD]
        reader = self.spark.read.schema(StructType([*schema.fields, StructField(SPLIT, StringType())]))
        return reader.option("basePath", target.staging).parquet(*folders) if folders else None

    def read(self, data: str, schema: StructType) -> DataFrame:
        """Good rows as they were staged; by their own schema, since a guess at partition values would make 1 of `01`."""
        return self.spark.read.schema(schema).parquet(data).select(*[quote(c) for c in schema.names])

    def any(self, at: str) -> bool:
        """Whether any file was staged at a place."""
        return any(not f.hidden for s in self.hadoop.glob(at) for f in self.hadoop.walk(s))

    def size(self, data: str) -> tuple[int | None, int | None]:
        """The number and the bytes of the staged files."""
        files = [f for s in self.hadoop.glob(data) for f in self.hadoop.walk(s) if not is_hidden(f.path.rsplit("/", 1)[-1])]
        return len(files), sum(f.size for f in files)

    def shelve(self, rows: DataFrame, target: Target, number: int) -> tuple[str, DataFrame]:
        """Stages rejected rows for a target's quarantine, where no Delta table may be: where they are, and read back.

        Raises:
            UsageError: the quarantine is a Delta table, which plain files among its own would not belong to.
        """
        if not number and self.hadoop.exists(f"{target.quarantine}/_delta_log"):
            raise UsageError(f"the quarantine {target.quarantine} is a Delta table, made over Spark Connect", reason="wrong_quarantine",
                             hint=f"set outputs.{target.name}.quarantine to another folder")
        work = self.private(target)
        at = f"{work}/shelf/{number}/run_id={self.run_id}"
        rows.write.parquet(at)
        return at, self.spark.read.parquet(at)

    def private(self, target: Target) -> str:
        """The workspace of a target's quarantine, for its owner's eyes only."""
        work = self.journals.workspace(target.quarantine)
        self.hadoop.make_folder(work)
        self.hadoop.owner_only(work)
        return work

    def shelved(self, target: Target, shelved: Sequence[str], name: str) -> list[Piece]:
        """Shelved rows as files partitioned by `run_id`, for their owner's eyes only, ready to be published; none, and nothing to
        publish, where no generation before had any."""
        work = self.journals.workspace(target.quarantine)
        folder = f"{work}/shelf/0"
        for at in shelved[1:]:
            source = at.rpartition("/")[0]
            self.move(source, folder, self.leaves(source))
        if not shelved:
            if not self.journals.files(target.quarantine, name):
                return []
            self.hadoop.make_folder(folder)
            self.hadoop.owner_only(work)
        self.hadoop.owner_only(folder)
        if target.quarantine in self.journals.bare:
            self.move(folder, target.quarantine, self.leaves(folder))
            return []
        return [Piece(target.quarantine, folder, "append", name)]

    def leaves(self, folder: str) -> Iterable[str]:
        """The data files below a folder, as paths relative to it."""

        def below(status: Any, at: str) -> Iterable[str]:
            for child in status.getPath().getFileSystem(self.hadoop.conf).listStatus(status.getPath()):
                name = child.getPath().getName()
                if child.isDirectory():
                    yield from below(child, f"{at}{name}/")
                elif not is_hidden(name):
                    yield at + name

        return list(below(self.hadoop.glob(folder)[0], ""))

    def move(self, source: str, path: str, leaves: Iterable[str]) -> None:
        """Moves files to the same places below another folder."""
        for leaf in leaves:
            self.hadoop.make_folder(f"{path}/{leaf}".rsplit("/", 1)[0])
            self.hadoop.rename(f"{source}/{leaf}", f"{path}/{leaf}")

    def drop(self, at: str) -> None:
        """Deletes what was staged at a place."""
        self.hadoop.delete(at)
