"""A landed frame made true to its contract."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from chispa.dataframe_comparer import assert_df_equality
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, UsageError
from sparkkit.schema.conform import conform, counted, stopping
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW

NAN = float("nan")


def contract(*columns: str, required: str = "", rules: tuple[Rule, ...] = (), **policy: str) -> Contract:
    """A contract from `name type` texts."""
    made = tuple(
        Column(c.split(" ", 1)[0], c.split(" ", 1)[1], required=c.split(" ", 1)[0] == required) for c in columns
    )
    return Contract("t", made, policy=policy, rules=rules)


def reasons(frame: DataFrame) -> list[str | None]:
    return [row.reason for row in frame.select(F.col(BAD).reason.alias("reason")).collect()]


TYPED: dict[str, tuple[str, str, list[tuple[Any, str]]]] = {
    "long to int": ("bigint", "int", [(1, "1"), (2**31, "!out_of_range"), (None, "None")]),
    "long to double": ("bigint", "double", [(2**53, "9.007199254740992E15"), (2**53 + 1, "!loss_of_scale")]),
    "int to decimal": ("int", "decimal(12,2)", [(7, "7.00")]),
    "int to short decimal": ("int", "decimal(3,0)", [(999, "999"), (1000, "!out_of_range")]),
    "double to int": (
        "double",
        "int",
        [(1.0, "1"), (1.5, "!loss_of_scale"), (NAN, "!not_a_number"), (1e20, "!out_of_range")],
    ),
    "double to decimal": (
        "double",
        "decimal(5,2)",
        [(1.25, "1.25"), (1.255, "!loss_of_scale"), (1e9, "!out_of_range")],
    ),
    "double": ("double", "double", [(1.0, "1.0"), (NAN, "!not_a_number"), (float("-inf"), "!not_a_number")]),
    "double to float": ("double", "float", [(0.5, "0.5"), (0.1, "!loss_of_scale"), (1e300, "!loss_of_scale")]),
    "decimal": ("decimal(5,2)", "decimal(5,1)", [(Decimal("1.20"), "1.2"), (Decimal("1.25"), "!loss_of_scale")]),
    "int to boolean": ("int", "boolean", [(0, "false"), (1, "true"), (2, "!bad_value")]),
    "timestamp to date": (
        "timestamp",
        "date",
        [(datetime(2021, 3, 28), "2021-03-28"), (datetime(2021, 3, 28, 2), "!bad_value")],
    ),
    "string": ("string", "string", [("x", "x"), ("\ufffd", "!replacement_character")]),
    "string to int": ("string", "int", [("7", "7"), ("7 ", "!bad_value")]),
    "array": ("array<bigint>", "array<int>", [([1], "[1]"), ([2**40], "!bad_value"), ([None], "[null]")]),
    "map": ("map<string,bigint>", "map<string,int>", [({"a": 1}, "{a -> 1}"), ({"a": 2**40}, "!bad_value")]),
    "struct by name": (
        "struct<b:int,a:bigint>",
        "struct<a:int,b:bigint>",
        [({"b": 1, "a": 2}, "{2, 1}"), ({"b": 1, "a": 2**40}, "!bad_value"), (None, "None")],
    ),
}


@pytest.mark.parametrize("name", sorted(TYPED))
def test_a_typed_value_passes_whole_or_is_a_finding(spark: SparkSession, name: str) -> None:
    source, target, cases = TYPED[name]
    landed = spark.createDataFrame([(value,) for value, _ in cases], f"a {source}")

    rows = conform(landed, contract(f"a {target}")).selectExpr("cast(a as string) as v", f"{BAD}.reason as r").collect()

    assert [f"!{row.r}" if row.r else str(row.v) for row in rows] == [expected for _, expected in cases]


def test_a_local_time_in_the_gap_of_its_zone_is_a_finding(spark: SparkSession) -> None:
    landed = spark.createDataFrame(
        [(datetime(2021, 3, 28, 2, 30),), (datetime(2021, 3, 28, 3, 30),)], "a timestamp_ntz"
    )
    berlin = Contract("t", (Column("a", "timestamp"),), reader={"zone": "Europe/Berlin"})

    result = conform(landed, berlin)

    assert reasons(result) == ["dst_gap", None]


def test_the_rule_names_column_value_and_type(spark: SparkSession) -> None:
    landed = spark.createDataFrame([("it's",), ("x" * 200,)], "`a b` string")

    result = conform(landed, Contract("t", (Column("a b", "int"),))).select(F.col(BAD).rule.alias("rule")).collect()

    assert [row.rule for row in result] == ["a b: 'it's' is no int", f"a b: '{'x' * 80}' is no int"]


def test_the_first_finding_of_a_row_stands_and_a_landed_one_comes_before_all(spark: SparkSession) -> None:
    rows = [("f", "r", ("ragged_row", "2 fields"), "x", "y"), ("f", "r", None, "x", "y"), ("f", "r", None, "1", "y")]
    landed = spark.createDataFrame(rows, f"{FILE} string, {RAW} string, {BAD} {BAD_TYPE}, a string, b string")

    result = conform(landed, contract("a int", "b int")).select(F.col(BAD).rule.alias("rule")).collect()

    assert [row.rule for row in result] == ["2 fields", "a: 'x' is no int", "b: 'y' is no int"]


def test_a_null_where_a_value_is_required_is_a_finding(spark: SparkSession) -> None:
    landed = spark.createDataFrame([("1",), (None,), ("",)], "a string")

    result = conform(landed, contract("a int", required="a"))

    assert reasons(result) == [None, "null", "null"]


def test_nulls_pass_where_the_contract_allows_them(spark: SparkSession) -> None:
    landed = spark.createDataFrame([("1",), (None,)], "a string")

    result = conform(landed, contract("a int", required="a", null="allow"))

    assert reasons(result) == [None, None]


def test_an_allowed_bad_value_becomes_null_and_can_be_counted(spark: SparkSession) -> None:
    landed, allowing = spark.createDataFrame([("1",), ("x",)], "a string"), contract("a int", bad_value="allow")

    result = [row.a for row in conform(landed, allowing).collect()], reasons(conform(landed, counted(allowing)))

    assert result == ([1, None], [None, "bad_value"])


def test_rules_judge_rows_and_null_passes(spark: SparkSession) -> None:
    landed = spark.createDataFrame([("1",), ("-1",), (None,), ("x",)], "`a.b` string")
    positive = Rule("positive", "`a.b` > 0", description="counts begin at 1")

    result = conform(
        landed, Contract("t", (Column("a.b", "int"),), rules=(positive, Rule("never", "false", on="allow")))
    )

    assert reasons(result) == [None, "positive", None, "bad_value"]


def test_names_with_dots_backticks_and_twins_in_another_case_work(spark: SparkSession) -> None:
    names = ("a", "A", "b.c", "d`e", "é è", "select")
    landed = spark.createDataFrame([tuple("123456")], ", ".join(f"c{i} string" for i in range(6))).toDF(*names)

    result = conform(landed, Contract("t", tuple(Column(name, "int") for name in reversed(names))))

    row = result.first()
    assert row is not None and (tuple(result.columns[2:-1]), tuple(row)[2:-1]) == (names[::-1], (6, 5, 4, 3, 2, 1))


def test_a_missing_column_stops_and_names_its_near_miss(spark: SparkSession) -> None:
    landed = spark.createDataFrame([(1,)], "qty int")

    with pytest.raises(ContractError, match="'Qty' is there as 'qty'") as caught:
        conform(landed, contract("Qty int"))

    assert caught.value.reason == "missing_column"


def test_a_missing_column_is_null_or_a_finding_as_the_contract_says(spark: SparkSession) -> None:
    landed = spark.createDataFrame([(1,)], "a int")

    result = [
        reasons(conform(landed, contract("a int", "b int", missing_column=answer)))
        for answer in ("allow", "quarantine")
    ]

    assert result == [[None], ["missing_column"]]


def test_extra_columns_are_findings_where_they_hold_something(spark: SparkSession) -> None:
    landed = spark.createDataFrame([(1, None), (2, 3)], "a int, b int")

    result = (
        reasons(conform(landed, contract("a int"))),
        reasons(conform(landed, contract("a int", extra_column="allow"))),
    )

    assert result == ([None, "extra_column"], [None, None])


def test_extra_columns_stop_where_the_contract_says_so(spark: SparkSession) -> None:
    with pytest.raises(ContractError, match="'b' not in the contract"):
        conform(spark.createDataFrame([(1, 2)], "a int, b int"), contract("a int", extra_column="stop"))


def test_a_struct_that_lacks_a_field_is_refused_by_name(spark: SparkSession) -> None:
    with pytest.raises(ContractError, match="a: a struct lacks 'y'"):
        conform(spark.createDataFrame([((1,),)], "a struct<x:int>"), contract("a struct<x:int,y:int>"))


def test_conform_of_a_conformed_frame_changes_nothing(spark: SparkSession) -> None:
    landed, due = spark.createDataFrame([("1", "x"), ("z", None)], "a string, b string"), contract("a int", "b string")
    once = conform(landed, due)

    twice = conform(once, due)

    assert_df_equality(twice, once, ignore_nullable=True)


def test_stopping_reasons_follow_the_policies() -> None:
    rules = (Rule("r", "true", on="stop"), Rule("s", "true"))

    result = stopping(contract("a int", rules=rules, null="stop", unreadable_row="stop"))

    assert {"r", "null", "ragged_row"} <= result and not {"s", "bad_value"} & result


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
            st.dates(),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=50,
    )
)
def test_every_value_of_a_type_comes_back_from_its_text(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    texts = [(str(i), str(d), day.isoformat(), repr(x)) for i, d, day, x in rows]
    landed = spark.createDataFrame(texts, "i string, d string, t string, x string")

    result = conform(landed, contract("i bigint", "d decimal(20,3)", "t date", "x double")).collect()

    assert [tuple(row)[2:-1] for row in result] == rows


@pytest.mark.parametrize("predicate", ["aa > 0", "a >", "a", "sum(a) > 0"])
def test_a_rule_that_spark_does_not_take_is_wrong_use_and_named(spark: SparkSession, predicate: str) -> None:
    contract = Contract("t", (Column("a", "int"),), rules=(Rule("good", "a > 0"), Rule("slip", predicate)))

    with pytest.raises(UsageError, match=r"contract 't', rule 'slip': \[[A-Z_.]+\] [^\n]+: mend its SQL in the contract$") as error:
        conform(spark.range(1).toDF("a"), contract)

    assert (error.value.reason, error.value.exit_code) == ("bad_contract", 2)
