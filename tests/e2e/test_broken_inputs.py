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
TOGETHER = [case for case in CASES if set(case.files) == {"a.csv"} and not (case.exit_code or case.options)]
"""Cases of one CSV file each, which are files of one folder as well: one run shows them all."""


def ran(spark: SparkSession, folder: Path, source: Path, case: Case | None = None) -> Record:
    """A run of a job that copies its input."""
    (folder / "broken.yaml").write_text(CONTRACT)
    job = Job(lambda data: data, name="broken", contracts={"data": str(folder / "broken.yaml")})
    over = {"inputs.data.path": str(source), "outputs.output.path": str(folder / "out")}
    over |= {f"inputs.data.options.{key}": value for key, value in (case.options if case else {}).items()}
    conf = confs.load(Project(folder), "broken", inputs=("data",), outputs=("output",), params=(), over=over)
    record = Record("run-1", "broken")
    run.run(spark, run.Request(job, conf, Project(folder)), record)
    return record


def test_each_file_of_a_folder_of_broken_ones_is_accounted_for(spark: SparkSession, tmp_path: Path) -> None:
    names = {case.name.replace(" ", "_"): case for case in TOGETHER}
    for name, case in names.items():
        write(case, tmp_path / "made" / name, spark)
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "made" / name / "a.csv").rename(tmp_path / "in" / f"{name}.csv")
    account = ran(spark, tmp_path, tmp_path / "in").inputs["data"]
    assert account["passed"] == sum(case.passed or 0 for case in TOGETHER)
    assert account["read"] == account["passed"] + account["quarantined"]
    bad = spark.read.parquet(str(tmp_path / "out.quarantine")).groupBy("source_file", "reason").count()
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in bad.collect():
        found[Path(row.source_file).stem][row.reason] = row["count"]
    assert found == {name: dict(case.quarantined) for name, case in names.items()}


@pytest.mark.parametrize("case", [case for case in CASES if case not in TOGETHER], ids=lambda case: case.name)
def test_a_broken_input_is_accounted_for_or_refused(case: Case, spark: SparkSession, tmp_path: Path) -> None:
    source = write(case, tmp_path / "in", spark)
    try:
        record = ran(spark, tmp_path, source, case)
    except Exception as error:
        found = failures.explain(error)
        assert (found.exit_code, found.reason) == (case.exit_code, case.reason), str(found)
        assert not re.search(r"Traceback|\tat |java\.lang|Py4J", str(found)), str(found)
        assert sorted(p.name for p in tmp_path.iterdir() if p.name[0] != ".") == ["broken.yaml", "in"], "something was published"
        return
    account = record.inputs["data"]
    assert (case.exit_code, account["passed"], account["quarantined_by"]) == (0, case.passed, dict(case.quarantined))
    assert account["read"] == account["passed"] + account["quarantined"]
