"""Staging on Spark Connect, which has no filesystem at hand: in tables of the session's catalog, dropped at the end.

A staging table is computed once, counted, and read back for the commit, so that `rand()` agrees with itself as it does in
staged files. Only Delta and tables can be published: each commits by itself, on the server.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from sparkkit import compat, failures, formats
from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, UsageError
from sparkkit.formats import delta_table
from sparkkit.formats.base import Commit, Format
from sparkkit.publishing import Identity
from sparkkit.schema.types import quote
from sparkkit.staging import SPLIT, Target


@dataclass
class Tables:
    """Staging in tables of the session's current catalog and database; `made` are those that are to be dropped."""

    spark: SparkSession
    run_id: str
    made: list[str] = field(default_factory=list)
    named: int = 0

    @cached_property
    def _prefix(self) -> str:
        """Whole, so that a job that changes its current database takes nothing with it; 128 signs are Hive's most."""
        catalog = self.spark.catalog
        run = re.sub(r"[^0-9A-Za-z]+", "_", self.run_id)[-90:].lower()
        return f"{quote(catalog.currentCatalog())}.{quote(catalog.currentDatabase())}.sparkkit_staging_{run}"

    def _name(self) -> str:
        self.named += 1
        return f"{self._prefix}_{self.named}"

    def target(self, name: str, conf: OutputConf) -> Target:
        """The places of an output that has a path.

        Raises:
            UsageError: plain files (`connect_no_files`), a relative path (`wrong_path`), a server without Delta (`missing_jar`).
        """
        path = str(conf.path)
        if conf.format == "table":
            last = "_quarantine`" if path.endswith("`") else "_quarantine"
            return Target(name, conf, path, self._name(), conf.quarantine or path.removesuffix("`") + last)
        if conf.format != "delta":
            raise UsageError(f"output {name!r}: plain files ({conf.format}) are not published over Spark Connect",
                             reason="connect_no_files", hint="write Delta or a table, or run on a classic session")
        path = path.rstrip("/")
        found = Target(name, conf, path, self._name(), (conf.quarantine or f"{path}.quarantine").rstrip("/"))
        delta_table.need_delta(self.spark)
        for place in (found.path, found.quarantine):
            delta_table.need_full(self.spark, place)
        return found

    @contextmanager
    def lock(self, targets: Mapping[str, Target]) -> Iterator[dict[str, Target]]:
        """The targets: no lock is held over Spark Connect, where the tables' own commits are all there is. What was staged is dropped
        at the end."""
        try:
            yield dict(targets)
        finally:
            self.clear()

    def done_by(self, identity: Identity, targets: Mapping[str, Target]) -> str | None:
        """None: without a journal nobody knows."""
        return None

    def taken(self, target: Target) -> bool:
        """Whether something is at an output's path; a table of the catalog is looked for by its own `check`."""
        return target.conf.format == "delta" and delta_table.is_taken(self.spark, target.path)

    def save(self, frame: DataFrame, form: Format, options: Mapping[str, str], by: list[str], at: str) -> None:
        """Stages a frame in one pass, as Parquet. The table is made first, so that what a failed write leaves is dropped
        with it."""
        self.made.append(at)
        schema = StructType([StructField(f.name, f.dataType, True, f.metadata) for f in frame.schema.fields])
        self.spark.catalog.createTable(at, source="parquet", schema=schema)
        frame.write.insertInto(at)

    def total(self, target: Target, form: Format) -> int:
        """All rows that were staged for an output."""
        return self.spark.table(target.staging).count()

    def good(self, target: Target, form: Format) -> tuple[str, int]:
        """Where the good rows are that were staged beside rejected ones, and how many they are."""
        return target.staging, self._good(target.staging).count()

    def _good(self, at: str) -> DataFrame:
        frame = self.spark.table(at)
        return frame.where(F.col(SPLIT).isNull()) if SPLIT in frame.columns else frame

    def rejects(self, target: Target, schema: StructType) -> DataFrame | None:
        """The rejected rows that were staged, with `SPLIT`; None where there are none."""
        found = self.spark.table(target.staging).where(F.col(SPLIT).isNotNull())
        return found if found.limit(1).count() else None

    def read(self, data: str, schema: StructType) -> DataFrame:
        """Good rows as they were staged."""
        return self._good(data).select(*[quote(c) for c in schema.names])

    def any(self, at: str) -> bool:
        """True: a staging table has a schema, though it may have no rows."""
        return True

    def size(self, data: str) -> tuple[int | None, int | None]:
        """Not known: the server keeps the files."""
        return None, None

    def shelve(self, rows: DataFrame, target: Target, number: int) -> tuple[str, DataFrame]:
        """Stages rejected rows for a target's quarantine: where they are, and read back.

        Raises:
            UsageError: the quarantine holds plain files, which a Delta table made there would hide.
        """
        if not number and target.conf.format == "delta" and self._hides(target.quarantine):
            raise UsageError(f"the quarantine {target.quarantine} holds plain files of a classic session", reason="wrong_quarantine",
                             hint=f"set outputs.{target.name}.quarantine to another path")
        at = self._name()
        self.save(rows.withColumn("run_id", F.lit(self.run_id)), formats.known("parquet"), {}, [], at)
        return at, self.spark.table(at)

    def _hides(self, path: str) -> bool:
        return delta_table.is_taken(self.spark, path) and not delta_table.is_delta(self.spark, path)

    def keep(self, shelved: Sequence[str], target: Target) -> None:
        """Appends shelved rows to the quarantine: a table of the target's kind, partitioned by `run_id`.

        Raises:
            AccountingError: it then holds another number of this run's rows.
        """
        form = formats.known(target.conf.format)
        assert form.commit is not None
        rows = reduce(lambda some, more: some.unionAll(more), [self.spark.table(at) for at in shelved])
        options = {k: v for k, v in target.conf.options.items() if k == "provider"}
        evolves = "add_columns" if target.conf.format == "delta" else "strict"  # a quarantine of an earlier sparkkit has fewer
        conf = OutputConf(target.quarantine, target.conf.format, "append", partition_by=("run_id",), options=options,
                          schema_evolution=evolves)
        form.commit(rows, conf, target.quarantine, Commit(self.run_id))
        table = self.spark.table(f"delta.{quote(target.quarantine)}" if target.conf.format == "delta" else target.quarantine)
        held, staged = table.where(F.col("run_id") == self.run_id).count(), rows.count()
        if held != staged:
            raise AccountingError(f"{staged} rejected rows were staged, but {target.quarantine} holds {held} of this run",
                                  hint="no output was published")
        for at in shelved:
            self.drop(at)

    def drop(self, at: str) -> None:
        """Drops a staging table, if it was made. One that stays is told, and fails nothing: what was published stands."""
        if at not in self.made:
            return
        try:
            self._drop(at)
        except Exception as error:
            self._told([at], error)
        self.made.remove(at)

    def clear(self) -> None:
        """Drops all that a run has staged."""
        compat.patience(self.spark, 2)
        while self.made:
            try:
                self._drop(self.made[-1])
            except Exception as error:
                self._told(self.made, error)
                return
            self.made.pop()

    def _drop(self, at: str) -> None:
        """A first try may be cancelled together with the run's own work."""
        try:
            self.spark.sql(f"DROP TABLE IF EXISTS {at}")
        except Exception as error:
            if "CANCELED" not in str(error):
                raise
            self.spark.sql(f"DROP TABLE IF EXISTS {at}")

    def _told(self, left: Sequence[str], error: Exception) -> None:
        print(f"sparkkit: staging tables are left ({failures.explain(error).message}): DROP TABLE {', '.join(left)}", file=sys.stderr)
