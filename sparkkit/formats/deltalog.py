"""Delta's own transaction, by the classes of its JVM library: the one module that knows them, tested with each version.

Files are written first, seen by nobody; then they are counted and judged; then one commit adds them, removes others and
sets the number of the application (`txn`), or none of it happens. `DataFrameWriter` and MERGE commit before anybody can
look at what they wrote, and neither can remove what an earlier append brought in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit.errors import AccountingError
from sparkkit.formats.writing import setting
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.increments import HIVE_NULL

META = "spark.databricks.delta.commitInfo.userMetadata"
NOTE = "sparkkit"
"""The tag of a commit that holds our figures, and the tag of a file that says which `txn` wrote it."""

CONFLICT = r"Concurrent\w*Exception|(Metadata|Protocol)ChangedException|DELTA_CONCURRENT_|DELTA_(METADATA|PROTOCOL)_CHANGED"
"""What Delta says where another writer was faster."""


@dataclass(frozen=True)
class Stored:
    """A data file of a table, or one that was written and is not yet committed; `rows` is the log's own word."""

    path: str
    rows: int | None
    bytes: int
    partition: tuple[tuple[str, str | None], ...]
    action: Any
    tag: Mapping[str, Any] | None = None


class Transaction:
    """One transaction on the table at a path, which may not be there yet (`version` is then -1)."""

    def __init__(self, spark: SparkSession, path: str) -> None:
        self.spark, self.path = spark, path
        java: Any = spark._jvm
        self.java = java
        self._delta: Any = self.java.org.apache.spark.sql.delta
        self.log: Any = self._delta.DeltaLog.forTable(_session(spark), path)
        self._txn: Any = self.log.startTransaction()
        self.version = int(self._txn.readVersion())
        self.root = str(self.log.dataPath().toUri().toString())

    @property
    def schema(self) -> StructType:
        """The table's columns, with those of its partitions."""
        found = StructType.fromJson(json.loads(self._txn.metadata().schema().json()))
        return found

    @property
    def partitions(self) -> tuple[str, ...]:
        """The columns that the table is partitioned by."""
        return tuple(_listed(self._txn.metadata().partitionColumns()))

    def folder(self, partition: Sequence[tuple[str, str | None]], by: Sequence[str]) -> str:
        """A file's partition as the folders that Hive would name (`dt=2024-01-01`)."""
        stored = {f.name: f.metadata.get("delta.columnMapping.physicalName", f.name) for f in self.schema.fields}
        values = dict(partition)
        found = {c: values[stored.get(c, c)] for c in by}
        return "/".join(f"{c}={HIVE_NULL if v is None else v}" for c, v in found.items())

    def property(self, key: str) -> str | None:
        """A table property."""
        found = self._txn.metadata().configuration().get(key)
        return str(found.get()) if found.isDefined() else None

    def properties(self) -> dict[str, str]:
        """The table's properties."""
        found = self._txn.metadata().configuration().iterator()
        pairs = {}
        while found.hasNext():
            pair = found.next()
            pairs[str(pair._1())] = str(pair._2())
        return pairs

    def stored(self, text: str) -> Stored:
        """A file by the line of the log that would add it."""
        return self._stored(getattr(getattr(self._delta.actions, "Action$"), "MODULE$").fromJson(text))

    def number(self, app: str) -> int:
        """The last number committed for an application id, -1 for none; a rival with the same id then conflicts."""
        found = _by_checksum(self._txn.snapshot(), app)
        if found is None:
            return int(self._txn.txnVersion(app))
        getattr(self._txn.readTxn(), "$plus$eq")(app)  # what Delta's own does too: what we relied on is not to change
        return found

    def create(self, schema: StructType, by: Sequence[str], properties: Mapping[str, str]) -> None:
        """The table comes with this commit."""
        given = self.java.org.apache.spark.sql.delta.actions
        fresh = given.Format("parquet", self._map({}))
        uuid = str(self.java.java.util.UUID.randomUUID().toString())
        now = self._some(self.java.java.lang.System.currentTimeMillis())
        made = given.Metadata(uuid, None, None, fresh, _nullable(schema).json(), self._seq(by), self._map(properties), now)
        self._txn.updateMetadataForNewTable(made)

    def reshape(self, schema: StructType) -> None:
        """The table's columns are others after this commit."""
        old = self._txn.metadata()
        words = (old.id(), old.name(), old.description(), old.format(), _nullable(schema).json(), old.partitionColumns())
        new = self.java.org.apache.spark.sql.delta.actions.Metadata(*words, old.configuration(), old.createdTime())
        self._txn.updateMetadata(new, False)

    def read(self) -> DataFrame:
        """The table as this transaction found it; whoever adds or removes rows meanwhile makes the commit a conflict."""
        self._txn.readWholeTable()
        return self.spark.read.format("delta").option("versionAsOf", self.version).load(self.path)

    def files(self, tagged: str | None = None) -> list[Stored]:
        """The table's files, or those that an application id has written (whose commit is then a conflict with others'
        that remove them)."""
        if tagged is None:
            return [self._stored(a) for a in _listed(self._txn.filterFiles())]
        mine = F.get_json_object(F.col("tags")[NOTE], "$.app") == tagged
        return self._held(self._txn.snapshot().allFiles().filter(mine._jc))

    def files_at(self, paths: Sequence[str]) -> list[Stored]:
        """The table's files at the paths that `_metadata.file_path` gives.

        Raises:
            AccountingError: one of them is not in the table's log.
        """
        wanted = {_plain(p) for p in paths}
        if not wanted:
            return []
        names = sorted({p.rsplit("/", 1)[-1] for p in paths})
        alike = self._held(self._txn.snapshot().allFiles().filter(F.substring_index("path", "/", -1).isin(names)._jc))
        found = [f for f in alike if _plain(self._whole(f.path)) in wanted]
        if len(found) != len(wanted):
            raise AccountingError(f"{len(wanted)} files of {self.path} hold rows to be changed, but {len(found)} are in its log",
                                  hint="nothing was published; report it")
        return found

    def _held(self, dataset: Any) -> list[Stored]:
        return [self._stored(a) for a in dataset.collect()]

    def place(self, path: str) -> str:
        """Where a file of the log is, as Hadoop's paths are written."""
        return unquote(self._whole(path))

    def _whole(self, path: str) -> str:
        return path if ":/" in path or path.startswith("/") else f"{self.root}/{path}"

    def named(self) -> str:
        """What tells this table from another one at its path."""
        return str(self._txn.metadata().id())

    def told(self, actions: Iterable[str]) -> list[Stored]:
        """The files of actions as a commit's file has them, a line of JSON each."""
        reader: Any = getattr(getattr(self._delta.actions, "Action$"), "MODULE$")
        return [self._stored(reader.fromJson(line)) for line in actions]

    def rows_of(self, files: Sequence[Stored]) -> DataFrame:
        """The rows of some files, without those that a deletion vector hides."""
        some = self._seq([f.action for f in files])
        return DataFrame(self.log.createDataFrame(self._txn.snapshot(), some, False, self._none()), self.spark)

    def write(self, frame: DataFrame, options: Mapping[str, str]) -> list[Stored]:
        """Writes a frame as files that nobody sees before the commit."""
        settings = self._delta.DeltaOptions(self._map(options), _session(self.spark).sessionState().conf())
        return [self._stored(a) for a in _listed(self._txn.writeFiles(frame._jdf, self._some(settings)))]

    def tagged(self, files: Iterable[Stored], tag: Mapping[str, Any]) -> list[Stored]:
        """Written files with a tag that stays with them in the table's log."""
        word = json.dumps(tag)
        return [self._stored(f.action.copyWithTags(self._map({**dict(_pairs(f.action.tags())), NOTE: word}))) for f in files]

    def _stored(self, action: Any) -> Stored:
        if not _is_add(action):
            return Stored(str(action.path()), 0, int(action.size()), (), action)
        rows = action.numLogicalRecords()
        by = tuple(sorted(_pairs(action.partitionValues())))
        tag = dict(_pairs(action.tags())).get(NOTE)
        told = int(rows.get()) if rows.isDefined() else None
        return Stored(str(action.path()), told, int(action.size()), by, action, json.loads(tag) if tag else None)

    def count(self, files: Sequence[Stored]) -> int:
        """The rows of files by the log's word, or by reading those of which it says nothing."""
        untold = [f for f in files if f.rows is None]
        return sum(f.rows or 0 for f in files) + (self.rows_of(untold).count() if untold else 0)

    def commit(
        self, add: Sequence[Stored], remove: Sequence[Stored], numbers: Mapping[str, int], *, operation: Any, word: str, note: str,
        metrics: Mapping[str, int],
    ) -> int:
        """Commits all at once; the new version.

        Args:
            add: files that `write` gave.
            remove: files of the table.
            numbers: an application's number, by its id.
            operation: `writes` or `merges`, for the table's history.
            word: the user's word in the history.
            note: our own, which `noted` finds again.
            metrics: figures for the history.
        """
        now = self._some(self.java.java.lang.System.currentTimeMillis())
        told = [self.java.org.apache.spark.sql.delta.actions.SetTransaction(app, number, now) for app, number in numbers.items()]
        actions = [*told, *(f.action for f in add), *(f.action.remove() for f in remove)]
        given = dict.fromkeys(self._of_merge(), 0) | dict(metrics) if metrics else {}
        self._txn.registerSQLMetrics(_session(self.spark), self._map({k: self._metric(k, v) for k, v in given.items()}))
        with setting(self.spark, META, word):
            return int(self._txn.commit(self._seq(actions), operation, self._map({NOTE: note})))

    def writes(self, mode: str, by: Sequence[str]) -> Any:
        """The operation WRITE of the table's history; later versions of Delta take more words for it."""
        kind: Any = getattr(self._delta, "DeltaOperations$Write")
        words = [getattr(self.java.org.apache.spark.sql.SaveMode, mode), self._some(self._seq(by)) if by else self._none()]
        taken = self._arity("org.apache.spark.sql.delta.DeltaOperations$Write")
        return kind(*words, *[self._none()] * (taken - len(words)))

    def merges(self) -> Any:
        """The operation MERGE of the table's history."""
        none, nothing = self._none(), self._seq([])
        return getattr(self._delta, "DeltaOperations$Merge")(none, none, none, none, nothing, nothing, nothing)

    def _of_merge(self) -> list[str]:
        """The metrics that MERGE's history is made of; it wants to be given all of them."""
        names, found = self._delta.DeltaOperationMetrics.MERGE().iterator(), ["operationNumSourceRows", "numSourceRowsInSecondScan"]
        while names.hasNext():
            found.append(str(names.next()))
        return found

    def _arity(self, name: str) -> int:
        loader = self.java.java.lang.Thread.currentThread().getContextClassLoader()
        found = self.java.java.lang.Class.forName(name, True, loader).getConstructors()
        return int(found[0].getParameterCount())

    def _metric(self, name: str, value: int) -> Any:
        made = self.java.org.apache.spark.sql.execution.metric.SQLMetrics.createMetric(self.spark.sparkContext._jsc.sc(), name)
        made.set(value)
        return made

    def _seq(self, items: Iterable[Any]) -> Any:
        return self.java.org.apache.spark.api.python.PythonUtils.toSeq(list(items))

    def _map(self, items: Mapping[str, Any]) -> Any:
        return self.java.org.apache.spark.api.python.PythonUtils.toScalaMap(dict(items))

    def _some(self, value: Any) -> Any:
        return self.java.scala.Option.apply(value)

    def _none(self) -> Any:
        return self.java.scala.Option.empty()


