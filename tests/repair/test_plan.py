"""A run looked at before it is made: what it would change, and that looking changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from pyspark.sql import SparkSession

from sparkkit.conf import OutputConf
from sparkkit.errors import NotReadyError
from sparkkit.publishing import Identity
from sparkkit.repair import changes, plan
from sparkkit.report import plan as report
from sparkkit.staging import Target
from sparkkit.storage.local import LocalStore
from sparkkit.storage.records import Record
from sparkkit.verbs import repair
from tests.repair.conftest import World
from tests.repair.test_twice import everything

FIRST = "values (1, 'Ann', 36), (2, 'Bo', 7), (3, 'Cy', 5) as t(id, name, age)"
SECOND = "values (1, 'Ann', 37), (3, 'Cy', 5), (4, 'Di', 9), (cast(null as int), 'Ed', 1) as t(id, name, age)"


def given(world: World, rows: str) -> None:
    world.spark.sql(f"select * from {rows}").coalesce(1).write.mode("overwrite").parquet(str(world.root / "in"))


@pytest.fixture
def keyed(world: World) -> World:
    """One date is done; its people have a key, for the output's contract too."""
    world.people = replace(world.people, columns=(replace(world.people.columns[0], key=1), *world.people.columns[1:]))
    world.over["outputs.output.contract"] = str(world.root / "people.json")
    given(world, FIRST)
    assert world.conf.inputs and world.command("--date=2026-01-01", f"--ledger={world.root / 'ledger'}") == 0
    return world


def told(world: World, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert world.verb(repair.plan, "--date=2026-01-01", f"--ledger={world.root / 'ledger'}", *words) == 0
    out = capsys.readouterr().out
    return json.loads(out) if "--json" in words else out


def test_what_a_run_would_change_is_told_and_nothing_is_written(keyed: World, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = json.loads((keyed.root / "record.json").read_text())["run_id"]
    assert told(keyed, capsys, "--quick", "--json")["already_done"] == run_id
    given(keyed, SECOND)
    before = everything(keyed.root)
    found = told(keyed, capsys, "--json")
    output, read = found["outputs"]["output"], found["inputs"]["people"]
    assert (found["already_done"], read["files"], read["rows"], read["rejected"]) == (None, 1, 4, {"null": 1})
    assert (output["generation"], output["replaces"], output["rows"]) == (2, {"run": run_id, "generation": 1, "files": 1}, 3)
    assert output["changes"] == {"by": ["id"], "added": 1, "changed": 1, "removed": 1, "samples": [
        {"change": "added", "key": {"id": 4}, "row": {"id": 4, "name": "Di", "age": 9}},
        {"change": "changed", "key": {"id": 1}, "was": {"age": 36}, "is": {"age": 37}},
        {"change": "removed", "key": {"id": 2}, "row": {"id": 2, "name": "Bo", "age": 7}},
    ]}
    assert (found["cost"]["runs"], found["cost"]["written_rows"], [s["output"] for s in found["order"]]) == (1, 3, ["quarantine", "output"])
    page = told(keyed, capsys)
    assert "  by id: 1 added, 1 changed, 1 removed" in page and f"  replaces generation 1 of run {run_id}" in page
    assert everything(keyed.root) == before


def test_an_input_that_is_not_there_is_told_as_a_run_would(world: World) -> None:
    with pytest.raises(NotReadyError, match="nothing is at"):
        world.verb(repair.plan)


@pytest.mark.parametrize(("mode", "by", "ids"), [
    pytest.param("overwrite", (), [1, 2, 3], id="all"), pytest.param("append", (), [2], id="what the slice wrote"),
    pytest.param("overwrite_partitions", ("p",), [1, 2], id="and the partitions of the rows"),
])
def test_the_rows_that_would_go_are_those_that_the_mode_takes(
    spark: SparkSession, tmp_path: Path, mode: str, by: tuple[str, ...], ids: list[int],
) -> None:
    for part, (i, p) in enumerate([(1, "a"), (2, "b"), (3, "c")]):
        spark.sql(f"select {i} id, '{p}' p").coalesce(1).write.mode("append").parquet(f"{tmp_path}/out")
        if part == 1:
            mine = sorted((tmp_path / "out").glob("part-*"), key=lambda path: path.stat().st_mtime_ns)[-1].name
    target = Target("output", OutputConf(mode=mode, partition_by=by), str(tmp_path / "out"), "", "")
    rows = spark.sql("select 9 id, 'a' p")
    gone = changes.replaced(spark.read.parquet(f"{tmp_path}/out"), target, rows, Record("s", 1, "r", {"files": [mine]}), by)
    assert gone is not None and sorted(row.id for row in gone.collect()) == ids


def test_columns_that_would_differ_are_named(spark: SparkSession) -> None:
    old, new = spark.sql("select 1 a, 2 b, 3 c").schema, spark.sql("select 1L a, 2 b, 4 d").schema
    assert changes.columns(old, new) == ["'d' int is new", "'c' int is not among them", "'a' was int and is bigint"]


def test_each_store_says_what_a_reader_may_see() -> None:
    class Hdfs(LocalStore):
        links = exchanges = False

    class Nfs(LocalStore):
        exchanges = False

    plain, whole, delta = OutputConf(mode="append"), OutputConf(mode="overwrite"), OutputConf(format="delta")
    assert [plan.readers(LocalStore(), plain), plan.readers(None, delta)] == [
        "one version or the other: the folders are exchanged in one step", "Delta's one commit: all or nothing"]
    assert "for a moment between two renames" in plan.readers(Nfs(), plain) and "for a moment" in plan.readers(Hdfs(), whole)
    assert "file by file" in plan.readers(Hdfs(), plain) and "file by file" in plan.readers(None, plain)


@pytest.mark.parametrize("mode", ["cdc", "scd2"])
def test_what_changes_in_a_history_is_not_known_and_no_row_of_it_is_said_to_go(world: World, mode: str) -> None:
    held, new = (world.spark.sql(f"select {i} id, 'x' v") for i in (1, 2))
    target = Target("output", OutputConf(format="delta", mode=mode, keys=("id",)), str(world.root / "out"), "", "")
    want: Any = SimpleNamespace(args=SimpleNamespace(show=None))
    assert plan._changes(want, target, None, held, new, None) is None
    assert f"{mode} fits changes into the history of their keys" in report._why(mode)


def test_a_table_of_the_catalog_is_looked_for_in_the_catalog() -> None:
    looked: list[str] = []
    target = Target("output", OutputConf(format="table"), "db.t", "", "", "file:/w/db.t")
    place: Any = SimpleNamespace(spark=None, there=lambda one: looked.append(one.path) or True,
                                 journals=SimpleNamespace(log=lambda _: "log"))
    last = Record("s", 1, "r", {"logical_id": "l"})
    with patch.multiple(plan, last_of=lambda _, __, name: last if name == "s" else None, _at_work=lambda _: []):
        found = plan.state(place, target, Identity("l", {"output": "s"}, "q"), "output")
    assert (found.done_by, looked) == ("r", ["db.t"])
