"""What a training's `fit` returned, taken apart, given its seed, and fitted: pipelines, and spark.ml's searches over and in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from sparkkit.compat import sendable, version
from sparkkit.errors import UsageError
from sparkkit.training import Training

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

MOST_TOLD = 1000
"""Settings of a grid that the card tells."""


def flat(stage: Any) -> list[Any]:
    """The stages of a pipeline, fitted or not: nested ones are taken apart, and what a search or one-vs-rest holds comes after it."""
    from pyspark.ml import Pipeline, PipelineModel

    inner = stage.getStages() if isinstance(stage, Pipeline) else stage.stages if isinstance(stage, PipelineModel) else None
    if inner is not None:
        return [one for each in inner for one in flat(each)]
    if hasattr(stage, "bestModel"):
        return flat(stage.bestModel)
    held = next((getattr(stage, name)() for name in ("getEstimator", "getClassifier") if hasattr(stage, name)), None)
    return [stage] if held is None else [stage, *flat(held)]


def seeded(made: Any, seed: int) -> Any:
    """The same pipeline, in which every stage that draws at random and was given no seed has the run's.

    PySpark's own default is the hash of the class's name, which is another one in each process.
    """
    from pyspark.ml import Estimator

    for stage in flat(made) if isinstance(made, Estimator) else ():
        if stage.hasParam("seed") and not stage.isSet("seed"):
            stage.set(stage.getParam("seed"), seed)
    return made


def fitted(job: Training, made: Any, train: DataFrame) -> PipelineModel:
    """The fitted pipeline: of what `fit` returned, on the train part, unless it was fitted there; of a search the best one.

    Raises:
        UsageError: `fit` returned neither an estimator nor a fitted pipeline (`wrong_fit`), or a search that Spark 4.0 can't fit
            (`wrong_spark`).
    """
    from pyspark.ml import Estimator, Model, PipelineModel

    searches = [type(stage).__name__ for stage in flat(made) if hasattr(stage, "getEstimatorParamMaps")] if version() == (4, 0) else []
    if searches and isinstance(made, Estimator):
        raise UsageError(f"training {job.name!r}: Spark 4.0 can't fit a {searches[0]} where a frame was observed, as in every run",
                         reason="wrong_spark", hint="tune by search= and --trials, or train on Spark 3.5 or 4.2")
    model = made.fit(train) if isinstance(made, Estimator) else made
    if not isinstance(model, Model):
        raise UsageError(
            f"fit of training {job.name!r} returned {type(made).__name__}",
            reason="wrong_fit",
            hint="return a Pipeline of spark.ml, or a fitted one",
        )
    whole: PipelineModel = sendable(model if isinstance(model, PipelineModel) else PipelineModel([model]))
    return whole


def best(model: PipelineModel) -> PipelineModel:
    """The pipeline with the best model of a search in place of the search: that is what is kept, and scored by."""
    from pyspark.ml import PipelineModel

    stages = [best(stage) if isinstance(stage, PipelineModel) else getattr(stage, "bestModel", stage) for stage in model.stages]
    if all(new is old for new, old in zip(stages, model.stages, strict=True)):
        return model
    whole = stages[0] if len(stages) == 1 else PipelineModel(stages)
    return best(whole if isinstance(whole, PipelineModel) else PipelineModel([whole]))


def grid(model: PipelineModel) -> dict[str, Any] | None:
    """What spark.ml's CrossValidator or TrainValidationSplit tried, for the card; of several the first. None where there is none."""
    stage: Any = next((s for s in model.stages if hasattr(s, "bestModel")), None)
    if stage is None:
        return None
    figures = list(getattr(stage, "avgMetrics", None) or stage.validationMetrics)
    spreads = list(getattr(stage, "stdMetrics", None) or [])
    evaluator = stage.getEvaluator()
    first = (max if evaluator.isLargerBetter() else min)(range(len(figures)), key=lambda i: figures[i])
    settings = [{f"{_name(p.parent)}.{p.name}": _plain(v) for p, v in one.items()} for one in stage.getEstimatorParamMaps()]
    tried = [{"params": p, "figure": f, "state": "complete"} for p, f in zip(settings, figures, strict=True)][:MOST_TOLD]
    return {
        "trials": len(figures), "complete": len(figures), "pruned": 0, "failed": 0, "repeated": 0, "ended": "grid",
        "why": f"every setting of the {type(stage).__name__.removesuffix('Model')}'s grid was tried",
        "folds": stage.getNumFolds() if hasattr(stage, "getNumFolds") else 1,
        "metric": evaluator.getMetricName() if hasattr(evaluator, "getMetricName") else type(evaluator).__name__,
        "mean": figures[first], "spread": spreads[first] if spreads else None, "chosen": settings[first], "tried": tried,
    }


def outside(made: Any) -> list[dict[str, str]]:
    """Stages that are fitted before a search in the same pipeline, and so on the rows that judge its settings, too; told, not refused."""
    from pyspark.ml import Estimator, Pipeline

    found, before = [], list[str]()
    for stage in made.getStages() if isinstance(made, Pipeline) else ():
        if hasattr(stage, "getEstimator") and before:
            said = f"{type(stage).__name__} judges its settings on rows that {', '.join(before)} before it was fitted on, too"
            found.append({"guard": "tuned_outside", "finding": said, "why": "the test part has no share in it; search over the whole "
                          "pipeline to mend it"})
        before += [type(stage).__name__] if isinstance(stage, Estimator) else []
    return found


def _name(uid: str) -> str:
    return uid.rpartition("_")[0] or uid


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list) else type(value).__name__
