"""Rejected rows fed back: those that pass now, or were mended, once, whoever does it and whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from sparkkit import publishing
from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, InfrastructureError, UsageError
from sparkkit.repair import carry, landing, linear, shelf
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.staging import Target
from sparkkit.storage import journal
from sparkkit.storage.lock import Patience
from sparkkit.storage.records import Record
from tests.repair.conftest import World

LINES = "id,name,age\n1,Ann,36\n2,Bo,old\n3,Cy,17\n4,Di,5,6\n"
ADULT = Rule("adult", "age >= 18")


def figures(record: Any) -> tuple[Any, ...]:
    read = record.inputs.get("people", dict.fromkeys(("read", "passed", "quarantined")))
    return record.status, read["read"], read["passed"], read["quarantined"]


def test_lines_that_a_mended_contract_lets_pass_are_fed_back_once(world: World) -> None:
    world.put("a.csv", LINES)
    world.people = replace(world.people, rules=(ADULT,))
    world.go("2026-01-01")
    world.people = replace(world.people, rules=(), policy={"bad_value": "allow"})
    record = world.replay()
    assert (figures(record), world.rows(columns="id, age")) == (("done", 3, 2, 1), [(1, 36), (2, None), (3, 17)])
    assert (world.bad("raw, run_id"), figures(world.replay())) == ([("4,Di,5,6", "job-1")], ("done", 1, 0, 1))
    assert (world.rows(), str(record.message)) == ([1, 2, 3], "3 rejected rows: 2 readmitted, 1 still rejected")


def test_duplicates_are_not_fed_back_by_themselves(world: World) -> None:
    twice = {"metric": "duplicateValues", "column": "id", "mustBe": 0, "name": "twice", "severity": "quarantine",
             "customProperties": [{"property": "sparkkit.keep", "value": "first by age"}]}
    world.put("a.csv", "id,name,age\n1,Ann,36\n1,Bo,40\n")
    world.people = replace(world.people, quality=(twice,))
    world.go("2026-01-01")
    with pytest.raises(UsageError, match="the contract asks for twice, which no row answers by itself"):
        world.replay()
    assert (world.rows(), len(world.bad())) == ([1], 1)


def test_mended_rows_are_fed_back_once_though_it_is_killed_and_a_retry_of_the_run_stays_one(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = "select * from values (1, 'Ann', 36), (2, 'Bo', 20), (3, 'Cy', 17) as t(id, name, age)"
    world.spark.sql(rows).coalesce(1).write.parquet(str(world.root / "in"))
    world.people = replace(world.people, rules=(ADULT, Rule("short", "length(name) < 3")))
    world.go("2026-01-01")
    mended = world.root / "mended.jsonl"
    shelf.export(shelf.chosen(shelf.rows(world.spark, world.job, world.conf), rule="short"), mended)
    mended.write_text(mended.read_text().replace("Ann", "An"))
    monkeypatch.setattr(publishing, "Patience", lambda: Patience(interval=0.2, missed=3))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "put_whole", lambda *_: (_ for _ in ()).throw(InfrastructureError("died")))
        with pytest.raises(InfrastructureError, match="died"):
            world.replay(mended=str(mended))
    again = world.replay(mended=str(mended))
    assert (again.status, world.rows(columns="id, name")) == ("already_done", [(1, "An"), (2, "Bo")])
    assert world.bad("rule") == ["adult: age >= 18"]
    assert "1 rows of" in str(again.message) and "not any more" in str(again.message)
    assert (world.go("2026-01-01").status, world.rows()) == ("already_done", [1, 2])


def plans(spark: SparkSession) -> dict[str, tuple[DataFrame, bool]]:
    """Jobs over some fed rows and another input, and whether the rows may be fed by themselves."""
    fed, other = spark.range(3).withColumn("v", F.lit(1)).alias(linear.MARK), spark.range(5).withColumn("w", F.lit(2))
    few = other.groupBy("id").agg(F.max("w").alias("w"))
    return {
        "select": (fed.where("v > 0").select("id", (F.col("v") * 2).alias("d")), True),
        "joined": (fed.join(few, "id").orderBy("id"), True), "left": (fed.join(other, "id", "left"), True),
        "united": (fed.select("id").union(other.select("id")), False), "looked up": (other.join(fed, "id", "left"), False),
        "summed": (fed.groupBy("v").count(), False), "distinct": (fed.select("v").distinct(), False), "some": (fed.limit(2), False),
        "itself": (fed.join(fed.withColumnRenamed("v", "u"), "id"), False), "not there": (other.join(fed, "id", "left_anti"), False),
        "ranked": (fed.withColumn("n", F.row_number().over(Window.orderBy("id"))), False),
    }


def test_rows_are_fed_only_into_what_is_made_row_by_row(spark: SparkSession) -> None:
    def may(frame: DataFrame) -> bool:
        try:
            return linear.refuse("output", frame, "again")
        except UsageError:
            return False

    found = plans(spark)
    assert {name: may(frame) for name, (frame, _) in found.items()} == {name: fine for name, (_, fine) in found.items()}


def test_an_output_that_the_rows_do_not_reach_stays(spark: SparkSession) -> None:
    assert linear.refuse("output", spark.range(3), "again") is False


def around_the_plan(spark: SparkSession) -> dict[str, Callable[[DataFrame], DataFrame]]:
    return {
        "rows on the driver": lambda people: spark.range(len(people.collect())),
        "an RDD": lambda people: people.sparkSession.createDataFrame(people.rdd.map(tuple), people.schema),
        "a subquery": lambda people: spark.sql("select id from range(9) where id in (select id from {people})", people=people),
        "nothing": lambda people: spark.range(3).withColumn("name", F.lit("Ann")),
    }


@pytest.mark.parametrize("how", ["rows on the driver", "an RDD", "a subquery", "nothing"])
def test_rows_that_leave_the_plan_stay_in_the_quarantine(world: World, how: str) -> None:
    world.put("a.csv", "id,name,age\n1,Ann,36\n2,Bo,20\n")
    world.people = replace(world.people, rules=(Rule("short", "length(name) < 3"),))
    world.go("2026-01-01")
    world.people, world.build = replace(world.people, rules=()), lambda people: around_the_plan(world.spark)[how](people)
    with pytest.raises(UsageError) as found:
        world.replay()
    assert (found.value.reason, len(world.bad())) == ("not_row_by_row", 1)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_row_that_would_double_a_key_of_the_output_is_not_fed_back(world: World, form: str) -> None:
    world.put("a.csv", "id,name,age\n1,Ann,36\n2,Bo,20\n2,Bob,20\n")
    keyed = replace(world.people, columns=(replace(world.people.columns[0], key=1), *world.people.columns[1:]))
    (world.root / "keyed.json").write_text(keyed.to_json())
    world.over |= {"outputs.output.contract": str(world.root / "keyed.json"), "outputs.output.format": form}
    world.people = replace(world.people, rules=(Rule("short", "length(name) < 3"),))
    world.go("2026-01-01")
    world.people = replace(world.people, rules=())
    with pytest.raises(ContractError) as found:
        world.replay()
    assert (found.value.reason, world.bad("raw")) == ("quality", ["1,Ann,36", "2,Bob,20"])
    world.people = replace(world.people, rules=(Rule("no Bob", "name <> 'Bob'"),))
    assert (world.replay().status, world.bad("raw")) == ("done", ["2,Bob,20"])


def slices(*found: tuple[str, int]) -> list[Record]:
    return [Record(name, 1, f"run of {name}", {"logical_id": "l", "slot": slot, "files": []}) for name, slot in found]


def test_a_slice_is_overtaken_by_one_that_was_written_after_it() -> None:
    first, last = slices(("d1", 1), ("d2", 3))
    assert (carry.overtaken(first, [first, last]), carry.overtaken(last, [first, last])) == ("run of d2", "")


def test_a_second_replay_finds_the_outputs_that_the_first_did_not_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    (theirs,) = slices(("d1", 1))
    monkeypatch.setattr(carry, "last_of", lambda *_: theirs)
    monkeypatch.setattr(carry, "walk", lambda *_: [])
    place: Any = SimpleNamespace(journals=SimpleNamespace(bare=set(), runs={"j": (SimpleNamespace(store=None), "j")}))
    target = Target("output", OutputConf(mode="append"), "out", "", "", "j")
    shelf_now = Record("job@d1", 2, "replay-1", {"logical_id": "l"})
    assert carry.slice_at(place, target, "d1", shelf_now).record is theirs
    with pytest.raises(UsageError, match="no longer holds what run replay-1 wrote"):
        carry.slice_at(place, target, "d1", replace(shelf_now, fields={"logical_id": "other"}))


@pytest.mark.parametrize(("options", "refused"), [({"zone": "Europe/Berlin"}, True), ({"decimal": ","}, True), ({"decimal": "."}, False),
                                                  ({"delimiter": ";"}, False)])
def test_rows_kept_as_columns_are_not_read_by_options_that_were_for_their_texts(options: dict[str, str], refused: bool) -> None:
    contract = Contract("t", (Column("at", "timestamp"),), reader=options)
    with pytest.raises(UsageError, match="at was read by the contract's") if refused else nullcontext():
        landing.refuse_options(contract)
