from __future__ import annotations

import pytest

from sparkkit.ml import metrics, multiclass

np = pytest.importorskip("numpy")
sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")

CLASSES = ("bad", "fair", "good")


@pytest.fixture(scope="module")
def predicted(spark):
    """Three classes, the last rare, predicted with some mistakes: lists, and the same as a frame."""
    random = np.random.default_rng(7)
    truth = random.choice(3, 600, p=[0.5, 0.4, 0.1])
    called = np.where(random.random(600) < 0.75, truth, random.choice(3, 600))
    score = np.round(random.uniform(0.4, 1, 600), 2)
    rows = [
        (CLASSES[t], CLASSES[p], float(s), "ab"[i % 2]) for i, (t, p, s) in enumerate(zip(truth, called, score, strict=True))
    ]
    return truth, called, spark.createDataFrame(rows, "label string, prediction string, score double, side string").persist()


def told(frame, **more):
    made = multiclass.evaluate(frame, label="label", classes=CLASSES, seed=1, **{"rounds": 0, **more})
    return {(r.slice, r.metric): r for r in made.collect()}


def test_figures_are_those_of_scikit_learn(predicted):
    truth, called, frame = predicted
    found = told(frame)
    expected = {
        "accuracy": sklearn.accuracy_score(truth, called),
        "balanced_accuracy": sklearn.balanced_accuracy_score(truth, called),
        "macro_precision": sklearn.precision_score(truth, called, average="macro"),
        "macro_f1": sklearn.f1_score(truth, called, average="macro"),
        "kappa": sklearn.cohen_kappa_score(truth, called),
    }
    assert {name: found["all", name].value for name in expected} == pytest.approx(expected, abs=1e-12)


def test_each_class_has_its_own_precision_recall_and_f1(predicted):
    truth, called, frame = predicted
    found = told(frame)
    p, r, f, n = sklearn.precision_recall_fscore_support(truth, called)
    for i, name in enumerate(CLASSES):
        one = {m: found[f"label={name}", m] for m in ("precision", "recall", "f1")}
        assert [one[m].value for m in one] == pytest.approx([p[i], r[i], f[i]], abs=1e-12) and one["f1"].rows == n[i]


def test_a_slice_is_judged_by_its_own_rows(predicted):
    _, _, frame = predicted
    found, alone = told(frame, slices=["side"]), told(frame.where("side = 'a'"))
    expected = {m: r.value for (s, m), r in alone.items() if s == "all"}
    assert {m: r.value for (s, m), r in found.items() if s == "side=a"} == pytest.approx(expected, abs=1e-12)


def test_the_calibration_error_is_the_gap_between_confidence_and_hits(spark):
    rows = [("bad", "bad", 0.9), ("bad", "fair", 0.9), ("good", "good", 0.6), ("fair", "fair", 0.6)]
    frame = spark.createDataFrame(rows, "label string, prediction string, score double")
    assert told(frame)["all", "calibration_error"].value == pytest.approx((0.8 + 0.8) / 4)


def test_an_interval_is_that_of_resampled_rows(predicted):
    truth, called, frame = predicted
    low, high = told(frame, rounds=1000)["all", "accuracy"][3:5]
    share = (truth == called).mean()
    width = 1.96 * (share * (1 - share) / len(truth)) ** 0.5
    assert (low, high) == pytest.approx((share - width, share + width), abs=0.006)


def test_a_classifier_is_not_better_than_itself_and_better_than_a_constant(predicted):
    _, _, frame = predicted
    from pyspark.sql import functions as F

    both = frame.select("*", F.lit("bad").alias("theirs"), F.lit(0.5).alias("their_score"))
    mine, other = ("prediction", "score"), ("theirs", "their_score")
    same = multiclass.paired(both, label="label", ours=mine, theirs=mine, classes=CLASSES, rounds=20, seed=1).collect()
    made = multiclass.paired(both, label="label", ours=mine, theirs=other, classes=CLASSES, rounds=200, seed=1)
    better = {r.metric: r for r in made.collect()}
    assert {(r.value, r.low, r.high) for r in same} == {(0, 0, 0)} and better["accuracy"].low > 0.2


def test_a_label_that_is_no_class_fails(spark):
    frame = spark.createDataFrame([("odd", "bad", 0.9)], "label string, prediction string, score double")
    with pytest.raises(Exception, match="a label or prediction is no class"):
        told(frame)


def test_a_class_that_is_never_there_is_left_out_of_the_means():
    found = metrics.multiclass(np.array([0, 1]), np.array([0, 0]), np.array([0.5, 0.5]), np.array([2, 2]), 3)
    assert (found["balanced_accuracy"], found["macro_precision"]) == (0.5, 0.25)
