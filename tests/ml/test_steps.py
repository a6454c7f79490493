"""What the steps put together; that they compute what they say is shown where their stages are tested, and in tests/portable."""

from __future__ import annotations

import pytest
from pyspark.ml.classification import LogisticRegression

from sparkkit.errors import UsageError
from sparkkit.ml import steps


def kinds(step):
    return [type(stage).__name__ for stage in step.stages]


def told(stage, *names):
    return tuple(stage.getOrDefault(name) for name in names)


@pytest.mark.usefixtures("spark")
def test_constants_fill_what_is_missing():
    step = steps.numbers(["a", "b"], missing="constant", value=-1.0, indicator=True, scale="none")
    assert kinds(step) == ["MissingIndicator", "Fill", "VectorAssembler"]
    assert told(step.stages[1], "inputCols", "outputCols", "value") == (["a", "b"], ["a_filled", "b_filled"], -1.0)


@pytest.mark.usefixtures("spark")
def test_hashed_numbers_are_categories_too():
    step = steps.hashed(["code", "shop"], features=64)
    assert told(step.stages[0], "categoricalCols", "numFeatures", "outputCol") == (["code", "shop"], 64, step.outputs[0])


@pytest.mark.usefixtures("spark")
def test_target_means_read_the_label_of_a_training_and_are_crossed_where_asked():
    plain, crossed = steps.target_means(["shop"], smoothing=3.0), steps.target_means(["shop"], by=["paid_at"], folds=4)
    assert told(plain.stages[0], "labelCol", "smoothing", "folds", "by") == ("target", 3.0, 1, [])
    assert told(crossed.stages[0], "outputCols", "folds", "by") == (["shop_mean"], 4, ["paid_at"])


@pytest.mark.usefixtures("spark")
def test_steps_of_steps_are_one_vector_each_and_come_before_the_model():
    words = steps.svd(steps.text("note"), components=5)
    rest = steps.univariate(steps.variance(steps.categories(["shop"]), least=0.1), steps.numbers(["x"]), most=7, test="chi2")
    made = steps.pipeline(words, steps.pca(rest, components=2), model=LogisticRegression()).getStages()
    found = {type(stage).__name__: stage for stage in made}
    *_, together, model = made
    assert told(found["UnivariateFeatureSelector"], "labelCol", "featureType", "labelType", "selectionThreshold") == (
        "target", "categorical", "categorical", 7.0)
    assert (found["SVD"].getOrDefault("k"), found["PCA"].getK(), found["VarianceThresholdSelector"].getVarianceThreshold()) == (5, 2, 0.1)
    assert together.getInputCols() == [found["SVD"].getOutputCol(), found["PCA"].getOutputCol()]
    outputs = [name for stage in made for name in (stage.getOutputCols() if stage.hasParam("outputCols") and stage.isSet("outputCols")
                                                   else [stage.getOutputCol()] if stage.hasParam("outputCol") else [])]
    assert len(set(outputs)) == len(outputs) and model.getLabelCol() == "target"


def test_steps_of_nothing_are_refused():
    for made in (steps.hashed, steps.indexed, steps.target_means):
        with pytest.raises(UsageError, match="no column, length or step given"):
            made([])
    with pytest.raises(UsageError, match="steps.pca: no column, length or step given"):
        steps.pca(components=2)
    with pytest.raises(UsageError, match="test is 'f', most 100"):
        steps.univariate(steps.Step((), ("x",)), test="f")
