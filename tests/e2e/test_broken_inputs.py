"""Broken inputs of our own: for each the exit code and the reason, and the account holds or the run is refused."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkkit import conf as confs
from sparkkit import failures, run
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from tests.e2e.broken import CASES, CONTRACT, Case, write

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_broken_input_is_accounted_for_or_refused(case: Case, spark: SparkSession, tmp_path: Path) -> None:
    source = write(case, tmp_path / "in", spark)
    (tmp_path / "broken.yaml").write_text(CONTRACT)
    job = Job(lambda data: data, name="broken", contracts={"data": str(tmp_path / "broken.yaml")})
    over = {"inputs.data.path": str(source), "outputs.output.path": str(tmp_path / "out")}
    over |= {f"inputs.data.options.{key}": value for key, value in case.options.items()}
    conf = confs.load(Project(tmp_path), "broken", inputs=("data",), outputs=("output",), params=(), over=over)
    record = Record("run-1", "broken")
    try:
        run.run(spark, run.Request(job, conf, Project(tmp_path)), record)
    except Exception as error:
        found = failures.explain(error)
        assert (found.exit_code, found.reason) == (case.exit_code, case.reason), str(found)
        assert not re.search(r"Traceback|\tat |java\.lang|Py4J", str(found)), str(found)
        assert sorted(p.name for p in tmp_path.iterdir() if p.name[0] != ".") == ["broken.yaml", "in"], "something was published"
        return
    account = record.inputs["data"]
    assert (case.exit_code, account["passed"], account["quarantined_by"]) == (0, case.passed, dict(case.quarantined))
    assert account["read"] == account["passed"] + account["quarantined"]
