"""Which values a column may take: those at the edges of its type and limits, and any other at random."""
from __future__ import annotations

import math
import random
import string
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema.limits import BOUNDS, moment, number
from sparkkit.schema.patterns import matching

TEXTS = ("", "a", "Zoë", "O'Brien", 'say "hi"', "a,b;c", "東京", "🙂", "ß", "null", "0", "e\u0301", " a b ", "x" * 300)
"""Texts that programs get wrong."""

_LETTERS = string.ascii_letters + string.digits + " -'\",;éß東🙂"
_EPOCH = datetime(1970, 1, 1)
_BITS: dict[type[t.DataType], int] = {t.ByteType: 7, t.ShortType: 15, t.IntegerType: 31, t.LongType: 63}
_WIDE = Context(prec=40)
_TRIES = 1000


@dataclass(frozen=True)
class Domain:
    """The values a column may take: those at the edges, and one drawn at random."""

    edges: tuple[Any, ...]
    draw: Callable[[random.Random], Any]

    def or_null(self) -> Domain:
        """The same values and null."""
        return Domain(
            (*self.edges[:1], None, *self.edges[1:]), lambda rng: None if rng.random() < 0.1 else self.draw(rng)
        )


def domain(dtype: t.DataType, limits: Mapping[str, Any], options: Mapping[str, str], name: str) -> Domain:
    """The values of a type within limits; `options` are the reader's in force, for texts that it would take for null.

    Raises:
        UsageError: the limits leave no value; names the column (reason `bad_contract`).
    """
    if "enum" in limits:
        return _choice([_constant(v, dtype) for v in limits["enum"]])
    if isinstance(dtype, t.BooleanType):
        return _choice([True, False])
    if isinstance(dtype, t.StringType):
        return _text(limits, options, name)
    if isinstance(dtype, t.BinaryType):
        return _binary(limits, name)
    if isinstance(dtype, t.FloatType | t.DoubleType):
        return _float(dtype, limits, name)
    if isinstance(dtype, t.ArrayType):
        return _array(dtype, limits, options, name)
    if isinstance(dtype, t.MapType):
        return _map(dtype, limits, options, name)
    if isinstance(dtype, t.StructType):
        return _struct(dtype, options, name)
    return _ladder(dtype, limits, name)


def _choice(values: list[Any]) -> Domain:
    return Domain(tuple(values), lambda rng: rng.choice(values))


def _constant(value: Any, dtype: t.DataType) -> Any:
    """A value of an `enum` as Python has it for the type."""
    if isinstance(dtype, t.StringType | t.BooleanType):
        return value
    if isinstance(dtype, t.FloatType | t.DoubleType):
        return float(value)
    return Ladder.of(dtype, {}, "").make(_steps(value, dtype))


# --- types whose values are whole numbers of some smallest step: integers, decimals, dates, times ---

