"""Figures out of counts, in NumPy: the exact ones, and their intervals by bootstrap.

Those of a classifier of two classes are over three arrays of one length: `score` (the probability of the positive class, in ascending
order, no value twice), `positives` and `negatives` (how many rows have that score). A million rows come as the some thousand scores that
they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["BINARY", "BY_TASK", "MULTICLASS", "REGRESSION", "binary", "intervals", "multiclass", "of_class", "regression"]

BINARY = (
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "calibration_error",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "positive_rate",
    "cost",
)
"""The figures, in the order in which they are told; `cost` where the costs are given."""

MULTICLASS = ("accuracy", "balanced_accuracy", "macro_precision", "macro_f1", "kappa", "calibration_error")
"""Those of a classifier of several classes."""

REGRESSION = ("rmse", "mae", "r2", "mean_error")
"""Those of a regression."""

BY_TASK = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}
"""The figures of each task."""


def binary(
    score: Any,
    positives: Any,
    negatives: Any,
    *,
    threshold: float = 0.5,
    costs: tuple[float, float] | None = None,
) -> dict[str, float]:
    """The figures of `BINARY`; NaN where one is not defined (no positives, or no negatives).

    Args:
        score: ascending, without repeats, shape (n,).
        positives: rows of each score whose label is positive, shape (n,).
        negatives: the others.
        threshold: the score from which a row is called positive.
        costs: what a false positive and a false negative cost; `cost` is then the mean a row.

    The area under the ROC curve counts ties half (Mann and Whitney 1947; Fawcett, An introduction to ROC analysis, 2006). Average
    precision is the sum of precision over the steps of recall, without interpolation. Brier 1950. The calibration error is the expected
    one over ten equal bins (Guo et al., On calibration of modern neural networks, 2017).

    >>> import numpy as np
    >>> found = binary(np.array([0.2, 0.4, 0.9]), np.array([0, 1, 2]), np.array([3, 1, 0]))
    >>> round(found["roc_auc"], 4), round(found["accuracy"], 4), round(found["average_precision"], 4)
    (0.9583, 0.8571, 0.9167)
    """
    import numpy as np

    p, n = np.asarray(positives, float), np.asarray(negatives, float)
    all_p, all_n = p.sum(), n.sum()
    total = all_p + all_n
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _ranking(p, n, all_p, all_n) | _probabilities(np.asarray(score, float), p, n, total)
        called = np.asarray(score) >= threshold
        tp, fp = p[called].sum(), n[called].sum()
        fn, tn = all_p - tp, all_n - fp
        found |= {
            "accuracy": (tp + tn) / total,
            "precision": tp / (tp + fp),
            "recall": tp / all_p,
            "f1": 2 * tp / (2 * tp + fp + fn),
            "positive_rate": all_p / total,
        }
        if costs:
            found["cost"] = (costs[0] * fp + costs[1] * fn) / total
    return {name: float(value) for name, value in found.items()}


def intervals(
    figures: Callable[..., Mapping[str, float]],
    counts: tuple[Any, ...],
    *,
    rounds: int,
    level: float,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """The percentile interval of each figure over resamples of the rows (Efron 1979), by drawing their counts anew.

    Args:
        figures: a function of arrays of counts, `binary` with its scores, threshold and costs set.
        counts: arrays of one shape each; together they are the rows.
        rounds: how many resamples; `level` of their values lie within the interval.

    Drawing n rows with replacement is one multinomial draw over the counts: its price is that of the distinct scores, not of the rows.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    flat = np.concatenate([np.asarray(c, float).ravel() for c in counts])
    rows = int(flat.sum())
    if not rows:
        return {}
    cuts = np.cumsum([np.asarray(c).size for c in counts])[:-1]
    share = flat / rows
    drawn: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, value in figures(*np.split(generator.multinomial(rows, share), cuts)).items():
            drawn.setdefault(name, []).append(value)
    tail = 100 * (1 - level) / 2
    return {
        name: tuple(np.nanpercentile(values, [tail, 100 - tail])) if np.isfinite(values).any() else (float("nan"),) * 2
        for name, values in drawn.items()
    }


def _ranking(p: Any, n: Any, all_p: float, all_n: float) -> dict[str, Any]:
    import numpy as np

    below = np.cumsum(n) - n
    above_p, above_n = np.cumsum(p[::-1]), np.cumsum(n[::-1])
    steps = p[::-1] * np.divide(above_p, above_p + above_n, out=np.zeros_like(above_p), where=above_p + above_n > 0)
    return {"roc_auc": (p * (below + n / 2)).sum() / (all_p * all_n), "average_precision": steps.sum() / all_p}


