"""The verdict on a run's quality, before anything is published. Row rules were judged in the run's own pass; aggregates of an output
are one aggregation of what was staged, those of an input were observed in the pass, and where that can't be trusted are one
aggregation of what is stored."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit import compat
from sparkkit.accounting import Count
from sparkkit.checks import onepass
from sparkkit.checks.rules import Check, of
from sparkkit.conf import OutputConf
from sparkkit.errors import UsageError, nearest
from sparkkit.intake import Intake
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, LANDING
from sparkkit.schema.reasons import reason_of
from sparkkit.schema.slips import refusal
from sparkkit.schema.types import quote
from sparkkit.sinks import Place, Staged
from sparkkit.staging import SPLIT

Checks = Mapping[str, tuple[Check, ...]]
"""The checks of each input and output that has a contract."""

Found = list[dict[str, Any]]
REASON = reason_of(SPLIT)
"""SQL text: why a staged row was taken out."""


def checks(contracts: Mapping[str, Contract], outputs: Mapping[str, OutputConf], inputs: Iterable[str]) -> Checks:
    """The checks of each input and output that has a contract; of outputs the keys and unique columns too, but not in the modes
    of Delta that write by keys: what is staged there are changes.

    Raises:
        UsageError: a quality item that makes no sense, or that refers to what is no input of the job.
    """
    found = {name: of(contract, keys=name in outputs and not outputs[name].keys) for name, contract in contracts.items()}
    for name, some in found.items():
        refuse_unknown(f"contract {contracts[name].name!r}", some, inputs)
    return found


def refuse_unknown(where: str, some: Iterable[Check], tables: Iterable[str]) -> None:
    """Refuses references to a table that is not at hand: nothing would be looked up, and nothing found wrong.

    Raises:
        UsageError: with the check and the nearest name (reason `bad_contract`).
    """
    for check in some:
        if check.parent and check.parent[0] not in (known := sorted(tables)):
            near = nearest(check.parent[0], known)
            raise UsageError(f"{where}: check {check.name!r} refers to {check.parent[0]!r}, which is no input of the job",
                             reason="bad_contract", hint=f"did you mean {near!r}?" if near else f"its inputs: {', '.join(known)}")


def parents(some: Checks, taken: Mapping[str, Intake]) -> dict[str, DataFrame]:
    """The good rows of the inputs that checks refer to."""
    wanted = {check.parent[0] for own in some.values() for check in own if check.parent}
    return {name: good(one) for name, one in taken.items() if name in wanted}


def good(one: Intake) -> DataFrame:
    """The rows of an input that passed, unwatched."""
    columns = [quote(c) for c in one.conformed.columns if c not in LANDING]
    return one.conformed.where(F.col(BAD).isNull()).select(*columns)


def all_of(
    place: Place, some: Checks, taken: Mapping[str, Intake], counts: Mapping[str, Count], staged: Mapping[str, Staged],
    others: Mapping[str, DataFrame],
) -> Found:
    """The results of all checks of a run, after its accounts are settled and before anything is published."""
    found = [one for n, own in taken.items() for one in of_input(n, own, counts[n], some.get(n, ()), others)]
    return found + [one for n, done in staged.items() for one in of_output(n, place, done, some.get(n, ()), others)]


def of_input(name: str, one: Intake, count: Count, some: Sequence[Check], others: Mapping[str, DataFrame]) -> Found:
    """The results of an input's checks, after its account is settled."""
    if not some:
        return []
    within = onepass.scope(some, BAD, f"{BAD}.reason")
    asked = onepass.asked(some, within)
    found: Any = one.verdict.figures() if count.counted_by == "observed" else _of_good(one.conformed, asked, count.good, within.good)
    seen = one.taken.figures() if one.taken and one.taken.once() else None
    known = _with_taken(some, within, onepass.answers(asked, found), count, seen, lambda: one.conformed)
    return _told(f"input {name}", results(good(one), some, known, others, within.inline))


def of_taken(some: Sequence[Check]) -> dict[str, str]:
    """SQL texts of what an output's checks ask of the rows that they take out, to be summed where these are counted (`sinks.stage`)."""
    return _named(onepass.taken(some, onepass.scope(some, SPLIT, REASON)))


def of_output(name: str, place: Place, staged: Staged, some: Sequence[Check], others: Mapping[str, DataFrame]) -> Found:
    """The results of an output's checks, after it was staged."""
    if not some:
        return []
    within = onepass.scope(some, SPLIT, REASON)
    asked = onepass.asked(some, onepass.Scope(inline=within.inline))
    seen = onepass.answers(asked, _of_good(_good(place, staged), asked, staged.count.good))
    known = onepass.together(seen, onepass.answers(onepass.taken(some, within), staged.taken))
    return _told(f"output {name}", results(_good(place, staged), some, known, others, within.inline))


