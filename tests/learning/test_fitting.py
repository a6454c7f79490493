"""What `fit` may return beside a pipeline: spark.ml's own searches, over the whole of it or in it; and the seed of each stage."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from sparkkit.errors import ContractError, UsageError
from sparkkit.learning import fitting, guard
from sparkkit.models.model import load
from tests.learning.test_road import home, runner, stored, training  # noqa: F401

pytest.importorskip("mlflow")


def stages(*, weight: float = 0.01, inputs=("x",)):
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import StandardScaler, VectorAssembler

    together = VectorAssembler(inputCols=list(inputs), outputCol="together")
    model = LogisticRegression(labelCol="target", featuresCol="scaled", regParam=weight, maxIter=3)
    return [together, StandardScaler(inputCol="together", outputCol="scaled"), model]


def searched(name, estimator, maps):
    from pyspark.ml import tuning
    from pyspark.ml.evaluation import BinaryClassificationEvaluator

    options = {"numFolds": 2} if name == "CrossValidator" else {"trainRatio": 0.7}
    evaluator = BinaryClassificationEvaluator(labelCol="target")
    return getattr(tuning, name)(estimator=estimator, estimatorParamMaps=maps, evaluator=evaluator, **options)


def over_all(train, *, name: str = "CrossValidator"):
    from pyspark.ml import Pipeline

    made = stages()
    return searched(name, Pipeline(stages=made), [{made[-1].regParam: weight} for weight in (0.01, 50.0)])


def within(train, *, name: str = "TrainValidationSplit"):
    from pyspark.ml import Pipeline

    *before, model = stages()
    return Pipeline(stages=[*before, searched(name, model, [{model.regParam: weight} for weight in (0.01, 50.0)])])


@pytest.fixture(scope="module", params=[over_all, within], ids=["over the pipeline", "in the pipeline"])
def run(request, spark, tmp_path_factory, home, stored):  # noqa: F811
    """A training with a search of spark.ml, promoted; its model loaded, and the rows that it scored."""
    job = training(fit=request.param, features=("x",), model=request.param.__name__)
    go = runner(spark, tmp_path_factory.mktemp(request.param.__name__), home, stored)
    record = go(job, promote=True, name=next(o.default for o in job.options if o.parameter == "name"))
    model, rows = load(spark, request.param.__name__, home), spark.read.parquet(str(stored))
    return SimpleNamespace(name=request.param.__name__, record=record, model=model, card=model.bundle.card, rows=rows)


def test_the_best_model_of_a_search_is_kept_promoted_and_scores(run):
    assert (run.record.model["champion"], run.model.version) == (True, run.record.model["version"])
    kinds = [stage.rpartition(".")[2] for stage in run.card["stages"]]
    assert kinds == ["PipelineModel", "VectorAssembler", "StandardScalerModel", "LogisticRegressionModel"]
    assert run.model.score(run.rows).where("score between 0 and 1").count() == 300


def test_it_is_exported_to_score_without_spark(run):
    exported = json.loads((run.model.bundle.path / "portable.json").read_text(encoding="utf-8"))
    assert run.card["portable"] is None
    assert [stage["stage"] for stage in exported["stages"]] == ["VectorAssembler", "StandardScalerModel", "LogisticRegressionModel"]


def test_the_card_tells_what_the_grid_gave(run):
    told = run.card["search"]
    assert (told["trials"], told["ended"], told["metric"], told["folds"]) == (2, "grid", "areaUnderROC", 2 if run.name == "over_all" else 1)
    assert told["chosen"] in [t["params"] for t in told["tried"]] and set(told["chosen"]) == {"LogisticRegression.regParam"}
    assert told["mean"] == max(t["figure"] for t in told["tried"])


def test_what_is_fitted_before_a_search_in_the_same_pipeline_is_told(run):
    found = [f["finding"] for f in run.card["allowed"] if f["guard"] == "tuned_outside"]
    said = "TrainValidationSplit judges its settings on rows that StandardScaler before it was fitted on, too"
    assert found == ([said] if run.name == "within" else [])


def test_a_stage_that_reads_the_label_is_found_in_a_search(spark):
    from pyspark.ml import Pipeline

    hidden = searched("TrainValidationSplit", Pipeline(stages=stages(inputs=("x", "y"))), [{}])
    with pytest.raises(ContractError, match="stage VectorAssembler reads y as a feature"):
        guard.pipeline(training(features=("x",)), Pipeline(stages=[hidden]))


def test_a_setting_of_a_grid_that_reads_the_label_is_found_where_it_is_chosen(spark):
    from pyspark.ml import Pipeline
    from pyspark.sql import functions as F

    made = stages()
    grid = [{made[0].inputCols: ["x", "y"]}]
    rows = spark.range(40).select(F.rand(1).alias("x"), (F.col("id") % 2).alias("y"), (F.col("id") % 2).cast("double").alias("target"))
    job, search = training(features=("x",)), searched("TrainValidationSplit", Pipeline(stages=made), grid)
    assert guard.pipeline(job, search) == []
    with pytest.raises(ContractError, match="stage VectorAssembler reads y as a feature"):
        guard.fit(job, search, rows.coalesce(1).cache())


def test_a_search_is_refused_on_spark_4_0_before_it_fails_there(spark, monkeypatch):
    monkeypatch.setattr(fitting, "version", lambda: (4, 0))
    with pytest.raises(UsageError, match="Spark 4.0 can't fit a TrainValidationSplit"):
        fitting.fitted(training(), within(None), spark.range(1))


def test_every_stage_that_draws_at_random_has_the_runs_seed_but_where_it_has_its_own(spark):
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import GBTClassifier, OneVsRest, RandomForestClassifier

    trees, own, inner = GBTClassifier(), RandomForestClassifier(seed=5), GBTClassifier()
    search = searched("CrossValidator", Pipeline(stages=[trees, Pipeline(stages=[own])]), [{}])
    fitting.seeded(Pipeline(stages=[search, OneVsRest(classifier=inner)]), 99)
    assert [one.getSeed() for one in (search, trees, own, inner)] == [99, 99, 5, 99]
