"""How much a model needs each feature: by how much its figure falls when the feature's values are shuffled among the rows.

Permutation importance (Breiman, Random forests, 2001; Fisher, Rudin and Dominici, All models are wrong, but many are useful, 2019).
Lazy, and in one pass: the shuffled copies of a bounded sample stand in one frame, and are scored together.
Needs pandas, pyarrow and numpy where the tasks run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml import metrics
from sparkkit.transforms.names import col, cols, free, need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IMPORTANCE", "Figure", "accuracy", "binary", "permutation", "regression", "shuffled"]

IMPORTANCE = "feature string, value double, low double, high double, rows long"
"""The columns of `permutation`: by how much the figure gets worse without the feature, with its interval, and over how many rows."""

Figure = Callable[[Any, Any], Callable[[Any], float]]
"""Arrays of scores and of labels, each of shape (rows,), give a function of the rows' weights, that gives the figure."""

MOST_COPIES = 1_000_000
"""Rows that are scored in all: with many features the sample is smaller."""

MOST_TASKS = 64
"""The sample comes as one partition; its copies are spread over the features, up to so many tasks."""

_FEATURE, _SHUFFLE, _AT, _NTH = _OWN = ("_feature", "_shuffle", "_at", "_nth")


def permutation(
    rows: DataFrame,
    features: Sequence[str],
    score: Callable[[DataFrame], DataFrame],
    figure: Figure,
    *,
    label: str,
    less: bool = False,
    most: int = 2000,
    shuffles: int = 3,
    rounds: int = 200,
    level: float = 0.95,
    seed: int,
) -> DataFrame:
    """The importance of each feature to a model, on rows that it was not fitted on.

    Args:
        rows: labelled rows with the features; of more than `most` those with the lowest hashes are taken.
        score: adds the column `score` to a frame, and keeps its columns.
        figure: what is made of scores and labels, such as `binary("roc_auc")`.
        label: a column of numbers.
        less: whether less of the figure is better.
        shuffles: how often each feature is shuffled; the value is the mean.
        rounds: resamples for the interval, in which rows and shuffles are drawn anew (Efron 1979); 0 for none.
        seed: of the sample, the shuffles and the interval.

    Of two features that tell the same, neither seems important: the model finds in the one what the other lost.

    Returns:
        a frame of the columns `IMPORTANCE`, a row a feature; the value is null where the figure is not defined.

    Raises:
        UsageError: unknown columns, or sizes out of range.

    >>> rows = spark.createDataFrame([(i % 2, i % 2 / 2.0, i) for i in range(40)], "y int, a double, b int")
    >>> told = permutation(rows, ["a", "b"], lambda df: df.withColumn("score", F.col("a")), binary("roc_auc"), label="y", seed=1)
    >>> [(row.feature, row.value > 0.4, row.low > 0) for row in told.orderBy("feature").collect()]
    [('a', True, True), ('b', False, False)]
    """
    if rounds < 0 or not 0 < level < 1:
        raise UsageError(f"importance.permutation: rounds is {rounds}, level {level}", hint="give resamples, and a share of 1")
    copies = shuffled(rows, features, label=label, most=most, shuffles=shuffles, seed=seed)
    told = score(copies).select(*_OWN, col(label).cast("double").alias("label"), F.col("score").cast("double").alias("score"))
    make = partial(_importance, tuple(features), figure, less, shuffles, rounds, level, seed)

    def importance(group: pd.DataFrame) -> pd.DataFrame:
        return make(group)

    return told.groupBy(_FEATURE).applyInPandas(importance, IMPORTANCE)


