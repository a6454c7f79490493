"""The standard's types (`logicalType`, `logicalTypeOptions`, `physicalType`) as Spark's DDL."""
from __future__ import annotations

import re
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.schema.limits import LIMITS, normal
from sparkkit.schema.reader import unknown
from sparkkit.schema.types import ddl, parse, quote

INTEGERS = {"i8": "tinyint", "i16": "smallint", "i32": "int", "i64": "bigint", "i128": "decimal(38,0)",
            "u8": "smallint", "u16": "int", "u32": "bigint", "u64": "decimal(20,0)"}
_UNSIGNED = {"u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**64 - 1}
_NUMBERS = {"f32": "float", "f64": "double"}
_LENGTH = re.compile(r"\s*(?:varchar|char|character)\s*\(\s*(\d+)\s*\)\s*", re.IGNORECASE)
NOTES = ("format", "precision", "scale", "timezone", "defaultTimezone", "minProperties", "maxProperties", "required")
"""Options of a logical type that are no limits."""

LOGICAL = ("string", "integer", "number", "boolean", "date", "timestamp", "object", "array", "map")


def spark_type(prop: Any, where: str) -> str:
    """The DDL of a property (a `SchemaProperty` of the contract package): `physicalType`, or else the logical type.

    Raises:
        UsageError: neither is given, or one that Spark or the standard does not have; names `where`.
    """
    if prop.physicalType:
        return (
            "string" if _LENGTH.fullmatch(prop.physicalType) else _checked(prop.physicalType, f"{where}.physicalType")
        )
    if prop.logicalType is None:
        raise UsageError(f"{where}: neither logicalType nor physicalType is given", reason="bad_contract")
    if prop.logicalType in ("time", "vector"):
        raise UsageError(f"{where}: logicalType {prop.logicalType!r} is not supported", reason="bad_contract",
                         hint="use string, or give a physicalType")
    if prop.logicalType not in LOGICAL:
        raise unknown(f"{where}: logicalType {prop.logicalType!r} is not known", prop.logicalType, LOGICAL)
    return _checked(_logical(prop, prop.logicalTypeOptions or {}, where), where)


def stated(prop: Any, where: str) -> dict[str, Any]:
    """The limits of a property as JSON values, in the order of `LIMITS`; what the type itself brings is among them.

    Raises:
        UsageError: an option that is neither a limit nor known to the standard; names `where`.
    """
    options = prop.logicalTypeOptions or {}
    for key in options:
        if key not in LIMITS and key not in NOTES:
            raise unknown(f"{where}, logicalTypeOptions: {key!r} is not known", key, (*LIMITS, *NOTES))
    found = implied(prop) | {k: normal(k, v) for k, v in options.items() if k in LIMITS}
    if prop.enum:
        found["enum"] = [normal("enum", e.value) for e in prop.enum]
    return {limit: found[limit] for limit in LIMITS if limit in found}


def implied(prop: Any) -> dict[str, Any]:
    """The limits that a type itself brings: the length of `varchar(10)`, the range of an unsigned integer."""
    length = _LENGTH.fullmatch(prop.physicalType or "")
    if length:
        return {"maxLength": int(length[1])}
    width = (prop.logicalTypeOptions or {}).get("format")
    if prop.logicalType == "integer" and not prop.physicalType and width in _UNSIGNED:
        return {"minimum": 0, "maximum": _UNSIGNED[width]}
    return {}


def of_type(dtype: str) -> tuple[str, dict[str, Any]]:
    """The standard's logical type and options for a DDL text.

    >>> of_type("smallint"), of_type("timestamp"), of_type("map<string,int>")
    (('integer', {'format': 'i16'}), ('timestamp', {'timezone': True}), ('object', {}))
    """
    word = re.split(r"[(<]", dtype)[0]
    for logical, formats in (("integer", INTEGERS), ("number", _NUMBERS)):
        for name, found in formats.items():
            if found == dtype and not word.startswith("decimal"):
                return logical, {"format": name}
    simple = {"decimal": "number", "array": "array", "binary": "string", "string": "string", "boolean": "boolean",
              "date": "date", "timestamp": "timestamp", "timestamp_ntz": "timestamp"}
    return simple.get(word, "object"), {"timezone": True} if word == "timestamp" else {}


def _checked(text: str, where: str) -> str:
    try:
        return ddl(parse(text))
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", reason="bad_contract", hint=error.hint) from None


def _logical(prop: Any, options: dict[str, Any], where: str) -> str:
    kind = prop.logicalType
    if kind == "integer":
        return _pick(INTEGERS, options.get("format", "i32"), where)
    if kind == "number":
        return _number(options, where)
    if kind == "timestamp":
        return "timestamp" if options.get("timezone") or options.get("defaultTimezone") else "timestamp_ntz"
    if kind == "string":
        return "binary" if options.get("format") == "binary" else "string"
    if kind == "object":
        return _struct(prop, where)
    if kind == "array":
        return f"array<{_inner(prop.items, f'{where}.items')}>"
    if kind == "map":
        return _map(prop.map, f"{where}.map")
    return str(kind)


def _number(options: dict[str, Any], where: str) -> str:
    if "precision" in options:
        return f"decimal({options['precision']},{options.get('scale', 0)})"
    if "scale" in options:
        raise UsageError(f"{where}: logicalTypeOptions has a scale but no precision", reason="bad_contract")
    return _pick(_NUMBERS, options.get("format", "f64"), where)


def _pick(formats: dict[str, str], name: Any, where: str) -> str:
    if name not in formats:
        raise unknown(f"{where}: logicalTypeOptions.format {name!r} is not supported", str(name), tuple(formats))
    return formats[name]


def _struct(prop: Any, where: str) -> str:
    if not prop.properties:
        raise UsageError(f"{where}: an object needs properties, or a physicalType such as map<string,int>",
                         reason="bad_contract")
    return "struct<" + ",".join(_field(p, where, i) for i, p in enumerate(prop.properties)) + ">"


def _field(prop: Any, where: str, index: int) -> str:
    if not prop.name:
        raise UsageError(f"{where}.properties[{index}]: the name is missing", reason="bad_contract")
    return f"{quote(prop.name)}:{spark_type(prop, f'{where}.properties[{index}] {prop.name!r}')}"


def _map(definition: Any, where: str) -> str:
    if definition is None:
        raise UsageError(f"{where} is missing: a map needs map.key and map.value", reason="bad_contract")
    return f"map<{_inner(definition.key, f'{where}.key')},{_inner(definition.value, f'{where}.value')}>"


def _inner(prop: Any, where: str) -> str:
    if prop is None:
        raise UsageError(f"{where} is missing", reason="bad_contract")
    return spark_type(prop, where)
