"""Steps of a pipeline: functions that give spark.ml stages for columns, named by what they read, so that they can be put together.

Each gives a `Step`: stages in their order, and the columns that they add. Nothing is fitted here; all of it is fitted with the
pipeline, on the train part. A stage needs an active classic session when it is made.

Steps of columns: `text`, `categories`, `indexed`, `hashed`, `target_means`, `dates`, `logarithm`, `numbers`. Steps of steps, which choose
or compress what others made: `variance`, `univariate`, `pca`, `svd`. As `fit` of a training may have them:

    words = steps.svd(steps.text("note"), components=50)
    rest = steps.univariate(steps.categories(["shop"]), steps.numbers(["amount"]), most=20)
    return steps.pipeline(words, rest, steps.target_means(["customer"], by=["paid_at"]), model=LogisticRegression(maxIter=50))

Sources are merged before the split, in `build`: `transforms.joins.lookup` takes columns of a table by key, `ml.splits.as_of` as they stood
at the row's time; both give one row for each row. Classes are balanced after it, on the train part: `Training(balance=Balance("under"))`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError

if TYPE_CHECKING:
    from pyspark.ml import Pipeline

__all__ = ["Step", "categories", "dates", "hashed", "indexed", "logarithm", "numbers", "pca", "pipeline", "svd", "target_means", "text",
           "univariate", "variance"]


@dataclass(frozen=True)
class Step:
    """Stages in their order, and the columns that the next step takes from them."""

    stages: tuple[Any, ...]
    outputs: tuple[str, ...]


def text(
    column: str,
    *,
    words: Sequence[int] = (1, 2),
    characters: Sequence[int] = (),
    pattern: str = r"[a-z']+|[!?]+|\d+",
    stop_words: Sequence[str] = (),
    least: int = 1,
    least_characters: int = 2,
    binary: bool = True,
    most: int = 1 << 18,
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
    """One-hot columns of categories, the most frequent first; what was not seen, or null, is one of its own (`keep`), or fails."""
    from pyspark.ml.feature import OneHotEncoder, StringIndexer

    _some(columns, "steps.categories")
    indexed, hot = [f"{c}_index" for c in columns], [f"{c}_hot" for c in columns]
    indexer = StringIndexer(inputCols=list(columns), outputCols=indexed, handleInvalid=unseen, stringOrderType="frequencyDesc")
    return Step((indexer, OneHotEncoder(inputCols=indexed, outputCols=hot, dropLast=drop_last, handleInvalid=unseen)), tuple(hot))


def indexed(columns: Sequence[str], *, unseen: str = "keep") -> Step:
    """Categories as their numbers, the most frequent first, for trees: these take such columns as categories, not as quantities.

    A tree's `maxBins` must be at least the number of categories, and one for what was not seen, or null (`keep`).
    """
    from pyspark.ml.feature import StringIndexer

    _some(columns, "steps.indexed")
    outputs = tuple(f"{c}_index" for c in columns)
    indexer = StringIndexer(inputCols=list(columns), outputCols=list(outputs), handleInvalid=unseen, stringOrderType="frequencyDesc")
    return Step((indexer,), outputs)


def hashed(columns: Sequence[str], *, features: int = 1 << 12) -> Step:
    """Categories of any number as 1 in one of `features` places, by a hash of column and value; null is nowhere.

    Nothing is learned, so that a new value is no other than a known one; two that meet in a place are one to the model. The hashing
    trick: Weinberger et al. 2009.

    Args:
        columns: texts, booleans, or numbers that stand for categories.
        features: best a power of two, and some times the number of categories.
    """
    from pyspark.ml.feature import FeatureHasher

    _some(columns, "steps.hashed")
    name = f"{columns[0]}_hashed"
    return Step((FeatureHasher(inputCols=list(columns), outputCol=name, categoricalCols=list(columns), numFeatures=features),), (name,))


def target_means(
    columns: Sequence[str],
    *,
    smoothing: float = 20.0,
    by: Sequence[str] = (),
    folds: int = 5,
    most: int = 10_000,
    label: str = "target",
) -> Step:
    """Categories as the mean of the label with each, as `COLUMN_mean`: for categories of great number (`encoding.TargetMeans`).

    Without `by` a train row's own label is in its mean, and a model trusts it too much; smoothing is then the only remedy.

    Args:
        columns: texts, whole numbers or booleans.
        smoothing: how many rows the mean of all counts for; null, and what was not seen, gets the mean of all.
        by: features that tell rows apart (a time, an amount): a row is then encoded by the rows of the other folds alone.
        folds: into how many folds a hash of `by` divides the rows.
        most: a column with more categories than this is refused when it is fitted (`too_many_categories`).
        label: the column of the label, as a training has it.
    """
    from sparkkit.ml.encoding import TargetMeans

    _some(columns, "steps.target_means")
    outputs = tuple(f"{c}_mean" for c in columns)
    encoder = TargetMeans(inputCols=columns, outputCols=outputs, labelCol=label, smoothing=smoothing, by=by, folds=folds, most=most)
    return Step((encoder,), outputs)


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


def numbers(
    columns: Sequence[str],
    *,
    missing: str = "median",
    value: float = 0.0,
    indicator: bool = False,
    clip: tuple[float, float] | None = None,
    scale: str = "standard",
) -> Step:
    """Numeric columns, filled, clipped and scaled, in one vector.

    Args:
        missing: what fills a null or NaN: `mean`, `median` or `mode` of the train part, or `constant`: `value`.
        indicator: adds, for each column, whether it was missing.
        clip: the quantiles of the train part beyond which a value is an outlier and is set to them, such as (0.01, 0.99).
        scale: `standard` (mean 0, deviation 1), `minmax`, `robust` (median and quartiles) or `none`.
    """
    from pyspark.ml.feature import Imputer, MinMaxScaler, RobustScaler, StandardScaler, VectorAssembler

    from sparkkit.ml.stages import Clip, Fill, MissingIndicator

    _some(columns, "steps.numbers")
    name, sources, stages = "numbers_" + columns[0], list(columns), list[Any]()
    flags = [f"{c}_missing" for c in columns] if indicator else []
    if indicator:
        stages.append(MissingIndicator(inputCols=sources, outputCols=flags))
    filled = [f"{c}_filled" for c in columns]
    constant = missing == "constant"
    stages.append(Fill(sources, filled, value) if constant else Imputer(inputCols=sources, outputCols=filled, strategy=missing))
    sources = filled
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


def variance(*steps: Step, least: float = 0.0) -> Step:
    """Of what the steps made, the features whose variance in the train part is greater than `least`.

    Raises (when it is fitted):
        Spark's error, where none is.
    """
    from pyspark.ml.feature import VarianceThresholdSelector

    return _of(steps, "variance", lambda source, name: VarianceThresholdSelector(
        featuresCol=source, outputCol=name, varianceThreshold=least))


def univariate(*steps: Step, most: int = 100, test: str = "anova", label: str = "target") -> Step:
    """Of what the steps made, the `most` features that each alone say most about the class.

    Args:
        most: how many; all, where there are fewer.
        test: `anova` (F, for numbers) or `chi2` (for features of few values, such as one-hot columns: at most 10,000).
        label: the column of the label, as a training has it.

    Such a choice sees no features that say something only together.
    """
    from pyspark.ml.feature import UnivariateFeatureSelector

    kinds = {"anova": "continuous", "chi2": "categorical"}
    if test not in kinds or most < 1:
        raise UsageError(f"steps.univariate: test is {test!r}, most {most}", hint="give anova or chi2, and 1 or more")

    def selector(source: str, name: str) -> Any:
        made = UnivariateFeatureSelector(featuresCol=source, outputCol=name, labelCol=label, selectionMode="numTopFeatures")
        return made.setFeatureType(kinds[test]).setLabelType("categorical").setSelectionThreshold(most)

    return _of(steps, "univariate", selector)


def pca(*steps: Step, components: int) -> Step:
    """What the steps made, on its principal components (Pearson 1901): for some thousand features at most, which are dense then.

    Scale numbers first, or the greatest decide. The rows are not centred, which moves all of them alike.
    """
    from pyspark.ml.feature import PCA

    return _of(steps, "pca", lambda source, name: PCA(k=components, inputCol=source, outputCol=name))


def svd(*steps: Step, components: int) -> Step:
    """What the steps made, on its greatest singular vectors: for sparse features of any number, such as of texts (`decomposition.SVD`)."""
    from sparkkit.ml.decomposition import SVD

    return _of(steps, "svd", lambda source, name: SVD(components, source, name))


def pipeline(*steps: Step, model: Any) -> Pipeline:
    """The steps one after the other, their outputs in one vector `features`, and the model that reads it.

    The model's label column is set to `target`, as a training has it, where none was set.
    """
    from pyspark.ml import Pipeline

    if model.hasParam("labelCol") and not model.isSet("labelCol"):
        model.setLabelCol("target")
    return Pipeline(stages=[*_together(steps, "features"), model])


def _together(steps: Sequence[Step], name: str) -> list[Any]:
    """The stages of the steps, and their outputs in one vector."""
    from pyspark.ml.feature import VectorAssembler

    outputs = [output for step in steps for output in step.outputs]
    _some(outputs, "steps")
    together = VectorAssembler(inputCols=outputs, outputCol=name, handleInvalid="keep")
    return [*(stage for step in steps for stage in step.stages), together]


def _of(steps: Sequence[Step], kind: str, stage: Callable[[str, str], Any]) -> Step:
    """A step of steps: one stage over all that they made."""
    _some(steps, f"steps.{kind}")
    name = f"{steps[0].outputs[0]}_{kind}"
    return Step((*_together(steps, f"{name}_of"), stage(f"{name}_of", name)), (name,))


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
    stages += [
        VectorAssembler(inputCols=counted, outputCol=f"{name}_all"),
        IDF(inputCol=f"{name}_all", outputCol=f"{name}_idf"),
        Normalizer(inputCol=f"{name}_idf", outputCol=f"{name}_normed"),
    ]
    return Step(tuple(stages), (f"{name}_normed",))


def _some(names: Sequence[Any], where: str) -> None:
    if not names:
        raise UsageError(f"{where}: no column, length or step given")
