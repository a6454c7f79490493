"""Evaluation of a classifier of two classes as frames.

One pass counts the rows of each score, and the figures are made of the counts, in a task.

Lazy, and the same on Spark Connect: nothing is collected here. Needs pandas, pyarrow and numpy where the tasks run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml import metrics
from sparkkit.ml.figures import ALL, METRICS, sliced, table
from sparkkit.transforms.names import col, need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METRICS", "binary", "calibration", "cost_curve", "paired"]

DIGITS = 6
"""Scores are told apart to these digits, so that counts are bounded for any number of rows: at most two million."""

_MOST = 20_000


def binary(
    predictions: DataFrame,
    *,
    label: str,
    score: str = "score",
    positive: Any = 1,
    threshold: float = 0.5,
    costs: tuple[float, float] | None = None,
    slices: Sequence[str] = (),
    rounds: int = 1000,
    level: float = 0.95,
    seed: int,
) -> DataFrame:
    """The figures of a binary classifier (`metrics.BINARY`) with intervals by bootstrap, for all rows and for each value of `slices`.

    Args:
        label: the column that is equal to `positive` or is not; rows where it is null are left out.
        score: the probability of the positive class, 0 to 1.
        costs: what a false positive and a false negative cost: adds `cost`, the mean a row.
        rounds: resamples for the intervals, 0 for none; 1,000 take about a second a slice.

    Returns:
        a frame of the columns `METRICS`.

    Raises:
        UsageError: unknown columns, a level or threshold outside 0 to 1.
        In the task ValueError: a score is null, NaN, or outside 0 to 1.
    """
    if not (0 < level < 1 and 0 <= threshold <= 1):
        raise UsageError(f"evaluate.binary: level is {level}, threshold {threshold}", hint="both are shares of 1")
    counted = _counts(predictions, label, score, positive, slices)

    def figures(rows: pd.DataFrame) -> pd.DataFrame:
        return _figures(threshold, costs, rounds, level, seed, rows)

    return counted.groupBy("slice").applyInPandas(figures, METRICS)


def paired(
    predictions: DataFrame,
    *,
    label: str,
    ours: str,
    theirs: str,
    positive: Any = 1,
    threshold: float = 0.5,
    rounds: int = 1000,
    level: float = 0.95,
    digits: int = 4,
    seed: int,
) -> DataFrame:
    """How much better one score is than another on the same rows: figure of `ours` less that of `theirs`, with the paired interval.

    Each resample draws rows, with both their scores: what is easy or hard for both cancels out. Columns as in `binary`.
    Scores are told apart to `digits` here, for it is pairs of them that are counted: with 3 there are at most two million.
    """
    need(predictions, (label, ours, theirs), where="evaluate.paired")
    rounded = [F.round(col(name).cast("double"), digits).alias(f"_{i}") for i, name in enumerate((ours, theirs))]
    counted = predictions.where(col(label).isNotNull()).groupBy(*rounded, _yes(label, positive)).agg(F.count(F.lit(1)).alias("n"))
    named = counted.select(F.lit(ALL).alias("slice"), "*")

    def differences(rows: pd.DataFrame) -> pd.DataFrame:
        return _differences(threshold, rounds, level, seed, rows)

    return named.groupBy("slice").applyInPandas(differences, METRICS)


def calibration(predictions: DataFrame, *, label: str, score: str = "score", positive: Any = 1, bins: int = 10) -> DataFrame:
    """Bins of equal width of the score: `bin` (its lower end), `rows`, `mean_score`, `observed` (the share of positives)."""
    need(predictions, (label, score), where="evaluate.calibration")
    value = col(score).cast("double")
    place = F.least(F.floor(value * bins), F.lit(bins - 1)) / bins
    known = predictions.where(col(label).isNotNull())
    return (
        known.groupBy(place.alias("bin"))
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.avg(value).alias("mean_score"),
            F.avg((col(label) == F.lit(positive)).cast("double")).alias("observed"),
        )
        .orderBy("bin")
    )


def cost_curve(
    predictions: DataFrame,
    *,
    label: str,
    score: str = "score",
    positive: Any = 1,
    costs: tuple[float, float],
    steps: int = 100,
) -> DataFrame:
    """The mean cost a row at each threshold: `threshold`, `cost`, `false_positives`, `false_negatives`; take that of the lowest.

    `costs` are those of a false positive and a false negative. Choose a threshold on rows that the model was not fitted on, and that are
    not the test part either; with calibrated scores it is near false positive / (false positive + false negative) (Elkan 2001).
    """
    need(predictions, (label, score), where="evaluate.cost_curve")
    known = predictions.where(col(label).isNotNull())
    placed = known.groupBy(F.floor(col(score).cast("double") * steps).alias("_at"), _yes(label, positive)).agg(F.count(F.lit(1)).alias("n"))
    thresholds = F.explode(F.sequence(F.lit(0), F.lit(steps + 1)))
    each = placed.select("*", thresholds.alias("_step"))
    called = F.col("_at") >= F.col("_step")
    wrong = each.groupBy("_step").agg(
        F.sum(F.when(called & ~F.col("yes"), F.col("n")).otherwise(0)).alias("false_positives"),
        F.sum(F.when(~called & F.col("yes"), F.col("n")).otherwise(0)).alias("false_negatives"),
        F.sum("n").alias("_rows"),
    )
    cost = (costs[0] * F.col("false_positives") + costs[1] * F.col("false_negatives")) / F.col("_rows")
    return wrong.select((F.col("_step") / steps).alias("threshold"), cost.alias("cost"), "false_positives", "false_negatives").orderBy(
        "threshold"
    )


def _yes(label: str, positive: Any) -> Column:
    return (col(label) == F.lit(positive)).alias("yes")


def _counts(predictions: DataFrame, label: str, score: str, positive: Any, slices: Sequence[str]) -> DataFrame:
    need(predictions, (label, score), where="evaluate.binary")
    names = sliced(predictions, slices)
    rounded = F.round(col(score).cast("double"), DIGITS).alias("score")
    counted = (
        predictions.where(col(label).isNotNull())
        .groupBy(*[name.alias(f"_{i}") for i, name in enumerate(names)], rounded, _yes(label, positive))
        .agg(F.count(F.lit(1)).alias("n"))
    )
    each = counted.select(
        F.explode(F.array(F.lit(ALL), *(F.col(f"_{i}") for i in range(len(names))))).alias("slice"), "score", "yes", "n"
    )
    return each.groupBy("slice", "score", "yes").agg(F.sum("n").alias("n"))


def _figures(threshold: float, costs: Any, rounds: int, level: float, seed: int, rows: Any) -> Any:
    if not rows["score"].between(0, 1).all():
        raise ValueError("a score is null, NaN, or outside 0 to 1")
    score, (p, n) = _table(rows)
    figures = partial(metrics.binary, threshold=threshold, costs=costs)
    values = figures(score, p, n)
    if len(score) > _MOST:
        rows["score"] = rows["score"].round(4)
        score, (p, n) = _table(rows)
    ranges = metrics.intervals(partial(figures, score), (p, n), rounds=rounds, level=level, seed=seed) if rounds else {}
    return table(rows["slice"].iloc[0], int(rows["n"].sum()), values, ranges)


def _differences(threshold: float, rounds: int, level: float, seed: int, rows: Any) -> Any:
    import numpy as np

    wide = rows.pivot_table(index=["_0", "_1"], columns="yes", values="n", aggfunc="sum", fill_value=0).reindex(
        columns=[True, False], fill_value=0
    )
    sides = [np.unique(wide.index.get_level_values(i), return_inverse=True) for i in (0, 1)]

    def difference(p: Any, n: Any) -> dict[str, float]:
        one, other = (metrics.binary(value, np.bincount(at, p), np.bincount(at, n), threshold=threshold) for value, at in sides)
        return {name: one[name] - other[name] for name in one if name != "positive_rate"}

    counts = (wide[True].to_numpy(), wide[False].to_numpy())
    ranges = metrics.intervals(difference, counts, rounds=rounds, level=level, seed=seed)
    return table(rows["slice"].iloc[0], int(rows["n"].sum()), difference(*counts), ranges)


def _table(rows: Any) -> Any:
    wide = rows.pivot_table(index="score", columns="yes", values="n", aggfunc="sum", fill_value=0).reindex(
        columns=[True, False], fill_value=0
    )
    return wide.index.to_numpy(), (wide[True].to_numpy(), wide[False].to_numpy())
