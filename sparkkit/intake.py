"""Taking an input in: conform it, watch it, and settle its account after the run: `read = passed + quarantined`."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.accounting import Count, Watch, observed_once, stops_short, tally, watch, watch_verdict
from sparkkit.errors import ContractError
from sparkkit.formats.base import Finding
from sparkkit.quarantine import HIDDEN, as_json
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, FILE, LANDING, RAW, barrier
from sparkkit.schema.types import quote
from sparkkit.sources import Source, unreadable

if TYPE_CHECKING:
    from sparkkit.checks.rules import Check

SOURCE_FILE = "_source_file"

LINES = ("csv", "json", "text")
"""Formats whose rows have a raw text of their own."""

Plans = Callable[[], list[str]]
"""The physical plans of a run's outputs, looked at only where no source promises its rows: planning once more costs."""


@dataclass
class Intake:
    """One input on its way: `passed` goes to `build`, `conformed` holds every row with its verdict, unwatched. What `checks` ask
    of the rows that they took out is watched by `taken`, on the way to the quarantine."""

    source: Source
    conformed: DataFrame
    passed: DataFrame
    read: Watch
    verdict: Watch
    findings: list[Finding] = field(default_factory=list)
    checks: tuple[Check, ...] = ()
    others: Mapping[str, DataFrame] = field(default_factory=dict)
    taken: Watch | None = None


def take(source: Source, checks: Sequence[Check] = (), found: Mapping[str, Source] | None = None) -> Intake:
    """Conforms and watches a landed input, lazily; what its checks ask is watched too. `found` has those that they refer to."""
    landed, read = tally(source.frame)
    others = {n: judge(s.frame, s.contract).where(F.col(BAD).isNull()) for n, s in (found or {}).items()
              if any(c.inline and c.parent and c.parent[0] == n for c in checks)}
    judged = judge(landed, source.contract, checks, others)
    with _naming(judged, checks):
        judged, verdict = watch_verdict(judged, _asked(judged, checks))
        columns = [quote(c) for c in judged.columns if c not in LANDING]
    keep = [F.col(FILE).alias(SOURCE_FILE)] if source.conf.keep_source else []
    passed = judged.where(F.col(BAD).isNull()).select(*columns, *keep)
    return Intake(source, barrier(judge(source.frame, source.contract, checks, others)), passed, read, verdict,
                  checks=tuple(checks), others=others)


def _naming(judged: DataFrame, checks: Sequence[Check]) -> AbstractContextManager[None]:
    if not checks:
        return nullcontext()
    from sparkkit.checks import onepass

    return onepass.naming(judged, checks, onepass.scope(checks, BAD, f"{BAD}.reason"))


def _asked(judged: DataFrame, checks: Sequence[Check], *, taken: bool = False) -> dict[str, Column]:
    if not checks:
        return {}
    from sparkkit.checks import onepass

    asked = (onepass.taken if taken else onepass.asked)(checks, onepass.scope(checks, BAD, f"{BAD}.reason"))
    texts = {short: sql for sql, short in onepass.names(asked).items()}
    return {short: F.expr(sql) for short, sql in onepass.zoneless(judged, texts).items()}


def judge(
    frame: DataFrame, contract: Contract | None, checks: Sequence[Check] = (), parents: Mapping[str, DataFrame] | None = None,
) -> DataFrame:
    """The frame conformed to its contract; as it is where there is none. Duplicates and orphans are told by its checks."""
    if contract is None:
        return frame
    from sparkkit.checks.inline import flagged  # here, so that a run without a contract does not pay for them
    from sparkkit.schema.conform import conform

    return flagged(conform(frame, contract), checks, parents or {})


def rejects(intake: Intake, seen: frozenset[str] | None) -> DataFrame:
    """The rows that did not pass: `source_file`, `raw`, `form`, `reason`, `rule`; each file's one header line is not a row.

    Where only the columns `seen` may be, `raw` is the row's columns as JSON without the others, and nothing of a row that could not
    be taken apart.
    """
    source = intake.source
    typed = source.format not in LINES
    judged = intake.conformed
    if typed or seen is not None:
        judged = barrier(judge(_told(source.frame, seen), source.contract, intake.checks, intake.others))
    bad = judged.where(F.col(BAD).isNotNull())
    asked = _asked(bad, intake.checks, taken=True)
    if asked:
        bad, intake.taken = watch(bad, **asked)
    bad = bad.select(FILE, RAW, BAD)
    single = source.land.single_header
    rows = single(bad) if single else bad
    apart = F.lit(typed) if seen is None else F.col(RAW) != HIDDEN
    form = F.when(F.col(RAW).isNotNull(), F.when(apart, F.lit("columns")).otherwise(F.lit("line")))
    return rows.select(F.col(FILE).alias("source_file"), F.col(RAW).alias("raw"), form.alias("form"), f"{BAD}.reason", f"{BAD}.rule")


