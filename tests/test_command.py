"""How a run ends: its exit code, its last words and its record, whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import cli
from sparkkit.command import _pair, command
from sparkkit.job import Job
from sparkkit.options import Secret
from sparkkit.redaction import redact
from sparkkit.submission import local
from sparkkit.testing import RunJob


def same(text: DataFrame, *, since: int = 1) -> DataFrame:
    return text


def divided(text: DataFrame) -> DataFrame:
    return text.select(F.expr("1 / (length(value) - 1)"))


def raising(text: DataFrame) -> DataFrame:
    raise ValueError("no such year")


def leaving(text: DataFrame) -> DataFrame:
    sys.exit("enough")


def nothing(text: DataFrame) -> None:
    return None


def terminated(text: DataFrame) -> DataFrame:
    os.kill(os.getpid(), signal.SIGTERM)
    return text


def interrupted(text: DataFrame) -> DataFrame:
    os.kill(os.getpid(), signal.SIGINT)
    return text


@pytest.fixture
def line(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("x\n")
    return path


def test_a_good_run_prints_its_figures_and_where_to_look(
    line: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run_job(Job(same, name="same"), {"text": line}, ["--show=1"])
    out = capsys.readouterr().out
    assert (done.exit_code, done.record["status"], done.record["reason"]) == (0, "done", None)
    assert all(
        word in out for word in ("output:\nvalue\nx\n", "same: done in", "read text", "wrote output", "record: ")
    )


def test_a_retry_says_whose_work_stands_and_shows_it(
    line: Path, tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    job, argv = Job(same, name="same"), [f"--input={line}", f"--output={tmp_path}/out", f"--record={tmp_path}/r.json", "--show=1"]
    assert [command(job, [*argv, "--set=inputs.text.format=text"], spark=spark) for _ in range(2)] == [0, 0]
    out = capsys.readouterr().out
    assert (out.count("output:\nvalue\nx\n"), "same: already_done in" in out, "has done this" in out) == (2, True, True)


@pytest.mark.parametrize(
    ("build", "options", "code", "status", "reason", "message"),
    [
        (raising, [], 1, "failed", "job_failed", "ValueError in build: no such year"),
        (leaving, [], 1, "failed", "job_failed", "SystemExit in build: enough"),
        (nothing, [], 1, "failed", "wrong_outputs", "build returned NoneType for 'output', not a DataFrame"),
        (divided, [], 1, "failed", "job_failed", "DIVIDE_BY_ZERO"),
        (same, ["--output-format=parqet"], 2, "refused", "unknown_format", "did you mean 'parquet'?"),
        (same, ["--env=nowhere"], 2, "refused", "unknown_env", "no conf/env/nowhere.toml"),
        (same, ["--set=inputs.text.formt=csv"], 2, "refused", "unknown_key", "did you mean 'inputs.text.format'?"),
        (same, ["--set", "x"], 2, "refused", "wrong_option", "'x' is not KEY=VALUE"),
        (same, ["--since=ten"], 2, "refused", "wrong_option", "'ten' is not an int"),
        (same, ["--sinse=10"], 2, "refused", "wrong_option", "unrecognized arguments: --sinse=10"),
        (same, ["--set=spark.sql.ansi.enabled=false"], 2, "refused", "unsafe_setting", "spark.sql.ansi.enabled"),
        (same, ["--input=text=/nowhere/at/all"], 3, "failed", "input_missing", "nothing is at /nowhere/at/all"),
        (terminated, [], 143, "interrupted", "interrupted", "SIGTERM"),
        (interrupted, [], 130, "interrupted", "interrupted", "SIGINT"),
    ],
)
def test_what_goes_wrong_has_its_exit_code_its_message_last_and_a_record(
    build: Callable[..., Any],
    options: list[str],
    code: int,
    status: str,
    reason: str,
    message: str,
    line: Path,
    run_job: RunJob,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = run_job(Job(build, name="job"), {"text": line}, options)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert (done.exit_code, done.record["exit_code"], done.record["status"], done.record["reason"]) == (
        code,
        code,
        status,
        reason,
    )
    assert message in done.message
    assert last.startswith("sparkkit: job: ")
    assert f"(exit {code}, record " in last


def test_a_run_without_any_option_is_told_what_is_missing(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, capsys: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(Job(same, name="job"), [], spark=spark) == 2
    assert "output 'output' has no path" in capsys.readouterr().err and len([*tmp_path.glob("runs/*.json")]) == 1


@pytest.mark.parametrize(("text", "code", "reason"), [
    (None, 2, "unknown_job"), ("def", 2, "wrong_job"), ("import no_such_module", 2, "wrong_job"), ("JOB = 1", 2, "wrong_job"),
    ("1 / 0", 1, "job_failed")])
def test_a_job_that_can_not_be_loaded_leaves_a_record_and_is_its_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, text: str | None, code: int, reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "broken.toml").write_text('[ledger]\npath = "kept"\n')
    if text:
        (tmp_path / "jobs" / "broken.py").write_text(text)
    assert local.run("broken", ["--date=2026-01-01"]) == code
    (file,) = (tmp_path / "runs").glob("broken-*.json")
    record = json.loads(file.read_text())
    assert (record["exit_code"], record["reason"], record["date"]) == (code, reason, "2026-01-01")
    assert (cli.main(["status", "broken", "--exit-code"]), "broken" in capsys.readouterr().err) == (code, True)


@pytest.mark.parametrize("name", ["functions", "org.apache.spark.sql.delta.DeltaOptions"])
@pytest.mark.parametrize(("ended", "code", "reason"), [("the driver's JVM was killed by SIGKILL", 6, "jvm_died"), (None, 1, "job_failed")])
def test_a_jvm_that_dies_while_the_job_builds_is_no_failure_of_the_job(
    line: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, ended: str | None, code: int, reason: str, name: str,
) -> None:
    def build(text: DataFrame) -> DataFrame:
        raise Py4JError(f"{name} does not exist in the JVM")

    monkeypatch.setattr("sparkkit.session.how_the_jvm_ended", lambda: ended)
    done = run_job(Job(build, name="dying"), {"text": line})
    assert (done.exit_code, done.record["reason"], (ended or "") in done.record["message"]) == (code, reason, True)


def test_an_output_that_exists_is_refused_in_mode_error(line: Path, run_job: RunJob, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    done = run_job(Job(same, name="job"), {"text": line}, [f"--output={tmp_path / 'there'}"])
    assert (done.exit_code, done.record["reason"]) == (2, "output_exists")


def test_a_failed_run_s_record_is_where_conf_says_too(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command(Job(same, name="job"), ["--set=run.records=there", "--set=spark.sql.ansi.enabled=false"])
    assert [path.parent.name for path in tmp_path.rglob("job-*.json")] == ["there"]


def test_a_stack_is_printed_with_verbose_only(line: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str]) -> None:
    run_job(Job(raising, name="job"), {"text": line})
    plain = capsys.readouterr().err
    run_job(Job(raising, name="job"), {"text": line}, ["--verbose"])
    assert ("Traceback" in plain, "Traceback" in capsys.readouterr().err) == (False, True)


def test_json_prints_the_record_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = command(
        Job(same, name="job"), ["--json", "--input=/nowhere/at/all", f"--record={tmp_path / 'r.json'}", "--env=none"]
    )
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "r.json").read_text())
    assert code == 2


def test_help_ends_with_zero_and_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(Job(same, name="job"), ["--help"]) == 0
    assert ("--since INT" in capsys.readouterr().out, list(tmp_path.iterdir())) == (True, [])


def test_a_record_that_can_not_be_written_is_said_beside_the_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    code = command(Job(same, name="job"), ["--env=none", f"--record={tmp_path / 'file' / 'r.json'}"])
    err = capsys.readouterr().err
    assert (
        code,
        "could not be written" in err,
        err.strip().splitlines()[-1].startswith("sparkkit: job: no conf/env"),
    ) == (2, True, True)


@pytest.mark.parametrize(
    ("said", "safe"),
    [
        ("jdbc:x://user:pw@host/db", "jdbc:x://***@host/db"),
        ("fs.s3a.secret.key=abc, then", "fs.s3a.secret.key=***, then"),
        ("AWS_SECRET_ACCESS_KEY: abc", "AWS_SECRET_ACCESS_KEY: ***"),
        ("column token is missing", "column token is missing"),
    ],
)
def test_secrets_do_not_reach_the_record(said: str, safe: str) -> None:
    assert redact(said) == safe


@pytest.mark.parametrize(("said", "value"), [
    ("1.10", "1.10"), ("-9999.00", "-9999.00"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("5 # note", "5 # note"), ("7", 7),
    ("1.5", 1.5), ("true", True), ("[1, 2]", [1, 2]), ("'a b'", "a b"), ("a b", "a b"), ("", "")])
def test_a_value_that_is_set_is_as_it_was_written(said: str, value: Any) -> None:
    assert _pair(f"params.x={said}") == ("params.x", value)


def test_an_argument_that_is_no_utf_8_has_its_exit_code_and_its_record(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(Job(same, name="job"), ["--bogus=caf\udce9"], spark=spark) == 2
    (record,) = tmp_path.glob("runs/*.json")
    assert json.loads(record.read_text())["exit_code"] == 2


def test_secrets_of_a_list_are_hidden_each(line: Path, run_job: RunJob) -> None:
    def build(text: DataFrame, *, keys: list[Secret]) -> DataFrame:
        raise ValueError(f"{keys[1]} is wrong")

    done = run_job(Job(build, name="j"), {"text": line}, ["--keys=tok-one-1", "--keys=tok-two-2"])
    assert done.message == "ValueError in build: *** is wrong"


def test_a_secret_parameter_is_handed_to_the_job_and_not_recorded(line: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str]) -> None:
    def build(text: DataFrame, *, api: Secret, db_pwd: str = "", since: int = 1) -> DataFrame:
        raise ValueError(f"{api} and {db_pwd} are wrong") from OSError(f"at https://x/?sig=abcdef for {api}")

    done = run_job(Job(build, name="j"), {"text": line}, ["--api=hunter2", "--db-pwd=hunter3", "--verbose"])
    assert (done.record["params"], done.message) == (
        {"api": "***", "db_pwd": "***", "since": 1},
        "ValueError in build: *** and *** are wrong",
    )
    err = capsys.readouterr().err
    assert ("hunter" in err, "abcdef" in err, "ValueError: *** and *** are wrong" in err) == (False, False, True)
