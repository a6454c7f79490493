"""Row rules out of the standard: limits of columns and of what is nested in them, and quality items of one row.

A quality item is a row rule where it says so: `type: custom, engine: sparkkit, implementation: <SQL predicate>`, or
`type: sql` whose query is a predicate (no SELECT, no mustBe…), or one of the metrics `nullValues`, `missingValues` and
`invalidValues` of a column, with `mustBe: 0` or the severity `quarantine`. In a predicate `${column}` stands for the item's
own column. All others speak of a table, and are kept for `sparkkit.checks`.

What follows from a broken rule is its `sparkkit.on` (`quarantine`, `stop`, `allow`), or else the standard's `severity`
by `SEVERITIES`, or else the policy `bad_value` for a row rule, `stop` for others. `sparkkit.tolerance` is how many rows
may break it (`100`, `"5%"` of all rows).
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

from pyspark.sql import types as t

from sparkkit.errors import UsageError, nearest
from sparkkit.schema import bounds
from sparkkit.schema.contract import Column, Rule
from sparkkit.schema.limits import literal, predicates, rules, text
from sparkkit.schema.logical import spark_type, stated
from sparkkit.schema.reader import ANSWERS, unknown
from sparkkit.schema.reasons import fitting, named
from sparkkit.schema.sqltext import filled
from sparkkit.schema.types import parse, quote

Made = TypeVar("Made")

ENGINE, GREAT = "sparkkit", "greatExpectations"
"""The `engine` of a custom quality item that is ours, and of one that is an expectation."""

SEVERITIES = {
    **dict.fromkeys(("info", "low", "minor", "warn", "warning"), "allow"),
    "quarantine": "quarantine",
    **dict.fromkeys(("medium", "error", "fail", "high", "major", "critical", "blocker"), "stop"),
}
"""The standard's `severity`, which it leaves open, as answers: `allow` goes on and warns, `stop` ends the run."""

_ENGINES = {"sparkkit": ENGINE, "greatexpectations": GREAT, "gx": GREAT, "ge": GREAT}
CUSTOM = ("sparkkit.on", "sparkkit.tolerance", "sparkkit.keep")
"""The custom properties of a quality item that are ours."""

COLUMN, TABLE = ("column", "property", "field"), ("object", "table", "model", "schema")
"""The placeholders of a query that stand for an item's own column, and for its table."""

_SELECT = re.compile(r"\s*\(*\s*(select|with)\b", re.IGNORECASE)


def read(
    item: Any, columns: tuple[Column, ...], on: str, where: str
) -> tuple[tuple[Rule, ...], tuple[dict[str, Any], ...]]:
    """The row rules of a schema object, and its other quality items as plain mappings.

    The rules of limits come first, then those of nested limits, then the columns' items, then the object's own.

    Raises:
        UsageError: a limit or an item that makes no sense, or two rules of one name; names `where` and the column.
    """
    found: list[Rule] = []
    for column in columns:
        found += _placed(_limited(column, on), f"{where}, column {column.name!r}")
    for prop in item.properties:
        found += _placed(_below(prop, on), f"{where}, column {prop.name!r}")
    kept: list[dict[str, Any]] = []
    by_name = {column.name: column for column in columns}
    for column_name, name, entry, place in _items(item, where):
        plain = _plain(entry, place)
        rule = _rule(plain, by_name.get(column_name or ""), on, place, name)
        found += [rule] if rule else []
        kept += [] if rule else [plain | ({"column": column_name} if column_name else {})]
    _refuse_twins(found, where)
    return tuple(replace(rule, name=fitting(rule.name)) for rule in found), tuple(kept)


def _limited(column: Column, on: str) -> Callable[[], Iterable[Rule]]:
    return lambda: rules(column, on)


def _below(prop: Any, on: str) -> Callable[[], Iterable[Rule]]:
    return lambda: [Rule(name, predicate, on) for name, predicate in _nested(prop, quote(prop.name), prop.name)]


def _items(item: Any, where: str) -> Iterator[tuple[str | None, str, Any, str]]:
    """Each quality item with its column's name (None for the object's), a name to call it by, and its place."""
    for prop in (*item.properties, item):
        column = None if prop is item else prop.name
        for index, entry in enumerate(prop.quality or ()):
            place = f"{where}{f', column {column!r}' if column else ''}, quality[{index}]"
            yield column, f"{prop.name}.quality[{index}]", entry, place


def _placed(make: Callable[[], Iterable[Made]], place: str) -> list[Made]:
    try:
        return list(make())
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", reason="bad_contract", hint=error.hint) from None


def _refuse_twins(found: list[Rule], where: str) -> None:
    names = [rule.name for rule in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"{where}: two rules are called {name!r}", reason="bad_contract", hint="give each its own name"
            )


