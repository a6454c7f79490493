"""Figures of a binary classifier out of counts by score, in NumPy: the exact figures, and their intervals by bootstrap.

Everything here is over three arrays of one length: `score` (the probability of the positive class, in ascending order, no value twice),
`positives` and `negatives` (how many rows have that score). A million rows come as the some thousand scores that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["BINARY", "binary", "intervals"]

BINARY = ("roc_auc", "average_precision", "log_loss", "brier", "calibration_error", "accuracy", "precision", "recall", "f1", "positive_rate",
          "cost")
"""The figures, in the order in which they are told; `cost` where the costs are given."""


def binary(
    score: Any, positives: Any, negatives: Any, *, threshold: float = 0.5, costs: tuple[float, float] | None = None,
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
        found |= {"accuracy": (tp + tn) / total, "precision": tp / (tp + fp), "recall": tp / all_p, "f1": 2 * tp / (2 * tp + fp + fn),
                  "positive_rate": all_p / total}
        if costs:
            found["cost"] = (costs[0] * fp + costs[1] * fn) / total
    return {name: float(value) for name, value in found.items()}


def intervals(
    figures: Callable[..., Mapping[str, float]], counts: tuple[Any, ...], *, rounds: int, level: float, seed: int,
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
    return {name: tuple(np.nanpercentile(values, [tail, 100 - tail])) if np.isfinite(values).any() else (float("nan"),) * 2
            for name, values in drawn.items()}


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
    return {"log_loss": -(p * np.log(inside) + n * np.log1p(-inside)).sum() / total,
            "brier": (p * (1 - score) ** 2 + n * score ** 2).sum() / total, "calibration_error": np.abs(gap).sum() / total}
