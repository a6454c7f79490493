"""Train and test parts that are the same every time, and on whose two sides nothing stands twice.

The side of a row follows from a hash of its key, or from its time; never from its place, so that new rows, other
partitions and another cluster move no row. Thresholds come from counts in 65,536 places, which any order of the rows gives alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, free, need, type_of

__all__ = ["SPLIT", "TEST", "TRAIN", "Split", "as_of", "folds", "normalised", "ordered"]

SPLIT, TRAIN, TEST = "split", "train", "test"
"""The column that `Split.apply` adds, and its values."""

_PLACES = 65_536


@dataclass(frozen=True)
class Split:
    """How examples are divided into a train and a test part.

    Args:
        test: the share of the test part, between 0 and 1; not used where `cut` is given.
        keys: the rows of one key are on one side: an entity's (`customer_id`), or what makes two rows the same example. Without keys
            it is the normalised features, so that duplicates are on one side.
        by: columns within each of whose values the share is kept (the label: a stratified split).
        at: a column of time; the train part is then strictly before the test part, and keys are not looked at.
        cut: the first time of the test part, as text of that column's type; without it the time that leaves the share.

    Raises:
        UsageError: a share outside 0 to 1, a cut without a time, keys or strata with a time.

    >>> Split(at="paid", cut="2026-03-01").describe()
    "by time: test from '2026-03-01' of paid on"
    >>> Split(test=0.25, keys=("customer",), by=("label",)).describe()
    '25 % test by hash of customer, in each label'
    """

    test: float = 0.2
    keys: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    at: str = ""
    cut: str = ""

    def __post_init__(self) -> None:
        for name in ("keys", "by"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, (getattr(self, name),))
        if not 0 < self.test < 1:
            raise UsageError(f"a split's test part is {self.test}", reason="wrong_split", hint="give a share between 0 and 1")
        if self.cut and not self.at:
            raise UsageError(f"a split has the cut {self.cut!r} and no column of time", reason="wrong_split", hint="name it by at=")
        if self.at and (self.keys or self.by):
            raise UsageError(f"a split by time ({self.at}) has keys or strata, too", reason="wrong_split", hint="give one or the other")

    def describe(self) -> str:
        """The split in a line, for a card or a report."""
        if self.at:
            return (
                f"by time: test from {self.cut!r} of {self.at} on"
                if self.cut
                else f"by time: the last {self.test:.3g} of {self.at} as test"
            )
        within = f", in each {', '.join(self.by)}" if self.by else ""
        return f"{100 * self.test:.3g} % test by hash of {', '.join(self.keys) or 'the normalised features'}{within}"

    def apply(self, examples: DataFrame, *, features: Sequence[str], seed: int) -> DataFrame:
        """The examples with a column `split`: `train` or `test`.

        Law: each row has one side; rows of one key have the same, whatever the order, partitions or, without `by`, the other rows; by
        time no train row is at or after any test row. A row whose time is null is on the train side, where `leakage` names it.

        Raises:
            UsageError: unknown columns, or there is a column `split` already.
        """
        free(examples, [SPLIT], where="Split.apply")
        if self.at:
            return examples.transform(_timed, self.at, self.cut, self.test)
        need(examples, self.by, where="Split.apply by")
        key = self.keys or tuple(features)
        place = _place(_hash(examples, key, seed))
        if not self.by:
            return examples.withColumn(SPLIT, _side(place >= round((1 - self.test) * _PLACES)))
        return _shared(examples, place, self.by).withColumn(SPLIT, _side(F.col("_share") >= 1 - self.test)).drop("_share", "_place")

    def folds(self, train: DataFrame, *, features: Sequence[str], k: int, seed: int) -> DataFrame:
        """The train part with a column `fold`, by which it is divided as this split divides examples; see `fit_on`.

        By hash as `splits.folds`. By time in k + 1 stretches of as many rows: the first is -1, which is fitted on alone, and the others are
        0 to k - 1. Rows of one time are in one stretch; those without a time in the first.

        Raises:
            UsageError: fewer than two folds, unknown columns, or there is a column `fold` already.
        """
        if not self.at:
            return folds(train, k=k, keys=self.keys or tuple(features), by=self.by, seed=seed)
        _refuse_folds(train, k)
        need(train, self.at, where="Split.folds at")
        shared = _in_time(train, self.at)
        stretch = F.least(F.floor(F.coalesce(F.col("_share"), F.lit(0.0)) * (k + 1)), F.lit(k)).cast("int")
        return shared.withColumn("fold", stretch - 1).drop("_share", "_place", "_number", "_min", "_max")

    def fit_on(self, fold: int) -> Column:
        """The rows to fit on where `fold` is validated: all others; by time those before it (forward chaining, Tashman 2000).

        >>> three = spark.range(3).toDF("fold")
        >>> three.where(Split().fit_on(1)).collect(), three.where(Split(at="paid").fit_on(1)).collect()
        ([Row(fold=0), Row(fold=2)], [Row(fold=0)])
        """
        return F.col("fold") < fold if self.at else F.col("fold") != fold


def folds(examples: DataFrame, *, k: int, keys: str | Sequence[str], by: str | Sequence[str] = (), seed: int) -> DataFrame:
    """The examples with a column `fold`, 0 to k - 1, of equal size within each value of `by`; a key's rows are in one fold.

    Law: the same folds whatever the order and partitions. Sizes differ by the rows of one place in 65,536, and one.

    Raises:
        UsageError: fewer than two folds, unknown columns.

    >>> five = spark.range(1000).transform(folds, k=5, keys="id", seed=17)
    >>> sorted(row["count"] for row in five.groupBy("fold").count().collect())
    [200, 200, 200, 200, 200]
    """
    _refuse_folds(examples, k)
    by = need(examples, by, where="splits.folds by")
    placed = _shared(examples, _place(_hash(examples, need(examples, keys, where="splits.folds keys", some=True), seed)), by)
    return placed.withColumn("fold", F.least(F.floor(F.col("_share") * k), F.lit(k - 1)).cast("int")).drop("_share", "_place")


def ordered(examples: DataFrame, *, by: Sequence[str], seed: int) -> DataFrame:
    """The same rows, in partitions and an order that are the same every time: sums and what is drawn by the row go by them.

    >>> some = spark.range(100).transform(ordered, by=["id"], seed=17).collect()
    >>> some == spark.range(100).orderBy("id", ascending=False).transform(ordered, by=["id"], seed=17).collect()
    True
    """
    key = F.xxhash64(F.lit(seed), *(col(n) for n in by))
    kinds = {f.name: f.dataType.simpleString() for f in examples.schema.fields}
    return examples.repartition(key).sortWithinPartitions(key, *(col(n) for n, k in kinds.items() if "map<" not in k and "vector" not in k))


def normalised(examples: DataFrame, names: Sequence[str]) -> list[Column]:
    """The columns in the form in which two of them are the same example: text in lower case, with single blanks, trimmed."""
    found = []
    for name in names:
        value = col(name)
        if isinstance(type_of(examples, name), T.StringType):
            value = F.trim(F.regexp_replace(F.lower(value), r"\s+", " "))
        found.append(value)
    return found


def as_of(df: DataFrame, table: DataFrame, *, on: str | Sequence[str], at: str, stamp: str, columns: Sequence[str]) -> DataFrame:
    """`df` with columns of `table` as they stood at each row's time: of the rows with its key the last one stamped at or before it.

    A point-in-time join: what was known later is never seen. Law: one row out for each row in. Rows of `table` with a null key or stamp
    are never found; of two with the same key and stamp the greater in the order of `columns` is taken.

    Args:
        on: the key, of the same name on both sides.
        at: the time of a row of `df`, of the type of `stamp`.
        stamp: from when on a row of `table` was known.
        columns: what to take; null where nothing was known yet.

    Raises:
        UsageError: unknown columns, a name taken already.

    >>> pay = spark.createDataFrame([("a", 5), ("a", 1)], "who string, t int")
    >>> risk = spark.createDataFrame([("a", 2, 0.1), ("a", 5, 0.9), ("a", 6, 0.5)], "who string, since int, risk double")
    >>> pay.transform(as_of, risk, on="who", at="t", stamp="since", columns=["risk"]).orderBy("t").collect()
    [Row(who='a', t=1, risk=None), Row(who='a', t=5, risk=0.9)]
    """
    keys = need(df, on, where="splits.as_of on", some=True)
    need(df, at, where="splits.as_of at")
    need(table, [*keys, stamp], where="splits.as_of table")
    wanted = need(table, columns, where="splits.as_of columns", some=True)
    free(df, wanted, where="splits.as_of")
    ours = df.select(
        *[col(n).alias(f"_k{i}") for i, n in enumerate(keys)],
        col(at).alias("_t"),
        F.lit(1).alias("_mine"),
        F.struct(*(col(n) for n in df.columns)).alias("_row"),
        F.lit(None).cast(_struct(table, wanted)).alias("_known"),
    )
    theirs = table.where(col(stamp).isNotNull()).select(
        *[col(n).alias(f"_k{i}") for i, n in enumerate(keys)],
        col(stamp).alias("_t"),
        F.lit(0).alias("_mine"),
        F.lit(None).cast(ours.schema["_row"].dataType).alias("_row"),
        F.struct(*(col(n) for n in wanted)).alias("_known"),
    )
    order = (
        Window.partitionBy(*(f"_k{i}" for i in range(len(keys))))
        .orderBy("_t", "_mine", "_known")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    seen = ours.unionByName(theirs).withColumn("_last", F.last("_known", ignorenulls=True).over(order)).where(F.col("_mine") == 1)
    some = F.lit(True)
    for i in range(len(keys)):
        some = some & F.col(f"_k{i}").isNotNull()
    return seen.select(*(F.col("_row")[n].alias(n) for n in df.columns), *(F.when(some, F.col("_last")[n]).alias(n) for n in wanted))


def _refuse_folds(examples: DataFrame, k: int) -> None:
    if k < 2:
        raise UsageError(f"splits.folds: k is {k}", reason="wrong_split", hint="give 2 or more")
    free(examples, ["fold"], where="splits.folds")


def _struct(table: DataFrame, names: Sequence[str]) -> T.StructType:
    return T.StructType([T.StructField(n, type_of(table, n)) for n in names])


def _hash(examples: DataFrame, names: Sequence[str], seed: int) -> Column:
    need(examples, names, where="Split keys", some=True)
    return F.xxhash64(F.lit(seed), *normalised(examples, names))


def _place(value: Column) -> Column:
    return F.pmod(value, F.lit(_PLACES))


def _side(test: Column) -> Column:
    return F.when(test, TEST).otherwise(TRAIN)


def _shared(examples: DataFrame, place: Column, by: Sequence[str]) -> DataFrame:
    """With `_share`: how much of the row's stratum stands before its place, 0 up to 1."""
    placed = examples.withColumn("_place", place)
    groups = [col(n).alias(f"_by{i}") for i, n in enumerate(by)]
    counts = placed.groupBy(*groups, F.col("_place").alias("_at")).agg(F.count(F.lit(1)).alias("_n"))
    stratum = Window.partitionBy(*(f"_by{i}" for i in range(len(by))))
    before = F.coalesce(F.sum("_n").over(stratum.orderBy("_at").rowsBetween(Window.unboundedPreceding, -1)), F.lit(0))
    shares = counts.withColumn("_share", before / F.sum("_n").over(stratum)).drop("_n")
    same = F.col("_place") == F.col("_at")
    for i, name in enumerate(by):
        same = same & col(name).eqNullSafe(F.col(f"_by{i}"))
    return placed.join(F.broadcast(shares), same, "left").drop("_at", *(f"_by{i}" for i in range(len(by))))


