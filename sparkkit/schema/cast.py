"""Strict casts as SQL text: a value that is not exactly one of the type gives null, and a word says why.

Spark's own casts are lenient: they trim, round 12.345 to fit decimal(5,2), read '2021-2-3' as a date and '1d' as a
double, and move a local time that daylight saving skips. Here each type has one grammar. All is text: no session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import types as t

from sparkkit.schema.types import ddl, quote

BAD_VALUES = ("bad_value", "out_of_range", "loss_of_scale", "not_a_number", "dst_gap", "replacement_character")
"""The reasons for which one value does not fit its column."""

INTEGERS = (t.ByteType, t.ShortType, t.IntegerType, t.LongType)
FLOATS = (t.FloatType, t.DoubleType)
NESTED = (t.ArrayType, t.MapType, t.StructType)
_NOT_NUMBERS = "('nan', 'infinity', '+infinity', '-infinity', 'inf', '+inf', '-inf')"
_LOST = "'\N{REPLACEMENT CHARACTER}'"
_WHOLE = "[+-]?[0-9]++"
_NUMBER = "[+-]?(?:[0-9]++(?:[.][0-9]*+)?|[.][0-9]++)"
_POWER = f"{_NUMBER}[eE][+-]?[0-9]{{1,5}}"
_DATE = "(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_LOCAL = f"{_DATE}[T ]{_CLOCK}(?:[.][0-9]{{1,6}}0*)?"
_ZONE = "(?:Z|[+-][0-9]{2}:?[0-9]{2})"


@dataclass(frozen=True)
class Cast:
    """SQL texts of a cast: `value` is null where the input does not fit, and `reason` is then the word for it.

    A cast without a reason can't fail: it is free of checks.
    """

    value: str
    reason: str = "'bad_value'"


def literal(text: str) -> str:
    r"""A text as a SQL literal.

    >>> print(literal("it's"))
    'it\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def matches(text: str, pattern: str) -> str:
    r"""SQL text: whether the whole of `text` matches a Java pattern.

    >>> print(matches("a", "[0-9]+"))
    a rlike '\\A(?:[0-9]+)\\z'
    """
    whole = literal(rf"\A(?:{pattern})\z")
    return f"{text} rlike {whole}"


def _framed(column: str, low: str = "0") -> str:
    """SQL text: the first character is a sign, a point or a digit, the last one between `low` and 9.

    Spark's own parsers take little else in between: with this they are strict, at a fifth of the cost of a pattern.
    """
    return f"{column} >= '+' and {column} < ':' and substr({column}, -1) between '{low}' and '9'"


def _has_none(column: str, signs: str) -> str:
    return " and ".join(f"not contains({column}, '{sign}')" for sign in signs)


def prepared(column: str, dtype: t.DataType, options: Mapping[str, str]) -> str:
    """SQL text: a column's text after `trim` and `null_values`; an empty text of a type that has none is null."""
    text = f"trim(both ' \\t\\u00a0' from {column})" if options["trim"] == "true" else column
    nulls = [word for word in options["null_values"].split(",") if word]
    if not isinstance(dtype, t.StringType | t.BinaryType):
        nulls.append("")
    if not nulls:
        return text
    if nulls == [""]:
        return f"nullif({text}, '')"
    return f"case when {text} in ({', '.join(map(literal, nulls))}) then null else {text} end"


def number(text: str, dtype: t.DataType, options: Mapping[str, str]) -> str:
    """SQL text: a number's text without its thousands signs and with a point, null where its groups are not of three.

    >>> number("a", t.StringType(), {"thousands": ",", "decimal": "."})
    'a'
    """
    thousands, point = options["thousands"], options["decimal"]
    if not isinstance(dtype, (*INTEGERS, *FLOATS, t.DecimalType)) or (not thousands and point == "."):
        return text
    s, d = (rf"\x{{{ord(sign):x}}}" if sign else "" for sign in (thousands, point))
    whole = rf"(?:[0-9]{{1,3}}(?:{s}[0-9]{{3}})++|[0-9]*+)" if thousands else "[0-9]*+"
    grammar = f"[+-]?{whole}(?:{d}[0-9]*+)?(?:[eE][+-]?[0-9]++)?"
    bare = f"replace({text}, {literal(thousands)}, '')" if thousands else text
    turned = bare if point == "." else f"replace({bare}, {literal(point)}, '.')"
    words = f"lower({text}) in {_NOT_NUMBERS}"
    return f"case when {matches(text, grammar)} then {turned} when {words} then {text} end"


