"""For people who write jobs: pytest fixtures for a session, frames, and a job's whole run in a temporary folder.

Load it as a plugin, in `setup.cfg`: `addopts = -p sparkkit.testing`, or in the topmost conftest.py:
`pytest_plugins = ["sparkkit.testing"]`. A test then takes what it needs by name:

    def test_adults_only(spark, run_job):
        done = run_job("adults", {"people": frame(spark, [("Ada", 36), ("Bo", 7)], "name string, age int")})
        assert [row.name for row in done.output.collect()] == ["Ada"]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkkit.job import Job
    from sparkkit.schema.contract import Contract

RunJob = Callable[..., "Outcome"]
"""What the fixture `run_job` gives: `run_job(job, inputs, options) -> Outcome`."""


@dataclass(frozen=True)
class Outcome:
    """What a run left: its exit code, its record, and its frames as they were published."""

    exit_code: int
    record: Mapping[str, Any]
    spark: SparkSession

    @property
    def message(self) -> str:
        """What a failed run says; empty after a good one."""
        return str(self.record["message"] or "")

    @cached_property
    def outputs(self) -> Mapping[str, DataFrame]:
        """Each published output by its name; none after a run that failed. An alarm is no failure: its rows are published."""
        if self.exit_code and self.record["reason"] != "alarm":
            return {}
        return {name: self._read(edge) for name, edge in self.record["outputs"].items()}

    @property
    def output(self) -> DataFrame:
        """The only output."""
        (found,) = self.outputs.values()
        return found

    @property
    def quarantine(self) -> DataFrame | None:
        """The rejected rows (`input`, `source_file`, `raw`, `reason`, `rule`, `date`); None where there are none."""
        path = self.record["quarantine"]
        if not path:
            return None
        from sparkkit.compat import is_connect

        kind = next(iter(self.record["outputs"].values()))["format"] if is_connect(self.spark) else "parquet"
        return self._read({"format": kind, "path": path})

    def _read(self, edge: Mapping[str, Any]) -> DataFrame:
        from sparkkit import formats

        return formats.view(self.spark, edge["format"], edge["path"], {})


def frame(spark: SparkSession, rows: Iterable[Any], schema: Contract | str) -> DataFrame:
    """A frame of rows, with the columns of a contract or of Spark's DDL.

    >>> frame(spark, [("Ada", 36)], "name string, age int").collect()
    [Row(name='Ada', age=36)]
    """
    if isinstance(schema, str):
        return spark.createDataFrame(list(rows), schema)
    from sparkkit.schema.types import struct

    return spark.createDataFrame(list(rows), struct(schema))


def made_up(spark: SparkSession, contract: Contract, n: int = 20, seed: int = 0) -> DataFrame:
    """A frame of `n` made-up rows that keep a contract: nulls where they may be, bounds, odd texts, unique keys.

    >>> from sparkkit.schema.contract import Column, Contract
    >>> made_up(spark, Contract("t", (Column("id", "int", key=1),)), 3).count()
    3
    """
    from sparkkit.schema.testdata import rows

    return frame(spark, rows(contract, n, seed), contract)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's settings."""
    parser.addini("sparkkit_needs", "what the session of the tests needs, such as delta and s3", type="args", default=[])
    parser.addini("sparkkit_settings", "more settings of Spark for the session of the tests, a line each", type="linelist", default=[])


def _settings(lines: Iterable[str]) -> dict[str, str]:
    from sparkkit.errors import UsageError

    pairs = [[part.strip() for part in line.partition("=")] for line in lines]
    for key, equals, _ in pairs:
        if not (equals and key.startswith("spark.")):
            raise UsageError(f"sparkkit_settings: {key!r} is no setting of Spark", reason="wrong_conf", hint="a line each: spark.key=value")
    return {key: value for key, _, value in pairs}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[SparkSession]:
    """One session for all tests, started quickly: the C1 compiler, few shuffle partitions, correct settings; with Delta
    and S3 where `sparkkit_needs = delta s3` stands in pytest's settings, and what `sparkkit_settings` says there.

    C1 compiles soon, and badly: a suite of many minutes is faster with `spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=4`.

    Raises:
        UsageError: a line of `sparkkit_settings` is no setting, or one that loses data in silence.
    """
    from sparkkit import session

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    own = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))} | _settings(pytestconfig.getini("sparkkit_settings"))
    found = session.start(own, app_name="tests", profile="test", needs=pytestconfig.getini("sparkkit_needs"))
    yield found
    session.stop(found)


@pytest.fixture
def run_job(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> RunJob:
    """Runs a job down the whole road in a temporary folder, as the command line would; gives an `Outcome`.

    The function takes a `Job` or its name in `jobs/`, the inputs by name (a path, or a frame, which is written as
    Parquet), and command-line options. Without inputs those of the job's conf are read. Nothing is written outside of
    the folder.
    """
    root = request.config.rootpath

    def call(job: Job | str, inputs: Mapping[str, Any] | None = None, options: Sequence[str] = ()) -> Outcome:
        from sparkkit.command import command
        from sparkkit.submission.local import load_job

        found = load_job(_place(root, job)) if isinstance(job, str) else job
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        paths = {name: _stored(folder / "inputs" / name, given) for name, given in (inputs or {}).items()}
        record = folder / "record.json"
        argv = [f"--input={name}={path}" for name, path in paths.items()]
        argv += [f"--set=inputs.{name}.format=parquet" for name, given in (inputs or {}).items() if _is_frame(given)]
        argv += [f"--output={folder / 'output'}", f"--record={record}", f"--ledger={folder / 'ledger'}", *options]
        code = command(found, argv, spark=spark)
        return Outcome(code, json.loads(record.read_text(encoding="utf-8")), spark)

    return call


def _place(root: Path, job: str) -> str:
    """A job's file where it is one of the project's, so that tests run from any folder."""
    file = root / job if job.endswith(".py") else root / "jobs" / f"{job}.py"
    return str(file) if file.is_file() else job


def _is_frame(given: Any) -> bool:
    return hasattr(given, "sparkSession")


def _stored(path: Path, given: Any) -> str:
    if _is_frame(given):
        given.write.parquet(str(path))
        return str(path)
    return str(given)
