"""Reading CSV: our strict lexer and conform beside Spark's own permissive read of the same file, in turn, in one session.

    python benchmarks/csv/run.py [--rows 1000000] [--rounds 3]     writes benchmarks/results/csv.json
"""
from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sparkkit import DataFrame, SparkSession, session
from sparkkit.conf import InputConf
from sparkkit.intake import take
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.types import struct
from sparkkit.sources import read

TYPES = {"id": "bigint", "name": "string", "city": "string", "amount": "decimal(12,2)", "day": "date", "at": "timestamp_ntz",
         "score": "double", "active": "boolean", "note": "string"}
CONTRACT = Contract("bench", tuple(Column(name, kind, required=name == "id") for name, kind in TYPES.items()))


def write(path: Path, rows: int) -> None:
    """A CSV file of made-up rows, one in ten with a quoted field."""
    made = random.Random(7)
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(TYPES) + "\n")
        for i in range(rows):
            note = f'"Nr. {i}, see ""terms"""' if i % 10 == 0 else f"note {i}"
            file.write(f"{i},name{i % 977},Zürich,{made.randrange(10**8) / 100:.2f},2024-{i % 12 + 1:02}-{i % 28 + 1:02},"
                       f"2024-03-{i % 28 + 1:02}T{i % 24:02}:{i % 60:02}:00,{made.random():.6f},{'true' if i % 2 else 'false'},{note}\n")


def seconds(make: Callable[[], DataFrame]) -> float:
    """The seconds of one full read."""
    began = time.monotonic()
    make().write.format("noop").mode("overwrite").save()
    return time.monotonic() - began


def main() -> None:
    """Runs the rounds and writes the result."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, args.rows)
        spark: SparkSession = session.start(app_name="bench")
        plain = spark.read.schema(struct(CONTRACT)).option("header", "true").option("mode", "PERMISSIVE")
        ways = {"theirs": lambda: plain.csv(str(path)),
                "ours": lambda: take(read(spark, "rows", InputConf((str(path),), format="csv"), CONTRACT)).passed}
        found: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(args.rounds + 1):
            for name, make in ways.items():
                took = seconds(make)
                if turn:
                    found[name].append(took)
        session.stop(spark)
    medians = {name: round(statistics.median(took), 2) for name, took in found.items()}
    result = {**medians, "ratio": round(medians["ours"] / medians["theirs"], 2), "rows": args.rows, "rounds": args.rounds,
              "machine": platform.machine()}
    (Path(__file__).parents[1] / "results" / "csv.json").write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
