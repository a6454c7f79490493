"""A rare class balanced in a training: the train part alone, told in the card, with scores that are probabilities again."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.sql import functions as F

from sparkkit.errors import ContractError, UsageError
from sparkkit.learning import balance
from sparkkit.learning.learn import divided, learn
from sparkkit.ml import splits, steps
from sparkkit.ml.balance import Balance
from sparkkit.ml.scoring import scored
from sparkkit.models import report
from sparkkit.training import Training
from sparkkit.transforms import joins

np = pytest.importorskip("numpy")


def fit(train, *, seed: int):
    return steps.pipeline(steps.numbers(["x"], scale="none"), model=LogisticRegression(maxIter=8))


def training(build=lambda rows: rows, **more: Any) -> Training:
    return Training(build, **{"fit": fit, "label": "back", "features": ("x",), **more}, name="train_back")


@pytest.fixture(scope="module")
def rows(spark):
    """2,000 payments, of which about one in twelve is taken back: the likelier the greater x is."""
    made = spark.range(2000).select("id", F.rand(1).alias("x"))
    return made.withColumn("back", (F.rand(2) < 0.25 * F.col("x") ** 2).cast("int")).coalesce(1).persist()


def test_the_train_part_alone_is_balanced_and_scores_stay_probabilities(spark, rows):
    learned = learn(spark, training(balance=Balance("under")), rows, {"seed": 17})
    n, test = learned.rows, learned.predicted.count()
    uncorrected = scored(learned.test, PipelineModel(learned.model.stages[:-1]), "binary", threshold=0.5)
    means = learned.predicted.agg(F.avg("score"), F.avg("target")).crossJoin(uncorrected.agg(F.avg("score"))).head()
    learned.close()
    assert (n["examples"], n["train"] + n["test"], n["test"]) == (2000, 2000, test)
    assert n["balanced_positives"] == n["train_positives"] and abs(n["balanced"] - 2 * n["train_positives"]) < 0.2 * n["train_positives"]
    assert (abs(means[0] - means[1]) < 0.03, means[2] > 0.3) == (True, True)


@pytest.mark.parametrize("how", ["weights", "under", "over"])
def test_the_odds_of_the_scores_are_those_before_over_those_after(spark, how):
    train = spark.range(400).selectExpr("id", "double(id < 80) target")
    with balance.seen(training(balance=Balance(how, ratio=0.5)), train, 17) as seen:
        n, yes = seen.rows["balanced"], seen.rows["balanced_positives"]
    after = 0.5 if how == "weights" else yes / (n - yes)
    assert (seen.odds, 0.4 < after < 0.6) == (pytest.approx(0.25 / after), True)


def merged(payments, shops, risks):
    """Payments with their shop's age, and the risk as it was known when they were made."""
    known = payments.transform(joins.lookup, shops, on="shop", columns=["age"])
    return known.transform(splits.as_of, risks, on="shop", at="at", stamp="since", columns=["risk"])


def sided(job, *frames):
    return divided(job, job.examples(frames, {}), 17).groupBy("shop", "age", "risk").count().orderBy("shop", "risk").collect()


def test_sources_are_merged_before_the_split_with_one_example_for_each_row(spark):
    job = training(merged, features=("age", "risk"))
    payments = spark.range(300).selectExpr("id % 3 shop", "id at", "int(id % 7 = 0) back")
    shops = spark.createDataFrame([(0, 5.0), (1, 2.5)], "shop bigint, age double")
    risks = spark.createDataFrame([(0, 90, 0.1), (0, 150, 0.3), (2, 400, 0.9)], "shop bigint, since bigint, risk double")
    assert [tuple(row) for row in sided(job, payments, shops, risks)] == [
        (0, 5.0, None, 30), (0, 5.0, 0.1, 20), (0, 5.0, 0.3, 50), (1, 2.5, None, 100), (2, None, None, 100)]
    with pytest.raises(Exception, match="a key stands more than once in the lookup table"):
        sided(job, payments, shops.union(shops), risks)


@pytest.mark.usefixtures("spark")
def test_a_balance_by_weights_that_nothing_reads_is_refused():
    with pytest.raises(UsageError, match="balances by weights, and no stage of its pipeline reads them"):
        balance.read(training(balance=Balance("weights")), fit(None, seed=1))


def test_a_balance_that_leaves_one_class_is_refused(spark):
    rows = spark.range(10).selectExpr("double(id < 5) target", "1 same")
    with pytest.raises(ContractError, match="leaves one class alone"):
        with balance.seen(training(balance=Balance("under", ratio=1.0)), rows.where("target = 1"), 17):
            pass


def test_the_card_tells_the_balance_and_what_was_fitted_on():
    found = {"balance": Balance("over", ratio=0.5).describe(), "rows": {"balanced": 1200, "balanced_positives": 400}}
    assert report._balance(found) == ["balance    over-sampled to 1 of the rare class for 2 of the frequent one, scores corrected: "
                                      "fitted on 1,200 rows, 400 of them positive"]
    assert report._balance({"rows": {}}) == []
