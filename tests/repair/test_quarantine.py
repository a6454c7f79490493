"""The quarantine: what may be seen of a rejected row, who may see it, and how it is listed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkkit.conf import OutputConf
from sparkkit.errors import UsageError
from sparkkit.quarantine import Quarantine, as_json
from sparkkit.repair import shelf
from sparkkit.schema.contract import Rule
from sparkkit.staging import Files, Target
from sparkkit.verbs import repair
from tests.repair.conftest import World

LINES = "id,name,age\n1,Ann,36\n,Bo,7\n3,Cy,old\n4,\"Di,9\n5,Ed,5,6\n"


@pytest.fixture(scope="module")
def listed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two runs of two dates with rejected rows, nothing personal among them."""
    world = World(spark, tmp_path_factory.mktemp("listed"))
    world.put("a.csv", LINES)
    world.go("2026-01-01")
    world.put("a.csv", "id,name,age\n7,Gil,young\n8,Hal,1\n")
    world.go("2026-01-02")
    return world


def test_a_rejected_row_is_as_it_came_where_nothing_is_personal(listed: World) -> None:
    raws = [",Bo,7", "3,Cy,old", '4,"Di,9', "5,Ed,5,6", "7,Gil,young"]
    assert listed.bad("raw, form, masked") == [(raw, "line", False) for raw in raws]


def test_rows_of_a_later_layout_are_refused_and_those_from_before_there_was_a_number_are_read(world: World) -> None:
    world.put("a.csv", "id,name,age\n3,Cy,old\n")
    world.go("2026-01-01")
    assert world.bad("layout") == [1]
    (file,) = (world.root / "out.quarantine").glob("run_id=*/*.parquet")
    table = pq.ParquetFile(file).read()
    file.with_name(f".{file.name}.crc").unlink()
    place = table.schema.get_field_index("layout")
    pq.write_table(table.remove_column(place), file)
    assert shelf.rows(world.spark, world.job, world.conf).count() == 1
    pq.write_table(table.set_column(place, "layout", pa.array([2], pa.int32())), file)
    for ask in (lambda: shelf.rows(world.spark, world.job, world.conf), lambda: world.replay("2026-01-01")):
        with pytest.raises(UsageError, match="rows of format 2, and this sparkkit knows formats up to 1"):
            ask()


def test_what_the_contract_marks_is_hidden_and_all_of_a_line_that_can_not_be_taken_apart(world: World) -> None:
    world.put("a.csv", LINES)
    world.put("b.csv", "1,Ann,36\n2,Flo,36\n")
    world.pii("name", "age")
    world.go()
    row = '{{"id":{},"name":"***","age":"***"}}'.format
    assert world.bad("raw, rule, masked") == sorted([
        ("***", "the quote that opens field 2 is not closed in its line", True), ("***", "4 fields found, 3 expected", True),
        ("***", "the header does not match", True),
        (row('"3"'), "age: ***", True), (row("null"), "id: null, where a value is required", True),
    ])


def test_a_column_that_no_contract_names_is_hidden_beside_personal_ones(spark: SparkSession) -> None:
    values = {"a": F.lit(1), "b": F.lit("x"), "c": F.lit(None).cast("int")}
    told = spark.range(1).select(as_json(values, frozenset({"a"})), as_json(values, None)).first()
    assert tuple(told or ()) == ('{"a":1,"b":"***","c":null}', '{"a":1,"b":"x","c":null}')


def test_what_is_personal_is_shown_where_it_is_asked_for_by_name(world: World) -> None:
    world.pii("name")
    target = Target("output", OutputConf(), "", "", "")
    asked = replace(target, conf=OutputConf(unmasked_quarantine=True))
    seen = [Quarantine(Files(world.spark, "", *[None] * 2), one, None, {"people": world.people}).shown("people") for one in (target, asked)]
    assert seen == [frozenset({"id", "age"}), None]


