"""What a card tells beside the figures: the curves for plots, and how much the model needs each feature. All of it is bounded."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.ml import curves, importance, metrics, multiclass
from sparkkit.ml.figures import LESS
from sparkkit.ml.scoring import BINARY, MULTICLASS, PREDICTION, REGRESSION, SCORE, scored
from sparkkit.training import BETTER, TARGET, Training

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

SHUFFLES = 3
"""How often each feature is shuffled."""

DIGITS = 6
"""Of what stands in the card."""


def insight(job: Training, model: PipelineModel, test: DataFrame, predicted: DataFrame, seed: int) -> dict[str, Any]:
    """Fields of the card, in two jobs over the test part at most.

    `better`, `less_is_better` and `costs` are the training's; `curves`, of two classes, has `curves.CURVES`, each a list of
    [x, y, threshold, rows]; `importance` has the figure, the rows and the shuffles it was measured with, and for each feature the value
    with its interval, the greatest first.
    """
    found: dict[str, Any] = {
        "better": job.better,
        "less_is_better": job.better in LESS,
        "costs": list(job.costs) if job.costs else None,
    }
    if job.task == BINARY:
        told = curves.points(predicted, label=TARGET, positive=1.0, threshold=job.cut, costs=job.costs)
        found["curves"] = _curves(told)
    return found | ({"importance": _importance(job, model, test, seed)} if job.importance else {})


def measured(job: Training) -> tuple[str, importance.Figure]:
    """The figure that importance is told in: the training's `better`, or its task's own where that can't be made of scores and labels."""
    if job.task == MULTICLASS:
        return "accuracy", importance.accuracy
    if job.task == REGRESSION:
        name = job.better if job.better in metrics.REGRESSION else BETTER[REGRESSION]
        return name, importance.regression(name)
    known = job.better in metrics.BINARY and (job.better != "cost" or job.costs is not None)
    name = job.better if known else BETTER[BINARY]
    return name, importance.binary(name, threshold=job.cut, costs=job.costs)


def _curves(told: DataFrame) -> dict[str, list[list[float | None]]]:
    made: dict[str, list[list[float | None]]] = {}
    for row in told.orderBy("curve", "place").collect():  # some six hundred points
        made.setdefault(row.curve, []).append([_short(row[name]) for name in ("x", "y", "threshold", "rows")])
    return made


def _importance(job: Training, model: PipelineModel, test: DataFrame, seed: int) -> dict[str, Any]:
    name, figure = measured(job)
    score = partial(_scored, job, model)
    made = importance.permutation(
        test, job.features, score, figure, label=TARGET, less=name in LESS, most=job.importance, shuffles=SHUFFLES, seed=seed
    )
    rows = made.collect()  # a row a feature
    ranked = sorted(rows, key=lambda row: (row.value is None, -(row.value or 0), row.feature))
    return {
        "figure": name,
        "rows": max(row.rows for row in rows),
        "shuffles": SHUFFLES,
        "features": [{key: _short(row[key]) if key != "feature" else row[key] for key in ("feature", "value", "low", "high")}
                     for row in ranked],
    }


def _scored(job: Training, model: PipelineModel, rows: DataFrame) -> DataFrame:
    """With the number that the figure is made of: of several classes the place of the one predicted."""
    made = scored(rows, model, job.task, threshold=job.cut, classes=job.classes)
    if job.task == MULTICLASS:
        return made.withColumn(SCORE, multiclass.place(PREDICTION, job.classes))
    return made.withColumn(SCORE, F.round(SCORE, DIGITS))


def _short(value: float | int | None) -> float | int | None:
    """A number for JSON, which has no NaN; rounded, so that a last digit of a float makes no other card."""
    if value is None or isinstance(value, int):
        return value
    return None if math.isnan(value) else round(value, DIGITS)
