"""Twenty named rules (14 of rows, 6 aggregates) in the pass that writes, beside the same pass without them, in turn: CPU seconds.

    python benchmarks/quality/run.py [--rows 5000000] [--rounds 5] [--pairs csv-delta,parquet-parquet] [--road] [--gx] [--to FILE]

Each way reads the same files by Spark's own reader and writes the same rows by Spark's own writer; with rules, every row is judged and
the aggregates are observed on the way, and the rows that break a rule go to a partition of their own. `--road` adds whole runs of a
job, by a contract with the rules and by the same one without (conform, quarantine, staging, accounting and publishing are in both);
`--gx` adds Great Expectations, which only looks, at the Parquet files. Writes benchmarks/results/quality.json.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from sparkkit import DataFrame, F, Job, SparkSession, session, verdicts
from sparkkit import conf as confs
from sparkkit.accounting import watch
from sparkkit.checks import onepass
from sparkkit.checks.rules import of
from sparkkit.formats import writing
from sparkkit.intake import judge
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.run import Request, run
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.schema.landing import BAD
from sparkkit.schema.types import struct
from sparkkit.staging import SPLIT

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
    {"type": "sql", "query": "select max(day) from bench", "mustBeLessThan": "2025-01-01"},
    {"type": "sql", "query": "select min(id) from bench", "mustBe": 0})
NAMED = tuple({"name": f"aggregate_{i}", **item} for i, item in enumerate(AGGREGATES))
CONTRACT = Contract("bench", tuple(Column(n, kind) for n, kind in TYPES.items()), quality=NAMED,
                    rules=tuple(Rule(name, predicate) for name, predicate in PREDICATES.items()))
PLAIN = replace(CONTRACT, rules=(), quality=())
CHECKS = of(CONTRACT)


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


def ruled(spark: SparkSession, kind: str, form: str, to: str, folder: Path) -> None:
    """The same pass with every row judged and the rows that break a rule parted, and then the verdict, as the road does both: the good
    rows stay where they were staged."""
    place = Files.of(spark, f"bench-{uuid4().hex}")
    targets = {"output": place.target("output", OutputConf(path=to, format=form))}
    with place.lock(targets) as held:
        staged = sinks.stage(place, held["output"], judge(read(spark, kind, folder), CONTRACT), checked=True)
        found = verdicts.of_output("output", place, staged, CHECKS, {})
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


def theirs(frame: DataFrame) -> None:
    from sparkkit.checks import expectations

    assert len(expectations.run(frame, CHECKS)) == 20


def ways(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> dict[str, Callable[[str], None]]:
    found: dict[str, Callable[[str], None]] = {}
    for pair in asked.pairs.split(","):
        kind, form = pair.split("-")
        found |= {
            f"{pair} bare": partial(lambda kind, form, to: bare(read(spark, kind, folder), form, to), kind, form),
            f"{pair} rules": partial(ruled, spark, kind, form, folder=folder),
        }
        if asked.road:
            found[f"{pair} road without"] = partial(whole, spark, PLAIN, kind, form, folder=folder)
            found[f"{pair} road rules"] = partial(whole, spark, CONTRACT, kind, form, folder=folder)
        if asked.gx and kind == "parquet":  # it reads its input many times, which says little of texts
            found[f"{pair} great expectations"] = partial(lambda kind, to: theirs(read(spark, kind, folder)), kind)
    return found


def main() -> None:
    """Makes the files, runs the rounds in turn, and writes the result; the first round warms up and is not counted."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--pairs", default="csv-delta,parquet-parquet")
    options.add_argument("--road", action="store_true")
    options.add_argument("--gx", action="store_true")
    options.add_argument("--to", default=str(Path(__file__).parents[1] / "results" / "quality.json"), help="where the result goes")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = session.start(app_name="bench", needs_delta="delta" in asked.pairs)
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
                for path in (to, f"{to}.quarantine"):
                    shutil.rmtree(path, ignore_errors=True)
                if turn:
                    seconds[way].append(round(took, 2))
        session.stop(spark)
    medians = {way: round(statistics.median(took), 2) for way, took in seconds.items()}
    ratios = {}
    for pair in asked.pairs.split(","):
        for way, base in (("rules", "bare"), ("road rules", "road without"), ("road rules", "bare")):
            if f"{pair} {way}" in medians:
                ratios[f"{pair} {way} / {base}"] = round(medians[f"{pair} {way}"] / medians[f"{pair} {base}"], 3)
    result = {"cpu_seconds": medians, "ratios": ratios, "all": seconds, "rows": asked.rows, "rounds": asked.rounds,
              "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    Path(asked.to).write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
