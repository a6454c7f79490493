"""Twenty named rules (14 of rows, 6 aggregates) in the pass that writes, beside the same pass without them, in turn: CPU seconds.

    python benchmarks/quality/run.py [--rows 5000000] [--rounds 5] [--pairs csv-delta,parquet-parquet] [--road] [--gx]

Each way reads the same files by Spark's own reader and writes the same rows by Spark's own writer; with rules, every row is judged and
the aggregates are observed on the way, and the rows that break a rule are left out. `--road` adds whole runs of a job, by a contract
with the rules and by the same one without (conform, quarantine, staging and accounting are in both), from Parquet to Parquet; `--gx`
adds Great Expectations on the Parquet files. Writes benchmarks/results/quality.json.
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
from pathlib import Path
from typing import Any

from sparkkit import DataFrame, Job, SparkSession, session, verdicts
from sparkkit import conf as confs
from sparkkit.accounting import watch
from sparkkit.checks import onepass
from sparkkit.checks.rules import of
from sparkkit.intake import judge
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.run import Request, run
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.schema.landing import BAD
from sparkkit.schema.types import struct

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
CHECKS = of(CONTRACT)


def cpu(spark: SparkSession) -> float:
    """CPU seconds so far of this process and of its JVM, where the work is done."""
    jvm = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())  # type: ignore[union-attr]
    fields = Path(f"/proc/{jvm}/stat").read_text().rpartition(")")[2].split()
    return sum(os.times()[:2]) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read(spark: SparkSession, kind: str, folder: Path) -> DataFrame:
    found = spark.read.schema(struct(CONTRACT))
    return found.option("header", "true").csv(f"{folder}/csv") if kind == "csv" else found.parquet(f"{folder}/parquet")


def bare(frame: DataFrame, form: str, to: str) -> None:
    frame.write.format(form).save(to)


def ruled(frame: DataFrame, form: str, to: str) -> None:
    """The same write, with every row judged and the aggregates observed; the verdict must be good."""
    judged = judge(frame, CONTRACT, CHECKS)
    asked = onepass.asked(CHECKS, onepass.scope(CHECKS, f"{BAD}.reason"))
    seen, observation = watch(judged, **{short: _expr(sql) for sql, short in onepass.names(asked).items()})
    seen.where(f"{BAD} is null").select(*CONTRACT.names).write.format(form).save(to)
    figures = observation.figures()
    assert figures is not None and observation.once()
    found = verdicts.results(frame, CHECKS, onepass.answers(asked, figures), {}, [c.name for c in CHECKS if c.inline])
    assert len(found) == 20
    assert [one["expectation_config"]["meta"]["name"] for one in found if not one["success"]] == ["amount_high"]


def _expr(sql: str) -> Any:
    from sparkkit import F

    return F.expr(sql)


def whole(spark: SparkSession, contract: Contract, folder: Path, to: str) -> None:
    """A whole run of a job that changes nothing, from Parquet to Parquet."""
    class Given(Project):
        def contract(self, name: str) -> Contract:
            return contract

    job = Job(lambda rows: rows, name="bench", contracts={"output": "bench"})
    settings = {"inputs.rows.path": f"{folder}/parquet", "outputs.output.path": to}
    home = Given(folder)
    conf = confs.load(home, "bench", inputs=job.inputs, outputs=job.outputs, params=(), over=settings)
    run(spark, Request(job, conf, home), Record("bench-1", "bench"))


def theirs(frame: DataFrame) -> None:
    from sparkkit.checks import expectations

    assert len(expectations.run(frame, CHECKS)) == 20


def ways(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> dict[str, Callable[[str], None]]:
    found: dict[str, Callable[[str], None]] = {}
    for pair in asked.pairs.split(",") if asked.pairs else ():
        kind, form = pair.split("-")
        found[f"{pair} bare"] = lambda to, kind=kind, form=form: bare(read(spark, kind, folder), form, to)  # type: ignore[misc]
        found[f"{pair} rules"] = lambda to, kind=kind, form=form: ruled(read(spark, kind, folder), form, to)  # type: ignore[misc]
    if asked.road:
        found["road without"] = lambda to: whole(spark, replace(CONTRACT, rules=(), quality=()), folder, to)
        found["road rules"] = lambda to: whole(spark, CONTRACT, folder, to)
    if asked.gx:
        found["great expectations"] = lambda to: theirs(read(spark, "parquet", folder))
    return found


def main() -> None:
    """Makes the files, runs the rounds in turn, and writes the result; the first round warms up and is not counted."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--pairs", default="csv-delta,parquet-parquet")
    options.add_argument("--road", action="store_true")
    options.add_argument("--gx", action="store_true")
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
                began = cpu(spark)
                go(to)
                took = cpu(spark) - began
                for path in (to, f"{to}.quarantine"):
                    shutil.rmtree(path, ignore_errors=True)
                if turn:
                    seconds[way].append(round(took, 2))
        session.stop(spark)
    medians = {way: round(statistics.median(took), 2) for way, took in seconds.items()}
    ratios = {way.removesuffix(" rules"): round(medians[way] / base, 3) for way in medians
              for other, base in medians.items() if way.endswith(" rules") and other == f"{way.removesuffix(' rules')} bare"}
    ratios |= {"road": round(medians["road rules"] / medians["road without"], 3)} if asked.road else {}
    result = {"cpu_seconds": medians, "ratios": ratios, "all": seconds, "rows": asked.rows, "rounds": asked.rounds,
              "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    (Path(__file__).parents[1] / "results" / "quality.json").write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
