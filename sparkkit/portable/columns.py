"""Stages that work on plain columns: what is missing, categories, buckets, and the assembly to one vector."""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from sparkkit.portable import java, saved
from sparkkit.portable.stage import Kind, Name, Namer, Params, Row, Skip, Step, bad, pairs, plain, several
from sparkkit.portable.vectors import Sparse
from sparkkit.portable.vectors import pairs as places

_WHOLE = ("tinyint", "smallint", "int", "bigint")


def _export_imputer(stage: Any) -> dict[str, Any]:
    (found,) = stage.surrogateDF.collect()
    columns = pairs(stage)
    return {"columns": columns, "surrogates": [plain(found[source]) for source, _ in columns], "missing": plain(stage.getMissingValue())}


def _impute(params: Params) -> Step:
    types, missing = params.get("types", {}), float(params["missing"])
    casts = [_cast(types.get(source, "double")) for source, _ in params["columns"]]
    todo = [(source, target, cast(float(value)))
            for (source, target), value, cast in zip(params["columns"], params["surrogates"], casts, strict=True)]

    def step(row: Row) -> None:
        for source, target, surrogate in todo:
            value = row[source]
            gone = value is None or value == missing or (missing != missing and value != value)
            row[target] = surrogate if gone else value

    return step


def _cast(kind: str) -> Callable[[float], float]:
    """A surrogate is cast to the column's own type."""
    if kind in _WHOLE:
        return int
    return (lambda value: float(struct.unpack("f", struct.pack("f", value))[0])) if kind == "float" else float


def _export_indexer(stage: Any) -> dict[str, Any]:
    return several(stage, "handleInvalid") | {"labels": [list(labels) for labels in stage.labelsArray]}


def _index(params: Params) -> Step:
    invalid = params["handleInvalid"]
    todo = [(source, target, {label: float(at) for at, label in enumerate(labels)})
            for (source, target), labels in zip(params["columns"], params["labels"], strict=True)]

    def step(row: Row) -> None:
        for source, target, known in todo:
            if source not in row:  # Spark leaves out a column that is not there: the label's, when one only scores
                continue
            value = row[source]
            at = known.get(value if value is None or value.__class__ is str else java.number(value))
            if at is None:
                at = _unseen(invalid, source, value, float(len(known)))
            row[target] = at

    return step


def _unseen(invalid: str, source: str, value: Any, extra: float) -> float:
    """What becomes of a category that the fit did not see."""
    if invalid == "keep":
        return extra
    if invalid == "skip":
        raise Skip
    raise bad(source, "is null" if value is None else f"is {value!r}, which the model never saw")


def _index_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        for (source, target), labels in zip(params["columns"], params["labels"], strict=True):
            known[target] = lambda at, source=source, labels=labels: f"{source}={labels[at] if at < len(labels) else 'other'}"  # type: ignore[misc]

    return add


def _export_one_hot(stage: Any) -> dict[str, Any]:
    return several(stage, "handleInvalid", "dropLast") | {"sizes": [int(size) for size in stage.categorySizes]}


def _one_hot(params: Params) -> Step:
    keep, drop = params["handleInvalid"] == "keep", params["dropLast"]
    todo = [(source, target, size, size + keep - drop) for (source, target), size in zip(params["columns"], params["sizes"], strict=True)]

    def step(row: Row) -> None:
        for source, target, size, width in todo:
            value = row[source]
            if value is None:
                row[target] = None
                continue
            at = int(value) if 0 <= value < size else size
            if at == size and not keep:
                raise bad(source, f"is the category {value!r}, and the model saw 0 to {size - 1}")
            row[target] = Sparse(width, {at: 1.0} if at < width else {})

    return step


def _one_hot_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        for source, target in params["columns"]:
            known[target] = known.get(source, lambda at, source=source: f"{source}={at}")  # type: ignore[misc]

    return add


_UNSEEN, _NULL = 2147483647.0, -1.0
"""The categories by which a saved TargetEncoderModel stands for what it has not seen, and for null."""


