"""Rows that break a rule between rows, taken out on the way: duplicates, and references to nothing. One shuffle each."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import types as t

from sparkkit.checks.rules import Check
from sparkkit.schema.landing import BAD, FILE, LANDING, RAW
from sparkkit.schema.limits import text
from sparkkit.schema.types import quote

_TURN, _FOUND = "_sparkkit_turn", "_sparkkit_parent"


def flagged(judged: DataFrame, checks: Iterable[Check], parents: Mapping[str, DataFrame]) -> DataFrame:
    """A conformed frame whose BAD tells duplicates and orphans too, by the checks that send them to the quarantine.

    Which duplicate stays is the check's `keep`; rows that tie are told apart by all their columns, so that each time the
    frame is computed the same ones go.
    """
    for check in checks:
        if check.inline and check.ask is not None and check.ask.keys:
            judged = _duplicates(judged, check, check.ask.skip)
        elif check.inline and check.parent is not None and check.parent[0] in parents:
            judged = _orphans(judged, check, parents[check.parent[0]])
    return judged


def _duplicates(judged: DataFrame, check: Check, skip: str) -> DataFrame:
    assert check.ask is not None
    hashed = [quote(f.name) for f in judged.schema.fields if f.name not in LANDING and not _has_map(f.dataType)]
    own = f"xxhash64({', '.join([FILE, RAW, *hashed])})"
    keys = ", ".join(map(quote, check.ask.keys))
    apart = f"partition by {keys}, case when {BAD} is null and not ({skip}) then 0 else {own} end"  # what is not asked meets nobody
    word, _, columns = check.keep.partition(" by ")
    order = ", ".join(f"{quote(c.strip())} {'desc' if word == 'last' else 'asc'} nulls last" for c in columns.split(",") if c.strip())
    turn = f"count(1) over ({apart})" if word == "none" else f"row_number() over ({apart} order by {order}, {own}, {FILE}, {RAW})"
    said = f"{check.name}: {', '.join(check.ask.keys)} stands more than once"
    return _with_bad(judged.selectExpr("*", f"{turn} as {_TURN}"), check, f"not ({skip}) and {_TURN} > 1", said).drop(_TURN)


def _orphans(judged: DataFrame, check: Check, parent: DataFrame) -> DataFrame:
    assert check.parent is not None
    table, to = check.parent
    known = parent.selectExpr(*map(quote, to)).distinct().selectExpr("*", "true as found")
    known = known.toDF(*[f"_sparkkit_p{i}" for i in range(len(to))], _FOUND)
    on = [judged[quote(c)] == known[f"_sparkkit_p{i}"] for i, c in enumerate(check.columns)]
    full = " and ".join(f"{quote(c)} is not null" for c in check.columns)
    said = f"{check.name}: {', '.join(check.columns)} is not in {table}"
    return _with_bad(judged.join(known, on, "left"), check, f"{full} and {_FOUND} is null", said).drop(*known.columns)


def _with_bad(frame: DataFrame, check: Check, when: str, said: str) -> DataFrame:
    names = [quote(c) for c in frame.columns if c != BAD]
    found = f"named_struct('reason', {text(check.name)}, 'rule', {text(said)})"
    return frame.selectExpr(*names, f"case when {BAD} is not null then {BAD} when {when} then {found} end as {BAD}")


def _has_map(dtype: t.DataType) -> bool:
    if isinstance(dtype, t.StructType):
        return any(_has_map(f.dataType) for f in dtype.fields)
    return _has_map(dtype.elementType) if isinstance(dtype, t.ArrayType) else isinstance(dtype, t.MapType)
