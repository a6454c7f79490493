"""The guards of a training in action: what is found is said in one sentence each, and ends the run before anything is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, UsageError
from sparkkit.ml import leakage
from sparkkit.training import TARGET, Training

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

Again = Callable[[DataFrame], DataFrame | None]
"""Makes the examples of a run once more without the rows of its test part; None where these can't be told in the inputs."""

Finding = dict[str, str]

SAMPLE = 500
"""Train rows on which a fitted stage is compared with one fitted on the train part alone."""


def before(job: Training, parts: DataFrame, again: Again | None) -> list[Finding]:
    """Looks for leaks in the examples; those that the training allows are given back.

    Raises:
        ContractError: with every leak that was found (`leak`).
    """
    asked = [leakage.duplicates(parts, job.features), leakage.tells_the_label(parts, job.features, TARGET)]
    asked += [leakage.entities(parts, job.entity)] if job.entity else []
    asked += [leakage.out_of_time(parts, job.at)] if job.at else []
    asked += [leakage.from_the_future(parts, job.at, job.stamps)] if job.stamps else []
    without = again(parts) if again else None
    asked += [leakage.changed(parts, without, job.features)] if without is not None else []
    return refuse(job, [row.asDict() for row in leakage.together(asked).collect()])  # a row for each guard, feature and entity at most


def pipeline(job: Training, fitted: Any) -> list[Finding]:
    """Looks at what `fit` returned: stages that were fitted already, and such as read the label.

    Raises:
        ContractError: leaks (`leak`).
    """
    from pyspark.ml import Estimator, Model, PipelineModel

    found = []
    stages = flat(fitted)
    for stage in stages:
        name = type(stage).__name__
        if isinstance(fitted, Estimator) and isinstance(stage, Model) and not isinstance(stage, PipelineModel):
            found.append({"guard": "fitted_before", "finding": f"stage {name} of the pipeline was fitted before fit had the train part"})
        inside = sorted({job.label, TARGET} & set(_reads(stage)))
        if inside:
            found.append({"guard": "target_inside", "finding": f"stage {name} reads {', '.join(inside)} as a feature"})
    return refuse(job, found)


def fit(job: Training, fitted: Any, train: DataFrame) -> tuple[PipelineModel, list[Finding]]:
    """The fitted pipeline, and findings that the training allows; one that `fit` fitted itself is compared with what the train part gives.

    Raises:
        UsageError: `fit` returned neither an estimator nor a fitted pipeline (`wrong_fit`).
        ContractError: a stage saw other rows (`leak`).
    """
    from pyspark.ml import Estimator, Model, PipelineModel

    ours = isinstance(fitted, Estimator)
    model = fitted.fit(train) if ours else fitted
    model = getattr(model, "bestModel", model)
    if not isinstance(model, Model):
        raise UsageError(
            f"fit of training {job.name!r} returned {type(fitted).__name__}",
            reason="wrong_fit",
            hint="return a Pipeline of spark.ml, or a fitted one",
        )
    whole: PipelineModel = model if isinstance(model, PipelineModel) else PipelineModel([model])
    return whole, [] if ours else refuse(job, _others(whole, train))


def refuse(job: Training, found: list[Finding]) -> list[Finding]:
    """Ends the run where a guard that the training does not allow has found something; gives back what it allows, with why."""
    worst = [one["finding"] for one in found if one["guard"] not in job.allow]
    if worst:
        names = sorted({one["guard"] for one in found} - set(job.allow))
        raise ContractError(
            f"training {job.name!r} leaks: {'; '.join(worst)}",
            reason="leak",
            hint=f"nothing was kept; mend it, or let it pass with the reason: allow={{{names[0]!r}: 'why'}}",
        )
    return [{**one, "why": job.allow[one["guard"]]} for one in found]


def _others(model: PipelineModel, train: DataFrame) -> list[Finding]:
    """Stages that come out otherwise when they are fitted anew, with their own settings, on the train part."""
    found, rows = [], train
    for stage in model.stages:
        anew = _estimator(stage)
        if anew is not None and _differ(stage, anew.fit(rows), rows):
            found.append(
                {
                    "guard": "saw_others",
                    "finding": f"stage {type(stage).__name__} is not what the train part alone gives: it was fitted on other rows",
                }
            )
        rows = stage.transform(rows)
    return found


def _estimator(stage: Any) -> Any:
    """The estimator of a fitted stage, with the same settings; None where it has none, or was set by hand."""
    import importlib

    name = type(stage).__name__
    if not name.endswith("Model"):
        return None
    made = getattr(importlib.import_module(type(stage).__module__), name.removesuffix("Model"), None)
    if made is None:
        return None
    estimator = made()
    for param, value in stage.extractParamMap().items():
        if estimator.hasParam(param.name) and stage.isSet(param):
            estimator._set(**{param.name: value})
    return estimator


def _differ(one: Any, other: Any, rows: DataFrame) -> bool:
    some = rows.limit(SAMPLE).persist()
    try:
        outputs = [_plain(stage.transform(some), set(some.columns)).collect() for stage in (one, other)]
    finally:
        some.unpersist()
    return any(not _same(a, b) for left, right in zip(*outputs, strict=True) for a, b in zip(left, right, strict=True))


def _plain(rows: DataFrame, known: set[str]) -> DataFrame:
    from pyspark.ml.functions import vector_to_array

    vectors = {f.name for f in rows.schema.fields if f.dataType.typeName() in ("vectorudt", "udt") or "vector" in f.dataType.simpleString()}
    return rows.select(*(vector_to_array(F.col(n)).alias(n) if n in vectors else F.col(n) for n in rows.columns if n not in known))


def _same(one: Any, other: Any) -> bool:
    import numpy as np

    if isinstance(one, list | float | int) and isinstance(other, list | float | int) and not isinstance(one, bool):
        try:
            a, b = np.asarray(one, float), np.asarray(other, float)
        except (TypeError, ValueError):
            return bool(one == other)
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True))
    return bool(one == other)


def flat(stage: Any) -> list[Any]:
    """The stages of what `fit` returned, those of pipelines and searches within it too."""
    from pyspark.ml import Pipeline, PipelineModel

    inner = stage.getStages() if isinstance(stage, Pipeline) else stage.stages if isinstance(stage, PipelineModel) else None
    if inner is None:
        tuned = stage.getEstimator() if hasattr(stage, "getEstimator") else None
        return [stage] if tuned is None else flat(tuned)
    return [one for each in inner for one in flat(each)]


def _reads(stage: Any) -> list[str]:
    found = []
    for name in ("inputCol", "inputCols", "featuresCol"):
        if stage.hasParam(name) and stage.isDefined(name):
            value = stage.getOrDefault(name)
            found += [value] if isinstance(value, str) else list(value)
    return found
