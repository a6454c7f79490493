"""The standard's limits on values (`minimum`, `maxLength`, `pattern`, `enum`, …) as SQL predicates on one row.

A null passes each of them: whether nulls may be is another matter (`required`).
"""
from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema.contract import Column, Rule
from sparkkit.schema.types import ddl, parse, quote

BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_LENGTHS = {"minLength": ">=", "maxLength": "<="}
_ITEMS = {"minItems": ">=", "maxItems": "<="}
LIMITS = (*BOUNDS, "multipleOf", *_LENGTHS, "pattern", *_ITEMS, "uniqueItems", "enum")
"""Every limit that is checked."""


def rules(column: Column, on: str = "quarantine") -> tuple[Rule, ...]:
    """The rules that a column's own limits make, in the order of `LIMITS`.

    >>> rules(Column("age", "int", limits={"minimum": 0}))[0]
    Rule(name='age.minimum', predicate='(`age` is null or `age` >= 0)', on='quarantine', description='', tolerance='')
    """
    found = predicates(quote(column.name), parse(column.type), column.limits)
    return tuple(Rule(f"{column.name}.{limit}", predicate, on) for limit, predicate in found.items())


def predicates(value: str, dtype: t.DataType, limits: Mapping[str, Any]) -> dict[str, str]:
    """SQL text for each limit on the SQL expression `value`.

    Raises:
        UsageError: a limit that the type does not have, or a bound that is no value of it (reason `bad_contract`).

    >>> predicates("a", t.StringType(), {"enum": ["x", "y"]})
    {'enum': "(a is null or a in ('x', 'y'))"}
    """
    known = [limit for limit in LIMITS if limit in limits and limits[limit] is not False]
    return {limit: f"({value} is null or {_test(value, dtype, limit, limits[limit])})" for limit in known}


def normal(limit: str, bound: Any) -> Any:
    """A limit's bound as a JSON value: YAML's dates and times become texts.

    >>> normal("minimum", date(2020, 1, 1))
    '2020-01-01'
    """
    if isinstance(bound, list):
        return [normal(limit, b) for b in bound]
    return str(bound) if isinstance(bound, date) else bound


def literal(bound: Any, dtype: t.DataType) -> str:
    """A bound as a SQL literal of the type.

    Raises:
        UsageError: the bound is no value of the type (reason `bad_contract`).

    >>> literal("2024-02-29", t.DateType()), literal(0.1, t.DoubleType()), literal("it's", t.StringType())
    ("date'2024-02-29'", '0.1D', "'it\\\\'s'")
    """
    try:
        return _literal(bound, dtype)
    except (ValueError, TypeError, InvalidOperation):
        raise UsageError(f"{bound!r} is no value of the type {ddl(dtype)}", reason="bad_contract") from None


def number(bound: Any) -> Decimal:
    """A bound as an exact decimal: the float 0.1 of the YAML is the 0.1 that was written."""
    if isinstance(bound, bool) or not Decimal(str(bound)).is_finite():
        raise ValueError(bound)
    return Decimal(str(bound))


def moment(bound: Any) -> datetime:
    """A bound as a time; without a zone of its own where the text has none."""
    return datetime.fromisoformat(str(bound))


def _literal(bound: Any, dtype: t.DataType) -> str:
    if isinstance(dtype, t.StringType):
        return text(bound)
    if isinstance(dtype, t.BooleanType) and isinstance(bound, bool):
        return str(bound).lower()
    if isinstance(dtype, t.DateType):
        return f"date'{date.fromisoformat(str(bound))}'"
    if isinstance(dtype, t.TimestampNTZType) and moment(bound).tzinfo is None:
        return f"timestamp_ntz'{moment(bound)}'"
    if isinstance(dtype, t.TimestampType):
        return f"timestamp'{moment(bound)}{' UTC' if moment(bound).tzinfo is None else ''}'"
    if isinstance(dtype, t.DoubleType):
        return f"{float(number(bound))!r}D"
    if isinstance(dtype, t.FloatType):
        return f"cast({float(number(bound))!r}D as float)"
    if isinstance(dtype, t.NumericType):
        return f"{number(bound):f}"
    raise ValueError(bound)


def text(value: Any) -> str:
    """A SQL literal of a text: quotes and backslashes escaped.

    Raises:
        TypeError: no text.
    """
    if not isinstance(value, str):
        raise TypeError(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _test(value: str, dtype: t.DataType, limit: str, bound: Any) -> str:
    if limit in BOUNDS and isinstance(dtype, t.NumericType | t.DateType | t.TimestampType | t.TimestampNTZType):
        return f"{value} {BOUNDS[limit]} {literal(bound, dtype)}"
    if limit == "multipleOf" and isinstance(dtype, t.NumericType):
        return _multiple(value, dtype, bound)
    if limit in _LENGTHS and isinstance(dtype, t.StringType | t.BinaryType):
        return f"length({value}) {_LENGTHS[limit]} {_count(limit, bound)}"
    if limit == "pattern" and isinstance(dtype, t.StringType):
        return f"{value} rlike {literal(bound, dtype)}"
    if limit in _ITEMS and isinstance(dtype, t.ArrayType | t.MapType):
        return f"size({value}) {_ITEMS[limit]} {_count(limit, bound)}"
    if limit == "uniqueItems" and isinstance(dtype, t.ArrayType) and bound is True:
        return f"size(array_distinct({value})) = size({value})"
    if limit == "enum" and isinstance(bound, list) and bound:
        return f"{value} in ({', '.join(literal(b, dtype) for b in bound)})"
    raise UsageError(f"{limit} is {bound!r}, which a column of type {ddl(dtype)} can't have", reason="bad_contract")


def _multiple(value: str, dtype: t.DataType, bound: Any) -> str:
    step = literal(bound, t.DecimalType(38, 18))
    if number(bound) <= 0:
        raise UsageError(f"multipleOf is {bound!r}", reason="bad_contract", hint="it must be above 0")
    if isinstance(dtype, t.FloatType | t.DoubleType):  # binary fractions have no exact remainder
        return f"coalesce(try_cast({value} as decimal(38,18)) % {step} = 0, false)"
    return f"{value} % {step} = 0"


def _count(limit: str, bound: Any) -> int:
    if isinstance(bound, bool) or not isinstance(bound, int) or bound < 0:
        raise UsageError(f"{limit} is {bound!r}", reason="bad_contract", hint="it must be a whole number from 0 on")
    return bound
