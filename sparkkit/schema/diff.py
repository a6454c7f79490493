"""What changed between two versions of a contract, and whether it breaks.

A change is breaking where data that the old contract took could be refused or read otherwise by the new one, or where a
column that others may use is gone or of another kind. What loosens a promise (a wider type, nulls allowed) is listed,
but does not break.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import types as t

from sparkkit.schema import bounds
from sparkkit.schema.bounds import Bounds
from sparkkit.schema.contract import POLICIES, Column, Contract, Rule
from sparkkit.schema.limits import LIMITS, moment, number, rules
from sparkkit.schema.quality import ENGINE, GREAT, answer, called, custom
from sparkkit.schema.reader import effective
from sparkkit.schema.types import parse

_STRICT = ("allow", "quarantine", "stop")
_WHOLE = (t.ByteType, t.ShortType, t.IntegerType, t.LongType)
_DIGITS: dict[type[t.DataType], int] = {t.ByteType: 3, t.ShortType: 5, t.IntegerType: 10, t.LongType: 19}
_EXACT: dict[type[t.DataType], tuple[type[t.DataType], ...]] = {
    t.FloatType: (t.ByteType, t.ShortType), t.DoubleType: (t.ByteType, t.ShortType, t.IntegerType, t.FloatType)}


@dataclass(frozen=True)
class Change:
    """One change: its `kind` (a stable snake_case word), the column or an empty text, and a sentence for people."""

    breaking: bool
    column: str
    kind: str
    sentence: str


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """The changes from `old` to `new`: the breaking ones first, then by column and kind.

    >>> was = Contract("t", (Column("a", "int"), Column("b", "string")))
    >>> now = Contract("t", (Column("a", "bigint"),))
    >>> for change in compare(was, now):
    ...     print(change.breaking, change.sentence)
    True column 'b' was removed
    False column 'a': the type was widened from int to bigint
    """
    steps: tuple[Callable[[Contract, Contract], Iterable[Change]], ...] = (
        _columns, _key, _reader, _policy, _rules, _quality)
    found = {change for step in steps for change in step(old, new)}
    return tuple(sorted(found, key=lambda c: (not c.breaking, c.column, c.kind, c.sentence)))


def widened(old: t.DataType, new: t.DataType) -> bool:
    """Whether every value of the old type is a value of the new one, as it is.

    >>> widened(t.IntegerType(), t.DecimalType(12, 2)), widened(t.LongType(), t.DoubleType())
    (True, False)
    """
    if isinstance(old, t.StructType) and isinstance(new, t.StructType):
        return _struct_widened(old, new)
    if isinstance(old, t.ArrayType) and isinstance(new, t.ArrayType):
        return widened(old.elementType, new.elementType)
    if isinstance(old, t.MapType) and isinstance(new, t.MapType):
        return widened(old.keyType, new.keyType) and widened(old.valueType, new.valueType)
    if isinstance(new, t.DecimalType) and isinstance(old, t.DecimalType | t.IntegralType):
        digits, scale = (
            (old.precision - old.scale, old.scale) if isinstance(old, t.DecimalType) else (_DIGITS[type(old)], 0)
        )
        return new.scale >= scale and new.precision - new.scale >= digits
    if isinstance(old, _WHOLE) and isinstance(new, _WHOLE):
        return _WHOLE.index(type(old)) <= _WHOLE.index(type(new))
    return old == new or isinstance(old, _EXACT.get(type(new), ()))


def _struct_widened(old: t.StructType, new: t.StructType) -> bool:
    now = {field.name: field for field in new.fields}
    kept = all(f.name in now and widened(f.dataType, now[f.name].dataType) for f in old.fields)
    was = {field.name: field.nullable for field in old.fields}
    return kept and all(f.nullable or was.get(f.name) is False for f in new.fields)


def _columns(old: Contract, new: Contract) -> Iterator[Change]:
    was, now = {c.name: c for c in old.columns}, {c.name: c for c in new.columns}
    for name in was.keys() - now.keys():
        yield Change(True, name, "column_removed", f"column {name!r} was removed")
    for name in now.keys() - was.keys():
        words = "; files without it stop the run" if new.on("missing_column") == "stop" else ""
        kind = "required column" if now[name].required else "column"
        yield Change(now[name].required, name, "column_added", f"{kind} {name!r} was added{words}")
    for name in was.keys() & now.keys():
        yield from _column(was[name], now[name])
    kept = [[n for n in names if n in was and n in now] for names in (old.names, new.names)]
    if kept[0] != kept[1]:
        by_place = effective(new)["header"] == "false"
        yield Change(by_place, "", "columns_moved", "the columns stand in another order")


def _column(old: Column, new: Column) -> Iterator[Change]:
    before, after = parse(old.type), parse(new.type)
    if before != after:
        kind = "widened" if widened(before, after) else "narrowed" if widened(after, before) else "changed"
        yield Change(kind != "widened", new.name, f"type_{kind}",
                     f"column {new.name!r}: the type was {kind} from {old.type} to {new.type}")
    for flag, words in (("required", "required"), ("unique", "unique"), ("pii", "marked as personal data")):
        if getattr(old, flag) != getattr(new, flag):
            on = bool(getattr(new, flag))
            yield Change(on and flag != "pii", new.name, f"{flag}_{'added' if on else 'dropped'}",
                         f"column {new.name!r} is {'now' if on else 'no longer'} {words}")


def _key(old: Contract, new: Contract) -> Iterator[Change]:
    if old.keys != new.keys:
        names = [", ".join(keys) or "none" for keys in (old.keys, new.keys)]
        yield Change(True, "", "key_changed", f"the primary key was changed from {names[0]} to {names[1]}")


def _reader(old: Contract, new: Contract) -> Iterator[Change]:
    yield from _options("", effective(old), effective(new))
    contract_wide = {option.kind for option in _options("", effective(old), effective(new))}
    for name in [n for n in old.names if n in new.names]:
        for change in _options(name, effective(old, old.column(name)), effective(new, new.column(name))):
            if change.kind not in contract_wide:
                yield change


def _options(column: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for key in old:
        if old[key] != new[key]:
            place = f"column {column!r}: reader" if column else "reader"
            yield Change(
                True,
                column,
                f"reader_{key}_changed",
                f"{place} option {key} was changed from {old[key]!r} to {new[key]!r}",
            )


def _policy(old: Contract, new: Contract) -> Iterator[Change]:
    for what in POLICIES:
        if old.on(what) != new.on(what):
            stricter = _STRICT.index(new.on(what)) > _STRICT.index(old.on(what))
            yield Change(
                stricter,
                "",
                f"on_{what}_changed",
                f"the answer to {what} was changed from {old.on(what)} to {new.on(what)}",
            )


def _rules(old: Contract, new: Contract) -> Iterator[Change]:
    for name in [n for n in old.names if n in new.names]:
        yield from _limits(old.column(name), new.column(name))
    limits = {rule.name for contract in (old, new) for column in contract.columns for rule in rules(column)}
    was, now = ({r.name: r for r in contract.rules if r.name not in limits} for contract in (old, new))
    for name in was.keys() - now.keys():
        yield Change(False, "", "rule_removed", f"rule {name!r} was removed")
    for name in now.keys() - was.keys():
        yield Change(now[name].on != "allow", "", "rule_added", f"rule {name!r} was added: {now[name].predicate}")
    for name in was.keys() & now.keys():
        yield from _rule(was[name], now[name])


def _rule(old: Rule, new: Rule) -> Iterator[Change]:
    if old.predicate != new.predicate:
        yield Change(True, "", "rule_changed", f"rule {new.name!r} was changed from {old.predicate} to {new.predicate}")
    if old.on != new.on:
        stricter = _STRICT.index(new.on) > _STRICT.index(old.on)
        yield Change(
            stricter, "", "rule_answer_changed", f"rule {new.name!r} is now answered by {new.on}, not {old.on}"
        )
    before, after = (bounds.read(r.tolerance, r.name) if r.tolerance else None for r in (old, new))
    if before != after:
        yield _tolerance(f"rule {new.name!r}", "rule", (before, old.on), (after, new.on))


def _tolerance(what: str, kind: str, old: tuple[Bounds | None, str], new: tuple[Bounds | None, str], column: str = "") -> Change:
    before, after = _limit(*old), _limit(*new)
    loose = after is None or before is not None and after.allows(before)
    words = "changed" if new[1] == "allow" else "loosened" if loose else "tightened"
    return Change(not loose, column, f"{kind}_tolerance_{words}",
                  f"{what}: the tolerance was {words} from {old[0] or 'none stated'} to {new[0] or 'none stated'}")


def _limit(tolerance: Bounds | None, on: str) -> Bounds | None:
    """How many rows may break a rule before the run ends; None for any number."""
    return None if on == "allow" else tolerance or (Bounds((("<=", 0),)) if on == "stop" else None)


_ASKED = ("column", "type", "query", "engine", "implementation", "arguments")
"""What a quality item asks, beside its metric; by which figure it is met, and what follows if not, is compared apart."""


def _quality(old: Contract, new: Contract) -> Iterator[Change]:
    was, now = _items(old, new.name), _items(new, new.name)
    for name in was.keys() - now.keys():
        yield Change(False, was[name].get("column", ""), "quality_removed", f"quality rule {name!r} was removed")
    for name in now.keys() - was.keys():
        yield Change(_on(now[name]) != "allow", now[name].get("column", ""), "quality_added", f"quality rule {name!r} was added")
    for name in was.keys() & now.keys():
        yield from _item(name, was[name], now[name])


def _items(contract: Contract, table: str) -> dict[str, Mapping[str, Any]]:
    """The quality items by name; the second of one name is `name#2`, as among the checks."""
    names = [called(item, table) for item in contract.quality]
    return {f"{n}#{names[:i].count(n) + 1}" if n in names[:i] else n: item
            for i, (n, item) in enumerate(zip(names, contract.quality, strict=True))}


def _on(item: Mapping[str, Any]) -> str:
    """The answer to a broken item; one that nobody asks (a text, another's engine) refuses nothing."""
    silent = item.get("type") == "text" or item.get("type") == "custom" and item.get("engine") not in (ENGINE, GREAT)
    return "allow" if silent else answer(item, "") or "stop"


def _item(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    what, column, on = f"quality rule {name!r}", new.get("column", ""), _on(new)
    if _asks(old) != _asks(new):
        yield Change(on != "allow", column, "quality_changed", f"{what} asks something else")
    elif (before := bounds.of(old, name)) != (after := bounds.of(new, name)):
        loose = after is None or before is not None and after.allows(before)
        words = "loosened" if loose else "tightened"
        yield Change(not loose and on != "allow", column, f"quality_{words}",
                     f"{what} was {words} from {before or 'none'} to {after or 'none'}")
    if on != _on(old):
        yield Change(_STRICT.index(on) > _STRICT.index(_on(old)), column, "quality_answer_changed",
                     f"{what} is now answered by {on}, not {_on(old)}")
    said = [custom(item, "sparkkit.tolerance") for item in (old, new)]
    before, after = (None if one is None else bounds.read(one, name) for one in said)
    if before != after:
        yield _tolerance(what, "quality", (before, _on(old)), (after, on), column)


def _asks(item: Mapping[str, Any]) -> list[Any]:
    return [item.get("metric") or item.get("rule"), custom(item, "sparkkit.keep"), *[item.get(key) for key in _ASKED]]


def _limits(old: Column, new: Column) -> Iterator[Change]:
    for limit in LIMITS:
        before, after = (None if c.limits.get(limit) is False else c.limits.get(limit) for c in (old, new))
        if before == after:
            continue
        loose = after is None or before is not None and _looser(limit, before, after)
        words = "loosened" if loose else "tightened"
        yield Change(not loose, new.name, f"limit_{words}",
                     f"column {new.name!r}: {limit} was {words} from {_said(before)} to {_said(after)}")


def _said(bound: Any) -> str:
    return "none" if bound is None else repr(bound)


def _looser(limit: str, old: Any, new: Any) -> bool:
    """Whether all that the old bound let pass passes the new one; where that can't be known, it is not."""
    lower = limit.startswith(("min", "exclusiveMin"))
    try:
        if limit == "enum":
            return all(value in new for value in old)
        if limit == "multipleOf":
            return number(old) % number(new) == 0
        return limit != "pattern" and (_ordered(new, old) if lower else _ordered(old, new))
    except (ValueError, ArithmeticError):
        return False


def _ordered(small: Any, big: Any) -> bool:
    if isinstance(small, str) and isinstance(big, str):
        return _instant(small) <= _instant(big)
    return number(small) <= number(big)


def _instant(bound: str) -> datetime:
    found = moment(bound)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
