"""Bodies of requests as records, and scores as bodies of answers: JSON, JSON lines, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparkkit.serving.fields import Fields

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
TYPES: Mapping[str, str] = {
    JSON: JSON, LINES: LINES, "application/x-ndjson": LINES, "application/jsonl": LINES, "application/x-jsonlines": LINES, CSV: CSV,
}
"""The content types that are read, each as one of three."""

BOM = "\ufeff"


class Malformed(ValueError):  # noqa: N818 - becomes an answer with status 400
    """A body that can't be read; the text says why."""


def text(body: bytes) -> str:
    """A body as text.

    Raises:
        Malformed: it is not UTF-8, or starts with a byte order mark.
    """
    try:
        found = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8 at byte {error.start}") from None
    if found.startswith(BOM):
        raise Malformed("the body starts with a byte order mark")
    return found


def parsed(body: str) -> Any:
    """A JSON text, strictly: no NaN, no Infinity, no field twice, no nesting without end.

    Raises:
        Malformed: it is no such JSON.

    >>> parsed('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parsed('{"a": NaN}')
    Traceback (most recent call last):
    sparkkit.serving.bodies.Malformed: NaN is no JSON
    """
    try:
        return json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise Malformed("the body has a number with too many digits") from None


def _refuse_constant(name: str) -> None:
    raise Malformed(f"{name} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"the field {twice[:60]!r} stands twice")
    return found


def records(kind: str, body: bytes, fields: Fields) -> tuple[list[Any], bool]:
    """The records of a body of one of the three types, and whether it was a single one rather than a batch.

    JSON is a record, or `{"records": [...]}`, or (SageMaker's habit) `{"instances": [...]}`; JSON lines a record a line; CSV has the
    contract's columns in their order, or a first line with their names; an empty value is null.

    Raises:
        Malformed: the body can't be read, or has no record.
    """
    content = text(body)
    if kind == JSON:
        found, single = _batch(parsed(content), fields)
    elif kind == LINES:
        found, single = [parsed(line) for line in content.split("\n") if line.strip()], False
    else:
        found, single = _rows(content, fields), False
    if not found:
        raise Malformed("the body has no record")
    return found, single


def _batch(found: Any, fields: Fields) -> tuple[list[Any], bool]:
    if isinstance(found, dict) and len(found) == 1:
        (name, value), = found.items()
        if name in ("records", "instances") and name not in fields.fields:
            if not isinstance(value, list):
                raise Malformed(f"{name!r} is not a list of records")
            return value, False
    return [found], True


def _rows(content: str, fields: Fields) -> list[dict[str, Any]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(content, newline=""), strict=True) if line]
    except csv.Error as error:
        raise Malformed(f"the body is not CSV: {error}") from None
    names = list(fields.fields)
    if lines and set(lines[0]) <= set(names) and len(set(lines[0])) == len(lines[0]):
        names = lines.pop(0)
    for number, line in enumerate(lines, 1):
        if len(line) != len(names):
            raise Malformed(f"row {number} has {len(line)} values, and {len(names)} were expected: {', '.join(names)}")
    return [{name: None if value == "" else fields.fields[name].parse(value) for name, value in zip(names, line, strict=True)}
            for line in lines]


def written(kind: str, answers: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """Predictions as a body: JSON with what the answer is about, JSON lines, or CSV of prediction and probability without a header."""
    if kind == LINES:
        return "".join(json.dumps({**about, **answer}, ensure_ascii=False) + "\n" for answer in answers)
    if kind == JSON:
        return json.dumps({**about, "predictions": answers}, ensure_ascii=False)
    return _csv([answer["prediction"], answer.get("probability")] for answer in answers)


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        ["" if value is None else json.dumps(value) if isinstance(value, dict) else value for value in line] for line in lines)
    return out.getvalue()
