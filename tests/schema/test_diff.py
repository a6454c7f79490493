"""Breaking and harmless changes between two versions of a contract."""
from __future__ import annotations

import pytest
from pyspark.sql import types as t

from sparkkit.schema import diff
from sparkkit.schema.contract import Column, Contract, Rule
from sparkkit.schema.types import parse


def contract(*columns: Column, **fields: object) -> Contract:
    return Contract("t", columns or (Column("a", "int"),), **fields)  # type: ignore[arg-type]


def kinds(old: Contract, new: Contract) -> list[tuple[bool, str, str]]:
    return [(change.breaking, change.column, change.kind) for change in diff.compare(old, new)]


def limited(dtype: str = "int", **limits: object) -> Contract:
    return contract(Column("a", dtype, limits=limits))


def asked(*items: dict[str, object]) -> Contract:
    return contract(quality=items)


def rows(bound: object, **more: object) -> Contract:
    return asked({"metric": "rowCount", "name": "rows", "mustBeGreaterThan": bound, **more})


def copies(**more: object) -> Contract:
    return asked({"metric": "duplicateValues", "column": "a", "name": "twice", "mustBe": 0, **more})


def tolerating(said: object) -> dict[str, object]:
    return {"customProperties": [{"property": "sparkkit.tolerance", "value": said}]}


def ruled(tolerance: str, on: str = "quarantine") -> Contract:
    return contract(rules=(Rule("r", "a > 0", on, tolerance=tolerance),))


