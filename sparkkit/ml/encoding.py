"""Target encoding: a category as the mean of the label with it, drawn to the mean of all rows, and cross-fitted if asked for.

Spark's own TargetEncoder is of 4.0 and takes numbers only; this one takes texts as they are, runs on 3.5, and cross-fits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pyspark.ml import Estimator, Model
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCols, HasLabelCol, HasOutputCols
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, cols, need, type_of

__all__ = ["TargetMeans", "TargetMeansModel"]

_EXACT = (T.StringType, T.BooleanType, T.ByteType, T.ShortType, T.IntegerType, T.LongType)
_TIMES = (T.TimestampType, T.TimestampNTZType)

Sums = dict[int, tuple[int, float]]
"""Of each fold: how many rows, and the sum of their labels."""


class _Shared(HasInputCols, HasOutputCols, HasLabelCol):
    """The settings, which the fitted stage keeps."""

    smoothing = Param(Params._dummy(), "smoothing", "how many rows the mean of all counts for, at least 0", TypeConverters.toFloat)
    by = Param(Params._dummy(), "by", "columns whose values say in which fold a row is", TypeConverters.toListString)
    folds = Param(Params._dummy(), "folds", "how many folds", TypeConverters.toInt)
    most = Param(Params._dummy(), "most", "how many categories a column may have", TypeConverters.toInt)


class TargetMeansModel(_Shared, Model, DefaultParamsReadable["TargetMeansModel"], DefaultParamsWritable):
    """Categories with what stands for them; null, and what was not seen, gets the mean of all rows."""

    categories = Param(Params._dummy(), "categories", "the categories of each column", TypeConverters.toList)
    means = Param(Params._dummy(), "means", "of each column and category what stands for it in each fold", TypeConverters.toList)
    priors = Param(Params._dummy(), "priors", "the mean of all rows in each fold", TypeConverters.toListFloat)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        """Joins a small frame for each column: a map in the plan would be searched from its begin for each row."""
        names, fold = self.getInputCols(), _fold(dataset, self.getOrDefault("by"), self.getOrDefault("folds"))
        rows = dataset.select("*", fold.alias("_fold"), *(col(n).cast("string").alias(f"_key{i}") for i, n in enumerate(names)))
        for i in range(len(names)):
            table = list(zip(self.getOrDefault("categories")[i], self.getOrDefault("means")[i], strict=True))
            found = dataset.sparkSession.createDataFrame(table, f"_category{i} string, _means{i} array<double>")
            rows = rows.join(F.broadcast(found), F.col(f"_key{i}") == F.col(f"_category{i}"), "left")
        at = F.col("_fold") + 1
        prior = F.element_at(F.array(*map(F.lit, self.getOrDefault("priors"))), at)
        made = (F.coalesce(F.element_at(f"_means{i}", at), prior).alias(name) for i, name in enumerate(self.getOutputCols()))
        return rows.select(*cols(dataset.columns), *made)


class TargetMeans(_Shared, Estimator[TargetMeansModel], DefaultParamsReadable["TargetMeans"], DefaultParamsWritable):
    """Learns, for each category, (sum of the label + smoothing * mean of all) / (rows + smoothing) (Micci-Barreca 2001).

    Where `by` names columns, each row is in one of the folds by a hash of its values there, and is encoded by the rows of the other
    folds alone: a row never sees its own label. That holds for new rows, too, so that what a model learns from and what it scores are made
    alike, and `transform` need not know which of them it has (k-fold regularization: Pargent et al. 2022, with that difference).

    Input columns are texts, whole numbers or booleans; one aggregation, of which at most `most` categories a column are collected.
    """

    def __init__(
        self,
        inputCols: Sequence[str] = (),  # noqa: N803, as Spark's own
        outputCols: Sequence[str] = (),  # noqa: N803, as Spark's own
        labelCol: str = "label",  # noqa: N803, as Spark's own
        smoothing: float = 20.0,
        by: Sequence[str] = (),
        folds: int = 5,
        most: int = 10_000,
    ) -> None:
        super().__init__()
        if not 0 <= smoothing < math.inf or folds < 2 or most < 1:
            raise UsageError(f"TargetMeans: smoothing is {smoothing}, folds {folds}, most {most}", hint="give 0, 2 and 1 or more")
        self._set(labelCol=labelCol, smoothing=smoothing, by=list(by), folds=folds if by else 1, most=most)
        if inputCols:
            self._set(inputCols=list(inputCols), outputCols=list(outputCols))

    def _fit(self, dataset: DataFrame) -> TargetMeansModel:
        names = need(dataset, self.getInputCols(), where="TargetMeans", some=True)
        for name in names:
            _refuse(dataset, name, _EXACT, "a text, a whole number or a boolean")
        columns = self._sums(dataset, names)
        folds, smoothing = self.getOrDefault("folds"), self.getOrDefault("smoothing")
        whole = _added(columns[0].values())
        if not whole:
            raise UsageError(f"TargetMeans: no row has a {self.getLabelCol()}", reason="no_examples")
        if folds > 1 and len(whole) == 1:
            raise UsageError(f"TargetMeans: all rows are in one of {folds} folds by {', '.join(self.getOrDefault('by'))}",
                             reason="one_fold", hint="give columns that tell rows apart")
        priors = [total / n for n, total in _others(whole, folds)]
        known = [sorted((c, sums) for c, sums in found.items() if c is not None) for found in columns]
        model: TargetMeansModel = self._copyValues(TargetMeansModel())
        model._set(categories=[[c for c, _ in found] for found in known], priors=priors,
                   means=[[_means(sums, priors, smoothing) for _, sums in found] for found in known])
        return model

    def _sums(self, dataset: DataFrame, names: Sequence[str]) -> list[dict[str | None, Sums]]:
        """Of each column, category and fold, the rows and the sum of their labels.

        Raises:
            UsageError: a column has too many categories (`too_many_categories`).
        """
        label, most, folds = col(self.getLabelCol()).cast("double"), self.getOrDefault("most"), self.getOrDefault("folds")
        places = (F.struct(F.lit(i).alias("i"), col(n).cast("string").alias("category")) for i, n in enumerate(names))
        each = dataset.where(label.isNotNull()).select(
            label.alias("y"), _fold(dataset, self.getOrDefault("by"), folds).alias("fold"), F.explode(F.array(*places)).alias("_"))
        counted = each.groupBy("_.i", "_.category", "fold").agg(F.count(F.lit(1)).alias("n"), F.sum("y").alias("total"))
        found: list[dict[str | None, Sums]] = [defaultdict(dict) for _ in names]
        for row in counted.limit((most + 1) * folds * len(names) + 1).collect():  # one more: then a column has too many of them
            found[row["i"]][row["category"]][row["fold"]] = (row["n"], row["total"])
        for name, known in zip(names, found, strict=True):
            if len(known.keys() - {None}) > most:
                raise UsageError(f"TargetMeans: column {name!r} has more than {most:,} categories", reason="too_many_categories",
                                 hint="hash it (steps.hashed), or group the rare ones first")
        return found


def _means(sums: Sums, priors: Sequence[float], smoothing: float) -> list[float]:
    """What stands for a category in each fold."""
    others = zip(_others(sums, len(priors)), priors, strict=True)
    return [(total + smoothing * prior) / (n + smoothing) if n + smoothing else prior for (n, total), prior in others]


def _others(sums: Sums, folds: int) -> list[tuple[int, float]]:
    """For each fold the rows of the others, and the sum of their labels; of all rows where there is one fold."""
    return [_total([one for at, one in sorted(sums.items()) if folds == 1 or at != fold]) for fold in range(folds)]


def _added(found: Any) -> Sums:
    together: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for sums in found:
        for fold, one in sums.items():
            together[fold].append(one)
    return {fold: _total(parts) for fold, parts in together.items()}


def _total(parts: Sequence[tuple[int, float]]) -> tuple[int, float]:
    return sum(n for n, _ in parts), math.fsum(total for _, total in parts)


def _fold(dataset: DataFrame, by: Sequence[str], folds: int) -> Column:
    """The fold of a row: a checksum of the texts of its values."""
    if folds == 1:
        return F.lit(0)
    texts = [F.coalesce(_text(dataset, name), F.lit("\0")) for name in need(dataset, by, where="TargetMeans by")]
    return F.pmod(F.crc32(F.concat_ws("\1", *texts)), F.lit(folds)).cast("int")


def _text(dataset: DataFrame, name: str) -> Column:
    if isinstance(type_of(dataset, name), _TIMES):
        return F.unix_micros(col(name).cast("timestamp")).cast("string")
    _refuse(dataset, name, (*_EXACT, T.DoubleType, T.DateType), "a text, a number (no float or decimal), a boolean or a time")
    return col(name).cast("string")


def _refuse(dataset: DataFrame, name: str, kinds: Any, wanted: str) -> None:
    kind = type_of(dataset, name)
    if not isinstance(kind, kinds):
        raise UsageError(f"TargetMeans: column {name!r} is {kind.simpleString()}", reason="wrong_type", hint=f"give {wanted}, or cast it")