def number(spark: SparkSession, path: str, app: str) -> int:
    """The last number committed to the table for an application id, -1 for none."""
    log: Any = spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(_session(spark), path)  # type: ignore[union-attr]
    none: Any = spark._jvm.scala.Option.empty()  # type: ignore[union-attr]
    snapshot = log.update(False, none, none)
    known = _by_checksum(snapshot, app)
    if known is not None:
        return known
    found = snapshot.transactions().get(app)
    return int(found.get()) if found.isDefined() else -1


def _by_checksum(snapshot: Any, app: str) -> int | None:
    """An application's last number, -1 for none, by the checksum file that Delta 3.3 and later write beside a version (and take the
    table's columns from): the log is not read and replayed for it, which takes seconds. None where the file does not list them."""
    sums = snapshot.checksumOpt()
    known = sums.get().setTransactions() if sums.isDefined() else sums
    if not known.isDefined():
        return None
    return next((int(one.version()) for one in _listed(known.get()) if str(one.appId()) == app), -1)


def wrote(spark: SparkSession, path: str, app: str) -> bool:
    """Whether the table holds rows in files that an application wrote, by its log."""
    return number(spark, path, app) >= 0 and any(f.rows is None or f.rows for f in Transaction(spark, path).files(app))


def noted(spark: SparkSession, path: str, app: str, generation: int) -> tuple[int, str] | None:
    """Version and note of the commit of an application's number, looked for from the newest commit back; None where the
    log no longer has it."""
    hadoop = Hadoop.of(spark)
    log: Any = spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(_session(spark), path)  # type: ignore[union-attr]
    none: Any = spark._jvm.scala.Option.empty()  # type: ignore[union-attr]
    for version in range(int(log.update(False, none, none).version()), -1, -1):
        at = f"{path.rstrip('/')}/_delta_log/{version:020d}.json"
        if not hadoop.exists(at):
            return None
        actions = [json.loads(line) for line in _lines(hadoop, at)]
        if any(a.get("txn", {}).get("appId") == app and a["txn"]["version"] == generation for a in actions):
            tags = next((a["commitInfo"].get("tags") or {} for a in actions if "commitInfo" in a), {})
            return version, str(tags.get(NOTE, "{}"))
    return None


