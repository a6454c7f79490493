"""1 % of new rows, read incrementally, beside a run that reads all: seconds and CPU seconds, and whether both leave the same rows.

    python benchmarks/incremental/run.py [--rows 5000000]     writes benchmarks/results/incremental.json

Each way (by files, by a watermark, by a watermark with whole days replaced) has a session of its own: a run to warm up, one over all,
three with 1 % new each, one over all of it to compare with. Then each of both once more as a command of its own, start and all.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FILES, ROUNDS = 100, 3
HERE = Path(__file__).resolve()
JOB = '''
"""Sales out of lines of text."""
from sparkkit import DataFrame, F, Job, main


def build(lines: DataFrame) -> DataFrame:
    """Parsed, filtered, with derived columns."""
    parts = F.split("line", "[|]")
    parsed = lines.select(
        "id", "at", F.to_date("at").alias("day"), parts[0].alias("store"), F.upper(F.trim(parts[1])).alias("sku"),
        parts[2].cast("int").alias("pieces"), parts[3].cast("decimal(12,2)").alias("price"), F.to_timestamp(parts[4]).alias("sold"))
    kept = parsed.where((F.col("pieces") > 0) & F.col("sku").rlike("^SKU-[0-9]+$"))
    return kept.select(
        "*", (F.col("pieces") * F.col("price")).alias("total"), F.sha2(F.concat_ws("/", "store", "sku"), 256).alias("key"),
        F.regexp_extract("sku", "([0-9]+)$", 1).cast("int").alias("number"), F.date_format("sold", "yyyy-MM").alias("month"),
        F.datediff("day", F.to_date("sold")).alias("waited"), F.when(F.col("price") > 500, "high").otherwise("low").alias("band"))


JOB = Job(build, name="sales", settings={"inputs.lines.format": "parquet"})
if __name__ == "__main__":
    main(JOB)
'''
WAYS: dict[str, list[str]] = {
    "files": ["--mode=append", "--set=inputs.lines.incremental=files"],
    "column": ["--mode=append", "--set=inputs.lines.incremental=column", "--set=inputs.lines.watermark=at"],
    "days": ["--mode=overwrite_partitions", "--set=inputs.lines.incremental=column", "--set=inputs.lines.watermark=at",
             '--set=outputs.output.partition_by=["day"]'],
}
"""How each way is asked for."""


def write(folder: Path, number: int, rows: int) -> None:
    """One file: the lines of one day."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = np.random.default_rng(number)
    first = np.datetime64("2025-01-01") + number
    at = first + np.sort(made.integers(0, 86_400_000_000, rows)).astype("timedelta64[us]")
    pieces, price = made.integers(-1, 20, rows), made.integers(100, 100_000, rows)
    chance = random.Random(number)
    stores = [f"store {n}" for n in range(200)]
    times = [f"{first!s} 0{i % 10}:{i % 60:02}:00" for i in range(600)]
    lines = [f"{chance.choice(stores)}| sku-{i % 9973} |{pieces[i]}|{price[i] / 100:.2f}|{times[i % 600]}" for i in range(rows)]
    found = pa.table({"id": np.arange(rows) + number * rows, "at": pa.array(at, pa.timestamp("us", "UTC")), "line": lines})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(found, folder / f"part-{number:05}.parquet")


def argv(folder: Path, source: str, way: str, out: str) -> list[str]:
    """The options of a run."""
    return [f"--input={folder / source}", f"--output={folder / out}", f"--record={folder / 'record.json'}", f"--ledger={folder / 'ledger'}",
            *WAYS[way]]


