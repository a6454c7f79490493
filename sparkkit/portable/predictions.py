"""From a classifier's raw scores to probabilities and a class, as spark.ml does it."""

from __future__ import annotations

import math
from typing import Any

from sparkkit.portable.stage import Params, Row, plain


def columns(stage: Any) -> dict[str, Any]:
    """The columns of a predictor: its features, and what it adds; a column that is switched off is the empty text."""
    names = {"features": stage.getFeaturesCol(), "prediction": stage.getPredictionCol()}
    if stage.hasParam("rawPredictionCol"):
        names["raw"] = stage.getRawPredictionCol()
    if stage.hasParam("probabilityCol"):
        names["probability"] = stage.getProbabilityCol()
    return names


def thresholds(stage: Any) -> dict[str, Any]:
    """The thresholds of a classifier with one for each class; None where none were set."""
    return {"thresholds": [plain(t) for t in stage.getThresholds()] if stage.isDefined("thresholds") else None}


def put(row: Row, params: Params, prediction: float, probability: list[float] | None = None, raw: list[float] | None = None) -> None:
    """Adds a prediction to a row."""
    row[params["prediction"]] = prediction
    if raw is not None:
        row[params["raw"]] = raw
    if probability is not None:
        row[params["probability"]] = probability


def argmax(values: list[float]) -> float:
    """The place of the greatest value, the first of equals.

    >>> argmax([0.2, 0.4, 0.4])
    1.0
    """
    return float(values.index(max(values)))


def chosen(probability: list[float], limits: list[float] | None) -> float:
    """The class whose probability is greatest, or greatest against its threshold (of which one may be zero).

    >>> chosen([0.6, 0.4], None), chosen([0.6, 0.4], [0.9, 0.3]), chosen([1.0, 0.0], [0.5, 0.0])
    (0.0, 1.0, 0.0)
    """
    if limits is None:
        return argmax(probability)
    best, found = -math.inf, 0
    for at, (p, limit) in enumerate(zip(probability, limits, strict=True)):
        against = p / limit if limit else math.inf if p else math.nan
        if against > best:
            best, found = against, at
    return float(found)


def sigmoid(margin: float) -> float:
    """The logistic function, without overflow.

    >>> sigmoid(0.0), sigmoid(-1000.0), sigmoid(1000.0)
    (0.5, 0.0, 1.0)
    """
    return 1.0 / (1.0 + exp(-margin))


def exp(value: float) -> float:
    """The exponential, infinite where Python raises."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def softmax(raw: list[float]) -> list[float]:
    """Probabilities of log-odds, moved by their greatest so that none overflows.

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    most = max(raw)
    if most == math.inf:
        ones = [1.0 if value == math.inf else 0.0 for value in raw]
        return [one / sum(ones) for one in ones]
    powers = [exp(value - most) for value in raw]
    total = sum(powers)
    return [power / total for power in powers]


def share(values: list[float]) -> list[float]:
    """Values over their sum; as they are where that is zero.

    >>> share([1.0, 3.0]), share([0.0, 0.0])
    ([0.25, 0.75], [0.0, 0.0])
    """
    total = sum(values)
    return [value / total for value in values] if total else values
