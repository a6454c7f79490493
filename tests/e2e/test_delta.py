"""Delta's modes on real tables, beside DuckDB: out of order, twice, with rivals, losses and numbers (two sessions for all)."""

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


LONG = ("overwriting", "evolving", "feeding", "increments", "ties")
SHORT = ("merge", "cdc", "scd2", "appending", "racing", "failing", "road")


def said(folder: Path, cases: tuple[str, ...]) -> dict[str, Any]:
    """What a session printed."""
    pytest.importorskip("duckdb")  # here, so that the unit suite does not load it
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(Path(__file__).parents[2])}
    argv = [sys.executable, str(Path(__file__).with_name("delta_session.py")), str(folder), *cases]
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=1000, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        assert line.startswith("{"), done.stdout[-3000:]
        result |= json.loads(line)
    return result


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return said(tmp_path_factory.mktemp("delta"), SHORT)


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return said(tmp_path_factory.mktemp("more"), LONG)


def test_a_merge_touches_what_differs_and_nothing_else(found: dict[str, Any]) -> None:
    merge = found["merge"]
    assert (merge["rows"], merge["same"]) == (merge["oracle"], [True, True])
    assert merge["done"] == [
        [{"inserted": 2}, False], [{"copied": 1, "inserted": 1, "updated": 1}, False], [{"unchanged": 2}, False],
    ]


def test_a_merge_refuses_keys_that_stand_twice_or_are_null(found: dict[str, Any]) -> None:
    twice = "2 rows for /merge have a key that stands more than once in the batch, such as k=3"
    assert found["merge"]["twice"] == [4, "duplicate_keys", twice, True]
    assert found["merge"]["null"][:2] == [4, "null_keys"]


@pytest.mark.parametrize("mode", ["cdc", "scd2"])
def test_changes_in_any_order_and_twice_leave_what_duckdb_computes(found: dict[str, Any], mode: str) -> None:
    done = found[mode]
    assert (done["unlike"], done["wrong"], done["rows"], done["still"]) == ([], [], True, True)
    assert (set(done["again"]) <= {"unchanged", "superseded"}, done["versions"]) == (True, [0])


@pytest.mark.long
def test_added_versions_are_read_once_and_a_table_that_lost_rows_is_refused(more: dict[str, Any]) -> None:
    told = more["increments"]["versions"]
    assert told["runs"] == [["done", 2], ["done", 1], ["nothing_new", 0], ["done", 1], ["done", 2], ["already_done", None]]
    assert told["held"] == ["1a", "2a", "3a", "4a", "5a"]
    assert told["refused"] == [[4, "rows_removed"], [2, "state_differs"], [2, "state_differs"]]
    assert told["whole"] == [["done", 4], ["2a", "3a", "4a", "5a"]]


@pytest.mark.long
def test_a_change_feed_leaves_the_newest_of_each_key_however_often_it_is_read(more: dict[str, Any]) -> None:
    told = more["increments"]["feeds"]
    runs = [["done", 3], ["done", 3], ["nothing_new", 0], ["done", 3]]
    assert (told["runs"], told["held"]) == ([[2, "no_change_feed"], *runs], ["1b", "3a", "4a"])


@pytest.mark.long
def test_ties_and_late_rows_are_merged_once(more: dict[str, Any]) -> None:
    told = more["increments"]["marks"]
    assert told["runs"] == [["done", 2], ["done", 5, {"2026-01-02": 1, "2026-01-03": 1}], ["nothing_new", 0]]
    assert told["held"] == ["1a", "2a", "3late", "4tie", "5new"]


@pytest.mark.long
def test_ties_and_nulls_are_refused_and_what_is_said_twice_is_not(more: dict[str, Any]) -> None:
    for mode, same in (("cdc", {"superseded": 1, "unchanged": 2}), ("scd2", {"unchanged": 3})):
        told = more["ties"][mode]
        assert told.pop("same") == [same, False]
        assert told.pop("null") == [4, "null_keys", True]
        assert told == {case: [4, "sequence_tie", True] for case in ("batch", "table", "deletes", "deleted")}


def test_an_append_is_made_once_for_each_number_and_replaced_by_a_later_one(found: dict[str, Any]) -> None:
    done = found["appending"]
    assert done["done"] == [
        [{"inserted": 2}, False], [{"inserted": 2}, True], [{"inserted": 2}, False], [{"inserted": 2, "removed": 2}, False],
    ]
    assert (done["rows"], done["empty"]) == ([[2, 2]] * 4 + [[3, 3]] * 4, [[{}, False], [{"inserted": 2}, False]])
    assert (done["told"], done["nowhere"]) == ([True, True, False, True, False], False)
    assert done["after"] == [[{"inserted": 2}, False], [[2, 2], [2, 2], [7, 7]]]
    assert done["numbers"] == [[1, 1, -1, -1, 3, 3]] * 2


