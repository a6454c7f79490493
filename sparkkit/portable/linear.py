"""Linear models: logistic regression, linear SVC, naive Bayes, linear and generalized linear regression."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any

from sparkkit.portable.predictions import argmax, chosen, columns, exp, put, sigmoid, softmax, thresholds
from sparkkit.portable.stage import Kind, Params, Row, Step, bad, packed, plain, refused, unpacked
from sparkkit.portable.vectors import Vector, dot, pairs, size


def weights(params: Params) -> list[array[float]]:
    """The coefficients of each class (one row for two classes)."""
    return [array("d", unpacked(row)) for row in params["coefficients"]]


def features(row: Row, params: Params, width: int) -> Vector:
    """The vector that a predictor reads.

    Raises:
        NotScorableError: it is null, or not as long as the coefficients.
    """
    found: Vector | None = row[params["features"]]
    if found is None or size(found) != width:
        what = "is null" if found is None else f"has {size(found)} places"
        raise bad(params["features"], f"{what}, and the model was fitted on {width}")
    return found


def _rows(matrix: Any) -> list[Any]:
    return [packed(row) for row in matrix.toArray()]


def _export_logistic(stage: Any) -> dict[str, Any]:
    two = stage.coefficientMatrix.numRows == 1
    return columns(stage) | {
        "coefficients": _rows(stage.coefficientMatrix), "intercepts": stage.interceptVector.toArray().tolist(),
        **({"threshold": stage.getThreshold()} if two else thresholds(stage)),
    }


def _logistic(params: Params) -> Step:
    return _logistic_two(params) if "threshold" in params else _logistic_many(params)


def _logistic_two(params: Params) -> Step:
    (rows,), (intercept,), limit = weights(params), params["intercepts"], params["threshold"]
    cut = -math.inf if limit == 0 else math.inf if limit == 1 else math.log(limit / (1.0 - limit))

    def step(row: Row) -> None:
        margin = dot(features(row, params, len(rows)), rows) + intercept
        low = sigmoid(-margin)
        put(row, params, 1.0 if margin > cut else 0.0, [low, 1.0 - low], [-margin, margin])

    return step


def _logistic_many(params: Params) -> Step:
    rows, intercepts, limits = weights(params), params["intercepts"], params["thresholds"]

    def step(row: Row) -> None:
        vector = features(row, params, len(rows[0]))
        raw = [dot(vector, one) + b for one, b in zip(rows, intercepts, strict=True)]
        probability = softmax(raw)
        put(row, params, argmax(raw) if limits is None else chosen(probability, limits), probability, raw)

    return step


def _export_svc(stage: Any) -> dict[str, Any]:
    return columns(stage) | {"coefficients": [packed(stage.coefficients.toArray())], "intercepts": [stage.intercept],
                             "cut": plain(stage.getThreshold())}


def _svc(params: Params) -> Step:
    (rows,), (intercept,), cut = weights(params), params["intercepts"], float(params["cut"])

    def step(row: Row) -> None:
        margin = dot(features(row, params, len(rows)), rows) + intercept
        put(row, params, 1.0 if margin > cut else 0.0, None, [-margin, margin])

    return step


def _export_bayes(stage: Any) -> dict[str, Any]:
    if stage.getModelType() != "multinomial":
        raise refused(stage, f"modelType={stage.getModelType()!r}", "use multinomial, or serve it with --spark")
    return columns(stage) | thresholds(stage) | {"coefficients": _rows(stage.theta), "intercepts": stage.pi.toArray().tolist()}


def _bayes(params: Params) -> Step:
    many = _logistic_many(params)

    def step(row: Row) -> None:
        vector = row[params["features"]]
        if vector is not None and not all(value >= 0 for _, value in pairs(vector)):
            raise bad(params["features"], "has a value below zero, which naive Bayes can't take")
        many(row)

    return step


def _export_regression(stage: Any) -> dict[str, Any]:
    return columns(stage) | {"coefficients": [packed(stage.coefficients.toArray())], "intercepts": [stage.intercept], "link": "identity"}


_FAMILIES = {"gaussian": "identity", "binomial": "logit", "poisson": "log", "gamma": "inverse"}
"""The families that are exported, and the link of each where none was set."""


def _export_generalized(stage: Any) -> dict[str, Any]:
    family = stage.getFamily().lower()
    if family not in _FAMILIES:
        raise refused(stage, f"family={family!r}")
    if stage.isSet("offsetCol") and stage.getOffsetCol():
        raise refused(stage, "offsetCol")
    link = stage.getLink().lower() if stage.isDefined("link") else _FAMILIES[family]
    linked = {"linkPrediction": stage.getLinkPredictionCol()} if stage.isSet("linkPredictionCol") else {}
    return _export_regression(stage) | {"link": link, "family": family} | linked


_MEANS: dict[str, Callable[[float], float]] = {
    "identity": float, "log": exp, "logit": sigmoid, "inverse": lambda eta: 1.0 / eta if eta else math.inf, "sqrt": lambda eta: eta * eta,
    "probit": lambda eta: 0.5 * math.erfc(-eta / math.sqrt(2)), "cloglog": lambda eta: 1.0 - exp(-exp(eta)),
}
"""From the linear predictor to the mean, by link."""

_LEAST, _MOST = 1e-16, 1.7976931348623157e308
"""What Spark holds a fitted mean within: above zero by this, and finite."""


def _within(family: str | None) -> Callable[[float], float]:
    if family is None:
        return float
    if family == "binomial":
        return lambda mean: min(max(mean, _LEAST), 1.0 - _LEAST)
    return lambda mean: min(max(mean, -_MOST if family == "gaussian" else _LEAST), _MOST)


def _regression(params: Params) -> Step:
    (rows,), (intercept,), mean, within = weights(params), params["intercepts"], _MEANS[params["link"]], _within(params.get("family"))

    def step(row: Row) -> None:
        eta = dot(features(row, params, len(rows)), rows) + intercept
        put(row, params, within(mean(eta)))
        if "linkPrediction" in params:
            row[params["linkPrediction"]] = eta

    return step


KINDS = {
    "LogisticRegressionModel": Kind(_export_logistic, _logistic),
    "LinearSVCModel": Kind(_export_svc, _svc),
    "NaiveBayesModel": Kind(_export_bayes, _bayes),
    "LinearRegressionModel": Kind(_export_regression, _regression),
    "GeneralizedLinearRegressionModel": Kind(_export_generalized, _regression),
}
"""The stages of this module by the name of their class."""
