"""What a contract's quality items become: checks with a severity, a tolerance and a question; and what is refused."""
from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit import verdicts
from sparkkit.checks.expect import NATIVE, ask
from sparkkit.checks.rules import Check, of
from sparkkit.errors import UsageError
from sparkkit.schema import bounds, odcs
from sparkkit.schema.conform import conform
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.schema.infer import to_yaml
from sparkkit.schema.landing import BAD
from sparkkit.schema.quality import lacking

COLUMNS = (Column("a", "int"), Column("b", "string", unique=True), Column("at", "timestamp"))


def one(item: dict[str, Any]) -> Check:
    (check,) = of(Contract("t", COLUMNS, quality=(item,)))
    return check


def keep(word: str) -> list[dict[str, str]]:
    return [{"property": "sparkkit.keep", "value": word}]


def tolerating(said: str) -> dict[str, Any]:
    return {"customProperties": [{"property": "sparkkit.tolerance", "value": said}]}


@pytest.mark.parametrize(("item", "kind", "engine"), [
    ({"metric": "rowCount", "mustBe": 3}, "expect_table_row_count_to_equal", "native"),
    ({"metric": "rowCount", "mustBeBetween": [1, 3]}, "expect_table_row_count_to_be_between", "native"),
    ({"metric": "rowCount", "mustBeGreaterThan": 3}, "unexpected_rows_expectation", "native"),
    ({"metric": "duplicateValues", "column": "a", "mustBe": 0}, "expect_column_values_to_be_unique", "native"),
    ({"metric": "duplicateValues", "arguments": {"properties": ["a", "b"]}, "mustBe": 0}, "expect_compound_columns_to_be_unique", "native"),
    ({"metric": "nullValues", "column": "a", "mustBeLessThan": 5, "unit": "percent"}, "unexpected_rows_expectation", "native"),
    ({"type": "sql", "query": "select max(a) from t", "mustBe": 5}, "unexpected_rows_expectation", "native"),
    ({"type": "custom", "engine": "greatExpectations", "column": "b", "implementation": {
        "type": "expect_column_values_to_be_dateutil_parseable"}}, "expect_column_values_to_be_dateutil_parseable", "gx"),
    ({"type": "custom", "engine": "soda", "implementation": "x"}, "custom", "none"),
    ({"type": "text", "description": "good"}, "text", "none"),
])
def test_each_kind_of_item_becomes_an_expectation(item: dict[str, Any], kind: str, engine: str) -> None:
    assert (one(item).kind, one(item).engine) == (kind, engine)


@pytest.mark.parametrize(("said", "severity"), [
    ({}, "fail"), ({"severity": "warning"}, "warn"), ({"severity": "HIGH"}, "fail"),
    ({"severity": "error", "customProperties": [{"property": "sparkkit.on", "value": "allow"}]}, "warn"),
])
def test_the_severity_is_ours_or_else_the_standard_s_or_else_to_fail(said: dict[str, Any], severity: str) -> None:
    assert one({"metric": "rowCount", "mustBe": 3, **said}).severity == severity


@pytest.mark.parametrize(("query", "figure"), [
    ("SELECT COUNT(*) FROM ${object} WHERE a > 3;", ("count_if", "(a > 3)")),
    ("select sum( a + length(b) ) as x from t", ("sum", "a + length(b)")),
    ("select max(${column}) from {batch} where b = 'x'", ("max", "case when b = 'x' then `a` end")),
    ("select count(distinct a) from t", None),
    ("select count(*) from t group by a", None),
    ("select max(a) from (select a from t)", None),
    ("select count(*) from other", None),
    ("select count(*) from `t` where b = 'from t limit {1}'", ("count_if", "(b = 'from t limit {1}')")),
    ("select count(*) from ${object} where ${object}.a > 0", None),
    ("select count(*) from t where t.a > 0", None),
    ("select count(*) from t where `t`.`a` > 0", None),
    ("select count(*) from t where a > 0 limit 1", None),
    ("select count(*) from t where a > 0 -- some", None),
    ("select count(*) from t where a > ${more}", None),
    ("select count(a, b) from t where a > 0", None),
    ("select max(*) from t", None),
])
def test_a_plain_aggregation_is_folded_into_the_pass_and_others_are_not(query: str, figure: tuple[str, str] | None) -> None:
    check = one({"type": "sql", "query": query, "mustBe": 5, "column": "a"})
    assert (check.ask.figure if check.ask else None) == figure
    assert bool(check.query) == (figure is None)