def of_slice(name: str, frame: DataFrame, some: Sequence[Check]) -> Found:
    """The results of an output's checks on all that a slice of it is to hold."""
    return _told(f"output {name}", of_frame(frame, some))


def _with_taken(
    some: Sequence[Check], within: onepass.Scope, known: onepass.Answers, count: Count, seen: Mapping[str, Any] | None,
    rows: Callable[[], DataFrame],
) -> onepass.Answers:
    """Answers about good rows, with what is to be said of those that were taken out by checks: as it was seen on their way to
    the quarantine, or else asked of `rows`, but not where there are none."""
    asked = onepass.taken(some, within)
    if not set(within.inline) & set(count.quarantined_by):
        found: Mapping[str, Any] = dict.fromkeys(_named(asked), 0)
    else:
        found = seen if seen is not None else _aggregated(rows().where(within.ruled), asked)
    return onepass.together(known, onepass.answers(asked, found))


def results(
    frame: DataFrame, some: Sequence[Check], known: onepass.Answers, others: Mapping[str, DataFrame], inline: Sequence[str] = (),
) -> Found:
    """The results of checks in their order: what one pass could not answer is asked of the good rows, a question each, but for
    checks whose rows were taken out on the way (`inline`)."""
    answers = {name: dict(figures) for name, figures in known.items()}
    for check in some:
        if check.name not in inline:
            answers.setdefault(check.name, {}).update(_asked_apart(check, frame, others))
    ours = onepass.verdicts(some, answers)
    rest = [check for check in some if check.engine == "gx"]
    if rest:
        from sparkkit.checks import expectations

        ours += expectations.run(frame, rest)
    order = {check.name: place for place, check in enumerate(some)}
    return sorted(ours, key=lambda one: order[one["expectation_config"]["meta"]["name"]])


def of_frame(frame: DataFrame, some: Sequence[Check], others: Mapping[str, DataFrame] | None = None) -> Found:
    """The results of checks on a frame that stands by itself: one aggregation, and a shuffle for each check that needs one."""
    asked = onepass.asked(some, onepass.Scope())
    return results(frame, some, onepass.answers(asked, _aggregated(frame, asked)), others or {})


def refuse_slips(frame: DataFrame, some: Iterable[Check]) -> None:
    """Refuses checks whose SQL Spark does not take on a frame that they will be asked of, before it is computed.

    Raises:
        UsageError: names contract and check (reason `bad_contract`).
    """
    rows = frame.select(*[quote(c) for c in frame.columns if c not in LANDING])
    onepass.refuse_slips(rows, some)
    refuse_queries(rows, some)


def refuse_queries(frame: DataFrame, some: Iterable[Check]) -> None:
    """The same for checks that are queries of their own."""
    for check in some:
        if check.query:
            try:
                with _queried(check, frame) as found:
                    _ = found.schema
            except AnalysisException as slip:
                raise refusal(f"contract {check.contract!r}, check {check.name!r}", slip) from None


@contextmanager
def _queried(check: Check, frame: DataFrame) -> Iterator[DataFrame]:
    view = "sparkkit_checked"
    frame.createOrReplaceTempView(view)
    try:
        yield frame.sparkSession.sql(check.query.format(batch=view))
    finally:
        frame.sparkSession.catalog.dropTempView(view)


def _asked_apart(check: Check, frame: DataFrame, others: Mapping[str, DataFrame]) -> dict[str, Any]:
    if check.query:
        with _queried(check, frame) as found:
            row = compat.zoneless(found, utc=True).first()
        return {"value": None if row is None else row[0]}
    one = onepass.shuffled(check, frame, others.get(check.parent[0]) if check.parent else None)
    row = None if one is None else one.first()
    return {} if row is None else row.asDict()


def _named(asked: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {short: sql for sql, short in onepass.names(asked).items()}


def _of_good(frame: DataFrame, asked: Mapping[str, Mapping[str, str]], rows: int, good: str = "true") -> Mapping[str, Any]:
    """The answers about the good rows of a frame, of which there are so many: one aggregation of the columns that are asked about."""
    named = _named(asked)
    known = {short: rows for short, sql in named.items() if sql == f"count_if({good})"}
    wanted = {short: sql for short, sql in named.items() if short not in known}
    return known | _row(frame, wanted)


def _aggregated(frame: DataFrame, asked: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
    return _row(frame, _named(asked))


def _row(frame: DataFrame, texts: Mapping[str, str]) -> dict[str, Any]:
    """The one row of an aggregation of SQL texts, by their names."""
    row = compat.zoneless(frame.selectExpr(*[f"{sql} as {name}" for name, sql in texts.items()]), utc=True).first() if texts else None
    return {} if row is None else row.asDict()


def _good(place: Place, staged: Staged) -> DataFrame:
    if not place.any(staged.data):
        return place.spark.createDataFrame([], staged.schema)
    return place.read(staged.data, staged.schema)


def _told(edge: str, found: Found) -> Found:
    for one in found:
        one["meta"]["of"] = edge
    return found
