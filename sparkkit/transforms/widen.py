"""Types that hold every value of two others, and nothing lost: what a union or a long table may widen to."""

from __future__ import annotations

import datetime as dt
import decimal
import struct
from collections.abc import Iterable
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

__all__ = ["INTEGRAL", "fits", "literal", "same", "widest"]

INTEGRAL: dict[type[T.DataType], tuple[int, int]] = {
    T.ByteType: (3, 8),
    T.ShortType: (5, 16),
    T.IntegerType: (10, 32),
    T.LongType: (19, 64),
}
"""Integer types, narrow to wide: decimal digits and bits."""

_PLAIN: dict[type[T.DataType], type] = {
    T.StringType: str,
    T.BooleanType: bool,
    T.BinaryType: bytes,
    T.DateType: dt.date,
    T.TimestampType: dt.datetime,
    T.TimestampNTZType: dt.datetime,
}


def same(a: T.DataType, b: T.DataType) -> bool:
    """True where the types are equal, nullability aside.

    >>> same(T.ArrayType(T.LongType(), True), T.ArrayType(T.LongType(), False))
    True
    """
    return a.simpleString() == b.simpleString()


def widest(kinds: Iterable[T.DataType]) -> T.DataType | None:
    """The narrowest type that holds every value of all; None where there is none (bigint and double, string and int).

    >>> widest([T.IntegerType(), T.DecimalType(5, 2)]).simpleString()
    'decimal(12,2)'
    >>> widest([T.LongType(), T.DoubleType()]) is None
    True
    """
    return reduce(lambda a, b: None if a is None else _pair(a, b), kinds, T.NullType())  # type: ignore[arg-type, return-value]


def _pair(a: T.DataType, b: T.DataType) -> T.DataType | None:
    if same(a, b) or isinstance(b, T.NullType):
        return a
    if isinstance(a, T.NullType):
        return b
    if type(a) in INTEGRAL and type(b) in INTEGRAL:
        return max(a, b, key=lambda kind: INTEGRAL[type(kind)])
    if isinstance(a, T.FractionalType) and isinstance(b, T.FractionalType) and not _any(T.DecimalType, a, b):
        return T.DoubleType()
    if _any(T.DecimalType, a, b):
        return _decimal(a, b)
    if _any(T.FractionalType, a, b):
        return _float(a, b)
    return None


def _any(kind: type[T.DataType], *found: T.DataType) -> bool:
    return any(isinstance(f, kind) for f in found)


def _float(a: T.DataType, b: T.DataType) -> T.DataType | None:
    whole, real = (a, b) if type(a) in INTEGRAL else (b, a)
    bits = INTEGRAL.get(type(whole), (0, 64))[1]
    if isinstance(real, T.FloatType) and bits <= 16:
        return real
    return T.DoubleType() if bits <= 32 else None


def _decimal(a: T.DataType, b: T.DataType) -> T.DataType | None:
    shapes = [_digits(kind) for kind in (a, b)]
    if None in shapes:
        return None
    before, after = (max(sizes) for sizes in zip(*shapes, strict=True))
    return T.DecimalType(before + after, after) if before + after <= 38 else None


def _digits(kind: T.DataType) -> tuple[int, int] | None:
    if isinstance(kind, T.DecimalType):
        return kind.precision - kind.scale, kind.scale
    return (INTEGRAL[type(kind)][0], 0) if type(kind) in INTEGRAL else None


def fits(value: Any, kind: T.DataType) -> bool:
    """True where a Python value is a value of the type, with nothing rounded, cut or turned into another kind.

    A timestamp takes a datetime with a zone, a timestamp_ntz one without.

    >>> fits(1, T.IntegerType()), fits(1.5, T.IntegerType()), fits(2**31, T.IntegerType()), fits(True, T.LongType())
    (True, False, False, False)
    """
    if type(kind) in INTEGRAL:
        bits = INTEGRAL[type(kind)][1]
        return type(value) is int and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
    if isinstance(kind, T.DecimalType):
        return _fits_decimal(value, kind)
    if isinstance(kind, (T.FloatType, T.DoubleType)):
        return type(value) in (int, float) and _fits_float(value, "f" if isinstance(kind, T.FloatType) else "d")
    if isinstance(value, dt.datetime) and (value.tzinfo is None) is isinstance(kind, T.TimestampType):
        return False
    return type(kind) in _PLAIN and type(value) is _PLAIN[type(kind)]


def _fits_float(value: float, code: str) -> bool:
    try:
        return bool(struct.unpack(code, struct.pack(code, value))[0] == value)
    except OverflowError:
        return False


def _fits_decimal(value: Any, kind: T.DecimalType) -> bool:
    if type(value) not in (int, decimal.Decimal) or not decimal.Decimal(value).is_finite():
        return False
    _, digits, exponent = decimal.Decimal(value).as_tuple()
    whole, after = len(digits) + int(exponent), -int(exponent)
    return after <= kind.scale and whole <= kind.precision - kind.scale


def literal(value: Any, kind: T.DataType) -> Column:
    """A value that `fits` as an expression of the type. Dates and times go as text: as objects they pass through Java's
    old calendar, which moves 0001-01-01 by two days.

    >>> spark.range(1).select(literal(dt.date(1, 1, 1), T.DateType()).alias("d")).first().d
    datetime.date(1, 1, 1)
    """
    return F.lit(value.isoformat() if isinstance(value, dt.date) else value).cast(kind)