@pytest.mark.parametrize(("said", "met"), [("2", True), ("50%", True), ("49%", False), ("0", False)])
def test_a_tolerance_of_duplicates_is_how_many_rows_may_share_their_keys(spark: SparkSession, said: str, met: bool) -> None:
    frame = spark.sql("select explode(array(1, 1, 2, 3)) as a")
    check = one({"metric": "duplicateValues", "column": "a", "mustBe": 0, **tolerating(said)})
    (found,) = verdicts.of_frame(frame, [check])
    assert (found["success"], found["result"]["unexpected_count"]) == (met, 2)


QUERIES = {
    "SELECT count(*) FROM ${object} WHERE ${object}.a > 0": 2,
    "SELECT count(*) FROM t WHERE t.a > 0": 2,
    "SELECT count(*) FROM `t` WHERE `t`.a > 0 -- some": 2,
    "SELECT count(*) FROM {batch} WHERE {batch}.a > 0": 2,
    "SELECT count(*) FROM t x JOIN t AS y ON x.a = y.a": 3,
    "WITH p AS (SELECT * FROM t WHERE a > 0) SELECT count(*) FROM p": 2,
    "SELECT count(*) FROM t WHERE b = 'from t'": 1,
    "SELECT max(b) FROM t WHERE b LIKE '${object}%' OR t.b = '{batch}'": "{batch}",
    "SELECT count(*) FROM t WHERE a > 0 LIMIT 1": 2,
}


def test_queries_are_asked_of_the_rows_under_the_table_s_name_and_quoted_text_stays(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, "from t"), (2, "{batch}"), (-1, "from {batch}")], "a int, b string").coalesce(1)
    frame.createOrReplaceTempView("rows_of_t")
    checks = of(Contract("t", COLUMNS[:2], quality=tuple({"type": "sql", "query": q, "mustBe": n} for q, n in QUERIES.items())))

    ours = [one["result"]["observed_value"] for one in verdicts.of_frame(frame, checks)]
    theirs = [f"({check.kwargs['unexpected_rows_query'].format(batch='rows_of_t')})" for check in checks]

    assert (ours, spark.sql(" union all ".join(f"select string(value) from {q}" for q in theirs)).collect()) == ([*QUERIES.values()], [])


@pytest.mark.parametrize("item", [
    {"query": "select max(salry) from t"}, {"query": "select max(a) frm t"}, {"query": "select max(t.salry) from t"},
    {"query": "select sum(a) from t where b.c > 0"},
])
def test_a_check_that_spark_does_not_take_is_wrong_use_and_named(spark: SparkSession, item: dict[str, Any]) -> None:
    slip = {"type": "sql", "name": "slip", "mustBe": 5, **item}
    checks = of(Contract("t", COLUMNS[:2], quality=({"metric": "rowCount", "mustBe": 0}, slip)))
    with pytest.raises(UsageError, match=r"contract 't', check 'slip': \[") as error:
        verdicts.refuse_slips(spark.sql("select 1 as a, '' as b"), checks)
    assert error.value.reason == "bad_contract"


