"""Evaluation of a classifier of several classes as frames: rows are counted by class, class predicted and confidence, in one pass.

Lazy, and the same on Spark Connect: nothing is collected here. Needs pandas, pyarrow and numpy where the tasks run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.ml import metrics
from sparkkit.ml.figures import ALL, METRICS, sliced, table
from sparkkit.transforms.names import col, need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evaluate", "paired", "place"]

BINS = 10
"""Equal bins of the confidence, for the calibration error."""


def evaluate(
    predictions: DataFrame,
    *,
    label: str,
    prediction: str = "prediction",
    score: str = "score",
    classes: Sequence[Any],
    slices: Sequence[str] = (),
    rounds: int = 1000,
    level: float = 0.95,
    seed: int,
) -> DataFrame:
    """The figures of a classifier of several classes with intervals by bootstrap, for all rows and for each value of `slices`.

    They are `accuracy`, `balanced_accuracy` (the mean of the classes' recalls), `macro_precision`, `macro_f1` (means over the classes that
    are there or were predicted; a class that was never predicted has precision 0), `kappa` (Cohen 1960) and `calibration_error` (expected,
    of the class predicted, over ten equal bins: Guo et al. 2017). A slice `LABEL=CLASS` tells each class's `precision`, `recall` and `f1`.

    Args:
        label: the column of the true class; rows where it is null are left out.
        prediction: that of the class predicted.
        score: the probability of the class predicted, 0 to 1.
        classes: every class; a label or prediction that is none is a mistake in the task (ValueError).
        rounds: resamples for the intervals, 0 for none.

    Returns:
        a frame of the columns `METRICS`.

    Raises:
        UsageError: unknown columns.
    """
    need(predictions, (label, prediction, score), where="multiclass.evaluate")
    names = [name.alias(f"_{i}") for i, name in enumerate(sliced(predictions, slices))]
    confidence = col(score).cast("double")
    within = F.least(F.floor(confidence * BINS), F.lit(BINS - 1)).cast("int").alias("bin")
    keys = [place(label, classes).alias("t"), place(prediction, classes).alias("p"), within]
    counted = predictions.where(col(label).isNotNull()).groupBy(*names, *keys).agg(_count(), F.sum(confidence).alias("sum"))
    inside = F.explode(F.array(F.lit(ALL), *(F.col(f"_{i}") for i in range(len(names))))).alias("slice")
    each = counted.select(inside, "t", "p", "bin", "n", "sum").groupBy("slice", "t", "p", "bin").agg(F.sum("n").alias("n"), _sum("sum"))

    def figures(rows: pd.DataFrame) -> pd.DataFrame:
        return _told(label, tuple(str(c) for c in classes), rounds, level, seed, rows)

    return each.groupBy("slice").applyInPandas(figures, METRICS)


def paired(
    predictions: DataFrame,
    *,
    label: str,
    ours: tuple[str, str],
    theirs: tuple[str, str],
    classes: Sequence[Any],
    rounds: int = 1000,
    level: float = 0.95,
    seed: int,
) -> DataFrame:
    """How much better one classifier is than another on the same rows: its figure less that of `theirs`, with the paired interval.

    `ours` and `theirs` are columns of the class predicted and of its probability, of which 1,000 steps are told apart.
    """
    need(predictions, tuple(dict.fromkeys((label, *ours, *theirs))), where="multiclass.paired")
    sides = [c for i, (p, s) in enumerate((ours, theirs)) for c in (place(p, classes).alias(f"p{i}"), F.round(s, 3).alias(f"s{i}"))]
    counted = predictions.where(col(label).isNotNull()).groupBy(place(label, classes).alias("t"), *sides).agg(_count())
    named = counted.select(F.lit(ALL).alias("slice"), "*")

    def differences(rows: pd.DataFrame) -> pd.DataFrame:
        def difference(n: Any) -> dict[str, float]:
            one, other = (metrics.multiclass(*_arrays(rows, f"p{i}", rows[f"s{i}"]), n, len(classes)) for i in (0, 1))
            return {name: one[name] - other[name] for name in one}

        n = rows["n"].to_numpy()
        ranges = metrics.intervals(difference, (n,), rounds=rounds, level=level, seed=seed)
        return table(ALL, int(n.sum()), difference(n), ranges)

    return named.groupBy("slice").applyInPandas(differences, METRICS)


def place(name: str, classes: Sequence[Any]) -> Column:
    """The place of a column's value among the classes, from 0; null where it is none of them."""
    found = F.lit(None).cast("int")
    for i, value in reversed(list(enumerate(classes))):
        found = F.when(col(name) == F.lit(value), i).otherwise(found)
    return found


def _count() -> Column:
    return F.count(F.lit(1)).alias("n")


def _sum(name: str) -> Column:
    return F.sum(name).alias(name)


def _arrays(rows: Any, predicted: str, confidence: Any) -> tuple[Any, Any, Any]:
    if rows[["t", predicted]].isna().any().any() or not confidence.between(0, 1).all():
        raise ValueError("a label or prediction is no class, or a score is null, NaN, or outside 0 to 1")
    return rows["t"].to_numpy(int), rows[predicted].to_numpy(int), confidence.to_numpy(float)


def _told(label: str, classes: tuple[str, ...], rounds: int, level: float, seed: int, rows: Any) -> Any:
    import pandas as pd

    t, p, confidence = _arrays(rows, "p", rows["sum"] / rows["n"])
    n, name = rows["n"].to_numpy(), rows["slice"].iloc[0]

    def frame(where: str, figures: Any, count: int) -> Any:
        ranges: Mapping[str, tuple[float, float]] = {}
        if rounds:
            ranges = metrics.intervals(figures, (n,), rounds=rounds, level=level, seed=seed)
        return table(where, count, figures(n), ranges)

    made = [frame(name, lambda n: metrics.multiclass(t, p, confidence, n, len(classes)), int(n.sum()))]
    if name == ALL:
        made += [frame(f"{label}={c}", partial(metrics.of_class, t, p, i), int(n[t == i].sum())) for i, c in enumerate(classes)]
    return pd.concat(made)
