"""What differs between trainings of two classes, of several, and of a number: the target, what is refused, figures and the contest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import ContractError
from sparkkit.ml import evaluate, multiclass, regression
from sparkkit.ml.scoring import BINARY, MULTICLASS, PREDICTION, REGRESSION, SCORE
from sparkkit.ml.splits import SPLIT, TEST, TRAIN
from sparkkit.training import TARGET, Training
from sparkkit.transforms.names import col

OUR_SCORE, OUR_PREDICTION = "our_score", "our_prediction"
MANY = 1_000_000
"""Test rows above which pairs of scores are told apart less closely."""


def target(job: Training) -> Column:
    """The number that a pipeline learns: 1.0 or 0.0, the place of the class, or the label itself; null where there is no label, and -1
    for one that is no class."""
    label = col(job.label)
    if job.task == BINARY:
        return (label == F.lit(job.positive)).cast("double")
    if job.task == REGRESSION:
        number = label.cast("double")
        return F.when(~F.isnan(number) & (F.abs(number) < float("inf")), number)
    place = F.lit(-1.0)
    for i, value in enumerate(job.classes):
        place = F.when(label == F.lit(value), float(i)).otherwise(place)
    return F.when(label.isNotNull(), place)


def told_apart(job: Training, parts: DataFrame) -> tuple[DataFrame, str, int]:
    """The examples with a column of few classes for the guard of single features, its name and how many there are; a number is told
    apart by the median of the train part."""
    if job.task != REGRESSION:
        return parts, TARGET, len(job.classes) or 2
    half = parts.agg(F.percentile_approx(F.when(F.col(SPLIT) == TRAIN, F.col(TARGET)), 0.5, 10_000).alias("_half"))
    placed = parts.crossJoin(F.broadcast(half))
    return placed.withColumn("_above", (F.col(TARGET) > F.col("_half")).cast("double")), "_above", 2


def counted(job: Training, parts: DataFrame) -> dict[str, int]:
    """How many examples there are, and on each side; of two classes the positives, too.

    Raises:
        ContractError: a side has no example (`no_examples`), or what it holds can't be learned (`one_class`, `unknown_class`).
    """
    found = {row[SPLIT]: row for row in parts.groupBy(SPLIT).agg(F.count(F.lit(1)).alias("rows"), *_held(job)).collect()}
    rows = {"examples": sum(r.rows for r in found.values()), "unlabelled": found[None].rows if None in found else 0}
    for side in (TRAIN, TEST):
        if side not in found:
            raise ContractError(
                f"training {job.name!r}: of {rows['examples']:,} examples none is in the {side} part ({job.split.describe()})",
                reason="no_examples",
                hint="look at what build returns, and at the split",
            )
        _refuse(job, side, found[side])
        rows |= {side: found[side].rows} | ({f"{side}_positives": int(found[side].positives)} if job.task == BINARY else {})
    return rows


def _held(job: Training) -> list[Column]:
    if job.task == BINARY:
        return [F.sum(TARGET).alias("positives")]
    if job.task == REGRESSION:
        return [F.min(TARGET).alias("least"), F.max(TARGET).alias("most")]
    others = F.col(TARGET) < 0
    some = F.slice(F.array_sort(F.collect_set(F.when(others, col(job.label).cast("string")))), 1, 5)
    return [F.collect_set(TARGET).alias("places"), F.count(F.when(others, 1)).alias("others"), some.alias("some")]


def _refuse(job: Training, side: str, held: Any) -> None:
    part = f"training {job.name!r}: %s of the {held.rows:,} examples of the {side} part"
    if job.task == BINARY and held.positives in (0, held.rows):
        what = "every one" if held.positives else "no one"
        raise ContractError(
            f"{part % what} has {job.label} = {job.positive!r}",
            reason="one_class",
            hint="look at the label and its positive value, or split by=(label,)",
        )
    if job.task == REGRESSION and held.least == held.most and side == TRAIN:
        raise ContractError(f"{part % 'every one'} has {job.label} = {held.least:g}", reason="one_class", hint="look at the label")
    if job.task == MULTICLASS and held.others:
        raise ContractError(
            f"{part % format(held.others, ',')} have a {job.label} that is none of the classes: {', '.join(held.some)}",
            reason="unknown_class",
            hint="name it among classes=, or leave such rows out in build",
        )
    missing = [str(c) for i, c in enumerate(job.classes) if i not in held.places] if job.task == MULTICLASS else []
    if missing and side == TRAIN:
        raise ContractError(f"{part % 'no one'} has {job.label} = {missing[0]}", reason="one_class", hint="split by=(label,)")


def figures(job: Training, predicted: DataFrame, *, seed: int, rounds: int = 1000, slices: bool = True) -> DataFrame:
    """The figures of a test part with its predictions: `evaluate.METRICS`, by the training's own `evaluate` where it has one."""
    if job.evaluate:
        return job.evaluate(predicted)
    more: Mapping[str, Any] = {"slices": job.slices if slices else (), "rounds": rounds, "seed": seed}
    if job.task == REGRESSION:
        return regression.evaluate(predicted, label=TARGET, **more)
    if job.task == MULTICLASS:
        return multiclass.evaluate(predicted, label=job.label, classes=job.classes, **more)
    return evaluate.binary(predicted, label=TARGET, threshold=job.cut, costs=job.costs, positive=1.0, **more)


def paired(job: Training, both: DataFrame, *, rows: int, seed: int) -> DataFrame:
    """The differences of figures of `our_score` and `our_prediction` less those of `score` and `prediction`, with paired intervals."""
    if job.task == REGRESSION:
        return regression.paired(both, label=TARGET, ours=OUR_PREDICTION, theirs=PREDICTION, seed=seed)
    if job.task == MULTICLASS:
        ours, theirs = (OUR_PREDICTION, OUR_SCORE), (PREDICTION, SCORE)
        return multiclass.paired(both, label=job.label, ours=ours, theirs=theirs, classes=job.classes, seed=seed)
    digits = 4 if rows <= MANY else 3
    return evaluate.paired(
        both, label=TARGET, ours=OUR_SCORE, theirs=SCORE, positive=1.0, threshold=job.cut, digits=digits, seed=seed
    )


def card(job: Training) -> dict[str, Any]:
    """What a model card says of the task."""
    binary = job.task == BINARY
    return {
        "task": job.task,
        "classes": [None, job.positive] if binary else list(job.classes) if job.task == MULTICLASS else None,
        "threshold": job.cut if binary else None,
    }
