"""A new model against the champion, on the rows of the same test part, which neither was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkkit.errors import ContractError, UsageError
from sparkkit.learning import tasks
from sparkkit.ml.figures import LESS
from sparkkit.ml.scoring import PREDICTION, SCORE, scored
from sparkkit.models.model import Model, refuse_other
from sparkkit.models.registry import CHAMPION, Registry
from sparkkit.training import Training


@dataclass(frozen=True)
class Verdict:
    """Whether a new model is better, in one sentence; `figures` are its own less the champion's, with their paired intervals."""

    better: bool
    why: str
    figures: tuple[Mapping[str, Any], ...] = ()


def champion(spark: SparkSession, registry: Registry, job: Training) -> Model | Verdict:
    """The model that a new one is compared with; the verdict, where there is none, or none that can be loaded here.

    Raises:
        InfrastructureError: the registry failed: nobody knows then whether there is a champion.
    """
    try:
        version = registry.version(f"{job.model}@{CHAMPION}")
    except UsageError:
        return Verdict(True, "there was no champion")
    try:
        bundle = registry.bundle(version)
        return Model(job.model, version.number, bundle, bundle.load(spark))
    except (UsageError, ContractError) as error:
        return Verdict(False, f"the champion, version {version.number}, can't be compared: {error}")


def against(model: Model | Verdict, predicted: DataFrame, job: Training, *, rows: int, seed: int) -> Verdict:
    """Judges the test part's predictions against the champion's.

    A model wins where the end of the paired interval of the training's `better` figure that is nearer to nothing is beyond its margin;
    where there was no champion, by its checks alone.
    """
    if isinstance(model, Verdict):
        return model
    other = {k: (v, model.bundle.card[k]) for k, v in tasks.card(job).items() if k != "threshold" and v != model.bundle.card[k]}
    if other:
        said = "; ".join(f"{key} is {theirs!r}, not {ours!r}" for key, (ours, theirs) in other.items())
        return Verdict(False, f"the champion, version {model.version}, can't be compared: its {said}")
    try:
        refuse_other(model, predicted)
    except ContractError as error:
        return Verdict(False, f"the champion, version {model.version}, can't be compared: {error}")
    ours = predicted.withColumnsRenamed({SCORE: tasks.OUR_SCORE, PREDICTION: tasks.OUR_PREDICTION})
    both = scored(ours, model.fitted, job.task, threshold=job.cut, classes=job.classes)
    made = tasks.paired(job, both, rows=rows, seed=seed).collect()
    return verdict(job, int(model.version or 0), [row.asDict() for row in made])


def verdict(job: Training, version: int, figures: Sequence[Mapping[str, Any]]) -> Verdict:
    """What the differences of the figures mean for the training's `better` and margin."""
    one = next((f for f in figures if f["metric"] == job.better), None)
    if one is None or one["low"] is None:
        return Verdict(False, f"{job.better} can't be compared with the champion's, version {version}", tuple(figures))
    least = -one["high"] if job.better in LESS else one["low"]
    interval = f"interval {one['low']:+.4f} to {one['high']:+.4f}, margin {job.margin:g}"
    said = f"{job.better} {one['value']:+.4f} against version {version} ({interval})"
    return Verdict(least > job.margin, said, tuple(figures))
