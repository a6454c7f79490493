"""Drift of new data against a reference, feature by feature: a table of verdicts; exit code 4 where one is an alarm."""

from __future__ import annotations

from sparkkit import DataFrame, Job, main
from sparkkit.monitoring import drift as monitoring


def build(
    reference: DataFrame, current: DataFrame, *, features: list[str] | None = None, categorical: list[str] | None = None,
    ignore: list[str] | None = None, predictions: list[str] | None = None, alpha: float = 0.01, limit: list[str] | None = None,
) -> DataFrame:
    """A row for each feature and measure, see `sparkkit.monitoring.drift`; `sparkkit drift-report` shows it as a page.

    The reference may be a table of `jobs/drift_profile.py`, kept when the model was trained: then the current data alone are read.

    Args:
        features: a column to watch, repeatable; all numbers, dates, times, texts and booleans where none is given.
        categorical: a numeric column whose values are codes, repeatable.
        ignore: a column to leave out, such as a key or the time of the event, which only grow; repeatable.
        predictions: a column that is the model's answer, repeatable.
        alpha: the chance of any report where nothing drifted, over the whole table.
        limit: other sizes of a measure's warning and alarm, as psi=0.1,0.2; repeatable.
    """
    return monitoring.drift(
        reference, current, only=features or [], categorical=categorical or [], ignore=ignore or [], predictions=predictions or [],
        alpha=alpha, limits=monitoring.limits_of(limit or []),
    )


JOB = Job(
    build, outputs=("verdicts",), contracts={"verdicts": "drift_verdicts"}, settings={"outputs.verdicts.mode": "overwrite"},
    alarm="severity = 'alarm'",
)
if __name__ == "__main__":
    main(JOB)
