"""A job's alarm: its rows are published, the run ends with exit code 4, and no retry turns it into a 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import dry, sinks
from sparkkit.command import command
from sparkkit.job import Job
from sparkkit.testing import RunJob
from sparkkit.why import answer


def judged(text: DataFrame) -> DataFrame:
    return text.select("value", F.length("value").alias("size"))


JOB = Job(judged, name="judged", alarm="size > 2")


@pytest.fixture
def go(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`go(*lines, options)`: one run of the job over lines; its exit code and its last words."""

    def call(*lines: str, job: Job = JOB, options: tuple[str, ...] = ()) -> tuple[int, str]:
        path = tmp_path / f"{'-'.join(lines)}.txt"
        if not path.exists():
            path.write_text("".join(f"{line}\n" for line in lines))
        argv = [f"--input={path}", f"--output={tmp_path}/out", f"--record={tmp_path}/r.json", f"--ledger={tmp_path}/ledger",
                "--set=inputs.text.format=text", *options]
        code = command(job, argv, spark=spark)
        return code, capsys.readouterr().err.strip()

    return call


def test_rows_that_meet_the_alarm_are_published_and_named_and_the_exit_code_is_4(tmp_path: Path, run_job: RunJob, capsys: Any) -> None:
    (tmp_path / "a.txt").write_text("a\nlonger\nlong\n")
    done = run_job(JOB, {"text": tmp_path / "a.txt"}, ["--output-format=csv"])
    said = capsys.readouterr()
    assert (done.exit_code, done.record["status"], done.record["reason"], done.output.count()) == (4, "done", "alarm", 3)
    assert "alarm: 2 rows of 'output' where size > 2: long, longer (exit 4, record" in said.err and "judged: done in" in said.out


def test_a_silent_alarm_changes_nothing(tmp_path: Path, run_job: RunJob) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    done = run_job(JOB, {"text": tmp_path / "a.txt"})
    assert (done.exit_code, done.record["reason"], done.message) == (0, None, "")


def test_a_retry_says_the_alarm_again_until_another_run_publishes(go: Any) -> None:
    overwrite = ("--mode=overwrite",)
    assert [go("long", options=overwrite)[0], go("long", options=overwrite)[0]] == [4, 4]
    assert "alarm: 1 row of 'output' where size > 2: long; run judged-" in go("long", options=overwrite)[1]
    assert [go("a", options=overwrite)[0], go("a", options=overwrite)[0], go("long", options=overwrite)[0]] == [0, 0, 4]


def test_each_date_has_its_own_alarm(go: Any) -> None:
    def on(day: int, *lines: str) -> int:
        return int(go(*lines, options=("--mode=append", f"--date=2026-01-0{day}"))[0])

    assert [on(1, "long"), on(2, "a"), on(1, "long"), on(2, "a")] == [4, 0, 4, 0]


def test_a_run_that_dies_after_the_decision_leaves_its_alarm_to_the_retry(go: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = sinks.publish

    def dying(*given: Any) -> Any:
        publish(*given)
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(sinks, "publish", dying)
        assert go("long", options=("--mode=overwrite",))[0] == 1
    assert go("long", options=("--mode=overwrite",))[0] == 4


def test_an_incremental_run_with_nothing_new_says_the_alarm_of_the_last(go: Any) -> None:
    options = ("--set=inputs.text.incremental=files", "--mode=append")
    assert [go("long", options=options)[0], go("long", options=options)[0]] == [4, 4]


def test_a_slip_in_the_alarm_is_refused_before_anything_is_written(go: Any, tmp_path: Path, capsys: Any, spark: SparkSession) -> None:
    slip = Job(judged, name="judged", alarm="sizes > 2")
    code, said = go("long", job=slip)
    assert (code, "alarm 'sizes > 2'" in said and "sizes" in said, (tmp_path / "out").exists()) == (2, True, False)
    assert dry.run(slip, ["--set=inputs.text.format=text"], spark) == 2


def test_why_tells_an_alarm_from_a_refusal() -> None:
    record = {"run_id": "r", "status": "done", "exit_code": 4, "reason": "alarm", "message": "alarm: 1 row", "inputs": {}, "outputs": {}}
    assert [one.cause for one in answer.findings(answer.of_record(record))] == ["alarm"]
