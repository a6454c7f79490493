"""What checks need to know of a frame, folded into one aggregation, and the verdicts out of the answers.

A row rule's predicate is looked at again only in rows that were taken out for a rule, and these are counted apart: a good
row pays for each rule once.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql.types import TimestampType

from sparkkit.checks import results
from sparkkit.checks.expect import DISTINCT, Ask
from sparkkit.checks.rules import Check
from sparkkit.schema.bounds import IN_UTC
from sparkkit.schema.limits import text
from sparkkit.schema.slips import fault, refusal
from sparkkit.schema.types import quote

Answers = Mapping[str, Mapping[str, Any]]
"""What was found out, by the check's name and the figure's."""


@dataclass(frozen=True)
class Scope:
    """The rows of a frame that count. `good` is SQL text of whether a row passed, `reason` of why it did not; empty where the
    frame holds good rows only. `inline` names the checks whose rows were taken out on the way: these count them too (`taken`)."""

    good: str = "true"
    reason: str = ""
    inline: tuple[str, ...] = ()

    @property
    def ruled(self) -> str:
        """SQL text: whether a row was taken out by a check, and not because it could not be read or converted."""
        names = ", ".join(map(text, self.inline))
        return f"({self.reason} is not null and {self.reason} in ({names}))" if self.reason and self.inline else "false"


def scope(checks: Iterable[Check], carrier: str, reason: str) -> Scope:
    """The scope of a frame whose rows carry why they were taken out; in a good row the carrier is null."""
    return Scope(f"{carrier} is null", reason, tuple(check.name for check in checks if check.inline))


def asked(checks: Iterable[Check], within: Scope) -> dict[str, dict[str, str]]:
    """SQL text of each figure that one aggregation can answer, by the check's name and the figure's.

    >>> from sparkkit.checks.expect import Ask
    >>> asked([Check("r", "", ask=Ask("a < 0"))], Scope())["r"]["unexpected"]
    'count_if(true and not (false) and (a < 0))'
    """
    return {check.name: _figures(check, check.ask, within) for check in checks if check.ask is not None}


def _figures(check: Check, ask: Ask, within: Scope) -> dict[str, str]:
    if ask.figure is not None:
        return _table_figures(ask, within.good)
    figures = _asked_rows(ask, within.good)
    if ask.bad and check.name not in within.inline:
        figures["unexpected"] = f"count_if({within.good} and not ({ask.skip}) and ({ask.bad}))"
    return figures


def _asked_rows(ask: Ask, rows: str) -> dict[str, str]:
    return {"rows": f"count_if({rows})"} | ({"missing": f"count_if({rows} and ({ask.skip}))"} if ask.nonmissing else {})


def taken(checks: Iterable[Check], within: Scope) -> dict[str, dict[str, str]]:
    """SQL text of each figure of the rows that were taken out by checks, which checks count that take rows out; by the
    check's name and the figure's. They can be asked of any frame that has these rows.

    >>> from sparkkit.checks.expect import Ask
    >>> taken([Check("r", "", ask=Ask("a < 0"), inline=True)], Scope("false", "why", ("r",)))["r"]["unexpected"]
    "count_if((why is not null and why in ('r')) and not (false) and (a < 0))"
    """
    found = {}
    for check in checks:
        if check.inline and check.ask is not None:
            bad = f"{within.ruled} and not ({check.ask.skip}) and ({check.ask.bad})"
            unexpected = bad if check.ask.bad else f"{within.reason} = {text(check.name)}"
            found[check.name] = {**_asked_rows(check.ask, within.ruled), "unexpected": f"count_if({unexpected})"}
    return found


def together(some: Answers, more: Answers) -> dict[str, dict[str, Any]]:
    """Answers about two sets of rows, added."""
    return {name: {**figures, **{f: figures.get(f, 0) + n for f, n in more.get(name, {}).items()}} for name, figures in some.items()}


def _table_figures(ask: Ask, good: str) -> dict[str, str]:
    assert ask.figure is not None
    function, argument = ask.figure
    whole = {"all": {"of": f"count_if({good})"}, "filled": {"of": _over("count", argument, good)}}.get(ask.share, {})
    return whole if function == DISTINCT else {"value": _over(function, argument, good), **whole}


def _over(function: str, argument: str, good: str) -> str:
    if good == "true":
        return f"{function}({argument})"
    return f"count_if({good} and ({argument}))" if function == "count_if" else f"{function}(case when {good} then {argument} end)"


def names(figures: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A short name for each different SQL text: what several checks ask is computed once."""
    return {sql: f"q{i}" for i, sql in enumerate(dict.fromkeys(sql for some in figures.values() for sql in some.values()))}


