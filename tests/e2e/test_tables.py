"""Delta and Hive tables down the road, in a session of their own (one start for all)."""

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
HELD = sorted([[i, "a"] for i in range(4)] + [[20, "b"], [21, "b"], [30, "01"], [31, "01"], [32, "01"]])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the session printed."""
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    folder = tmp_path_factory.mktemp("tables")
    env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("tables_session.py"), folder],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("kind", ["delta", "table"])
def test_each_mode_writes_what_was_staged(found: dict[str, Any], kind: str) -> None:
    assert found[kind]["written"] == [[4, []], "output_exists", [4, []], [2, ["p=b"]], [3, ["p=01"]]]


@pytest.mark.parametrize("kind", ["delta", "table"])
def test_a_table_is_read_back_as_it_is(found: dict[str, Any], kind: str) -> None:
    assert (found[kind]["held"], found[kind]["filtered"]) == (HELD, 4)


@pytest.mark.parametrize("kind", ["delta", "table"])
def test_an_empty_text_in_a_partition_is_refused_for_it_would_be_read_as_null(found: dict[str, Any], kind: str) -> None:
    assert found[kind]["empty"] == ["unfit_for_format"] * 2


@pytest.mark.parametrize("kind", ["delta", "table"])
def test_a_column_more_or_of_another_type_is_refused(found: dict[str, Any], kind: str) -> None:
    assert found[kind]["other"] == ["schema_changed"] * 2


@pytest.mark.parametrize("kind", ["delta", "table"])
def test_an_empty_overwrite_and_a_missing_table_are_told(found: dict[str, Any], kind: str) -> None:
    assert (found[kind]["replaced"], found[kind]["missing"]) == ([0, []], "input_missing")


@pytest.mark.parametrize("kind", ["delta", "table"])
def test_every_type_comes_back_as_it_was(found: dict[str, Any], kind: str) -> None:
    assert found[kind]["unlike"] == ""


def test_a_table_s_constraint_refuses_its_rows_and_no_later_run_s(found: dict[str, Any]) -> None:
    assert found["constraints"] == [["constraint"] * 3 + [[4, []]], ["constraint"] * 3 + [[4, []]]]
