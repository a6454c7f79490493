"""Strict casts of text: each type has one grammar, and what does not fit says why."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit.errors import ContractError
from sparkkit.schema import cast
from sparkkit.schema.conform import conform
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.landing import BAD
from sparkkit.schema.types import parse

Cases = Mapping[str, str]


def verdicts(
    spark: SparkSession, dtype: str, texts: list[Any], reader: Mapping[str, str], source: str = "string"
) -> dict[Any, str]:
    """What each value becomes: its text as Spark shows it, or `!` and the reason; one Spark job."""
    landed = spark.createDataFrame([(text,) for text in texts], f"a {source}")
    contract = Contract("t", (Column("a", dtype, reader=reader),))
    rows = conform(landed, contract).selectExpr("cast(a as string) as v", f"{BAD}.reason as r").collect()
    return {text: f"!{row.r}" if row.r else str(row.v) for text, row in zip(texts, rows, strict=True)}


TEXTS: dict[str, tuple[str, Mapping[str, str], Cases]] = {
    "int": (
        "int",
        {},
        {
            "1": "1",
            "-5": "-5",
            "+7": "7",
            "007": "7",
            "2147483647": "2147483647",
            "": "None",
            "2147483648": "!out_of_range",
            " 1": "!bad_value",
            "1 ": "!bad_value",
            "1.0": "!bad_value",
            "1e3": "!bad_value",
            "abc": "!bad_value",
            "0x10": "!bad_value",
            "12\x7f": "!bad_value",
            "12\n": "!bad_value",
            "１２": "!bad_value",
            "-": "!bad_value",
            "1_0": "!bad_value",
            "1,000": "!bad_value",
        },
    ),
    "thousands": (
        "bigint",
        {"thousands": ",", "trim": "true", "null_values": "NA,-"},
        {
            "1,234": "1234",
            "-1,234,567": "-1234567",
            "1234": "1234",
            " 7\t": "7",
            "NA": "None",
            "-": "None",
            "  ": "None",
            "1,2,3": "!bad_value",
            "12,34": "!bad_value",
            "1234,567": "!bad_value",
            ",123": "!bad_value",
            "1,234,": "!bad_value",
        },
    ),
    "german": (
        "decimal(9,2)",
        {"thousands": ".", "decimal": ","},
        {
            "1.234,50": "1234.50",
            "0,5": "0.50",
            "1234": "1234.00",
            "1.23": "!bad_value",
            "1,2,3": "!bad_value",
            "1,234": "!loss_of_scale",
        },
    ),
    "decimal(5,2)": (
        "decimal(5,2)",
        {},
        {
            "12.34": "12.34",
            "12.340": "12.34",
            "999.99": "999.99",
            "-0.5": "-0.50",
            ".5": "0.50",
            "5.": "5.00",
            "1e2": "100.00",
            "12345e-2": "123.45",
            "0E-18": "0.00",
            "00012.3": "12.30",
            "12.345": "!loss_of_scale",
            "1e-3": "!loss_of_scale",
            "1000": "!out_of_range",
            "999.999": "!out_of_range",
            "abc": "!bad_value",
            ".": "!bad_value",
            "+.e5": "!bad_value",
            "٣": "!bad_value",
            "1e99999": "!out_of_range",
        },
    ),
    "decimal(38,18)": (
        "decimal(38,18)",
        {},
        {
            "12345678901234567890.123456789012345678": "12345678901234567890.123456789012345678",
            "1E-18": "0.000000000000000001",
            "123456789012345678901": "!out_of_range",
            "0.0000000000000000001": "!loss_of_scale",
        },
    ),
    "double": (
        "double",
        {},
        {
            "1": "1.0",
            "-.5": "-0.5",
            "1.5e300": "1.5E300",
            "0.0e-500": "0.0",
            "1" + "0" * 40: "1.0E40",
            "1e400": "!out_of_range",
            "1e-400": "!out_of_range",
            "NaN": "!not_a_number",
            "-inf": "!not_a_number",
            "1d": "!bad_value",
            "0x1p3": "!bad_value",
            "1e": "!bad_value",
            " 1": "!bad_value",
            "٣": "!bad_value",
        },
    ),
    "float": ("float", {}, {"3.4e38": "3.4E38", "3.5e38": "!out_of_range", "1e-46": "!out_of_range", "0.5": "0.5"}),
    "boolean": (
        "boolean",
        {},
        {"true": "true", "FALSE": "false", "1": "!bad_value", "yes": "!bad_value", "t": "!bad_value"},
    ),
    "ja": (
        "boolean",
        {"boolean_true": "ja,j", "boolean_false": "nein"},
        {"Ja": "true", "nein": "false", "true": "!bad_value"},
    ),
    "date": (
        "date",
        {},
        {
            "2020-02-29": "2020-02-29",
            "2021-02-29": "!bad_value",
            "2021-2-3": "!bad_value",
            "2021-01-01x": "!bad_value",
            " 2021-01-01": "!bad_value",
            "2021-01-01T": "!bad_value",
            "20210101": "!bad_value",
            "0000-01-01": "!bad_value",
            "12021-01-01": "!bad_value",
            "2021-13-01": "!bad_value",
        },
    ),
    "date_format": (
        "date",
        {"date_format": "dd/MM/yyyy"},
        {
            "28/02/2021": "2021-02-28",
            "29/02/2020": "2020-02-29",
            "01/01/1800": "1800-01-01",
            "29/02/2021": "!bad_value",
            "1/2/2021": "!bad_value",
            "28/02/2021 ": "!bad_value",
            "2021-02-28": "!bad_value",
        },
    ),
    "date with a time of day": (
        "date",
        {"date_format": "dd/MM/yyyy HH:mm:ss"},
        {"31/12/1960 23:00:00": "1960-12-31", "31/12/1960 00:00:00": "1960-12-31", "31/12/1999 23:59:59": "1999-12-31"},
    ),
    "timestamp": (
        "timestamp",
        {},
        {
            "2021-03-28T02:30:00": "2021-03-28 02:30:00",
            "2021-03-28 02:30:00Z": "2021-03-28 02:30:00",
            "2021-03-28 02:30:00+01:00": "2021-03-28 01:30:00",
            "2021-03-28T03:30:00.123456000": "2021-03-28 03:30:00.123456",
            "2021-03-28": "!bad_value",
            "2021-03-28T02:30:00.1234567": "!loss_of_scale",
            "2021-02-29T00:00:00": "!bad_value",
            "2021-03-28T24:00:00": "!bad_value",
            "2021-03-28T02:30:00 Europe/Berlin": "!bad_value",
            "1616898600": "!bad_value",
        },
    ),
    "Berlin": (
        "timestamp",
        {"zone": "Europe/Berlin"},
        {
            "2021-03-28T01:59:59": "2021-03-28 00:59:59",
            "2021-03-28T02:30:00": "!dst_gap",
            "2021-03-28T03:00:00": "2021-03-28 01:00:00",
            "2021-03-28T02:30:00Z": "2021-03-28 02:30:00",
            "2021-10-31T02:30:00": "2021-10-31 00:30:00",
            "x": "!bad_value",
        },
    ),
    "timestamp_format": (
        "timestamp",
        {"zone": "Europe/Berlin", "timestamp_format": "dd.MM.yyyy HH:mm"},
        {
            "28.03.2021 02:30": "!dst_gap",
            "28.03.2021 03:30": "2021-03-28 01:30:00",
            "28.3.2021 03:30": "!bad_value",
        },
    ),
    "zoned format": (
        "timestamp",
        {"timestamp_format": "yyyyMMdd'T'HHmmssXX"},
        {"20210328T033000+0200": "2021-03-28 01:30:00"},
    ),
    "timestamp_ntz": (
        "timestamp_ntz",
        {},
        {
            "2021-03-28T02:30:00": "2021-03-28 02:30:00",
            "1950-01-01 00:00:00.000001": "1950-01-01 00:00:00.000001",
            "2021-03-28 02:30:00Z": "!bad_value",
            "2021-03-28": "!bad_value",
        },
    ),
    "ntz format": (
        "timestamp_ntz",
        {"timestamp_format": "dd.MM.yyyy HH:mm:ss.SSSSSS"},
        {
            "28.03.1921 02:30:01.123456": "1921-03-28 02:30:01.123456",
        },
    ),
    "binary": ("binary", {}, {"YWI=": "ab", "": "", "YWI": "!bad_value", "a b=": "!bad_value", "?": "!bad_value"}),
    "string": ("string", {}, {"x": "x", "": "", " x ": " x ", "a\ufffdb": "!replacement_character"}),
    "array": (
        "array<int>",
        {},
        {
            "[1,2]": "[1, 2]",
            "[1,null]": "[1, null]",
            "[]": "[]",
            "": "None",
            "[1,2.5]": "!bad_value",
            "[1] x": "!bad_value",
            '[1],"q":[2]': "!bad_value",
            "[1]} x": "!bad_value",
            "x": "!bad_value",
            '{"a":1}': "!bad_value",
        },
    ),
    "struct": (
        "struct<a:int,`b c`:decimal(4,2),d:array<date>,e:struct<f:string>>",
        {},
        {
            '{"a":1,"b c":12.34,"d":["2021-01-01"],"e":{"f":"x"}}': "{1, 12.34, [2021-01-01], {x}}",
            '{"a":1}': "{1, null, null, null}",
            '{"a":1,"z":2}': "!bad_value",
            '{"a":1,"a":2}': "!bad_value",
            '{"e":{"f":"x","f":"y"}}': "!bad_value",
            '{"b c":12.345}': "!bad_value",
            '{"d":["2021-2-1"]}': "!bad_value",
            '{"e":{"f":1,"g":2}}': "!bad_value",
            '{"a":1}}': "!bad_value",
            "[1]": "!bad_value",
        },
    ),
    "map": (
        "map<int,double>",
        {},
        {
            '{"3":2.5e3}': "{3 -> 2500.0}",
            '{"1":1.5,"01":2}': "!bad_value",
            '{"x":2}': "!bad_value",
            "{}": "{}",
        },
    ),
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_text_is_exactly_a_value_or_a_finding(spark: SparkSession, name: str) -> None:
    dtype, reader, expected = TEXTS[name]

    result = verdicts(spark, dtype, list(expected), reader)

    assert result == expected


def test_a_digit_of_a_nested_decimal_is_not_lost_in_silence(spark: SparkSession) -> None:
    text = "[12345678901234567890.1234567890]"

    result = verdicts(spark, "array<decimal(30,10)>", [text], {})

    assert result[text] in (text, "!bad_value")


def test_a_text_in_a_literal_is_itself(spark: SparkSession) -> None:
    data = 'it\'s \\A "x" \n `y`'

    result = spark.range(1).selectExpr(f"{cast.literal(data)} as x").first()

    assert result is not None and result.x == data


def test_nan_passes_where_the_reader_allows_it() -> None:
    result = cast.text("a", parse("double"), {"nan": "allow"}).value

    assert result != cast.text("a", parse("double"), {}).value


SIGNS = [*"0123456789" * 3, *"+-.eExXdTZ:,/_ ", "\t", "\n", "\x00", "\x0b", "\x1f", "\x7f", "\x85", "\u00a0", "\u0661", "\uff11", "\u2003"]
NEAR = ["2024-02-29", "2021-1-1", "0000-01-01", "12021-2-03", "2021-02-3T", "2021-02- 3", "1.50", "12345678.9", "0x10", "1d", "5.", "-.5"]


def near_misses(count: int) -> list[str]:
    """Texts that differ from values in a character or two, and texts of signs that Spark's own parsers take."""
    rng = random.Random(20)
    found = {"".join(rng.choices(SIGNS, k=rng.randint(1, 11))) for _ in range(count // 2)}
    while len(found) < count:
        text = list(rng.choice(NEAR))
        text[rng.randrange(len(text))] = rng.choice(SIGNS)
        text[rng.randrange(len(text))] += rng.choice(SIGNS) * rng.randint(0, 1)
        found.add("".join(text))
    return sorted(found)


def is_whole(text: str) -> bool:
    return bool(re.fullmatch("[+-]?[0-9]+", text)) and -(2**31) <= int(text) < 2**31


def is_money(text: str) -> bool:
    plain = re.fullmatch(r"[+-]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+)", text)
    return bool(plain) and abs(Decimal(text)) < 10**4 and Decimal(text) * 100 == int(Decimal(text) * 100)


def is_day(text: str) -> bool:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        return bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


@pytest.mark.parametrize(("dtype", "fits"), [("int", is_whole), ("decimal(6,2)", is_money), ("date", is_day)])
def test_near_misses_are_never_taken_for_values(spark: SparkSession, dtype: str, fits: Callable[[str], bool]) -> None:
    texts = [text for text in near_misses(4000) if not re.search("[0-9.][eE][+-]?[0-9]", text)]  # powers have cases of their own
    found = verdicts(spark, dtype, texts, {})
    assert [text for text in texts if (not found[text].startswith("!")) != fits(text)] == []
    assert sum(map(fits, texts)) > 10


@pytest.mark.parametrize(("source", "target"), [("bigint", "timestamp"), ("double", "timestamp"), ("decimal(20,0)", "timestamp_ntz"),
                                                ("timestamp", "bigint")])
def test_a_number_is_no_time_for_nobody_knows_of_which_unit(spark: SparkSession, source: str, target: str) -> None:
    frame = spark.sql(f"select cast(null as {source}) as a")
    with pytest.raises(ContractError, match=rf"a: {re.escape(source)} found where the contract says {target}"):
        conform(frame, Contract("t", (Column("a", target),)))
