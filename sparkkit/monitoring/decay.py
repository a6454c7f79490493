"""Concept drift: whether a model's figures on rows whose labels have arrived are worse than those it was accepted with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.monitoring.drift import VERDICTS

LESS_IS_BETTER = ("log_loss", "brier", "calibration_error", "cost", "rmse", "mae")
"""Figures that decay by rising."""

RELATIVE = ("log_loss", "cost", "rmse", "mae")
"""Figures without a scale of their own: their loss is a share of the reference's value."""

NO_QUALITY = ("positive_rate",)
"""Figures that are no better or worse: watch these as predictions, by `drift`."""

LIMITS = (0.01, 0.05)
"""From which loss on a warning, and an alarm: in the figure's own units, or a share (`RELATIVE`)."""

_COLUMNS = ("slice", "metric", "value", "low", "high", "rows")


def decay(
    reference: DataFrame, current: DataFrame, *, metrics: Sequence[str] = (), limits: Mapping[str, tuple[float, float]] | None = None,
) -> DataFrame:
    """A verdict row (`drift.VERDICTS`) for each figure and slice of the reference: how much worse it is now.

    `value` is the loss (positive is worse), `statistic` the least loss that the two intervals allow: a row is reported only where that is
    above 0, and the loss is large enough. The interval of the difference is made of those of its parts, squares summed ("MOVER":
    Zou and Donner 2008, "Construction of confidence intervals about effect measures"; Newcombe 1998). Its level is that of the
    given intervals, for each row: for a level over a whole table, take the intervals at `1 - alpha / rows`.

    Args:
        reference: the figures at training, as `ml.evaluate.binary` gives them: `slice`, `metric`, `value`, `low`, `high`, `rows`.
        current: the same of rows whose labels have arrived since.
        metrics: which figures; default all that tell better from worse.
        limits: other losses by figure: (warning, alarm).

    Raises:
        UsageError: a frame without these columns (`no_column`), or limits that are none (`wrong_option`).

    Example: a ROC AUC of 0.90 (0.88 to 0.92) that is 0.80 (0.77 to 0.83) now has lost 0.10, at least 0.064: an alarm.
    """
    for name, frame in (("reference", reference), ("current", current)):
        lacks = set(_COLUMNS) - set(frame.columns)
        if lacks:
            raise UsageError(f"decay: the {name} figures have no {', '.join(sorted(lacks))}", reason="no_column",
                             hint="give what ml.evaluate gives")
    for name, pair in (limits or {}).items():
        if len(pair) != 2 or not 0 <= pair[0] <= pair[1]:
            raise UsageError(f"the limits of {name!r} are {pair}, and not two losses, of a warning and of an alarm", reason="wrong_option")
    wanted = F.col("metric").isin(*metrics) if metrics else ~F.col("metric").isin(*NO_QUALITY)
    before = reference.where(wanted).select("slice", "metric", *[F.col(c).alias(f"r_{c}") for c in _COLUMNS[2:]])
    now = current.select("slice", "metric", *[F.col(c).alias(f"c_{c}") for c in _COLUMNS[2:]])
    return _judged(before.join(now, ["slice", "metric"], "left"), limits or {})


def _judged(both: DataFrame, limits: Mapping[str, tuple[float, float]]) -> DataFrame:
    rising = F.col("metric").isin(*LESS_IS_BETTER)
    loss = F.when(rising, F.col("c_value") - F.col("r_value")).otherwise(F.col("r_value") - F.col("c_value"))
    best = F.when(rising, F.col("r_high") - F.col("r_value")).otherwise(F.col("r_value") - F.col("r_low"))
    worst = F.when(rising, F.col("c_value") - F.col("c_low")).otherwise(F.col("c_high") - F.col("c_value"))
    scale = F.when(~F.col("metric").isin(*RELATIVE), F.lit(1.0)).when(F.col("r_value") != 0, F.col("r_value"))
    sized = both.select("*", (loss / scale).alias("value"), ((loss - F.sqrt(best * best + worst * worst)) / scale).alias("statistic"),
                        _limit(limits, 0).alias("warn_at"), _limit(limits, 1).alias("alarm_at"))
    sure = F.coalesce(F.col("statistic") > 0, F.lit(False))
    severity = F.when(sure & (F.col("value") >= F.col("alarm_at")), "alarm").when(sure & (F.col("value") >= F.col("warn_at")), "warning")
    found = {
        "feature": F.col("slice"), "role": F.lit("metric"), "kind": F.lit("metric"), "measure": F.col("metric"),
        "severity": severity.otherwise("none"), "reference_rows": F.col("r_rows"), "current_rows": F.coalesce("c_rows", F.lit(0)),
        "detail": F.concat(_told("r_"), F.lit(" at training, and "), _told("c_"), F.lit(" now")),
    }
    pairs = [one.strip().split() for one in VERDICTS.split(",")]
    kept = ("value", "warn_at", "alarm_at", "statistic")
    return sized.select(*[(found.get(n, F.col(n) if n in kept else F.lit(None))).cast(kind).alias(n) for n, kind in pairs])


def _limit(limits: Mapping[str, tuple[float, float]], place: int) -> Column:
    found = F.lit(LIMITS[place])
    for name, pair in limits.items():
        found = F.when(F.col("metric") == name, F.lit(float(pair[place]))).otherwise(found)
    return found


def _told(side: str) -> Column:
    value, low, high = (F.format_string("%.4f", F.col(f"{side}{c}")) for c in ("value", "low", "high"))
    interval = F.concat(F.lit(" ("), low, F.lit(" to "), high, F.lit(")"))
    return F.when(F.col(f"{side}value").isNull(), F.lit("not known")).when(F.col(f"{side}low").isNull(), value).otherwise(
        F.concat(value, interval))
