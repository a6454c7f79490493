"""The columns that every landed row carries beside its data: where it came from, its raw text, what is wrong with it."""
from __future__ import annotations

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

FILE = "_sparkkit_file"
"""string: the source file, as `_metadata.file_path` gives it."""

RAW = "_sparkkit_raw"
"""string: the row's raw text; null where the format is typed."""

BAD = "_sparkkit_bad"
"""struct<reason:string,rule:string>: the first thing wrong with the row; null for a good one."""

BAD_TYPE = "struct<reason:string,rule:string>"
LANDING = (FILE, RAW, BAD)


def barrier(judged: DataFrame) -> DataFrame:
    """The same frame, which Spark's optimizer does not look into from above.

    A filter on BAD is else pushed into each cast (20 s of planning for 19 columns), and Spark 3.5 fails to push it through a union
    of CSV files. An observation stops it on every version and on Connect; nobody reads this one.
    """
    return judged.observe(Observation(), F.count(F.lit(1)).alias("rows"))
