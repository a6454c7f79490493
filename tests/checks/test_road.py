"""Quality on the road: judged in the run's own pass, before anything is published, and told in the record."""
from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit import verdicts
from sparkkit.checks import onepass
from sparkkit.checks.rules import of
from sparkkit.formats.writing import setting
from sparkkit.job import Job
from sparkkit.schema.contract import Column, Contract
from sparkkit.testing import Outcome

DEEP = pytest.mark.e2e
"""A run of its own for each case: minutes on a busy machine, so not in the unit suite."""

Go = Callable[..., Outcome]
ROWS = [(1, "a", 10), (1, "b", 11), (2, "c", -1), (3, None, None), (None, "e", 200)]
HEAD = "kind: DataContract\napiVersion: v3.1.0\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n- name: t\n  properties:\n"
DDL = "a int, b string, n int"


def ours(name: str, test: str, more: str = "") -> str:
    """A row rule of a column, in YAML."""
    return f"{{type: custom, engine: sparkkit, name: {name}, implementation: '${{column}} {test}'{more}}}"


def tolerating(said: str) -> str:
    return f", customProperties: [{{property: sparkkit.tolerance, value: {said}}}]"


def once(keep: str) -> str:
    """A quality item of a column: its duplicates go to the quarantine."""
    return ("{metric: duplicateValues, mustBe: 0, name: twice, severity: quarantine,"
            f" customProperties: [{{property: sparkkit.keep, value: {keep}}}]}}")


@pytest.fixture
def go(spark: SparkSession, tmp_path: Path, run_job: Callable[..., Outcome]) -> Go:
    """Runs rows through a build with a contract on the output or the input: its quality items by column, `t` for the table."""

    def call(
        quality: Mapping[str, list[str]], edge: str = "outputs.output", rows: Any = ROWS, build: Any = None, unique: str = "",
        ddl: str = DDL, **more: Any,
    ) -> Outcome:
        columns = [one.split() for one in ddl.split(", ")]
        lines = [f"  - {{name: {c}, physicalType: {kind}, unique: {str(c == unique).lower()},"
                 f" quality: [{', '.join(quality.get(c, []))}]}}\n" for c, kind in columns]
        (tmp_path / "t.yaml").write_text(HEAD + "".join(lines) + f"  quality: [{', '.join(quality.get('t', []))}]\n", encoding="utf-8")
        job = Job(build or _same, name="judged")
        texts = spark.createDataFrame(rows, re.sub("timestamp", "string", ddl))
        frame = texts.selectExpr(*[f"cast({c} as {kind}) as {c}" for c, kind in columns]).coalesce(1)
        return run_job(job, {"rows": frame, **more}, [f"--set={edge}.contract={tmp_path / 't.yaml'}"])

    return call


def _same(rows: DataFrame) -> DataFrame:
    return rows


def told(done: Outcome) -> dict[str, tuple[Any, Any]]:
    """Verdict and figure of each check in the record."""
    return {one["expectation_config"]["meta"]["name"]: (one["success"], one["result"].get("unexpected_count", one["result"].get(
        "observed_value"))) for one in done.record["checks"]}


MIXED = {
    "a": ["{metric: nullValues, mustBeLessThan: 50, unit: percent, name: holes}"],
    "n": [ours("above", "> 0"), ours("below", "< 100", ", severity: warning")],
    "t": ["{metric: rowCount, mustBe: 4, name: rows}", "{type: sql, query: 'select sum(n) from t', mustBe: 221, name: total}",
          "{type: sql, query: 'select count(*) from t x join t y using (a)', mustBe: 5, name: pairs}",
          "{type: text, description: fine, name: said}"],
}


@pytest.mark.parametrize("edge", ["outputs.output", pytest.param("inputs.rows", marks=DEEP)])
def test_rules_and_aggregates_are_judged_on_the_rows_that_pass(go: Go, edge: str) -> None:
    done = go(MIXED, edge)
    assert told(done) == {"holes": (True, 1), "above": (False, 1), "below": (False, 1), "rows": (True, 4), "total": (True, 221),
                          "pairs": (True, 5), "said": (None, None)}
    assert (done.exit_code, done.output.count(), done.quarantine.count() if done.quarantine else 0) == (0, 4, 1)
    assert {one["meta"]["of"] for one in done.record["checks"]} == {"output output" if edge[0] == "o" else "input rows"}


