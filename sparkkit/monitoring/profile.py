"""The profile of a data set: for each feature the rows in each bin or category, small enough to be kept beside a model.

Bins come from the reference: of a numeric feature about 260 of equal frequency, finer in the tails, and one for each value
that many rows share (an atom); of a categorical one its most frequent values. Counting is one pass, and each count is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError, nearest
from sparkkit.monitoring import counting
from sparkkit.schema.types import quote
from sparkkit.transforms.shipping import by_value

SCHEMA = "feature string, kind string, bin int, low double, high double, category string, rows bigint"
"""The columns of a profile. `bin` rises with the values; -1 counts what is missing (null or NaN), -2 categories that the reference
does not list. `low` and `high` bound a numeric bin, `low` included; null is unbounded."""

TAILS = (0.0005, 0.001, 0.002)
SHARES = (*TAILS, *(k / 256 for k in range(1, 256)), *(1 - share for share in reversed(TAILS)))
"""The ranks of a reference at which its numeric bins are cut, beside its least and its greatest value."""

ACCURACY = 10_000
"""Of percentile_approx: a cut's rank is off by at most 0.0001. That moves a bin's edge, and no count."""

TOP, CUT = 1_000, 200
"""How many values of a categorical feature are listed; texts are cut to so many characters."""

_NUMERIC = (T.NumericType, T.DateType, T.TimestampType, T.TimestampNTZType)
_CATEGORICAL = (T.StringType, T.BooleanType)
_FEATURE = "struct<feature:string,kind:string,cuts:array<double>,categories:array<string>>"


@dataclass(frozen=True)
class Feature:
    """A column that is watched: its name, `numeric` or `categorical`, and the value that is counted, as a double or a text."""

    name: str
    kind: str
    value: Column


def features(
    df: DataFrame, *, only: Sequence[str] = (), categorical: Sequence[str] = (), ignore: Sequence[str] = (),
) -> tuple[Feature, ...]:
    """The columns of a frame that can be watched: numbers, dates and times (as days and seconds), texts and booleans.

    Args:
        df: the data.
        only: the columns to watch; default all that can be. Columns that only grow (a key, the time of the event) drift by
            themselves: name them in `ignore`.
        categorical: numeric columns whose values are codes.
        ignore: columns to leave out; a name that the frame does not have says nothing.

    Raises:
        UsageError: a column of `only` or `categorical` that is not there (`no_column`), or can't be watched (`wrong_type`).
    """
    fields = {f.name: f.dataType for f in df.schema.fields}
    for name in (*only, *categorical):
        if name not in fields:
            close = nearest(name, fields)
            raise UsageError(f"there is no column {name!r}", reason="no_column", hint=f"did you mean {close!r}?" if close else None)
        if name in only and not isinstance(fields[name], (*_NUMERIC, *_CATEGORICAL)):
            raise UsageError(f"column {name!r} is {fields[name].simpleString()}, which has no distribution to watch", reason="wrong_type",
                             hint="leave it out, or make columns of what it holds")
    wanted = [name for name in (only or fields) if name not in ignore]
    found = [_feature(name, fields[name], name in categorical) for name in wanted]
    return tuple(one for one in found if one)


def _feature(name: str, dtype: T.DataType, coded: bool) -> Feature | None:
    column = F.col(quote(name))
    if isinstance(dtype, _CATEGORICAL) or coded:
        return Feature(name, "categorical", F.substring(column.cast("string"), 1, CUT))
    if isinstance(dtype, T.DateType):
        return Feature(name, "numeric", F.unix_date(column).cast("double"))
    if isinstance(dtype, T.TimestampNTZType):
        column = column.cast("timestamp")
    return Feature(name, "numeric", column.cast("double")) if isinstance(dtype, _NUMERIC) else None


def bins(reference: DataFrame, some: Sequence[Feature], *, top: int = TOP) -> DataFrame:
    """One row with the bins of each feature, as an array: two passes over a reference, one where no feature is categorical.

    Args:
        reference: the data.
        some: its features.
        top: how many values of a categorical feature are listed.
    """
    numeric = [one for one in some if one.kind == "numeric"]
    categorical = [one for one in some if one.kind == "categorical"]
    cuts = reference.agg(F.array(*[_cut(one) for one in numeric]).cast(f"array<{_FEATURE}>").alias("bins"))
    parts = [cuts, _listed(reference, categorical, top)] if categorical else [cuts]
    # a union, for a join of two single rows becomes a subquery, which is computed for each column that is taken of it
    return reduce(DataFrame.unionByName, parts).agg(F.flatten(F.collect_list("bins")).alias("bins"))


def _cut(one: Feature) -> Column:
    """The cuts of a numeric feature, the greatest value twice: it closes the range."""
    value = F.nullif(one.value, F.lit(float("nan")))
    greatest = F.max(value)
    every = F.concat(F.array(F.min(value)), F.percentile_approx(value, list(SHARES), ACCURACY), F.array(greatest, greatest))
    cuts = F.when(greatest.isNotNull(), every).otherwise(F.array().cast("array<double>"))
    return F.struct(F.lit(one.name).alias("feature"), F.lit("numeric").alias("kind"), cuts.alias("cuts"),
                    F.array().cast("array<string>").alias("categories"))


def _listed(reference: DataFrame, some: Sequence[Feature], top: int) -> DataFrame:
    """One row with the most frequent values of each feature, the most frequent first."""
    pairs = F.array(*[F.struct(F.lit(one.name).alias("feature"), one.value.alias("value")) for one in some])
    each = reference.select(F.explode(pairs).alias("p")).select("p.*")
    order = Window.partitionBy("feature").orderBy(F.col("value").isNull(), F.desc("n"), "value")
    most = each.groupBy("feature", "value").agg(F.count("*").alias("n")).withColumn("place", F.row_number().over(order))
    pair = F.when(F.col("value").isNotNull(), F.struct("place", "value"))
    ranked = most.where(F.col("place") <= top).groupBy("feature").agg(F.sort_array(F.collect_list(pair)).alias("v"))
    told = F.struct("feature", F.lit("categorical").alias("kind"), F.array().cast("array<double>").alias("cuts"),
                    F.col("v.value").alias("categories"))
    return ranked.agg(F.collect_list(told.cast(_FEATURE)).alias("bins"))


def bins_of(profiled: DataFrame) -> DataFrame:
    """The bins that a profile was counted in, as `bins` gives them: other data can be counted in the same."""
    listed = F.sort_array(F.collect_list(F.when(F.col("category").isNotNull() & (F.col("bin") >= 0), F.struct("bin", "category"))))
    each = profiled.groupBy("feature", "kind").agg(F.sort_array(F.collect_list("low")).alias("cuts"), listed.alias("c"))
    one = F.struct("feature", "kind", "cuts", F.col("c.category").alias("categories")).cast(_FEATURE)
    return each.agg(F.collect_list(one).alias("bins"))


def counts(df: DataFrame, some: Sequence[Feature], binned: DataFrame) -> DataFrame:
    """The rows of a frame in each of the bins of the features that it has: one pass, a few rows a task, then their sums.

    The bins reach the tasks in the first row of each partition, by a join with one broadcast row; so nothing is collected.
    """
    counter = counting.Counter({one.name: one.kind for one in some})
    # without the generator Spark would number the rows of a literal table while it plans, before they are in partitions
    values = df.select(*[one.value.alias(f"c{i}") for i, one in enumerate(some)], F.explode(F.array(F.lit(1))).alias("first"))
    rows = values.withColumn("first", F.monotonically_increasing_id() % F.lit(1 << 33) == 0)
    carried = rows.join(F.broadcast(binned.select(F.lit(True).alias("first"), "bins")), "first", "left").drop("first")
    found = carried.mapInArrow(by_value(counter.counted, [counting]), SCHEMA)
    keys = [name for name in found.columns if name != "rows"]
    return found.groupBy(*keys).agg(F.sum("rows").alias("rows"))


def profile(
    df: DataFrame, *, only: Sequence[str] = (), categorical: Sequence[str] = (), ignore: Sequence[str] = (), top: int = TOP,
    like: DataFrame | None = None,
) -> DataFrame:
    """The profile of a data set, a row a feature and bin (`SCHEMA`); keep a reference's, and `drift` needs the new data alone.

    Memory and size are bounded: about 260 rows a numeric feature, `top` and a few a categorical one. Nothing is computed here.
    Workers need pandas, pyarrow and NumPy, but no sparkkit.

    Args:
        df: the data.
        only: the columns to profile; default all numbers, dates, times, texts and booleans.
        categorical: numeric columns whose values are codes.
        ignore: columns to leave out.
        top: how many values of a categorical feature are listed; a feature with more can't tell new ones.
        like: a profile whose bins are taken; default the data's own.

    Raises:
        UsageError: a column that is not there, or can't be profiled.

    Example: `reference.transform(profile, ignore=["id"])` has for a boolean column `b` the rows
    `(b, categorical, 0, null, null, 'true', 61)`, `(b, …, 1, …, 'false', 39)`, `(b, …, -2, …, null, 0)` and `(b, …, -1, …, null, 0)`.
    """
    some = features(df, only=only, categorical=categorical, ignore=ignore)
    if like is not None:
        return counts(df, some, bins_of(like))
    return counts(df, some, bins(df, some, top=top))


def is_profile(df: DataFrame) -> bool:
    """Whether a frame has the columns of a profile, and no others."""
    return set(df.columns) == {part.split()[0] for part in SCHEMA.split(", ")}
