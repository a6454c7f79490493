"""Random frames and random expectations of every type that our own pass answers, for the comparison with Great Expectations."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from sparkkit.checks.expect import NATIVE
from sparkkit.checks.rules import Check, of
from sparkkit.schema.contract import Column, Contract

COLUMNS = {"a": "int", "b": "int", "c": "int", "x": "double", "s": "string", "n": "bigint"}
DDL = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
SMALL = st.sampled_from([None, 0, 1, 2, 3])
WORDS = st.sampled_from([None, "", "a", "ab", "abc", "it's", "ä", "a{1}"])
REAL = st.sampled_from([None, 0.0, -0.0, 0.5, 1.5, -2.25, float("nan")])
ROWS = st.lists(st.tuples(SMALL, SMALL, SMALL, REAL, WORDS, st.sampled_from([None, -5, 7, 2**40])), max_size=12)
MOSTLY = st.sampled_from([1, 1, 0.5, 0.75, 0])
REGEX = st.sampled_from(["^a", "b$", "^[a-z]*$", "'", "^.{2}$"])
IGNORE = st.sampled_from([None, "both_values_are_missing", "either_value_is_missing", "neither"])
SEVERAL = st.sampled_from([None, "all_values_are_missing", "any_value_is_missing", "never"])


def _range(values: Sequence[Any], *, strict: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    flag = st.booleans() if strict else st.just(False)
    ends = st.lists(st.sampled_from(values), min_size=2, max_size=2).map(sorted)
    made = st.tuples(ends, st.sampled_from(["both", "low", "high"]), flag, flag)
    return made.map(lambda m: {
        **({"min_value": m[0][0]} if m[1] != "high" else {}), **({"max_value": m[0][1]} if m[1] != "low" else {}),
        **({"strict_min": True} if m[2] and m[1] != "high" else {}), **({"strict_max": True} if m[3] and m[1] != "low" else {})})


def _made(**parts: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in parts.items() if k != "more"}
    more = parts.get("more", st.just({}))
    return st.tuples(st.fixed_dictionaries(fixed), more).map(lambda two: {k: v for k, v in {**two[0], **two[1]}.items() if v is not None})


NUMBER, ANY = st.sampled_from(["a", "x", "n"]), st.sampled_from(["a", "x", "s", "n"])
NUMBERS, COUNTS = [-1, 0, 1, 2, 5], [0, 1, 3, 7]
LISTS = st.sampled_from([["a", "b"], ["a", "b", "c"]])
IN = _made(column="a", value_set=st.lists(st.sampled_from([0, 1, 2, 9]), min_size=1, max_size=3), mostly=MOSTLY)
KWARGS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "expect_column_values_to_not_be_null": _made(column=ANY, mostly=MOSTLY),
    "expect_column_values_to_be_null": _made(column=ANY, mostly=MOSTLY),
    "expect_column_values_to_be_between": _made(column=NUMBER, mostly=MOSTLY, more=_range(NUMBERS)),
    "expect_column_values_to_be_in_set": IN,
    "expect_column_values_to_not_be_in_set": IN,
    "expect_column_values_to_match_regex": _made(column="s", regex=REGEX, mostly=MOSTLY),
    "expect_column_values_to_not_match_regex": _made(column="s", regex=REGEX, mostly=MOSTLY),
    "expect_column_values_to_match_regex_list": _made(
        column="s", regex_list=st.lists(REGEX, min_size=1, max_size=2), match_on=st.sampled_from([None, "any", "all"]), mostly=MOSTLY),
    "expect_column_value_lengths_to_equal": _made(column="s", value=st.sampled_from([0, 1, 2]), mostly=MOSTLY),
    "expect_column_value_lengths_to_be_between": _made(column="s", mostly=MOSTLY, more=_range(COUNTS)),
    "expect_column_pair_values_a_to_be_greater_than_b": _made(
        column_A="a", column_B="b", or_equal=st.sampled_from([None, True, False]), ignore_row_if=IGNORE, mostly=MOSTLY),
    "expect_column_pair_values_to_be_equal": _made(column_A="a", column_B="b", ignore_row_if=IGNORE, mostly=MOSTLY),
    "expect_select_column_values_to_be_unique_within_record": _made(column_list=LISTS, ignore_row_if=SEVERAL, mostly=MOSTLY),
    "expect_column_values_to_be_unique": _made(column=ANY, mostly=MOSTLY),
    "expect_compound_columns_to_be_unique": _made(column_list=LISTS, ignore_row_if=SEVERAL, mostly=MOSTLY),
    "expect_table_row_count_to_equal": _made(value=st.sampled_from(COUNTS)),
    "expect_table_row_count_to_be_between": _range(COUNTS, strict=False),
    **{f"expect_column_{name}_to_be_between": _made(column=NUMBER, more=_range(NUMBERS))
       for name in ("max", "min", "mean", "sum", "stdev")},
    "expect_column_proportion_of_non_null_values_to_be_between": _made(column=ANY, more=_range([0, 0.25, 0.5, 1])),
    "expect_column_unique_value_count_to_be_between": _made(column=ANY, more=_range(COUNTS)),
    "expect_column_proportion_of_unique_values_to_be_between": _made(column=ANY, more=_range([0, 0.25, 0.5, 1])),
}
assert set(KWARGS) == set(NATIVE)

SUITES = st.fixed_dictionaries(dict(KWARGS))
"""One expectation of each type."""

CASES = st.tuples(ROWS, SUITES)
ODD = [(1, 1, None, 0.5, "a", 7), (None, 2, None, None, None, None), (1, None, 3, float("nan"), "it's", 7), (0, 0, 0, -0.0, "", -5)]


def some(examples: int) -> Any:
    """Settings for so many examples: each is a suite of Great Expectations, so nothing is shrunk."""
    return settings(max_examples=examples, deadline=None, phases=(Phase.explicit, Phase.generate),
                    suppress_health_check=list(HealthCheck))


def contract(suite: Mapping[str, Mapping[str, Any]]) -> Contract:
    """A contract with these expectations as its quality items."""
    quality = tuple({"type": "custom", "engine": "greatExpectations", "name": kind, "implementation": {"type": kind, "kwargs": dict(kw)}}
                    for kind, kw in suite.items())
    return Contract("t", tuple(Column(name, kind) for name, kind in COLUMNS.items()), quality=quality)


def checks(suite: Mapping[str, Mapping[str, Any]]) -> tuple[Check, ...]:
    """The checks of these expectations, each answered natively."""
    found = of(contract(suite))
    assert {check.engine for check in found} == {"native"}
    return found


def told(result: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict and the figures of a result, floats rounded; other engines may add in another order. Where no row was asked,
    Great Expectations says null to how many were unexpected, and so to each percent, where we say 0."""
    figures = {k: round(v, 9) if isinstance(v, float) and math.isfinite(v) else v for k, v in result["result"].items()}
    if "unexpected_count" in figures and figures["element_count"] == (figures.get("missing_count") or 0):
        figures = {k: v for k, v in figures.items() if "percent" not in k} | {"unexpected_count": figures["unexpected_count"] or 0}
    return {"type": result["expectation_config"]["type"], "success": result["success"], **figures}
