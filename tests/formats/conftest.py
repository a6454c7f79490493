"""A job down the road for the tests of formats: what was read, what came out, what went to the quarantine."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit import conf as confs
from sparkkit import run, sinks
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.schema.contract import Contract


@dataclass(frozen=True)
class Went:
    """One run: its record, its output as published, and the quarantine's rows (reason, rule, raw)."""

    record: Record
    frame: DataFrame
    path: Path
    bad: list[tuple[str, str, str | None]]

    @property
    def read(self) -> tuple[int, int, int]:
        """read, passed, quarantined."""
        data = self.record.inputs["data"]
        return data["read"], data["passed"], data["quarantined"]

    @property
    def findings(self) -> set[tuple[str, str]]:
        """Each finding's reason, and the name of its file."""
        return {(f["reason"], f["file"].rsplit("/", 1)[-1]) for f in self.record.inputs["data"]["findings"]}


Road = Callable[..., Went]


@pytest.fixture
def road(spark: SparkSession, tmp_path: Path) -> Road:
    """`road(path, kind, contract, to="parquet", build=…, **settings)`: the rows of a path down the road into
    `tmp_path/out`."""

    number = itertools.count(1)

    def call(
        path: Path | str | list[str],
        kind: str | None = None,
        contract: Contract | None = None,
        to: str = "parquet",
        build: Callable[[DataFrame], DataFrame] = lambda data: data,
        **over: Any,
    ) -> Went:
        job = Job(_named(build), name="job")
        paths = path if isinstance(path, list) else str(path)
        settings = {
            "inputs.data.path": paths,
            "outputs.output.path": str(tmp_path / "out"),
            "outputs.output.format": to,
        } | over
        if kind:
            settings["inputs.data.format"] = kind
        if contract:
            (tmp_path / "contract.json").write_text(contract.to_json())
            settings["inputs.data.contract"] = str(tmp_path / "contract.json")
        conf = confs.load(Project(tmp_path), "job", inputs=job.inputs, outputs=job.outputs, params=(), over=settings)
        run_id = f"run-{next(number)}"
        record = Record(run_id, "job")
        staged = run.run(spark, run.Request(job, conf, Project(tmp_path)), record)
        return Went(record, sinks.view(spark, staged["output"]), tmp_path / "out", _bad(spark, tmp_path, run_id))

    return call


def _named(build: Callable[[DataFrame], DataFrame]) -> Callable[..., DataFrame]:
    def named(data: DataFrame) -> DataFrame:
        return build(data)

    return named


def _bad(spark: SparkSession, folder: Path, run_id: str) -> list[tuple[str, str, str | None]]:
    path = folder / "out.quarantine"
    if not path.exists():
        return []
    rows = spark.read.parquet(str(path)).where(f"run_id = '{run_id}'").orderBy("reason", "rule", "raw")
    return [(row["reason"], row["rule"], row["raw"]) for row in rows.collect()]
