"""Row rules out of the standard: limits of columns and of what is nested in them, and quality items of one row.

A quality item is a row rule where it says so: `type: custom, engine: sparkkit, implementation: <SQL predicate>`, or
`type: sql` whose query is a predicate (no SELECT, no mustBe…), or `metric: invalidValues` with `mustBe: 0`. In a
predicate `${column}` stands for the item's own column. All others speak of a table, and are kept as they are.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema.contract import Column, Rule
from sparkkit.schema.limits import predicates, rules
from sparkkit.schema.logical import spark_type, stated
from sparkkit.schema.reader import ANSWERS
from sparkkit.schema.types import parse, quote

ENGINE = "sparkkit"
"""The `engine` of a custom quality item that is a row rule."""

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
    for column_name, name, entry, place in _items(item, where):
        rule = _rule(entry, column_name, on, place, name)
        found += [rule] if rule else []
        plain = entry.model_dump(mode="json", exclude_none=True)
        kept += [] if rule else [plain | ({"column": column_name} if column_name else {})]
    _refuse_twins(found, where)
    return tuple(found), tuple(kept)


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


def _placed(make: Callable[[], Iterable[Rule]], place: str) -> list[Rule]:
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


def _rule(quality: Any, column: str | None, on: str, where: str, default: str) -> Rule | None:
    """The row rule of a quality item, or None where it speaks of the whole table."""
    predicate = _predicate(quality, column, where)
    if predicate is None:
        return None
    said = [c.value for c in quality.customProperties or () if c.property == "sparkkit.on"]
    if said and said[0] not in ANSWERS:
        raise UsageError(
            f"{where}: sparkkit.on is {said[0]!r}", reason="bad_contract", hint=f"one of {', '.join(ANSWERS)}"
        )
    return Rule(quality.name or quality.id or default, predicate, said[0] if said else on, quality.description or "")


def _predicate(quality: Any, column: str | None, where: str) -> str | None:
    if quality.type == "custom" and quality.engine == ENGINE:
        if not isinstance(quality.implementation, str) or not quality.implementation.strip():
            raise UsageError(f"{where}: implementation must be a SQL predicate", reason="bad_contract")
        return _filled(quality.implementation, column)
    compared = any(value is not None for key, value in vars(quality).items() if key.startswith("must"))
    if quality.type == "sql" and quality.query and not compared and not _SELECT.match(quality.query):
        return _filled(quality.query, column)
    return _invalid_values(quality, column)


def _invalid_values(quality: Any, column: str | None) -> str | None:
    arguments: Mapping[str, Any] = quality.arguments or {}
    known = {"validValues": "enum", "pattern": "pattern"}
    if column is None or quality.metric != "invalidValues" or quality.mustBe != 0 or not set(arguments) <= set(known):
        return None
    limits = {known[k]: [str(x) for x in v] if isinstance(v, list) else v for k, v in arguments.items()}
    return " and ".join(predicates(f"cast({quote(column)} as string)", t.StringType(), limits).values()) or None


def _filled(predicate: str, column: str | None) -> str:
    name = quote(column) if column else "${column}"
    return re.sub(r"\$\{(column|property|field)\}", lambda _: name, predicate.strip())
