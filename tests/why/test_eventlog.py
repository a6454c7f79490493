"""What event logs of real failed runs tell by themselves: `logs/` has them as Spark 4.2 left them, trimmed (`tests/e2e/failing.py`)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from sparkkit import cli
from sparkkit.errors import UsageError
from sparkkit.why import answer, eventlog
from sparkkit.why.facts import Facts

LOGS = Path(__file__).with_name("logs")
CAUSES = {
    "python_error": "python_error",
    "python_worker_died": "python_worker_died",
    "python_out_of_memory": "python_out_of_memory",
    "missing_module": "missing_module",
    "bad_value": "bad_record",
    "file_vanishes": "missing_file",
    "fetch_failure": "fetch_failure",
    "skew": "skew",
    "spill": "spill",
    "executor_killed": "process_killed",
    "executor_out_of_memory": "out_of_memory",
    "disk_full": "disk_full",
    "result_too_large": "result_too_large",
}


def top(path: Path) -> answer.Finding:
    return answer.findings(answer.of_path(path))[0]


def test_every_log_is_asked() -> None:
    assert sorted(path.name for path in LOGS.iterdir()) == sorted(CAUSES)


@pytest.mark.parametrize("name", CAUSES)
def test_the_log_alone_names_the_cause(name: str) -> None:
    assert top(LOGS / name).cause == CAUSES[name]


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("python_error", "task 1 (attempt 0) of stage 0.0 (save) on executor driver: ValueError: 42 is no year"),
        ("skew", "the rows were distributed by customer"),
        ("executor_killed", "Command exited with code 137"),
    ],
)
def test_the_evidence_names_task_stage_executor_and_key(name: str, evidence: str) -> None:
    assert any(evidence in line for line in top(LOGS / name).evidence)


def test_an_incomplete_log_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    text = (LOGS / "python_error").read_text()
    path = tmp_path / "local-1.inprogress"
    path.write_text(text[: text.index("SparkListenerJobEnd") + 40])
    facts = answer.of_path(path)
    assert answer.findings(facts)[0].cause == "python_error"
    assert facts.notes == ["local-1.inprogress was never closed: its application was killed, or still runs"]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_rolled_log_is_read_in_order_and_what_was_compacted_once(compacted: bool, tmp_path: Path) -> None:
    lines = (LOGS / "python_error").read_text().splitlines(keepends=True)
    folder = tmp_path / "eventlog_v2_local-1"
    folder.mkdir()
    (folder / "appstatus_local-1").touch()
    for n, line in enumerate(lines, 1):
        (folder / f"events_{n}_local-1").write_text(line)
    if compacted:
        (folder / "events_3_local-1.compact").write_text("".join(lines[:3]))
        (folder / "events_3_local-1").unlink()
    facts = Facts()
    assert (eventlog.read(eventlog.files(tmp_path), facts), facts.notes) == (len(lines), [])
    assert answer.findings(facts)[0].cause == "python_error"


def test_the_tenth_part_of_a_rolled_log_comes_after_the_ninth(tmp_path: Path) -> None:
    for n in (10, 2, 9, 1, 11):
        (tmp_path / f"events_{n}_local-1.zstd").touch()
    assert [int(path.name.split("_")[1]) for path in eventlog.files(tmp_path)] == [1, 2, 9, 10, 11]


def test_of_many_logs_in_a_folder_the_run_s_own_is_read(tmp_path: Path) -> None:
    for name in ("bad_value", "python_error", "skew"):
        (tmp_path / name).write_text((LOGS / name).read_text())
    started = next(e for line in (LOGS / "bad_value").read_text().splitlines() if "App Name" in (e := json.loads(line)))
    assert eventlog.files(tmp_path, started["App Name"]) == [tmp_path / "bad_value"]


def test_of_a_session_s_log_only_the_run_s_own_time_counts(tmp_path: Path) -> None:
    text = (LOGS / "bad_value").read_text() + (LOGS / "python_error").read_text()
    (tmp_path / "shared").write_text(text)
    ends = [e["Task Info"]["Finish Time"] for e in map(json.loads, (LOGS / "python_error").read_text().splitlines()) if "Task Info" in e]
    facts = Facts()
    eventlog.read([tmp_path / "shared"], facts, (min(ends) - 2_000, max(ends) + 2_000))
    assert {one.cause for one in answer.findings(facts)} == {"python_error"}


def test_a_line_that_is_no_event_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "local-1"
    path.write_text('{"Event":"SparkListenerNews"}\n{"Event":"SparkListenerTaskEnd"}\nodd\n{"Event":"SparkListenerTaskEnd", half')
    assert answer.findings(answer.of_path(path)) == []


START = '{"Event":"SparkListenerApplicationStart","App Name":"x"}\n'
END = '{"Event":"SparkListenerApplicationEnd","Timestamp":1}\n'


@pytest.mark.parametrize(("name", "said", "answered"), [
    ("local-1", b"", "There is nothing to judge by"),
    ("local-1.gz", gzip.compress(START.encode() * 9)[:12], "There is nothing to judge by"),
    ("local-1.inprogress", START.encode(), "The application did not end"),
    ("local-1", (START + END).encode(), "No failure and nothing odd was seen"),
])
def test_only_of_a_log_that_was_read_to_its_end_it_is_said_that_nothing_went_wrong(
    tmp_path: Path, name: str, said: bytes, answered: str,
) -> None:
    (tmp_path / name).write_bytes(said)
    facts = answer.of_path(tmp_path / name)
    assert answer.text(facts, answer.findings(facts)).startswith(answered)
    assert str(answer.body(facts, [])["without_cause"]).startswith(answered)


def test_a_rolled_log_whose_first_part_is_empty_is_read(tmp_path: Path) -> None:
    (tmp_path / "events_1_app").touch()
    (tmp_path / "events_2_app").write_bytes((LOGS / "python_error").read_bytes())
    assert top(tmp_path).cause == "python_error"


def test_a_record_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"run_id": "x", "format": 99, "status": "done"}')
    with pytest.raises(UsageError, match="has format 99, and this sparkkit reads 1"):
        answer.of_path(tmp_path / "r.json")


def test_what_is_printed_of_a_log_can_not_steer_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "driver.log").write_text("26/11/22 10:00:00 ERROR x: No space left on device \x1b[2J password=hunter2\n")
    assert cli.main(["why", str(tmp_path / "driver.log")]) == 0
    out = capsys.readouterr().out
    assert ("disk_full" in out, "\x1b" in out, "hunter2" in out, r"\x1b[2J" in out) == (True, False, False, True)
