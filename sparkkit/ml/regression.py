"""Evaluation of a regression as frames: errors are summed in a thousand groups in one pass, and the figures are made of the groups.

Lazy, and the same on Spark Connect: nothing is collected here. Needs pandas, pyarrow and numpy where the tasks run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkkit.ml import metrics
from sparkkit.ml.figures import ALL, METRICS, sliced, table
from sparkkit.transforms.names import col, need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GROUPS", "evaluate", "paired"]

GROUPS = 1000
"""Random groups of rows that are drawn as wholes for the intervals; of fewer rows each is a group of its own, but for a few."""


def evaluate(
    predictions: DataFrame,
    *,
    label: str,
    prediction: str = "prediction",
    slices: Sequence[str] = (),
    rounds: int = 1000,
    level: float = 0.95,
    seed: int,
) -> DataFrame:
    """The figures of a regression with intervals by bootstrap, for all rows and for each value of `slices`.

    They are `rmse`, `mae` and `mean_error` (of the prediction less the label), in the label's unit, and `r2`, the share of the label's
    variance that is explained, which is below 0 where the label's mean would do better.

    Args:
        label: the column of the true number; rows where it is null are left out.
        prediction: that of the number predicted; a null or NaN is a mistake in the task (ValueError).
        rounds: resamples for the intervals, 0 for none. What is drawn is a thousand groups by hash, so that the price is that of a
            thousand rows, for any number of them (random groups: Wolter, Introduction to Variance Estimation, 2007, chapter 2).

    Returns:
        a frame of the columns `METRICS`.

    Raises:
        UsageError: unknown columns.
    """
    need(predictions, (label, prediction), where="regression.evaluate")
    known = predictions.where(col(label).isNotNull())
    names = [name.alias(f"_s{i}") for i, name in enumerate(sliced(known, slices))]
    placed = _grouped(known, (label, prediction), slices, seed).select(*_numbers(label, prediction), "_group", *names)
    inside = F.explode(F.array(F.lit(ALL), *(F.col(f"_s{i}") for i in range(len(names))))).alias("slice")
    sums = placed.select("y", "e0", "_group", inside).groupBy("slice", "_group").agg(*_sums(1))

    def figures(rows: pd.DataFrame) -> pd.DataFrame:
        return _told(rounds, level, seed, rows)

    return sums.groupBy("slice").applyInPandas(figures, METRICS)


def paired(
    predictions: DataFrame, *, label: str, ours: str, theirs: str, rounds: int = 1000, level: float = 0.95, seed: int
) -> DataFrame:
    """How much better one regression is than another on the same rows: its figure less that of `theirs`, with the paired interval.

    The figures are those of `evaluate`; of `mean_error` the sizes are compared.
    """
    need(predictions, tuple(dict.fromkeys((label, ours, theirs))), where="regression.paired")
    known = predictions.where(col(label).isNotNull())
    placed = _grouped(known, (label, ours, theirs), (), seed).select(*_numbers(label, ours, theirs), "_group", F.lit(ALL).alias("slice"))
    sums = placed.groupBy("slice", "_group").agg(*_sums(2))

    def differences(rows: pd.DataFrame) -> pd.DataFrame:
        return _told(rounds, level, seed, rows, against=True)

    return sums.groupBy("slice").applyInPandas(differences, METRICS)


def _grouped(rows: DataFrame, names: Sequence[str], slices: Sequence[str], seed: int) -> DataFrame:
    """With `_group`: by hash of the numbers, and of the place among equal ones, so that neither partitions nor repeats matter."""
    numbers = [col(n).cast("double") for n in names]
    among = F.row_number().over(Window.partitionBy(*numbers).orderBy(*([col(n) for n in slices] or [F.lit(0)])))
    return rows.withColumn("_group", F.pmod(F.xxhash64(F.lit(seed), *numbers, among), F.lit(GROUPS)))


def _numbers(label: str, *predictions: str) -> list[Column]:
    y = col(label).cast("double")
    return [y.alias("y"), *((col(p).cast("double") - y).alias(f"e{i}") for i, p in enumerate(predictions))]


def _sums(predictions: int) -> list[Column]:
    """Rows, mean and variance of the label, and the sums of the errors, which lose no digits where the label is far from zero."""
    label = [F.count(F.lit(1)).alias("n"), F.avg("y").alias("mean"), F.var_pop("y").alias("var")]
    each = []
    for e in (f"e{i}" for i in range(predictions)):
        error = F.col(e)
        each += [F.sum(error).alias(f"{e}_sum"), F.sum(F.abs(error)).alias(f"{e}_abs"), F.sum(error * error).alias(f"{e}_square"),
                 F.count(F.when(error.isNull() | F.isnan(error), 1)).alias(f"{e}_bad")]
    return [*label, *each]


def _told(rounds: int, level: float, seed: int, rows: Any, against: bool = False) -> Any:
    import numpy as np

    if any(rows[c].any() for c in rows.columns if c.endswith("_bad")):
        raise ValueError("a prediction is null or NaN")
    rows = rows.sort_values("_group")
    n, mean, var = (rows[c].to_numpy(float) for c in ("n", "mean", "var"))
    centred = mean - np.average(mean, weights=n)
    sides = [[rows[f"e{i}_{what}"].to_numpy(float) for what in ("sum", "abs", "square")] for i in range(1 + against)]

    def figures(drawn: Any) -> dict[str, float]:
        found = [metrics.regression(drawn, n, centred, var, *side) for side in sides]
        if not against:
            return found[0]
        one, other = ({**f, "mean_error": abs(f["mean_error"])} for f in found)
        return {name: one[name] - other[name] for name in one}

    ones = np.ones(len(rows))
    ranges: Mapping[str, tuple[float, float]] = {}
    if rounds:
        ranges = metrics.intervals(figures, (ones,), rounds=rounds, level=level, seed=seed)
    return table(rows["slice"].iloc[0], int(n.sum()), figures(ones), ranges)
