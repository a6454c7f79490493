"""Classes of which one is rare, balanced in the rows that a model is fitted on: by weights, fewer rows, or copies of rows.

Lazy, and the same whatever the order and partitions: which rows stay follows from a hash of the row. Of the train part only; a test part
that was balanced tells nothing about what will come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, cols, free, grouping, need

__all__ = ["WEIGHT", "Balance", "oversampled", "undersampled", "weights"]

WEIGHT = "class_weight"
"""The column that `weights` adds; a classifier of spark.ml reads it where its `weightCol` names it."""

_HOW = ("weights", "under", "over")
_PLACES = 1 << 20


@dataclass(frozen=True)
class Balance:
    """How the classes of a train part are balanced.

    A model of balanced rows gives scores that are too great for the rare class. `correct` sets them right by the odds before and after, so
    that a score is a probability again, thresholds of costs hold, and figures such as `log_loss` mean something (Elkan 2001; for
    under-sampling Dal Pozzolo et al. 2015). The order of the scores stays. Without it choose a threshold by `evaluate.cost_curve`.

    Args:
        how: `weights` (the classifier must read `class_weight`: `LogisticRegression(weightCol="class_weight")`), `under` (rows of the
            frequent class are left out: quicker) or `over` (rows of the rare class are copied).
        ratio: the rows, or weight, of the rare class for one of the frequent class, at most 1: equal. Classes nearer than that stay.
        keys: for `under` and `over`, columns whose rows stay or go together; without them each row is by itself.
        correct: whether the scores are set right.

    Raises:
        UsageError: another way, a ratio that is not above 0 and at most 1, keys for weights (`wrong_balance`).

    >>> Balance("under", ratio=0.5).describe()
    'under-sampled to 1 of the rare class for 2 of the frequent one, scores corrected'
    """

    how: str
    ratio: float = 1.0
    keys: str | tuple[str, ...] = ()
    correct: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.keys, str):
            object.__setattr__(self, "keys", (self.keys,))
        if self.how not in _HOW:
            raise UsageError(f"a balance is {self.how!r}", reason="wrong_balance", hint=f"give {', '.join(_HOW)}")
        _share(self.ratio, "Balance")
        if self.keys and self.how == "weights":
            raise UsageError("a balance by weights has keys", reason="wrong_balance", hint="keys say which rows are sampled together")

    def describe(self) -> str:
        """The balance in a line, for a card or a report."""
        said = {"weights": "weighted", "under": "under-sampled", "over": "over-sampled"}[self.how]
        corrected = "corrected" if self.correct else "not corrected"
        return f"{said} to 1 of the rare class for {1 / self.ratio:.4g} of the frequent one, scores {corrected}"

    def apply(self, train: DataFrame, *, label: str, seed: int) -> DataFrame:
        """The train part, balanced: `weights`, `undersampled` or `oversampled`."""
        if self.how == "weights":
            return weights(train, label=label, ratio=self.ratio)
        sample = undersampled if self.how == "under" else oversampled
        return sample(train, label=label, ratio=self.ratio, keys=self.keys, seed=seed)


def weights(train: DataFrame, *, label: str = "target", ratio: float = 1.0) -> DataFrame:
    """The rows with a column `class_weight` that makes up for the frequency of their class: n / (classes * n of the class), where the
    ratio is 1 (after King and Zeng 2001).

    Law: one row out for each row with a label; the weights' mean is 1; each class weighs at least `ratio` times the heaviest.

    Raises:
        UsageError: no such column, there is a `class_weight` already, a wrong ratio.

    >>> rows = spark.createDataFrame([(1.0,), (0.0,), (0.0,), (0.0,)], "target double")
    >>> sorted(rows.transform(weights).distinct().collect())
    [Row(target=0.0, class_weight=0.6666666666666666), Row(target=1.0, class_weight=2.0)]
    """
    free(train, [WEIGHT], where="balance.weights")
    heavy = F.greatest(F.col("_n"), ratio * F.col("_most"))
    whole = Window.partitionBy(*grouping([]))
    counted = _counts(train, label, ratio, "balance.weights")
    classes = counted.select("_class", (heavy / F.col("_n") * F.sum("_n").over(whole) / F.sum(heavy).over(whole)).alias(WEIGHT))
    return _with(train, classes, label).select(*cols(train.columns), WEIGHT)


def undersampled(train: DataFrame, *, label: str = "target", ratio: float = 1.0, keys: str | Sequence[str] = (), seed: int) -> DataFrame:
    """The rows without some of each class that is more frequent than the rarest over `ratio`.

    Law: every row of the rarest class stays; the others stay by a hash of the row (of two rows that are the same, by their number), or of
    `keys`: about the number that makes the ratio. Rows without a label are left out.

    Raises:
        UsageError: no such column, a wrong ratio.

    >>> rows = spark.range(1000).selectExpr("id", "double(id < 100) target")
    >>> rows.transform(undersampled, seed=17).groupBy("target").count().orderBy("target").collect()
    [Row(target=0.0, count=101), Row(target=1.0, count=100)]
    """
    counted = _counts(train, label, ratio, "balance.undersampled")
    kept = counted.select("_class", F.least(F.lit(1.0), F.col("_least") / (ratio * F.col("_n"))).alias("_kept"))
    placed = _placed(_with(train, kept, label), train.columns, keys, seed)
    return placed.where(F.col("_place") < F.col("_kept")).select(*cols(train.columns))


def oversampled(train: DataFrame, *, label: str = "target", ratio: float = 1.0, keys: str | Sequence[str] = (), seed: int) -> DataFrame:
    """The rows, those of each class that is rarer than `ratio` times the most frequent one several times.

    Law: every row with a label stays; copies of a class differ in number by one, and which rows have one more follows from a hash of the
    row (of two rows that are the same, by their number), or of `keys`. Never before a split: copies would be on both sides.

    Raises:
        UsageError: no such column, a wrong ratio.

    >>> rows = spark.range(1000).selectExpr("id", "double(id < 100) target")
    >>> rows.transform(oversampled, ratio=0.25, seed=17).groupBy("target").count().orderBy("target").collect()
    [Row(target=0.0, count=900), Row(target=1.0, count=223)]
    """
    counted = _counts(train, label, ratio, "balance.oversampled")
    copies = counted.select("_class", F.greatest(F.lit(1.0), ratio * F.col("_most") / F.col("_n")).alias("_copies"))
    placed = _placed(_with(train, copies, label), train.columns, keys, seed)
    whole = F.floor("_copies")
    times = whole + (F.col("_place") < F.col("_copies") - whole).cast("int")
    return placed.withColumn("_copy", F.explode(F.sequence(F.lit(1).cast("long"), times))).select(*cols(train.columns))


def _share(ratio: float, where: str) -> None:
    if not 0 < ratio <= 1:
        raise UsageError(f"{where}: ratio is {ratio}", reason="wrong_balance", hint="give a number above 0, and 1 at most")


def _counts(train: DataFrame, label: str, ratio: float, where: str) -> DataFrame:
    """A row for each class: `_class`, `_n`, and the rows of the rarest and the most frequent one, `_least` and `_most`."""
    need(train, label, where=where)
    _share(ratio, where)
    counted = train.where(col(label).isNotNull()).groupBy(col(label).alias("_class")).agg(F.count(F.lit(1)).alias("_n"))
    whole = Window.partitionBy(*grouping([]))
    return counted.select("_class", "_n", F.min("_n").over(whole).alias("_least"), F.max("_n").over(whole).alias("_most"))


def _with(train: DataFrame, classes: DataFrame, label: str) -> DataFrame:
    return train.join(F.broadcast(classes), col(label) == F.col("_class"))


def _placed(rows: DataFrame, names: Sequence[str], keys: str | Sequence[str], seed: int) -> DataFrame:
    """With `_place`, 0 up to 1, by a hash of the keys, or of the whole row and its number among those that are the same."""
    if keys:
        return rows.withColumn("_place", _hash(F.lit(seed), *cols(need(rows, keys, where="balance keys"))))
    same = F.xxhash64(F.lit(seed), *cols([n for n in names if not _has_map(rows.schema[n].dataType)]))
    number = F.row_number().over(Window.partitionBy("_same").orderBy("_same"))
    return rows.withColumn("_same", same).withColumn("_place", _hash(F.col("_same"), number))


def _hash(*values: Column) -> Column:
    return F.pmod(F.xxhash64(*values), F.lit(_PLACES)) / _PLACES


def _has_map(kind: T.DataType) -> bool:
    return "map<" in kind.simpleString()