def _probabilities(score: Any, p: Any, n: Any, total: float) -> dict[str, Any]:
    import numpy as np

    least = np.finfo(float).eps
    inside = np.clip(score, least, 1 - least)
    bins = np.minimum((score * 10).astype(int), 9)
    gap = np.bincount(bins, weights=(p + n) * score, minlength=10) - np.bincount(bins, weights=p, minlength=10)
    return {
        "log_loss": -(p * np.log(inside) + n * np.log1p(-inside)).sum() / total,
        "brier": (p * (1 - score) ** 2 + n * score**2).sum() / total,
        "calibration_error": np.abs(gap).sum() / total,
    }


def multiclass(truth: Any, predicted: Any, confidence: Any, n: Any, classes: int) -> dict[str, float]:
    """The figures of a classifier of several classes out of counts; NaN where one is not defined.

    Args:
        truth: the true class of each cell, 0 to classes - 1, shape (cells,).
        predicted: the class predicted.
        confidence: the probability of the class predicted, the mean of the cell's rows.
        n: the rows of each cell.

    >>> import numpy as np
    >>> found = multiclass(np.array([0, 1, 1, 2]), np.array([0, 1, 0, 2]), np.array([0.9, 0.8, 0.5, 1.0]), np.array([4, 3, 1, 2]), 3)
    >>> found["accuracy"], round(found["balanced_accuracy"], 4), round(found["kappa"], 4)
    (0.9, 0.9167, 0.8438)
    """
    import numpy as np

    n = np.asarray(n, float)
    table = np.bincount(truth * classes + predicted, n, minlength=classes * classes).reshape(classes, classes)
    hits, there, called, total = np.diag(table), table.sum(1), table.sum(0), n.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = hits / there
        precision = np.where(called > 0, hits / called, np.where(there > 0, 0.0, np.nan))
        f1 = 2 * hits / (there + called)
        chance = (there * called).sum() / total**2
        accuracy = hits.sum() / total
        bins = np.minimum((confidence * 10).astype(int), 9)
        gap = np.bincount(bins, n * confidence, minlength=10) - np.bincount(bins, n * (truth == predicted), minlength=10)
        found = {
            "accuracy": accuracy,
            "balanced_accuracy": _mean(recall),
            "macro_precision": _mean(precision),
            "macro_f1": _mean(f1),
            "kappa": (accuracy - chance) / (1 - chance),
            "calibration_error": np.abs(gap).sum() / total,
        }
    return {name: float(value) for name, value in found.items()}


def of_class(truth: Any, predicted: Any, which: int, n: Any) -> dict[str, float]:
    """Precision, recall and F1 of one class against the others, of the same arrays."""
    import numpy as np

    is_it, called = truth == which, predicted == which
    tp, there, all_called = (float(np.asarray(n)[at].sum()) for at in (is_it & called, is_it, called))
    nan = float("nan")
    return {
        "precision": tp / all_called if all_called else nan,
        "recall": tp / there if there else nan,
        "f1": 2 * tp / (there + all_called) if there + all_called else nan,
    }


def _mean(values: Any) -> Any:
    import numpy as np

    return values[~np.isnan(values)].mean() if not np.isnan(values).all() else np.nan


def regression(drawn: Any, n: Any, mean: Any, var: Any, error: Any, size: Any, square: Any) -> dict[str, float]:
    """The figures of a regression out of groups of rows; `r2` is NaN where the label does not vary.

    Args:
        drawn: how often each group is taken, shape (groups,): ones for the figures themselves.
        n: the rows of each group; `mean` and `var` are of the label, best less its mean over all groups.
        error: the sum of prediction less label; `size` that of its absolute value, `square` that of its square.

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> found = regression(one, one, np.array([-1.0, 1.0]), 0 * one, np.array([0.5, -0.5]), one / 2, one / 4)
    >>> found == {"rmse": 0.5, "mae": 0.5, "r2": 0.75, "mean_error": 0.0}
    True
    """
    rows = float((drawn * n).sum())
    centre = (drawn * n * mean).sum() / rows
    spread = float((drawn * n * (var + (mean - centre) ** 2)).sum())
    squares = float((drawn * square).sum())
    return {
        "rmse": (squares / rows) ** 0.5,
        "mae": float((drawn * size).sum()) / rows,
        "r2": 1 - squares / spread if spread else float("nan"),
        "mean_error": float((drawn * error).sum()) / rows,
    }
