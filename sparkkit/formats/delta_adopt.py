"""Staged rows that become a table's own files by being moved: the one write of a run is also the table's.

Staging writes them as Delta would, with Delta's figures for each file (`Transaction.write` on the staging folder, never committed),
and leaves what the log is to say of the good ones in a file beside them. A commit moves them below the table and takes them in. Where
a table is more than a plain one (other names for its columns, constraints, a change feed), or changed meanwhile, its own writer writes
the staged rows again, and checks what it checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ByteType, DateType, IntegerType, LongType, ShortType, StringType, StructType

from sparkkit.conf import KEYED, OutputConf
from sparkkit.errors import InfrastructureError
from sparkkit.formats import delta_table
from sparkkit.formats.delta_schema import bare
from sparkkit.formats.deltalog import Stored, Transaction
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.object_store import ObjectStore

ADDS = "_adds.json"
"""Beside the staged files, hidden from readers: how the table's log will speak of them."""

FORMAT = 1
"""The version of that file."""

NAMED = (StringType, IntegerType, LongType, ShortType, ByteType, DateType)
"""Types of partition columns that are the same as a folder's name and as a value."""

HARMLESS = ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration", "delta.enableDeletionVectors", "delta.appendOnly",
            "delta.checkpointInterval", "delta.checkpointPolicy", "delta.autoOptimize.autoCompact", "delta.isolationLevel")
"""Properties of a table that ask nothing of a file that comes into it."""


def stage(frame: DataFrame, conf: OutputConf, path: str, at: str, split: str) -> bool:
    """Stages a frame as files that the table at a path can take in, parted by the column `split` (good rows are null there) where
    one is given; False, and nothing done, where it could not."""
    schema = StructType([f for f in frame.schema.fields if f.name != split])
    by = _takes(frame.sparkSession, conf, schema, path)
    if by is None:
        return False
    txn = Transaction(frame.sparkSession, at)
    txn.create(frame.schema, (*([split] if split else []), *by), {})
    if not _asks_nothing(txn):  # the session's defaults for new tables, such as other names for the columns
        return False
    made = txn.write(frame, writer_options(conf))
    good = [f for f in made if not split or dict(f.partition)[split] is None]
    said = {"format": FORMAT, "by": by, "split": split, "schema": schema.json(), "adds": [str(f.action.json()) for f in good]}
    Hadoop.of(frame.sparkSession).write(f"{at}/{ADDS}", json.dumps(said).encode())
    return True


def writer_options(conf: OutputConf) -> dict[str, str]:
    """The options of an output that are its writer's."""
    return {k: v for k, v in conf.options.items() if not k.startswith("delta.") and k != "userMetadata"}


def _takes(spark: SparkSession, conf: OutputConf, schema: StructType, path: str) -> tuple[str, ...] | None:
    """The partition columns of the table that would take such files in; None where none would."""
    if conf.mode in KEYED or conf.leave_out:
        return None
    if not delta_table.is_delta(spark, path):
        fresh = not any(k.startswith("delta.") for k in conf.options)
        return _named(schema, conf.partition_by) if fresh else None
    txn = Transaction(spark, path)
    return _named(schema, txn.partitions) if fits(txn, schema) else None


def _named(schema: StructType, by: Sequence[str]) -> tuple[str, ...] | None:
    return tuple(by) if all(c in schema.names and isinstance(schema[c].dataType, NAMED) for c in by) else None


def fits(txn: Transaction, schema: StructType) -> bool:
    """Whether a table is a plain one with just these columns and types."""
    there = {f.name: bare(f.dataType) for f in txn.schema.fields}
    plain = not any(f.metadata for f in txn.schema.fields) and _asks_nothing(txn)
    return plain and there == {f.name: bare(f.dataType) for f in schema.fields}


def _asks_nothing(txn: Transaction) -> bool:
    return all(k in HARMLESS for k in txn.properties())


class Adoption:
    """Staged files below `at` on their way into a table."""

    def __init__(self, txn: Transaction, at: str) -> None:
        self.txn, self.at, self.moved = txn, at, list[tuple[str, str]]()
        self.hadoop = Hadoop.of(txn.spark)

    def said(self) -> Mapping[str, Any] | None:
        """What staging has left, where the table takes it in as it is."""
        file = f"{self.at}/{ADDS}"
        if not self.at or not self.hadoop.exists(file):
            return None
        said: dict[str, Any] = json.loads(self.hadoop.read(str(self.hadoop.path(file).toUri().toString())))
        schema = StructType.fromJson(json.loads(said["schema"]))
        known = said["format"] == FORMAT and tuple(said["by"]) == self.txn.partitions and fits(self.txn, schema)
        return said if known else None

    def files(self, said: Mapping[str, Any]) -> list[Stored]:
        """Moves the files below the table, each to a name that only it has; one that an attempt before has moved is there.

        Raises:
            InfrastructureError: one is neither here nor there.
        """
        found = []
        for action, source, target in self._places(said):
            self._move(source, target)
            found.append(self.txn.stored(json.dumps(action)))
        return found

    def _places(self, said: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
        """Each staged file as the table's log will speak of it, where it was staged, and where it goes."""
        for text in said["adds"]:
            action = json.loads(text)
            add = action["add"]
            old, values = add["path"], add["partitionValues"]
            if said["split"]:
                add["path"] = old.partition("/")[2]
                add["partitionValues"] = {k: v for k, v in values.items() if k != said["split"]}
            yield action, f"{self.at}/{unquote(old)}", self.txn.place(add["path"])

    def _move(self, source: str, target: str) -> None:
        """On S3 a copy, which is there as a whole or not at all: the staged file stays for who may have to go on from it."""
        if self._copies():
            there = self.hadoop.exists(target) or ObjectStore.of(self.hadoop, target).duplicate(source, target)
        else:
            there = self._renamed(source, target)
        if not there:
            raise InfrastructureError(f"{source} was staged, and is gone", reason="staged_file_gone", hint="run again with --again")
        self.moved.append((source, target))

    def _copies(self) -> bool:
        return ObjectStore.knows(self.hadoop, self.at)

    def _renamed(self, source: str, target: str) -> bool:
        if self.hadoop.exists(source):
            self.hadoop.make_folder(target.rpartition("/")[0])
            self.hadoop.rename(source, target)
            return True
        return self.hadoop.exists(target)

    def undo(self) -> None:
        """Moves files that are below the table, and not committed, back to where they were staged. Nothing, where another run has this
        workspace by now: then they are what that one is about to commit."""
        file = f"{self.at}/{ADDS}"
        if not self.at or not self.hadoop.exists(file) or self._copies():  # who comes late would take what another has committed
            return
        for _, source, target in self._places(json.loads(self.hadoop.read(str(self.hadoop.path(file).toUri().toString())))):
            if self.hadoop.exists(target) and not self.hadoop.exists(source):
                self.hadoop.rename(target, source)
