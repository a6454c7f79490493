"""Scores any rows with a model: each gets its probability and prediction, and which version of which model gave them."""
from __future__ import annotations

from sparkkit import DataFrame, Job, Model, main


def build(data: DataFrame, *, model: Model, keep: list[str] | None = None) -> DataFrame:
    """Every row of the input with `score`, `prediction`, `model`, `model_version` and `model_run`.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME:VERSION, or a model's folder.
        keep: a column that goes with the scores; repeatable, default all.
    """
    scored = model.score(data)
    return scored.select(*keep, *model.columns) if keep else scored


JOB = Job(build)
if __name__ == "__main__":
    main(JOB)
