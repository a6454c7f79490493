"""Twenty named rules (14 of rows, 6 aggregates) beside the bare write, and beside what Spark needs for them by hand, in turn: CPU seconds.

    python benchmarks/quality/run.py [--rows 5000000] [--rounds 5] [--pairs csv-delta,parquet-parquet] [--ways bare,where,by hand,rules]
                                     [--road] [--gx] [--alone] [--to FILE]

Each way reads the same files by Spark's own reader. `bare` writes them by Spark's own writer. `where` does so with the 14 predicates as
a filter, and `by hand` with all 20 counted by an observation: no less can be asked of Spark for them. `rules` is what the road does: every
value and row judged, the rows that break a rule parted, the aggregates asked of what was staged. `--road` adds whole runs of a job, by
a contract with the rules and by the same one without (reading, conform, quarantine, accounting and publishing are in both); `--gx`
adds Great Expectations, which only looks, at the Parquet files. `--alone` adds whole processes, from command to result: a bare script in
plain PySpark, and `sparkkit run` of a job whose contract has the rules (`alone without`: by one that has none). Writes
benchmarks/results/quality.json.
"""
from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark.sql import Observation

from sparkkit import DataFrame, F, Job, SparkSession, jars, session, sinks, verdicts
from sparkkit import conf as confs
from sparkkit.checks.rules import of
from sparkkit.conf import OutputConf
from sparkkit.intake import judge
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.publishing import Identity
from sparkkit.run import Request, run
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.schema.types import struct
from sparkkit.staging import Files

TYPES = {"id": "bigint", "name": "string", "city": "string", "amount": "decimal(12,2)", "day": "date", "at": "timestamp_ntz",
         "score": "double", "active": "boolean", "kind": "string", "note": "string"}
MADE = ("id", "concat('name', id % 977) as name", "element_at(array('Bonn','Graz','Bern','Oslo'), int(id % 4) + 1) as city",
        "cast(pmod(hash(id), 100000000) / 100 as decimal(12,2)) as amount", "date_add(date'2024-01-01', int(id % 300)) as day",
        "timestamp_ntz'2024-03-01 00:00:00' + make_dt_interval(0, 0, int(id % 50000)) as at", "rand(7) as score", "id % 2 = 0 as active",
        "element_at(array('A1','B2','C3'), int(id % 3) + 1) as kind", "case when id % 20 > 0 then concat('note ', id) end as note")
PREDICATES = {
    "id_positive": "id >= 0", "name_there": "name is not null", "name_like": "name rlike '^name[0-9]+$'",
    "name_length": "length(name) <= 12",
    "city_known": "city in ('Bonn','Graz','Bern','Oslo')", "amount_low": "amount >= 0", "amount_high": "amount < 999990.00",
    "day_from": "day >= date'2024-01-01'", "day_to": "day < date'2025-01-01'", "at_from": "at >= timestamp_ntz'2024-01-01 00:00:00'",
    "score_range": "score between 0 and 1", "kind_known": "kind in ('A1','B2','C3')", "note_length": "length(note) < 30",
    "active_amount": "not active or amount is not null"}
AGGREGATES: tuple[dict[str, Any], ...] = (
    {"metric": "rowCount", "mustBeGreaterThan": 0}, {"metric": "nullValues", "column": "note", "mustBeLessThan": 10, "unit": "percent"},
    {"type": "sql", "query": "select sum(amount) from bench", "mustBeGreaterThan": 0},
    {"type": "sql", "query": "select avg(score) from bench", "mustBeBetween": [0.4, 0.6]},
    {"type": "sql", "query": "select max(datediff(day, date'2025-01-01')) from bench", "mustBeLessThan": 0},
    {"type": "sql", "query": "select min(id) from bench", "mustBe": 0})
NAMED = tuple({"name": f"aggregate_{i}", **item} for i, item in enumerate(AGGREGATES))
CONTRACT = Contract("bench", tuple(Column(n, kind) for n, kind in TYPES.items()), quality=NAMED,
                    rules=tuple(Rule(name, predicate) for name, predicate in PREDICATES.items()))
PLAIN = replace(CONTRACT, rules=(), quality=())
CHECKS = of(CONTRACT)
BESIDE = (("rules", "bare"), ("where", "bare"), ("by hand", "bare"), ("rules", "by hand"), ("road rules", "road without"),
          ("road rules", "bare"), ("alone rules", "alone without"), ("alone rules", "alone bare"))


