from __future__ import annotations

import math
import random

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import (
    DecisionTreeClassifier,
    GBTClassifier,
    LinearSVC,
    LogisticRegression,
    NaiveBayes,
    RandomForestClassifier,
)
from pyspark.ml.feature import (
    IDF,
    Bucketizer,
    HashingTF,
    OneHotEncoder,
    StandardScaler,
    StringIndexer,
    Tokenizer,
    VectorAssembler,
    Word2Vec,
)
from pyspark.ml.regression import (
    DecisionTreeRegressor,
    GBTRegressor,
    GeneralizedLinearRegression,
    LinearRegression,
    RandomForestRegressor,
)

from sparkkit.compat import sendable
from sparkkit.errors import UsageError
from sparkkit.portable.scorer import Score, Scorer
from sparkkit.portable.stage import NotScorableError
from sparkkit.portable.verify import verify
from tests.portable.both import equal, fitted, portable

DDL = "city string, x double, y double, two double, three double, value double"


def rows(count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        x, y, city = rng.gauss(0, 1), rng.gauss(0, 2), rng.choice("abcd")
        score = x + 0.5 * y + (city == "a") + rng.gauss(0, 0.5)
        yield city, x, y, float(score > 0), float(sum(score > cut for cut in (-1, 1))), math.exp(0.3 * score)


@pytest.fixture(scope="module")
def train(spark):
    return spark.createDataFrame(list(rows(120, 1)), DDL).coalesce(1).cache()


@pytest.fixture(scope="module")
def sample(spark):
    odd = [("new", 0.0, -0.0, 0.0, 0.0, 0.0), ("a", 1e300, -1e300, 0.0, 0.0, 0.0), ("b", -5.0, 5.0, 0.0, 0.0, 0.0)]
    return spark.createDataFrame([*rows(40, 2), *odd], DDL).coalesce(1)


@pytest.fixture(scope="module")
def prepared(train):
    """Features with a category, a bucket and a scale, as a nested pipeline."""
    stages = [
        StringIndexer(inputCol="city", outputCol="ci", handleInvalid="keep"), OneHotEncoder(inputCols=["ci"], outputCols=["cv"]),
        Bucketizer(inputCol="y", outputCol="yb", splits=[-math.inf, -1.0, 0.0, 1.0, math.inf], handleInvalid="keep"),
        VectorAssembler(inputCols=["x", "y", "cv"], outputCol="raw"), StandardScaler(inputCol="raw", outputCol="f", withMean=True),
        VectorAssembler(inputCols=["ci", "x", "yb"], outputCol="g"),
    ]
    return Pipeline(stages=stages).fit(train)


LINEAR = [
    (LogisticRegression, "two", {"maxIter": 5, "threshold": 0.3}),
    (LogisticRegression, "two", {"maxIter": 5, "thresholds": [0.8, 0.2]}),
    (LogisticRegression, "two", {"maxIter": 5, "family": "multinomial"}),
    (LogisticRegression, "three", {"maxIter": 5, "thresholds": [0.2, 0.9, 0.0]}),
    (LinearSVC, "two", {"maxIter": 5, "threshold": 0.1}),
    (LinearRegression, "value", {"maxIter": 5}),
    (GeneralizedLinearRegression, "value", {"family": "poisson", "maxIter": 3, "linkPredictionCol": "eta"}),
    (GeneralizedLinearRegression, "value", {"family": "gaussian", "link": "log", "maxIter": 3}),
    (GeneralizedLinearRegression, "two", {"family": "binomial", "link": "cloglog", "maxIter": 3, "regParam": 0.1}),
]
TREES = [
    (DecisionTreeClassifier, "three", {"maxDepth": 4, "thresholds": [0.5, 0.3, 0.2]}),
    (RandomForestClassifier, "three", {"maxDepth": 3, "numTrees": 4, "seed": 1}),
    (GBTClassifier, "two", {"maxDepth": 2, "maxIter": 2, "seed": 1}),
    (DecisionTreeRegressor, "value", {"maxDepth": 3}),
    (RandomForestRegressor, "value", {"maxDepth": 3, "numTrees": 3, "seed": 1}),
    (GBTRegressor, "value", {"maxDepth": 2, "maxIter": 2, "seed": 1}),
]


@pytest.mark.parametrize(("features", "predictors"), [("f", LINEAR), ("g", TREES)], ids=["linear", "trees"])
def test_predictions_are_sparks(train, sample, prepared, features, predictors):
    ready = prepared.transform(train).cache()
    fits, columns = [], []
    for number, (predictor, label, options) in enumerate(predictors):
        stage = predictor(featuresCol=features, labelCol=label, predictionCol=f"prediction{number}")
        for name in ("raw", "probability"):
            if stage.hasParam("rawPredictionCol" if name == "raw" else "probabilityCol"):
                stage._set(**{"rawPredictionCol" if name == "raw" else "probabilityCol": f"{name}{number}"})
                columns.append(f"{name}{number}")
        columns += [f"prediction{number}", *([options["linkPredictionCol"]] if "linkPredictionCol" in options else [])]
        limits = options.get("thresholds")
        stage._set(**{name: value for name, value in options.items() if name != "thresholds"})
        fits.append(sendable((stage.setThresholds(limits) if limits else stage).fit(ready)))
    assert equal(PipelineModel([prepared, *fits]), sample, *columns)


def test_naive_bayes_is_sparks_and_takes_nothing_below_zero(train, sample):
    buckets = Bucketizer(inputCol="y", outputCol="yb", splits=[-math.inf, 0.0, 1.0, math.inf])
    stages = [buckets, VectorAssembler(inputCols=["yb"], outputCol="v")]
    model = fitted(*stages, NaiveBayes(featuresCol="v", labelCol="three", thresholds=[0.5, 0.3, 0.2]), on=train)
    scorer = portable(model, train)
    assert verify(model, scorer, sample) == 43
    bare = Scorer({"format": 1, "stages": [scorer.predictor]})
    with pytest.raises(NotScorableError, match="below zero"):
        bare.score([{"v": [-1.0]}])


def test_a_category_on_neither_side_of_a_split_goes_where_spark_sends_it(spark, train):
    buckets = Bucketizer(inputCol="y", outputCol="yb", splits=[-math.inf, -1.0, 0.0, 1.0, math.inf], handleInvalid="keep")
    stages = [buckets, VectorAssembler(inputCols=["yb"], outputCol="g")]
    labels = {"most_left": "y <= 1", "most_right": "y > -1 and y <= 0"}  # one bucket of four alone: the others are the larger side
    trees = [DecisionTreeRegressor(featuresCol="g", labelCol=label, maxDepth=1, predictionCol=f"p_{label}") for label in labels]
    ends = train.selectExpr("y", *(f"cast({rule} as double) {label}" for label, rule in labels.items()))
    odd = spark.createDataFrame([(math.nan,), (0.5,), (-3.0,), (2.0,), (-0.5,)], "y double")
    model = fitted(*stages, *trees, on=ends)
    assert {len(s["trees"][0]["categories"]["0"]) for s in portable(model, ends).stages[2:]} == {2, 4}
    assert equal(model, odd, *(f"p_{label}" for label in labels))


@pytest.fixture(scope="module")
def reviews(spark):
    texts = [("good great good", 1.0), ("bad awful", 0.0), ("great food", 1.0), ("awful bad bad", 0.0)]
    frame = spark.createDataFrame(texts, "text string, label double").coalesce(1)
    model = fitted(Tokenizer(inputCol="text", outputCol="w"), HashingTF(inputCol="w", outputCol="tf"), IDF(inputCol="tf", outputCol="f"),
                   LogisticRegression(featuresCol="f", maxIter=5, regParam=0.1), on=frame)
    return model, frame


def test_the_reasons_are_words_and_sum_to_the_log_odds(reviews):
    model, frame = reviews
    scorer = portable(model, frame)
    (score,) = scorer.score([{"text": "Good awful lunch"}])
    reasons = dict(scorer.explain({"text": "Good awful lunch"}))
    assert set(reasons) == {"good", "awful"} and reasons["good"] > 0 > reasons["awful"]
    assert math.isclose(sum(reasons.values()) + model.stages[-1].intercept, score.raw[1])


def test_hashed_coefficients_are_kept_without_their_zeros(reviews):
    model, frame = reviews
    assert len(portable(model, frame).predictor["coefficients"][0]["values"]) == 5


def test_reasons_name_columns_and_categories(train, prepared):
    model = fitted(prepared, LogisticRegression(featuresCol="f", labelCol="two", maxIter=5), on=train)
    names = [name for name, _ in portable(model, train).explain({"city": "a", "x": 1.0, "y": 2.0})]
    assert {"x", "y", "city=a"} <= set(names)


def test_what_a_record_needs_is_known(train, prepared):
    assert portable(fitted(prepared, LinearSVC(featuresCol="f", labelCol="two", maxIter=1), on=train), train).inputs == ("y", "x")


def test_a_stage_without_a_portable_form_is_named(spark):
    words = spark.createDataFrame([(["a", "b"],)], "words array<string>")
    with pytest.raises(UsageError, match=r"Word2VecModel \(Word2Vec_\w+\) .* is not portable") as caught:
        portable(fitted(Word2Vec(inputCol="words", outputCol="v", vectorSize=2, minCount=0), on=words), words)
    assert caught.value.reason == "not_portable"


def test_a_setting_without_a_portable_form_is_named(train):
    stages = [VectorAssembler(inputCols=["x"], outputCol="v"), NaiveBayes(featuresCol="v", labelCol="two", modelType="gaussian")]
    with pytest.raises(UsageError, match="modelType='gaussian' is not portable"):
        portable(fitted(*stages, on=train), train)


def test_a_scorer_that_says_otherwise_is_refused_with_the_first_row(reviews):
    model, frame = reviews
    scorer = portable(model, frame)
    stages = [*scorer.stages[:-1], {**scorer.predictor, "intercepts": [1e-6]}]
    with pytest.raises(UsageError, match="row 1 of the sample scores otherwise without Spark"):
        verify(model, Scorer({"format": 1, "stages": stages}), frame)


def test_rows_that_spark_leaves_out_are_left_out(spark, train):
    stages = [StringIndexer(inputCol="city", outputCol="ci", handleInvalid="skip"), VectorAssembler(inputCols=["ci"], outputCol="v")]
    model = fitted(*stages, LogisticRegression(featuresCol="v", labelCol="two", maxIter=1), on=train)
    frame = spark.createDataFrame([("new",), ("a",)], "city string")
    scorer = portable(model, train)
    assert verify(model, scorer, frame) == 2
    assert [type(score) for score in scorer.score([{"city": "new"}, {"city": "a"}])] == [type(None), Score]


@pytest.mark.parametrize("exported", [{}, {"format": 2, "stages": []}, {"format": 1, "stages": [{"stage": "Word2VecModel"}]}])
def test_an_export_that_is_not_known_is_refused(exported):
    with pytest.raises(UsageError, match="exported pipeline"):
        Scorer(exported)


def test_the_scorer_needs_no_pyspark():
    import subprocess
    import sys

    code = "import sparkkit.portable.scorer, sys; sys.exit('pyspark' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
