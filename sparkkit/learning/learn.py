"""From examples to a model and its figures; nothing is kept before the road says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.compat import is_connect, version
from sparkkit.errors import ContractError, JobError, UsageError
from sparkkit.learning import balance, guard
from sparkkit.ml import evaluate
from sparkkit.ml.scoring import PREDICTION, SCORE, scored
from sparkkit.ml.splits import SPLIT, TEST, TRAIN
from sparkkit.training import TARGET, Training
from sparkkit.transforms.names import col, cols, free, need

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

Store = Callable[[DataFrame], DataFrame]
"""Keeps a frame that is read many times, and gives it back."""

MOST_FIGURES = 20_000
"""Rows of figures; a slice for each customer is no slice."""


@dataclass
class Learned:
    """What a training made: its model, the test part with its predictions, the figures, and how many examples there were on each side."""

    model: PipelineModel
    predicted: DataFrame
    figures: list[dict[str, Any]]
    rows: dict[str, int]
    train: DataFrame
    test: DataFrame
    parts: DataFrame
    findings: list[dict[str, str]] = field(default_factory=list)

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
) -> Learned:
    """Splits the examples, fits on the train part alone, and judges on the test part.

    Args:
        again: makes the examples once more without the test part, for the guard of what was computed before the split.
        store: keeps the divided examples, which are read many times.

    Raises:
        ContractError: too few examples (`no_examples`), one class alone (`one_class`), or leaks (`leak`).
        UsageError: `build` or `fit` gave something that can't be trained; Spark Connect.
    """
    if is_connect(spark):
        raise UsageError("a model can't be trained over Spark Connect", reason="connect_no_files", hint="train on a classic session")
    if version() == (4, 0):  # "Task not serializable", from the first model's transform on
        raise UsageError("a model can't be trained on Spark 4.0, whose observations can't be sent to the tasks of spark.ml",
                         reason="wrong_spark", hint="train on Spark 3.5, or on 4.2")
    seed = int(params["seed"])
    parts = store(divided(job, examples, seed))
    try:
        rows = _counted(job, parts)
        train, test = (parts.where(F.col(SPLIT) == side).drop(SPLIT) for side in (TRAIN, TEST))
        findings = guard.before(job, parts, again)
        with balance.seen(job, train, rows, seed) as seen:
            fitted = job.fitted(seen.train, params)
            findings += guard.pipeline(job, fitted)
            balance.read(job, fitted)
            model, others = guard.fit(job, fitted, seen.train)
        findings += others
        rows |= seen.rows
        model = balance.corrected(job, model, seen.odds)
        predicted = scored(test, model, job.cut)
        figures = _figures(job, predicted, seed)
    except BaseException:
        parts.unpersist()
        raise
    return Learned(model, predicted, figures, rows, train, test, parts, findings)


def divided(job: Training, examples: DataFrame, seed: int) -> DataFrame:
    """The examples with `target` and `split`, in an order that is the same every time; `split` is null where the label is."""
    for names in ((job.label,), job.features, job.entity, job.slices, tuple(job.stamps.values())):
        need(examples, names, where=f"training {job.name!r}")
    free(examples, [TARGET, SCORE, PREDICTION, SPLIT], where=f"training {job.name!r}")
    target = (col(job.label) == F.lit(job.positive)).cast("double")
    made = examples.withColumn(TARGET, target).transform(job.split.apply, features=job.features, seed=seed)
    sided = made.withColumn(SPLIT, F.when(F.col(TARGET).isNotNull(), F.col(SPLIT)))
    key = F.xxhash64(F.lit(seed), *cols(job.features))
    return sided.repartition(key).sortWithinPartitions(key, *[c for c in cols(_orderable(sided))])


def _orderable(frame: DataFrame) -> list[str]:
    return [f.name for f in frame.schema.fields if "map<" not in f.dataType.simpleString() and "vector" not in f.dataType.simpleString()]


def _counted(job: Training, parts: DataFrame) -> dict[str, int]:
    found = {
        row[SPLIT]: row for row in parts.groupBy(SPLIT).agg(F.count(F.lit(1)).alias("rows"), F.sum(TARGET).alias("positives")).collect()
    }
    rows = {"examples": sum(r.rows for r in found.values()), "unlabelled": found[None].rows if None in found else 0}
    for side in (TRAIN, TEST):
        some, positives = (found[side].rows, int(found[side].positives)) if side in found else (0, 0)
        if not some:
            raise ContractError(
                f"training {job.name!r}: of {rows['examples']:,} examples none is in the {side} part ({job.split.describe()})",
                reason="no_examples",
                hint="look at what build returns, and at the split",
            )
        if positives in (0, some):
            what = "every" if positives else "no"
            raise ContractError(
                f"training {job.name!r}: {what} one of the {some:,} examples of the {side} part has {job.label} = {job.positive!r}",
                reason="one_class",
                hint="look at the label and its positive value, or split by=(label,)",
            )
        rows |= {side: some, f"{side}_positives": positives}
    return rows


def _figures(job: Training, predicted: DataFrame, seed: int) -> list[dict[str, Any]]:
    if job.evaluate:
        made = job.evaluate(predicted)
    else:
        made = evaluate.binary(predicted, label=TARGET, threshold=job.cut, costs=job.costs, slices=job.slices, positive=1.0, seed=seed)
    names = [part.split()[0] for part in evaluate.METRICS.split(", ")]
    if sorted(made.columns) != sorted(names):
        raise JobError(f"evaluate returned the columns {', '.join(made.columns)}, not {', '.join(names)}", reason="wrong_outputs")
    rows: Sequence[Any] = made.select(*names).limit(MOST_FIGURES + 1).collect()
    if len(rows) > MOST_FIGURES:
        raise UsageError(
            f"training {job.name!r}: more than {MOST_FIGURES:,} figures", reason="too_many_slices", hint="slice by fewer values"
        )
    return sorted((row.asDict() for row in rows), key=lambda f: (f["slice"] != "all", f["slice"]))