def cpu() -> float:
    """CPU seconds so far of this process and of all below it: the JVM does the work."""
    ticks, parents = {}, {}
    for at in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = at.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended; its parent has its time
            continue
        parents[int(at.parent.name)], ticks[int(at.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    while more := {one for one, above in parents.items() if above in ours} - ours:
        ours |= more
    return sum(ticks[one] for one in ours) / os.sysconf("SC_CLK_TCK")


def read(spark: SparkSession, kind: str, folder: Path) -> DataFrame:
    found = spark.read.schema(struct(CONTRACT))
    return found.option("header", "true").csv(f"{folder}/csv") if kind == "csv" else found.parquet(f"{folder}/parquet")


def bare(frame: DataFrame, form: str, to: str) -> None:
    frame.write.format(form).save(to)


def filtered(frame: DataFrame, form: str, to: str) -> None:
    bare(frame.where(" and ".join(f"coalesce(({predicate}), true)" for predicate in PREDICATES.values())), form, to)


def by_hand(frame: DataFrame, form: str, to: str) -> None:
    """As somebody would who has no more than Spark; the rows that break a rule are written with the others."""
    rules = [F.expr(f"count_if(not coalesce(({predicate}), true))").alias(name) for name, predicate in PREDICATES.items()]
    sums = ("count(*)", "count_if(note is null)", "sum(amount)", "avg(score)", "max(day)", "min(id)")
    seen = Observation()
    bare(frame.observe(seen, *rules, *[F.expr(sql).alias(f"aggregate_{i}") for i, sql in enumerate(sums)]), form, to)
    assert len(seen.get) == 20


def ruled(spark: SparkSession, kind: str, form: str, to: str, folder: Path) -> None:
    """Staged with every row judged and the rows that break a rule parted, then the verdict, and published, as the road does it."""
    place = Files.of(spark, f"bench-{uuid4().hex}")
    targets = {"output": place.target("output", OutputConf(path=to, format=form))}
    with place.lock(targets) as held:
        judged, asked = judge(read(spark, kind, folder), CONTRACT), verdicts.of_taken(CHECKS)
        staged = sinks.stage(place, held["output"], judged, checked=True, asked=asked)
        found = verdicts.of_output("output", place, staged, CHECKS, {})
        sinks.publish(place, {"output": staged}, Identity("bench", {"output": ""}, ""))
    broken = {one["expectation_config"]["meta"]["name"]: one["result"]["unexpected_count"] for one in found if not one["success"]}
    rejected = staged.count.quarantined
    assert len(found) == 20 and broken == ({"amount_high": rejected} if rejected else {})


def whole(spark: SparkSession, contract: Contract, kind: str, form: str, to: str, folder: Path) -> None:
    """A whole run of a job that changes nothing; texts are judged as they come in, typed rows as they go out."""
    class Given(Project):
        def contract(self, name: str) -> Contract:
            return contract

    job = Job(lambda rows: rows, name="bench", contracts={"rows" if kind == "csv" else "output": "bench"})
    settings = {"inputs.rows.path": f"{folder}/{kind}", "outputs.output.path": to, "outputs.output.format": form}
    home = Given(folder)
    conf = confs.load(home, "bench", inputs=job.inputs, outputs=job.outputs, params=(), over=settings)
    run(spark, Request(job, conf, home), Record(f"bench-{uuid4().hex}", "bench"))


STOCK = """import sys
from pyspark.sql import SparkSession
kind, form, schema, source, to, jars = sys.argv[1:]
builder = SparkSession.builder.appName("bare")
if form == "delta":
    builder = (builder.config("spark.jars", jars).config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
               .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"))
spark = builder.getOrCreate()
spark.read.schema(schema).option("header", "true").format(kind).load(source).write.format(form).save(to)
spark.stop()
"""
JOB = """from sparkkit import DataFrame, Job
def build(rows: DataFrame) -> DataFrame:
    return rows
JOB = Job(build, contracts={edge!r})
"""


def project(folder: Path, kind: str) -> None:
    """A job that changes nothing, and a contract with the twenty rules: of the input where that is text, else of the output."""
    items = [{"type": "custom", "engine": "sparkkit", "name": name, "implementation": test} for name, test in PREDICATES.items()]
    columns = [{"name": name, "logicalType": logical(one), "physicalType": one} for name, one in TYPES.items()]
    for item in NAMED:
        own = next((c for c in columns if c["name"] == item.get("column")), None)
        (own.setdefault("quality", []) if own else items).append({k: v for k, v in item.items() if k != "column"})  # type: ignore[attr-defined]
    plain = [{k: v for k, v in column.items() if k != "quality"} for column in columns]
    edge, files = "rows" if kind == "csv" else "output", {"stock.py": STOCK}
    for way, table in (("rules", {"properties": columns, "quality": items}), ("without", {"properties": plain})):
        said = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": way, "version": "1.0.0", "status": "active",
                "schema": [{"name": "bench", **table}]}
        files |= {f"jobs/bench_{way}.py": JOB.format(edge={edge: way}), f"schemas/{way}.yaml": json.dumps(said)}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def logical(physical: str) -> str:
    """The standard's word for a type."""
    words = {"string": "string", "boolean": "boolean", "date": "date", "bigint": "integer", "timestamp_ntz": "timestamp"}
    return words.get(physical, "number")


def alone(folder: Path, kind: str, form: str, way: str, to: str) -> None:
    """One whole process, with all that it leaves behind: PySpark does not wait for its JVM, whose time we would not see."""
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    if way != "bare":
        words = ["-m", "sparkkit", "run", f"bench_{way}", f"--input={folder}/{kind}", f"--output={to}", f"--output-format={form}"]
    else:
        found = ",".join(map(str, sorted(jars.folder().glob("*delta*.jar"))))
        words = ["stock.py", kind, form, ", ".join(f"{n} {one}" for n, one in TYPES.items()), f"{folder}/{kind}", to, found]
    given = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run([sys.executable, *words], cwd=folder / f"project-{kind}", env=given, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    while orphans():
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.05)


def orphans() -> list[int]:
    """Processes that were left to us: our children but for the JVM of our own session."""
    own = session._booted[0].process.pid
    return [int(one) for one in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split() if int(one) != own]


def theirs(frame: DataFrame) -> None:
    from sparkkit.checks import expectations

    assert len(expectations.run(frame, CHECKS)) == 20


def ways(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> dict[str, Callable[[str], None]]:
    found: dict[str, Callable[[str], None]] = {}
    for pair in asked.pairs.split(","):
        kind, form = pair.split("-")
        warm: dict[str, Callable[[str], None]] = {
            "bare": partial(lambda kind, form, to: bare(read(spark, kind, folder), form, to), kind, form),
            "where": partial(lambda kind, form, to: filtered(read(spark, kind, folder), form, to), kind, form),
            "by hand": partial(lambda kind, form, to: by_hand(read(spark, kind, folder), form, to), kind, form),
            "rules": partial(ruled, spark, kind, form, folder=folder),
        }
        found |= {f"{pair} {way}": warm[way] for way in asked.ways.split(",") if way}
        if asked.road:
            found[f"{pair} road without"] = partial(whole, spark, PLAIN, kind, form, folder=folder)
            found[f"{pair} road rules"] = partial(whole, spark, CONTRACT, kind, form, folder=folder)
        if asked.alone:
            project(folder / f"project-{kind}", kind)
            found |= {f"{pair} alone {way}": partial(alone, folder, kind, form, way) for way in ("bare", "without", "rules")}
        if asked.gx and kind == "parquet":  # it reads its input many times, which says little of texts
            found[f"{pair} great expectations"] = partial(lambda kind, to: theirs(read(spark, kind, folder)), kind)
    return found


def main() -> None:
    """Makes the files, runs the rounds in turn, and writes the result; the first round warms up and is not counted."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--pairs", default="csv-delta,parquet-parquet")
    options.add_argument("--ways", default="bare,where,by hand,rules")
    options.add_argument("--road", action="store_true")
    options.add_argument("--alone", action="store_true")
    options.add_argument("--gx", action="store_true")
    options.add_argument("--to", default=str(Path(__file__).parents[1] / "results" / "quality.json"), help="where the result goes")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = session.start(app_name="bench", needs=["delta"] if "delta" in asked.pairs else [])
        made = spark.range(0, asked.rows, 1, 4).selectExpr(*MADE)
        made.write.option("header", "true").csv(f"{folder}/csv")
        made.write.parquet(f"{folder}/parquet")
        seconds: dict[str, list[float]] = {way: [] for way in ways(spark, folder, asked)}
        for turn in range(asked.rounds + 1):
            for way, go in ways(spark, folder, asked).items():
                to = f"{folder}/out"
                began = cpu()
                go(to)
                took = cpu() - began
                for path in folder.glob("*out*"):
                    shutil.rmtree(path)
                if turn:
                    seconds[way].append(round(took, 2))
        session.stop(spark)
    medians = {way: round(statistics.median(took), 2) for way, took in seconds.items()}
    ratios = {}
    for pair in asked.pairs.split(","):
        for way, base in BESIDE:
            if {f"{pair} {way}", f"{pair} {base}"} <= medians.keys():
                ratios[f"{pair} {way} / {base}"] = round(medians[f"{pair} {way}"] / medians[f"{pair} {base}"], 3)
    result = {"cpu_seconds": medians, "ratios": ratios, "all": seconds, "rows": asked.rows, "rounds": asked.rounds,
              "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    Path(asked.to).write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
