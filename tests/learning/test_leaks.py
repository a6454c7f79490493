"""Twelve leaks planted one at a time in a training that is right: each is refused, and the right one passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, UsageError
from sparkkit.learning import guard
from sparkkit.learning.guard import refuse
from sparkkit.learning.learn import learn
from sparkkit.learning.road import by_contract, without_test
from sparkkit.ml.splits import Split
from sparkkit.schema.contract import Column, Contract
from sparkkit.training import Training

np = pytest.importorskip("numpy")

FEATURES = ("amount", "night", "risk")
CONTRACT = Contract(
    "payments",
    (
        Column("id", "bigint", key=1),
        Column("paid_at", "timestamp"),
        Column("amount", "double"),
        Column("night", "int"),
        Column("state", "string", tags=("after_outcome",)),
        Column("back", "int"),
    ),
)


@pytest.fixture(scope="module")
def payments(spark):
    """600 payments, an hour apart: the likelier taken back the greater the amount and the risk; 60 customers, each for some days."""
    chance = F.lit(0.08) + F.col("amount") / 200 + F.col("night") * 0.2 + F.col("risk") * 0.2
    rows = spark.range(600).select(
        "id",
        F.floor(F.col("id") / 10).alias("customer"),
        F.timestamp_seconds(1_767_225_600 + F.col("id") * 3600).alias("paid_at"),
        F.round(F.rand(1) * 100, 2).alias("amount"),
        (F.col("id") % 24 < 6).cast("int").alias("night"),
        F.round(F.rand(2), 3).alias("risk"),
    )
    known = rows.withColumn("risk_at", F.col("paid_at") - F.expr("interval 1 day"))
    labelled = known.withColumn("back", (F.rand(3) < chance).cast("int"))
    return labelled.withColumn("state", F.when(F.col("back") == 1, "returned").otherwise("delivered")).persist()


def build(payments):
    return payments


def fit(train, *, seed: int):
    return pipeline(FEATURES)


def pipeline(features, *before):
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import StandardScaler, VectorAssembler

    together = VectorAssembler(inputCols=list(features), outputCol="together")
    model = LogisticRegression(labelCol="target", featuresCol="scaled", regParam=0.01, maxIter=10)
    return Pipeline(stages=[*before, together, StandardScaler(inputCol="together", outputCol="scaled"), model])


def training(**more: Any) -> Training:
    right: Mapping[str, Any] = {
        "build": build,
        "fit": fit,
        "label": "back",
        "features": FEATURES,
        "at": "paid_at",
        "split": Split(at="paid_at"),
        "stamps": {"risk": "risk_at"},
        "entity": ("customer",),
    }
    return Training(**{**right, **more}, name="train_fraud")


def train(spark, job: Training, payments):
    refuse(job, by_contract(job, {"payments": CONTRACT}))
    frames = {"payments": payments}
    examples = job.examples((payments,), {})
    learned = learn(spark, job, examples, {"seed": 17}, without_test(job, frames, {}, {"payments": CONTRACT}))
    learned.close()
    return learned


def test_the_right_training_passes(spark, payments):
    learned = train(spark, training(), payments)
    assert learned.rows == {
        "examples": 600,
        "unlabelled": 0,
        "train": 480,
        "test": 120,
        "train_positives": learned.rows["train_positives"],
        "test_positives": learned.rows["test_positives"],
    }
    assert 0.55 < learned.overall["roc_auc"] < 0.95
    assert not learned.findings


def noisy(payments):
    return payments.withColumn("noisy", F.when(F.rand(5) < 0.005, 1 - F.col("back")).otherwise(F.col("back")))


def null_where_back(payments):
    return payments.withColumn("told", F.when(F.col("back") == 0, F.rand(6)))


def oversampled(payments):
    return payments.unionAll(payments.where("back = 1")).drop("customer").withColumn("customer", F.col("id"))


def mean_over_all(payments):
    return payments.crossJoin(payments.agg(F.avg("risk").alias("mean"))).withColumn("risk", F.col("risk") - F.col("mean"))


def rate_of_customer(payments):
    rates = payments.groupBy("night").agg(F.avg("back").alias("rate"))
    return payments.join(rates, "night")


def fitted_by_hand(train, *, seed: int):
    from pyspark.ml.feature import StringIndexer

    indexer = StringIndexer(inputCol="state", outputCol="state_index").fit(train)
    return pipeline(FEATURES, indexer)


class OnAll:
    """A fit that looks at rows it was not given."""

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, train, *, seed: int):
        return pipeline(FEATURES).fit(self.rows.withColumn("target", F.col("back").cast("double")))


def reads_the_label(train, *, seed: int):
    return pipeline((*FEATURES, "back"))


LEAKS = {
    "a noisy copy of the label is a feature": (
        {"build": noisy, "features": (*FEATURES, "noisy")},
        "feature noisy alone tells the label in",
    ),
    "a feature is missing where the label is 1": (
        {"build": null_where_back, "features": (*FEATURES, "told")},
        "feature told alone tells the label in 100.0 %",
    ),
    "a feature is known only after the outcome": (
        {"features": (*FEATURES, "state")},
        "feature state of payments is known only after the outcome",
    ),
    "a key is a feature": ({"features": (*FEATURES, "id")}, "feature id is a key of payments"),
    "rows were doubled before the split": (
        {
            "build": oversampled,
            "at": "",
            "stamps": {},
            "entity": (),
            "split": Split(keys=("paid_at", "amount"), by=("back",)),
            "features": ("amount",),
        },
        "examples of the test part stand in the train part, too",
    ),
    "customers are on both sides": ({"at": "", "stamps": {}, "split": Split(by=("back",))}, "values of customer are on both sides"),
    "a split at random where time matters": ({"split": Split(by=("back",)), "entity": ()}, "train rows are not before the test part"),
    "a feature is stamped later than its row": (
        {"build": lambda payments: payments.withColumn("risk_at", F.col("paid_at") + F.expr("interval 1 hour"))},
        "feature risk was known only after paid_at in 600 rows",
    ),
    "a mean over all rows is in the features": (
        {"build": mean_over_all},
        "train rows have other features when the test rows are not there",
    ),
    "the label's rate over all rows is in the features": (
        {"build": rate_of_customer, "features": (*FEATURES, "rate")},
        "train rows have other features when the test rows are not there",
    ),
    "a stage was fitted before": ({"fit": fitted_by_hand}, "stage StringIndexerModel of the pipeline was fitted before"),
    "the label is read by a stage": ({"fit": reads_the_label}, "stage VectorAssembler reads back as a feature"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_refused(spark, payments, leak):
    options, said = LEAKS[leak]
    rows = payments if leak != "rows were doubled before the split" else payments.withColumn("amount", F.round("amount", 0))
    with pytest.raises(ContractError, match=said) as found:
        train(spark, training(**options), rows)
    assert (found.value.reason, found.value.exit_code) == ("leak", 4)


def test_a_fit_that_saw_test_rows_is_refused(spark, payments):
    with pytest.raises(ContractError, match="stage StandardScalerModel is not what the train part alone gives"):
        train(spark, training(fit=OnAll(payments).__call__), payments)


def test_a_fit_of_its_own_on_the_train_part_passes(spark, payments):
    def own(train, *, seed: int):
        return pipeline(FEATURES).fit(train)

    assert train(spark, training(fit=own), payments).overall["roc_auc"] > 0.55


def test_the_label_can_not_be_declared_a_feature():
    with pytest.raises(Exception, match="the label 'back' is among the features"):
        training(features=("amount", "back"))


def test_a_leak_that_is_allowed_is_told(spark, payments):
    job = training(split=Split(by=("back",)), stamps={}, entity=(), allow={"out_of_time": "a demonstration"})
    assert [(f["guard"], f["why"]) for f in train(spark, job, payments).findings] == [("out_of_time", "a demonstration")]


def test_what_a_search_over_a_pipeline_fitted_before_hides_is_found(payments):
    from pyspark.ml.tuning import CrossValidator

    with pytest.raises(ContractError, match="stage StringIndexerModel of the pipeline was fitted before"):
        guard.pipeline(training(), CrossValidator(estimator=fitted_by_hand(payments, seed=1)))


def test_an_unknown_guard_can_not_be_allowed():
    with pytest.raises(UsageError, match="allow names .'duplicate'., which are no guards"):
        training(allow={"duplicate": "why not"})
