"""Stages that make a vector of a vector: weights, norms, scales, selections, components."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sparkkit.portable.stage import Kind, Name, Namer, Params, Row, Step, bad, one, packed, plain, refused, unpacked
from sparkkit.portable.vectors import Sparse, Vector, dense, pairs, scaled, size


def _mapped(params: Params, function: Callable[[Vector], Vector]) -> Step:
    """A step that puts a vector through a function."""
    source, target = params["input"], params["output"]

    def step(row: Row) -> None:
        if row[source] is None:
            raise bad(source, "is null, where a vector is needed")
        row[target] = function(row[source])

    return step


def _same_names(params: Params) -> Namer:
    """Each place means what it meant before."""
    def add(row: Row, known: dict[str, Name]) -> None:
        if params["input"] in known:
            known[params["output"]] = known[params["input"]]

    return add


def _weigh(params: Params) -> Step:
    factors = unpacked(params["factors"])
    return _mapped(params, lambda vector: scaled(vector, factors))


def _normalize(params: Params) -> Step:
    norm = _norm(float(params["p"]))

    def function(vector: Vector) -> Vector:
        values = list(vector.items.values()) if isinstance(vector, Sparse) else vector
        length = norm(values)
        if length == 0:
            return vector
        if isinstance(vector, Sparse):
            return Sparse(vector.size, {at: value / length for at, value in vector.items.items()})
        return [value / length for value in vector]

    return _mapped(params, function)


def _norm(p: float) -> Callable[[list[float]], float]:
    if p == 1:
        return lambda values: sum(map(abs, values), 0.0)
    if p == 2:
        return lambda values: math.sqrt(sum([v * v for v in values], 0.0))
    if math.isinf(p):
        return lambda values: max(map(abs, values), default=0.0)
    return lambda values: _power_norm(values, p)


def _power_norm(values: list[float], p: float) -> float:
    return _power(sum([_power(abs(value), p) for value in values], 0.0), 1 / p)


def _power(value: float, p: float) -> float:
    try:
        return float(value**p)
    except OverflowError:
        return math.inf


def _export_scaler(stage: Any, shift: Any, scale: Any, constant: float) -> dict[str, Any]:
    """A shift (or None) and a spread (or None), of which the factor is one over it, or `constant` where the spread is zero."""
    factors = None if scale is None else packed([constant if s == 0 else 1.0 / s for s in scale])
    return one(stage) | {"shift": None if shift is None else packed(shift), "factors": factors}


def _standard(stage: Any) -> dict[str, Any]:
    return _export_scaler(stage, stage.mean.toArray() if stage.getWithMean() else None,
                          stage.std.toArray() if stage.getWithStd() else None, 0.0)


def _robust(stage: Any) -> dict[str, Any]:
    return _export_scaler(stage, stage.median.toArray() if stage.getWithCentering() else None,
                          stage.range.toArray() if stage.getWithScaling() else None, 0.0)


def _scale(params: Params) -> Step:
    shift = None if params["shift"] is None else unpacked(params["shift"])
    factors = None if params["factors"] is None else unpacked(params["factors"])

    def function(vector: Vector) -> Vector:
        moved = vector if shift is None else [value - by for value, by in zip(dense(vector), shift, strict=True)]
        return moved if factors is None else scaled(moved, factors)

    return _mapped(params, function)


def _export_min_max(stage: Any) -> dict[str, Any]:
    lows, highs = stage.originalMin.toArray().tolist(), stage.originalMax.toArray().tolist()
    return one(stage) | {"lows": packed(lows), "highs": packed(highs), "to": [stage.getMin(), stage.getMax()]}


def _min_max(params: Params) -> Step:
    low, high = params["to"]
    lows, highs = unpacked(params["lows"]), unpacked(params["highs"])
    factors = [(high - low) / (b - a) if b != a else 0.0 for a, b in zip(lows, highs, strict=True)]

    def rescaled(value: float, least: float, factor: float) -> float:
        if value != value:
            return value
        return float((value - least) * factor + low if factor else (low + high) / 2)

    return _mapped(params, lambda vector: list(map(rescaled, dense(vector), lows, factors)))


def _export_components(stage: Any) -> dict[str, Any]:
    return one(stage) | {"components": [packed(component) for component in stage.pc.toArray().T]}


def _project(params: Params) -> Step:
    import numpy as np

    components = np.array([unpacked(component) for component in params["components"]])

    def function(vector: Vector) -> Vector:
        if isinstance(vector, Sparse):
            at = list(vector.items)
            return list(map(float, components[:, at] @ np.array(list(vector.items.values()))))
        return list(map(float, components @ np.array(vector)))

    return _mapped(params, function)


def _export_selector(stage: Any) -> dict[str, Any]:
    # UnivariateFeatureSelector tells them in the order of their p-values, and transforms in that of their places
    return {"input": stage.getFeaturesCol(), "output": stage.getOutputCol(), "indices": sorted(int(at) for at in stage.selectedFeatures)}


def _export_slicer(stage: Any) -> dict[str, Any]:
    if stage.getNames():
        raise refused(stage, f"names={stage.getNames()!r}", "name the indices")
    return one(stage) | {"indices": list(stage.getIndices())}


def _select(params: Params) -> Step:
    indices = params["indices"]
    places = {old: new for new, old in enumerate(indices)}

    def function(vector: Vector) -> Vector:
        if indices and max(indices) >= size(vector):
            raise bad(params["input"], f"has {size(vector)} places, and place {max(indices)} is asked for")
        if isinstance(vector, Sparse):
            return Sparse(len(indices), {places[at]: value for at, value in pairs(vector) if at in places})
        return [vector[at] for at in indices]

    return _mapped(params, function)


def _select_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        before = known.get(params["input"])
        if before:
            known[params["output"]] = lambda at: before(params["indices"][at])

    return add


_SELECTOR = Kind(_export_selector, _select, _select_names)

KINDS = {
    "IDFModel": Kind(lambda stage: one(stage) | {"factors": packed(stage.idf.toArray())}, _weigh, _same_names),
    "MaxAbsScalerModel": Kind(
        lambda stage: one(stage) | {"factors": packed([1.0 if m == 0 else 1.0 / m for m in stage.maxAbs.toArray()])}, _weigh, _same_names),
    "Normalizer": Kind(lambda stage: one(stage) | {"p": plain(stage.getP())}, _normalize, _same_names),
    "StandardScalerModel": Kind(_standard, _scale, _same_names),
    "RobustScalerModel": Kind(_robust, _scale, _same_names),
    "MinMaxScalerModel": Kind(_export_min_max, _min_max, _same_names),
    "PCAModel": Kind(_export_components, _project),
    "SVDModel": Kind(_export_components, _project),
    "VarianceThresholdSelectorModel": _SELECTOR,
    "UnivariateFeatureSelectorModel": _SELECTOR,
    "ChiSqSelectorModel": _SELECTOR,
    "VectorSlicer": Kind(_export_slicer, _select, _select_names),
}
"""The stages of this module by the name of their class."""