def _timed(examples: DataFrame, at: str, cut: str, test: float) -> DataFrame:
    need(examples, at, where="Split.apply at")
    kind = type_of(examples, at)
    if cut:
        return examples.withColumn(SPLIT, _side(F.coalesce(col(at) >= F.lit(cut).cast(kind), F.lit(False))))
    side = _side(F.coalesce(F.col("_share") >= 1 - test, F.lit(False)))
    return _in_time(examples, at).withColumn(SPLIT, side).drop("_share", "_place", "_number", "_min", "_max")


def _in_time(examples: DataFrame, at: str) -> DataFrame:
    """With `_share`: how much of the rows stands before the row's time; null without one."""
    kind = type_of(examples, at)
    number = (
        col(at).cast("timestamp").cast("double")
        if isinstance(kind, T.DateType | T.TimestampType | T.TimestampNTZType)
        else col(at).cast("double")
    )
    ends = examples.agg(F.min(number).alias("_min"), F.max(number).alias("_max"))
    width = F.greatest((F.col("_max") - F.col("_min")) / (_PLACES - 1), F.lit(1e-9))
    placed = examples.withColumn("_number", number).crossJoin(F.broadcast(ends))
    return _shared(placed, F.floor((F.col("_number") - F.col("_min")) / width), ())