def _export_target_encoder(stage: Any) -> dict[str, Any]:
    rows = sorted(saved.rows(stage), key=lambda row: row["index"])
    smoothing, binary = stage.getSmoothing(), stage.getTargetType() == "binary"
    return several(stage, "handleInvalid") | {"encodings": [_encodings(row, smoothing, binary) for row in rows]}


def _encodings(row: Any, smoothing: float, binary: bool) -> list[list[float]]:
    """Categories and their values: the category's mean, drawn to the mean of all by the smoothing (Micci-Barreca 2001)."""
    means = [s / n if binary else s for s, n in zip(row["stats"], row["counts"], strict=True)]
    overall = means[row["categories"].index(_UNSEEN)]
    weights = [n / (n + smoothing) for n in row["counts"]]
    return [[c, w * m + (1 - w) * overall] for c, w, m in zip(row["categories"], weights, means, strict=True)]


def _target_encode(params: Params) -> Step:
    keep = params["handleInvalid"] == "keep"
    todo = [(source, target, dict(map(tuple, found)))
            for (source, target), found in zip(params["columns"], params["encodings"], strict=True)]

    def step(row: Row) -> None:
        for source, target, known in todo:
            value = row[source]
            at = _NULL if value is None else _UNSEEN if value == _NULL else float(value)
            if at not in known or at == _UNSEEN:
                at = _UNSEEN if keep else _unseen("error", source, value, 0.0)
            row[target] = known[at]

    return step


def _export_bucketizer(stage: Any) -> dict[str, Any]:
    splits = stage.getSplitsArray() if stage.isSet("inputCols") else [stage.getSplits()]
    return several(stage, "handleInvalid") | {"splits": [[plain(s) for s in one] for one in splits]}


def _bucketize(params: Params) -> Step:
    invalid = params["handleInvalid"]
    todo = [(source, target, [float(s) for s in splits])
            for (source, target), splits in zip(params["columns"], params["splits"], strict=True)]

    def step(row: Row) -> None:
        if invalid == "skip" and any(_gone(row[source]) for source, _, _ in todo):
            raise Skip
        for source, target, splits in todo:
            row[target] = None if row[source] is None else _bucket(float(row[source]), splits, source, invalid == "keep")

    return step


def _bucket(value: float, splits: list[float], source: str, keep: bool) -> float:
    if value != value:
        if keep:
            return float(len(splits) - 1)
        raise bad(source, "is not a number")
    if value == splits[-1]:
        return float(len(splits) - 2)
    at = bisect_right(splits, value) - 1
    if at >= 0 and value == 0 == splits[at] and math.copysign(1, value) < math.copysign(1, splits[at]):
        at -= 1  # Java sorts -0.0 before 0.0
    if not 0 <= at < len(splits) - 1:
        raise bad(source, f"is {value!r}, out of the buckets' bounds {splits[0]} to {splits[-1]}")
    return float(at)


def _gone(value: Any) -> bool:
    return value is None or value != value


def _export_binarizer(stage: Any) -> dict[str, Any]:
    columns = pairs(stage)
    many = stage.isSet("inputCols") and stage.isSet("thresholds")
    return {"columns": columns, "thresholds": list(stage.getThresholds()) if many else [stage.getThreshold()] * len(columns)}


def _binarize(params: Params) -> Step:
    todo = [(source, target, limit) for (source, target), limit in zip(params["columns"], params["thresholds"], strict=True)]

    def step(row: Row) -> None:
        for source, target, limit in todo:
            row[target] = _binary(row[source], limit, source)

    return step


def _binary(value: Any, limit: float, source: str) -> Any:
    if isinstance(value, list):
        return [1.0 if one > limit else 0.0 for one in value]
    if isinstance(value, Sparse):
        if limit < 0:
            raise bad(source, "is sparse, and the threshold is below zero")
        return Sparse(value.size, {at: 1.0 for at, one in value.items.items() if one > limit})
    return 1.0 if value is not None and value > limit else 0.0


def _export_hasher(stage: Any) -> dict[str, Any]:
    categorical = stage.getCategoricalCols() if stage.isSet("categoricalCols") else []
    return {"inputs": list(stage.getInputCols()), "output": stage.getOutputCol(), "categorical": list(categorical),
            "numFeatures": stage.getNumFeatures()}


