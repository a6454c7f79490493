"""Stages that spark.ml lacks, in Python: written and read like Spark's own, and scored without Spark by `sparkkit.portable`.

Each is expressions over columns, so that rows never pass through Python. They work on classic sessions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyspark.ml import Estimator, Model, Transformer
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasInputCols, HasOutputCols
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col

__all__ = ["Clip", "ClipModel", "DateParts", "Fill", "LogPlus", "MissingIndicator", "PriorCorrection"]

PARTS = ("year", "month", "day", "hour", "minute", "weekday", "day_of_year", "seconds")
"""The parts of a time that `DateParts` knows; `weekday` is 0 (Monday) to 6, `seconds` those since 1970."""


class _Each(Transformer, HasInputCols, HasOutputCols, DefaultParamsReadable["_Each"], DefaultParamsWritable):
    """A stage that makes of each input column an output column."""

    def __init__(self, inputCols: Sequence[str] = (), outputCols: Sequence[str] = ()) -> None:  # noqa: N803, as Spark's own
        super().__init__()
        if inputCols:
            self._set(inputCols=list(inputCols), outputCols=list(outputCols))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        pairs = list(zip(self.getInputCols(), self.getOutputCols(), strict=True))
        return dataset.select("*", *(self._made(col(source), at).alias(name) for at, (source, name) in enumerate(pairs)))

    def _made(self, value: Column, at: int) -> Column:
        raise NotImplementedError


class MissingIndicator(_Each):
    """1.0 where a column is null or NaN, else 0.0."""

    def _made(self, value: Column, at: int) -> Column:
        number = value.cast("double")
        return F.when(value.isNull() | F.isnan(number), 1.0).otherwise(0.0)


class LogPlus(_Each):
    """The logarithm of 1 and the column's size, with its sign: for amounts that span orders of magnitude; null stays null."""

    def _made(self, value: Column, at: int) -> Column:
        number = value.cast("double")
        return F.signum(number) * F.log1p(F.abs(number))


class Fill(_Each):
    """Columns as doubles, with one value where they are null or NaN."""

    value = Param(Params._dummy(), "value", "what stands for null and NaN", TypeConverters.toFloat)

    def __init__(
        self,
        inputCols: Sequence[str] = (),  # noqa: N803, as Spark's own
        outputCols: Sequence[str] = (),  # noqa: N803, as Spark's own
        value: float = 0.0,
    ) -> None:
        super().__init__(inputCols, outputCols)
        self._set(value=value)

    def _made(self, value: Column, at: int) -> Column:
        return F.coalesce(F.nanvl(value.cast("double"), F.lit(None).cast("double")), F.lit(self.getOrDefault("value")))


class ClipModel(_Each, Model):
    """Columns set to their bounds where they are beyond them; null and NaN stay."""

    low = Param(Params._dummy(), "low", "the lower quantile, 0 to 1", TypeConverters.toFloat)
    high = Param(Params._dummy(), "high", "the upper quantile, 0 to 1", TypeConverters.toFloat)
    lows = Param(Params._dummy(), "lows", "the lower bound of each column", TypeConverters.toListFloat)
    highs = Param(Params._dummy(), "highs", "the upper bound of each column", TypeConverters.toListFloat)

    def _made(self, value: Column, at: int) -> Column:
        number = value.cast("double")
        low, high = self.getOrDefault("lows")[at], self.getOrDefault("highs")[at]
        return F.when(F.isnan(number), number).otherwise(F.when(number.isNotNull(), F.least(F.greatest(number, F.lit(low)), F.lit(high))))


