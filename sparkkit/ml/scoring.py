"""Scores out of a fitted classifier of spark.ml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import cols

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

SCORE, PREDICTION = "score", "prediction"
"""The probability of class 1, and what was called: 1.0 or 0.0."""


def scored(rows: DataFrame, model: PipelineModel, threshold: float) -> DataFrame:
    """Rows with the probability of class 1 as `score`, and `prediction` 1.0 where it is at least the threshold; not the columns that the
    model's stages add.

    Raises:
        UsageError: the model gives no probability (`no_probability`).
    """
    from pyspark.ml.functions import vector_to_array

    made = model.transform(rows)
    if "probability" not in made.columns:
        raise UsageError("the model gives no probability", reason="no_probability",
                         hint="end the pipeline with a classifier of spark.ml that has one, such as LogisticRegression")
    score = vector_to_array(F.col("probability"))[1]
    return made.select(*cols(rows.columns), score.alias(SCORE)).withColumn(PREDICTION, (F.col(SCORE) >= threshold).cast("double"))
