"""Our own pass and Great Expectations: the same verdicts and counts, in the same format."""
from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from pyspark.sql import SparkSession

from sparkkit import verdicts
from sparkkit.checks.rules import Check, of
from sparkkit.schema.contract import Column, Contract, Rule
from tests.checks import engines

expectations = pytest.importorskip("sparkkit.checks.expectations")
pytest.importorskip("great_expectations", reason="Great Expectations is not in the environment of Spark 3.5")
Rows = list[tuple[Any, ...]]
Suite = Mapping[str, Mapping[str, Any]]
PLAIN: Suite = {
    "expect_column_values_to_be_between": {"column": "a", "min_value": 1, "mostly": 0.5},
    "expect_column_values_to_be_unique": {"column": "x"},
    "expect_column_mean_to_be_between": {"column": "n", "min_value": 1, "max_value": 5},
}


def compare(spark: SparkSession, rows: Rows, suite: Suite) -> None:
    found = engines.checks(suite)
    frame = spark.createDataFrame(rows, engines.DDL).coalesce(1)
    ours = [engines.told(one) for one in verdicts.of_frame(frame, found)]
    theirs = [engines.told(one) for one in expectations.run(frame, found)]
    assert ours == theirs


@engines.some(1)
@given(engines.CASES)
def test_both_engines_say_the_same_of_random_rows(spark: SparkSession, case: tuple[Rows, Suite]) -> None:
    compare(spark, *case)


@pytest.mark.e2e
@engines.some(5)
@given(engines.CASES)
@example(([], PLAIN))
@example((engines.ODD, PLAIN))
@example(([(None,) * 6] * 3, PLAIN))
def test_both_engines_say_the_same_of_many_random_rows(spark: SparkSession, case: tuple[Rows, Suite]) -> None:
    compare(spark, *case)


RULES = Contract("t", (Column("a", "int"), Column("s", "string")), rules=(
    Rule("short", "length(s) < 3", "stop"), Rule("braces", "s not rlike '^a{3,}$'", "allow"),
    Rule("few", "a > 1", tolerance="<= 50 percent"),
), quality=(
    {"metric": "nullValues", "column": "a", "mustBeLessThan": 30, "unit": "percent"},
    {"metric": "duplicateValues", "column": "s", "mustBeLessOrEqualTo": 1},
    {"metric": "rowCount", "mustNotBe": 4},
    {"type": "sql", "name": "sum", "query": "SELECT sum(a) FROM t WHERE s <> 'x'", "mustBeBetween": [1, 3]},
    {"type": "sql", "name": "joined", "query": "select count(*) from ${object} l join ${object} r on l.a = r.a", "mustBe": 5},
    {"type": "text", "description": "looks nice"},
))


@pytest.mark.e2e
def test_rules_metrics_and_queries_are_judged_alike(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, "a"), (1, "aaa"), (2, "a"), (None, None)], "a int, s string")
    found = of(RULES)
    ours = {one["expectation_config"]["meta"]["name"]: one["success"] for one in verdicts.of_frame(frame, found)}
    theirs = {one["expectation_config"]["meta"]["name"]: one["success"] for one in expectations.run(frame, found)}
    assert theirs == {"short": False, "braces": False, "few": True, "a.nullValues": True, "s.duplicateValues": False,
                      "t.rowCount": False, "sum": False, "joined": True}
    assert ours == {**theirs, "t.text": None}


@pytest.mark.e2e
def test_the_format_is_theirs(spark: SparkSession) -> None:
    frame = spark.createDataFrame(engines.ODD, engines.DDL)
    found = engines.checks(PLAIN)
    for ours, theirs in zip(verdicts.of_frame(frame, found), expectations.run(frame, found), strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["expectation_config"].keys() <= theirs["expectation_config"].keys()
        assert ours["result"].keys() == theirs["result"].keys()
        assert ours["exception_info"] == theirs["exception_info"]


def test_what_only_great_expectations_knows_is_answered_by_it_and_said_so(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = Contract("t", (Column("n", "int"),), quality=(
        {"type": "custom", "engine": "greatExpectations", "column": "n", "name": "middle", "implementation": {
            "type": "expect_column_median_to_be_between", "kwargs": {"minValue": 3}}},
        {"metric": "rowCount", "mustBe": 2}))
    reached: list[Any] = []
    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: (reached.append(to), real(self, to)))
    middle, rows = verdicts.of_frame(spark.createDataFrame([(1,), (2,)], "n int"), of(contract))
    assert (middle["meta"], middle["success"], middle["result"]) == ({"engine": "gx"}, False, {"observed_value": 1.5})
    assert (rows["meta"], rows["success"]) == ({"engine": "native"}, True)
    assert {to[0] for to in reached if isinstance(to, tuple)} <= {"127.0.0.1", "localhost"}


def test_a_suite_that_makes_no_sense_is_wrong_use(spark: SparkSession) -> None:
    from sparkkit.errors import UsageError

    with pytest.raises(UsageError, match="does not take check 'x'"):
        expectations.run(spark.range(1).toDF("a"), [Check("x", "expect_nothing", {}, engine="gx")])
