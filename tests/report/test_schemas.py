"""Contracts for people: a first one out of data, the changes between two, one as a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkkit.errors import NotReadyError, UsageError
from sparkkit.report import schemas
from sparkkit.schema.contract import Column, Contract, Rule

NAMES = Path(__file__).resolve().parents[2] / "data" / "names"


def types(contract: Contract) -> dict[str, tuple[str, bool]]:
    return {c.name: (c.type, c.required) for c in contract.columns}


def test_csv_gets_the_narrowest_types_that_every_value_fits(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;day;price;code\n1;2024-02-29;1,000.50;007\n3000000000;;2.25;008\n")
    result = schemas.infer(spark, "a", str(tmp_path / "a.csv"), options={"delimiter": ";"})
    expected = {
        "id": ("bigint", True),
        "day": ("date", False),
        "price": ("decimal(18,2)", True),
        "code": ("string", True),
    }
    assert (types(result), result.reader) == (expected, {"delimiter": ";"})


def test_an_option_that_is_a_slip_is_refused(spark: SparkSession) -> None:
    with pytest.raises(UsageError, match="input 'a': option 'delimeter' is not known: did you mean 'delimiter'?"):
        schemas.infer(spark, "a", str(NAMES / "csv"), options={"delimeter": ";"})


def test_typed_files_keep_their_types(spark: SparkSession) -> None:
    result = types(schemas.infer(spark, "names", str(NAMES / "parquet")))
    assert (result["dob"][0], result["salary"][0], len(result)) == ("date", "int", 6)


def test_a_path_where_nothing_is_is_not_ready(spark: SparkSession) -> None:
    with pytest.raises(NotReadyError):
        schemas.infer(spark, "x", "/nowhere/at/all.csv")


def test_breaking_changes_are_said_to_break() -> None:
    old = Contract("t", (Column("a", "int"), Column("b", "string")))
    text, breaking = schemas.changes(old, Contract("t", (Column("a", "int"),)))
    assert (text, breaking) == ("BREAKING  column 'b' was removed", True)


def test_a_page_shows_owner_rules_reader_and_policy() -> None:
    rules = (Rule("pos", "a > 0", "stop"),)
    page = schemas.page(
        Contract("t", (Column("a", "int"),), "2.0.0", {"delimiter": ";"}, {"null": "allow"}, rules, "What it is.", "us")
    )
    wanted = ["# t 2.0.0", "What it is.", "Owner: us", "- pos: `a > 0` (stop)", "delimiter = ';'", "null: allow"]
    assert [text for text in wanted if text not in page] == []


@pytest.mark.parametrize(
    ("path", "name"), [("a/Sales 2024.csv.gz", "sales_2024"), ("s3a://b/orders/", "orders"), ("x", "x")]
)
def test_a_contract_is_named_after_its_path(path: str, name: str) -> None:
    assert schemas.name_of(path) == name


def test_a_path_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="gives no name"):
        schemas.name_of("///")