@dataclass(frozen=True)
class Ladder:
    """Values `make(step * i)` for `low <= i <= high`."""

    low: int
    high: int
    step: int
    make: Callable[[int], Any]

    @staticmethod
    def of(dtype: t.DataType, limits: Mapping[str, Any], name: str) -> Ladder:
        """The values of a type within its limits; UsageError where there is none."""
        low, high, make = _range(dtype)
        exact = {limit: _exact(limits[limit], dtype) for limit in (*BOUNDS, "multipleOf") if limit in limits}
        low = max(low, math.ceil(exact.get("minimum", low)), math.floor(exact.get("exclusiveMinimum", low - 1)) + 1)
        high = min(high, math.floor(exact.get("maximum", high)), math.ceil(exact.get("exclusiveMaximum", high + 1)) - 1)
        step = exact["multipleOf"].numerator if "multipleOf" in exact else 1
        low, high = -(-low // step), high // step
        if low > high:
            raise _empty(name)
        return Ladder(low, high, step, make)

    def value(self, i: int) -> Any:
        """The i-th value."""
        return self.make(self.step * i)


def _empty(name: str) -> UsageError:
    return UsageError(f"column {name!r}: its limits leave no value", reason="bad_contract")


def _range(dtype: t.DataType) -> tuple[int, int, Callable[[int], Any]]:
    if isinstance(dtype, t.DecimalType):
        high, places = 10**dtype.precision - 1, dtype.scale
        return -high, high, lambda i: Decimal(i).scaleb(-places, _WIDE)
    if isinstance(dtype, t.DateType):
        return 1, date.max.toordinal(), date.fromordinal
    if isinstance(dtype, t.TimestampType | t.TimestampNTZType):
        zone = UTC if isinstance(dtype, t.TimestampType) else None
        low, high = (_micros(datetime(year, 12, day)) for year, day in ((1899, 31), (9999, 30)))
        return low, high, lambda i: (_EPOCH + timedelta(microseconds=i)).replace(tzinfo=zone)
    bits = _BITS[type(dtype)]
    return -(2**bits), 2**bits - 1, int


def _exact(bound: Any, dtype: t.DataType) -> Fraction:
    """A bound in steps of the type."""
    if isinstance(dtype, t.DecimalType):
        return Fraction(number(bound)) * Fraction(10**dtype.scale)
    return Fraction(_steps(bound, dtype)) if not isinstance(dtype, t.IntegralType) else Fraction(number(bound))


def _steps(bound: Any, dtype: t.DataType) -> int:
    if isinstance(dtype, t.DateType):
        return date.fromisoformat(str(bound)).toordinal()
    if isinstance(dtype, t.TimestampType | t.TimestampNTZType):
        found = moment(bound)
        return _micros((found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None))
    return int(_exact(bound, dtype))


def _micros(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def _ladder(dtype: t.DataType, limits: Mapping[str, Any], name: str) -> Domain:
    found = Ladder.of(dtype, limits, name)
    wanted = [found.low, found.high, *(_steps(v, dtype) // found.step for v in _special(dtype))]
    edges = dict.fromkeys(i for i in wanted if found.low <= i <= found.high)
    near = (max(found.low, -1000), min(found.high, 1000))

    def draw(rng: random.Random) -> Any:
        small = near[0] <= near[1] and rng.random() < 0.3 and not isinstance(dtype, t.DateType)
        return found.value(rng.randint(*near) if small else rng.randint(found.low, found.high))

    return Domain(tuple(found.value(i) for i in edges), draw)


def _special(dtype: t.DataType) -> tuple[Any, ...]:
    if isinstance(dtype, t.DateType):
        return ("2024-02-29", "2000-02-29", "1900-03-01", "1970-01-01", "1582-10-15", "2023-12-31")
    if isinstance(dtype, t.TimestampType | t.TimestampNTZType):
        return ("2024-02-29T23:59:59.999999", "1970-01-01", "1969-12-31T23:59:59.999999", "2000-02-29T12:00:00")
    return (0, 1, -1)


# --- other types ---

def _float(dtype: t.DataType, limits: Mapping[str, Any], name: str) -> Domain:
    if "multipleOf" in limits:
        return _floats_of(_ladder(t.DecimalType(15, 6), limits, name))
    single = isinstance(dtype, t.FloatType)
    low, high = _bounds(limits, 3.4028234663852886e38 if single else 1.7976931348623157e308, name)
    edges = dict.fromkeys((low, high, *(x for x in (0.0, 1.5, -0.25) if low <= x <= high)))
    close = (max(low, min(high, -1e6)), min(high, max(low, 1e6)))
    fit = _single if single else float
    return Domain(tuple(fit(x) for x in edges), lambda rng: fit(rng.uniform(*close)))


def _floats_of(decimals: Domain) -> Domain:
    return Domain(tuple(float(x) for x in decimals.edges), lambda rng: float(decimals.draw(rng)))


def _bounds(limits: Mapping[str, Any], top: float, name: str) -> tuple[float, float]:
    low = max(
        float(limits.get("minimum", -top)), math.nextafter(float(limits.get("exclusiveMinimum", -math.inf)), math.inf)
    )
    high = min(
        float(limits.get("maximum", top)), math.nextafter(float(limits.get("exclusiveMaximum", math.inf)), -math.inf)
    )
    if low > high:
        raise _empty(name)
    return low, high


def _single(x: float) -> float:
    """The nearest value that a 32-bit float has."""
    return float(struct.unpack("f", struct.pack("f", x))[0])


def _binary(limits: Mapping[str, Any], name: str) -> Domain:
    least = limits.get("minLength", 0)
    most = limits.get("maxLength", max(least, 20))
    if least > most:
        raise _empty(name)
    return Domain(
        tuple(dict.fromkeys((b"\x00" * least, b"\xff" * most))), lambda rng: rng.randbytes(rng.randint(least, most))
    )


def _text(limits: Mapping[str, Any], options: Mapping[str, str], name: str) -> Domain:
    least = limits.get("minLength", 0)
    most = limits.get("maxLength", max(least, 300))
    if least > most:
        raise _empty(name)
    nulls = [v for v in options.get("null_values", "").split(",") if v]
    trim = options.get("trim") == "true"

    def fits(text: str) -> bool:
        return least <= len(text) <= most and text not in nulls and not (trim and text != text.strip())

    made = matching(limits["pattern"]) if "pattern" in limits else lambda rng: _word(rng, least, most)
    draw = _kept(made, fits, name)
    if "pattern" in limits:
        return Domain(tuple(dict.fromkeys(draw(random.Random(i)) for i in range(3))), draw)
    lengths = ("x" * least, "é" * limits.get("maxLength", least))
    return Domain(tuple(dict.fromkeys(v for v in (*lengths, *TEXTS) if fits(v))) or (draw(random.Random(0)),), draw)


def _word(rng: random.Random, least: int, most: int) -> str:
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(least, min(most, least + 20))))


def _kept(
    draw: Callable[[random.Random], str], fits: Callable[[str], bool], name: str
) -> Callable[[random.Random], str]:
    def again(rng: random.Random) -> str:
        for _ in range(_TRIES):
            text = draw(rng)
            if fits(text):
                return text
        raise _empty(name)

    return again


def _array(dtype: t.ArrayType, limits: Mapping[str, Any], options: Mapping[str, str], name: str) -> Domain:
    inner = domain(dtype.elementType, {}, options, name)
    distinct = limits.get("uniqueItems") is True
    items = inner if distinct else inner.or_null()
    least = limits.get("minItems", 0)
    most = limits.get("maxItems", max(least, 4))

    def of(size: int, rng: random.Random) -> list[Any]:
        found: list[Any] = []
        for _ in range(_TRIES):
            if len(found) == size:
                return found
            value = items.draw(rng)
            found += [] if distinct and value in found else [value]
        raise _empty(name)

    edges = [
        of(least, random.Random(0)),
        of(most, random.Random(1)),
        *([[*items.edges[:most]]] if not distinct else []),
    ]
    return Domain(tuple(e for e in edges if least <= len(e) <= most), lambda rng: of(rng.randint(least, most), rng))


def _map(dtype: t.MapType, limits: Mapping[str, Any], options: Mapping[str, str], name: str) -> Domain:
    keys, values = domain(dtype.keyType, {}, options, name), domain(dtype.valueType, {}, options, name).or_null()
    least = limits.get("minItems", 0)
    most = limits.get("maxItems", max(least, 4))

    def of(size: int, rng: random.Random) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in range(_TRIES):
            if len(found) == size:
                return found
            found[keys.draw(rng)] = values.draw(rng)
        raise _empty(name)

    return Domain(
        (of(least, random.Random(0)), of(most, random.Random(1))), lambda rng: of(rng.randint(least, most), rng)
    )


def _struct(dtype: t.StructType, options: Mapping[str, str], name: str) -> Domain:
    fields = [domain(f.dataType, {}, options, f"{name}.{f.name}") for f in dtype.fields]
    fields = [d.or_null() if f.nullable else d for d, f in zip(fields, dtype.fields, strict=True)]
    first = tuple(d.edges[0] for d in fields)
    last = tuple(d.edges[-1] for d in fields)
    return Domain((first, last), lambda rng: tuple(d.draw(rng) for d in fields))