def test_a_comment_in_a_predicate_ends_with_it(spark: SparkSession) -> None:
    contract = Contract("t", COLUMNS[:2], rules=(Rule("paid", "a > 0 -- must be positive"), Rule("said", "b <> '' -- some", "allow")))
    frame = spark.createDataFrame([(1, "x"), (-1, "y")], "a int, b string")

    assert [row[BAD] and row[BAD].reason for row in conform(frame, contract).collect()] == [None, "paid"]
    assert [one["result"]["unexpected_count"] for one in verdicts.of_frame(frame, of(contract))] == [1, 0]


@pytest.mark.parametrize(("item", "words"), [
    ({"metric": "rowCount"}, "no mustBe"),
    ({"metric": "rowCount", "mustBe": 3, "name": "null"}, "can't be called 'null'"),
    ({"metric": "rowCount", "mustBe": 3, "unit": "parts"}, "unit is 'parts'"),
    ({"metric": "rowCount", "mustBe": 3, "severity": "quarantine"}, "no rows can go to the quarantine"),
    ({"metric": "rowCount", "mustBe": 3, "severity": "grave"}, "severity is 'grave'"),
    ({"metric": "nullRows", "mustBe": 3}, "the metric 'nullRows' is not understood"),
    ({"metric": "duplicateValues", "mustBe": 0}, "duplicates of what"),
    ({"metric": "duplicateValues", "column": "a", "mustBe": 0, "severity": "quarantine"}, "sparkkit.keep is missing"),
    ({"metric": "duplicateValues", "column": "a", "mustBe": 0, "severity": "quarantine", "customProperties": keep("first by att")},
     "there is no column 'att': did you mean 'at'?"),
    ({"type": "custom", "engine": "greatExpectations", "implementation": {"kwargs": {}}}, "implementation must be"),
    ({"type": "custom", "engine": "greatExpectations", "implementation": {"type": "expect_column_max_to_be_between", "kwargs": {
        "column": "aa", "min_value": 1}}}, "there is no column 'aa'"),
    ({"type": "custom", "engine": "sparkkit", "implementation": {"references": "u.x", "colums": ["a"]}}, "a reference is"),
    ({"metric": "duplicateValues", "column": "a", "mustBeLessThan": 9, **tolerating("5%")}, "both sparkkit.tolerance and < 9 rows say"),
    ({"metric": "duplicateValues", "column": "a", "mustBe": 0, **tolerating("some")}, "'some' is not understood"),
    *[({**item, **tolerating("5%")}, "sparkkit.tolerance has no meaning here") for item in (
        {"metric": "rowCount", "mustBe": 3}, {"metric": "nullValues", "column": "a", "mustBeLessThan": 5},
        {"type": "sql", "query": "select max(a) from t", "mustBe": 5}, {"type": "text"}, {"type": "custom", "engine": "greatExpectations",
            "implementation": {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "a"}}})],
])
def test_what_makes_no_sense_is_refused_by_name(item: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as error:
        one({"name": "rule one", **item})
    assert f"contract 't', quality {item.get('name', 'rule one')!r}" in str(error.value) and words in str(error.value)


def test_a_reference_to_what_is_no_input_of_the_job_is_refused_with_the_nearest() -> None:
    refers = {"type": "custom", "engine": "sparkkit", "name": "r", "column": "a", "implementation": {"references": "region.code"}}
    said = r"contract 't': check 'r' refers to 'region', which is no input of the job: did you mean 'regions'"
    with pytest.raises(UsageError, match=said):
        verdicts.checks({"rows": Contract("t", COLUMNS, quality=(refers,))}, {}, ["rows", "regions"])


def test_two_checks_of_one_name_are_told_apart() -> None:
    item = {"metric": "rowCount", "mustBe": 3}
    assert [check.name for check in of(Contract("t", COLUMNS, quality=(item, item)))] == ["t.rowCount", "t.rowCount#2"]


def test_keys_and_unique_columns_are_checks_where_they_are_asked_for() -> None:
    keyed = Contract("t", (Column("k", "int", key=1), Column("l", "int", key=2), *COLUMNS))
    assert ([check.name for check in of(keyed)], [check.kwargs for check in of(keyed, keys=True)]) == (
        [], [{"column_list": ["k", "l"]}, {"column": "b"}])


def test_a_quality_item_about_the_keys_takes_their_place() -> None:
    item = {"metric": "duplicateValues", "arguments": {"properties": ["l", "k"]}, "mustBe": 0, "severity": "warning"}
    keyed = Contract("t", (Column("k", "int", key=1), Column("l", "int", key=2)), quality=(item,))
    assert [check.severity for check in of(keyed, keys=True)] == ["warn"]


@pytest.mark.parametrize(("kind", "kwargs"), [
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 3, "max_value": 1}),
    ("expect_column_values_to_be_between", {"column": "a"}),
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 3, "row_condition": "b = 1"}),
    ("expect_column_values_to_match_regex", {"column": "a"}),
    ("expect_column_values_to_match_regex_list", {"column": "a", "regex_list": []}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["a"]}),
])
def test_arguments_that_are_not_plain_are_left_to_great_expectations(kind: str, kwargs: dict[str, Any]) -> None:
    assert kind in NATIVE and ask(kind, kwargs) is None


