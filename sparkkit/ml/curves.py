"""Curves of a binary classifier for plots: a bounded table of points, made of the counts of each score, in one pass.

Lazy, and the same whatever the order or the partitions of the rows. Needs pandas, pyarrow and numpy where the tasks run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml.evaluate import DIGITS
from sparkkit.transforms.names import col, need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CURVES", "POINTS", "curves", "points"]

POINTS = "curve string, place int, x double, y double, threshold double, rows long"
"""The columns of `points`; see there."""

CURVES = ("roc", "precision_recall", "calibration", "cost", "confusion", "histogram")
"""The curves, in the order in which they are told."""

BINS = 10
"""Of the calibration, as in the calibration error."""

BARS = 20
"""Of the histogram."""

STEPS = 100
"""Of the cost curve."""

Point = tuple[float, float, float | None, int | None]


def points(
    predictions: DataFrame,
    *,
    label: str,
    score: str = "score",
    positive: Any = 1,
    threshold: float = 0.5,
    costs: tuple[float, float] | None = None,
    most: int = 200,
) -> DataFrame:
    """The curves of scores against labels, as points of the columns `POINTS`, each curve's by `place`.

    - `roc`: `x` the false positive rate, `y` the recall, of what scores at least `threshold`; from (0, 0) to (1, 1).
    - `precision_recall`: `x` the recall, `y` the precision.
    - `calibration`: `x` the mean score of the bin from `threshold` on, `y` the share of positives, over `rows`.
    - `cost` (with `costs`): `x` the threshold, `y` the mean cost a row.
    - `confusion`: `x` 1 where the label is positive, `y` 1 where that was called, in `rows`, at the threshold.
    - `histogram`: `x` the lower end of a bin of scores, `y` 1 for positives and 0 for the others, `rows`.

    Args:
        label: the column that is equal to `positive` or is not; rows where it is null are left out.
        score: the probability of the positive class, 0 to 1; told apart to six digits.
        threshold: the score from which a row is called positive.
        costs: what a false positive and a false negative cost.
        most: points of `roc` and of `precision_recall`, evenly along the curve.

    Raises:
        UsageError: unknown columns, a threshold outside 0 to 1, fewer than 2 points.
        In the task ValueError: a score is null, NaN, or outside 0 to 1.

    >>> rows = spark.createDataFrame([(1, 0.9), (0, 0.6), (0, 0.2)], "y int, score double")
    >>> told = points(rows, label="y").where("curve = 'confusion'").orderBy("place")
    >>> [(r.x, r.y, r.rows) for r in told.collect()]
    [(1.0, 1.0, 1), (1.0, 0.0, 0), (0.0, 1.0, 1), (0.0, 0.0, 1)]
    """
    if not 0 <= threshold <= 1 or most < 2:
        raise UsageError(f"curves.points: threshold is {threshold}, most {most}", hint="give a share of 1, and 2 points or more")
    need(predictions, (label, score), where="curves.points")
    yes = (col(label) == F.lit(positive)).cast("long")
    rounded = F.round(col(score).cast("double"), DIGITS).alias("score")
    counted = (
        predictions.where(col(label).isNotNull()).groupBy(rounded).agg(F.sum(yes).alias("positives"), F.sum(1 - yes).alias("negatives"))
    )
    make = partial(_points, threshold, costs, most)

    def made(rows: pd.DataFrame) -> pd.DataFrame:
        return make(rows)

    return counted.select(F.lit("all").alias("slice"), "*").groupBy("slice").applyInPandas(made, POINTS)


def curves(
    score: Any, positives: Any, negatives: Any, *, threshold: float = 0.5, costs: tuple[float, float] | None = None, most: int = 200
) -> Iterator[tuple[str, list[Point]]]:
    """The curves of counts by score, in NumPy: (name, points of (x, y, threshold, rows)), as `points` has them.

    Args:
        score: ascending, without repeats, shape (n,).
        positives: rows of each score whose label is positive, shape (n,).
        negatives: the others.

    Rates of a class of which there is no row are no curve, and are left out.

    >>> import numpy as np
    >>> dict(curves(np.array([0.2, 0.8]), np.array([0, 1]), np.array([1, 0])))["roc"]
    [(0.0, 0.0, None, None), (0.0, 1.0, 0.8, None), (1.0, 1.0, 0.2, None)]
    """
    import numpy as np

    s, p, n = (np.asarray(values, float) for values in (score, positives, negatives))
    tp, fp = np.cumsum(p[::-1]), np.cumsum(n[::-1])
    if p.sum() and n.sum():
        x, y = np.append(0, fp / n.sum()), np.append(0, tp / p.sum())
        yield "roc", _thin(x, y, [None, *s[::-1].tolist()], most)
    if p.sum():
        yield "precision_recall", _thin(tp / p.sum(), tp / (tp + fp), s[::-1].tolist(), most)
    yield "calibration", list(_calibration(s, p, n))
    if costs:
        yield "cost", list(_cost(s, p, n, costs))
    called = s >= threshold
    yield "confusion", [
        (actual, said, None, int(side[called if said else ~called].sum())) for actual, side in ((1.0, p), (0.0, n)) for said in (1.0, 0.0)
    ]
    yield "histogram", list(_histogram(s, p, n))


def _points(threshold: float, costs: tuple[float, float] | None, most: int, rows: Any) -> Any:
    import pandas as pd

    if not rows["score"].between(0, 1).all():
        raise ValueError("a score is null, NaN, or outside 0 to 1")
    ordered = rows.sort_values("score")
    arrays = (ordered[name].to_numpy() for name in ("score", "positives", "negatives"))
    told = curves(*arrays, threshold=threshold, costs=costs, most=most)
    made = [(name, place, *point) for name, found in told for place, point in enumerate(found)]
    frame = pd.DataFrame(made, columns=["curve", "place", "x", "y", "threshold", "rows"])
    return frame.astype({"threshold": "float64", "rows": "Int64"})


def _thin(x: Any, y: Any, thresholds: list[float | None], most: int) -> list[Point]:
    """At most so many points, at even steps along the curve, with both ends."""
    import numpy as np

    along = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    kept = range(len(x)) if len(x) <= most else np.unique(np.searchsorted(along, np.linspace(0, along[-1], most)))
    return [(float(x[i]), float(y[i]), thresholds[i], None) for i in kept]


def _calibration(s: Any, p: Any, n: Any) -> Iterator[Point]:
    import numpy as np

    bins = np.minimum((s * BINS).astype(int), BINS - 1)
    rows, sums, yes = (np.bincount(bins, weights, BINS) for weights in (p + n, (p + n) * s, p))
    for i in np.flatnonzero(rows):
        yield float(sums[i] / rows[i]), float(yes[i] / rows[i]), float(i / BINS), int(rows[i])


def _cost(s: Any, p: Any, n: Any, costs: tuple[float, float]) -> Iterator[Point]:
    import numpy as np

    missed, spared = np.append(0, np.cumsum(p)), np.append(0, np.cumsum(n))
    for step in range(STEPS + 1):
        below = np.searchsorted(s, step / STEPS)
        yield step / STEPS, float((costs[0] * (n.sum() - spared[below]) + costs[1] * missed[below]) / (p + n).sum()), None, None


def _histogram(s: Any, p: Any, n: Any) -> Iterator[Point]:
    import numpy as np

    bins = np.minimum((s * BARS).astype(int), BARS - 1)
    for side, weights in ((1.0, p), (0.0, n)):
        for i, rows in enumerate(np.bincount(bins, weights, BARS)):
            yield i / BARS, side, None, int(rows)
