from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from sparkkit.ml import regression

np = pytest.importorskip("numpy")
sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")


@pytest.fixture(scope="module")
def predicted(spark):
    """Labels far from zero, predicted with errors that are not even: arrays, and the same as a frame."""
    random = np.random.default_rng(11)
    y = 1e9 + random.normal(0, 3, 3000)
    p = y + random.gamma(2, 0.5, 3000) - 0.7
    rows = [(float(a), float(b), "ab"[i % 2]) for i, (a, b) in enumerate(zip(y, p, strict=True))]
    return y, p, spark.createDataFrame(rows, "y double, prediction double, side string").repartition(3).persist()


def told(frame, **more):
    return {(r.slice, r.metric): r for r in regression.evaluate(frame, label="y", seed=1, **{"rounds": 0, **more}).collect()}


def test_figures_are_those_of_scikit_learn(predicted):
    y, p, frame = predicted
    found = told(frame)
    expected = {
        "rmse": sklearn.mean_squared_error(y, p) ** 0.5,
        "mae": sklearn.mean_absolute_error(y, p),
        "r2": sklearn.r2_score(y, p),
        "mean_error": (p - y).mean(),
    }
    assert {name: found["all", name].value for name in expected} == pytest.approx(expected, rel=1e-9)


def test_an_interval_is_that_of_resampled_rows(predicted):
    y, p, frame = predicted
    found = told(frame, rounds=1000)["all", "mae"]
    random = np.random.default_rng(1)
    drawn = [np.abs(p - y)[random.integers(0, len(y), len(y))].mean() for _ in range(1000)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_rows_that_are_equal_are_drawn_each_for_itself(spark):
    frame = spark.range(2000).select((F.col("id") % 2).cast("double").alias("y"), F.lit(0.0).alias("prediction"))
    found = told(frame, rounds=500)["all", "mae"]
    width = 1.96 * (0.25 / 2000) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - width, 0.5 + width), abs=0.006)


def test_partitions_change_nothing(predicted):
    _, _, frame = predicted
    one, other = (told(rows, rounds=50, slices=["side"]) for rows in (frame, frame.coalesce(1)))
    assert all(one[key][2:] == pytest.approx(other[key][2:], rel=1e-9) for key in one) and one.keys() == other.keys()


def test_a_slice_is_judged_by_its_own_rows(predicted):
    _, _, frame = predicted
    found, alone = told(frame, slices=["side"]), told(frame.where("side = 'a'"))
    assert {m: r.value for (s, m), r in found.items() if s == "side=a"} == pytest.approx({m: r.value for (_, m), r in alone.items()})


def test_a_regression_is_not_better_than_itself_and_better_than_a_mean(predicted):
    _, _, frame = predicted
    both = frame.select("*", F.lit(1e9).alias("mean"))
    same = regression.paired(both, label="y", ours="prediction", theirs="prediction", rounds=20, seed=1).collect()
    better = {r.metric: r for r in regression.paired(both, label="y", ours="prediction", theirs="mean", rounds=200, seed=1).collect()}
    assert {(r.value, r.low, r.high) for r in same} == {(0, 0, 0)}
    assert better["rmse"].high < -1 and better["r2"].low > 0.5


def test_a_label_that_does_not_vary_has_no_r2(spark):
    frame = spark.createDataFrame([(1.0, 2.0), (1.0, 0.0)], "y double, prediction double")
    found = told(frame)
    assert (found["all", "rmse"].value, found["all", "r2"].value) == (1.0, None)


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_prediction_that_is_no_number_fails(spark, value):
    with pytest.raises(Exception, match="a prediction is null or NaN"):
        told(spark.createDataFrame([(1.0, value), (2.0, 1.0)], "y double, prediction double"))