def actions(spark: SparkSession, path: str, version: int) -> list[tuple[str, Mapping[str, Any], str]] | None:
    """What a commit did, in its order: kind, content and the line itself; None where the log has it no longer."""
    hadoop = Hadoop.of(spark)
    at = f"{path.rstrip('/')}/_delta_log/{version:020d}.json"
    if not hadoop.exists(at):
        return None
    lines = [(json.loads(line), line) for line in _lines(hadoop, at) if line.strip()]
    return [(kind, content, line) for found, line in lines for kind, content in found.items()]


def _lines(hadoop: Hadoop, at: str) -> list[str]:
    """The first lines of a commit: what it says of itself stands before its files."""
    path = hadoop.path(at)
    return hadoop.read(str(path.toUri().toString())).decode("utf-8").splitlines()


def _session(spark: SparkSession) -> Any:
    return spark._jsparkSession


def _is_add(action: Any) -> bool:
    return str(action.getClass().getSimpleName()) == "AddFile"


def _listed(seq: Any) -> list[Any]:
    return [seq.apply(i) for i in range(seq.size())]


def _pairs(found: Any) -> list[tuple[str, str | None]]:
    if found is None:
        return []
    each, pairs = found.iterator(), []
    while each.hasNext():
        pair = each.next()
        pairs.append((str(pair._1()), pair._2()))
    return pairs


def _plain(path: str) -> str:
    """A path as one spelling: decoded, one slash after the scheme."""
    text = unquote(path)
    return "file:/" + text[5:].lstrip("/") if text.startswith("file:") else text


def _nullable(schema: StructType) -> StructType:
    """The schema with every column nullable, as Delta keeps it: what must not be null is a constraint of its own."""
    def loose(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: True if k in ("nullable", "containsNull", "valueContainsNull") else v if k == "metadata" else loose(v)
                    for k, v in node.items()}
        return [loose(n) for n in node] if isinstance(node, list) else node

    return StructType.fromJson(loose(schema.jsonValue()))
