"""Contracts out of the Open Data Contract Standard (YAML, v3): the only module that knows the standard's document.

What is read: the first schema object (or the one named), its columns with types, keys, nullability, limits and quality,
and the `customProperties` `sparkkit.reader.*` and `sparkkit.on.*` of the document and of the object (the object's win).
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.schema import quality
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.logical import spark_type, stated
from sparkkit.schema.reader import answer, clash, option, unknown

READER, ON, PII = "sparkkit.reader.", "sparkkit.on.", "sparkkit.pii"
_PERSONAL = re.compile(r"(^|[^a-z])(pii|personal)($|[^a-z])", re.IGNORECASE)


def load(path: str | Path) -> Contract:
    """The contract in a file; `people.yaml#orders` picks one of several schema objects by name.

    A `.json` file is taken as a compiled contract (`Contract.to_json`), which needs no YAML and no contract package.

    Raises:
        UsageError: the file is missing or can't be read, or holds no such contract; the message names file and place.
    """
    file, _, name = str(path).partition("#")
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no contract {file}", reason="no_contract") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the contract {file} can't be read ({error})", reason="no_contract") from None
    return compiled(text, file) if file.endswith(".json") else parse(text, file, name or None)


def compiled(text: str, where: str) -> Contract:
    """The contract of a compiled text.

    Raises:
        UsageError: the text is no compiled contract; names `where`.
    """
    try:
        return Contract.from_json(text)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{where}: no compiled contract ({error})", reason="bad_contract") from None


def parse(text: str, where: str, name: str | None = None) -> Contract:
    """The contract in a YAML text; `where` (a file's path) stands in the messages, `name` picks a schema object.

    Raises:
        UsageError: any fault of the text, with `where` and the place in it (reason `bad_contract`).

    >>> contract = parse('''
    ... {kind: DataContract, apiVersion: v3.1.0, id: t, version: 1.0.0, schema: [{name: t, properties: [
    ...   {name: a, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1}}]}]}
    ... ''', "t.yaml")
    >>> contract.columns[0].type, contract.rules[0].predicate
    ('int', '(`a` is null or `a` >= 1)')
    """
    document = _document(_yaml(text, where), where)
    item = _object(document, where, name)
    place = f"{where}: schema {item.name!r}"
    customs = _customs(document.customProperties, where) | _customs(item.customProperties, place)
    reader = {k.removeprefix(READER): v for k, v in customs.items() if k.startswith(READER)}
    policy = {k.removeprefix(ON): v for k, v in customs.items() if k.startswith(ON)}
    columns = _columns(item.properties, place)
    contract = Contract(
        item.name,
        columns,
        document.version or "1.0.0",
        reader,
        policy,
        (),
        _description(document, item),
        _owner(document),
    )
    clash(contract, where)
    found, kept = quality.read(item, columns, contract.on("bad_value"), place)
    return Contract(**{**vars(contract), "rules": found, "quality": kept})


# --- the document ---

MOST_NODES = 200_000
"""The values of a document with its aliases written out: a few lines of aliases of aliases can make billions."""


def _nodes(node: Any, seen: dict[int, float]) -> float:
    """The values below a node of YAML, those of aliases each time; a node within itself has no end."""
    if id(node) not in seen:
        seen[id(node)] = float("inf")
        parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))] if node.id != "scalar" else []
        seen[id(node)] = 1 + sum(_nodes(part, seen) for part in parts)
    return seen[id(node)]


def _yaml(text: str, where: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice, where YAML would take the last in silence."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def compose_document(self) -> Any:
            node = super().compose_document()
            if node is not None and _nodes(node, {}) > MOST_NODES:
                raise yaml.composer.ComposerError(None, None, f"its aliases make more than {MOST_NODES:,} values of it", node.start_mark)
            return node

    try:
        return yaml.load(text, Loader)  # Loader is a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{where}: not readable as YAML{line}: {getattr(error, 'problem', None) or error}",
                         reason="bad_contract") from None


def _document(data: Any, where: str) -> Any:
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    if not isinstance(data, dict) or data.get("kind") != "DataContract":
        raise UsageError(f"{where}: no data contract", reason="bad_contract", hint="'kind: DataContract' is missing")
    version = str(data.get("apiVersion"))
    if not version.startswith("v3."):
        raise UsageError(f"{where}: apiVersion is {version!r}", reason="bad_contract", hint="it must be v3.1.0")
    _refuse_unknown(data, OpenDataContractStandard, where)
    try:
        return OpenDataContractStandard(**data)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{where}: {_path(first['loc'], data)}: {first['msg']}, found {first['input']!r}",
                         reason="bad_contract") from None


def _refuse_unknown(data: Any, model: Any, place: str) -> None:
    """Pydantic drops keys that it does not know: refuse them, for a slip must not lose a promise."""
    known = {f.alias or n: f.annotation for n, f in model.model_fields.items()}
    for key, value in data.items():
        if key not in known:
            raise unknown(f"{place}: {key!r} is not known", str(key), known)
        inner = _model(known[key])
        values = value if isinstance(value, list) else [value]
        for index, item in enumerate(values if inner else ()):
            if isinstance(item, dict):
                _refuse_unknown(item, inner, place + _step(key, index if isinstance(value, list) else None, item))


def _model(annotation: Any) -> Any:
    """The pydantic model inside `X | None` or `list[X] | None`; None for plain values and for more than one."""
    from typing import get_args

    found = [annotation] if hasattr(annotation, "model_fields") else []
    for argument in get_args(annotation):
        found += [m for m in [_model(argument)] if m]
    return found[0] if len(found) == 1 else None


def _path(loc: tuple[int | str, ...], data: Any) -> str:
    place = ""
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            data = None
        place += _step(None, part, data) if isinstance(part, int) else _step(part, None, data)
    return place.removeprefix(", ")


def _step(key: str | None, index: int | None, item: Any) -> str:
    name = item.get("name") or item.get("property") if isinstance(item, dict) else None
    return (f", {key}" if key else "") + (f"[{index}]" if index is not None else "") + (f" {name!r}" if name else "")


def _object(document: Any, where: str, name: str | None) -> Any:
    objects = document.schema_ or []
    if not objects:
        raise UsageError(f"{where}: no schema", reason="bad_contract", hint="a list 'schema' with one object is needed")
    found = [o for o in objects if name in (None, o.name)]
    if not found:
        raise unknown(f"{where}: no schema object {name!r}", str(name), [str(o.name) for o in objects])
    if not found[0].name:
        raise UsageError(f"{where}: schema[0]: the name is missing", reason="bad_contract")
    return found[0]


def _description(document: Any, item: Any) -> str:
    return item.description or (document.description and document.description.purpose) or ""


def _owner(document: Any) -> str:
    team = document.team
    members = team if isinstance(team, list) else (team.members or []) if team else []
    owners = [m.name or m.username for m in members if (m.role or "").lower() == "owner"]
    return (None if isinstance(team, list) or not team else team.name) or (owners[0] if owners else None) or ""


# --- customProperties ---

def _customs(properties: Any, where: str, *, column: bool = False) -> dict[str, Any]:
    """The checked `sparkkit.*` properties; those of others are left alone."""
    found: dict[str, Any] = {}
    for item in properties or ():
        key = item.property or ""
        if not key.startswith("sparkkit."):
            continue
        if key in found:
            raise UsageError(f"{where}: {key} stands twice", reason="bad_contract")
        found[key] = _custom(key, item.value, where, column)
    return found


def _custom(key: str, value: Any, where: str, column: bool) -> Any:
    if key.startswith(READER):
        return option(key.removeprefix(READER), value, where, column=column)
    if key.startswith(ON) and not column:
        return answer(key.removeprefix(ON), value, where)
    if key == PII and column and isinstance(value, bool):
        return value
    known = (READER + "*", PII) if column else (READER + "*", ON + "*")
    raise unknown(f"{where}: {key} with value {value!r} is not known{' for a column' if column else ''}", key, known)


# --- columns ---

def _columns(properties: Any, where: str) -> tuple[Column, ...]:
    if not properties:
        raise UsageError(f"{where}: no columns", reason="bad_contract", hint="a list 'properties' is needed")
    columns: list[Column] = []
    for index, prop in enumerate(properties):
        if not prop.name:
            raise UsageError(f"{where}, properties[{index}]: the name is missing", reason="bad_contract")
        if prop.name.lower() in [c.name.lower() for c in columns]:
            raise UsageError(f"{where}: the column {prop.name!r} stands twice", reason="bad_contract",
                             hint="names that differ in case only are the same to Spark")
        columns.append(_column(prop, f"{where}, column {prop.name!r}"))
    return _keyed(columns, [p for p in properties], where)


def _column(prop: Any, where: str) -> Column:
    customs = _customs(prop.customProperties, where, column=True)
    reader = {k.removeprefix(READER): v for k, v in customs.items() if k.startswith(READER)}
    dtype = spark_type(prop, where)
    tags = tuple(prop.tags or ())
    return Column(
        prop.name, dtype, bool(prop.primaryKey if prop.required is None else prop.required), bool(prop.unique),
        pii=customs.get(PII, personal(tags, prop.classification or "")), description=prop.description or "",
        tags=tags, classification=prop.classification or "", reader=_formats(prop, dtype, where) | reader,
        limits=stated(prop, where))


def personal(tags: tuple[str, ...], classification: str) -> bool:
    """Whether a column is about persons: a tag or its classification has the word `pii` or `personal`.

    >>> personal(("GDPR-PII",), ""), personal((), "restricted")
    (True, False)
    """
    return any(_PERSONAL.search(word) for word in (*tags, classification))


def _formats(prop: Any, dtype: str, where: str) -> dict[str, str]:
    options = prop.logicalTypeOptions or {}
    key = {"date": "date_format", "timestamp": "timestamp_format", "timestamp_ntz": "timestamp_format"}.get(dtype)
    found = {key: option(key, options["format"], where)} if key and "format" in options else {}
    zone = {"zone": option("zone", options["defaultTimezone"], where)} if "defaultTimezone" in options else {}
    return found | zone


def _keyed(columns: list[Column], properties: list[Any], where: str) -> tuple[Column, ...]:
    """Give each column of the key its place: those stated, or else the order of the columns."""
    keys = [i for i, p in enumerate(properties) if p.primaryKey]
    places = [properties[i].primaryKeyPosition or -1 for i in keys]
    if any(p > 0 for p in places) and sorted(places) != list(range(1, len(keys) + 1)):
        raise UsageError(f"{where}: primaryKeyPosition is {', '.join(map(str, places))}", reason="bad_contract",
                         hint=f"the {len(keys)} columns of the key need the places 1 to {len(keys)}")
    ranks = dict(zip(keys, places if any(p > 0 for p in places) else range(1, len(keys) + 1), strict=True))
    return tuple(Column(**{**vars(c), "key": ranks.get(i, 0)}) for i, c in enumerate(columns))