class Clip(Estimator[ClipModel], HasInputCols, HasOutputCols, DefaultParamsReadable["Clip"], DefaultParamsWritable):
    """Winsorizes: learns two quantiles of each column and sets what lies beyond to them (Tukey 1962). Null and NaN are not looked at."""

    low, high = ClipModel.low, ClipModel.high

    def __init__(
        self,
        inputCols: Sequence[str] = (),  # noqa: N803, as Spark's own
        outputCols: Sequence[str] = (),  # noqa: N803, as Spark's own
        low: float = 0.01,
        high: float = 0.99,
    ) -> None:
        super().__init__()
        if not 0 <= low < high <= 1:
            raise UsageError(f"Clip: the quantiles are {low} and {high}", hint="give two of 0 to 1, the lower one first")
        self._set(low=low, high=high)
        if inputCols:
            self._set(inputCols=list(inputCols), outputCols=list(outputCols))

    def _fit(self, dataset: DataFrame) -> ClipModel:
        names = self.getInputCols()
        numbers = [F.when(~F.isnan(col(n).cast("double")), col(n).cast("double")).alias(n) for n in names]
        ends = dataset.select(*numbers).approxQuantile(names, [self.getOrDefault("low"), self.getOrDefault("high")], 0.0001)
        if empty := [n for n, end in zip(names, ends, strict=True) if not end]:
            raise UsageError(f"Clip: column {empty[0]} has no number to learn from", reason="empty_column")
        model: ClipModel = self._copyValues(ClipModel())
        model._set(lows=[low for low, _ in ends], highs=[high for _, high in ends])
        return model


class DateParts(Transformer, HasInputCols, HasOutputCols, DefaultParamsReadable["DateParts"], DefaultParamsWritable):
    """Parts of one column of time as numbers, in the session's time zone: `parts` of `PARTS`, one for each output column."""

    parts = Param(Params._dummy(), "parts", "the parts, one for each output column", TypeConverters.toListString)

    def __init__(self, inputCol: str = "", parts: Sequence[str] = (), outputCols: Sequence[str] = ()) -> None:  # noqa: N803, as Spark's own
        super().__init__()
        if unknown := set(parts) - set(PARTS):
            raise UsageError(f"DateParts knows no {min(unknown)}", hint=f"it knows {', '.join(PARTS)}")
        if inputCol:
            self._set(inputCols=[inputCol], parts=list(parts), outputCols=list(outputCols) or [f"{inputCol}_{p}" for p in parts])

    def _transform(self, dataset: DataFrame) -> DataFrame:
        time = col(self.getInputCols()[0])
        made = zip(self.getOrDefault("parts"), self.getOutputCols(), strict=True)
        return dataset.select("*", *(_part(time, part).cast("double").alias(name) for part, name in made))


class PriorCorrection(Transformer, HasInputCol, DefaultParamsReadable["PriorCorrection"], DefaultParamsWritable):
    """Sets the probabilities of two classes right that a model learned on rows with another share of class 1 than there is.

    The odds of class 1 are multiplied by `odds`: those of all rows over those of the rows that were learned from (Elkan 2001; for
    under-sampling Dal Pozzolo et al. 2015). The column of probabilities, a vector, is replaced; the order of scores stays.
    """

    odds = Param(Params._dummy(), "odds", "what the odds of class 1 are multiplied by", TypeConverters.toFloat)

    def __init__(self, inputCol: str = "probability", odds: float = 1.0) -> None:  # noqa: N803, as Spark's own
        super().__init__()
        if not 0 < odds < math.inf:
            raise UsageError(f"PriorCorrection: odds is {odds}", hint="give a number above 0")
        self._set(inputCol=inputCol, odds=odds)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        from pyspark.ml.functions import array_to_vector, vector_to_array

        name = self.getInputCol()
        both = vector_to_array(col(name))
        yes, no = both[1] * self.getOrDefault("odds"), both[0]
        return dataset.withColumn(name, array_to_vector(F.array(no / (yes + no), yes / (yes + no))))


def _part(time: Column, part: str) -> Column:
    known: dict[str, Any] = {
        "year": F.year,
        "month": F.month,
        "day": F.dayofmonth,
        "hour": F.hour,
        "minute": F.minute,
        "day_of_year": F.dayofyear,
        "weekday": F.weekday,
    }
    return known[part](time) if part in known else time.cast("timestamp").cast("double")
