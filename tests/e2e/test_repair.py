"""Rejected rows fed back to Parquet and Delta, by mode; hidden ones; those of outputs; what is refused (one session for all)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkkit import jars

pytestmark = pytest.mark.e2e
CASES = ("parquet overwrite_partitions", "delta append", "delta merge", "older", "masked", "outputs", "summed", "twice", "planned")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the session printed."""
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    folder = tmp_path_factory.mktemp("repair")
    env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(Path(__file__).parents[2])}
    argv = [sys.executable, str(Path(__file__).with_name("repair_session.py")), str(folder), "delta", *CASES]
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=1000, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        assert line.startswith("{"), done.stdout[-3000:]
        result |= json.loads(line)
    return result


@pytest.mark.parametrize("case", CASES[:3])
def test_rows_are_fed_back_once_and_a_run_of_the_date_again_gives_the_same(found: dict[str, Any], case: str) -> None:
    told, again, rerun = (found[case][key] for key in ("fed", "again", "rerun"))
    assert told == ["done", "3 rejected rows: 2 readmitted, 1 still rejected", [1, 2, 4, 5], ['{"id":3,"name":"Al","age":5}']]
    assert (again[1:], rerun) == (["1 rejected rows: 0 readmitted, 1 still rejected", [1, 2, 4, 5]], ["done", [1, 2, 4, 5]])


def test_rows_of_a_date_do_not_win_over_a_later_date_s_of_their_keys(found: dict[str, Any]) -> None:
    assert found["older"] == {"said": [2, "older_slice"], "held": [[1, 36], [2, 44]], "bad": 2}


def test_hidden_rows_go_back_where_somebody_fills_them_in(found: dict[str, Any]) -> None:
    done = found["masked"]
    assert (done["first"][:2], done["then"]) == ([2, "masked_rows"], [
        "2 rejected rows: 2 readmitted, 0 still rejected", [[1, "Ann", 36], [2, "Bo", None], [3, "Cy", 65]]])


def test_what_an_output_rejected_goes_back_into_what_its_run_wrote_and_nowhere_else(found: dict[str, Any]) -> None:
    done = found["outputs"]
    assert done["back"] == ["2 rejected rows: 2 readmitted, 0 still rejected", [1, 2, 3]]
    assert (done["overwritten"][:2], done["stays"]) == ([2, "slice_changed"], [4])


def test_a_job_that_appends_to_what_it_reads_is_found_and_its_table_left_alone(found: dict[str, Any]) -> None:
    assert found["twice"] == {"code": 4, "rows": [6, 9, 0, [1, 2, 3]]}


@pytest.mark.parametrize(("mode", "by", "removed"), [("append", None, 2), ("merge", ["id"], 0)])
def test_what_a_run_would_change_in_a_table_is_told_and_the_table_left_alone(
    found: dict[str, Any], mode: str, by: list[str] | None, removed: int,
) -> None:
    generation, refused, rows, changes, same = found["planned"][mode]
    assert (generation, refused, rows, same) == (2, None, 3, True)
    expected = {"added": 1, "changed": 1, "removed": 0} if by else {"added": 2, "changed": None, "removed": removed}
    assert {k: changes[k] for k in ("added", "changed", "removed")} == expected and changes["by"] == by


def test_a_job_that_sums_takes_no_rows_by_themselves(found: dict[str, Any]) -> None:
    said = found["summed"]
    assert (said[:2], said[3].endswith("`sparkkit run job --date 2026-01-01` makes it again as a whole")) == ([2, "not_row_by_row"], True)
