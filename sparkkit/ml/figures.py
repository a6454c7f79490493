"""The form in which figures are told, of whatever kind of model: a row each, with its interval, for all rows and for each slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.transforms.names import col, need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL", "LESS", "METRICS", "sliced", "table"]

METRICS = "slice string, metric string, value double, low double, high double, rows long"
"""The columns: `slice` is `all` or `column=value`, a value is null where it is not defined (no positives, or no negatives), the interval
where none was asked for."""

ALL = "all"

LESS = ("log_loss", "brier", "calibration_error", "cost", "rmse", "mae")
"""Figures of which less is better."""


def sliced(predictions: DataFrame, slices: Sequence[str]) -> list[Column]:
    """The names of the slices that a row is in, but for `all`."""
    known = need(predictions, slices, where="evaluate slices")
    return [F.concat(F.lit(f"{n}="), F.coalesce(col(n).cast("string"), F.lit("null"))) for n in known]


def table(name: str, rows: int, values: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """The figures of one slice as rows of `METRICS`."""
    import pandas as pd

    made: list[tuple[Any, ...]] = [(name, metric, value, *ranges.get(metric, (None, None)), rows) for metric, value in values.items()]
    return pd.DataFrame(made, columns=[part.split()[0] for part in METRICS.split(", ")])
