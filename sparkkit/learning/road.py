"""What a training does on the road of a run: learn after the build, judge with the checks, keep with the publishing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.learning import contest, guard
from sparkkit.learning.contest import Verdict
from sparkkit.learning.keep import Kept, keep
from sparkkit.learning.learn import Learned, learn, stored
from sparkkit.ledger import Record
from sparkkit.ml.figures import METRICS as FIGURES
from sparkkit.ml.splits import SPLIT, TEST
from sparkkit.models.registry import Registry
from sparkkit.schema.contract import Contract
from sparkkit.training import HOLDOUT, METRICS, Training
from sparkkit.transforms.names import cols

if TYPE_CHECKING:
    from sparkkit.intake import Intake

AFTER = "after_outcome"
"""The tag of a contract's column that is known only after the outcome."""


@dataclass
class Road:
    """One training on its way."""

    spark: SparkSession
    job: Training
    params: Mapping[str, Any]
    record: Record
    registry: Registry
    contracts: Mapping[str, Contract]
    learned: Learned
    verdict: Verdict
    kept: Kept | None = None

    @property
    def outputs(self) -> dict[str, DataFrame]:
        """The test part with its predictions, and the figures with those against the champion."""
        metrics = self.spark.createDataFrame([tuple(f.values()) for f in self.learned.figures], FIGURES)
        return {HOLDOUT: self.learned.predicted, METRICS: metrics.coalesce(1)}

    def results(self) -> list[dict[str, Any]]:
        """The verdicts on the figures, for the record's checks."""
        return [promise.judge(self.learned.figures) for promise in self.job.promises]

    def keep(self, staging: str, data: Mapping[str, Any]) -> None:
        """Saves the model and registers it, just before the outputs are published: a version that no alias names but `challenger`
        harms nobody if the publishing fails."""
        self.kept = keep(self.spark, self.job, self.learned, self.record, self.contracts, self.params, staging, data)
        wins = bool(self.params["promote"]) and self.verdict.better
        version = self.registry.register(self.kept.bundle, run=self.record.run_id, logical_id=str(self.record.logical_id), wins=wins)
        self.record.model = {
            "name": version.name,
            "version": version.number,
            "champion": wins,
            "why": self.verdict.why,
            "registry": self.registry.uri,
            "rows": self.learned.rows,
            "metrics": self.learned.overall,
            **({"chosen": dict(self.learned.chosen)} if self.learned.chosen else {}),
        }

    def close(self) -> None:
        """Lets go of the examples and of the bundle's folder."""
        self.learned.close()
        if self.kept:
            self.kept.close()


def begin(
    spark: SparkSession,
    job: Training,
    params: Mapping[str, Any],
    record: Record,
    registry: Registry,
    contracts: Mapping[str, Contract],
    taken: Mapping[str, Intake],
    closed: ExitStack,
    staging: str,
) -> Road:
    """Makes the examples, looks for leaks, fits and judges; the examples are kept beside what is staged, until the run ends.

    Raises:
        ContractError, UsageError: as `learn` does.
    """
    frames = {n: taken[n].passed for n in job.inputs}
    examples = job.examples(tuple(frames.values()), params)
    inputs = {n: contracts[n] for n in job.inputs if n in contracts}
    tags = guard.refuse(job, by_contract(job, inputs))
    learned = learn(spark, job, examples, params, without_test(job, frames, params, inputs), stored(f"{staging}-examples"),
                    pause=lambda: record.between_steps("build"))
    learned.findings += tags
    closed.callback(learned.close)
    judged = contest.against(contest.champion(spark, registry, job), learned.predicted, job, rows=learned.rows["test"],
                             seed=int(params["seed"]))
    learned.figures += [{**f, "slice": "less champion"} for f in judged.figures]
    road = Road(spark, job, params, record, registry, inputs, learned, judged)
    closed.callback(road.close)
    return road


def by_contract(job: Training, inputs: Mapping[str, Contract]) -> list[dict[str, str]]:
    """Features that their contract says are keys, or known only after the outcome."""
    found = []
    for name, contract in inputs.items():
        for column in contract.columns:
            if column.name in job.features and AFTER in column.tags:
                found.append(
                    {
                        "guard": "after_the_outcome",
                        "finding": f"feature {column.name} of {name} is known only after the outcome (its contract's tag {AFTER})",
                    }
                )
            if column.name in job.features and column.key:
                found.append(
                    {"guard": "identifier", "finding": f"feature {column.name} is a key of {name}: it tells rows apart, and means nothing"}
                )
    return found


def without_test(
    job: Training, frames: Mapping[str, DataFrame], params: Mapping[str, Any], inputs: Mapping[str, Contract]
) -> guard.Again | None:
    """How the examples are made without the test part's rows: these are known in an input by its key, or by the features themselves."""
    keys = next(((n, c.keys) for n, c in inputs.items() if c.keys and n in frames), None)
    if keys is None:
        named = next((n for n, f in frames.items() if set(job.features) <= set(f.columns)), None)
        keys = (named, job.features) if named else None
    if keys is None:
        return None
    name, by = keys

    def again(parts: DataFrame) -> DataFrame | None:
        if not set(by) <= set(parts.columns):
            return None
        test = parts.where(F.col(SPLIT) == TEST).select(*[c.alias(f"_{i}") for i, c in enumerate(cols(by))]).distinct()
        same = F.lit(True)
        for i, column in enumerate(cols(by)):
            same = same & column.eqNullSafe(F.col(f"_{i}"))
        rest = {**frames, name: frames[name].join(test, same, "left_anti")}
        made = job.examples(tuple(rest.values()), params)
        return made.where(F.col(job.label).isNotNull())

    return again
