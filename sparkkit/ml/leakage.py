"""Guards against leaks: what would make a model's figures better than it is, each a frame of findings, none where all is well.

Kaufman et al., Leakage in data mining (2012) and Kapoor and Narayanan, Leakage and the reproducibility crisis (2023) name the kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.ml.splits import SPLIT, TEST, TRAIN, normalised
from sparkkit.transforms.names import col, cols, type_of

__all__ = ["FINDINGS", "GUARDS", "changed", "duplicates", "entities", "from_the_future", "out_of_time", "tells_the_label"]

FINDINGS = "guard string, finding string"
"""The columns of what a guard gives: its name, and a sentence."""

GUARDS: Mapping[str, str] = {
    "duplicates": "the same example, but for case and blanks, is on both sides of the split",
    "entities": "an entity is on both sides",
    "out_of_time": "a train row is not before the test part, or has no time",
    "from_the_future": "a feature was known only after the time at which it is asked for",
    "tells_the_label": "a single feature tells the label almost perfectly",
    "before_the_split": "features of train rows depend on test rows: something was computed over all rows before the split",
    "after_the_outcome": "a feature is known only after the outcome, as its contract says",
    "identifier": "a key of the contract is a feature",
    "fitted_before": "a stage of the pipeline was fitted before the split",
    "saw_others": "a fitted stage is not what the train part alone gives",
    "target_inside": "a stage of the pipeline reads the label",
}
"""Each guard: what it finds."""

BUCKETS, BINS = 4096, 64


def duplicates(parts: DataFrame, features: Sequence[str]) -> DataFrame:
    """Test rows whose normalised features a train row has, too."""
    key = F.xxhash64(*normalised(parts, features)).alias("_key")
    both = _labelled(parts).groupBy(key).agg(_n(SPLIT, TRAIN).alias("_train"), _n(SPLIT, TEST).alias("_test"))
    found = both.where((F.col("_train") > 0) & (F.col("_test") > 0)).agg(F.sum("_test").alias("n"))
    return _found(found, "duplicates", F.col("n") > 0, F.format_string("%d examples of the test part stand in the train part, too", "n"))


def entities(parts: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Values of the entity's columns that are on both sides."""
    both = _labelled(parts).groupBy(*cols(keys)).agg(_n(SPLIT, TRAIN).alias("_train"), _n(SPLIT, TEST).alias("_test"))
    found = both.where((F.col("_train") > 0) & (F.col("_test") > 0)).agg(F.count(F.lit(1)).alias("n"))
    said = F.format_string(f"%d values of {', '.join(keys)} are on both sides", "n")
    return _found(found, "entities", F.col("n") > 0, said)


def out_of_time(parts: DataFrame, at: str) -> DataFrame:
    """Train rows at or after the first test row, or without a time."""
    test, time = F.col(SPLIT) == TEST, col(at)
    first = _labelled(parts).agg(F.min(F.when(test, time)).alias("_first"))
    late = (F.col(SPLIT) == TRAIN) & (time.isNull() | (time >= F.col("_first")))
    found = (
        _labelled(parts).crossJoin(F.broadcast(first)).agg(F.count(F.when(late, 1)).alias("n"), F.first("_first").cast("string").alias("t"))
    )
    said = F.format_string(f"%d train rows are not before the test part, which begins at %s of {at}", "n", "t")
    return _found(found, "out_of_time", F.col("n") > 0, said)


def from_the_future(parts: DataFrame, at: str, stamps: Mapping[str, str]) -> DataFrame:
    """Rows with a feature that was known only after their time."""
    named = list(stamps.items())
    late = [F.count(F.when(col(stamp) > col(at), 1)).alias(f"_{i}") for i, (_, stamp) in enumerate(named)]
    each = F.explode(
        F.array(
            *(
                F.struct(F.lit(feature).alias("feature"), F.lit(stamp).alias("stamp"), F.col(f"_{i}").alias("n"))
                for i, (feature, stamp) in enumerate(named)
            )
        )
    )
    found = _labelled(parts).agg(*late).select(each.alias("_")).select("_.*")
    said = F.format_string(f"feature %s was known only after {at} in %d rows (by %s)", "feature", "n", "stamp")
    return _found(found, "from_the_future", F.col("n") > 0, said)