def _hash(params: Params) -> Step:
    categorical, size, target, columns = set(params["categorical"]), params["numFeatures"], params["output"], params["inputs"]

    def step(row: Row) -> None:
        found: dict[int, float] = {}
        for column in columns:
            term = _term(column, row[column], categorical)
            if term:
                at = java.bucket(term[0], size)
                found[at] = found.get(at, 0.0) + term[1]
        row[target] = Sparse(size, found)

    return step


def _term(column: str, value: Any, categorical: set[str]) -> tuple[str, float] | None:
    """What a column's value is hashed by, and how much it counts."""
    if value is None:
        return None
    if isinstance(value, str | bool) or column in categorical:
        return f"{column}={value if isinstance(value, str) else java.number(value)}", 1.0
    return column, float(value)


def _hasher_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        terms = [_term(column, row[column], set(params["categorical"])) for column in params["inputs"]]
        words = {java.bucket(term[0], params["numFeatures"]): term[0] for term in terms if term}
        known[params["output"]] = lambda at: words.get(at, f"{params['output']}[{at}]")

    return add


def _export_assembler(stage: Any) -> dict[str, Any]:
    return {"inputs": list(stage.getInputCols()), "output": stage.getOutputCol(), "handleInvalid": stage.getHandleInvalid()}


def _assemble(params: Params) -> Step:
    columns, target, invalid = params["inputs"], params["output"], params["handleInvalid"]

    def step(row: Row) -> None:
        values = [row[column] for column in columns]
        if all([value.__class__ is float and value == value for value in values]):
            row[target] = values
            return
        checked = [_part(value, column, invalid) for value, column in zip(values, columns, strict=True)]
        row[target] = _joined(checked)

    return step


def _part(value: Any, column: str, invalid: str) -> Any:
    """One input of an assembly: a vector, or a number that may be one."""
    if isinstance(value, list | Sparse):
        return value
    if value is None or value != value:
        if invalid == "skip":
            raise Skip
        if invalid == "error":
            raise bad(column, "is null" if value is None else "is not a number")
        return math.nan
    return float(value)


def _joined(parts: list[Any]) -> list[float] | Sparse:
    if not any(isinstance(part, Sparse) for part in parts):
        return [value for part in parts for value in (part if isinstance(part, list) else (part,))]
    found: dict[int, float] = {}
    at = 0
    for part in parts:
        if isinstance(part, float):
            if part:
                found[at] = part
            at += 1
            continue
        found.update({at + place: value for place, value in places(part) if value})
        at += part.size if isinstance(part, Sparse) else len(part)
    return Sparse(at, found)


def _assembler_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        names: list[tuple[int, int, str]] = []  # first place, width, column
        at = 0
        for column in params["inputs"]:
            value = row[column]
            width = value.size if isinstance(value, Sparse) else len(value) if isinstance(value, list) else 1
            names.append((at, width, column))
            at += width
        known[params["output"]] = lambda place: _place_name(place, names, row, known)

    return add


def _place_name(place: int, names: list[tuple[int, int, str]], row: Row, known: dict[str, Name]) -> str:
    first, column = next((first, column) for first, width, column in names if first <= place < first + width)
    if not isinstance(row[column], list | Sparse):
        return column
    return known[column](place - first) if column in known else f"{column}[{place - first}]"


KINDS = {
    "ImputerModel": Kind(_export_imputer, _impute),
    "StringIndexerModel": Kind(_export_indexer, _index, _index_names),
    "OneHotEncoderModel": Kind(_export_one_hot, _one_hot, _one_hot_names),
    "TargetEncoderModel": Kind(_export_target_encoder, _target_encode),
    "Bucketizer": Kind(_export_bucketizer, _bucketize),
    "Binarizer": Kind(_export_binarizer, _binarize),
    "FeatureHasher": Kind(_export_hasher, _hash, _hasher_names),
    "VectorAssembler": Kind(_export_assembler, _assemble, _assembler_names),
}
"""The stages of this module by the name of their class."""