def text(column: str, dtype: t.DataType, options: Mapping[str, str]) -> Cast:
    """The strict cast of a text (already `prepared`) to a type.

    >>> text("a", t.IntegerType(), {}).value
    "case when a >= '+' and a < ':' and substr(a, -1) between '0' and '9' then try_cast(a as int) end"
    """
    if isinstance(dtype, t.StringType):
        return Cast(f"case when not contains({column}, {_LOST}) then {column} end", "'replacement_character'")
    if isinstance(dtype, INTEGERS):
        return _integer(column, dtype)
    if isinstance(dtype, FLOATS):
        return _float(column, dtype, options)
    if isinstance(dtype, t.DecimalType):
        return _decimal(column, dtype)
    if isinstance(dtype, t.BooleanType):
        return _boolean(column, options)
    if isinstance(dtype, t.DateType):
        return _date(column, options)
    if isinstance(dtype, t.TimestampType):
        return _timestamp(column, options)
    if isinstance(dtype, t.TimestampNTZType):
        return _ntz(column, options)
    if isinstance(dtype, t.BinaryType):
        return _binary(column, options)
    json = _exact(column) if "decimal" in ddl(dtype) else column
    whole = f"json_object_keys(concat('{{\"v\":', {column}, ',\"sparkkit\":0}}')) = array('v', 'sparkkit')"
    return Cast(f"case when {whole} then {_json(json, dtype, options)} end")


def _exact(column: str) -> str:
    """SQL text: a JSON text whose bare numbers are put in quotes, since Spark reads them as doubles and loses digits."""
    pattern = literal(r'("(?:[^"\\]|\\.)*+")|(-?[0-9][0-9.eE+-]*+)')
    marked = f"regexp_replace({column}, {pattern}, '$1\\u0001$2\\u0001')"
    return f"replace(replace({marked}, '\\u0001\\u0001', ''), '\\u0001', '\"')"


def _integer(column: str, dtype: t.DataType) -> Cast:
    return Cast(
        f"case when {_framed(column)} then try_cast({column} as {ddl(dtype)}) end",
        f"case when {matches(column, _WHOLE)} then 'out_of_range' else 'bad_value' end",
    )


def _float(column: str, dtype: t.DataType, options: Mapping[str, str]) -> Cast:
    """Short plain numbers can't overflow; others are looked at again: Spark reads 1e400 as Infinity, 1e-400 as 0."""
    cast, powers = f"try_cast({column} as {ddl(dtype)})", matches(column, f"{_NUMBER}(?:[eE][+-]?[0-9]++)?")
    fits = f"{powers} and abs({cast}) < double('Infinity') and ({cast} != 0 or not {column} rlike '^[^eE]*[1-9]')"
    words = f"lower({column}) in {_NOT_NUMBERS}"
    allowed = f" when {words} then {cast}" if options.get("nan") == "allow" else ""
    short = f"octet_length({column}) <= 38 and {_framed(column, '.')} and {_has_none(column, 'eExX')}"
    return Cast(
        f"case when {short} then {cast} "
        f"when {fits} then {cast}{allowed} end",
        f"case when {words} then 'not_a_number' when {powers} then 'out_of_range' else 'bad_value' end",
    )


