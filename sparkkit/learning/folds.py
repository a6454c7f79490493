"""Folds of a training's train part, and the figure of a pipeline that was fitted without the fold that judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, JobError
from sparkkit.learning import balance, fitting, guard, tasks
from sparkkit.ml.scoring import BINARY, scored
from sparkkit.ml.splits import ordered
from sparkkit.training import TARGET, Training
from sparkkit.transforms.names import col, cols

HELD, FITTED = "_held", "fitted on"


def divided(job: Training, train: DataFrame, seed: int) -> DataFrame:
    """The train part with the column `fold` of the training's split, and the folds in which the row's entity is validated."""
    assert job.search is not None
    split = job.split
    made = split.folds(train, features=split.keys or job.entity or job.features, k=job.search.folds, seed=seed)
    if not job.entity or (not split.at and job.entity == (split.keys or job.entity)):
        return made
    held = made.groupBy(*[c.alias(f"_{i}") for i, c in enumerate(cols(job.entity))]).agg(F.sort_array(F.collect_set("fold")).alias(HELD))
    same = F.lit(True)
    for i, column in enumerate(cols(job.entity)):
        same = same & (column == F.col(f"_{i}"))
    joined = made.join(held, same, "left").drop(*(f"_{i}" for i in range(len(job.entity))))
    return joined.transform(ordered, by=job.features, seed=seed)  # a join leaves rows in any order


def sides(job: Training, parts: DataFrame, fold: int) -> tuple[Column, Column]:
    """Which rows are fitted on and which are validated, where `fold` is."""
    fit = job.split.fit_on(fold)
    return (fit & ~F.coalesce(F.array_contains(HELD, fold), F.lit(False)) if HELD in parts.columns else fit), F.col("fold") == fold


def refuse_poor(job: Training, parts: DataFrame) -> None:
    """Refuses folds without rows, or of one class.

    Raises:
        ContractError: there is one (`poor_folds`), with how many rows it has.
    """
    assert job.search is not None
    named = [(fold, name, side) for fold in range(job.search.folds)
             for name, side in zip((FITTED, "validated"), sides(job, parts, fold), strict=True)]
    counts = {f"_{i}_{y}": side & (F.col(TARGET) == y if y is not None else F.lit(True)) for i, (_, _, side) in enumerate(named)
              for y in (None, *range(_classes(job)))}
    counted = parts.agg(*(F.count(F.when(condition, 1)).alias(key) for key, condition in counts.items())).collect()[0]
    for i, (fold, name, _) in enumerate(named):
        rows = counted[f"_{i}_None"]
        poor = [y for y in range(_classes(job)) if not counted[f"_{i}_{y}"] and (job.task == BINARY or name == FITTED)]
        if poor or not rows:
            which = 1 if job.task == BINARY else poor[0] if poor else None
            value = job.positive if job.task == BINARY else job.classes[poor[0]] if poor else None
            told = f" are {job.label} = {value!r}" if which is not None else ""
            some = f"{counted[f'_{i}_{which}']:,} of the {rows:,} rows {name} in fold {fold + 1}"
            raise ContractError(
                f"training {job.name!r} can't be tuned in {job.search.folds} folds: {some}{told}",
                reason="poor_folds",
                hint="take fewer folds, or more examples",
            )


def _classes(job: Training) -> int:
    return 2 if job.task == BINARY else len(job.classes)


def figure(job: Training, parts: DataFrame, fold: int, params: Mapping[str, Any]) -> float:
    """The training's `better` figure of a fold, by a pipeline that was made and fitted without it.

    Raises:
        JobError: the figure is not defined there, or none of those that `evaluate` gives (`no_figure`).
        ContractError: the pipeline leaks (`leak`).
    """
    seed = int(params["seed"])
    fit_on, held_out = (parts.where(side).drop("fold", HELD) for side in sides(job, parts, fold))
    with balance.seen(job, fit_on, seed) as seen:
        made = fitting.seeded(job.fitted(seen.train, params), seed)
        guard.pipeline(job, made)
        model = balance.corrected(job, fitting.best(fitting.fitted(job, made, seen.train)), seen.odds)
    predicted = scored(held_out, model, job.task, threshold=job.cut, classes=job.classes)
    return _better(job, predicted, seed)


def _better(job: Training, predicted: DataFrame, seed: int) -> float:
    figures = tasks.figures(job, predicted, seed=seed, rounds=0, slices=False)
    found = figures.where((col("slice") == "all") & (col("metric") == job.better)).select("value").limit(1).collect()
    if not found or found[0].value is None or found[0].value != found[0].value:
        raise JobError(f"the figure {job.better!r} is {'not defined in a fold' if found else 'none of those that evaluate gives'}",
                       reason="no_figure", hint="name another one by better=")
    return float(found[0].value)
