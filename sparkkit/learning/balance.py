"""Balance in a training: the train part alone is balanced, just before a fit, and the scores are set right after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, UsageError
from sparkkit.learning import fitting
from sparkkit.ml.balance import WEIGHT
from sparkkit.training import TARGET, Training

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel


@dataclass(frozen=True)
class Seen:
    """What a fit sees: its rows, how many they are and of class 1 (as for the card), and what the odds of the scores are multiplied by."""

    train: DataFrame
    rows: Mapping[str, int]
    odds: float = 1.0


def balanced(job: Training, train: DataFrame, seed: int) -> DataFrame:
    """The train side of a split, or of a fold, as the training balances it; itself where it does not. Lazy."""
    return job.balance.apply(train, label=TARGET, seed=seed) if job.balance else train


@contextmanager
def seen(job: Training, train: DataFrame, seed: int) -> Iterator[Seen]:
    """What the fit of a training sees of its train part, or of the train side of a fold, for as long as it needs it.

    Raises:
        ContractError: the balance leaves one class alone (`one_class`).
    """
    if not job.balance:
        yield Seen(train, {})
        return
    made = balanced(job, train, seed).persist()
    try:
        before = train.agg(F.sum(TARGET).alias("yes"), F.sum(1 - F.col(TARGET)).alias("no")).head()
        weight = F.col(WEIGHT) if job.balance.how == "weights" else F.lit(1.0)
        found = made.agg(F.count(F.lit(1)).alias("n"), F.sum(TARGET).alias("yes"), F.sum(weight).alias("all"),
                         F.sum(weight * F.col(TARGET)).alias("heavy")).head()
        if before is None or found is None or found["yes"] in (None, 0, found["n"]):
            raise ContractError(f"training {job.name!r}: its balance ({job.balance.describe()}) leaves one class alone", reason="one_class",
                                hint="take a lower ratio, or weights")
        after = found["heavy"] / (found["all"] - found["heavy"])
        yield Seen(made, {"balanced": found["n"], "balanced_positives": int(found["yes"])}, before["yes"] / before["no"] / after)
    finally:
        made.unpersist()


def read(job: Training, made: Any) -> None:
    """Refuses a balance by weights that no stage of what `fit` returned reads.

    Raises:
        UsageError: none has `class_weight` as its weights (`unread_weights`).
    """
    if not job.balance or job.balance.how != "weights":
        return
    stages = fitting.flat(made)
    if not any(stage.hasParam("weightCol") and stage.isSet("weightCol") and stage.getOrDefault("weightCol") == WEIGHT for stage in stages):
        raise UsageError(f"training {job.name!r} balances by weights, and no stage of its pipeline reads them", reason="unread_weights",
                         hint=f"give the classifier weightCol={WEIGHT!r}, or balance by under or over")


def corrected(job: Training, model: PipelineModel, odds: float) -> PipelineModel:
    """The model with its probabilities set right, where the training balances and has them corrected."""
    from pyspark.ml import PipelineModel

    from sparkkit.ml.stages import PriorCorrection

    if not job.balance or not job.balance.correct:
        return model
    name = next((s.getOrDefault("probabilityCol") for s in reversed(model.stages) if s.hasParam("probabilityCol")), None)
    return PipelineModel([*model.stages, PriorCorrection(name, odds)]) if name else model
