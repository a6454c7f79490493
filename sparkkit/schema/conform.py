"""A landed frame made true to its contract: every value strictly cast, every row judged, none lost.

Pure: DataFrame to DataFrame, in stages that Spark keeps apart, so that each value is computed once a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.errors import ContractError
from sparkkit.schema.cast import BAD_VALUES, Cast, literal, number, prepared
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, LANDING
from sparkkit.schema.reader import effective
from sparkkit.schema.retype import typed
from sparkkit.schema.slips import fault, refusal, selected
from sparkkit.schema.sqltext import broken
from sparkkit.schema.types import ddl, parse

UNREADABLE = (
    "unreadable_row",
    "ragged_row",
    "unclosed_quote",
    "stray_quote",
    "blank",
    "invalid_encoding",
    "nul_character",
    "replacement_character",
    "repeated_header",
    "header_mismatch",
    "schema_mismatch",
)
"""The reasons for which a row could not be read; the policy `unreadable_row` answers them."""

_SHOWN = 80


@dataclass(frozen=True)
class _Source:
    """A landed column: `at` is its name by place, which no dot, blank, backtick or twin in another case can disturb."""

    name: str
    at: str
    type: t.DataType


@dataclass(frozen=True)
class _Step:
    """One column on its way, as SQL text: landed (`given`), ready to be cast (`ready`), cast; by place: g0, v0."""

    place: int
    column: Column
    options: Mapping[str, str]
    given: str
    ready: str
    target: t.DataType
    cast: Cast | None
    missing: bool = False


def conform(landed: DataFrame, contract: Contract) -> DataFrame:
    """FILE, RAW, BAD and the contract's columns with their types; BAD says the first thing wrong with a row, or null.

    Text columns are read as text and strictly cast; typed ones pass, are widened, or must survive the way there and
    back. A value that the policy `bad_value` allows becomes null, and its row passes: to count such rows, conform by
    `counted`. Columns are matched by their exact names; a frame without FILE, RAW and BAD gets them as null.

    Raises:
        ContractError: a column is missing (`missing_column`) or one too many (`extra_column`), and the policy is stop.
        UsageError: a rule whose SQL Spark does not take on these columns (`bad_contract`).

    >>> rows = [("f", "1,x", None, "1", "x"), ("f", "b,y", None, "b", "y")]
    >>> schema = f"_sparkkit_file string, _sparkkit_raw string, {BAD} {BAD_TYPE}, n string, s string"
    >>> found = conform(spark.createDataFrame(rows, schema), Contract("t", (Column("n", "int"), Column("s", "string"))))
    >>> [(row.n, row[BAD] and tuple(row[BAD])) for row in found.collect()]
    [(1, None), (None, ('bad_value', "n: 'b' is no int"))]
    """
    frame, sources = _by_place(landed)
    extra = _checked(sources, contract)
    steps = [_step(i, column, sources.get(column.name), contract) for i, column in enumerate(contract.columns)]
    ready = frame.selectExpr(*LANDING, *[f"{s.given} as g{s.place}" for s in steps], *[e.at for e in extra])
    normal = ready.selectExpr(
        *LANDING, *[f"g{s.place}" for s in steps], *[f"{s.ready} as r{s.place}" for s in steps], *[e.at for e in extra]
    )
    cast = normal.selectExpr(
        *LANDING,
        *[f"g{s.place}" for s in steps],
        *[f"r{s.place}" for s in steps],
        *[f"{s.cast.value if s.cast else f'r{s.place}'} as v{s.place}" for s in steps],
        *[e.at for e in extra],
    )
    faults = [fault for s in steps for fault in _faults(s, contract)] + [_extra_fault(e) for e in extra]
    # BAD stands last: Spark infers constraints alias by alias, and each one behind BAD would double what it knows of it
    judged = cast.selectExpr(*LANDING[:2], *[f"v{s.place}" for s in steps], _first(faults))
    return _ruled(judged.toDF(*LANDING[:2], *contract.names, BAD), contract)


def counted(contract: Contract) -> Contract:
    """The same contract with nothing allowed: rows that `allow` lets pass get their reason and can be counted.

    >>> counted(Contract("t", (), policy={"bad_value": "allow"})).on("bad_value")
    'quarantine'
    """
    policy = {what: "quarantine" if answer == "allow" else answer for what, answer in contract.policy.items()}
    rules = tuple(replace(rule, on="quarantine") if rule.on == "allow" else rule for rule in contract.rules)
    return replace(contract, policy=policy, rules=rules)


def stopping(contract: Contract) -> frozenset[str]:
    """The reasons at which a run stops, where any row has one.

    >>> sorted(stopping(Contract("t", (), policy={"null": "stop"})))
    ['null', 'unreadable_file']
    """
    words = {"bad_value": BAD_VALUES, "null": ("null",), "unreadable_row": UNREADABLE, "unreadable_file": ("unreadable_file",)}
    found = {reason for what, reasons in words.items() if contract.on(what) == "stop" for reason in reasons}
    return frozenset(found | {rule.name for rule in contract.rules if rule.on == "stop" and not rule.tolerance})


def _by_place(landed: DataFrame) -> tuple[DataFrame, dict[str, _Source]]:
    """The frame with its data columns named by place, and what they were."""
    fields = landed.schema.fields
    sources = [_Source(f.name, f"c{i}", f.dataType) for i, f in enumerate(fields) if f.name not in LANDING]
    twice = sorted({s.name for s in sources if [o.name for o in sources].count(s.name) > 1})
    if twice:
        raise ContractError(
            f"the frame has {', '.join(map(repr, twice))} more than once",
            reason="duplicate_column",
            hint="drop or rename one of them",
        )
    frame = landed.toDF(*[f.name if f.name in LANDING else f"c{i}" for i, f in enumerate(fields)])
    types = dict(zip(LANDING, ("string", "string", BAD_TYPE), strict=True))
    for name in LANDING:
        if name not in landed.columns:
            frame = frame.withColumn(name, F.lit(None).cast(types[name]))
    return frame, {s.name: s for s in sources}


def _checked(sources: Mapping[str, _Source], contract: Contract) -> list[_Source]:
    """The extra columns that make a row bad where they hold something."""
    missing = [name for name in contract.names if name not in sources]
    if missing and contract.on("missing_column") == "stop":
        folded = {name.casefold(): name for name in sources}
        near = [f"{n!r} is there as {folded[n.casefold()]!r}" for n in missing if n.casefold() in folded]
        raise ContractError(
            f"contract {contract.name!r}: missing {', '.join(map(repr, missing))}; found "
            f"{', '.join(map(repr, sources)) or 'no column'}",
            reason="missing_column",
            hint=", ".join(near) or "mend the data or the contract, or set sparkkit.on.missing_column",
        )
    extra = [source for name, source in sources.items() if name not in contract.names]
    if extra and contract.on("extra_column") == "stop":
        raise ContractError(
            f"contract {contract.name!r}: {', '.join(repr(e.name) for e in extra)} not in the contract",
            reason="extra_column",
            hint="add it to the contract, or set sparkkit.on.extra_column",
        )
    return extra if contract.on("extra_column") == "quarantine" else []


def _step(place: int, column: Column, source: _Source | None, contract: Contract) -> _Step:
    options, target = effective(contract, column), parse(column.type)
    if source is None:
        return _Step(place, column, options, f"cast(null as {ddl(target)})", f"g{place}", target, None, True)
    given, ready = source.at, f"g{place}"
    if isinstance(source.type, t.StringType):
        given, ready = prepared(given, target, options), number(ready, target, options)
    try:
        return _Step(place, column, options, given, ready, target, typed(f"r{place}", source.type, target, options))
    except ContractError as error:
        raise ContractError(f"{column.name}: {error.message}", reason=error.reason, hint=error.hint) from None


def _first(faults: Sequence[tuple[str, str, str]]) -> str:
    """SQL text: BAD as it is, or else the finding of the first condition that holds."""
    cases = "".join(
        f" when {when} then named_struct('reason', {reason}, 'rule', {rule})" for when, reason, rule in faults
    )
    return f"case when {BAD} is not null then {BAD}{cases} end as {BAD}"


def _faults(step: _Step, contract: Contract) -> list[tuple[str, str, str]]:
    """Condition, reason and rule, as SQL texts, of what can be wrong with one column."""
    given, value, name = f"g{step.place}", f"v{step.place}", step.column.name
    found = []
    if step.missing and contract.on("missing_column") == "quarantine":
        found.append(("true", "'missing_column'", literal(f"{name}: the column is missing")))
    if step.cast and step.cast.reason and contract.on("bad_value") != "allow":
        reason = f"case when r{step.place} is null then 'bad_value' else {step.cast.reason} end"
        found.append((f"{given} is not null and {value} is null", reason, _words(step, reason)))
    if step.column.required and contract.on("null") != "allow":
        found.append((f"{value} is null", "'null'", literal(f"{name}: null, where a value is required")))
    return found


def _words(step: _Step, reason: str) -> str:
    """SQL text: what is wrong with a value, in words that begin with the column's name."""
    dtype = ddl(step.target)
    words = {
        "bad_value": f" is no {dtype}",
        "out_of_range": f" is out of the range of {dtype}",
        "not_a_number": " is not a number",
        "loss_of_scale": f" loses digits as {dtype}",
        "replacement_character": " holds U+FFFD, where a character was lost",
        "dst_gap": f" is a time that never was in {step.options['zone']}: clocks went forward",
    }
    cases = " ".join(f"when {literal(word)} then {literal(text)}" for word, text in words.items())
    shown = f"substring(coalesce(cast(g{step.place} as string), ''), 1, {_SHOWN})"
    before = literal(f"{step.column.name}: '")
    return f"concat({before}, {shown}, '\\'', case {reason} {cases} end)"


def _extra_fault(extra: _Source) -> tuple[str, str, str]:
    return f"{extra.at} is not null", "'extra_column'", literal(f"{extra.name}: the column is not in the contract")


def _ruled(judged: DataFrame, contract: Contract) -> DataFrame:
    """The row rules of the contract, on the columns by their own names; a predicate that is null passes."""
    rules = [rule for rule in contract.rules if rule.on != "allow"]
    if not rules:
        return judged
    faults = [
        (broken(r.predicate), literal(r.name), literal(f"{r.name}: {r.description or r.predicate}"))
        for r in rules
    ]
    values = [f"`{name.replace('`', '``')}`" for name in contract.names]
    try:
        return selected(judged, *LANDING[:2], *values, _first(faults))
    except AnalysisException:
        for rule in rules:
            slip = fault(judged, "*", f"{broken(rule.predicate)} as _sparkkit_rule")
            if slip:
                raise refusal(f"contract {contract.name!r}, rule {rule.name!r}", slip) from None
        raise