def refuse_slips(frame: DataFrame, checks: Iterable[Check], within: Scope | None = None) -> None:
    """Refuses checks whose SQL Spark does not take on a frame's columns. Nothing is computed.

    Raises:
        UsageError: names contract and check (reason `bad_contract`).
    """
    some = tuple(checks)
    figures = asked(some, within or Scope())
    if not names(figures) or fault(frame, *names(figures)) is None:
        return
    for check in some:
        for sql in figures.get(check.name, {}).values():
            slip = fault(frame, sql)
            if slip:
                raise refusal(f"contract {check.contract!r}, check {check.name!r}", slip) from None


@contextmanager
def naming(frame: DataFrame, checks: Iterable[Check], within: Scope) -> Iterator[None]:
    """Where the checks' SQL is analysed with other things: says which of them Spark does not take."""
    try:
        yield
    except AnalysisException:
        refuse_slips(frame, checks, within)
        raise


def zoneless(frame: DataFrame, texts: Mapping[str, str]) -> dict[str, str]:
    """SQL texts that are observed on a frame, by names, with times as UTC has them (see `compat.zoneless`)."""
    if not any(isinstance(f.dataType, TimestampType) for f in frame.schema.fields):
        return dict(texts)
    types = frame.selectExpr(*[f"{sql} as {name}" for name, sql in texts.items()]).schema
    timed = {name for name in texts if isinstance(types[name].dataType, TimestampType)}
    return {name: IN_UTC.format(sql) if name in timed else sql for name, sql in texts.items()}


def answers(figures: Mapping[str, Mapping[str, str]], found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The answers by check and figure, out of one row by the short names."""
    short = names(figures)
    return {check: {name: found[short[sql]] for name, sql in some.items()} for check, some in figures.items()}


def shuffled(check: Check, good: DataFrame, parent: DataFrame | None = None) -> DataFrame | None:
    """One row with the figures of a check that a single pass can't answer, by one shuffle of the good rows; else None.

    Without a `parent` a reference is not looked up.
    """
    ask = check.ask
    if ask is None:
        return None
    if ask.figure is not None and ask.figure[0] == DISTINCT:
        return good.selectExpr(f"count(distinct {ask.figure[1]}) as value")
    if ask.keys:
        copies = good.where(f"not ({ask.skip})").selectExpr(*map(quote, ask.keys)).toDF(*[f"k{i}" for i in range(len(ask.keys))])
        twice = copies.groupBy(*copies.columns).agg({"*": "count"}).toDF(*copies.columns, "n").where("n > 1")
        return twice.selectExpr("coalesce(sum(n), 0) as unexpected")
    if check.parent is not None and parent is not None:
        return orphans(check, good, parent).selectExpr("count(1) as unexpected")
    return None


def orphans(check: Check, frame: DataFrame, parent: DataFrame) -> DataFrame:
    """The columns of a reference, for each row that has no row in the parent; a row with a null refers to nothing."""
    assert check.parent is not None
    to = parent.selectExpr(*map(quote, check.parent[1])).toDF(*[f"p{i}" for i in range(len(check.columns))])
    child = frame.selectExpr(*map(quote, check.columns)).toDF(*[f"c{i}" for i in range(len(check.columns))])
    full = child.where(" and ".join(f"{c} is not null" for c in child.columns))
    return full.join(to, [full[c] == to[p] for c, p in zip(child.columns, to.columns, strict=True)], "left_anti")


def verdicts(checks: Iterable[Check], found: Answers) -> list[dict[str, Any]]:
    """The results, in the format of Great Expectations, of all checks that our own pass answers or nobody does."""
    return [_verdict(check, found.get(check.name, {})) for check in checks if check.engine != "gx"]


def _verdict(check: Check, figures: Mapping[str, Any]) -> dict[str, Any]:
    ask = check.ask
    if check.engine == "none":
        return results.of(check, None, {})
    if ask is None:
        value = figures.get("value")
        return results.of(check, check.tolerance is not None and check.tolerance.hold(value), {"observed_value": value})
    if ask.figure is not None:
        value = figures["value"]
        if ask.share:
            value = value / figures["of"] if figures["of"] else 0
        return results.of(check, ask.bounds is None or ask.bounds.hold(results.plain(value, exact=True)), {"observed_value": value})
    if "unexpected" not in figures:
        return results.of(check, None, {})
    rows, missing, unexpected = figures["rows"], figures.get("missing", 0), figures["unexpected"]
    return results.of(check, _within(check, ask, rows, rows - missing, unexpected), results.counts(check, rows, missing, unexpected))


def _within(check: Check, ask: Ask, rows: int, considered: int, unexpected: int) -> bool:
    """Whether the unexpected rows are few enough: by the tolerance, or by `mostly` of the rows that were asked."""
    if check.tolerance is not None:
        return check.tolerance.hold(unexpected if check.tolerance.unit == "rows" else 100.0 * unexpected / rows if rows else 0.0)
    return considered == 0 or (considered - unexpected) / considered >= ask.mostly
