"""Waiting for a job on AWS: botocore's Stubber gives the answers, each of which fits AWS's model."""
from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission import asking, aws, watch
from tests.submission.model import WHY
from tests.submission.moto_server import KEYS
from tests.submission.test_emr import ORDER

STEP = aws.Started("emr", "j-1", "s-1")
RUN = aws.Started("emr-serverless", "00f", "00r")
ROLE = "arn:aws:iam::123456789012:role/names"
ARN = "arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00f/jobruns/00r"
Answers = list[tuple[str, dict[str, Any] | str]]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Watches a job while AWS gives these answers; the exit code. A text is an error's code."""
    pytest.importorskip("boto3", reason=WHY)
    import boto3
    from botocore.stub import Stubber

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    used: list[Any] = []

    def run(started: aws.Started, answers: Answers, log: bytes | None = None) -> int:
        clients = {name: boto3.client(name) for name in (started.service, "s3")}
        stubs = {name: Stubber(client) for name, client in clients.items()}
        for operation, answer in answers:
            if isinstance(answer, str):
                stubs[started.service].add_client_error(operation, answer, http_status_code=400)
            else:
                stubs[started.service].add_response(operation, answer)
        if log is not None:
            stubs["s3"].add_response("get_object", {"Body": io.BytesIO(log)}, {"Bucket": "logs", "Key": "s-1/stderr.gz"})
        for stub in stubs.values():
            stub.activate()
        used.extend(stubs.values())
        monkeypatch.setattr(aws, "client", lambda service, submit: clients[service])
        return watch.watch(started, ORDER, lambda seconds: None)

    yield run
    for stub in used:
        stub.assert_no_pending_responses()


def step(state: str, **details: str) -> tuple[str, dict[str, Any]]:
    failed = {"FailureDetails": details} if details else {}
    return "describe_step", {"Step": {"Id": "s-1", "Status": {"State": state, **failed}}}


def cluster(state: str, code: str = "") -> tuple[str, dict[str, Any]]:
    reason = {"StateChangeReason": {"Code": code}} if code else {}
    return "describe_cluster", {"Cluster": {"Id": "j-1", "Status": {"State": state, **reason}}}


def run(state: str, details: str = "-") -> tuple[str, dict[str, Any]]:
    now = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
    known = {"applicationId": "00f", "jobRunId": "00r", "arn": ARN, "createdBy": ROLE, "createdAt": now, "updatedAt": now}
    more = {"executionRole": ROLE, "releaseLabel": "emr-7.14.0", "jobDriver": {"sparkSubmit": {"entryPoint": "s3://c/x.py"}}}
    return "get_job_run", {"jobRun": {**known, **more, "state": state, "stateDetails": details}}


def test_a_line_for_each_new_state_tells_how_it_goes(ends: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    waits = [step("PENDING"), cluster("STARTING")] * 2
    assert ends(STEP, [*waits, step("RUNNING"), step("RUNNING"), step("COMPLETED")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(", 0:")[0] for line in lines] == ["names: PENDING (cluster STARTING)", "names: RUNNING", "names: COMPLETED"]


@pytest.mark.parametrize(
    ("details", "log", "code"),
    [
        ({"Message": "SparkException: Application x failed: User application exited with status 4"}, None, 4),
        ({"Message": "Command exiting with ret '3'"}, None, 3),
        ({"Reason": "Unknown Error."}, None, 1),
        ({"LogFile": "s3://logs/s-1/stderr.gz"}, gzip.compress(b"x\nUser application exited with status 5\n"), 5),
        ({"LogFile": "s3://logs/s-1/stderr.gz"}, b"User application exited with status 2", 2),
        ({"LogFile": "s3://logs/s-1/stderr.gz"}, b"\x1f\x8b broken", 1),
    ],
)
def test_a_step_that_failed_ends_with_the_jobs_own_code(ends: Callable[..., int], details: dict[str, str], log: bytes, code: int) -> None:
    assert ends(STEP, [step("FAILED", **details)], log) == code


@pytest.mark.parametrize(
    ("state", "reason", "code"), [("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", 6), ("TERMINATED_WITH_ERRORS", "VALIDATION_ERROR", 2)],
)
def test_a_cluster_that_never_came_is_not_the_jobs_failure(ends: Callable[..., int], state: str, reason: str, code: int) -> None:
    assert ends(STEP, [step("CANCELLED"), cluster(state, reason)]) == code
    assert ends(STEP, [step("PENDING"), cluster(state, reason), cluster(state, reason)]) == code


@pytest.mark.parametrize(
    ("state", "details", "code"),
    [
        ("SUCCESS", "-", 0),
        ("FAILED", "Job failed, please check complete logs in configured logging destination. ExitCode: 4. Last few exceptions: x", 4),
        ("FAILED", "Job failed", 1),
        ("FAILED", "Worker could not be allocated as the application has exceeded maximumCapacity", 6),
        ("CANCELLED", "-", 6),
    ],
)
def test_a_job_run_ends_with_the_jobs_own_code(ends: Callable[..., int], state: str, details: str, code: int) -> None:
    assert ends(RUN, [run("SCHEDULED"), run("RUNNING"), run(state, details)]) == code


def test_what_failed_is_told_with_its_log(ends: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    ends(STEP, [step("FAILED", Reason="Unknown Error.", LogFile="hdfs:///x")])
    assert capsys.readouterr().err.splitlines()[-1] == (
        "sparkkit: names: step s-1 of cluster j-1 is FAILED: Unknown Error. (exit 1, log hdfs:///x)"
    )


def test_a_look_that_is_throttled_is_taken_again(ends: Callable[..., int]) -> None:
    assert ends(STEP, [("describe_step", "ThrottlingException")] * 3 + [step("COMPLETED")]) == 0


def test_after_many_such_looks_the_waiting_ends_but_not_the_job(ends: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InfrastructureError, match="the state of step s-1 of cluster j-1 is not known"):
        ends(STEP, [("describe_step", "ThrottlingException")] * 21)
    assert "it goes on: step s-1 of cluster j-1" in capsys.readouterr().err


def test_credentials_that_end_while_we_wait_are_told(ends: Callable[..., int]) -> None:
    with pytest.raises(UsageError, match="renew them"):
        ends(STEP, [step("RUNNING"), ("describe_step", "ExpiredTokenException")])


@pytest.mark.parametrize(("answer", "asked"), [("y", True), ("", False), ("n", False)])
def test_ctrl_c_asks_before_the_job_is_ended(ends: Callable[..., int], monkeypatch: pytest.MonkeyPatch, answer: str, asked: bool) -> None:
    def interrupted(*_: Any) -> watch.Seen:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "look", interrupted)
    monkeypatch.setattr(asking, "yes", lambda question: answer == "y" and "step s-1" in question)
    assert ends(STEP, [("cancel_steps", {"CancelStepsInfoList": []})] if asked else []) == 130


def test_where_nobody_can_be_asked_the_job_goes_on(
    ends: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: Any) -> watch.Seen:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "look", interrupted)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert ends(RUN, []) == 130
    assert capsys.readouterr().err == "it goes on: job run 00r of application 00f\n"
