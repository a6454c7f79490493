"""The job that is killed: two outputs of one day's rows, and rejected ones."""

from __future__ import annotations

from sparkkit import DataFrame, F, Job, main


def build(source: DataFrame) -> dict[str, DataFrame]:
    """The rows in three files, and their sum by kind."""
    totals = source.groupBy("day", "kind").agg(F.sum("n").alias("total"))
    return {"rows": source.repartition(3, "id"), "totals": totals}


JOB = Job(build, name="nightly", outputs=("rows", "totals"))
if __name__ == "__main__":
    main(JOB)
