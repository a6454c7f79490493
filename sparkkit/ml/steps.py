"""Steps of a pipeline: functions that give spark.ml stages for columns, named by what they read, so that they can be put together.

Each gives a `Step`: stages in their order, and the columns that they add. Nothing is fitted here; all of it is fitted with the
pipeline, on the train part. A stage needs an active classic session when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError

if TYPE_CHECKING:
    from pyspark.ml import Pipeline

__all__ = ["Step", "categories", "dates", "logarithm", "numbers", "pipeline", "text"]


@dataclass(frozen=True)
class Step:
    """Stages in their order, and the columns that the next step takes from them."""

    stages: tuple[Any, ...]
    outputs: tuple[str, ...]


def text(
    column: str, *, words: Sequence[int] = (1, 2), characters: Sequence[int] = (), pattern: str = r"[a-z']+|[!?]+|\d+",
    stop_words: Sequence[str] = (), least: int = 1, least_characters: int = 2, binary: bool = True, most: int = 1 << 18,
) -> Step:
    """TF-IDF of n-grams of words, and of characters if asked for, each normed to length one.

    Args:
        words: the lengths of the n-grams of words; a word is what `pattern` (of Java, on lower case) matches.
        characters: those of characters, over blanks and words alike; they see endings and misspellings.
        stop_words: words that do not count; for opinions none, for `not` is one of the usual ones.
        least: in how many documents an n-gram of words stands at least; `least_characters` the same of characters.
        binary: whether an n-gram counts once a document: short texts do better so.
        most: the size of each vocabulary.

    TF-IDF: Spärck Jones 1972; n-grams of characters beside words: Cavnar and Trenkle 1994.
    """
    from pyspark.ml.feature import RegexTokenizer, StopWordsRemover

    stages: list[Any] = [RegexTokenizer(inputCol=column, outputCol=f"{column}_words", pattern=pattern, gaps=False)]
    source = f"{column}_words"
    if stop_words:
        stages.append(StopWordsRemover(inputCol=source, outputCol=f"{column}_kept", stopWords=list(stop_words)))
        source = f"{column}_kept"
    blocks = [_grams(source, f"{column}_w", words, least, binary, most)]
    if characters:
        stages.append(RegexTokenizer(inputCol=column, outputCol=f"{column}_chars", pattern="", gaps=True))
        blocks.append(_grams(f"{column}_chars", f"{column}_c", characters, least_characters, binary, most))
    return Step((*stages, *(s for block in blocks for s in block.stages)), tuple(o for block in blocks for o in block.outputs))


def categories(columns: Sequence[str], *, unseen: str = "keep", drop_last: bool = False) -> Step:
    """One-hot columns of categories, the most frequent first; a category that was not seen, or null, is one of its own (`keep`), or fails."""
    from pyspark.ml.feature import OneHotEncoder, StringIndexer

    _some(columns, "steps.categories")
    indexed, hot = [f"{c}_index" for c in columns], [f"{c}_hot" for c in columns]
    indexer = StringIndexer(inputCols=list(columns), outputCols=indexed, handleInvalid=unseen, stringOrderType="frequencyDesc")
    return Step((indexer, OneHotEncoder(inputCols=indexed, outputCols=hot, dropLast=drop_last, handleInvalid=unseen)), tuple(hot))


def logarithm(columns: Sequence[str]) -> Step:
    """The logarithm of 1 and the column's size, with its sign, as `COLUMN_log`: for amounts that span orders of magnitude."""
    from sparkkit.ml.stages import LogPlus

    _some(columns, "steps.logarithm")
    outputs = tuple(f"{c}_log" for c in columns)
    return Step((LogPlus(inputCols=list(columns), outputCols=list(outputs)),), outputs)


def dates(column: str, *, parts: Sequence[str], categorical: bool = False) -> Step:
    """Parts of a time (`stages.PARTS`) as numbers, or each as a category of its own, for what does not rise with the hour.

    They are taken in the session's time zone.
    """
    from pyspark.ml.feature import OneHotEncoder

    from sparkkit.ml.stages import DateParts

    _some(parts, "steps.dates")
    names = [f"{column}_{p}" for p in parts]
    made = DateParts(inputCol=column, parts=parts, outputCols=names)
    if not categorical:
        return Step((made,), tuple(names))
    hot = [f"{n}_hot" for n in names]
    return Step((made, OneHotEncoder(inputCols=names, outputCols=hot, dropLast=False, handleInvalid="keep")), tuple(hot))


