"""Scores out of a fitted model of spark.ml: of a classifier of two classes, of several, and of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import cols

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

BINARY, MULTICLASS, REGRESSION = TASKS = ("binary", "multiclass", "regression")
"""What a model predicts: one of two classes, one of several, or a number."""

SCORE, PREDICTION = "score", "prediction"
"""The columns that every scoring adds."""


def scored(rows: DataFrame, model: PipelineModel, task: str, *, threshold: float | None = None, classes: Sequence[Any] = ()) -> DataFrame:
    """Rows with `score` and `prediction`, but not the columns that the model's stages add:

    of two classes the probability of class 1, and 1.0 where it is at least the threshold, else 0.0; of several the probability of the
    class predicted, and that class; of a regression the number predicted, twice.

    Raises:
        UsageError: there is no such task; the model gives no probability (`no_probability`) or no prediction (`no_prediction`).
    """
    if task not in TASKS:
        raise UsageError(f"a model's task is {task!r}", reason="wrong_model", hint=f"there are {', '.join(TASKS)}")
    made = model.transform(rows)
    if task == REGRESSION:
        _need(made, PREDICTION, "a regression of spark.ml, such as LinearRegression")
        number = F.col(PREDICTION).cast("double")
        return made.select(*cols(rows.columns), number.alias(SCORE), number.alias(PREDICTION))
    _need(made, "probability", "a classifier of spark.ml that has one, such as LogisticRegression")
    from pyspark.ml.functions import vector_to_array

    probability = vector_to_array(F.col("probability"))
    if task == BINARY:
        found = made.select(*cols(rows.columns), probability[1].alias(SCORE))
        return found.withColumn(PREDICTION, (F.col(SCORE) >= F.lit(threshold)).cast("double"))
    at = F.col(PREDICTION).cast("int")
    return made.select(*cols(rows.columns), F.get(probability, at).alias(SCORE), named(at, classes).alias(PREDICTION))


def named(at: Column, classes: Sequence[Any]) -> Column:
    """The class at a place, from 0; null beyond."""
    return F.get(F.array(*(F.lit(c) for c in classes)), at)


def _need(made: DataFrame, column: str, hint: str) -> None:
    if column not in made.columns:
        raise UsageError(f"the model gives no {column}", reason=f"no_{column}", hint=f"end the pipeline with {hint}")