@pytest.mark.parametrize(("item", "value", "holds"), [
    ({"mustBe": 3}, 3, True), ({"mustBe": 3}, None, False), ({"mustNotBe": 3}, 3, False),
    ({"mustBeGreaterThan": 3}, 3, False), ({"mustBeGreaterOrEqualTo": 3}, 3, True),
    ({"mustBeLessThan": 3}, 3, False), ({"mustBeLessOrEqualTo": 3}, 3, True),
    ({"mustBeBetween": [1, 3]}, 3, True), ({"mustBeBetween": [1, 3]}, 4, False),
    ({"mustNotBeBetween": [1, 3]}, 3, False), ({"mustNotBeBetween": [1, 3]}, 0, True),
    ({"mustBeGreaterThan": 1, "mustBeLessThan": 3}, 3, False),
])
def test_each_comparison_of_the_standard_means_what_it_says(item: dict[str, Any], value: Any, holds: bool) -> None:
    must = bounds.of(item, "t.yaml")
    assert must is not None and must.hold(value) == holds


@pytest.mark.parametrize(("must", "value", "holds"), [
    (("<=", 99.99), Decimal("99.99"), True), ((">", 0.3), Decimal("0.3"), False),
    (("<=", "2024-01-01T01:00:00+01:00"), datetime(2024, 1, 1), True),
    (("<", datetime(2024, 1, 1, tzinfo=UTC)), datetime(2024, 1, 1), False),
    ((">=", date(2024, 1, 1)), datetime(2024, 1, 1), True), ((">=", "2024-01-01T00:00:00Z"), date(2024, 1, 1), True),
])
def test_a_bound_is_what_was_written_whatever_it_is_compared_with(must: tuple[str, Any], value: Any, holds: bool) -> None:
    assert bounds.Bounds((must,)).hold(value) == holds


@pytest.mark.parametrize("metric", ["nullValues", "duplicateValues"])
def test_a_share_of_no_rows_is_0_for_great_expectations_too(spark: SparkSession, metric: str) -> None:
    check = one({"metric": metric, "column": "a", "mustBeLessThan": 5, "unit": "percent"})
    query = check.kwargs["unexpected_rows_query"].format(batch="(select cast(1 as int) as a where false)")
    assert spark.sql(query).collect() == []


def test_a_date_in_an_expectation_s_arguments_does_not_keep_a_contract_from_its_hash() -> None:
    contract = odcs.parse(YAML.replace("maxValue: 3}", "maxValue: 2024-02-29, other: [2024-02-29 10:00:00]}"), "t.yaml")
    assert (len(contract.hash), of(contract)[-1].kwargs["max_value"]) == (16, "2024-02-29")


@pytest.mark.parametrize("said", ["some", "5 parts", "<= x rows", "<= 1 and > 0", -1])
def test_a_tolerance_that_is_not_understood_is_refused(said: Any) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        bounds.read(said, "t.yaml")