def _told(landed: DataFrame, seen: frozenset[str] | None) -> DataFrame:
    """The landed rows with what may be seen of their columns as the raw text."""
    row = as_json({c: F.col(quote(c)) for c in landed.columns if c not in LANDING}, seen)
    if seen is None:
        return landed.withColumn(RAW, F.coalesce(RAW, row))
    from sparkkit.schema.conform import UNREADABLE

    nothing = F.when(F.col(RAW).isNotNull(), F.lit(HIDDEN))
    return landed.withColumn(RAW, F.when(F.col(f"{BAD}.reason").isin(*UNREADABLE, "unreadable_file"), nothing).otherwise(row))


def settle(intake: Intake, plans: Plans) -> tuple[Count, bool]:
    """The input's account after the run, and whether there are rows for the quarantine.

    The figures are the observation's where it can be trusted, and else a recount of what is stored. `quarantined_by` is
    filled from the quarantine that was staged, not here.
    """
    fast = _observed(intake, plans)
    if fast is not None:
        return fast
    total, passed, bad = _recount(intake)
    seen = (intake.read.figures() or {}).get("rows")
    short = seen is None or seen - intake.source.land.headers < total
    why = _why(intake, plans) if short else None
    return Count(total, passed, complete=not short, why=why, counted_by="recount"), bad > 0


def _observed(intake: Intake, plans: Plans) -> tuple[Count, bool] | None:
    seen, verdict = intake.read.figures(), intake.verdict.figures()
    if seen is None or verdict is None or not intake.verdict.once():
        return None
    land = intake.source.land
    rows = seen["rows"] - land.headers
    bad = verdict["bad"] + verdict["headers"] - land.headers
    if land.promised is not None:
        trusted = rows == land.promised()
    else:
        whole = all(stops_short(plan) is None for plan in plans())
        trusted = whole and rows > 0 and any(observed_once(plan, intake.read) for plan in plans())
    if not trusted or rows != verdict["passed"] + bad:
        return None
    return Count(rows, verdict["passed"]), bad > 0


def _recount(intake: Intake) -> tuple[int, int, int]:
    land = intake.source.land
    total = land.rows() - land.headers
    promised = land.promised() if land.promised is not None else total
    if promised != total:
        raise _broken_promise(intake, promised, total)
    found = intake.conformed.groupBy(F.col(f"{BAD}.reason")).agg(F.count("*").alias("n")).toLocalIterator()
    by: Mapping[Any, int] = {row["reason"]: row["n"] for row in found}
    bad = sum(n for reason, n in by.items() if reason is not None) - land.headers
    return total, by.get(None, 0), bad


def _broken_promise(intake: Intake, promised: int, total: int) -> ContractError:
    """Names the files whose rows are not those that their footers promise."""
    source = intake.source
    wrong = source.land.wrong_files() if source.land.wrong_files else ()
    if wrong:
        found = unreadable(source.name, tuple(wrong), len(source.files))
        return ContractError(found.message, reason="unreadable_file", hint=found.hint)
    return ContractError(f"input {source.name!r}: its footers promise {promised} rows, but {total} were read",
                         reason="unreadable_file", hint="a file is damaged: write it again")


def _why(intake: Intake, plans: Plans) -> str:
    operator = next((found for plan in plans() if (found := stops_short(plan))), None)
    if operator:
        return f"the plan need not read it whole ({operator})"
    return "the plan did not need it whole (a part was pruned, or another side of a join was empty)"


def refuse_stopping(intake: Intake, count: Count) -> None:
    """Stops the run where the contract says that a reason which was found stops it.

    Raises:
        ContractError: with the reason and the number of rows.
    """
    contract = intake.source.contract
    if contract is None or not count.quarantined:
        return
    from sparkkit.schema.conform import stopping

    stop = {r: n for r, n in count.quarantined_by.items() if r in stopping(contract)}
    if stop:
        what = ", ".join(f"{n} rows {r}" for r, n in sorted(stop.items()))
        raise ContractError(f"input {intake.source.name!r}: {what}, and its contract says to stop", reason=min(stop),
                            hint="mend the data, or set sparkkit.on.… to quarantine in the contract")
