"""Drift: whether new data are still of the distribution that a model was trained on, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError, nearest
from sparkkit.monitoring import judging, statistics
from sparkkit.monitoring.profile import Feature, bins, bins_of, counts, features, is_profile
from sparkkit.transforms.shipping import by_value

LIMITS: Mapping[str, tuple[float, float]] = {
    "missing": (0.005, 0.05),
    "ks": (0.003, 0.1),
    "psi": (0.1, 0.2),
    "chi_square": (0.1, 0.2),
    "jensen_shannon": (0.1, 0.2),
    "largest_change": (0.005, 0.1),
    "outside_range": (0.001, 0.05),
    "new_categories": (0.001, 0.05),
}
"""From which size on a measure is a warning, and an alarm. `missing`, `largest_change`, `outside_range` and `new_categories` are
shares of rows, and so is `ks` (at least so many rows changed); for `psi` 0.1 and 0.2 are the industry's (Siddiqi 2006);
`chi_square` is Cohen's w."""

VERDICTS = (
    "feature string, role string, kind string, measure string, value double, warn_at double, alarm_at double, statistic double,"
    " p_value double, p_adjusted double, severity string, reference_rows bigint, current_rows bigint, detail string, bins string"
)
"""The columns of a verdict table. `role` is `feature`, `prediction` or `metric`; `bins` (in the row of `psi`) is a JSON list of
`{"bin", "reference", "current"}`, rows by bin, for plots."""


def drift(
    reference: DataFrame, current: DataFrame, *, only: Sequence[str] = (), categorical: Sequence[str] = (), ignore: Sequence[str] = (),
    predictions: Sequence[str] = (), alpha: float = 0.01, limits: Mapping[str, tuple[float, float]] | None = None,
) -> DataFrame:
    """A row for each feature and measure (`VERDICTS`), with a severity: `none`, `warning` or `alarm`.

    Measures: `missing` (nulls and NaN; change of their share), `largest_change` (of the share of any bin or category), for numbers
    `ks` and `outside_range` (rows beyond the reference's least or greatest value), for categories `new_categories`; for both
    `psi`, `chi_square` and `jensen_shannon` on ten merged bins or the twenty most frequent categories and the rest. A feature that
    one side lacks, has of another kind or has no row for is an alarm (`column`).

    A row is reported only if it is significant *and* large enough. Significance holds over the whole table: without any drift, the
    chance that one row or more is reported is at most `alpha`, for any number of features (Holm 1979), however small the samples.
    Size keeps a trivial shift among millions of rows, which is always significant, from waking anyone. `statistics` names the methods.

    Law: lazy; one pass over the current data, up to three over a reference, none over one that is a profile. Nothing is collected: bins
    and counts stay in the cluster, and the tests are one task over profiles (about 260 rows a feature). Needs NumPy, pandas,
    pyarrow and scipy on the workers, and no sparkkit.

    Args:
        reference: the data that the model was trained on, or their `profile`.
        current: the data to judge, or a profile of them like the reference's.
        only: the features; default all numbers, dates, times, texts and booleans of both. Leave out what only grows, by `ignore`.
        categorical: numeric columns whose values are codes.
        ignore: columns to leave out.
        predictions: which of the features are a model's answers; they are told apart in `role`.
        alpha: the chance of any report where nothing drifted.
        limits: other sizes, by measure: (warning, alarm).

    Raises:
        UsageError: a column that is not there (`no_column`), an unknown measure or a level that is none (`wrong_option`), nothing to
            watch (`no_features`), or a current profile without a reference profile (`wrong_use`).

    Example: `drift(train, today, ignore=["id"]).where("severity <> 'none'")`.
    """
    level, sizes = _level(alpha), {**LIMITS, **_limits(limits or {})}
    sides = [None if is_profile(one) else _some(one, only, categorical, ignore) for one in (reference, current)]
    kinds = [None if some is None else {one.name: one.kind for one in some} for some in sides]
    judge = judging.Judge(level, sizes, tuple(predictions), *kinds)
    before, now = (_chosen(one, only, ignore) for one in _profiles(reference, current, *sides))
    keys = [F.col(name) for name in ("feature", "kind", "bin", "low", "high", "category")]
    nothing = F.lit(None).cast("bigint")
    both = before.select(*keys, F.col("rows").alias("reference"), nothing.alias("current")).unionByName(
        now.select(*keys, nothing.alias("reference"), F.col("rows").alias("current")))
    found = both.groupBy().applyInPandas(by_value(judge.table, [judging, statistics]), VERDICTS)
    return found.select(*[F.nanvl(c, F.lit(None).cast("double")).alias(c) if t == "double" else F.col(c) for c, t in found.dtypes])


def _profiles(
    reference: DataFrame, current: DataFrame, known: Sequence[Feature] | None, some: Sequence[Feature] | None,
) -> tuple[DataFrame, DataFrame]:
    """The profiles of both in the same bins; features are None where a profile is given."""
    if known is None:
        return reference, current if some is None else counts(current, some, bins_of(reference))
    if some is None:
        raise UsageError("the current data are a profile, and the reference is none, so their bins differ", reason="wrong_use",
                         hint="profile the reference too, and the current data by profile(…, like=reference)")
    binned = bins(reference, known)
    return counts(reference, known, binned), counts(current, some, binned)


def _chosen(profiled: DataFrame, only: Sequence[str], ignore: Sequence[str]) -> DataFrame:
    kept = profiled.where(F.col("feature").isin(*only)) if only else profiled
    return kept.where(~F.col("feature").isin(*ignore)) if ignore else kept


def _some(df: DataFrame, only: Sequence[str], categorical: Sequence[str], ignore: Sequence[str]) -> tuple[Feature, ...]:
    found = features(df, only=only, categorical=categorical, ignore=ignore)
    if not found:
        raise UsageError("there is no column to watch", reason="no_features", hint="numbers, dates, times, texts and booleans can be")
    return found


def _level(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha}, and no chance between 0 and 1", reason="wrong_option")
    return alpha


def _limits(given: Mapping[str, tuple[float, float]]) -> Mapping[str, tuple[float, float]]:
    for name, pair in given.items():
        if name not in LIMITS:
            close = nearest(name, LIMITS)
            raise UsageError(f"there is no measure {name!r}", reason="wrong_option",
                             hint=f"did you mean {close!r}?" if close else f"there are {', '.join(LIMITS)}")
        if len(pair) != 2 or not 0 <= pair[0] <= pair[1]:
            raise UsageError(f"the limits of {name!r} are {pair}, and not two sizes, of a warning and of an alarm", reason="wrong_option")
    return given


def limits_of(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Limits out of words such as `psi=0.1,0.2`.

    Raises:
        UsageError: a word that is none (`wrong_option`).

    >>> limits_of(["psi=0.1,0.25"])
    {'psi': (0.1, 0.25)}
    """
    found = {}
    for text in texts:
        name, _, sizes = text.partition("=")
        try:
            warn_at, alarm_at = (float(one) for one in sizes.split(","))
        except ValueError:
            raise UsageError(f"limit {text!r} is not MEASURE=WARNING,ALARM", reason="wrong_option", hint="such as psi=0.1,0.2") from None
        found[name] = (warn_at, alarm_at)
    return found
