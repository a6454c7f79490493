"""Counts the rows of each kind."""
from __future__ import annotations

from sparkkit import DataFrame, F, Job, main


def build(rows: DataFrame, *, minimum: int = 1) -> DataFrame:
    """Columns `kind` and `n`, a row for each kind.

    Args:
        minimum: leave out kinds with fewer rows.
    """
    counted = rows.groupBy("kind").agg(F.count(F.lit(1)).alias("n"))
    return counted.where(F.col("n") >= minimum)


JOB = Job(build)
if __name__ == "__main__":
    main(JOB)
