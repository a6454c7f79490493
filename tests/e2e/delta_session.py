"""Delta's modes in a session of its own; prints a JSON object a line of what was found, beside what DuckDB computes."""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from sparkkit import conf as confs
from sparkkit import run, session
from sparkkit.conf import OutputConf
from sparkkit.errors import SparkkitError
from sparkkit.formats import delta, deltalog
from sparkkit.formats.base import LAW, Commit, Committed
from sparkkit.job import Job
from sparkkit.ledger import Record, new_run_id
from sparkkit.project import Project
from tests.e2e import delta_oracle as oracle
from tests.e2e.delta_increments import increments

FOLDER, ROOT = Path(sys.argv[1]), Path(__file__).parents[2]
SAID = "k int, seq int, gone boolean, v int, w string"
CDC: dict[str, Any] = {"mode": "cdc", "keys": ("k",), "sequence_by": "seq", "apply_as_deletes": "gone", "leave_out": ("gone",)}
SCD2: dict[str, Any] = {"mode": "scd2", "keys": ("k",), "valid_from": "seq", "apply_as_deletes": "gone", "leave_out": ("gone",)}
MERGE: dict[str, Any] = {"mode": "merge", "keys": ("k",), "leave_out": ("gone",)}


class Table:
    """One Delta table, and how it is written to and looked at."""

    def __init__(self, spark: SparkSession, name: str, **conf: Any) -> None:
        self.spark, self.path, self.conf = spark, str(FOLDER / name), conf

    def put(self, rows: DataFrame | Sequence[tuple[Any, ...]], txn: tuple[str, int] | None = None, **over: Any) -> Committed:
        """Commits some rows."""
        frame = rows if isinstance(rows, DataFrame) else self.spark.createDataFrame(list(rows), SAID)
        frame = frame.coalesce(1)
        count = over.pop("staged", None)
        conf = OutputConf(path=self.path, format="delta", **{**self.conf, **over})
        delta.check(self.spark, conf)
        delta.fits(frame, conf, self.path)
        how = Commit("run-1", frame.count() if count is None else count, f"{FOLDER}/scratch-{time.monotonic_ns()}", txn)
        return delta.commit(frame, conf, self.path, how)

    def refused(self, rows: Any, **over: Any) -> list[Any]:
        """How a commit is refused, and whether the table stayed as it was."""
        before = self.version()
        try:
            self.put(rows, **over)
        except SparkkitError as error:
            return [error.exit_code, error.reason, error.message.replace(str(FOLDER), ""), self.version() == before]
        return ["not refused"]

    def rows(self, columns: str = "k, seq, v, w", order: str = "k, seq") -> list[list[Any]]:
        """What a reader sees."""
        frame = self.spark.read.format("delta").load(self.path)
        return [list(row) for row in frame.selectExpr(*columns.split(", ")).orderBy(*order.split(", ")).collect()]

    def version(self) -> int:
        """The table's version, -1 where there is none."""
        return delta.delta_table.version(self.spark, self.path)

    def files(self) -> set[str]:
        """The table's data files."""
        return {Path(f).name for f in self.spark.read.format("delta").load(self.path).inputFiles()}


def seen(done: Committed) -> list[Any]:
    """The figures of a commit that are not 0, and whether it had been there already."""
    return [{k: v for k, v in sorted(done.figures.items()) if v}, done.already]


def merging(spark: SparkSession) -> Any:
    """Upserts: what is there after each, and the files that were touched."""
    table = Table(spark, "merge", **MERGE)
    one = [(1, 1, False, 1, "a"), (2, 1, False, None, "b")]
    two = [(2, 2, False, 2, None), (3, 2, False, 3, "c")]
    done = [seen(table.put(one)), seen(table.put(two))]
    version, files = table.version(), table.files()
    done.append(seen(table.put(two)))
    same = [table.version() == version, table.files() == files]
    twice = table.refused([*two, (3, 3, False, 1, "d")])
    null = table.refused([(None, 3, False, 1, "d")])
    return {"done": done, "same": same, "twice": twice, "null": null, "rows": table.rows(), "oracle": oracle.merged([one, two])}


