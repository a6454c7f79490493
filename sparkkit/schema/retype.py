"""Strict casts between Spark's types, as SQL text: what can't lose is plain, the rest must survive the way back."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import types as t

from sparkkit.errors import ContractError
from sparkkit.schema import cast
from sparkkit.schema.cast import FLOATS, INTEGERS, NESTED, Cast, literal
from sparkkit.schema.types import ddl, quote

_DIGITS = {t.ByteType: 3, t.ShortType: 5, t.IntegerType: 10, t.LongType: 19}
_NUMBERS = (*INTEGERS, *FLOATS, t.DecimalType)
_TIMES = (t.TimestampType, t.TimestampNTZType)


def same(left: t.DataType, right: t.DataType) -> bool:
    """Whether two types are equal, nullability apart.

    >>> same(t.ArrayType(t.IntegerType(), True), t.ArrayType(t.IntegerType(), False))
    True
    """
    return left.simpleString() == right.simpleString()


def lossless(source: t.DataType, target: t.DataType) -> bool:
    """Whether each value of one type has its equal in the other: wider integers, double for float, a larger decimal.

    >>> lossless(t.IntegerType(), t.DecimalType(12, 2)), lossless(t.LongType(), t.DoubleType())
    (True, False)
    """
    if same(source, target) or isinstance(source, t.NullType):
        return True
    if isinstance(source, INTEGERS):
        digits = _DIGITS[type(source)]
        wider = isinstance(target, INTEGERS) and digits < _DIGITS[type(target)]
        float_holds = digits <= 5 and isinstance(target, FLOATS) or digits <= 10 and isinstance(target, t.DoubleType)
        return wider or float_holds or (isinstance(target, t.DecimalType) and target.precision - target.scale >= digits)
    if isinstance(source, t.DecimalType) and isinstance(target, t.DecimalType):
        return target.scale >= source.scale and target.precision - target.scale >= source.precision - source.scale
    return isinstance(source, t.FloatType) and isinstance(target, t.DoubleType)


def typed(column: str, source: t.DataType, target: t.DataType, options: Mapping[str, str]) -> Cast | None:
    """The strict cast of a typed column; None where it passes as it is and nothing can be wrong with it.

    Raises:
        ContractError: the fields of a struct are not those of the contract (reason `missing_column` or `extra_column`).
    """
    if isinstance(source, t.StringType):
        return cast.text(column, target, options)
    if isinstance(source, FLOATS) and isinstance(target, FLOATS) and options.get("nan") != "allow":
        return _finite(column, source, target)
    if same(source, target):
        return None
    if lossless(source, target):
        return Cast(f"cast({column} as {ddl(target)})", "")
    return _converted(column, source, target, options)


def _finite(column: str, source: t.DataType, target: t.DataType) -> Cast:
    """NaN and the infinities of a float are findings; narrower floats must come back as they were."""
    there = column if same(source, target) else f"cast({column} as {ddl(target)})"
    back = "" if lossless(source, target) else f" and cast({there} as {ddl(source)}) = {column}"
    return Cast(
        f"case when abs({column}) < double('Infinity'){back} then {there} end",
        f"case when abs({column}) < double('Infinity') then 'loss_of_scale' else 'not_a_number' end",
    )


def _converted(column: str, source: t.DataType, target: t.DataType, options: Mapping[str, str]) -> Cast:
    if isinstance(source, t.TimestampNTZType) and isinstance(target, t.TimestampType):
        return cast.text(f"cast({column} as string)", target, {**options, "timestamp_format": ""})
    if isinstance(source, NESTED) or isinstance(target, NESTED):
        return _nested(column, source, target)
    if isinstance(source, _NUMBERS) and isinstance(target, _TIMES) or isinstance(source, _TIMES) and isinstance(target, _NUMBERS):
        raise _wrong_type(source, target)  # seconds, or milliseconds? Spark would take them for seconds
    there = f"try_cast({column} as {ddl(target)})"
    back = f"try_cast({there} as {ddl(source)})"
    numbers = isinstance(source, _NUMBERS) and isinstance(target, _NUMBERS)
    words = f"case when {there} is null then 'out_of_range' else 'loss_of_scale' end" if numbers else "'bad_value'"
    if isinstance(source, FLOATS):
        words = f"case when not abs({column}) < double('Infinity') then 'not_a_number' else {words} end"
    return Cast(f"case when {back} = {column} then {there} end", words)


def _wrong_type(source: t.DataType, target: t.DataType) -> ContractError:
    said = f"{source.simpleString()} found where the contract says {target.simpleString()}"
    return ContractError(said, reason="wrong_type", hint="mend the contract's type, or convert the column in a job")


def _nested(column: str, source: t.DataType, target: t.DataType) -> Cast:
    """Fields go by name, never by place; compared as JSON, since maps can't be compared."""
    if type(source) is not type(target):
        raise _wrong_type(source, target)
    there = f"try_cast({aligned(column, source, target)} as {ddl(target)})"
    back = f"try_cast({aligned(there, target, source)} as {ddl(source)})"
    null = "map('ignoreNullFields', 'false')"
    return Cast(f"case when to_json({back}, {null}) = to_json({column}, {null}) then {there} end")


def aligned(column: str, source: t.DataType, target: t.DataType, depth: int = 0) -> str:
    """SQL text: a nested value with its structs' fields in the order of the target, by name.

    >>> s = t.StructType([t.StructField("b", t.LongType()), t.StructField("a", t.LongType())])
    >>> aligned("c", s, t.StructType(s.fields[::-1]))
    "if(c is null, null, named_struct('a', c.`a`, 'b', c.`b`))"
    """
    name = f"a{depth}"
    if isinstance(source, t.ArrayType) and isinstance(target, t.ArrayType):
        inner = aligned(name, source.elementType, target.elementType, depth + 1)
        return column if inner == name else f"transform({column}, {name} -> {inner})"
    if isinstance(source, t.MapType) and isinstance(target, t.MapType):
        inner = aligned(name, source.valueType, target.valueType, depth + 1)
        return column if inner == name else f"transform_values({column}, (k{depth}, {name}) -> {inner})"
    if isinstance(source, t.StructType) and isinstance(target, t.StructType):
        return _aligned_struct(column, source, target, depth)
    return column


def _aligned_struct(column: str, source: t.StructType, target: t.StructType, depth: int) -> str:
    missing, extra = set(target.names) - set(source.names), set(source.names) - set(target.names)
    if missing or extra:
        found, reason = (missing, "missing_column") if missing else (extra, "extra_column")
        raise ContractError(
            f"a struct {'lacks' if missing else 'has'} {', '.join(map(repr, sorted(found)))}: "
            f"{source.simpleString()} found, {target.simpleString()} expected",
            reason=reason,
            hint="mend the contract's type",
        )
    parts = [
        (f.name, aligned(f"{column}.{quote(f.name)}", source[f.name].dataType, f.dataType, depth))
        for f in target.fields
    ]
    return f"if({column} is null, null, named_struct({', '.join(f'{literal(n)}, {e}' for n, e in parts)}))"
