"""One row a key, the same one every time."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkkit.transforms.names import cols, need
from sparkkit.transforms.order import total

__all__ = ["dedupe"]


def dedupe(df: DataFrame, *, keys: str | Sequence[str], order: str | Sequence[str] = ()) -> DataFrame:
    """The first row of each key, by `order` (`dropDuplicates` keeps whichever row arrives first).

    Law: exactly one row for each key of `df`, and it is a row of `df`; columns unchanged; the result does not depend
    on the order or the partitions of the input. A null is a key like any other, and so is NaN.

    Args:
        df: the rows.
        keys: the columns that name a thing.
        order: which row wins, best first; `-seen` is the latest `seen`. Missing values (null, NaN) never win against
            given ones. Every other column then breaks ties, ascending, so that the order is total.

    Raises:
        UsageError: unknown columns, or no key.

    >>> df = spark.createDataFrame([(1, "old", 1), (1, "new", 2), (2, "only", None)], "id int, name string, seen int")
    >>> df.transform(dedupe, keys="id", order="-seen").orderBy("id").collect()
    [Row(id=1, name='new', seen=2), Row(id=2, name='only', seen=None)]
    """
    by = need(df, keys, where="dedupe keys", some=True)
    window = Window.partitionBy(*cols(by)).orderBy(*total(df, order, by=by, where="dedupe order"))
    return df.withColumn("_sparkkit_n", F.row_number().over(window)).where("_sparkkit_n = 1").drop("_sparkkit_n")
