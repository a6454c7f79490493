"""The record of a run: its schema, and that it is written whole or not at all."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from sparkkit import ledger
from sparkkit.errors import InfrastructureError
from sparkkit.ledger import Record

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "schemas" / "run_record.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def faults(record: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(record)]


def fresh() -> dict[str, Any]:
    record = Record(ledger.new_run_id("word_count"), "word_count")
    record.inputs = {"text": dict(ledger.UNKNOWN_INPUT)}
    record.outputs = {"output": dict(ledger.UNKNOWN_OUTPUT)}
    found: dict[str, Any] = json.loads(record.to_json())
    return found


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_record_of_which_nothing_is_known_yet_keeps_the_schema() -> None:
    assert faults(fresh()) == []


def test_the_record_of_a_real_run_with_rejects_keeps_the_schema(run_job: Any, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(
        "firstname,middlename,lastname,dob,gender,salary\nA,,B,2000-01-01,F,30\nC,,D,x,M,1\n"
    )
    done = run_job("names", {"people": tmp_path / "names.csv"}, ["--date=2024-02-29"])
    figures = {
        k: done.record["inputs"]["people"][k] for k in ("read", "passed", "quarantined", "quarantined_by", "complete")
    }
    expected = {"read": 2, "passed": 1, "quarantined": 1, "quarantined_by": {"bad_value": 1}, "complete": True}
    assert (faults(done.record), figures) == ([], expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "ok"),
        ("exit_code", 7),
        ("reason", "Not a word"),
        ("started", "2024-01-01 00:00:00"),
        ("date", 5),
        ("news", 1),
        ("run_id", "x"),
        ("format", 2),
        ("seconds", {"total": -1}),
    ],
)
def test_the_schema_refuses_what_a_record_does_not_say(key: str, value: object) -> None:
    assert faults({**fresh(), key: value})


def test_a_negative_count_and_a_float_are_refused() -> None:
    found = fresh()
    found["inputs"]["text"] |= {"read": -1, "passed": 1.5}
    assert len(faults(found)) == 2


def test_a_record_is_one_line_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "r.json"
    Record("r", "j", message="two\nlines, ünïcode").write(path)
    text = path.read_text(encoding="utf-8")
    assert (text.count("\n"), stat.S_IMODE(path.stat().st_mode), json.loads(text)["message"]) == (
        1,
        0o600,
        "two\nlines, ünïcode",
    )


def test_a_record_that_can_not_be_written_leaves_no_half_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "r.json").mkdir()
    with pytest.raises(InfrastructureError, match=r"could not be written to .*r\.json"):
        Record("r", "j").write(tmp_path / "r.json")
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_step_s_seconds_add_up_and_are_kept_when_it_fails() -> None:
    record = Record("r", "j", seconds={"total": None, "read": 1.0})
    with pytest.raises(ZeroDivisionError), record.step("read"):
        raise ZeroDivisionError
    assert record.seconds["read"] is not None
    assert record.seconds["read"] >= 1.0


def test_a_run_id_sorts_by_time_and_is_new_each_time() -> None:
    one, two = ledger.new_run_id("a"), ledger.new_run_id("a")
    assert re.fullmatch(r"a-\d{8}T\d{6}-[0-9a-f]{6}", one)
    assert one != two


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_error_that_leaves_a_step_carries_the_step_s_name(kind: type[BaseException]) -> None:
    with pytest.raises(kind) as found, Record("r", "j").step("build"):
        raise kind("x")
    assert found.value.sparkkit_step == "build"  # type: ignore[attr-defined]
