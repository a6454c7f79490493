"""Staged files that become a Delta table's own: run by test_again_delta.py, in a session that has Delta."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import publishing
from sparkkit.errors import AccountingError, ContractError, InfrastructureError, UsageError
from sparkkit.formats import delta, delta_adopt, delta_merge, deltalog
from sparkkit.formats.writing import setting
from sparkkit.intake import judge
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.sinks import Staged
from tests.conftest import Write
from tests.test_again import go  # noqa: F401 - a fixture

CONTRACT = Contract("t", (Column("v", "int"), Column("p", "string"), Column("day", "date")), rules=(Rule("positive", "v > 0"),))
LONG = partial(pytest.param, marks=pytest.mark.long)
ODD = ["01", "1", None, "a b/c=%", "ü", "a"]


def rows(spark: SparkSession, *values: int) -> DataFrame:
    made = [(v, ODD[i % len(ODD)], "2026-01-01" if v % 2 else "2026-01-02") for i, v in enumerate(values)]
    return spark.createDataFrame(made, "v int, p string, day string").withColumn("day", F.col("day").cast("date")).repartition(2)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "out")


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch, path: str) -> list[str]:
    """Which tables were written to: the staging place, or the table."""
    honest, found = deltalog.Transaction.write, list[str]()

    def write(txn: deltalog.Transaction, *args: Any) -> Any:
        found.append("table" if txn.path.removeprefix("file:") == path else "staging")
        return honest(txn, *args)

    monkeypatch.setattr(deltalog.Transaction, "write", write)
    return found


def held(spark: SparkSession, path: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(map(str, row)) for row in spark.read.format("delta").load(path).select("v", "p", "day").collect())


def expected(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted(tuple(map(str, row)) for row in frame.where("v > 0").select("v", "p", "day").collect())


def added(path: str) -> Iterator[dict[str, Any]]:
    for file in sorted(Path(path).glob("_delta_log/*.json")):
        yield from (json.loads(line)["add"] for line in file.read_text().splitlines() if '"add"' in line)


@pytest.mark.parametrize(("mode", "by"), [("append", ()), LONG("append", ("day", "p")),
                                          LONG("overwrite", ("p",)), ("overwrite_partitions", ("day", "p"))])
def test_rows_are_written_once_and_rejected_ones_apart(
    mode: str, by: tuple[str, ...], write: Write, spark: SparkSession, path: str, writes: list[str],
) -> None:
    rejected = []

    def look(staged: Staged) -> None:
        assert staged.rejects is not None
        rejected.extend((r["row"]["v"], r["row"]["p"]) for r in staged.rejects.collect())

    frames = rows(spark, 1, -2, 3, 4, 5, 6, 7), rows(spark, 8, 9, -10)
    for frame in frames:
        write(judge(frame, CONTRACT), checked=True, format="delta", mode=mode, partition_by=by, meanwhile=look)
    first, second = expected(frames[0]), expected(frames[1])
    kept = [r for r in first if _place(r, by) not in {_place(s, by) for s in second}]
    right = {"append": sorted(first + second), "overwrite": second, "overwrite_partitions": sorted(kept + second)}[mode]
    assert (held(spark, path), writes) == (right, ["staging"] * 2)
    assert sorted(rejected) == [(-10, None), (-2, "1")]
    stats = [json.loads(add["stats"]) for add in added(path)]
    assert all({"numRecords", "minValues", "maxValues", "nullCount"} <= set(s) for s in stats)
    assert sum(s["numRecords"] for s in stats) == 8
    assert not any("_sparkkit" in add["path"] for add in added(path))


def _place(row: tuple[Any, ...], by: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[("v", "p", "day").index(c)] for c in by)


@pytest.mark.long
def test_a_frame_without_a_contract_is_taken_in_too(write: Write, spark: SparkSession, path: str, writes: list[str]) -> None:
    write(rows(spark, 1, 2), format="delta")
    write(rows(spark, 3).select("p", "day", "v"), format="delta", mode="append")
    assert ([row[0] for row in held(spark, path)], writes) == (["1", "2", "3"], ["staging"] * 2)


@pytest.mark.parametrize("properties", [
    {"delta.columnMapping.mode": "name"}, LONG({"delta.enableChangeDataFeed": "true"}), {"delta.constraints.small": "v < 100"},
    LONG({"delta.dataSkippingNumIndexedCols": "1"}),
], ids=lambda p: next(iter(p)))
def test_a_table_that_is_more_than_plain_is_written_by_its_own_writer(
    properties: dict[str, str], write: Write, spark: SparkSession, path: str, writes: list[str],
) -> None:
    if "delta.constraints.small" in properties:
        write(rows(spark, 1), format="delta")
        spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT small CHECK (v < 100)")
        writes.clear()
    else:
        spark.sql(f"CREATE TABLE delta.`{path}` (v int, p string, day date) USING delta TBLPROPERTIES ({_sql(properties)})")
        write(rows(spark, 1), format="delta", mode="append")
    write(rows(spark, 2), format="delta", mode="append")
    assert ([row[0] for row in held(spark, path)], set(writes)) == (["1", "2"], {"table"})
    if "delta.constraints.small" in properties:
        with pytest.raises(Exception, match="(?i)constraint"):
            write(rows(spark, 101), format="delta", mode="append")
        assert [row[0] for row in held(spark, path)] == ["1", "2"]


def _sql(properties: dict[str, str]) -> str:
    return ", ".join(f"'{k}' = '{v}'" for k, v in properties.items())


def test_a_table_that_changed_meanwhile_is_written_by_its_own_writer(
    write: Write, spark: SparkSession, path: str, writes: list[str],
) -> None:
    write(rows(spark, 1), format="delta")
    change = f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    write(rows(spark, 2), format="delta", mode="append", meanwhile=lambda staged: spark.sql(change))
    assert ([row[0] for row in held(spark, path)], writes) == (["1", "2"], ["staging", "staging", "table"])


@pytest.mark.parametrize("after", [1, LONG(2)])
def test_a_run_that_dies_between_the_moves_is_finished_by_the_next(
    after: int, write: Write, spark: SparkSession, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(rows(spark, 1), format="delta")
    honest, moves = delta_adopt.Adoption._move, []

    def move(self: Any, *pair: str) -> None:
        honest(self, *pair)
        moves.append(pair)
        if len(moves) == after:
            raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr(delta_adopt.Adoption, "_move", move)
        patch.setattr(delta_adopt.Adoption, "undo", lambda self: None)  # the dead undo nothing
        with pytest.raises(SystemExit):
            write(rows(spark, 2, 3, 4, 5), format="delta", mode="append")
    assert ([row[0] for row in held(spark, path)], len(moves)) == (["1"], after)
    write(rows(spark, 6), format="delta", mode="append")
    assert [row[0] for row in held(spark, path)] == ["1", "2", "3", "4", "5", "6"]


def test_a_table_that_changes_between_the_moves_gets_the_rows_from_its_own_writer(
    write: Write, spark: SparkSession, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(rows(spark, 1), format="delta")
    honest, moves = delta_adopt.Adoption._move, []

    def move(self: Any, *pair: str) -> None:
        honest(self, *pair)
        moves.append(pair)
        spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")

    monkeypatch.setattr(delta_adopt.Adoption, "_move", move)
    write(rows(spark, 2), format="delta", mode="append")
    assert ([row[0] for row in held(spark, path)], len(moves)) == (["1", "2"], 1)


@pytest.mark.long
def test_one_who_was_overtaken_between_the_moves_takes_nothing_back(
    write: Write, spark: SparkSession, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(rows(spark, 1), format="delta")
    honest = delta_adopt.Adoption._move

    def move(self: Any, source: str, target: str) -> None:
        honest(self, source, target)
        os.rename(self.at.removeprefix("file:"), f"{path}.claimed")
        raise InfrastructureError("the next file is gone")

    monkeypatch.setattr(delta_adopt.Adoption, "_move", move)
    before = len(list(Path(path).glob("part-*")))
    with pytest.raises(InfrastructureError, match="the next file is gone"):
        write(rows(spark, 2), format="delta", mode="append")
    assert len(list(Path(path).glob("part-*"))) == before + 1


def test_what_is_refused_before_the_commit_goes_back_to_where_it_was(
    write: Write, spark: SparkSession, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(rows(spark, 1), format="delta")
    before = sorted(Path(path).rglob("part-*"))
    with monkeypatch.context() as patch:
        patch.setattr(deltalog.Transaction, "count", lambda self, files: 7)
        with pytest.raises(AccountingError, match="1 rows were staged .* but 7 are accounted for"):
            write(rows(spark, 2), format="delta", mode="append")
    assert (sorted(Path(path).rglob("part-*")), [row[0] for row in held(spark, path)]) == (before, ["1"])
    write(rows(spark, 3), format="delta", mode="append")
    assert [row[0] for row in held(spark, path)] == ["1", "2", "3"]


def test_a_staged_file_that_is_gone_is_told(write: Write, spark: SparkSession, path: str) -> None:
    write(rows(spark, 1), format="delta")

    def lose(staged: Staged) -> None:
        for file in Path(staged.data.removeprefix("file:")).rglob("part-*"):
            file.unlink()

    with pytest.raises(InfrastructureError, match="was staged, and is gone"):
        write(rows(spark, 2), format="delta", mode="append", meanwhile=lose)
    assert [row[0] for row in held(spark, path)] == ["1"]


CDC, SCD2 = {"mode": "cdc", "keys": ("k",), "sequence_by": "at"}, {"mode": "scd2", "keys": ("k",), "valid_from": "at"}


@pytest.mark.parametrize(("given", "wrong", "mended", "reason"), [
    ({"mode": "merge", "keys": ("k",)}, [("b", 2, "x"), ("b", 3, "y")], [("b", 3, "y")], "duplicate_keys"),
    LONG(CDC, [("a", 1, "other than in the table")], [("a", 2, "newer")], "sequence_tie"),
    LONG(SCD2, [("b", None, "x")], [("b", 2, "x")], "null_keys"),
], ids=lambda p: p["mode"] if isinstance(p, dict) else p if isinstance(p, str) else "")
def test_a_batch_that_is_refused_by_its_keys_stops_no_later_run(
    given: dict[str, Any], wrong: list[Any], mended: list[Any], reason: str, write: Write, spark: SparkSession, path: str,
) -> None:
    says = "k string, at int, said string"
    write(spark.createDataFrame([("a", 1, "first")], says), format="delta", **given)
    with pytest.raises(ContractError) as error:
        write(spark.createDataFrame(wrong, says), format="delta", **given)
    staged = write(spark.createDataFrame(mended, says), format="delta", **given)
    assert (error.value.exit_code, error.value.reason, staged.committed is not None) == (4, reason, True)
    held = {tuple(row) for row in spark.read.format("delta").load(path).select("k", "at", "said").collect()}
    assert set(mended) <= held <= {("a", 1, "first"), *mended}


def test_a_table_that_refuses_a_mode_stops_no_later_run(write: Write, spark: SparkSession, path: str) -> None:
    write(rows(spark, 1), format="delta", mode="append")
    with pytest.raises(UsageError, match="has no partitions, and the mode is overwrite_partitions"):
        write(rows(spark, 2), format="delta", mode="overwrite_partitions")
    write(rows(spark, 3), format="delta", mode="append")
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.setTransactionRetentionDuration' = 'interval 1 days')")
    with pytest.raises(UsageError, match="would forget what was committed"):
        write(rows(spark, 4), format="delta", mode="append")
    spark.sql(f"ALTER TABLE delta.`{path}` UNSET TBLPROPERTIES ('delta.setTransactionRetentionDuration')")
    write(rows(spark, 5), format="delta", mode="append")
    assert [row[0] for row in held(spark, path)] == ["1", "3", "5"]


@pytest.mark.long
def test_a_commit_by_keys_takes_what_its_judgement_staged_unless_the_table_changed(
    write: Write, spark: SparkSession, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest, staged = delta_merge.Batch.stage, list[bool]()
    monkeypatch.setattr(delta_merge.Batch, "stage", lambda self, *given: staged.append(self.staged) or honest(self, *given))
    write(rows(spark, 1, 2), format="delta", mode="merge", keys=("v",))
    assert staged == [False, True]

    def judges(*given: Any) -> None:
        delta.judge(*given)
        spark.sql(f"DELETE FROM delta.`{path}` WHERE v = 1")

    monkeypatch.setattr(delta, "FORMAT", replace(delta.FORMAT, judge=judges))
    write(rows(spark, 1, 2), format="delta", mode="merge", keys=("v",))
    assert ([row[0] for row in held(spark, path)], staged[2:]) == (["1", "2"], [False, False])


@pytest.mark.long
def test_rows_come_into_a_plain_table_by_its_own_names_whatever_the_session_gives_to_new_ones(
    write: Write, spark: SparkSession, path: str, writes: list[str],
) -> None:
    write(rows(spark, 1), format="delta", mode="append")
    with setting(spark, "spark.databricks.delta.properties.defaults.columnMapping.mode", "name"):
        write(rows(spark, 2), format="delta", mode="append")
    assert ([row[0] for row in held(spark, path)], writes) == (["1", "2"], ["staging", "table"])


@pytest.mark.long
def test_an_append_without_a_journal_is_replaced_by_the_same_date_again(
    request: pytest.FixtureRequest, spark: SparkSession, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = request.getfixturevalue("go")
    monkeypatch.setattr(publishing.Journals, "journaled", lambda self, path: False)
    for day, lines in (("1", ["a"]), ("1", ["a", "late"]), ("2", ["b"])):
        run(lines, f"2026-01-0{day}")
    assert sorted(row[0] for row in spark.read.format("delta").load(path).select("value").collect()) == ["a", "b", "late"]


@pytest.mark.long
def test_rows_that_an_update_moved_to_another_partition_are_not_added_once_more(
    request: pytest.FixtureRequest, spark: SparkSession, path: str,
) -> None:
    run = request.getfixturevalue("go")
    by = {"outputs.output.partition_by": ["p"]}
    run(["a", "b"], "2026-01-01", **by)
    spark.sql(f"UPDATE delta.`{path}` SET p = 'z' WHERE p = 'a'")
    with pytest.raises(ContractError, match="can't be told from other rows any more"):
        run(["a", "b"], "2026-01-01", code="c2", **by)


@pytest.mark.parametrize("first", ["2026-01-01", LONG("2026-01-02")])
def test_an_append_of_a_date_that_was_merged_is_refused(
    first: str, request: pytest.FixtureRequest, spark: SparkSession, path: str,
) -> None:
    run = request.getfixturevalue("go")
    run(["a", "b"], first)
    run(["a", "b", "c"] if first == "2026-01-01" else ["a"], "2026-01-01",
        **{"outputs.output.mode": "merge", "outputs.output.keys": ["value"]})
    with pytest.raises(ContractError, match="can't be told from other rows any more"):
        run(["a"], "2026-01-01", code="c2")
    run(["d"], "2026-01-03")


def test_a_table_for_appends_alone_refuses_a_re_run_before_its_decision(
    request: pytest.FixtureRequest, spark: SparkSession, path: str,
) -> None:
    run = request.getfixturevalue("go")
    run(["a"], "2026-01-01")
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    for over in ({}, {"outputs.output.mode": "overwrite"}, {"outputs.output.mode": "merge", "outputs.output.keys": ["value"]}):
        with pytest.raises(ContractError, match=r"delta.appendOnly, and rows of it would be replaced"):
            run(["a"], "2026-01-01", lambda text: text.selectExpr("value", "'new' as p"), code="c2", **over)
    run(["b"], "2026-01-02")
    assert sorted(row[0] for row in spark.read.format("delta").load(path).select("value").collect()) == ["a", "b"]


@pytest.mark.long
def test_a_computed_column_with_another_value_is_refused_before_the_decision(write: Write, spark: SparkSession, path: str) -> None:
    spark.sql(f"CREATE TABLE delta.`{path}` (v int, p string, day date GENERATED ALWAYS AS (date '2026-01-01')) USING delta")
    write(rows(spark, 1), format="delta", mode="append")
    with pytest.raises(ContractError, match="1 row breaks the constraint day is"):
        write(rows(spark, 2), format="delta", mode="append")
    write(rows(spark, 3), format="delta", mode="append")
    assert [row[0] for row in held(spark, path)] == ["1", "3"]
