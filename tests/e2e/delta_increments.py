"""Delta tables as incremental inputs, by version and by change feed, and a watermark merged into one: what each run reads and leaves."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkkit import conf as confs
from sparkkit import run
from sparkkit.errors import SparkkitError
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project

NUMBER: Iterator[int] = itertools.count(1)


class Flow:
    """A job from the table `NAME.in` to the table `NAME`."""

    def __init__(self, spark: SparkSession, folder: Path, name: str, **over: Any) -> None:
        self.spark, self.folder, self.source, self.out = spark, folder, f"{folder}/{name}.in", f"{folder}/{name}"
        self.name, self.over = name, over

    def add(self, *rows: tuple[int, str], at: str = "2026-01-01 10:00:00") -> None:
        """Appends rows to the input."""
        values = ", ".join(f"({k}, '{v}', TIMESTAMP_NTZ '{at}')" for k, v in rows)
        frame = self.spark.sql(f"SELECT col1 k, col2 v, col3 at FROM VALUES {values}").coalesce(1)
        frame.write.format("delta").mode("append").save(self.source)

    def sql(self, statement: str) -> None:
        """One statement on the input, `{t}`."""
        self.spark.sql(statement.format(t=f"delta.`{self.source}`"))

    def go(self, date: str | None = None, *, again: bool = False, full: bool = False, **over: Any) -> list[Any]:
        """What a run does: its status and the rows that it read, or the reason of its refusal."""
        job = Job(_same, name=self.name)
        settings = {"inputs.data.path": [self.source], "inputs.data.format": "delta", "outputs.output.path": self.out,
                    "outputs.output.format": "delta"} | self.over | over
        conf = confs.load(Project(self.folder), "job", inputs=job.inputs, outputs=job.outputs, params=(), over=settings)
        record = Record(f"{self.name}-{next(NUMBER)}", self.name, code_version="c1", date=date)
        try:
            done = run.run(self.spark, run.Request(job, conf, Project(self.folder), date=date, again=again, full=full), record)
        except SparkkitError as error:
            return [error.exit_code, error.reason]
        seen = record.inputs["data"]
        return ["done" if done else record.status, seen["read"], *([seen["late"]] if seen["late"] else [])]

    def held(self) -> list[str]:
        """What the output holds."""
        return sorted(f"{r.k}{r.v}" for r in self.spark.read.format("delta").load(self.out).select("k", "v").collect())


def _same(data: DataFrame) -> DataFrame:
    return data


def versions(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Rows that were added, by version."""
    flow = Flow(spark, folder, "versions", **{"inputs.data.incremental": "version", "outputs.output.mode": "append"})
    flow.add((1, "a"), (2, "a"))
    runs = [flow.go()]
    flow.add((3, "a"))
    flow.sql("OPTIMIZE {t}")
    runs += [flow.go(), flow.go()]
    flow.add((4, "a"))
    runs += [flow.go("2026-01-01")]
    flow.add((5, "a"))
    runs += [flow.go("2026-01-01"), flow.go("2026-01-01")]
    held = flow.held()
    flow.sql("DELETE FROM {t} WHERE k = 1")
    refused = [flow.go(), flow.go(**{"inputs.data.incremental": "changes"})]
    whole = [flow.go(full=True, **{"outputs.output.mode": "overwrite"}), flow.held()]
    shutil.rmtree(flow.source)
    flow.add((1, "z"))
    return {"runs": runs, "held": held, "refused": [*refused, flow.go()], "whole": whole}


def feeds(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """What happened to rows, by the change data feed, into a table of the newest of each key."""
    flow = Flow(spark, folder, "feeds", **{
        "inputs.data.incremental": "changes", "outputs.output.mode": "cdc", "outputs.output.keys": ["k"],
        "outputs.output.sequence_by": "_commit_version", "outputs.output.apply_as_deletes": "_change_type = 'delete'",
        "outputs.output.leave_out": ["_change_type", "_commit_timestamp"],
    })
    flow.add((1, "a"), (2, "a"), (3, "a"))
    runs = [flow.go()]
    flow.sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    runs += [flow.go()]
    flow.sql("UPDATE {t} SET v = 'b' WHERE k = 1")
    flow.sql("DELETE FROM {t} WHERE k = 2")
    flow.add((4, "a"))
    runs += [flow.go("2026-01-01"), flow.go("2026-01-01"), flow.go("2026-01-01", again=True)]
    return {"runs": runs, "held": flow.held()}


def marks(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """A watermark, with ties and late rows, merged by key."""
    flow = Flow(spark, folder, "marks", **{
        "inputs.data.incremental": "column", "inputs.data.watermark": "at", "inputs.data.lateness": "1 day",
        "outputs.output.mode": "merge", "outputs.output.keys": ["k"],
    })
    flow.add((1, "a"), (2, "a"), at="2026-01-03 10:00:00")
    runs = [flow.go()]
    flow.add((3, "late"), at="2026-01-02 09:00:00")
    flow.add((4, "tie"), at="2026-01-03 10:00:00")
    flow.add((5, "new"), at="2026-01-04 10:00:00")
    runs += [flow.go(), flow.go()]
    return {"runs": runs, "held": flow.held()}


CASES: dict[str, Callable[[SparkSession, Path], Any]] = {"versions": versions, "feeds": feeds, "marks": marks}


def increments(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Every case."""
    return {name: case(spark, folder) for name, case in CASES.items()}
