"""Results in the format of Great Expectations (SUMMARY, without samples of values: a record is no place for them)."""
from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isinf, isnan
from typing import TYPE_CHECKING, Any

from sparkkit.errors import ContractError

if TYPE_CHECKING:
    from sparkkit.checks.rules import Check  # which loads pyspark, and lists of runs do not

QUERY = "unexpected_rows_expectation"
"""The expectation of an SQL query."""

SEVERITY = {"fail": "critical", "quarantine": "warning", "warn": "info"}
"""Our severities in the words of Great Expectations."""

NO_ERROR: Mapping[str, Any] = {"raised_exception": False, "exception_traceback": None, "exception_message": None}


def of(check: Check, success: bool | None, result: Mapping[str, Any]) -> dict[str, Any]:
    """One validation result. `success` is None where nobody answered; `meta` says by which engine, and why not."""
    why = {"why": check.why or "its other table is not at hand"} if success is None else {}
    return {
        "success": success,
        "expectation_config": config(check),
        "result": {name: plain(value) for name, value in result.items()},
        "meta": {"engine": "none" if success is None else check.engine, **why},
        "exception_info": dict(NO_ERROR),
    }


def config(check: Check) -> dict[str, Any]:
    """A check as a configured expectation; `meta` has its name and severity here."""
    more = {"keep": check.keep, "tolerance": str(check.tolerance) if check.tolerance and check.inline else ""}
    meta = {"name": check.name, "severity": check.severity, **{k: v for k, v in more.items() if v}}
    return {"type": check.kind, "kwargs": dict(check.kwargs), "meta": meta, "severity": SEVERITY[check.severity]}


def counts(check: Check, rows: int, missing: int, unexpected: int) -> dict[str, Any]:
    """The figures of an expectation on rows: `missing` ones were not asked, and don't count in `unexpected_percent`.

    >>> from sparkkit.checks.rules import Check
    >>> counts(Check("n", "expect_column_values_to_not_be_null"), 4, 0, 1)["unexpected_percent"]
    25.0
    """
    share, asked = _percent(unexpected, rows), rows - missing
    if check.kind == QUERY:
        return {"observed_value": unexpected, "element_count": rows, "unexpected_count": unexpected, "unexpected_percent": share}
    of_asked = _percent(unexpected, asked)
    found: dict[str, Any] = {
        "element_count": rows, "unexpected_count": unexpected, "unexpected_percent": of_asked, "partial_unexpected_list": []}
    if check.ask is None or not check.ask.nonmissing:
        return found
    return {**found, "missing_count": missing, "missing_percent": _percent(missing, rows), "unexpected_percent_total": share,
            "unexpected_percent_nonmissing": of_asked}


def _percent(part: int, of: int) -> float | None:
    return part / of * 100 if of else None


def plain(value: Any, *, exact: bool = False) -> Any:
    """A value as JSON has it; NaN is None, and an infinite number a text. With `exact` only NaN is, and all others stay what they are.

    >>> plain(float("inf")), plain(float("-inf"), exact=True), plain(float("nan"))
    ('Infinity', -inf, None)
    """
    if isinstance(value, float) and isnan(value):
        return None
    if exact:
        return value
    if isinstance(value, float) and isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def broken(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The results that end a run: of checks that fail it, and of those whose quarantine took more rows than they tolerate."""
    worst = []
    for one in found:
        meta = one["expectation_config"]["meta"]
        if one["success"] is False and (meta["severity"] == "fail" or meta["severity"] == "quarantine" and "tolerance" in meta):
            worst.append(one)
    return worst


def refuse(what: str, found: Iterable[Mapping[str, Any]]) -> None:
    """Ends the run where a check is broken.

    Raises:
        ContractError: with every such check (reason `quality`).
    """
    worst = broken(found)
    if worst:
        raise ContractError(f"{what}: {'; '.join(map(sentence, worst))}", reason="quality",
                            hint="nothing was published; mend the data, or change the rule's severity or tolerance in the contract")


def sentence(one: Mapping[str, Any]) -> str:
    """A result in words: the check's name and what was found.

    >>> from sparkkit.checks.rules import Check
    >>> sentence(of(Check("few", "expect_table_row_count_to_equal", {"value": 3}), False, {"observed_value": 2}))
    "check 'few' is not met: 2 found"
    """
    result, name = one["result"], one["expectation_config"]["meta"]["name"]
    state = {True: "is met", False: "is not met", None: "was not run"}[one["success"]]
    if one["exception_info"].get("raised_exception"):
        return f"check {name!r} {state}: {str(one['exception_info']['exception_message']).strip().splitlines()[0][:200]}"
    if "unexpected_count" in result:
        return f"check {name!r} {state}: {result['unexpected_count']:,} of {result['element_count']:,} rows break it"
    return f"check {name!r} {state}: {one['meta'].get('why') or str(result.get('observed_value')) + ' found'}"
