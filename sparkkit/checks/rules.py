"""The checks of a contract: its row rules and its quality items, each with a severity and a tolerance, as frozen data.

`warn` lets the run go on, `quarantine` takes the rows that break a rule out, `fail` ends the run before anything is
published. Rows that break a row rule with `quarantine` or `fail` never pass; more of them than the tolerance end the run
(without one: any number for `quarantine`, none for `fail`). A tolerance in percent is of all rows.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sparkkit.checks import expect
from sparkkit.checks.expect import Ask
from sparkkit.checks.results import QUERY
from sparkkit.errors import UsageError, nearest
from sparkkit.schema import bounds
from sparkkit.schema.bounds import Bounds
from sparkkit.schema.contract import Contract
from sparkkit.schema.quality import COLUMN, ENGINE, GREAT, TABLE, answer, called, custom, lacking
from sparkkit.schema.reasons import named
from sparkkit.schema.sqltext import broken, enclosed, filled, masked
from sparkkit.schema.types import quote

SEVERITY = {"allow": "warn", "quarantine": "quarantine", "stop": "fail"}
_FOLDS = re.compile(r"\s*select\s+(count|sum|avg|min|max|stddev|variance|count_if)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)(?:\s+as\s+\w+)?"
                    r"\s+from\s+(`[^`]+`)(?:\s+where\s+(.+?))?\s*", re.IGNORECASE | re.DOTALL)
_APART = re.compile(r"--|/\*|\{|\|>|[\w`]\s*\.\s*[a-z_`*]|\b(?:select|all|distinct|group|having|order|by|limit|offset|union|except|minus|"
                    r"intersect|window|over|lateral|qualify|pivot|unpivot|tablesample)\b", re.IGNORECASE)
_KEEP = re.compile(r"none|(first|last) by (.+)")


@dataclass(frozen=True)
class Check:
    """One check. `kind` and `kwargs` are its expectation, in the words of Great Expectations.

    `ask` is its question where our own pass answers it; else `query` is a SELECT of one figure, of the table `{batch}` (for
    `str.format`), with `tolerance` as its bounds; else `engine` says who answers: `gx`, or `none` where nobody does (and `why`).
    `keep` says which of several rows with the same keys stays; `parent` is the frame, and its columns, that `columns`
    must be found in. `inline` says that rows which break it are taken out on the way, and carry its name as their reason. `contract` is
    the name of the contract that it stands in.
    """

    name: str
    kind: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "fail"
    ask: Ask | None = None
    query: str = ""
    tolerance: Bounds | None = None
    keep: str = ""
    columns: tuple[str, ...] = ()
    parent: tuple[str, tuple[str, ...]] | None = None
    inline: bool = False
    engine: str = "native"
    why: str = ""
    contract: str = ""


def of(contract: Contract, *, keys: bool = False) -> tuple[Check, ...]:
    """The checks of a contract: its row rules first, then its quality items; with `keys` its keys and unique columns too, but not
    those that a quality item of its own speaks of.

    Raises:
        UsageError: an item that makes no sense; names the contract and the item.

    >>> from sparkkit.schema.contract import Rule
    >>> [(c.name, c.severity) for c in of(Contract("t", (), rules=(Rule("pos", "a > 0"),)))]
    [('pos', 'quarantine')]
    """
    found = [_of_rule(rule) for rule in contract.rules]
    for item in contract.quality:
        found.append(_of_item(item, contract))
    if keys:
        said = {frozenset(check.ask.keys) for check in found if check.ask}
        found += [check for check in _of_keys(contract) if check.ask and frozenset(check.ask.keys) not in said]
    names = [check.name for check in found]
    told = [f"{name}#{names[:i].count(name) + 1}" if name in names[:i] else name for i, name in enumerate(names)]
    return tuple(replace(check, name=name, contract=contract.name) for check, name in zip(found, told, strict=True))


def _of_rule(rule: Any) -> Check:
    tolerance = bounds.read(rule.tolerance, rule.name) if rule.tolerance else None
    return _counted(rule.name, Ask(broken(rule.predicate), nonmissing=False), SEVERITY[rule.on], tolerance, inline=rule.on != "allow")


def _of_keys(contract: Contract) -> Iterator[Check]:
    unique = [(c.name,) for c in contract.columns if c.unique and (c.name,) != contract.keys]
    for keys in ([contract.keys] if contract.keys else []) + unique:
        yield _expected(f"{'+'.join(keys)}.unique", *_uniqueness(keys), "fail")


def _of_item(item: Mapping[str, Any], contract: Contract) -> Check:
    name = called(item, contract.name)
    where = f"contract {contract.name!r}, quality {name!r}"
    name = named(name, where)
    severity = SEVERITY[answer(item, where) or "stop"]
    check = _read(item, item.get("column"), name, severity, where, contract)
    _known(check, contract, where)
    if custom(item, "sparkkit.tolerance") is not None and check.parent is None and not _of_duplicates(item):
        raise UsageError(f"{where}: sparkkit.tolerance has no meaning here", reason="bad_contract",
                         hint="row rules, duplicates and references have one; elsewhere mustBe… says it, or mostly in an expectation")
    if severity == "quarantine" and not check.inline:
        raise UsageError(f"{where}: no rows can go to the quarantine for a rule of the whole table", reason="bad_contract",
                         hint="set its severity to warn or error")
    return check


def _read(item: Mapping[str, Any], column: str | None, name: str, severity: str, where: str, contract: Contract) -> Check:
    must, metric, said = bounds.of(item, where), item.get("metric") or item.get("rule"), item.get("implementation")
    if item.get("type") == "custom" and item.get("engine") == GREAT:
        return _expectation(said, column, name, severity, where)
    if item.get("type") == "custom" and item.get("engine") == ENGINE and isinstance(said, dict):
        return _reference(said, column, name, severity, where, custom(item, "sparkkit.tolerance"))
    if item.get("type") in ("text", "custom"):
        why = f"engine {item.get('engine')!r} is not ours" if item.get("type") == "custom" else "it compares nothing"
        return Check(name, item.get("type") or "", {}, "warn", engine="none", why=why)
    if must is None:
        raise UsageError(f"{where}: no mustBe…", reason="bad_contract", hint="say what the figure must be, such as mustBe: 0")
    if item.get("type") == "sql":
        return _sql(str(item.get("query") or ""), must, column, name, severity, contract.name)
    if metric == "rowCount" and column is None:
        return _row_count(must, name, severity)
    if _of_duplicates(item):
        return _duplicates(item, must, column, name, severity, where)
    good = lacking(item, contract.column(column)) if column else None
    if good is None:
        raise UsageError(f"{where}: the metric {metric!r} is not understood here", reason="bad_contract",
                         hint="rowCount of a table; nullValues, missingValues, invalidValues and duplicateValues of a column")
    return _counted(name, Ask(f"not coalesce({good}, true)", nonmissing=False), severity, must)


def _known(check: Check, contract: Contract, where: str) -> None:
    """Refuses a column that the contract does not have."""
    said = [*check.columns, *(check.ask.keys if check.ask else ()), *_kept_by(check.keep)]
    said += [check.kwargs[k] for k in ("column", "column_A", "column_B") if k in check.kwargs]
    for column in [*said, *check.kwargs.get("column_list", ())]:
        if column not in contract.names:
            close = nearest(str(column), contract.names)
            raise UsageError(f"{where}: there is no column {column!r}", reason="bad_contract",
                             hint=f"did you mean {close!r}?" if close else None)


def _kept_by(keep: str) -> list[str]:
    return [word.strip() for word in keep.partition(" by ")[2].split(",") if word.strip()]


def _expected(name: str, kind: str, kwargs: Mapping[str, Any], severity: str, **more: Any) -> Check:
    asked = expect.ask(kind, kwargs)
    return Check(name, kind, kwargs, severity, asked, engine="native" if asked else "gx", **more)


def _expectation(said: Any, column: str | None, name: str, severity: str, where: str) -> Check:
    kind = said.get("type") or said.get("expectation_type") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not kind or not isinstance(said.get("kwargs", {}), dict):
        raise UsageError(f"{where}: implementation must be {{type: expect_…, kwargs: {{…}}}}", reason="bad_contract")
    kwargs = {k if k in ("column_A", "column_B") else re.sub(r"(?<=[a-z])([A-Z])", r"_\1", k).lower(): v
              for k, v in said.get("kwargs", {}).items()}
    return _expected(name, str(kind), ({"column": column} if column else {}) | kwargs, severity)


def _uniqueness(keys: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    if len(keys) == 1:
        return "expect_column_values_to_be_unique", {"column": keys[0]}
    return "expect_compound_columns_to_be_unique", {"column_list": list(keys)}


def _of_duplicates(item: Mapping[str, Any]) -> bool:
    return (item.get("metric") or item.get("rule")) == "duplicateValues"


def _duplicates(item: Mapping[str, Any], must: Bounds, column: str | None, name: str, severity: str, where: str) -> Check:
    """Counted are all rows whose keys stand more than once, as Great Expectations does; nulls are not duplicates."""
    keys = tuple((item.get("arguments") or {}).get("properties") or ([column] if column else []))
    keep = str(custom(item, "sparkkit.keep") or "")
    if not keys:
        raise UsageError(f"{where}: duplicates of what?", reason="bad_contract", hint="arguments: {properties: [a, b]}")
    if severity == "quarantine" and not _KEEP.fullmatch(keep):
        raise UsageError(f"{where}: sparkkit.keep is {keep or 'missing'}", reason="bad_contract",
                         hint="say which row stays: first by COLUMN, last by COLUMN, or none")
    check = _expected(name, *_uniqueness(keys), severity, keep=keep, inline=severity == "quarantine")
    assert check.ask is not None
    limit = _limit(item, must, where)
    if limit is None:
        return check
    groups = f"select count(*) as n from {{batch}} where not ({check.ask.skip}) group by {', '.join(map(quote, keys))}"
    copies = f"(select coalesce(sum(n), 0) from ({groups}) where n > 1)"
    figure = copies if limit.unit == "rows" else _share(copies, "(select count(*) from {batch})")
    return replace(check, kind=QUERY, kwargs=_unless(f"select {figure} as value", limit), tolerance=limit)


def _limit(item: Mapping[str, Any], must: Bounds, where: str) -> Bounds | None:
    """How many duplicates there may be, by the tolerance or by what the figure must be; None where both say none."""
    said, none = custom(item, "sparkkit.tolerance"), must.tests == (("=", 0),)
    if said is not None and not none:
        raise UsageError(f"{where}: both sparkkit.tolerance and {must} say how many", reason="bad_contract",
                         hint="beside a tolerance it is mustBe: 0")
    return bounds.read(said, where) if said is not None else None if none else must


def _row_count(must: Bounds, name: str, severity: str) -> Check:
    tests, asked = dict(must.tests), Ask(figure=("count_if", "true"), bounds=must)
    if set(tests) == {"="}:
        return Check(name, "expect_table_row_count_to_equal", {"value": tests["="]}, severity, asked)
    if set(tests) <= {">=", "<="}:
        kwargs = {word: tests[sign] for sign, word in ((">=", "min_value"), ("<=", "max_value")) if sign in tests}
        return Check(name, "expect_table_row_count_to_be_between", kwargs, severity, asked)
    return Check(name, QUERY, _unless("select count(*) as value from {batch}", must), severity, asked)


def _counted(name: str, asked: Ask, severity: str, tolerance: Bounds | None, *, inline: bool = False) -> Check:
    """A count of rows: as it stands for Great Expectations the rows themselves, or with a tolerance a query of it."""
    bad = asked.bad.replace("{", "{{").replace("}", "}}")
    figure = f"count_if({bad})" if tolerance is None or tolerance.unit == "rows" else _share(f"count_if({bad})", "count(*)")
    kwargs = {"unexpected_rows_query": f"select * from {{batch}} where {bad}"}
    if tolerance is not None:
        kwargs = _unless(f"select {figure} as value from {{batch}}", tolerance)
    return Check(name, QUERY, kwargs, severity, asked, tolerance=tolerance, inline=inline)


def _share(part: str, rows: str) -> str:
    """A part of the rows in percent, which is 0 where there is none, as in our own pass."""
    return f"coalesce(100.0D * {part} / nullif({rows}, 0), 0D)"


def _unless(query: str, must: Bounds) -> dict[str, str]:
    return {"unexpected_rows_query": f"select value from ({query}) where not coalesce({_braced(must.sql('value'))}, false)"}


def _sql(query: str, must: Bounds, column: str | None, name: str, severity: str, table: str) -> Check:
    """A query of one figure. A plain aggregation of the table itself is answered in our own pass; others as they stand, the rows under
    the table's name."""
    names = dict.fromkeys(TABLE, quote(table)) | (dict.fromkeys(COLUMN, quote(column)) if column else {})
    said = filled(query.strip().rstrip(";"), names, table)
    plain = f"with {_braced(quote(table))} as (select * from {{batch}}) select * from {_braced(enclosed(said))}"
    kwargs = _unless(f"select * from ({plain}) as given(value)", must)
    figure = _folded(said, table)
    if figure:
        return Check(name, QUERY, kwargs, severity, Ask(figure=figure, bounds=must))
    return Check(name, QUERY, kwargs, severity, query=plain, tolerance=must)


