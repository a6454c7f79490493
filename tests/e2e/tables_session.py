"""Tables in a session of its own, with Delta and Hive's embedded metastore; prints one JSON object of what was
found."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame

from sparkkit import conf as confs
from sparkkit import run, session, sinks
from sparkkit.errors import SparkkitError
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.schema import odcs
from sparkkit.schema.testdata import rows
from sparkkit.schema.types import struct

EVERY = Path(__file__).parents[2] / "schemas" / "every_type.yaml"
FOLDER = Path(sys.argv[1])
NUMBER = itertools.count(1)
SETTINGS = {
    "spark.sql.catalogImplementation": "hive",
    "spark.sql.warehouse.dir": str(FOLDER / "warehouse"),
    "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={FOLDER}/metastore;create=true",
    "spark.databricks.delta.snapshotPartitions": "1",
}


def main() -> None:
    """Takes both kinds of table through every mode."""
    spark = session.start(SETTINGS, app_name="tables", profile="test", needs=["delta"])
    found: dict[str, Any] = {}
    try:
        for kind, path in (("delta", str(FOLDER / "delta")), ("table", "default.people")):
            found[kind] = modes(spark, kind, path) | {"unlike": unlike(spark, kind, f"{path}_every")}
        found["constraints"] = [constrained(spark, mode) for mode in ("append", "merge")]
    finally:
        session.stop(spark)
    print(json.dumps(found))


def modes(spark: Any, kind: str, path: str) -> dict[str, Any]:
    """What each mode wrote, and what was read back."""

    def write(sql: str, mode: str, **over: Any) -> Any:
        def build(data: DataFrame) -> DataFrame:
            data.createOrReplaceTempView("data")
            return spark.sql(sql)

        return go(spark, build, str(FOLDER / "in"), "parquet", path, kind, mode, **over)

    spark.range(4).write.mode("overwrite").parquet(str(FOLDER / "in"))
    by = {"outputs.output.partition_by": ["p"]}
    steps = [
        ("error", "select id v, 'a' p from data"),
        ("error", "select id v, 'a' p from data"),
        ("append", "select id + 10 v, '01' p from data"),
        ("overwrite_partitions", "select id + 20 v, 'b' p from data where id < 2"),
        ("overwrite_partitions", "select id + 30 v, '01' p from data where id < 3"),
    ]
    written = [write(sql, mode, **by) for mode, sql in steps]
    held = sorted((r.v, r.p) for r in go(spark, None, path, kind, str(FOLDER / f"{kind}.out"), "parquet", "overwrite").collect())
    filtered = go(
        spark,
        None,
        path,
        kind,
        str(FOLDER / f"{kind}.out"),
        "parquet",
        "overwrite",
        **{"inputs.data.filter": "p = 'a'"},
    ).count()
    other = [write(sql, "append", **by) for sql in ("select id v, 'a' p, 1 x from data", "select cast(id as double) v, 'a' p from data")]
    empty = [write("select id v, if(id = 1, '', 'a') p from data", "append", **more) for more in (by, {})]
    replaced = write("select id v, 'z' p from data where id = 99", "overwrite", **by, **{"outputs.output.allow_empty": True})
    missing = go(spark, None, f"{path}_missing", kind, str(FOLDER / "none"), "parquet", "overwrite")
    told = {"empty": empty, "other": other, "replaced": replaced, "missing": missing}
    return {"written": written, "held": held, "filtered": filtered, **told}


def constrained(spark: Any, mode: str) -> list[Any]:
    """Rows that a table's constraints refuse, each before a run that they don't."""
    path, keys = str(FOLDER / f"constrained.{mode}"), {"outputs.output.keys": ["v"]} if mode == "merge" else {}
    spark.sql(f"CREATE TABLE delta.`{path}` (v BIGINT, p STRING NOT NULL) USING delta")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT small CHECK (v < 10)")

    def write(sql: str) -> Any:
        return go(spark, lambda data: data.selectExpr(*sql.split("; ")), str(FOLDER / "in"), "parquet", path, "delta", mode, **keys)

    bad = ("id + 8 as v; 'a' as p", "id as v; nullif('a', 'a') as p", "nullif(id, 1) as v; 'a' as p")
    return [write(sql) for sql in (*bad, "id as v; 'a' as p")]


def unlike(spark: Any, kind: str, path: str) -> str:
    """What chispa says of rows of every type that went into a table and came back by their contract; "" where they are
    equal."""
    contract = odcs.load(str(EVERY))
    data = spark.createDataFrame(rows(contract, 200), struct(contract))
    source, out = str(FOLDER / f"{kind}.every.in"), str(FOLDER / f"{kind}.every.out")
    data.write.parquet(source)
    go(spark, lambda frame: frame, source, "parquet", path, kind, "error")
    back = go(spark, None, path, kind, out, "parquet", "error", **{"inputs.data.contract": str(EVERY)})
    try:
        assert_df_equality(back, data, ignore_nullable=True, transforms=[lambda d: d.orderBy("id")])
    except Exception as error:
        return str(error)[:3000] or type(error).__name__
    return ""


def go(spark: Any, build: Any, source: str, kind: str, path: str, to: str, mode: str, **over: Any) -> Any:
    """One run: rows written and partitions replaced, or the frame where nothing is built; an error's reason where it
    fails."""

    def same(data: DataFrame) -> DataFrame:
        return build(data) if build else data

    job = Job(same, name="job")
    over = {
        "inputs.data.path": source,
        "inputs.data.format": kind,
        "outputs.output.path": path,
        "outputs.output.format": to,
        "outputs.output.mode": mode,
        **over,
    }
    settings = confs.load(Project(FOLDER), "job", inputs=("data",), outputs=("output",), params=(), over=over)
    number = next(NUMBER)
    record = Record(f"run-{number}", "job")
    date = f"2026-01-{number:02}"  # each its own: a re-run of one would take away what it wrote before
    try:
        staged = run.run(spark, run.Request(job, settings, Project(FOLDER), date=date), record)
    except SparkkitError as error:
        return error.reason
    return (record.outputs["output"]["written"], staged["output"].published) if build else sinks.view(spark, staged["output"])


if __name__ == "__main__":
    main()
