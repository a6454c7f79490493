"""Stages of our own in a training: saved and read again they are the same, and a fit of its own that holds them is judged right."""

from __future__ import annotations

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import functions as F

from sparkkit.errors import ContractError
from sparkkit.learning import guard
from sparkkit.ml import steps
from sparkkit.ml.stages import PriorCorrection
from sparkkit.training import Training


@pytest.fixture(scope="module")
def rows(spark):
    made = spark.range(80).selectExpr("concat('w', id % 7) word", "if(id % 9 = 0, null, id * 1.5D) x", "double(id % 7 < 3) target")
    return made.coalesce(1).persist()


@pytest.fixture(scope="module")
def model(rows):
    numbers = steps.numbers(["x"], missing="constant", value=2.0, clip=(0.05, 0.95), scale="none")
    step = steps.svd(steps.target_means(["word"], by=["x"]), numbers, components=2)
    return Pipeline(stages=[*step.stages, PriorCorrection(step.outputs[0], odds=0.5)]).fit(rows)


def test_a_model_of_our_own_stages_is_the_same_when_it_is_read_again(model, rows, tmp_path):
    model.write().save(str(tmp_path / "model"))
    again = PipelineModel.load(str(tmp_path / "model"))
    assert again.transform(rows).collect() == model.transform(rows).collect()


def test_our_own_stages_that_fit_fitted_itself_are_known_and_those_that_saw_others_found(model, rows):
    job = Training(lambda rows: rows, name="train_it", fit=lambda train: model, label="y", features=("word", "x"))
    assert guard.fit(job, model, rows) == (model, [])
    with pytest.raises(ContractError, match="stage TargetMeansModel is not what .* stage ClipModel is not what"):
        guard.fit(job, PipelineModel(model.stages[:3]), rows.where(F.col("x") > 30))
