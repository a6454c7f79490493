"""A job that reads people by a contract, and its runs: what tests of rejected rows have in common."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit import conf as confs
from sparkkit import run
from sparkkit.command import command
from sparkkit.conf import Conf
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.quarantine import LAYOUT
from sparkkit.repair.replay import Wish, replay
from sparkkit.schema.contract import Column, Contract

PEOPLE = Contract("people", (Column("id", "int", required=True), Column("name", "string"), Column("age", "int")))


def same(people: DataFrame) -> DataFrame:
    return people


@dataclass
class World:
    """A project in a folder: `people` is the input's contract, `over` are settings of every run."""

    spark: SparkSession
    root: Path
    people: Contract = PEOPLE
    build: Callable[..., Any] = same
    over: dict[str, Any] = field(default_factory=dict)
    number: Any = field(default_factory=lambda: itertools.count(1))

    def put(self, name: str, text: str) -> Path:
        """A file of the input's folder."""
        (self.root / "in").mkdir(exist_ok=True)
        (self.root / "in" / name).write_text(text, encoding="utf-8")
        return self.root / "in" / name

    @property
    def job(self) -> Job:
        return Job(self.build, name="job")

    @property
    def conf(self) -> Conf:
        (self.root / "people.json").write_text(self.people.to_json())
        settings = {"inputs.people.path": [str(self.root / "in")], "inputs.people.contract": str(self.root / "people.json"),
                    "outputs.output.path": str(self.root / "out"), "outputs.output.mode": "append"} | self.over
        return confs.load(Project(self.root), "job", inputs=self.job.inputs, outputs=self.job.outputs, params=(), over=settings)

    def request(self, date: str | None = None, again: bool = False) -> run.Request:
        return run.Request(self.job, self.conf, Project(self.root), date=date, again=again)

    def record(self) -> Record:
        return Record(f"job-{next(self.number)}", "job", code_version="c1")

    def go(self, date: str | None = None) -> Record:
        """One run."""
        record = self.record()
        record.status = "done" if run.run(self.spark, self.request(date), record) else "already_done"
        return record

    def replay(self, date: str | None = None, **wish: Any) -> Record:
        """Feeds rows back."""
        record = self.record()
        record.status = "done" if replay(self.spark, self.request(date), record, Wish(date, **wish)) else "already_done"
        return record

    def rows(self, name: str = "out", columns: str = "id") -> list[Any]:
        """What is in the output, or beside it."""
        return self._sorted(self.spark.read.parquet(str(self.root / name)), columns)

    def bad(self, columns: str = "raw") -> list[Any]:
        """The quarantine."""
        return self._sorted(self.spark.read.schema(LAYOUT).parquet(str(self.root / "out.quarantine")), columns)

    def _sorted(self, frame: DataFrame, columns: str) -> list[Any]:
        found = frame.selectExpr(*columns.split(", ")).collect()
        return sorted((row[0] if len(row) == 1 else tuple(row) for row in found), key=str)

    def verb(self, verb: Callable[..., int], *words: str) -> int:
        """Calls a verb of the command line with this job, its settings and the tests' session."""
        (self.root / "people.json").write_text(self.people.to_json())
        return verb(["job", *self.settings(), *words], self.spark, self.job)

    def command(self, *words: str) -> int:
        """A run from the command line, with its record and its ledger in the folder."""
        with redirect_stdout(StringIO()):
            return command(self.job, [*self.settings(), f"--record={self.root / 'record.json'}", *words], spark=self.spark)

    def settings(self) -> list[str]:
        """The settings as options."""
        found = {"inputs.people.path": str(self.root / "in"), "inputs.people.contract": str(self.root / "people.json"),
                 "outputs.output.path": str(self.root / "out"), "outputs.output.mode": "append"} | self.over
        return [f"--set={key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in found.items()]

    def pii(self, *names: str) -> None:
        """Marks columns of the contract as personal."""
        self.people = replace(self.people, columns=tuple(replace(c, pii=c.name in names) for c in self.people.columns))


@pytest.fixture
def world(spark: SparkSession, tmp_path: Path) -> World:
    return World(spark, tmp_path)