def _nested(prop: Any, value: str, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Name and predicate of each limit below a column: fields by path, items and map values by `forall`."""
    for child in prop.properties or ():
        inner, name = f"{value}.{quote(child.name)}", f"{path}.{child.name}"
        if child.required:
            yield f"{name}.required", f"({value} is null or {inner} is not null)"
        yield from _own(child, inner, name)
        yield from _nested(child, inner, name, depth)
    for child, items in ((prop.items, value), (prop.map and prop.map.value, f"map_values({value})")):
        for name, predicate in _elements(child, f"{path}[]", depth) if child else ():
            yield name, f"({value} is null or forall({items}, x{depth} -> {predicate}))"


def _elements(child: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if child.required:
        yield f"{path}.required", f"x{depth} is not null"
    yield from _own(child, f"x{depth}", path)
    yield from _nested(child, f"x{depth}", path, depth + 1)


def _own(prop: Any, value: str, path: str) -> Iterator[tuple[str, str]]:
    if prop.quality or any((c.property or "").startswith("sparkkit.") for c in prop.customProperties or ()):
        raise UsageError(f"{path}: quality and sparkkit.* can't stand below a column", reason="bad_contract",
                         hint="write them at the column itself")
    if prop.logicalType in ("object", "array", "map") and not stated(prop, path):
        return
    for limit, predicate in predicates(value, parse(spark_type(prop, path)), stated(prop, path)).items():
        yield f"{path}.{limit}", predicate


def _rule(item: Mapping[str, Any], column: Column | None, on: str, where: str, default: str) -> Rule | None:
    """The row rule of a quality item, or None where it speaks of the whole table."""
    _known(item, where)
    stated_on = answer(item, where)
    predicate = _predicate(item, column, where, stated_on)
    if predicate is None:
        return None
    name = item.get("name") or item.get("id") or default
    return Rule(named(str(name), where), predicate, stated_on or on, item.get("description") or "", _tolerance(item, where))


def _known(item: Mapping[str, Any], where: str) -> None:
    """Refuses slips by which nothing would be checked: an engine that is nearly ours, a query that is compared with nothing, a custom
    property of ours that there is not."""
    engine, query = item.get("engine"), item.get("query")
    meant = _ENGINES.get(nearest(str(engine).replace("_", "").lower(), _ENGINES) or "")
    if item.get("type") == "custom" and (not engine or meant and engine != meant):
        raise UsageError(f"{where}: engine is {engine!r}", reason="bad_contract", hint=f"did you mean {meant or ENGINE!r}?")
    if item.get("type") == "sql" and bounds.of(item, where) is None and (not query or _SELECT.match(query)):
        raise UsageError(f"{where}: no mustBe…" if query else f"{where}: no query", reason="bad_contract",
                         hint="say what the figure of the SELECT must be, such as mustBe: 0" if query else "type sql needs one")
    for name in [str(c.get("property")) for c in item.get("customProperties") or ()]:
        if name.lower().startswith("sparkkit.") and name not in CUSTOM:
            raise unknown(f"{where}: {name} is not known for a quality item", name, CUSTOM)


def answer(item: Mapping[str, Any], where: str) -> str | None:
    """What an item says to do where it is broken: `quarantine`, `stop` or `allow`; None where it says nothing.

    Raises:
        UsageError: a word that is not known (reason `bad_contract`).

    >>> answer({"severity": "warning"}, "t.yaml"), answer({"metric": "rowCount"}, "t.yaml")
    ('allow', None)
    """
    said, severity = custom(item, "sparkkit.on"), item.get("severity")
    if said is not None and said not in ANSWERS:
        raise UsageError(f"{where}: sparkkit.on is {said!r}", reason="bad_contract", hint=f"one of {', '.join(ANSWERS)}")
    if said is None and severity is not None and str(severity).lower() not in SEVERITIES:
        raise UsageError(f"{where}: severity is {severity!r}", reason="bad_contract",
                         hint=f"one of {', '.join(SEVERITIES)}, or set sparkkit.on")
    return said or (SEVERITIES[str(severity).lower()] if severity is not None else None)


def called(item: Mapping[str, Any], table: str) -> str:
    """What an item is called: by its name, or else its id, or else by what it is about.

    >>> called({"metric": "rowCount"}, "t"), called({"type": "sql", "column": "a"}, "t")
    ('t.rowCount', 'a.sql')
    """
    kind = item.get("metric") or item.get("rule") or item.get("type") or "library"
    return str(item.get("name") or item.get("id") or f"{item.get('column') or table}.{kind}")


def custom(item: Mapping[str, Any], name: str) -> Any:
    """The value of an item's custom property; None where it has none of that name."""
    return next((c.get("value") for c in item.get("customProperties") or () if c.get("property") == name), None)


def lacking(item: Mapping[str, Any], column: Column) -> str | None:
    """The predicate that a value of a column passes, for a metric that counts values; None for other metrics.

    Values are compared as values of the column's type: `1` is a double's `1.0`, and `true` is no text.

    Raises:
        UsageError: a valid value that is none of the type (reason `bad_contract`).

    >>> item = {"metric": "invalidValues", "arguments": {"validValues": [True]}}
    >>> lacking(item, Column("a", "boolean")), lacking(item, Column("a", "string"))
    ('(`a` is null or `a` in (true))', "(cast(`a` as string) is null or cast(`a` as string) in ('true'))")
    """
    arguments, name, dtype = item.get("arguments") or {}, quote(column.name), parse(column.type)
    if item.get("metric") == "nullValues" and not arguments:
        return f"{name} is not null"
    if item.get("metric") == "missingValues" and set(arguments) <= {"missingValues"}:
        return _missing(name, dtype, _values(arguments.get("missingValues"), dtype))
    if item.get("metric") != "invalidValues" or not set(arguments) <= {"validValues", "pattern"}:
        return None
    found: list[str] = []
    texts = f"cast({name} as string)"
    if "validValues" in arguments:
        value = texts if isinstance(dtype, t.StringType) else name
        found += predicates(value, dtype, {"enum": _values(arguments["validValues"], dtype)}).values()
    if "pattern" in arguments:
        found += predicates(texts, t.StringType(), {"pattern": arguments["pattern"]}).values()
    return " and ".join(found) or None


def _values(said: Any, dtype: t.DataType) -> Any:
    """The values of an item's list, as texts for a column of texts; null is a value of none."""
    if not isinstance(said, list):
        return said
    words = [value for value in said if value is not None]
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in words] if isinstance(dtype, t.StringType) else words