def cpu(pid: int) -> float:
    """The CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def inside(folder: Path, way: str, rows: int) -> dict[str, Any]:
    """Runs in one session: seconds and CPU seconds of each, without the session's start."""
    from sparkkit import session
    from sparkkit.command import command
    from sparkkit.submission.local import load_job

    spark = session.start(app_name="bench")
    java = int(str(spark._jvm.java.lang.ProcessHandle.current().pid()))  # type: ignore[union-attr]
    job = load_job(str(folder / "sales.py"))

    def go(source: str, out: str) -> tuple[float, float]:
        began, before = time.monotonic(), cpu(java) + time.process_time()
        assert command(job, argv(folder, source, way, out), spark=spark) == 0
        return time.monotonic() - began, cpu(java) + time.process_time() - before

    for name in ("in", "warm", "out", "all"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for found in folder.glob(".*.sparkkit"):
        shutil.rmtree(found)
    shutil.copytree(folder / "base", folder / "in", copy_function=os.link)
    write(folder / "warm", 0, rows // FILES)
    go("warm", "warmed")
    full = [go("in", "out")]
    parts = []
    for n in range(ROUNDS):
        shutil.copy(folder / "more" / f"part-{FILES + n:05}.parquet", folder / "in")
        parts.append(go("in", "out"))
    full.append(go("in", "all"))
    session.stop(spark)
    shutil.rmtree(folder / "warmed")
    seconds, used = (min(turn[i] for turn in full) for i in (0, 1))
    part, part_used = (statistics.median(turn[i] for turn in parts) for i in (0, 1))
    return {"full": round(seconds, 2), "full_cpu": round(used, 2), "new": round(part, 2), "new_cpu": round(part_used, 2),
            "ratio": round(part / seconds, 3), "ratio_cpu": round(part_used / used, 3), "same": same(folder / "out", folder / "all")}


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same rows, as often, by DuckDB."""
    import duckdb

    read = "SELECT * EXCLUDE (day) FROM read_parquet('{}/**/*.parquet', hive_partitioning = true)"
    a, b = read.format(one), read.format(other)
    count, unlike = (f"SELECT count(*) FROM ({q})" for q in (a, f"({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a})"))
    with duckdb.connect() as found:
        rows, wrong = (found.execute(q).fetchone() for q in (count, unlike))
    return bool(rows and rows[0]) and wrong == (0,)


def outside(folder: Path, way: str) -> dict[str, Any]:
    """Both as commands of their own: seconds in all, and those after the session's start, by the record."""
    shutil.rmtree(folder / "cold", ignore_errors=True)
    shutil.rmtree(folder / ".cold.sparkkit", ignore_errors=True)
    last = folder / "in" / f"part-{FILES + ROUNDS - 1:05}.parquet"
    last.unlink()
    found: dict[str, Any] = {}
    for what in ("full", "new"):
        began = time.monotonic()
        subprocess.run([sys.executable, str(folder / "sales.py"), *argv(folder, "in", way, "cold")], check=True, capture_output=True)
        found[f"{what}_command"] = round(time.monotonic() - began, 2)
        seconds = json.loads((folder / "record.json").read_text())["seconds"]
        found[f"{what}_after_start"] = round(seconds["total"] - seconds["start"], 2)
        shutil.copy(folder / "more" / last.name, folder / "in")
    return found


def main() -> None:
    """Every way, and the result's file."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--ways", nargs="*", default=[*WAYS])
    options.add_argument("--folder", help="where the rows go, and stay (default: a folder that goes)")
    options.add_argument("--dry", action="store_true", help="make the rows, and stop")
    args = options.parse_args()
    os.environ["PYTHONPATH"] = str(HERE.parents[2])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.folder or temporary).absolute()
        folder.mkdir(exist_ok=True)
        (folder / "sales.py").write_text(JOB)
        if not (folder / "more").exists():
            for number in range(FILES + ROUNDS):
                write(folder / ("base" if number < FILES else "more"), number, args.rows // FILES)
        if args.dry:
            return
        for way in args.ways:
            keep(args.rows, way, inside(folder, way, args.rows))
            keep(args.rows, way, outside(folder, way))


def keep(rows: int, way: str, figures: dict[str, Any]) -> None:
    """Puts a way's figures into the result's file, beside those of the same number of rows."""
    file = HERE.parents[1] / "results" / "incremental.json"
    about = {"rows": rows, "in_files": FILES, "machine": platform.machine(), "cores": len(os.sched_getaffinity(0))}
    before = json.loads(file.read_text()) if file.exists() else {}
    result = before if before.items() >= about.items() else about
    result[way] = {**result.get(way, {}), **figures}
    file.write_text(json.dumps(result) + "\n")
    print(way, json.dumps(result[way]), flush=True)


if __name__ == "__main__":
    main()