def random_batches(spark: SparkSession, name: str, conf: dict[str, Any], look: Callable[[Table], Any], truth: Callable[[Any], Any]) -> Any:
    """Batches out of order, each committed and compared with DuckDB; some come twice. How many differed, and the sums."""
    unlike, wrong, versions = [], [], []
    table = Table(spark, name, **conf)
    batches = oracle.changes(7, 40, 8, 4)
    for n, batch in enumerate(batches):
        done = table.put(batch)
        wrong += [] if done.rows == len(batch) else [[n, dict(done.figures)]]
        held, right = look(table), truth(batches[: n + 1])
        if held != right:
            unlike.append([n, [r for r in held if r not in right][:3], [r for r in right if r not in held][:3]])
    before = table.version()
    again = table.put(batches[1])
    versions.append(table.version() - before)
    figures = {k for k, v in again.figures.items() if v}
    return {"unlike": unlike, "wrong": wrong, "again": sorted(figures), "versions": versions, "rows": len(look(table)) > 20,
            "still": look(table) == truth(batches)}


def appending(spark: SparkSession) -> Any:
    """Numbers: the same twice, a later one that replaces, an older date after a newer, a late attempt, rows of others."""
    table = Table(spark, "append", mode="append", leave_out=("gone", "w"))
    day = "job/out/2024-01-0"
    one, two, more = [[(i, n, False, n, "")] * 2 for i, n in ((1, 1), (2, 2), (3, 3))]
    done = [seen(table.put(one, (f"{day}5", 1))), seen(table.put(one, (f"{day}5", 1)))]
    table.put(more)
    done += [seen(table.put(two, (f"{day}3", 1))), seen(table.put(more, (f"{day}5", 2)))]
    late = table.refused(one, txn=(f"{day}5", 1))
    told = [delta.committed(spark, table.path, (f"{day}{d}", n)) for d, n in ((5, 1), (5, 2), (5, 3), (3, 1), (4, 1))]
    empty = [seen(table.put(spark.createDataFrame([], SAID), (f"{day}6", 1))), seen(table.put(two, (f"{day}6", 2)))]
    held = table.rows("k, v")
    spark.sql(f"OPTIMIZE delta.`{table.path}`")
    rewritten = table.refused(two, txn=(f"{day}5", 3))
    table.put([(7, 7, False, 7, "")], mode="overwrite")
    after = [seen(table.put(two, (f"{day}5", 3))), table.rows("k, v")]
    nowhere = delta.committed(spark, f"{FOLDER}/nowhere", (day, 1))
    found = [numbers(one(table), *(f"{day}{d}" for d in (3, 4, 5))) for one in (lambda whole: whole, bare)]
    return {"done": done, "late": late, "told": told, "empty": empty, "rows": held, "rewritten": rewritten, "after": after,
            "nowhere": nowhere, "numbers": found}


def numbers(table: Table, *apps: str) -> list[int]:
    """The last number of each application: as it is looked up without a transaction, and within one."""
    txn = deltalog.Transaction(table.spark, table.path)
    return [number for app in apps for number in (deltalog.number(table.spark, table.path, app), txn.number(app))]


def bare(table: Table) -> Table:
    """The table without the checksums beside its versions, as an older writer leaves it."""
    for sums in Path(table.path, "_delta_log").glob("*.crc"):
        sums.unlink()
    table.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    return table


