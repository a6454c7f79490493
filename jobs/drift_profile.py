"""The profile of a reference, to be kept beside a model: counts by bin, against which `drift` judges new data alone."""

from __future__ import annotations

from sparkkit import DataFrame, Job, main
from sparkkit.monitoring.profile import profile


def build(
    reference: DataFrame, *, features: list[str] | None = None, categorical: list[str] | None = None, ignore: list[str] | None = None,
    top: int = 1000,
) -> DataFrame:
    """A row for each feature and bin, see `sparkkit.monitoring.profile`.

    Args:
        features: a column to profile, repeatable; all numbers, dates, times, texts and booleans where none is given.
        categorical: a numeric column whose values are codes, repeatable.
        ignore: a column to leave out, repeatable.
        top: how many values of a categorical feature are listed.
    """
    return reference.transform(profile, only=features or [], categorical=categorical or [], ignore=ignore or [], top=top)


JOB = Job(build, outputs=("profile",), contracts={"profile": "drift_profile"}, settings={"outputs.profile.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
