"""Generated rows keep their contract, and hold the edges."""
from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.schema import odcs, testdata, types
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.limits import rules
from sparkkit.schema.patterns import matching

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
EVERY_TYPE = odcs.load(SCHEMAS / "every_type.yaml")
LIMITED = (
    Column("i", "int", limits={"minimum": -7, "maximum": 100, "multipleOf": 7}),
    Column("t", "tinyint", limits={"exclusiveMinimum": 126}),
    Column("d", "decimal(5,2)", limits={"exclusiveMinimum": 0.1, "exclusiveMaximum": 9.95, "multipleOf": 0.05}),
    Column("x", "double", limits={"exclusiveMinimum": 0, "maximum": 0.5}),
    Column("f", "float", limits={"minimum": 0.1, "maximum": 0.7}),
    Column("g", "double", limits={"multipleOf": 0.25, "minimum": -3}),
    Column("day", "date", limits={"minimum": "2024-02-28", "exclusiveMaximum": "2024-03-02"}),
    Column("at", "timestamp", limits={"minimum": "2024-02-29T00:00:00+02:00", "maximum": "2024-03-01 00:00:00"}),
    Column("local", "timestamp_ntz", limits={"exclusiveMinimum": "2024-02-29 00:00:00"}),
    Column("s", "string", limits={"minLength": 2, "maxLength": 3}),
    Column("p", "string", limits={"pattern": r"^[A-Z]{2}-(\d+|x'\\y)\.?[^a-z]$", "maxLength": 12}),
    Column("e", "string", limits={"enum": ["it's", "b\\c"]}),
    Column("n", "decimal(4,1)", limits={"enum": [1.5, 2]}),
    Column("k", "date", limits={"enum": ["2024-02-29"]}),
    Column("b", "binary", limits={"minLength": 3, "maxLength": 4}),
    Column("l", "array<tinyint>", limits={"minItems": 2, "maxItems": 3, "uniqueItems": True}),
    Column("m", "map<string,int>", limits={"minItems": 1}),
)


def test_generated_rows_go_into_a_frame_and_come_back(spark) -> None:
    data = testdata.rows(EVERY_TYPE, 60)

    result = spark.createDataFrame(data, types.struct(EVERY_TYPE)).withColumn(
        "a_timestamp", F.expr("unix_micros(a_timestamp)")
    )

    place = EVERY_TYPE.names.index("a_timestamp")
    expected = [(*row[:place], _micros(row[place]), *row[place + 1:]) for row in data]
    assert [_plain(row) for row in result.collect()] == [_plain(row) for row in expected]


def _micros(when) -> int | None:
    from datetime import UTC, datetime, timedelta

    return None if when is None else (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _plain(value):
    """Rows as tuples, binary as bytes."""
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return (
        type(value)(map(_plain, value))
        if type(value) is list
        else tuple(map(_plain, value))
        if isinstance(value, tuple)
        else value
    )


def test_generated_rows_keep_the_rules_of_all_limits(spark) -> None:
    contract = Contract("t", LIMITED, rules=tuple(rule for c in LIMITED for rule in rules(c)))
    frame = spark.createDataFrame(testdata.rows(contract, 200), types.struct(contract))

    result = frame.agg(
        *(F.expr(f"count_if(not coalesce({r.predicate}, false))").alias(r.name) for r in contract.rules)
    ).first()

    assert result.asDict() == {rule.name: 0 for rule in contract.rules}


def test_the_same_seed_gives_the_same_rows_and_another_gives_others() -> None:
    result = [testdata.rows(EVERY_TYPE, 40, seed) for seed in (1, 1, 2)]

    assert (result[0] == result[1], result[0] == result[2]) == (True, False)


def test_the_first_rows_are_a_types_edges() -> None:
    contract = Contract("t", (Column("a", "decimal(4,2)", required=True), Column("b", "date"), Column("c", "string")))

    numbers, days, texts = (set(values) for values in zip(*testdata.rows(contract, 16), strict=True))

    assert (
        {Decimal("-99.99"), Decimal("99.99"), Decimal("0.00")} <= numbers
        and {None, date(2024, 2, 29), date.max} <= days
        and {None, "", "🙂", 'say "hi"'} <= texts
    )


def test_only_columns_that_may_hold_nulls_do() -> None:
    contract = Contract("t", (Column("a", "int", required=True), Column("b", "int", key=1), Column("c", "int")))

    assert [None in values for values in zip(*testdata.rows(contract, 100), strict=True)] == [False, False, True]


def test_keys_and_unique_columns_do_not_repeat() -> None:
    contract = Contract(
        "t", (Column("a", "boolean", key=1), Column("b", "tinyint", key=2), Column("c", "string", unique=True))
    )

    data = testdata.rows(contract, 300)

    assert (len({row[:2] for row in data}), len({row[2] for row in data})) == (300, 300)


def test_more_rows_than_a_unique_column_has_values_are_refused() -> None:
    with pytest.raises(UsageError, match="only 3 rows were found"):
        testdata.rows(Contract("t", (Column("a", "boolean", unique=True),)), 4)


@pytest.mark.parametrize(
    "column",
    [
        Column("a", "int", limits={"minimum": 2, "maximum": 1}),
        Column("a", "double", limits={"exclusiveMinimum": 1, "maximum": 1}),
        Column("a", "string", limits={"minLength": 3, "maxLength": 2}),
        Column("a", "array<boolean>", limits={"minItems": 3, "uniqueItems": True}),
        Column("a", "string", limits={"pattern": "^a{9}$", "maxLength": 3}),
    ],
    ids=lambda c: str(c.limits),
)
def test_limits_that_leave_no_value_are_refused(column: Column) -> None:
    with pytest.raises(UsageError, match="column 'a': its limits leave no value"):
        testdata.rows(Contract("t", (column,)), 1)


def test_texts_that_the_reader_would_take_for_null_or_trim_are_left_out() -> None:
    contract = Contract(
        "t", (Column("a", "string", required=True, reader={"trim": "true"}),), reader={"null_values": "null,0"}
    )

    found = {row[0] for row in testdata.rows(contract, 200)}

    assert not found & {"null", "0"} and all(text == text.strip() for text in found)


KEYED = Contract(
    "t", (Column("k", "smallint", key=1), Column("s", "string", limits={"maxLength": 4}), *EVERY_TYPE.columns[8:])
)


@given(testdata.hypothesis_rows(KEYED))
def test_rows_by_hypothesis_keep_key_and_limits(data: list) -> None:
    assert len({row[0] for row in data}) == len(data) and all(row[1] is None or len(row[1]) <= 4 for row in data)


@given(
    st.sampled_from(
        [r"\d{3}", "a|b+c", "^(?:x|y)?z$", r"[^\s-]{2,}", r"\w\W", "a.c", "^$", "(?i)abc", "[a-c]*+d", "a$b|c"]
    ),
    st.randoms(use_true_random=True),
)
def test_made_up_texts_match_their_pattern(pattern: str, rng: Random) -> None:
    import re

    draw: Callable[[Random], str] = matching(pattern)

    assert re.search(pattern, draw(rng))


@pytest.mark.parametrize("pattern", [r"(a)\1", "a(?=b)", "(", r"\p{L}", "[a-c&&b]"])
def test_a_pattern_that_no_text_can_be_made_for_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="no test data can be made"):
        matching(pattern)(Random(0))
