"""Decay of a model's figures: reported where the interval of the loss leaves no doubt and the loss is large enough."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit.errors import UsageError
from sparkkit.monitoring.decay import decay
from sparkkit.monitoring.drift import VERDICTS

FIGURES = "slice string, metric string, value double, low double, high double, rows bigint"


def figures(spark: SparkSession, *rows: Any) -> Any:
    return spark.createDataFrame([(*row, 1000) for row in rows], FIGURES)


def test_losses_are_judged_by_their_interval_and_their_size(spark: SparkSession) -> None:
    before = figures(spark, ("all", "roc_auc", 0.90, 0.88, 0.92), ("all", "f1", 0.90, 0.88, 0.92), ("all", "recall", 0.900, 0.899, 0.901),
                     ("all", "precision", 0.9, 0.88, 0.92), ("all", "brier", 0.10, 0.09, 0.11), ("all", "cost", 2.0, 1.9, 2.1),
                     ("all", "positive_rate", 0.2, 0.19, 0.21), ("c=x", "f1", 0.9, 0.8, 0.95))
    now = figures(spark, ("all", "roc_auc", 0.80, 0.77, 0.83), ("all", "f1", 0.86, 0.80, 0.92), ("all", "recall", 0.895, 0.894, 0.896),
                  ("all", "precision", 0.95, 0.94, 0.96), ("all", "brier", 0.13, 0.12, 0.14), ("all", "cost", 3.0, 2.8, 3.2),
                  ("all", "positive_rate", 0.9, 0.89, 0.91))
    found = {(r.feature, r.measure): r for r in decay(before, now).collect()}
    assert {key: row.severity for key, row in found.items()} == {
        ("all", "roc_auc"): "alarm", ("all", "f1"): "none", ("all", "recall"): "none", ("all", "precision"): "none",
        ("all", "brier"): "warning", ("all", "cost"): "alarm", ("c=x", "f1"): "none"}
    auc, cost = found["all", "roc_auc"], found["all", "cost"]
    assert (auc.value, auc.statistic) == pytest.approx((0.10, 0.10 - (0.02**2 + 0.03**2) ** 0.5))
    assert cost.value == pytest.approx(0.5)
    assert auc.detail == "0.9000 (0.8800 to 0.9200) at training, and 0.8000 (0.7700 to 0.8300) now"
    assert (found["c=x", "f1"].value, found["c=x", "f1"].current_rows) == (None, 0)


def test_its_rows_are_those_of_drift(spark: SparkSession) -> None:
    one = figures(spark, ("all", "f1", 0.9, 0.8, 1.0))
    assert decay(one, one).schema.simpleString() == spark.createDataFrame([], VERDICTS).schema.simpleString()


def test_limits_are_those_that_are_given(spark: SparkSession) -> None:
    before, now = figures(spark, ("all", "f1", 0.9, 0.9, 0.9)), figures(spark, ("all", "f1", 0.88, 0.88, 0.88))
    assert [r.severity for r in decay(before, now, limits={"f1": (0.001, 0.015)}).collect()] == ["alarm"]


def test_other_frames_and_limits_are_refused(spark: SparkSession) -> None:
    one = figures(spark, ("all", "f1", 0.9, 0.8, 1.0))
    with pytest.raises(UsageError, match="the current figures have no high, low"):
        decay(one, one.drop("low", "high"))
    with pytest.raises(UsageError, match="not two losses"):
        decay(one, one, limits={"f1": (0.2, 0.1)})
