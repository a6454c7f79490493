"""What a contract promises of one record, checked without Spark: types, required fields, limits, and the policy for unknown fields.

Row rules in SQL that speak of several columns are not checked here: they need Spark.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.portable.java import regex
from sparkkit.schema.contract import Column, Contract

WHOLE = {"tinyint": 7, "smallint": 15, "int": 31, "bigint": 63}
"""Whole numbers by their type: how many bits beside the sign."""

SHOWN = 60
"""Characters of a wrong value that an error repeats."""

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("at least", lambda v, b: v >= b), "exclusiveMinimum": ("above", lambda v, b: v > b),
    "maximum": ("at most", lambda v, b: v <= b), "exclusiveMaximum": ("below", lambda v, b: v < b),
}


class Wrong(ValueError):  # noqa: N818 - a verdict on one value, never seen outside
    """A value that a field can't have; the text says what was expected."""


@dataclass(frozen=True)
class Field:
    """One field of a record: `read` makes the value that the model gets of a JSON value, or raises `Wrong`."""

    column: Column
    required: bool
    read: Callable[[Any], Any]
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a record: which record (from 0) and field, what was found and what was expected."""

    record: int
    field: str
    found: str
    expected: str


@dataclass(frozen=True)
class Fields:
    """The fields of a record, and whether others are ignored."""

    fields: Mapping[str, Field]
    ignore_others: bool

    def check(self, record: Any, number: int = 0) -> tuple[dict[str, Any], list[Fault]]:
        """The record as the model gets it, and everything that is wrong with it.

        >>> fields = of_contract(Contract("c", (Column("n", "int", required=True, limits={"minimum": 0}), Column("t", "string"))))
        >>> fields.check({"n": 3})
        ({'n': 3, 't': None}, [])
        >>> [(f.field, f.found, f.expected) for f in fields.check({"n": -1, "t": 5, "x": 0})[1]]
        [('n', 'the number -1', 'at least 0'), ('t', 'the number 5', 'a text'), ('x', 'an unknown field', 'one of n, t')]
        """
        if not isinstance(record, dict):
            return {}, [Fault(number, "", shown(record), "a record: an object with the fields " + ", ".join(self.fields))]
        found, faults = {}, []
        for name, field in self.fields.items():
            try:
                found[name] = _value(field, record, name)
            except Wrong as error:
                what = shown(record[name]) if name in record else "nothing"
                faults.append(Fault(number, name, what, str(error)))
        if not self.ignore_others and not record.keys() <= self.fields.keys():
            names = ", ".join(self.fields)
            faults += [Fault(number, name[:SHOWN], "an unknown field", f"one of {names}") for name in record if name not in self.fields]
        return found, faults


def _value(field: Field, record: Mapping[str, Any], name: str) -> Any:
    value = record.get(name)
    if value is not None:
        return field.read(value)
    if field.required:
        raise Wrong("a value, for it is required")
    return None


def shown(value: Any) -> str:
    """A wrong JSON value in words, cut where it is long.

    >>> shown("x"), shown(None), shown([1, 2]), shown(True)
    ("the text 'x'", 'null', 'a list', 'true')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes
        text = "with thousands of digits"
    return f"the {'text' if isinstance(value, str) else 'number'} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def of_contract(contract: Contract, label: str | None = None) -> Fields:
    """The fields of a contract's columns, without the label's.

    Raises:
        UsageError: a column has a type or a pattern that can't be checked without Spark (`not_servable`).
    """
    columns = [column for column in contract.columns if column.name != label]
    fields = {column.name: _field(column, contract) for column in columns}
    return Fields(fields, contract.on("extra_column") == "allow")


def _field(column: Column, contract: Contract) -> Field:
    typed, parse = _reader(column)
    limits = _limits(column, typed) if contract.on("bad_value") != "allow" else []

    def read(value: Any) -> Any:
        found = typed(value)
        for expected, test in limits:
            if not test(found):
                raise Wrong(expected)
        return found

    return Field(column, column.required and contract.on("null") != "allow", read, parse)


def _reader(column: Column) -> tuple[Callable[[Any], Any], Callable[[str], Any]]:
    """How a value of the column's type is read from JSON, and how a text of CSV becomes the JSON value."""
    kind = column.type
    if kind in WHOLE:
        return _whole(WHOLE[kind]), _number_of
    if kind in ("float", "double"):
        return _single if kind == "float" else _double, _number_of
    if kind in _SIMPLE:
        return _SIMPLE[kind], _boolean_of if kind == "boolean" else str
    found = _DECIMAL.fullmatch(kind)
    if found:
        return _decimal(int(found[1]), int(found[2])), str
    raise UsageError(f"column {column.name!r} has the type {kind}, which a record of JSON is not checked for", reason="not_servable",
                     hint="serve a model whose input has plain columns")