def _decimal(column: str, dtype: t.DecimalType) -> Cast:
    """A plain number fits by its count of digits; one with a power by the digits behind its point, less the power.

    What is tried first is the common case of the second, without a pattern.
    """
    cast = f"try_cast({column} as {ddl(dtype)})"
    places = (
        rf"length(regexp_extract({column}, '[.]([0-9]*?)0*[eE]', 1))"
        rf" - cast(regexp_extract({column}, '[eE]([+-]?[0-9]+)', 1) as int)"
    )
    fits = rf"(?=[+-]?[.]?[0-9])[+-]?0*+[0-9]{{0,{dtype.precision - dtype.scale}}}(?:[.][0-9]{{0,{dtype.scale}}}0*+)?"
    power = f"{matches(column, _POWER)} and ({places} <= {dtype.scale} or {column} rlike '^[+-]?[0.]+[eE]')"
    point = f"instr({column}, '.')"
    ascii_only = f"octet_length({column}) = length({column})"
    short = f"({point} = 0 or length({column}) - {point} <= {dtype.scale}) and {ascii_only} and {_has_none(column, 'eE')}"
    return Cast(
        f"case when {_framed(column, '.')} and {short} then {cast} when {matches(column, fits)} then {cast} when {power} then {cast} end",
        f"case when not ({matches(column, _NUMBER)} or {matches(column, _POWER)}) then 'bad_value' "
        f"when {cast} is null then 'out_of_range' else 'loss_of_scale' end",
    )


def _boolean(column: str, options: Mapping[str, str]) -> Cast:
    yes, no = (
        ", ".join(literal(word.strip().lower()) for word in options[f"boolean_{side}"].split(","))
        for side in ("true", "false")
    )
    return Cast(f"case when lower({column}) in ({yes}) then true when lower({column}) in ({no}) then false end")


def _date(column: str, options: Mapping[str, str]) -> Cast:
    pattern = options["date_format"]
    if pattern == "yyyy-MM-dd":
        dashes = f"substr({column}, 5, 1) = '-' and substr({column}, 8, 1) = '-'"
        plain = f"octet_length({column}) = 10 and {column} between '0001' and ':' and {dashes} and substr({column}, -1) between '0' and '9'"
        return Cast(f"case when {plain} then try_cast({column} as date) end")
    return Cast(f"date_from_unix_date(cast(floor(unix_seconds({_in_zone(column, pattern, 'UTC')}) / 86400) as int))")


def _in_zone(column: str, pattern: str, zone: str) -> str:
    """SQL text: the instant of a local time written by a pattern, whatever zone the session has; else null."""
    return f"try_to_timestamp(concat({column}, {literal(' ' + zone)}), {literal(pattern + ' VV')})"


def _timestamp(column: str, options: Mapping[str, str]) -> Cast:
    pattern, zone = options["timestamp_format"], options["zone"]
    if pattern and _has_zone(pattern):
        return Cast(f"try_to_timestamp({column}, {literal(pattern)})")
    if pattern:
        return _gapless(_in_zone(column, pattern, zone), _in_zone(column, pattern, "UTC"), zone, "true")
    local = _gapless(
        f"try_cast(concat({column}, {literal(' ' + zone)}) as timestamp)",
        f"try_cast(concat({column}, 'Z') as timestamp)",
        zone,
        matches(column, _LOCAL),
    )
    zoned = matches(column, _LOCAL + _ZONE)
    return Cast(
        f"case when {zoned} then try_cast({column} as timestamp) else {local.value} end",
        f"case when {_long(column)} then 'loss_of_scale' else {local.reason} end",
    )


def _gapless(there: str, utc: str, zone: str, condition: str) -> Cast:
    """A local time read `there`, in a zone: put back into local time it must be the same text read as UTC."""
    if zone in ("UTC", "Z"):
        return Cast(f"case when {condition} then {there} end")
    back = f"from_utc_timestamp({there}, {literal(zone)}) = {utc}"
    return Cast(
        f"case when {condition} and {back} then {there} end",
        f"case when {condition} and not {back} then 'dst_gap' else 'bad_value' end",
    )


def _has_zone(pattern: str) -> bool:
    """Whether a pattern has a zone, outside the texts in its quotes."""
    return any(letter in part for part in pattern.split("'")[::2] for letter in "VzOXxZ")


def _long(column: str) -> str:
    return matches(column, f"{_DATE}[T ]{_CLOCK}[.][0-9]{{7,}}{_ZONE}?")


def _ntz(column: str, options: Mapping[str, str]) -> Cast:
    pattern = options["timestamp_format"]
    if not pattern:
        return Cast(
            f"case when {matches(column, _LOCAL)} then try_cast({column} as timestamp_ntz) end",
            f"case when {_long(column)} then 'loss_of_scale' else 'bad_value' end",
        )
    return Cast(ntz_of(_in_zone(column, pattern, "UTC")))


