"""Who earns over a limit, out of a list of names and salaries: the tutorial's job."""

from __future__ import annotations

from sparkkit import DataFrame, F, Job, main


def build(people: DataFrame, *, times: int = 100, over: int = 2000) -> DataFrame:
    """Columns `firstname`, `lastname`, `gender` and `salary` (bigint): those whose multiplied salary is over the limit.

    Args:
        times: what each salary is multiplied by.
        over: leave out salaries of this and less, after the multiplication.
    """
    raised = people.withColumn("salary", F.col("salary").cast("bigint") * times)
    selected = raised.select("firstname", "lastname", "gender", "salary")
    return selected.where(F.col("salary") > over)


JOB = Job(build, contracts={"people": "names"}, settings={"outputs.output.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