YAML = """
{kind: DataContract, apiVersion: v3.1.0, id: t, version: 1.0.0, status: active, schema: [{name: t, properties: [
  {name: a, logicalType: integer, quality: [
    {metric: nullValues, mustBe: 0, name: full, severity: warning},
    {metric: missingValues, mustBe: 0, name: said, arguments: {missingValues: [null, '', n/a]}},
    {metric: invalidValues, mustBeLessThan: 5, unit: percent, severity: quarantine, name: odd, arguments: {validValues: [1]}},
    {type: custom, engine: sparkkit, implementation: '${column} > 0', name: some,
     customProperties: [{property: sparkkit.tolerance, value: 5%}]},
    {type: custom, engine: greatExpectations, name: gx, implementation: "type: expect_column_max_to_be_between\\nkwargs: {maxValue: 3}"}
  ]}]}]}
"""


def test_metrics_that_count_values_are_row_rules_where_rows_can_be_taken_out() -> None:
    contract = odcs.parse(YAML, "t.yaml")
    assert contract.rules == (
        Rule("full", "`a` is not null", "allow"),
        Rule("said", "(`a` is not null and cast(`a` as string) not in ('', 'n/a'))"),
        Rule("odd", "(`a` is null or `a` in (1))", tolerance="< 5 percent"),
        Rule("some", "`a` > 0", tolerance="<= 5 percent"))
    assert [(c.name, c.severity, str(c.tolerance or "")) for c in of(contract)] == [
        ("full", "warn", ""), ("said", "quarantine", ""), ("odd", "quarantine", "< 5 percent"), ("some", "quarantine", "<= 5 percent"),
        ("gx", "fail", "")]
    assert of(contract)[-1].kwargs == {"column": "a", "max_value": 3}


@pytest.mark.parametrize(("dtype", "value", "values", "valid"), [
    ("boolean", "true", [True], True), ("boolean", "false", [True], False), ("double", "1.0D", [1], True),
    ("double", "0.5D", ["0.50"], True),
    ("decimal(9,2)", "1.50BD", [1.5], True), ("date", "date'2024-02-29'", ["2024-02-29"], True), ("string", "'true'", [True], True),
    ("timestamp_ntz", "timestamp_ntz'2024-02-29 00:00:00'", ["2024-02-29T00:00:00"], True), ("int", "7", [1, 2], False),
])
def test_valid_and_missing_values_are_values_of_the_column_s_type(
    spark: SparkSession, dtype: str, value: str, values: list[Any], valid: bool,
) -> None:
    column = Column("a", dtype)
    found = [lacking({"metric": f"{word}Values", "arguments": {f"{of}Values": values}}, column)
             for word, of in (("invalid", "valid"), ("missing", "missing"))]
    row = spark.sql(f"select cast({value} as {dtype}) as a").selectExpr(*map(str, found)).collect()[0]
    assert tuple(row) == (valid, not valid)


def test_a_valid_value_that_is_none_of_the_type_is_refused() -> None:
    with pytest.raises(UsageError, match=r"quality\[2\]: 'x' is no value of the type int"):
        odcs.parse(YAML.replace("validValues: [1]", "validValues: [x]"), "t.yaml")


@pytest.mark.parametrize(("said", "kept"), [("0", "<= 0 rows"), ("0%", "<= 0 percent")])
def test_a_tolerance_of_nothing_is_kept(said: str, kept: str) -> None:
    assert odcs.parse(YAML.replace("5%}", f"{said}}}"), "t.yaml").rules[-1].tolerance == kept


def test_a_contract_s_yaml_gives_the_same_contract_back() -> None:
    contract = odcs.parse(YAML, "t.yaml")
    assert odcs.parse(to_yaml(contract), "t.yaml") == contract
    assert Contract.from_json(contract.to_json()) == contract