@pytest.mark.long
@DEEP
def test_without_an_observation_that_can_be_trusted_the_figures_are_recounted(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = go(MIXED, "inputs.rows")
    monkeypatch.setattr("sparkkit.accounting.Watch.once", lambda self: False)
    slow = go(MIXED, "inputs.rows")
    assert (told(slow), slow.exit_code) == (told(fast), 0)


@DEEP
@pytest.mark.parametrize(("quality", "message"), [
    ({"n": [ours("above", "> 0", ", severity: error")]}, "check 'above' is not met: 1 of 5 rows"),
    ({"n": [ours("a | b", "> 0", ", severity: error")]}, "check 'a | b' is not met: 1 of 5 rows"),
    ({"n": [ours("above", "> 20", tolerating("1"))]},
     "check 'above' is not met: 3 of 5 rows"),
    ({"t": ["{metric: rowCount, mustBeGreaterThan: 5, name: rows}"]}, "check 'rows' is not met: 5 found"),
    ({"a": ["{metric: duplicateValues, mustBe: 0, name: twice}"]}, "check 'twice' is not met: 2 of 5 rows"),
    ({"n": ["{type: custom, engine: greatExpectations, name: middle, implementation: {type: expect_column_median_to_be_between, "
            "kwargs: {minValue: 50}}}"]}, "check 'middle' is not met: 10.5 found"),
])
def test_a_broken_check_that_fails_ends_the_run_with_4_and_nothing_is_published(
    go: Go, tmp_path: Path, quality: dict[str, list[str]], message: str,
) -> None:
    if "greatExpectations" in str(quality):
        pytest.importorskip("great_expectations", reason="Great Expectations is not in the environment of Spark 3.5")
    done = go(quality)
    assert (done.exit_code, done.record["reason"]) == (4, "quality") and message in done.message
    assert [p for p in tmp_path.rglob("*") if p.name.startswith("output") or p.suffix == ".parquet" and ".output" in str(p)] == []
    assert [one["success"] for one in done.record["checks"]] == [False]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A driver in another zone than the session's."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("edge", ["outputs.output", "inputs.rows"])
def test_times_are_those_of_the_session_wherever_the_driver_is(go: Go, tokyo: None, edge: str) -> None:
    said = "{{type: sql, query: 'select max(at) from {}', mustBe: 2024-01-01 01:00:00, name: {}}}"
    done = go({"t": [said.format("t", "one"), said.format("t x join t y using (at)", "apart")]},
              edge, rows=[("2024-01-01 00:00:00",), ("2024-01-01 01:00:00",)], ddl="at timestamp")
    assert (done.exit_code, told(done)) == (0, {name: (True, "2024-01-01T01:00:00") for name in ("one", "apart")})


@pytest.mark.parametrize(("bound", "met"), [("2024-06-01T10:00:00Z", True), ("2024-06-01T11:00:00Z", False),
                                            ("2024-06-01T12:30:00+02:00", True)])
def test_a_bound_with_an_offset_is_that_instant_whatever_the_session_s_zone(spark: SparkSession, bound: str, met: bool) -> None:
    contract = Contract("t", (Column("at", "timestamp"),), quality=(
        {"type": "sql", "query": "select max(at) from t", "mustBeGreaterOrEqualTo": bound, "name": "newest"},))
    with setting(spark, "spark.sql.session.timeZone", "Europe/Berlin"):
        (found,) = verdicts.of_frame(spark.sql("select timestamp'2024-06-01 12:30:00' as at"), of(contract))
    assert (found["success"], found["result"]["observed_value"]) == (met, "2024-06-01T10:30:00")


@DEEP
@pytest.mark.long
@pytest.mark.parametrize(("edge", "trusted"), [("outputs.output", True), ("inputs.rows", True), ("inputs.rows", False)])
def test_a_row_that_breaks_two_rules_counts_for_both_and_goes_once(
    go: Go, edge: str, trusted: bool, monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not trusted:
        monkeypatch.setattr("sparkkit.accounting.Watch.once", lambda self: False)
    done = go({"n": [ours("above", "> 0"), ours("far", "> 10")], "b": [ours("early", "< ''d''")]}, edge)
    assert told(done) == {"early": (False, 1), "above": (False, 1), "far": (False, 2)}
    assert {one["result"]["element_count"] for one in done.record["checks"]} == {5}
    assert sorted(row.reason for row in done.quarantine.collect()) == ["above", "early", "far"]


@DEEP
def test_an_output_whose_key_stands_twice_is_not_published_and_an_input_s_is_taken_as_it_is(go: Go) -> None:
    done = go({}, unique="a")
    assert (done.exit_code, done.record["reason"], told(done)) == (4, "quality", {"a.unique": (False, 2)})
    assert (go({}, unique="n").exit_code, go({}, "inputs.rows", unique="a").exit_code) == (0, 0)


@DEEP
def test_an_expectation_that_needs_a_python_worker_is_answered(go: Go) -> None:
    pytest.importorskip("great_expectations", reason="Great Expectations is not in the environment of Spark 3.5")
    parses = ("{type: custom, engine: greatExpectations, name: dates, implementation: {type: expect_column_values_to_match_strftime_format,"
              " kwargs: {strftimeFormat: '%Y-%m-%d'}}}")
    done = go({"b": [parses]}, rows=[(1, "2024-01-02", 1), (2, "b", 2), (3, "c", 3), (4, None, 4)])
    assert (done.exit_code, told(done), done.record["checks"][0]["meta"]["engine"]) == (4, {"dates": (False, 2)}, "gx")


@DEEP
def test_within_its_tolerance_a_quarantine_goes_on(go: Go) -> None:
    done = go({"n": [ours("above", "> 20", tolerating("60%"))]})
    assert (done.exit_code, told(done), done.record["outputs"]["output"]["written"]) == (0, {"above": (True, 3)}, 2)


@pytest.mark.long
@DEEP
@pytest.mark.parametrize(("keep", "left"), [("first by n", {"a", "c", None, "e"}), ("last by n", {"b", "c", None, "e"}),
                                            ("none", {"c", None, "e"})])
@pytest.mark.parametrize("edge", ["outputs.output", "inputs.rows"])
def test_the_duplicate_that_is_declared_stays_and_the_others_go_to_the_quarantine(go: Go, keep: str, left: set[Any], edge: str) -> None:
    done = go({"a": [once(keep)]}, edge)
    assert {row.b for row in done.output.collect()} == left
    taken = 5 - len(left)
    assert (told(done), [row.reason for row in done.quarantine.collect()] if done.quarantine else []) == (
        {"twice": (False, taken)}, ["twice"] * taken)


@DEEP
def test_a_reference_to_nothing_goes_to_the_quarantine_or_ends_the_run(go: Go, spark: SparkSession) -> None:
    def build(rows: DataFrame, regions: DataFrame) -> DataFrame:
        return rows

    regions = spark.createDataFrame([(1,), (2,), (2,)], "code int")
    refers = "{type: custom, engine: sparkkit, implementation: {references: regions.code}, name: region, severity: %s}"
    done = go({"a": [refers % "quarantine"]}, build=build, regions=regions)
    assert (done.exit_code, told(done), sorted(row.a or 0 for row in done.output.collect())) == (0, {"region": (False, 1)}, [0, 1, 1, 2])
    ended = go({"a": [refers % "error"]}, build=build, regions=regions)
    assert (ended.exit_code, told(ended)) == (4, {"region": (False, 1)})


@pytest.mark.long
@DEEP
@pytest.mark.parametrize("ties", [1, 2])
def test_equal_duplicates_are_told_apart_the_same_way_each_time(go: Go, ties: int) -> None:
    done = go({"a": [once("first by n")]}, "inputs.rows", rows=[(i % 50, f"{i % (50 * ties)}", 1) for i in range(400)])
    assert (done.exit_code, done.record["inputs"]["rows"]["passed"], done.output.count()) == (0, 50, 50)


@pytest.mark.parametrize(("edge", "item"), [
    ("outputs.output", "{type: sql, query: 'select max(salry) from t', mustBe: 5, name: slip}"),
    ("inputs.rows", "{type: sql, query: 'select max(t.salry) from t', mustBe: 5, name: slip}"),
    ("inputs.rows", "{type: sql, query: 'select max(salry) from t', mustBe: 5, name: slip}"),
    pytest.param("outputs.output", "{type: sql, query: 'salry > 0', name: slip, severity: warning}", marks=DEEP),
    pytest.param("inputs.rows", "{type: sql, query: 'salry > 0', name: slip}", marks=DEEP),
])
def test_a_slip_in_a_contract_s_sql_is_told_before_anything_is_computed(go: Go, edge: str, item: str) -> None:
    done = go({"t": [item]}, edge)
    assert (done.exit_code, done.record["reason"], done.record["seconds"]["write"]) == (2, "bad_contract", None)
    assert re.search(r"contract 't', (rule|check) 'slip': \[", done.message)


def test_what_is_asked_is_asked_once() -> None:
    from sparkkit.checks.rules import of
    from sparkkit.schema.contract import Column, Contract, Rule

    twenty = Contract("t", (Column("a", "int"),), rules=tuple(Rule(f"r{i}", f"a > {i}") for i in range(14)), quality=tuple(
        {"type": "sql", "query": f"select {f}(a) from t", "mustBeLessThan": 5} for f in ("min", "max", "sum", "avg", "count", "max")))
    checks = of(twenty)
    assert len(onepass.names(onepass.asked(checks, onepass.scope(checks, "bad", "bad")))) == 5 + 1