def tells_the_label(parts: DataFrame, features: Sequence[str], target: str, *, classes: int = 2, most: float = 0.98) -> DataFrame:
    """Features that alone tell the label: what a value meant in the train part is asked of the test part.

    A numeric feature is cut into 64 bins of equal probability of the train part; any other is taken as it is, in 4,096 places by hash; null
    is a value. A value means the class that is most frequent with it against elsewhere. Found where the mean of the classes' recalls
    (balanced accuracy) is at least `most`. An identifier is not found: its values do not come again. `target` holds the places of the
    classes, from 0.
    """
    some = [n for n in features if not isinstance(type_of(parts, n), T.ArrayType | T.MapType | T.StructType)]
    if not some:
        return _none(parts)
    known = _labelled(parts)
    numeric = [n for n in some if isinstance(type_of(parts, n), T.NumericType | T.DateType | T.TimestampType | T.TimestampNTZType)]
    train = F.col(SPLIT) == TRAIN
    cuts = [
        F.percentile_approx(F.when(train, _number(known, n)), [i / BINS for i in range(1, BINS)], 1000).alias(f"_c{some.index(n)}")
        for n in numeric
    ]
    placed = known.crossJoin(F.broadcast(known.agg(*cuts))) if cuts else known
    places = [F.struct(F.lit(i).alias("f"), _bin(known, n, f"_c{i}") if n in numeric else _bucket(n)) for i, n in enumerate(some)]
    each = placed.select((F.col(SPLIT) == TEST).alias("test"), col(target).alias("y"), F.explode(F.array(*places)).alias("_"))
    sides = ("train", False), ("test", True)
    named = [(f"{side}{y}", (F.col("test") == test) & (F.col("y") == y)) for y in range(classes) for side, test in sides]
    counts = each.groupBy("_.f", "_.p").agg(*(F.count(F.when(condition, 1)).alias(name) for name, condition in named))
    whole = Window.partitionBy("f")
    totalled = counts.select("*", *(F.sum(name).over(whole).alias(f"all_{name}") for name, _ in named))
    shares = [F.when(F.col(f"all_train{y}") > 0, F.col(f"train{y}") / F.col(f"all_train{y}")).otherwise(0.0) for y in range(classes)]
    most_likely, means = F.greatest(*shares), F.lit(0)
    for y in reversed(range(classes)):  # of equal ones the first
        means = F.when(shares[y] == most_likely, y).otherwise(means)
    right = [F.sum(F.when(F.col("means") == y, F.col(f"test{y}")).otherwise(0)) for y in range(classes)]
    there = [F.first(f"all_test{y}") for y in range(classes)]
    found = totalled.withColumn("means", means).groupBy("f").agg(
        F.array(*(F.when(n > 0, hits / n) for hits, n in zip(right, there, strict=True))).alias("recalls")
    )
    known_recalls = F.filter("recalls", lambda recall: recall.isNotNull())
    mean = F.aggregate(known_recalls, F.lit(0.0), lambda total, recall: total + recall) / F.size(known_recalls)
    names = F.element_at(F.array(*(F.lit(n) for n in some)), F.col("f") + 1)
    said = F.format_string("feature %s alone tells the label in %.1f %% of the rows of each class", names, 100 * F.col("mean"))
    return _found(found.withColumn("mean", mean), "tells_the_label", F.col("mean") >= most, said)


def changed(parts: DataFrame, without: DataFrame, features: Sequence[str]) -> DataFrame:
    """Train rows whose features are others when `build` is given no test rows: `without` are the examples made so."""

    def hashed(rows: DataFrame, sign: int) -> DataFrame:
        return rows.select(F.xxhash64(*(_steady(rows, n) for n in features)).alias("_key"), F.lit(sign).alias("_sign"))

    train = parts.where(F.col(SPLIT) == TRAIN)
    both = hashed(train, 1).unionAll(hashed(without, -1)).groupBy("_key").agg(F.sum("_sign").alias("_n"))
    found = both.agg(F.sum(F.greatest(F.col("_n"), F.lit(0))).alias("n"))
    said = F.format_string("%d train rows have other features when the test rows are not there", "n")
    return _found(found, "before_the_split", F.col("n") > 0, said)


def together(findings: Sequence[DataFrame]) -> DataFrame:
    """Several guards' findings in one frame."""
    return reduce(DataFrame.unionAll, findings)


def _steady(rows: DataFrame, name: str) -> Column:
    """Floating point to nine digits: a mean over other partitions is not another feature."""
    return F.round(col(name), 9) if isinstance(type_of(rows, name), T.DoubleType | T.FloatType) else col(name)


def _labelled(parts: DataFrame) -> DataFrame:
    return parts.where(F.col(SPLIT).isNotNull())


def _n(column: str, value: str) -> Column:
    return F.count(F.when(F.col(column) == value, 1))


def _number(rows: DataFrame, name: str) -> Column:
    timed = isinstance(type_of(rows, name), T.DateType | T.TimestampType | T.TimestampNTZType)
    return (col(name).cast("timestamp") if timed else col(name)).cast("double")


def _bin(rows: DataFrame, name: str, cuts: str) -> Column:
    number = _number(rows, name)
    at = F.size(F.filter(F.col(cuts), lambda cut: cut < number))
    return F.when(number.isNull() | F.col(cuts).isNull(), -1).otherwise(at).cast("int").alias("p")


def _bucket(name: str) -> Column:
    return F.when(col(name).isNull(), -1).otherwise(F.pmod(F.xxhash64(col(name)), F.lit(BUCKETS))).cast("int").alias("p")


def _found(rows: DataFrame, guard: str, where: Column, said: Column) -> DataFrame:
    return rows.where(where).select(F.lit(guard).alias("guard"), said.alias("finding"))


def _none(parts: DataFrame) -> DataFrame:
    return parts.select(F.lit("").alias("guard"), F.lit("").alias("finding")).where(F.lit(False))
