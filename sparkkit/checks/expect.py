"""Expectations of Great Expectations that are answered in our own pass: each as what is asked of a row, or of the table.

Every one counts as Great Expectations 1.24 does, nulls included; the tests compare the two on random data. A type or an
argument that is not listed here is left to Great Expectations itself.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sparkkit.schema.bounds import Bounds
from sparkkit.schema.limits import text
from sparkkit.schema.types import quote


@dataclass(frozen=True)
class Ask:
    """What is asked, as SQL texts.

    Of each row: `bad` is true for an unexpected one, `skip` for one that is not asked; `keys` makes it unexpected to share
    them with another row. Of the table: `figure` is a function and its argument, with `bounds`; with `share` it is a part
    of the rows (`all`) or of the values (`filled`). `nonmissing` says that rows not asked are counted as missing.
    """

    bad: str = ""
    skip: str = "false"
    keys: tuple[str, ...] = ()
    figure: tuple[str, str] | None = None
    bounds: Bounds | None = None
    share: str = ""
    mostly: float = 1.0
    nonmissing: bool = True


Kwargs = Mapping[str, Any]
DISTINCT = "count_distinct"
"""The one function of a figure that needs a shuffle, and can't be observed."""

_PASSIVE = {"batch_id", "meta", "notes", "severity", "description", "catch_exceptions"}
_MISSING = {"both_values_are_missing": " and ", "all_values_are_missing": " and ", "either_value_is_missing": " or ",
            "any_value_is_missing": " or ", "neither": "", "never": ""}


def ask(kind: str, kwargs: Kwargs) -> Ask | None:
    """The question of an expectation; None where only Great Expectations can answer it.

    >>> ask("expect_column_values_to_be_in_set", {"column": "a", "value_set": [1, 2]}).bad
    'not (`a` in (1, 2))'
    >>> ask("expect_column_values_to_be_dateutil_parseable", {"column": "a"}) is None
    True
    """
    make, known = {**_OF_ROWS, **_OF_TABLES}.get(kind, (None, frozenset()))
    given = {k: v for k, v in kwargs.items() if v is not None and k not in _PASSIVE}
    if make is None or not set(given) <= known:
        return None
    try:
        return make(given)
    except (KeyError, TypeError, ValueError):  # Great Expectations says what is wrong with its arguments
        return None


