"""A contract to start from: out of a frame's schema, or out of a file's texts by one aggregation; and its YAML."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.landing import LANDING
from sparkkit.schema.limits import rules
from sparkkit.schema.logical import of_type
from sparkkit.schema.odcs import ON, PII, READER, personal
from sparkkit.schema.quality import ENGINE
from sparkkit.schema.types import ddl, parse, quote

_WHOLE = r"^[+-]?(0|[1-9][0-9]*)$"
_PLAIN = r"^[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_GROUPED = r"^[+-]?([1-9][0-9]{0,2}(,[0-9]{3})*|0)(\.[0-9]+)?$"
_FLOAT = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_DAY = r"^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE = _DAY + "$"
_TIME = _DAY + r"[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"  # with seconds, as `cast` wants them
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
STATISTICS = ("filled", "empty", "spaces", "int", "bigint", "grouped", "commas", "leading_zero", "float", "boolean",
              "date", "timestamp", "timestamp_ntz", "digits", "scale")
"""What `guess` says of each column: of the texts that are neither null nor empty, how many fit which type; the most
digits before the point, and the most behind it."""


def infer(name: str, schema: t.StructType) -> Contract:
    """The contract that a frame's schema keeps: a column that can't hold nulls is required.

    Raises:
        UsageError: a type that has no place in a contract; names the column.

    >>> infer("t", t.StructType([t.StructField("a", t.LongType(), False)])).columns
    (Column(name='a', type='bigint', required=True, unique=False, key=0, pii=False, description='', \
tags=(), classification='', reader={}, limits={}),)
    """
    return Contract(name, tuple(_of_field(field) for field in schema.fields if field.name not in LANDING))


def guess(landed: DataFrame) -> DataFrame:
    """One row that says what the texts of each column could be: a struct of `STATISTICS` for each.

    Args:
        landed: a frame whose columns are strings, such as a landed CSV; the landing columns are left out.

    >>> row = guess(spark.sql("select '1,024' as a union all select ''")).first()
    >>> row.a.filled, row.a.grouped, row.a.commas, row.a.digits
    (1, 1, 1, 4)
    """
    return landed.agg(*(F.expr(_statistics(name)).alias(name) for name in landed.columns if name not in LANDING))


def from_guess(name: str, row: Mapping[str, Any], reader: Mapping[str, str] | None = None) -> Contract:
    """The narrowest contract that holds all values that were counted.

    A column without any value, and one with numbers such as `007`, is a string; a column without an empty value is
    required.

    Args:
        row: `guess(...).first().asDict(recursive=True)`: for each column its `STATISTICS`.
        reader: reader options that were found out elsewhere (delimiter, encoding).
    """
    return Contract(name, tuple(_guessed(column, found) for column, found in row.items()), reader=dict(reader or {}))


def to_yaml(contract: Contract) -> str:
    """The contract in the standard's YAML (v3.1.0); `odcs.parse` gives an equal contract back.

    Rules that the columns' limits make are written as the limits they come from, all others as quality items.
    """
    import yaml

    document = {
        "kind": "DataContract",
        "apiVersion": "v3.1.0",
        "id": contract.name,
        "version": contract.version,
        "status": "active",
        "team": {"name": contract.owner},
        "customProperties": _customs(contract.reader, READER) + _customs(contract.policy, ON),
        "schema": [
            _some(
                {
                    "name": contract.name,
                    "description": contract.description,
                    "properties": [_property(column, contract) for column in contract.columns],
                    "quality": _rules(contract) + _table(contract, None),
                }
            )
        ],
    }
    filled = document if contract.owner else {k: v for k, v in document.items() if k != "team"}
    return yaml.safe_dump(_some(filled), sort_keys=False, allow_unicode=True, width=120)


def _of_field(field: t.StructField) -> Column:
    try:
        return Column(field.name, ddl(field.dataType), required=not field.nullable)
    except UsageError as error:
        raise UsageError(f"column {field.name!r}: {error.message}", reason=error.reason, hint=error.hint) from None


def _statistics(name: str) -> str:
    """SQL text of one aggregation over one column of texts."""
    text = f"trim({quote(name)})"
    plain = f"replace({text}, ',', '')"
    number = f"{text} rlike {_raw(_GROUPED)} or {text} rlike {_raw(_PLAIN)}"
    time = f"{text} rlike {_raw(_TIME + '($|' + _ZONE + ')')}"
    zoned = f"{text} rlike {_raw(_ZONE)}"
    parts = {
        "filled": f"count_if({text} != '')",
        "empty": f"count_if({quote(name)} is null or {text} = '')",
        "spaces": f"count_if({quote(name)} != {text})",
        "int": f"count_if({text} rlike {_raw(_WHOLE)} and try_cast({text} as int) is not null)",
        "bigint": f"count_if({text} rlike {_raw(_WHOLE)} and try_cast({text} as bigint) is not null)",
        "grouped": f"count_if(({number}) and try_cast({plain} as decimal(38,10)) is not null)",
        "commas": f"count_if({text} like '%,%')",
        "leading_zero": f"count_if({text} rlike '^[+-]?0[0-9]')",
        "float": f"count_if({text} rlike {_raw(_FLOAT)} and abs(try_cast({text} as double)) < double('Infinity'))",
        "boolean": f"count_if(lower({text}) in ('true', 'false'))",
        "date": f"count_if({text} rlike {_raw(_DATE)} and try_cast({text} as date) is not null)",
        "timestamp": f"count_if({time} and {zoned} and try_cast({text} as timestamp) is not null)",
        "timestamp_ntz": f"count_if({time} and not {zoned} and try_cast({text} as timestamp_ntz) is not null)",
        "digits": f"max(length(regexp_extract({plain}, '^[+-]?([0-9]+)', 1)))",
        "scale": f"max(length(regexp_extract({plain}, '[.]([0-9]+)$', 1)))",
    }
    return f"named_struct({', '.join(f'{key!r}, {parts[key]}' for key in STATISTICS)})"


def _raw(pattern: str) -> str:
    return "'" + pattern.replace("\\", "\\\\") + "'"


def _guessed(name: str, found: Mapping[str, Any]) -> Column:
    dtype = _type(found)
    thousands = {"thousands": ","} if dtype != "string" and found["commas"] else {}
    trim = {"trim": "true"} if dtype != "string" and found["spaces"] else {}
    return Column(name, dtype, required=found["empty"] == 0 and found["filled"] > 0, reader=thousands | trim)


def _type(found: Mapping[str, Any]) -> str:
    """The first type that all values fit."""
    filled = found["filled"]
    if filled == 0 or found["leading_zero"]:
        return "string"
    precision = max(found["digits"], 1) + found["scale"]
    if found["grouped"] == filled and (found["scale"] or found["commas"]) and precision <= 38:
        return (
            f"decimal({min(38, max(18, precision + 4))},{found['scale']})"
            if found["scale"]
            else _whole(found["digits"])
        )
    for candidate in ("int", "bigint", "date", "timestamp", "timestamp_ntz", "boolean"):
        if found[candidate] == filled:
            return candidate
    return "double" if found["float"] == filled and found["digits"] <= 15 else "string"


def _whole(digits: int) -> str:
    return "int" if digits < 10 else "bigint" if digits < 19 else "decimal(38,0)"


def _some(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value not in (None, "", [], {}, False)}


def _customs(options: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    return [{"property": prefix + key, "value": value} for key, value in options.items()]


def _property(column: Column, contract: Contract) -> dict[str, Any]:
    logical, options = of_type(column.type)
    customs = _customs(column.reader, READER)
    if column.pii != personal(column.tags, column.classification):
        customs.append({"property": PII, "value": column.pii})
    stated = {"required": column.required} if column.required or column.key else {}
    return _some({
        "name": column.name, "logicalType": logical, "physicalType": column.type,
        "logicalTypeOptions": options | dict(column.limits), "description": column.description,
        "unique": column.unique, "primaryKey": column.key > 0, "primaryKeyPosition": column.key,
        "classification": column.classification, "tags": list(column.tags), "customProperties": customs,
        "quality": _table(contract, column.name)} | _nested(parse(column.type))) | stated


def _nested(dtype: t.DataType) -> dict[str, Any]:
    """What is inside of a struct or an array, for readers other than sparkkit (the physical type says it already)."""
    if isinstance(dtype, t.StructType):
        return {"properties": [{"name": f.name} | _described(f.dataType) for f in dtype.fields]}
    return {"items": _described(dtype.elementType)} if isinstance(dtype, t.ArrayType) else {}


def _described(dtype: t.DataType) -> dict[str, Any]:
    return {"logicalType": of_type(ddl(dtype))[0], "physicalType": ddl(dtype)} | _nested(dtype)


def _rules(contract: Contract) -> list[dict[str, Any]]:
    on = contract.on("bad_value")
    derived = {rule for column in contract.columns for rule in rules(column, on)}
    return [_some({
        "name": rule.name, "type": "custom", "engine": ENGINE, "implementation": rule.predicate,
        "description": rule.description, "customProperties": [
            {"property": "sparkkit.on", "value": rule.on},
            *([{"property": "sparkkit.tolerance", "value": rule.tolerance}] if rule.tolerance else [])]})
        for rule in contract.rules if rule not in derived]


def _table(contract: Contract, column: str | None) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in item.items() if k != "column"} for item in contract.quality if item.get("column") == column
    ]
