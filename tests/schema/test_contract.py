"""The frozen contract and its compiled text."""
from __future__ import annotations

import pytest

from sparkkit.schema.contract import Column, Contract, Rule

FULL = Contract(
    "people",
    (Column("id", "bigint", True, True, 2, True, "The id", ("pii", "x"), "secret", {"trim": "true"}, {"enum": [1, 2]}),
     Column("zip", "string", key=1, limits={"minLength": 5})),
    "2.0.0", {"delimiter": ";"}, {"null": "stop"}, (Rule("r", "id > 0", "stop", "why"),), "All people", "hr",
    ({"type": "sql", "mustBe": 0},))


def test_a_full_contract_comes_back_from_its_compiled_text() -> None:
    assert Contract.from_json(FULL.to_json()) == FULL


def test_a_text_compiled_before_the_later_fields_came_still_loads() -> None:
    text = '{"name": "t", "columns": [{"name": "a", "type": "int"}]}'

    assert Contract.from_json(text) == Contract("t", (Column("a", "int"),))


def test_the_key_has_its_own_order() -> None:
    assert FULL.keys == ("zip", "id")


def test_policy_is_the_contracts_own_or_the_default() -> None:
    assert (FULL.on("null"), FULL.on("extra_column")) == ("stop", "quarantine")


def test_the_hash_changes_with_the_contract() -> None:
    other = Contract(**{**vars(FULL), "owner": "it"})

    assert (FULL.hash == Contract.from_json(FULL.to_json()).hash, FULL.hash == other.hash) == (True, False)


def test_a_column_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="zap"):
        FULL.column("zap")