def overwriting(spark: SparkSession) -> Any:
    """Overwrites, whole and by partitions with odd names, under numbers and without."""
    table = Table(spark, "parts", mode="overwrite_partitions", partition_by=("w",), leave_out=("gone",))
    app = "job/out/2024-01-01"
    first = table.put([(1, 1, False, 1, "a b/c=%"), (2, 1, False, 1, "01"), (3, 1, False, 1, None)], (app, 1))
    other = table.put([(4, 1, False, 1, "other"), (2, 2, False, 2, "01")])
    again = table.put([(5, 1, False, 1, None), (6, 1, False, 1, "new")], (app, 2))
    held = table.rows("k, w")
    whole = table.put([(9, 1, False, 1, "z")], mode="overwrite", partition_by=())
    by = [list(first.partitions), list(other.partitions), list(again.partitions)]
    change = table.refused([(9, 1, False, 1, "z")], mode="overwrite", partition_by=("k",))
    there = table.refused([(9, 1, False, 1, "z")], mode="error")
    odd = Table(spark, "rewritten", mode="overwrite_partitions", partition_by=("w",), leave_out=("gone",))
    odd.put([(1, 1, False, 1, "a"), (2, 1, False, 1, "b"), (3, 1, False, 1, "c")], (app, 1))
    odd.put([(7, 1, False, 7, "c")], ("job/out/2024-01-02", 1))
    spark.sql(f"UPDATE delta.`{odd.path}` SET v = 5 WHERE w = 'a'")
    lost = odd.refused([(4, 1, False, 1, "b")], txn=(app, 2))
    odd.put([(4, 1, False, 1, "b"), (1, 1, False, 2, "a")], (app, 2))
    rewritten = [lost[:2], odd.rows("k, w, v")]
    return {"by": by, "again": seen(again), "held": held, "rewritten": rewritten, "whole": [seen(whole), table.rows("k, w")],
            "change": change, "there": there}


def racing(spark: SparkSession) -> Any:
    """Another writer commits just before us: once, and each time; for rows by keys and for an overwrite."""
    table = Table(spark, "race", **MERGE)
    table.put([(1, 1, False, 1, "a")])
    honest, left, pauses = deltalog.Transaction.commit, [0], delta.pauses

    def faster(txn: deltalog.Transaction, *args: Any, **more: Any) -> int:
        if left[0] > 0:
            left[0] -= 1
            rows = spark.createDataFrame([(100 + left[0], 1, 7, "theirs")], "k int, seq int, v int, w string")
            rows.write.format("delta").mode("append").save(table.path)
        return honest(txn, *args, **more)

    deltalog.Transaction.commit = faster  # type: ignore[method-assign]
    delta.pauses = lambda seed: iter([0.0] * 3)
    try:
        left[0] = 1
        once = seen(table.put([(1, 2, False, 2, "b"), (100, 2, False, 2, "ours")], ("app", 1)))
        held = table.rows("k, v, w", "k")
        left[0] = 9
        always = table.refused([(1, 3, False, 3, "c")])[:3]
        left[0] = 1
        over = seen(table.put([(5, 5, False, 5, "e")], mode="overwrite", keys=()))
        return {"once": once, "held": held, "always": always, "over": over, "end": table.rows("k, v", "k")}
    finally:
        deltalog.Transaction.commit, delta.pauses = honest, pauses  # type: ignore[method-assign]


def failing(spark: SparkSession) -> Any:
    """Rows that get lost on their way into the files; a commit whose answer is lost; a commit that never comes."""
    table = Table(spark, "fail", **CDC)
    table.put([(1, 1, False, 1, "a"), (2, 1, False, 1, "a")])
    before = parquet(table)
    honest, send = deltalog.Transaction.write, deltalog.Transaction.commit
    found: dict[str, Any] = {}
    try:
        deltalog.Transaction.write = lambda t, f, *a: honest(t, f.where("k <> 3"), *a)  # type: ignore[method-assign]
        deletes = [(2, 2, True, None, None), (3, 1, False, 1, "b")]
        found["lost"] = [table.refused(deletes), table.refused(deletes, mode="append", keys=(), sequence_by=None, apply_as_deletes=None)]
        deltalog.Transaction.write = honest  # type: ignore[method-assign]
        found["told"] = table.refused([(3, 1, False, 1, "b")], staged=2)
        found["left"] = len([p for p in parquet(table) if p not in before and pq.read_metadata(p).num_rows])  # Delta forgets empty ones

        def broken(txn: Any, *args: Any, **more: Any) -> int:
            raise ConnectionError("Concurrent nothing")

        deltalog.Transaction.commit = broken  # type: ignore[method-assign]
        found["never"] = raised(lambda: table.put(deletes, ("app", 1)))

        def deaf(txn: Any, *args: Any, **more: Any) -> int:
            send(txn, *args, **more)
            raise ConnectionError("no answer")

        deltalog.Transaction.commit = deaf  # type: ignore[method-assign]
        found["deaf"] = seen(table.put(deletes, ("app", 1)))
    finally:
        deltalog.Transaction.write, deltalog.Transaction.commit = honest, send  # type: ignore[method-assign]
    late = [seen(table.put(rows)) for rows in ([(2, 1, False, 9, "late")], [(2, 1, False, 9, "late"), (2, 2, True, None, None)])]
    return found | {"rows": table.rows(), "late": late}


