"""The shell: a session, and a job's inputs as frames."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from sparkkit import shell
from sparkkit.submission.local import load_job

ROOT = Path(__file__).resolve().parents[1]


def test_a_job_s_inputs_are_frames_as_its_run_hands_them_to_build(spark: SparkSession) -> None:
    job = load_job(str(ROOT / "jobs" / "names.py"))
    found = shell.names(spark, job, [f"--input={ROOT / 'data/names/csv'}"])
    assert [row.salary for row in found["build"](found["people"]).select("salary").collect()] == [
        300000,
        400000,
        400000,
    ]


def test_an_input_that_is_not_there_is_named_and_left_out(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    found = shell.names(spark, load_job(str(ROOT / "jobs" / "names.py")), ["--input=/nowhere/at/all"])
    assert ("people" in found, "people is left out" in capsys.readouterr().err) == (False, True)


def test_what_is_typed_runs_with_the_names(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spark = SimpleNamespace(version="4.2.0")
    monkeypatch.setattr("sys.stdin", io.StringIO("print(people * 2)\n1 / 0\nprint('still here')\n"))
    shell.interact({"spark": spark, "F": None, "sparkkit": None, "people": 21})
    found = capsys.readouterr()
    assert ("42" in found.out, "still here" in found.out, "ZeroDivisionError" in found.err) == (True, True, True)
    assert "sparkkit shell, Spark 4.2.0: spark, F, sparkkit, people" in found.err
