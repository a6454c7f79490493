"""From examples to a model and its figures; nothing is kept before the road says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.compat import is_connect
from sparkkit.errors import JobError, UsageError
from sparkkit.learning import balance, fitting, guard, tasks, tune
from sparkkit.ml.figures import METRICS
from sparkkit.ml.scoring import PREDICTION, SCORE, scored
from sparkkit.ml.splits import SPLIT, TEST, TRAIN, ordered
from sparkkit.training import TARGET, Training
from sparkkit.transforms.names import free, need

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

Store = Callable[[DataFrame], DataFrame]
"""Keeps a frame that is read many times, and gives it back."""

MOST_FIGURES = 20_000
"""Rows of figures; a slice for each customer is no slice."""


@dataclass
class Learned:
    """What a training made: its model, the test part with its predictions, the figures, and how many examples there were on each side;
    where it was tuned the parameters that were `chosen`, and what the search tells."""

    model: PipelineModel
    predicted: DataFrame
    figures: list[dict[str, Any]]
    rows: dict[str, int]
    train: DataFrame
    test: DataFrame
    parts: DataFrame
    findings: list[dict[str, str]] = field(default_factory=list)
    unasked: dict[str, str] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] | None = None

    def close(self) -> None:
        """Lets go of the examples, which were kept in memory and on disk."""
        self.parts.unpersist()

    @property
    def overall(self) -> dict[str, float | None]:
        """The figures over the whole test part."""
        return {f["metric"]: f["value"] for f in self.figures if f["slice"] == "all"}


def persisted(parts: DataFrame) -> DataFrame:
    """Keeps examples in memory, and on disk where it does not suffice, until they are let go of."""
    return parts.persist()


def stored(folder: str) -> Store:
    """Keeps examples as Parquet in a folder of the run: plans that read it are short, and a lost executor loses nothing."""

    def store(parts: DataFrame) -> DataFrame:
        parts.write.parquet(folder)
        return parts.sparkSession.read.schema(parts.schema).parquet(folder)

    return store


def learn(
    spark: SparkSession,
    job: Training,
    examples: DataFrame,
    params: Mapping[str, Any],
    again: guard.Again | None = None,
    store: Store = persisted,
    pause: Callable[[], None] = lambda: None,
) -> Learned:
    """Splits the examples, tunes and fits on the train part alone, and judges on the test part.

    Args:
        again: makes the examples once more without the test part, for the guard of what was computed before the split.
        store: keeps the divided examples, which are read many times.
        pause: called where a long search may stop; raises where the run was told to.

    Raises:
        ContractError: too few examples (`no_examples`), one class alone (`one_class`), a label that is no class (`unknown_class`), leaks
            (`leak`), or what `tune.tune` raises.
        UsageError: `build` or `fit` gave something that can't be trained; Spark Connect.
    """
    if is_connect(spark):
        raise UsageError("a model can't be trained over Spark Connect", reason="connect_no_files", hint="train on a classic session")
    tune.ready(job, params)
    seed = int(params["seed"])
    parts = store(divided(job, examples, seed))
    try:
        rows = tasks.counted(job, parts)
        train, test = (parts.where(F.col(SPLIT) == side).drop(SPLIT) for side in (TRAIN, TEST))
        without = again(parts) if again else None
        findings = guard.before(job, parts, without)
        tuned = tune.tune(job, train, params, pause=pause) if tune.asked(job, params) else tune.Tuned()
        with balance.seen(job, train, seed) as seen:
            made = fitting.seeded(job.fitted(seen.train, {**params, **tuned.chosen}), seed)
            findings += guard.pipeline(job, made) + fitting.outside(made)
            balance.read(job, made)
            whole, others = guard.fit(job, made, seen.train)
        findings += [one for one in others if one not in findings]
        rows |= seen.rows
        model = balance.corrected(job, fitting.best(whole), seen.odds)
        predicted = scored(test, model, job.task, threshold=job.cut, classes=job.classes)
        figures = _figures(job, predicted, seed)
    except BaseException:
        parts.unpersist()
        raise
    unasked = dict(guard.UNASKED) if without is None else {}
    told = tuned.told or fitting.grid(whole)
    return Learned(model, predicted, figures, rows, train, test, parts, findings, unasked, chosen=tuned.chosen, search=told)


def divided(job: Training, examples: DataFrame, seed: int) -> DataFrame:
    """The examples with `target` and `split`, in an order that is the same every time; `split` is null where the label is."""
    for names in ((job.label,), job.features, job.entity, job.slices, tuple(job.stamps.values())):
        need(examples, names, where=f"training {job.name!r}")
    free(examples, [TARGET, SCORE, PREDICTION, SPLIT], where=f"training {job.name!r}")
    made = examples.withColumn(TARGET, tasks.target(job)).transform(job.split.apply, features=job.features, seed=seed)
    sided = made.withColumn(SPLIT, F.when(F.col(TARGET).isNotNull(), F.col(SPLIT)))
    return sided.transform(ordered, by=job.features, seed=seed)


def _figures(job: Training, predicted: DataFrame, seed: int) -> list[dict[str, Any]]:
    made = tasks.figures(job, predicted, seed=seed)
    names = [part.split()[0] for part in METRICS.split(", ")]
    if sorted(made.columns) != sorted(names):
        raise JobError(f"evaluate returned the columns {', '.join(made.columns)}, not {', '.join(names)}", reason="wrong_outputs")
    rows: Sequence[Any] = made.select(*names).limit(MOST_FIGURES + 1).collect()
    if len(rows) > MOST_FIGURES:
        raise UsageError(
            f"training {job.name!r}: more than {MOST_FIGURES:,} figures", reason="too_many_slices", hint="slice by fewer values"
        )
    return sorted((row.asDict() for row in rows), key=lambda f: (f["slice"] != "all", f["slice"]))