def test_json_lines_are_hidden_by_their_keys(world: World) -> None:
    world.put("a.json", '{"id":2,"name":"Bo","age":"x"}\n{"id":3,"name":"Cy"\n{"id":4,"nam":"Di"}\n')
    world.pii("name")
    world.go()
    assert world.bad() == ["***", '{"id":"2","name":"***","age":"x"}', '{"id":"4","name":null,"age":null}']


def test_typed_rows_are_there_as_json_hidden_by_the_contract_of_their_edge(world: World) -> None:
    rows = "select cast(null as int) id, 'Ann' name, 36 age union all select 2, 'Bo', 7"
    world.spark.sql(rows).coalesce(1).write.parquet(str(world.root / "in"))
    strict = replace(world.people, rules=(Rule("adult", "age >= 18"),), columns=tuple(
        replace(c, pii=c.name == "name") for c in world.people.columns))
    (world.root / "adults.json").write_text(strict.to_json())
    world.over |= {"outputs.output.contract": str(world.root / "adults.json")}
    world.go()
    assert world.bad("input, raw, rule, form, masked") == [
        ("output", '{"id":2,"name":"***","age":7}', "adult", "columns", True),
        ("people", '{"id":null,"name":"Ann","age":36}', "id: null, where a value is required", "columns", False),
    ]


def test_nobody_but_the_owner_may_look(listed: World) -> None:
    found = [listed.root / "out.quarantine", *(listed.root / "out.quarantine").rglob("*")]
    assert {p.stat().st_mode & 0o777 for p in found if p.is_dir()} == {0o700}
    assert {p.stat().st_mode & 0o777 for p in found if p.suffix == ".parquet"} == {0o600}


def test_rows_are_counted_by_reason_rule_input_date_and_run(listed: World) -> None:
    found = shelf.groups(shelf.rows(listed.spark, listed.job, listed.conf), show=1)
    said = [(g["reason"], g["rule"], g["date"], g["run_id"], g["rows"], [s["raw"] for s in g["samples"]]) for g in found]
    assert sorted(said) == [
        ("bad_value", "age", "2026-01-01", "job-1", 1, ["3,Cy,old"]),
        ("bad_value", "age", "2026-01-02", "job-2", 1, ["7,Gil,young"]),
        ("null", "id", "2026-01-01", "job-1", 1, [",Bo,7"]),
        ("ragged_row", "4 fields found, 3 expected", "2026-01-01", "job-1", 1, ["5,Ed,5,6"]),
        ("unclosed_quote", "the quote that opens field 2 is not closed in its line", "2026-01-01", "job-1", 1, ['4,"Di,9']),
    ]


def test_rows_are_chosen_by_date_run_and_rule(listed: World) -> None:
    every = shelf.rows(listed.spark, listed.job, listed.conf)
    asked = [{"date": "2026-01-02"}, {"run": "job-1"}, {"rule": "age"}, {"rule": "null"}, {"rule": "age", "run": "job-2"}]
    assert [shelf.chosen(every, **one).count() for one in asked] == [1, 4, 2, 1, 1]


def test_the_verb_lists_for_people_and_for_machines_and_exports(listed: World, capsys: pytest.CaptureFixture[str]) -> None:
    to = listed.root / "bad.jsonl"
    for words in ([], ["--json", "--rule=age"], [f"--export={to}", "--run=job-1"]):
        assert listed.verb(repair.quarantine, *words) == 0
    *table, line, export = capsys.readouterr().out.splitlines()
    assert ("5 rows" in table[0], sum("bad_value" in row for row in table)) == (True, 2)
    assert (json.loads(line)["rows"], export) == (2, f"4 rows of file:{listed.root}/out.quarantine are in {to}")
    assert ([json.loads(one)["id"] for one in to.read_text().splitlines()] != [], to.stat().st_mode & 0o777) == (True, 0o600)


def test_a_file_that_is_there_is_not_exported_over(listed: World, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="can't be made: File exists"):
        shelf.export(shelf.rows(listed.spark, listed.job, listed.conf), tmp_path / "mine")


def test_where_nothing_was_rejected_the_list_is_empty(world: World) -> None:
    assert shelf.rows(world.spark, world.job, world.conf).limit(1).collect() == []
