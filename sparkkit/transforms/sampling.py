"""Samples that are the same every time: by a hash of the key, not by the place of the row."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.transforms.names import cols, need

__all__ = ["sample_by_key"]

_BUCKETS = 1_000_000


def sample_by_key(df: DataFrame, *, keys: str | Sequence[str], fraction: float, seed: int) -> DataFrame:
    """About `fraction` of the keys, each with all its rows (`sample` changes with the partitions, and splits keys).

    Law: never more rows; all rows of a key or none; the same keys whatever the order, partitions or other rows; with
    one seed, a smaller fraction's rows are among a greater one's; 0 gives none, 1 gives all. Steps of one in a million.

    Raises:
        UsageError: unknown columns, or a fraction outside 0 to 1.

    >>> spark.range(1000).transform(sample_by_key, keys="id", fraction=0.1, seed=7).count()
    105
    """
    by = need(df, keys, where="sampling.sample_by_key keys", some=True)
    if not 0 <= fraction <= 1:
        raise UsageError(f"sampling.sample_by_key: fraction is {fraction}", hint="give 0 to 1")
    place = F.pmod(F.xxhash64(F.lit(seed), *cols(by)), F.lit(_BUCKETS))
    return df.where(place < round(fraction * _BUCKETS))