def test_a_late_attempt_and_rows_that_were_rewritten_are_refused(found: dict[str, Any]) -> None:
    done = found["appending"]
    assert (done["late"][:2], done["late"][3]) == ([5, "newer_generation"], True)
    assert (done["rewritten"][:2], done["rewritten"][3]) == ([4, "rewritten"], True)


@pytest.mark.long
def test_partitions_are_replaced_and_told_and_those_of_an_earlier_generation_go(more: dict[str, Any]) -> None:
    done, null = more["overwriting"], "w=__HIVE_DEFAULT_PARTITION__"
    assert done["by"] == [["w=01", null, "w=a b/c=%"], ["w=01", "w=other"], [null, "w=a b/c=%", "w=new"]]
    assert (done["again"], done["held"]) == (
        [{"inserted": 2, "removed": 2}, False], [[2, "01"], [4, "other"], [5, None], [6, "new"]],
    )


@pytest.mark.long
def test_a_re_run_leaves_no_partition_of_its_own_that_was_rewritten_and_takes_none_of_others(more: dict[str, Any]) -> None:
    assert more["overwriting"]["rewritten"] == [[4, "rewritten"], [[1, "a", 2], [4, "b", 1], [7, "c", 7]]]


@pytest.mark.long
def test_an_overwrite_replaces_all_and_keeps_the_partitions(more: dict[str, Any]) -> None:
    done = more["overwriting"]
    assert done["whole"] == [[{"inserted": 1, "removed": 4}, False], [[9, "z"]]]
    assert (done["change"][:2], done["there"][:2]) == ([4, "partition_changed"], [2, "output_exists"])


def test_a_rival_commit_is_seen_and_one_that_never_rests_ends_with_5(found: dict[str, Any]) -> None:
    done = found["racing"]
    assert (done["once"], done["held"]) == ([{"updated": 2}, False], [[1, 2, "b"], [100, 2, "ours"]])
    assert (done["always"][:2], done["over"], done["end"]) == ([5, "conflict"], [{"inserted": 1, "removed": 6}, False], [[5, 5]])


def test_rows_that_get_lost_are_noticed_before_anybody_sees_them(found: dict[str, Any]) -> None:
    done = found["failing"]
    for told in (*done["lost"], done["told"]):
        assert (told[:2], told[3]) == ([4, "accounting_broken"], True)
    assert done["left"] == 0


def test_a_commit_whose_answer_is_lost_counts_and_one_that_never_came_does_not(found: dict[str, Any]) -> None:
    done = found["failing"]
    assert (done["never"], done["deaf"]) == ("ConnectionError", [{"copied": 1, "deleted": 1, "inserted": 1}, True])
    assert (done["rows"], done["late"]) == (
        [[1, 1, 1, "a"], [3, 1, 1, "b"]], [[{"superseded": 1}, False], [{"superseded": 1, "unchanged": 1}, False]],
    )


@pytest.mark.long
def test_a_table_changes_its_columns_only_as_far_as_it_was_allowed(more: dict[str, Any]) -> None:
    done, no = more["evolving"], [4, "schema_changed"]
    assert [told[:2] + told[3:] for told in (*done["strict"], done["overwrite"])] == [[*no, True]] * 5
    assert (done["adds"], done["merged"]) == ([{"inserted": 1}, False], [{"updated": 1}, False])
    assert (done["still"], done["narrow"], done["keys"]) == (no, no, no)
    wide = [[3, "c", 6_000_000_000, None]] if jars.line() != "3.5" else []
    assert (done["wide"], done["rows"]) == ([{"inserted": 1}, False] if wide else no, [[1, "a", None, None], [2, "b", 5, True], *wide])


@pytest.mark.long
def test_the_change_feed_holds_what_changed_and_not_what_was_copied(more: dict[str, Any]) -> None:
    done = more["feeding"]
    assert done["feed"] == [[1, 1, "update_preimage"], [1, 2, "update_postimage"], [2, 1, "delete"], [4, 4, "insert"]]
    assert done["rows"] == [[1, 2, 2, "a"], [3, 1, 1, "c"], [4, 2, 4, "d"]]


@pytest.mark.long
def test_maps_nested_values_and_odd_names_are_compared_too(more: dict[str, Any]) -> None:
    one, two, rows = more["feeding"]["odd"]
    assert (one, two) == ([{"inserted": 2}, False], [{"unchanged": 1, "updated": 1}, False])
    assert rows == [[1, 1, 1, "y z/1"], [2, 2, 2, "y z/2"]]


def test_the_record_of_a_run_tells_what_became_of_each_row(found: dict[str, Any]) -> None:
    done = found["road"]
    first = {"written": 3, "inserted": 2, "updated": 0, "deleted": 0, "unchanged": 0, "superseded": 1}
    again = {"written": 3, "inserted": 0, "updated": 0, "deleted": 0, "unchanged": 2, "superseded": 1}
    assert done["runs"] == [[first, 0, 0, 0], [again, 0, 0, 0], [2, "wrong_conf"]]
    assert (done["left"], done["word"]) == ([], ["MERGE", "sparkkit job-"])