def numbers(columns: Sequence[str], *, missing: str = "median", indicator: bool = False, clip: tuple[float, float] | None = None,
            scale: str = "standard") -> Step:
    """Numeric columns, filled, clipped and scaled, in one vector.

    Args:
        missing: what fills a null or NaN: `mean`, `median` or `mode` of the train part.
        indicator: adds, for each column, whether it was missing.
        clip: the quantiles of the train part beyond which a value is an outlier and is set to them, such as (0.01, 0.99).
        scale: `standard` (mean 0, deviation 1), `minmax`, `robust` (median and quartiles) or `none`.
    """
    from pyspark.ml.feature import Imputer, MinMaxScaler, RobustScaler, StandardScaler, VectorAssembler

    from sparkkit.ml.stages import Clip, MissingIndicator

    _some(columns, "steps.numbers")
    name, sources, stages = "numbers_" + columns[0], list(columns), list[Any]()
    flags = [f"{c}_missing" for c in columns] if indicator else []
    if indicator:
        stages.append(MissingIndicator(inputCols=sources, outputCols=flags))
    stages.append(Imputer(inputCols=sources, outputCols=[f"{c}_filled" for c in columns], strategy=missing))
    sources = [f"{c}_filled" for c in columns]
    if clip:
        stages.append(Clip(inputCols=sources, outputCols=[f"{c}_clipped" for c in columns], low=clip[0], high=clip[1]))
        sources = [f"{c}_clipped" for c in columns]
    stages.append(VectorAssembler(inputCols=sources, outputCol=name))
    scalers: Mapping[str, Any] = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
    if scale not in (*scalers, "none"):
        raise UsageError(f"steps.numbers: scale is {scale!r}", hint="give standard, minmax, robust or none")
    if scale == "none":
        return Step(tuple(stages), (name, *flags))
    more = {"withMean": True} if scale == "standard" else {"withCentering": True} if scale == "robust" else {}
    stages.append(scalers[scale](inputCol=name, outputCol=f"{name}_scaled", **more))
    return Step(tuple(stages), (f"{name}_scaled", *flags))


def pipeline(*steps: Step, model: Any) -> Pipeline:
    """The steps one after the other, their outputs in one vector `features`, and the model that reads it.

    The model's label column is set to `target`, as a training has it, where none was set.
    """
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler

    outputs = [name for step in steps for name in step.outputs]
    if model.hasParam("labelCol") and not model.isSet("labelCol"):
        model.setLabelCol("target")
    together = VectorAssembler(inputCols=outputs, outputCol="features", handleInvalid="keep")
    return Pipeline(stages=[*(stage for step in steps for stage in step.stages), together, model])


def _grams(source: str, name: str, lengths: Sequence[int], least: int, binary: bool, most: int) -> Step:
    from pyspark.ml.feature import IDF, CountVectorizer, NGram, Normalizer, VectorAssembler

    _some(lengths, "steps.text")
    stages, counted = list[Any](), list[str]()
    for n in lengths:
        if n > 1:
            stages.append(NGram(n=n, inputCol=source, outputCol=f"{name}{n}"))
        tokens, counts = source if n == 1 else f"{name}{n}", f"{name}{n}_counts"
        stages.append(CountVectorizer(inputCol=tokens, outputCol=counts, minDF=float(least), binary=binary, vocabSize=most))
        counted.append(counts)
    stages += [VectorAssembler(inputCols=counted, outputCol=f"{name}_all"), IDF(inputCol=f"{name}_all", outputCol=f"{name}_idf"),
               Normalizer(inputCol=f"{name}_idf", outputCol=f"{name}_normed")]
    return Step(tuple(stages), (f"{name}_normed",))


def _some(names: Sequence[Any], where: str) -> None:
    if not names:
        raise UsageError(f"{where}: no column or length given")
