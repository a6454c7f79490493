from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from sparkkit.ml import evaluate, metrics

np = pytest.importorskip("numpy")
sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")


@pytest.fixture(scope="module")
def scored():
    """Labels, and scores in steps of a thousandth: with ties, and some at 0 and 1."""
    random = np.random.default_rng(4)
    label = random.random(2000) < 0.2
    return label, np.round(np.clip(random.normal(0.3 + 0.2 * label, 0.2), 0, 1), 3)


def frame(spark, label, score):
    rows = [(int(a), float(b), "left" if i % 3 else "right") for i, (a, b) in enumerate(zip(label, score, strict=True))]
    return spark.createDataFrame(rows, "label int, score double, side string")


def test_figures_are_those_of_scikit_learn(spark, scored):
    label, score = scored
    found = {r.metric: r.value for r in evaluate.binary(frame(spark, *scored), label="label", threshold=0.4, rounds=0, seed=1).collect()}
    called = score >= 0.4
    expected = {
        "roc_auc": sklearn.roc_auc_score(label, score), "average_precision": sklearn.average_precision_score(label, score),
        "log_loss": sklearn.log_loss(label, score), "brier": sklearn.brier_score_loss(label, score),
        "accuracy": sklearn.accuracy_score(label, called), "precision": sklearn.precision_score(label, called),
        "recall": sklearn.recall_score(label, called), "f1": sklearn.f1_score(label, called), "positive_rate": label.mean(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_an_interval_covers_its_figure_and_shrinks_with_more_rows(spark, scored):
    small = evaluate.binary(frame(spark, *(x[:300] for x in scored)), label="label", seed=1).collect()
    great = evaluate.binary(frame(spark, *scored), label="label", seed=1).collect()
    widths = [{r.metric: r.high - r.low for r in rows}["roc_auc"] for rows in (small, great)]
    assert all(r.low <= r.value <= r.high for r in great if r.metric != "calibration_error")
    assert widths[1] < widths[0] < 0.3


def test_a_bootstrap_interval_is_near_the_textbook_one(scored):
    label, score = scored
    called = np.array([0.0, 1.0])
    right = (score >= 0.5) == label
    low, high = metrics.intervals(lambda yes, no: {"share": yes.sum() / (yes.sum() + no.sum())},
                                  (np.array([right.sum()]), np.array([(~right).sum()])), rounds=2000, level=0.95, seed=2)["share"]
    share, width = right.mean(), 1.96 * (right.mean() * (1 - right.mean()) / len(right)) ** 0.5
    assert called.any() and (low, high) == pytest.approx((share - width, share + width), abs=0.003)


def test_each_slice_has_its_own_figures(spark, scored):
    rows = frame(spark, *scored)
    both = evaluate.binary(rows, label="label", slices=["side"], rounds=0, seed=1)
    alone = evaluate.binary(rows.where("side = 'left'"), label="label", rounds=0, seed=1)
    assert {(r.metric, r.value, r.rows) for r in both.collect() if r.slice == "side=left"} == {(r.metric, r.value, r.rows) for r in alone.collect()}


def test_rows_without_a_label_are_left_out(spark):
    rows = spark.createDataFrame([(1, 0.9), (None, 0.1), (0, 0.2)], "label int, score double")
    assert {r.rows for r in evaluate.binary(rows, label="label", rounds=0, seed=1).collect()} == {2}


def test_one_class_alone_has_no_ranking(spark):
    rows = spark.createDataFrame([(0, 0.9), (0, 0.2)], "label int, score double")
    found = {r.metric: r.value for r in evaluate.binary(rows, label="label", seed=1).collect()}
    assert (found["accuracy"], found["roc_auc"]) == (0.5, None)


@pytest.mark.parametrize("score", [None, float("nan"), 1.5, -0.1])
def test_a_score_that_is_no_probability_fails(spark, score):
    rows = spark.createDataFrame([(1, score), (0, 0.5)], "label int, score double")
    with pytest.raises(Exception, match="score is null, NaN, or outside"):
        evaluate.binary(rows, label="label", seed=1).collect()


def test_a_score_is_not_better_than_itself(spark, scored):
    rows = frame(spark, *scored).withColumn("same", F.col("score"))
    assert {(r.value, r.low, r.high) for r in evaluate.paired(rows, label="label", ours="score", theirs="same", rounds=50, seed=1).collect()} == {(0, 0, 0)}


def test_a_worse_score_is_worse_beyond_doubt(spark, scored):
    rows = frame(spark, *scored).withColumn("noise", F.round(F.col("score") / 2 + F.rand(3) / 2, 3))
    found = {r.metric: r for r in evaluate.paired(rows, label="label", ours="noise", theirs="score", rounds=200, seed=1).collect()}["roc_auc"]
    assert found.high < 0


def test_calibration_tells_the_share_of_each_bin(spark):
    rows = spark.createDataFrame([(1, 0.95), (0, 0.91), (0, 0.05), (1, 1.0)], "label int, score double")
    assert [(r.bin, r.rows, round(r.observed, 3)) for r in evaluate.calibration(rows, label="label").collect()] == [(0.0, 1, 0.0), (0.9, 3, 0.667)]


def test_the_cost_curve_weighs_both_mistakes(spark):
    rows = spark.createDataFrame([(1, 0.8), (0, 0.6), (0, 0.1), (1, 0.3)], "label int, score double")
    curve = {r.threshold: r.cost for r in evaluate.cost_curve(rows, label="label", costs=(1.0, 5.0), steps=10).collect()}
    assert (curve[0.0], curve[0.3], curve[0.7], curve[1.1]) == (0.5, 0.25, 1.25, 2.5)