def _braced(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}")


def _folded(query: str, table: str) -> tuple[str, str] | None:
    """The function and argument of a plain aggregation of the table; None for any other query, such as one with names of its own."""
    bare = masked(query)
    found = _FOLDS.fullmatch(bare)
    if not found or found[3].lower() != quote(table).lower() or _APART.search(f"{found[2]}\n{found[4] or ''}"):
        return None
    function, argument, where = found[1].lower(), *(query[slice(*found.span(i))].strip() if found[i] else None for i in (2, 4))
    several = "," in re.sub(r"\([^()]*\)", "", found[2])
    if not argument or several or argument == "*" and function != "count":
        return None
    if argument == "*" or function == "count_if":
        return "count_if", " and ".join(f"({t})" for t in (argument if argument != "*" else None, where) if t) or "true"
    return function, f"case when {where} then {argument} end" if where else argument


def _reference(said: Mapping[str, Any], column: str | None, name: str, severity: str, where: str, tolerance: Any) -> Check:
    """`{references: regions.code}` of a column, or `{columns: [a, b], references: regions, to: [x, y]}`; nulls refer to nothing."""
    table, _, field_name = str(said.get("references") or "").partition(".")
    columns = tuple(said.get("columns") or ([column] if column else []))
    to = tuple(said.get("to") or ([field_name] if field_name else columns))
    if not table or not columns or len(to) != len(columns) or set(said) - {"columns", "references", "to"}:
        raise UsageError(f"{where}: a reference is {{references: table.column}}, or {{columns: […], references: table, to: […]}}",
                         reason="bad_contract")
    on = " and ".join(f"child.{quote(a)} = parent.{quote(b)}" for a, b in zip(columns, to, strict=True))
    full = " and ".join(f"child.{quote(a)} is not null" for a in columns)
    query = f"select child.* from {{batch}} as child left anti join {quote(table)} as parent on {on} where {full}"
    return Check(name, QUERY, {"unexpected_rows_query": query}, severity, Ask(nonmissing=False), columns=columns, parent=(table, to),
                 tolerance=bounds.read(tolerance, where) if tolerance is not None else None, inline=severity == "quarantine")
