"""The fixtures for people who write jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit import testing
from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.schema.contract import Column, Contract
from sparkkit.testing import RunJob, frame, made_up

CONTRACT = Contract("t", (Column("id", "int", required=True, key=1), Column("name", "string")))


def double(rows: DataFrame) -> dict[str, DataFrame]:
    return {"all": rows.selectExpr("id * 2 as id"), "few": rows.where("id > 1")}


def test_a_frame_has_the_columns_of_its_contract(spark: SparkSession) -> None:
    result = frame(spark, [(1, None)], CONTRACT)
    assert [(f.name, f.dataType.simpleString(), f.nullable) for f in result.schema.fields] == [
        ("id", "int", False),
        ("name", "string", True),
    ]


def test_made_up_rows_keep_the_contract_s_key(spark: SparkSession) -> None:
    result = made_up(spark, CONTRACT, 30).collect()
    assert (len(result), len({row.id for row in result})) == (30, 30)


def test_a_job_with_frames_in_and_two_outputs_runs_down_the_road(
    spark: SparkSession, run_job: RunJob, tmp_path: Path
) -> None:
    job = Job(double, name="double", outputs=("all", "few"))
    done = run_job(job, {"rows": frame(spark, [(1, "a"), (2, "b")], CONTRACT)})
    result = {name: sorted(row.id for row in out.collect()) for name, out in done.outputs.items()}
    assert (result, done.quarantine, done.message) == ({"all": [2, 4], "few": [2]}, None, "")
    assert all(str(tmp_path) in edge["path"] for edge in done.record["outputs"].values())


def test_a_run_that_failed_has_a_message_and_no_outputs(run_job: RunJob) -> None:
    done = run_job(Job(double, name="double", outputs=("all", "few")), {"rows": "/nowhere/at/all"})
    assert (done.exit_code, done.outputs, "nothing is at" in done.message) == (3, {}, True)


def test_a_session_that_is_given_is_left_running(spark: SparkSession, run_job: RunJob) -> None:
    run_job(Job(double, name="double", outputs=("all", "few")), {"rows": "/nowhere/at/all"})
    assert spark.range(1).count() == 1


def test_importing_the_plugin_loads_no_pyspark() -> None:
    import subprocess
    import sys

    code = "import sys, sparkkit.testing; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False).returncode == 0


@pytest.mark.parametrize("name", ["word_count", "jobs/word_count.py"])
def test_a_job_is_found_by_its_name_from_any_folder(
    name: str, run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_job(name, {"text": "/nowhere/at/all"}).exit_code == 3


def test_the_suite_s_own_settings_are_lines_of_pytest_s() -> None:
    assert testing._settings(["spark.a=b=c", " spark.d = e "]) == {"spark.a": "b=c", "spark.d": "e"}
    with pytest.raises(UsageError, match="'sparks' is no setting"):
        testing._settings(["sparks"])


def test_they_reach_the_session(spark: SparkSession) -> None:
    jvm: Any = spark._jvm
    given = [word for word in jvm.java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments() if "TieredStop" in word]
    assert given[-1] == "-XX:TieredStopAtLevel=4", "the last one counts"
