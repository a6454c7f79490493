"""Curves for plots: right against scikit-learn, bounded, and the same each time."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml import curves, evaluate

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def scored():
    """1,500 labels, and scores in steps of a hundredth: with ties, and some at 0 and 1."""
    random = np.random.default_rng(4)
    label = random.random(1500) < 0.2
    return label, np.round(np.clip(random.normal(0.3 + 0.2 * label, 0.2), 0, 1), 2)


@pytest.fixture(scope="module")
def rows(spark, scored):
    made = [(int(a), float(b)) for a, b in zip(*scored, strict=True)]
    return spark.createDataFrame([*made, (None, 0.5)], "y int, score double")


def counts(scored):
    label, score = scored
    values, at = np.unique(score, return_inverse=True)
    return values, np.bincount(at, label), np.bincount(at, ~label)


def test_the_table_is_what_the_counts_give_whatever_the_order(rows, scored):
    expected = [(name, place, *point) for name, found in curves.curves(*counts(scored), threshold=0.4, costs=(1.0, 5.0))
                for place, point in enumerate(found)]
    made = curves.points(rows.repartition(5).orderBy(F.desc("score")), label="y", threshold=0.4, costs=(1.0, 5.0)).collect()
    assert sorted(tuple(row) for row in made) == sorted(expected)


def test_roc_and_precision_are_those_of_scikit_learn(scored):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")
    found = dict(curves.curves(*counts(scored), most=1000))
    fpr, tpr, thresholds = sklearn.roc_curve(*scored, drop_intermediate=False)
    assert np.allclose([p[:2] for p in found["roc"]], np.column_stack([fpr, tpr]), atol=1e-12)
    assert [p[2] for p in found["roc"]][1:] == thresholds[1:].tolist()
    precision, recall, _ = sklearn.precision_recall_curve(*scored)
    assert np.allclose([p[:2] for p in found["precision_recall"]], np.column_stack([recall, precision])[-2::-1], atol=1e-12)


def test_long_curves_are_thinned_evenly_and_keep_their_ends():
    random = np.random.default_rng(1)
    found = dict(curves.curves(np.sort(random.random(5000)), random.integers(0, 9, 5000), random.integers(0, 9, 5000), most=50))
    roc = np.array([p[:2] for p in found["roc"]])
    assert len(roc) <= 50 and roc[0].tolist() == [0, 0] and roc[-1].tolist() == [1, 1]
    assert np.hypot(*np.diff(roc, axis=0).T).max() < 3 / 50


def test_the_calibration_and_the_costs_are_those_of_the_evaluation(rows, scored):
    found = dict(curves.curves(*counts(scored), costs=(1.0, 5.0)))
    bins = evaluate.calibration(rows, label="y").collect()
    assert [(x, y, at, n) for x, y, at, n in found["calibration"]] == [
        (pytest.approx(b.mean_score), pytest.approx(b.observed), b.bin, b.rows) for b in bins]
    label, score = scored
    dear = [float(np.mean(np.where(score >= step / 100, ~label * 1.0, label * 5.0))) for step in range(101)]
    assert [p[1] for p in found["cost"]] == pytest.approx(dear, abs=1e-12)


def test_the_confusion_and_the_histogram_count_every_row(scored):
    label, score = scored
    found = dict(curves.curves(*counts(scored), threshold=0.4))
    called = score >= 0.4
    assert [p[3] for p in found["confusion"]] == [
        int(s.sum()) for s in (label & called, label & ~called, ~label & called, ~label & ~called)]
    assert [sum(p[3] for p in found["histogram"] if p[1] == side) for side in (1.0, 0.0)] == [label.sum(), (~label).sum()]


def test_without_negatives_there_is_no_roc_and_without_costs_no_costs():
    assert [name for name, _ in curves.curves([0.2, 0.8], [1, 2], [0, 0])] == ["precision_recall", "calibration", "confusion", "histogram"]


def test_a_score_that_is_no_probability_is_refused(rows):
    with pytest.raises(Exception, match="a score is null, NaN, or outside 0 to 1"):
        curves.points(rows.withColumn("score", F.col("score") * 2), label="y").collect()


def test_a_threshold_that_is_no_share_is_refused(rows):
    with pytest.raises(UsageError, match="threshold is 3"):
        curves.points(rows, label="y", threshold=3)