def ntz_of(instant: str) -> str:
    """SQL text: the local time in UTC of an instant, whatever zone the session has."""
    seconds = f"cast(cast(unix_micros({instant}) as decimal(20,0)) / 1000000 as decimal(18,6))"
    return f"timestamp_ntz'1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, {seconds})"


def _binary(column: str, options: Mapping[str, str]) -> Cast:
    if options.get("binary", "base64") == "hex":
        hexes = matches(column, "(?:[0-9A-Fa-f]{2})*+")
        return Cast(f"case when {hexes} then try_to_binary({column}, 'hex') end")
    grammar = "(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
    return Cast(f"case when {matches(column, grammar)} then try_to_binary({column}, 'base64') end")


def _json(column: str, dtype: t.DataType, options: Mapping[str, str], depth: int = 0) -> str:
    """SQL text: a JSON text as a nested type, each leaf by its strict cast; null where any of it does not fit."""
    names = (f"j{depth}", f"k{depth}", f"l{depth}")
    if isinstance(dtype, t.ArrayType):
        return _let(
            names[0],
            f"from_json({column}, 'array<string>')",
            _let(
                names[1],
                _each(names[0], dtype.elementType, options, depth),
                f"case when {_as_many(names[0], names[1])} then {names[1]} end",
            ),
        )
    if isinstance(dtype, t.MapType):
        return _let(names[0], f"from_json({column}, 'map<string,string>')", _map(names, dtype, options, depth))
    if isinstance(dtype, t.StructType):
        return _let(names[0], f"from_json({column}, 'map<string,string>')", _struct(names, dtype, options, depth))
    return text(column, dtype, options).value


def _let(name: str, value: str, body: str) -> str:
    """SQL text: `body`, in which `name` is `value`, computed once."""
    return f"get(transform(array({value}), {name} -> {body}), 0)"


def _each(array: str, dtype: t.DataType, options: Mapping[str, str], depth: int) -> str:
    return f"transform({array}, x{depth} -> {_json(f'x{depth}', dtype, options, depth + 1)})"


def _as_many(before: str, after: str) -> str:
    return f"size(filter({before}, y -> y is null)) = size(filter({after}, y -> y is null))"


def _map(names: tuple[str, str, str], dtype: t.MapType, options: Mapping[str, str], depth: int) -> str:
    source, keys, values = names
    good = (
        f"not exists({keys}, y -> y is null) and size(array_distinct({keys})) = size({keys}) "
        f"and {_as_many(f'map_values({source})', values)}"
    )
    inner = _let(
        values,
        _each(f"map_values({source})", dtype.valueType, options, depth),
        f"case when {good} then map_from_arrays({keys}, {values}) end",
    )
    return _let(keys, _each(f"map_keys({source})", dtype.keyType, options, depth), inner)


def _struct(names: tuple[str, str, str], dtype: t.StructType, options: Mapping[str, str], depth: int) -> str:
    """A key that the struct does not have makes the value bad: dropping it would be a silent loss."""
    source, built, _ = names
    given = [f"element_at({source}, {literal(field.name)})" for field in dtype.fields]
    values = [_json(part, field.dataType, options, depth + 1) for part, field in zip(given, dtype.fields, strict=True)]
    pairs = ", ".join(f"{literal(f.name)}, {value}" for f, value in zip(dtype.fields, values, strict=True))
    keys = f"map_keys({source})"  # one that stands twice is not in a map that was made right, but Spark's reader of JSON keeps both
    known = f"size(array_except({keys}, array({', '.join(literal(f.name) for f in dtype.fields)}))) = 0"
    known = f"{known} and size(array_distinct({keys})) = size({keys})"
    kept = [
        f"({part} is null or {built}.{quote(f.name)} is not null)" for part, f in zip(given, dtype.fields, strict=True)
    ]
    return _let(
        built,
        f"named_struct({pairs})",
        f"case when {source} is not null and {' and '.join([known, *kept])} then {built} end",
    )