def shuffled(rows: DataFrame, features: Sequence[str], *, label: str, most: int, shuffles: int, seed: int) -> DataFrame:
    """A sample of rows, copied for each feature (`_feature`, its place) and shuffle (`_shuffle`; in that of 0 nothing is shuffled).

    In a copy each row has the feature's value of the next row, in an order by hash that is another for each feature and shuffle:
    a permutation that leaves no row its own. Nothing depends on partitions or the rows' order; `_at` and `_nth` name the row.

    Raises:
        UsageError: unknown columns, or sizes out of range.
    """
    if most < 2 or shuffles < 1:
        raise UsageError(f"importance: {most} rows, {shuffles} shuffles", hint="give 2 rows or more, and 1 shuffle or more")
    wanted = (*need(rows, features, where="importance", some=True), label)
    need(rows, label, where="importance")
    free(rows, _OWN, where="importance")
    least = max(2, min(most, MOST_COPIES // (len(features) * (shuffles + 1))))
    hashed = rows.where(col(label).isNotNull()).select(*cols(wanted), F.xxhash64(F.lit(seed), *cols(wanted)).alias(_AT))
    same = Window.partitionBy(_AT).orderBy(_AT)  # rows that are equal in all that is looked at: any order of them is the same
    sample = hashed.orderBy(_AT).limit(least).withColumn(_NTH, F.row_number().over(same))
    places = F.explode(F.sequence(F.lit(0), F.lit(len(features) - 1))).alias(_FEATURE)
    turns = F.explode(F.sequence(F.lit(0), F.lit(shuffles))).alias(_SHUFFLE)
    copies = sample.select("*", places).select("*", turns).repartition(min(len(features), MOST_TASKS), _FEATURE)
    order = F.xxhash64(F.lit(seed), _FEATURE, _SHUFFLE, _AT, _NTH)
    ring = Window.partitionBy(_FEATURE, _SHUFFLE).orderBy(order, _AT, _NTH)
    values = F.struct(*(col(name).alias(f"_{i}") for i, name in enumerate(features)))
    lent = copies.withColumn("_lent", F.coalesce(F.lead(values).over(ring), F.first(values).over(ring)))
    others = F.col(_SHUFFLE) > 0
    changed = [
        F.when(others & (F.col(_FEATURE) == i), F.col(f"_lent._{i}")).otherwise(col(name)).alias(name) for i, name in enumerate(features)
    ]
    return lent.select(*_OWN, *changed, col(label))


def binary(name: str, *, threshold: float = 0.5, costs: tuple[float, float] | None = None) -> Figure:
    """One of the figures of a binary classifier (`metrics.BINARY`), for `permutation`.

    >>> import numpy as np
    >>> binary("accuracy")(np.array([0.2, 0.7]), np.array([0.0, 0.0]))(np.array([3, 1]))
    0.75

    Raises:
        UsageError: there is no such figure.
    """
    _refuse(name, metrics.BINARY)

    def prepared(score: Any, label: Any) -> Callable[[Any], float]:
        import numpy as np

        values, at = np.unique(score, return_inverse=True)

        def value(weight: Any) -> float:
            p, n = (np.bincount(at, weight * side, len(values)) for side in (label, 1 - label))
            return metrics.binary(values, p, n, threshold=threshold, costs=costs)[name]

        return value

    return prepared


def regression(name: str) -> Figure:
    """One of the figures of a regression, `rmse`, `mae` or `r2`, for `permutation`: a score is the number predicted.

    >>> import numpy as np
    >>> regression("mae")(np.array([1.0, 4.0]), np.array([0.0, 2.0]))(np.array([1, 1]))
    1.5

    Raises:
        UsageError: there is no such figure.
    """
    _refuse(name, metrics.REGRESSION)

    def prepared(score: Any, label: Any) -> Callable[[Any], float]:
        import numpy as np

        error, one = score - label, np.ones(len(label))
        sums = (one, label - label.mean(), 0 * one, error, np.abs(error), error**2)
        return lambda weight: metrics.regression(np.asarray(weight, float), *sums)[name]

    return prepared


def accuracy(score: Any, label: Any) -> Callable[[Any], float]:
    """The share of scores that are the label, of places of classes, for `permutation`.

    >>> import numpy as np
    >>> accuracy(np.array([2.0, 1.0]), np.array([2.0, 0.0]))(np.array([3, 1]))
    0.75
    """
    hits = score == label
    return lambda weight: float((weight * hits).sum() / weight.sum())


def _refuse(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UsageError(f"there is no figure {name!r}", hint=f"there are {', '.join(known)}")


def _importance(
    features: tuple[str, ...], figure: Figure, less: bool, shuffles: int, rounds: int, level: float, seed: int, group: Any
) -> Any:
    import numpy as np
    import pandas as pd

    ordered = group.sort_values([_AT, _NTH, _SHUFFLE])
    scores, labels = (ordered[name].to_numpy(float).reshape(-1, shuffles + 1) for name in ("score", "label"))
    figures = [figure(scores[:, turn], labels[:, 0]) for turn in range(shuffles + 1)]
    sign = -1 if less else 1
    generator = np.random.default_rng([seed, 1])

    def fall(weight: Any, turns: Any) -> float:
        drawn = [turn for turn in range(shuffles) if turns[turn]]
        without = sum(turns[turn] * figures[turn + 1](weight) for turn in drawn) / shuffles
        return float(sign * (figures[0](weight) - without))

    def again(weight: Any) -> dict[str, float]:
        return {"value": fall(weight, generator.multinomial(shuffles, [1 / shuffles] * shuffles))}

    every = np.ones(len(labels))
    value = fall(every, [1] * shuffles)
    low, high = metrics.intervals(again, (every,), rounds=rounds, level=level, seed=seed)["value"] if rounds else (None, None)
    name = features[int(ordered[_FEATURE].iloc[0])]
    return pd.DataFrame([(name, value, low, high, len(labels))], columns=["feature", "value", "low", "high", "rows"])
