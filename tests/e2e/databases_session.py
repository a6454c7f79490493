"""Databases down the road, in a session of its own with their drivers; prints one JSON object of what was found."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from sparkkit import conf as confs
from sparkkit import failures, run, session
from sparkkit.conf import OutputConf
from sparkkit.formats.jdbc_connection import Database
from sparkkit.formats.jdbc_dialects import address
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project

FOLDER, KIND = Path(sys.argv[1]), sys.argv[2]
NUMBER = itertools.count(1)
URL = os.environ["SPARKKIT_POSTGRES"] if KIND == "postgresql" else f"jdbc:sqlite:{FOLDER}/base.db"
USER = {"user": os.environ.get("SPARKKIT_POSTGRES_USER", ""), "password": os.environ.get("SPARKKIT_POSTGRES_PASSWORD", "")}
TOLD = {"user": "${env:SPARKKIT_POSTGRES_USER}", "password": "${env:SPARKKIT_POSTGRES_PASSWORD}"}
LOGIN, REFERENCES = (USER, TOLD) if KIND == "postgresql" else ({}, {})


class World:
    """The session, the database, and one run at a time."""

    def __init__(self) -> None:
        self.spark = session.start({"spark.sql.warehouse.dir": str(FOLDER / "warehouse")}, app_name="databases", profile="test",
                                   needs=[KIND])
        if KIND == "sqlite":
            sqlite3.connect(FOLDER / "base.db").close()
        self.base = Database(self.spark, address(URL), LOGIN)

    def sql(self, *statements: str) -> None:
        for text in statements:
            self.base.run(text)

    def rows(self, sql: str) -> list[Any]:
        return [list(row) for row in self.base.query(sql)]

    def go(self, source: dict[str, Any], target: dict[str, Any], build: Callable[[DataFrame], DataFrame] = lambda data: data, *,
           date: str | None = None, run_id: str | None = None, full: bool = False) -> dict[str, Any]:
        """One run; its figures, or the reason and exit code of its failure."""
        def job(data: DataFrame) -> DataFrame:
            return build(data)

        over = {f"inputs.data.{k}": v for k, v in source.items()} | {f"outputs.output.{k}": v for k, v in target.items()}
        project = Project(FOLDER)
        n = next(NUMBER)
        record = Record(run_id or f"run-{n}", "job")
        try:
            conf = confs.load(project, "job", inputs=("data",), outputs=("output",), params=(), base=over, follow=True)
            request = run.Request(Job(job, name="job"), conf, project, date=date or f"2026-01-{n:02}", full=full)
            run.run(self.spark, request, record)
        except Exception as error:
            found = failures.explain(error)
            return {"reason": found.reason, "code": found.exit_code, "message": str(found)}
        one = record.outputs["output"]
        keys = ("inserted", "updated", "unchanged", "removed")
        status = "ok" if record.status == "failed" else record.status  # until the command says how it ended
        return {"status": status, "read": record.inputs["data"]["read"], "counted_by": record.inputs["data"].get("counted_by"),
                "written": one["written"], "did": [one.get(k) for k in keys]}

    def table(self, name: str, **more: Any) -> dict[str, Any]:
        """An input or output of a table."""
        options = more.pop("options", {})
        return {"path": URL, "format": "jdbc", **{f"options.{k}": v for k, v in {"table": name, **REFERENCES, **options}.items()}, **more}

    def conf(self, name: str, mode: str) -> OutputConf:
        """An output's settings as a run has them."""
        return OutputConf(path=URL, format="jdbc", mode=mode, options={"table": name, **LOGIN})

    def files(self, name: str, sql: str = "", *, mode: str = "overwrite") -> dict[str, Any]:
        """A folder of Parquet, filled by SQL where that is given."""
        path = str(FOLDER / name)
        if sql:
            self.spark.sql(sql).write.mode("overwrite").parquet(path)
            return {"path": path, "format": "parquet"}
        return {"path": path, "format": "parquet", "mode": mode}

    def held(self, name: str) -> list[Any]:
        """The rows of a folder of Parquet."""
        return sorted([list(row) for row in self.spark.read.parquet(str(FOLDER / name)).collect()], key=str)


def main() -> None:
    """Every scenario that is asked for, or all of this database's."""
    from tests.e2e import databases_scenarios

    world = World()
    found: dict[str, Any] = {}
    try:
        for scenario in databases_scenarios.of(KIND, sys.argv[3:]):
            try:
                found[scenario.__name__] = scenario(world)
            except Exception as error:
                found[scenario.__name__] = f"{type(error).__name__}: {error}"[:1500]
    finally:
        session.stop(world.spark)
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
