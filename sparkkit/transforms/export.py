"""Out of Spark, bounded and exact: the one place of the pure ring that runs a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from sparkkit.errors import UsageError
from sparkkit.transforms.names import need

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_pandas"]


def to_pandas(df: DataFrame, *, limit: int = 100_000) -> pd.DataFrame:
    """The frame as a pandas frame with Arrow-backed types, or an error if it has more than `limit` rows.

    Law: every value exact: integers with nulls stay integers (`toPandas` makes 2^53+1 another number), decimals stay
    decimals, timestamps keep their microseconds and years 1 to 9999, null and NaN stay apart. At most `limit` + 1
    rows leave Spark.

    Args:
        df: the rows; their order is kept where the frame has one.
        limit: the most rows to take, at least 0.

    Returns:
        a `pandas.DataFrame` of the same columns, each of an `ArrowDtype`.

    Raises:
        UsageError: more than `limit` rows, a column that stands twice, or pandas or pyarrow not installed.

    >>> frame = to_pandas(spark.createDataFrame([(2**53 + 1,), (None,)], "n bigint"))
    >>> frame["n"][0], frame["n"].isna().tolist()
    (9007199254740993, [False, True])
    """
    need(df, df.columns, where="export.to_pandas")
    if limit < 0:
        raise UsageError(f"export.to_pandas: limit is {limit}", hint="give 0 or more")
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(f"export.to_pandas: {error}", hint="install pandas and pyarrow") from error
    table = _table(df.limit(limit + 1))
    if table.num_rows > limit:
        raise UsageError(
            f"export.to_pandas: the frame has more than {limit:,} rows",
            reason="too_many_rows",
            hint="aggregate, or raise `limit`",
        )
    result: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return result


def _table(df: DataFrame) -> Any:
    if hasattr(df, "toArrow"):
        return df.toArrow()
    return _table_by_workers(df)


def _table_by_workers(df: DataFrame) -> Any:
    """Spark 3.5 has no toArrow: the workers write Arrow streams, which come as binary rows."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    def packed(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        for batch in batches:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            yield pa.RecordBatch.from_arrays([pa.array([sink.getvalue().to_pybytes()], pa.binary())], ["b"])

    parts = df.mapInArrow(packed, "b binary").collect()
    tables = [pa.ipc.open_stream(bytes(row.b)).read_all() for row in parts]
    return pa.concat_tables(tables) if tables else to_arrow_schema(df.schema).empty_table()