def _whole(bits: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong("a whole number")
        if not -(1 << bits) <= value < 1 << bits:
            raise Wrong(f"a whole number of {bits + 1} bits")
        return value

    return read


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong("a number")
    try:
        number = float(value)
    except OverflowError:
        raise Wrong("a number within the range of a double") from None
    if not math.isfinite(number):
        raise Wrong("a finite number")
    return number


def _single(value: Any) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", _double(value)))[0])
    except OverflowError:
        raise Wrong("a number within the range of a float") from None


def _decimal(precision: int, scale: int) -> Callable[[Any], Decimal]:
    def read(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Wrong("a number, or one as a text")
        try:
            number = Decimal(str(value))
            digits = -number.as_tuple().exponent  # type: ignore[operator]
        except (InvalidOperation, TypeError, ValueError):
            raise Wrong("a number, or one as a text") from None
        if digits > scale or number.adjusted() >= precision - scale:
            raise Wrong(f"a number with {precision - scale} digits before the point and {scale} behind it")
        return number

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("a text")
    if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise Wrong("a text of whole characters")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def _date(value: Any) -> date:
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise Wrong("a date such as 2026-02-28") from None


def _moment(value: Any) -> datetime:
    """With a zone or without; the model gets it in UTC, without."""
    found = _iso(value)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _local_moment(value: Any) -> datetime:
    found = _iso(value)
    if found.tzinfo:
        raise Wrong("a date and time without a zone")
    return found


def _iso(value: Any) -> datetime:
    try:
        if not isinstance(value, str):
            raise ValueError
        found = datetime.fromisoformat(value)
        found.astimezone(UTC) if found.tzinfo else None
        return found
    except (ValueError, OverflowError):
        raise Wrong("a date and time such as 2026-02-28T12:30:00") from None


_SIMPLE: Mapping[str, Callable[[Any], Any]] = {
    "string": _text, "boolean": _boolean, "date": _date, "timestamp": _moment, "timestamp_ntz": _local_moment,
}


def _number_of(text: str) -> Any:
    """A text of CSV as a number; itself where it is none, so that the check says so."""
    for kind in (int, float):
        try:
            return kind(text) if text.isascii() and "_" not in text else text
        except ValueError:
            continue
    return text


def _boolean_of(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text)


# --- limits ---

Test = tuple[str, Callable[[Any], bool]]
"""What is expected, in words, and whether a value is so."""


def _limits(column: Column, typed: Callable[[Any], Any]) -> list[Test]:
    """A column's limits as tests; a bound is read as a value of the column's type."""
    return [_test(column, limit, bound, typed) for limit, bound in column.limits.items() if bound is not False]


def _test(column: Column, limit: str, bound: Any, typed: Callable[[Any], Any]) -> Test:
    if limit in _BOUNDS:
        words, holds = _BOUNDS[limit]
        least = typed(bound) if column.type not in ("float",) else float(bound)
        return f"{words} {bound}", lambda value: holds(value, least)
    if limit == "enum":
        allowed = [typed(one) for one in bound]
        return f"one of {_listed(bound)}", lambda value: value in allowed
    if limit in ("minLength", "maxLength"):
        sign = 1 if limit == "minLength" else -1
        return f"at {'least' if sign > 0 else 'most'} {bound} characters", lambda value: sign * len(value) >= sign * bound
    if limit == "pattern":
        found = _pattern(column.name, bound)
        return f"a text that matches {bound}", lambda value: found.search(value) is not None
    if limit == "multipleOf":
        step = Decimal(str(bound))
        return f"a multiple of {bound}", lambda value: Decimal(str(value)) % step == 0
    raise UsageError(f"column {column.name!r}: the limit {limit} can't be checked without Spark", reason="not_servable")


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values[:10])) + (f" and {len(values) - 10} others" if len(values) > 10 else "")


def _pattern(column: str, pattern: str) -> re.Pattern[str]:
    try:
        return regex(pattern, empty=True)
    except UsageError as error:
        raise UsageError(f"column {column!r}: {error.message}", reason="not_servable",
                         hint="write the contract's pattern otherwise") from None
