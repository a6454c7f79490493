"""`why` names the right cause of failures that a real Spark leaves; `scripts/why_failures.sh` has more of them, each a run of its own."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkkit.why import answer
from tests.e2e import failing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
SHARED = [failure for failure in failing.FAILURES if failure.shares]


def cause(facts: answer.Facts) -> tuple[str, tuple[str, ...]]:
    found = answer.findings(facts)
    return (found[0].cause, found[0].evidence) if found else ("", ())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs that shared one session, whose event log is theirs all."""
    folder = tmp_path_factory.mktemp("shared")
    command = [sys.executable, failing.__file__, "--shared", str(folder)]
    done = subprocess.run(command, cwd=folder, env=failing.environment(folder), capture_output=True, text=True, check=False, timeout=450)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("failure", SHARED, ids=lambda failure: failure.name)
def test_the_cause_is_named_out_of_the_record_and_the_stack(failure: failing.Failure, shared: Path) -> None:
    record: dict[str, Any] = json.loads((shared / failure.name / "record.json").read_text())
    found, evidence = cause(answer.of_record(record, [shared / "events"]))
    assert (record["exit_code"], found) == (failure.code, failure.cause), evidence


@pytest.mark.parametrize("name", ["python_error", "missing_module", "python_out_of_memory", "python_worker_died", "bad_value"])
def test_the_event_log_alone_tells_what_failed_in_a_task_at_the_run_s_time(name: str, shared: Path) -> None:
    record: dict[str, Any] = json.loads((shared / name / "record.json").read_text())
    bare = {key: record[key] for key in ("run_id", "started", "seconds", "exit_code", "status")}
    (failure,) = [failure for failure in SHARED if failure.name == name]
    found, evidence = cause(answer.of_record(bare, [shared / "events"]))
    assert (found, "on executor driver" in " ".join(evidence)) == (failure.cause, True), evidence


@pytest.mark.parametrize("name", ["driver_killed", "fetch_failure"])
def test_the_cause_is_named_for_a_run_of_its_own(name: str, tmp_path: Path) -> None:
    (failure,) = [failure for failure in failing.FAILURES if failure.name == name]
    code = failing.provoke(failure, tmp_path)
    found = failing.why(tmp_path)
    assert (code, found["causes"][0]["cause"]) == (failure.code, failure.cause), found
    assert [line for line in found["looked_at"] if line.startswith("event log")], found