def parquet(table: Table) -> set[Path]:
    """All data files below a table, those that its log does not know too."""
    return {p for p in Path(table.path).rglob("*.parquet") if "_delta_log" not in p.parts}


def raised(call: Callable[[], Any]) -> str:
    """The name of what is raised."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "nothing"


def ties(spark: SparkSession) -> Any:
    """Changes of one key at one place: in one batch, and against the table, a delete, the history."""
    found = {}
    for name, conf in (("cdc", CDC), ("scd2", SCD2)):
        table = Table(spark, f"ties_{name}", **conf)
        table.put([(1, 5, False, 1, "a"), (2, 4, False, 1, "a"), (2, 5, True, None, None)])
        cases = {
            "batch": [(3, 1, False, 1, "a"), (3, 1, False, 2, "a")],
            "table": [(1, 5, False, 2, "a")],
            "deletes": [(1, 5, True, None, None)],
            "deleted": [(2, 5, False, 1, "a")],
            "null": [(3, None, False, 1, "a")],
        }
        found[name] = {case: [told for n, told in enumerate(table.refused(rows)) if n != 2] for case, rows in cases.items()}
        found[name]["same"] = seen(table.put([(1, 5, False, 1, "a"), (2, 5, True, None, None), (2, 5, True, 3, "x")]))
    return found


def evolving(spark: SparkSession) -> Any:
    """Columns that come, go, and change their type, under each word of schema_evolution."""
    table = Table(spark, "evolve", mode="append")
    frame = spark.sql
    table.put(frame("select 1 k, 'a' w"))
    new = "select 2 k, 'b' w, 5 v"
    found: dict[str, Any] = {"strict": [table.refused(frame(q)) for q in (new, "select 2L k, 'b' w", "select 2 k", "select 2 K, 'a' w")]}
    found["overwrite"] = table.refused(frame(new), mode="overwrite")
    found["adds"] = seen(table.put(frame(new), schema_evolution="add_columns"))
    found["still"] = table.refused(frame("select 3L k, 'c' w, 6 v"), schema_evolution="add_columns")[:2]
    found["merged"] = seen(table.put(frame("select 2 k, 'b' w, 5 v, true x"), mode="merge", keys=("k",), schema_evolution="add_columns"))
    try:
        found["wide"] = seen(table.put(frame("select 3 k, 'c' w, 6000000000 v, cast(null as boolean) x"), schema_evolution="widen"))
    except SparkkitError as error:
        found["wide"] = [error.exit_code, error.reason]
    found["narrow"] = table.refused(frame("select 3 k, 4.5D w, 6 v, true x"), schema_evolution="widen")[:2]
    found["keys"] = table.refused(frame("select 3L k, 'c' w, 6 v, true x"), mode="merge", keys=("k",), schema_evolution="widen")[:2]
    found["rows"] = table.rows("*", "k")
    return found


def feeding(spark: SparkSession) -> Any:
    """The change feed of a table by keys, and maps, nested values, and odd column names."""
    table = Table(spark, "feed", **CDC | {"options": {"delta.enableChangeDataFeed": "true"}})
    table.put([(1, 1, False, 1, "a"), (2, 1, False, 1, "b"), (3, 1, False, 1, "c")])
    table.put([(1, 2, False, 2, "a"), (2, 2, True, None, None), (4, 2, False, 4, "d")])
    feed = spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1).load(table.path)
    told = sorted([list(r) for r in feed.select("k", "v", "_change_type").collect()], key=str)
    odd = Table(spark, "odd `name", mode="merge", keys=("a.b",), partition_by=("p-ü",))
    rows = "select {k} `a.b`, map('x', {v}) m, named_struct('i', {v}, 's', array({v})) `s-t`, 'y z/' || {k} `p-ü`"
    one = seen(odd.put(spark.sql(f"{rows.format(k=1, v=1)} union all {rows.format(k=2, v=1)}")))
    two = seen(odd.put(spark.sql(f"{rows.format(k=1, v=1)} union all {rows.format(k=2, v=2)}")))
    return {"feed": told, "odd": [one, two, odd.rows("`a.b`, m.x, `s-t`.i, `p-ü`", "`a.b`")], "rows": table.rows()}


def road(spark: SparkSession) -> Any:
    """A job whose output is brought in by keys, twice: the record's figures, and whether it keeps its schema."""
    rows = [(1, 1, False, 1, "a"), (2, 1, False, None, "b"), (2, 0, False, 5, "old")]
    spark.createDataFrame(rows, SAID).write.parquet(str(FOLDER / "in"))
    job = Job(lambda data: data, name="job")
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in CDC.items()} | {"path": str(FOLDER / "road"), "format": "delta"}
    over = {"inputs.data.path": str(FOLDER / "in"), "inputs.data.format": "parquet"} | {f"outputs.output.{k}": v for k, v in given.items()}
    found = []
    for _ in range(2):
        conf = confs.load(Project(FOLDER), "job", inputs=("data",), outputs=("output",), params=(), over=over)
        record = Record(new_run_id("job"), "job")
        run.run(spark, run.Request(job, conf, Project(FOLDER)), record)
        record.status, record.exit_code = "done", 0
        jsonschema.validate(json.loads(record.to_json()), json.loads((ROOT / "schemas" / "run_record.schema.json").read_text()))
        out = record.outputs["output"]
        found.append([{k: out[k] for k in ("written", *LAW)}, out["closed"], out["copied"], out["removed"]])
    over["outputs.output.keys"] = ["id"]
    wrong = confs.load(Project(FOLDER), "job", inputs=("data",), outputs=("output",), params=(), over=over)
    try:
        run.run(spark, run.Request(job, wrong, Project(FOLDER)), Record("job-1", "job"))
    except SparkkitError as error:
        found.append([error.exit_code, error.reason])
    word = spark.sql(f"DESCRIBE HISTORY delta.`{FOLDER}/road`").select("operation", "userMetadata").orderBy("version").first()
    return {"runs": found, "left": sorted(p.name for p in FOLDER.glob(".road*/stage/*")), "word": [word[0], word[1][:13]] if word else None}


def main() -> None:
    """Every case whose name is given, or all."""
    spark = session.start({"spark.databricks.delta.snapshotPartitions": "1"}, app_name="delta", profile="test", needs=["delta"])
    cases: dict[str, Callable[[], Any]] = {
        "merge": lambda: merging(spark),
        "cdc": lambda: random_batches(spark, "cdc", CDC, lambda t: t.rows(), oracle.latest),
        "scd2": lambda: random_batches(spark, "scd2", SCD2, lambda t: t.rows("k, v, w, seq, valid_to, is_current"), oracle.history),
    }
    more = (appending, overwriting, racing, failing, ties, evolving, feeding, road)
    cases |= {case.__name__: partial(case, spark) for case in more} | {"increments": lambda: increments(spark, FOLDER)}
    found: dict[str, Any] = {}
    try:
        for name in sys.argv[2:] or cases:
            began = time.monotonic()
            try:
                found[name] = cases[name]()
            except Exception:
                found[name] = re.sub(r"\n\s+at [^\n]*", "", traceback.format_exc())[-3000:]
            print(name, round(time.monotonic() - began, 1), file=sys.stderr)
            print(json.dumps({name: found[name]}), flush=True)
    finally:
        session.stop(spark)


if __name__ == "__main__":
    main()
