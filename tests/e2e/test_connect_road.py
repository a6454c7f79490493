"""The road over Spark Connect, on a real server with Delta: one server and one session for all. Spark 3.5's own package has
no Connect server (its spark-connect jar comes apart), so that it is skipped there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyspark
import pytest

from sparkkit import jars

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1100)]
ROOT = Path(__file__).resolve().parents[2]
KINDS = pytest.mark.parametrize("kind", ["delta", "table"])
ALIKE = pytest.mark.parametrize("kind", ["delta", pytest.param("table", marks=pytest.mark.long)])


def said(folder: Path, length: str) -> dict[str, Any]:
    """What the session printed."""
    if not list((Path(pyspark.__file__).parent / "jars").glob("spark-connect_*.jar")):
        pytest.skip(f"pyspark {pyspark.__version__} has no spark-connect jar, so no Connect server can be started")
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    server = [sys.executable, ROOT / "scripts" / "connect.py", "--delta"]
    argv = [*server, sys.executable, Path(__file__).with_name("connect_session.py"), folder, length]
    env = {k: v for k, v in os.environ.items() if k != "SPARK_REMOTE"} | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=1000, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return said(tmp_path_factory.mktemp("connect"), "short")


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return said(tmp_path_factory.mktemp("more"), "long")


@pytest.fixture
def case(request: pytest.FixtureRequest, kind: str) -> dict[str, Any]:
    """What is printed of one kind of tables: of catalog tables most of it in the long run alone."""
    told: dict[str, Any] = request.getfixturevalue("found" if kind == "delta" else "more")[kind]
    return told


@KINDS
def test_each_mode_writes_what_was_staged(found: dict[str, Any], kind: str) -> None:
    modes = found[kind]["modes"]
    held = [[0, "a"], [1, "a"], [2, "a"], [20, "b"], [21, "b"], [3, "a"], [30, "01"], [31, "01"], [32, "01"], [33, "01"]]
    assert modes["wrote"] == [
        [4, None, None, None], [2, "output_exists"], [4, None, None, None], [2, ["p=b"], None, None], [4, ["p=01"], None, None],
    ]
    assert modes["again"] == ([2, "connect_no_replace"] if kind == "delta" else [4, None, None, None])
    assert modes["emptied"] == [[4, "empty_result"], True, [0, None, None, None]]
    assert (modes["held"], modes["then"], modes["left"]) == (held, [], [])


@KINDS
def test_every_row_is_accounted_for(found: dict[str, Any], kind: str) -> None:
    for run in found[kind]["law"]["runs"]:
        figures = [run["error"], *[run["in"][k] for k in ("read", "passed", "quarantined", "quarantined_by", "complete", "files", "bytes")]]
        assert figures == [None, 4, 2, 2, {"bad_value": 1, "null": 1}, True, None, None]
        wrote = {n: [o[k] for k in ("built", "written", "quarantined", "quarantined_by", "files")] for n, o in run["out"].items()}
        assert wrote == {"adults": [2, 1, 1, {"null": 1}, None], "ids": [2, 2, 0, {}, None]}


@KINDS
def test_rejected_rows_are_in_a_table_beside_the_first_output(found: dict[str, Any], kind: str) -> None:
    law = found[kind]["law"]
    bad = [
        ["adults", "null", "age", '{"id":2,"age":null}', False, None],
        ["people", "bad_value", "id: 'x' is no int", '{"id":"x","age":"5"}', True, None],
        ["people", "null", "id: null, where a value is required", '{"id":null,"age":"7"}', True, None],
    ]
    assert law["bad"] == sorted([[run["id"], *row] for run in law["runs"] for row in bad], key=str)
    assert (law["tables"], law["left"]) == ({"adults": [[1, 30], [1, 30]], "ids": [[1], [1], [2], [2]]}, [])
    assert law["runs"][0]["quarantine"].endswith({"delta": "/adults.quarantine", "table": "default.adults_quarantine"}[kind])


@ALIKE
def test_a_random_build_is_computed_once(case: dict[str, Any]) -> None:
    assert case["rand"] == {"error": None, "built": 400, "figures": [True, True, True], "each once": True}


@ALIKE
def test_a_failed_build_publishes_nothing_and_leaves_no_staging(case: dict[str, Any]) -> None:
    case = case["failing"]
    codes = [error[:2] for error in case["errors"]]
    assert codes == [[1, "job_failed"]] * 4 + [[3, "input_missing"]]
    said = ["boom", "no such year", "nowhere", ": IndexError: list index out of range", "nothing"]
    assert [word in error[2] for word, error in zip(said, case["errors"], strict=True)] == [True] * 5, case["errors"]
    assert (case["held"], case["left"]) == ([[0], [1], [2], [3]], [])


@ALIKE
def test_figures_that_do_not_add_up_publish_nothing(case: dict[str, Any]) -> None:
    lying, losing = case["lying"], case["losing"]
    assert [lying["error"][:2], losing["error"][:2]] == [[4, "accounting_broken"], [4, "accounting_broken"]]
    assert ("read 4 rows, but passed 3" in lying["error"][2], "4 rows were built, but 3" in losing["error"][2]) == (True, True)
    assert [lying["held"], lying["left"], losing["held"], losing["left"]] == [None, [], None, []]


def test_a_delta_table_is_read_and_overwritten_by_one_run(found: dict[str, Any]) -> None:
    assert found["delta"]["overwritten"] == {"refused": [2, "overlapping_paths"], "error": None, "held": [[2], [3]]}


def test_plain_files_are_not_mixed_with_a_table(found: dict[str, Any]) -> None:
    mixed = found["mixed"]
    assert (mixed["rejected"][:2], mixed["taken"][:2]) == ([2, "wrong_quarantine"], [2, "output_exists"])
    assert mixed["relative"][:2] == [2, "wrong_path"]
    assert (mixed["plain"], mixed["left"]) == (["a.txt"], [])


def test_a_job_runs_from_the_command_line_and_shows_its_rows(found: dict[str, Any]) -> None:
    run = found["command"]["shown"]
    assert (run["code"], run["out"].startswith("output:\nid\n"), run["record"]["event_log"]) == (0, True, None), run["err"]
    assert [line.split()[2:] for line in run["out"].splitlines() if line.startswith(("read ", "wrote "))] == [["4", "4", "0", "-", "-"]] * 2


@pytest.mark.parametrize(
    ("case", "code", "reason"),
    [
        ("files out", 2, "connect_no_files"),
        ("files in", 2, "connect_no_files"),
        ("missing", 3, "input_missing"),
        ("nobody", 6, "server_gone"),
        ("gone", 6, "server_gone"),
        ("stopped", 143, "interrupted"),
    ],
)
def test_a_run_that_fails_says_so_in_one_sentence(found: dict[str, Any], case: str, code: int, reason: str) -> None:
    run = found["command"][case]
    assert (run["code"], run["record"]["exit_code"], run["record"]["reason"]) == (code, code, reason), run["err"]
    assert ("Traceback" in run["err"], run["err"].splitlines()[-1].startswith("sparkkit: ")) == (False, True), run["err"]


def test_a_stopped_run_leaves_nothing(found: dict[str, Any]) -> None:
    assert (found["command"]["left"], found["command"]["written"]) == ([], None)


def test_what_a_lost_run_could_not_drop_is_told(found: dict[str, Any]) -> None:
    gone = found["command"]["gone"]
    assert (len(gone["before"]) > 0, gone["after"]) == (True, []), gone["err"]