A = Column("a", "int")
CASES = [
    (contract(A, Column("b", "int")), contract(A), (True, "b", "column_removed")),
    (contract(A), contract(A, Column("b", "int")), (False, "b", "column_added")),
    (contract(A), contract(A, Column("b", "int", required=True)), (True, "b", "column_added")),
    (contract(A), contract(Column("a", "bigint")), (False, "a", "type_widened")),
    (contract(Column("a", "bigint")), contract(A), (True, "a", "type_narrowed")),
    (contract(A), contract(Column("a", "string")), (True, "a", "type_changed")),
    (contract(A), contract(Column("a", "int", required=True)), (True, "a", "required_added")),
    (contract(Column("a", "int", required=True)), contract(A), (False, "a", "required_dropped")),
    (contract(A), contract(Column("a", "int", unique=True)), (True, "a", "unique_added")),
    (contract(A), contract(Column("a", "int", pii=True)), (False, "a", "pii_added")),
    (contract(A), contract(Column("a", "int", key=1)), (True, "", "key_changed")),
    (contract(), contract(reader={"delimiter": ";"}), (True, "", "reader_delimiter_changed")),
    (contract(A), contract(Column("a", "int", reader={"thousands": "."})), (True, "a", "reader_thousands_changed")),
    (contract(), contract(policy={"null": "stop"}), (True, "", "on_null_changed")),
    (contract(policy={"null": "stop"}), contract(), (False, "", "on_null_changed")),
    (contract(), contract(rules=(Rule("r", "a > 0"),)), (True, "", "rule_added")),
    (contract(), contract(rules=(Rule("r", "a > 0", "allow"),)), (False, "", "rule_added")),
    (contract(rules=(Rule("r", "a > 0"),)), contract(), (False, "", "rule_removed")),
    (contract(rules=(Rule("r", "a > 0"),)), contract(rules=(Rule("r", "a > 1"),)), (True, "", "rule_changed")),
    (contract(rules=(Rule("r", "a"),)), contract(rules=(Rule("r", "a", "stop"),)), (True, "", "rule_answer_changed")),
    (contract(A, Column("b", "int")), contract(Column("b", "int"), A), (False, "", "columns_moved")),
    (limited(), limited(minimum=1), (True, "a", "limit_tightened")),
    (limited(minimum=1), limited(), (False, "a", "limit_loosened")),
    (limited(minimum=2), limited(minimum=1), (False, "a", "limit_loosened")),
    (limited(minimum=1), limited(minimum=2), (True, "a", "limit_tightened")),
    (limited(exclusiveMaximum=10), limited(exclusiveMaximum=9.5), (True, "a", "limit_tightened")),
    (limited("string", maxLength=9), limited("string", maxLength=10), (False, "a", "limit_loosened")),
    (limited("date", maximum="2024-12-31"), limited("date", maximum="2024-06-30"), (True, "a", "limit_tightened")),
    (limited("string", enum=["x"]), limited("string", enum=["y", "x"]), (False, "a", "limit_loosened")),
    (limited("string", enum=["x", "y"]), limited("string", enum=["y"]), (True, "a", "limit_tightened")),
    (limited(multipleOf=10), limited(multipleOf=5), (False, "a", "limit_loosened")),
    (limited(multipleOf=10), limited(multipleOf=4), (True, "a", "limit_tightened")),
    (limited("string", pattern="a"), limited("string", pattern="a|b"), (True, "a", "limit_tightened")),
    (ruled("<= 50 percent"), ruled("<= 0 rows"), (True, "", "rule_tolerance_tightened")),
    (ruled("<= 5 rows"), ruled("<= 5 percent"), (True, "", "rule_tolerance_tightened")),
    (ruled(""), ruled("<= 50 percent"), (True, "", "rule_tolerance_tightened")),
    (ruled("<= 5 rows"), ruled(""), (False, "", "rule_tolerance_loosened")),
    (ruled("", "stop"), ruled("<= 5 percent", "stop"), (False, "", "rule_tolerance_loosened")),
    (ruled("<= 5 rows", "stop"), ruled("", "stop"), (True, "", "rule_tolerance_tightened")),
    (ruled("<= 5 rows", "allow"), ruled("<= 1 rows", "allow"), (False, "", "rule_tolerance_changed")),
    (contract(), rows(1000000, severity="error"), (True, "", "quality_added")),
    (contract(), copies(severity="error"), (True, "a", "quality_added")),
    (contract(), rows(5, severity="warning"), (False, "", "quality_added")),
    (contract(), asked({"type": "text", "name": "said"}), (False, "", "quality_added")),
    (rows(5), contract(), (False, "", "quality_removed")),
    (rows(5), rows(6), (True, "", "quality_tightened")),
    (rows(5, severity="warning"), rows(6, severity="warning"), (False, "", "quality_tightened")),
    (rows(6), rows(5), (False, "", "quality_loosened")),
    (rows(5), rows(5, mustNotBe=7), (True, "", "quality_tightened")),
    (rows("2024-01-01"), rows("2023-01-01"), (True, "", "quality_tightened")),
    (rows(5), rows(5, severity="warning"), (False, "", "quality_answer_changed")),
    (rows(5, severity="warning"), rows(5), (True, "", "quality_answer_changed")),
    (copies(), copies(arguments={"properties": ["a", "b"]}), (True, "a", "quality_changed")),
    (copies(), copies(**tolerating("5%")), (False, "a", "quality_tolerance_loosened")),
    (copies(**tolerating("5%")), copies(**tolerating(0)), (True, "a", "quality_tolerance_tightened")),
    (rows(5), rows(5, description="enough", severity="error"), None),
    (limited("array<int>", uniqueItems=True), limited("array<int>", uniqueItems=False), (False, "a", "limit_loosened")),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_one_change_is_one_change(old: Contract, new: Contract, expected: tuple[bool, str, str] | None) -> None:
    assert kinds(old, new) == ([expected] if expected else [])


def test_a_rule_that_stopped_and_now_takes_out_a_few_rows_is_looser() -> None:
    assert [breaking for breaking, _, _ in kinds(ruled("", "stop"), ruled("<= 5 rows"))] == [False, False]


def test_nothing_changed_is_no_change() -> None:
    full = contract(Column("a", "int", limits={"minimum": 1}), rules=(Rule("a.minimum", "x"),), reader={"quote": "'"})

    assert diff.compare(full, full) == ()


def test_a_default_that_is_written_out_is_no_change() -> None:
    assert diff.compare(contract(), contract(reader={"delimiter": ","}, policy={"null": "quarantine"})) == ()


def test_breaking_changes_come_first_and_read_as_sentences() -> None:
    old, new = (
        contract(A, Column("b", "date"), Column("c", "int")),
        contract(Column("a", "bigint"), Column("d", "int", required=True)),
    )

    result = [change.sentence for change in diff.compare(old, new)]

    assert result == [
        "column 'b' was removed",
        "column 'c' was removed",
        "required column 'd' was added; files without it stop the run",
        "column 'a': the type was widened from int to bigint",
    ]


def test_a_limit_that_changed_kind_with_its_type_breaks() -> None:
    result = kinds(limited("date", minimum="2024-01-01"), limited("int", minimum=1))

    assert result == [(True, "a", "limit_tightened"), (True, "a", "type_changed")]


def test_columns_that_moved_break_a_file_without_header() -> None:
    old, new = (
        contract(*columns, reader={"header": "false"}) for columns in ((A, Column("b", "int")), (Column("b", "int"), A))
    )

    assert kinds(old, new) == [(True, "", "columns_moved")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("int", "int", True),
        ("tinyint", "smallint", True),
        ("bigint", "int", False),
        ("int", "double", True),
        ("bigint", "double", False),
        ("int", "float", False),
        ("float", "double", True),
        ("double", "float", False),
        ("int", "decimal(10,0)", True),
        ("int", "decimal(10,1)", False),
        ("decimal(10,2)", "decimal(12,4)", True),
        ("decimal(10,2)", "decimal(10,4)", False),
        ("decimal(10,2)", "decimal(12,1)", False),
        ("decimal(10,0)", "bigint", False),
        ("date", "timestamp", False),
        ("timestamp", "timestamp_ntz", False),
        ("array<int>", "array<bigint>", True),
        ("array<bigint>", "array<int>", False),
        ("map<string,int>", "map<string,bigint>", True),
        ("map<bigint,int>", "map<int,int>", False),
        ("struct<a:int>", "struct<b:int,a:bigint>", True),
        ("struct<a:int,b:int>", "struct<a:int>", False),
        ("struct<a:int>", "struct<a:int not null>", False),
        ("struct<a:int not null>", "struct<a:int>", True),
        ("struct<a:int>", "struct<a:int,b:int not null>", False),
    ],
)
def test_a_type_is_widened_only_if_no_value_is_lost(old: str, new: str, expected: bool) -> None:
    assert diff.widened(parse(old), parse(new)) is expected


def test_null_type_is_never_widened_to_a_number() -> None:
    assert not diff.widened(t.StringType(), t.IntegerType())