def literal(value: Any) -> str:
    """A value as a SQL literal, by its Python type.

    >>> literal("it's"), literal(0.5), literal(None)
    ("'it\\\\'s'", '0.5D', 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value!r}D" if isinstance(value, float) else str(value) if isinstance(value, int) else text(value)


def _column(kw: Kwargs, test: str, **more: Any) -> Ask:
    name = quote(kw["column"])
    return Ask(f"not ({test})", f"{name} is null", mostly=float(kw.get("mostly", 1)), **more)


def _between(value: str, kw: Kwargs) -> str:
    low, high = kw.get("min_value"), kw.get("max_value")
    if low is None and high is None or low is not None and high is not None and low > high:
        raise ValueError(kw)
    tests = [f"{value} {'>' if kw.get('strict_min') else '>='} {literal(low)}"] if low is not None else []
    tests += [f"{value} {'<' if kw.get('strict_max') else '<='} {literal(high)}"] if high is not None else []
    return " and ".join(tests)


def _values_between(kw: Kwargs) -> Ask:
    return _column(kw, _between(quote(kw["column"]), kw))


def _lengths(kw: Kwargs) -> Ask:
    length = f"length({quote(kw['column'])})"
    return _column(kw, f"{length} = {int(kw['value'])}" if "value" in kw else _between(length, kw))


def _in(kw: Kwargs) -> str:
    values = list(kw["value_set"])
    return f"{quote(kw['column'])} in ({', '.join(map(literal, values))})" if values else "false"


def _regexes(kw: Kwargs) -> Ask:
    all_of = {"all": True, "any": False}[kw.get("match_on", "any")]
    found = [text(r) for r in kw["regex_list"]] if all_of else [text("|".join(kw["regex_list"]))]
    if not kw["regex_list"]:
        raise ValueError(kw)
    return _column(kw, " and ".join(f"{quote(kw['column'])} rlike {one}" for one in found))


def _null(kw: Kwargs, test: str) -> Ask:
    return Ask(f"{quote(kw['column'])} is {test}", mostly=float(kw.get("mostly", 1)), nonmissing=False)


def _ignored(columns: Sequence[str], kw: Kwargs, default: str) -> str:
    word = _MISSING[kw.get("ignore_row_if", default)]
    return word.join(f"{quote(c)} is null" for c in columns) if word else "false"


def _pair(kw: Kwargs) -> Ask:
    a, b = quote(kw["column_A"]), quote(kw["column_B"])
    skip = _ignored((kw["column_A"], kw["column_B"]), kw, "both_values_are_missing")
    if "or_equal" not in kw:
        return Ask(f"not ({a} > {b})", skip, mostly=float(kw.get("mostly", 1)))
    return Ask(f"not ({a} {'>=' if kw['or_equal'] else '>'} {b})", skip, mostly=float(kw.get("mostly", 1)))


def _pair_equal(kw: Kwargs) -> Ask:
    skip = _ignored((kw["column_A"], kw["column_B"]), kw, "both_values_are_missing")
    return Ask(f"not ({quote(kw['column_A'])} <=> {quote(kw['column_B'])})", skip, mostly=float(kw.get("mostly", 1)))


def _several(kw: Kwargs) -> tuple[tuple[str, ...], str]:
    columns = tuple(kw["column_list"])
    if len(columns) < 2:
        raise ValueError(kw)
    return columns, _ignored(columns, kw, "all_values_are_missing")


def _within_record(kw: Kwargs) -> Ask:
    columns, skip = _several(kw)
    same = " or ".join(f"{quote(a)} <=> {quote(b)}" for a, b in combinations(columns, 2))
    return Ask(f"({same})", skip, mostly=float(kw.get("mostly", 1)))


def _unique(kw: Kwargs) -> Ask:
    return Ask(skip=f"{quote(kw['column'])} is null", keys=(kw["column"],), mostly=float(kw.get("mostly", 1)))


def _compound(kw: Kwargs) -> Ask:
    columns, skip = _several(kw)
    return Ask(skip=skip, keys=columns, mostly=float(kw.get("mostly", 1)))


_OPEN = {"min_value", "max_value", "strict_min", "strict_max"}
_OF_ROWS: Mapping[str, tuple[Callable[[Kwargs], Ask], set[str] | frozenset[str]]] = {
    "expect_column_values_to_not_be_null": (lambda kw: _null(kw, "null"), {"column", "mostly"}),
    "expect_column_values_to_be_null": (lambda kw: _null(kw, "not null"), {"column", "mostly"}),
    "expect_column_values_to_be_between": (_values_between, {"column", "mostly", *_OPEN}),
    "expect_column_values_to_be_in_set": (lambda kw: _column(kw, _in(kw)), {"column", "mostly", "value_set"}),
    "expect_column_values_to_not_be_in_set": (lambda kw: _column(kw, f"not ({_in(kw)})"), {"column", "mostly", "value_set"}),
    "expect_column_values_to_match_regex": (
        lambda kw: _column(kw, f"{quote(kw['column'])} rlike {text(kw['regex'])}"), {"column", "mostly", "regex"}),
    "expect_column_values_to_not_match_regex": (
        lambda kw: _column(kw, f"not ({quote(kw['column'])} rlike {text(kw['regex'])})"), {"column", "mostly", "regex"}),
    "expect_column_values_to_match_regex_list": (_regexes, {"column", "mostly", "regex_list", "match_on"}),
    "expect_column_value_lengths_to_equal": (_lengths, {"column", "mostly", "value"}),
    "expect_column_value_lengths_to_be_between": (_lengths, {"column", "mostly", *_OPEN}),
    "expect_column_pair_values_a_to_be_greater_than_b": (_pair, {"column_A", "column_B", "or_equal", "ignore_row_if", "mostly"}),
    "expect_column_pair_values_to_be_equal": (_pair_equal, {"column_A", "column_B", "ignore_row_if", "mostly"}),
    "expect_select_column_values_to_be_unique_within_record": (_within_record, {"column_list", "ignore_row_if", "mostly"}),
    "expect_column_values_to_be_unique": (_unique, {"column", "mostly"}),
    "expect_compound_columns_to_be_unique": (_compound, {"column_list", "ignore_row_if", "mostly"}),
}


def _bounds(kw: Kwargs) -> Bounds:
    if "value" in kw:
        return Bounds((("=", kw["value"]),))
    tests = [(">" if kw.get("strict_min") else ">=", kw["min_value"])] if "min_value" in kw else []
    return Bounds((*tests, *([("<" if kw.get("strict_max") else "<=", kw["max_value"])] if "max_value" in kw else [])))


def _rows(kw: Kwargs) -> Ask:
    return Ask(figure=("count_if", "true"), bounds=_bounds(kw))


def _figure(function: str, share: str = "") -> Callable[[Kwargs], Ask]:
    return lambda kw: Ask(figure=(function, quote(kw["column"])), bounds=_bounds(kw), share=share)


_OF_TABLES: Mapping[str, tuple[Callable[[Kwargs], Ask], set[str] | frozenset[str]]] = {
    "expect_table_row_count_to_equal": (_rows, {"value"}),
    "expect_table_row_count_to_be_between": (_rows, _OPEN),
    **{f"expect_column_{name}_to_be_between": (_figure(function, share), {"column", *_OPEN}) for name, function, share in (
        ("max", "max", ""), ("min", "min", ""), ("mean", "avg", ""), ("sum", "sum", ""), ("stdev", "stddev_samp", ""),
        ("proportion_of_non_null_values", "count", "all"), ("unique_value_count", DISTINCT, ""),
        ("proportion_of_unique_values", DISTINCT, "filled"))},
}
NATIVE = (*_OF_ROWS, *_OF_TABLES)
"""The types that are answered in our own pass."""