def _missing(name: str, dtype: t.DataType, values: Any) -> str:
    """Not null and none of the values. One that is no value of the type (`n/a` in a column of numbers) is compared as a text."""
    own, texts = [], []
    for value in values or ():
        try:
            if not isinstance(dtype, t.StringType):
                own.append(literal(value, dtype))
                continue
        except UsageError:
            pass
        texts.append(text(str(value)))
    tests = [f"{name} is not null", *([f"{name} not in ({', '.join(own)})"] if own else []),
             *([f"cast({name} as string) not in ({', '.join(texts)})"] if texts else [])]
    return f"({' and '.join(tests)})"


def _tolerance(item: Mapping[str, Any], where: str) -> str:
    """What an item tolerates, as text. `mustBe: 0` alone is no tolerance: it says that the item is a row rule."""
    said = custom(item, "sparkkit.tolerance")
    if said is not None:
        return str(bounds.read(said, where))
    found = bounds.of(item, where)
    return "" if found is None or {test for test, _ in found.tests} <= {"=", "<="} and not any(b for _, b in found.tests) else str(found)


def _predicate(item: Mapping[str, Any], column: Column | None, where: str, on: str | None) -> str | None:
    if item.get("type") == "custom" and item.get("engine") == ENGINE:
        said = item.get("implementation")
        if isinstance(said, dict) and "references" in said:
            return None
        if not isinstance(said, str) or not said.strip():
            raise UsageError(f"{where}: implementation must be a SQL predicate, or {{references: table.column}}", reason="bad_contract")
        return _filled(said, column)
    compared = bounds.of(item, where)
    query = item.get("query")
    if item.get("type") == "sql" and query and compared is None and not _SELECT.match(query):
        return _filled(query, column)
    none = compared is not None and compared.tests == (("=", 0),)
    if not column or not (none or compared is not None and on == "quarantine"):
        return None
    return _placed(lambda: [lacking(item, column)], where)[0]


def _plain(entry: Any, where: str) -> dict[str, Any]:
    """A quality item as a mapping; the expectation of Great Expectations, which may be YAML in a text, as a mapping too."""
    item: dict[str, Any] = entry.model_dump(mode="json", exclude_none=True)
    said = item.get("implementation")
    if item.get("type") == "custom" and item.get("engine") == GREAT and isinstance(said, str):
        import yaml

        try:
            item["implementation"] = _jsonable(yaml.safe_load(said))
        except yaml.YAMLError as error:
            raise UsageError(f"{where}: implementation is not readable as YAML ({error})", reason="bad_contract") from None
    return item


def _jsonable(value: Any) -> Any:
    """A value of YAML as JSON has it, such as a date as its text: a contract is hashed and shipped as JSON."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _filled(predicate: str, column: Column | None) -> str:
    return filled(predicate.strip(), dict.fromkeys(COLUMN, quote(column.name)) if column else {})
