from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml.balance import WEIGHT, Balance, oversampled, undersampled, weights


@pytest.fixture(scope="module")
def rows(spark):
    """1,000 rows of three values each, 100 of class 1, and one without a label: most are the same as many others."""
    return spark.range(1001).selectExpr("id % 3 x", "case when id < 1000 then double(id < 100) end target", "map('a', id % 3) m").persist()


def counts(frame):
    return {(row["target"], row["x"]): row["count"] for row in frame.groupBy("target", "x").count().collect()}


def test_weights_make_classes_weigh_as_much_as_the_ratio_says_and_one_in_the_mean(rows):
    both = weights(weights(rows).withColumnRenamed(WEIGHT, "equal"), ratio=0.25)
    made = both.groupBy("target").agg(F.sum("equal"), F.sum(WEIGHT)).orderBy("target").collect()
    assert [tuple(row) for row in made] == [(0, pytest.approx(500), pytest.approx(800)), (1, pytest.approx(500), pytest.approx(200))]


def test_weights_leave_classes_that_are_near_enough_and_know_more_than_two(spark):
    three = spark.range(60).selectExpr("double(case when id < 10 then 0 when id < 30 then 1 else 2 end) target")
    both = weights(weights(three).withColumnRenamed(WEIGHT, "equal"), ratio=0.1).distinct().orderBy("target").collect()
    assert [tuple(row) for row in both] == [(0, 2, 1), (1, 1, 1), (2, pytest.approx(2 / 3), 1)]


def test_rows_of_the_frequent_class_are_left_out_though_most_are_the_same(rows):
    found = counts(undersampled(rows, ratio=0.5, seed=1))
    kept = [found[0.0, x] for x in range(3)]
    assert (found[1.0, 0] + found[1.0, 1] + found[1.0, 2], all(40 < n < 95 for n in kept)) == (100, True)


def test_rows_of_the_rare_class_are_copied_and_none_is_lost(rows):
    found = counts(oversampled(rows, ratio=0.25, seed=1))
    rare = [found[1.0, x] for x in range(3)]
    assert sum(found.values()) - sum(rare) == 900
    assert abs(sum(rare) - 225) < 20 and all(2 * 33 <= n <= 3 * 34 for n in rare)


@pytest.mark.parametrize("sample", [undersampled, oversampled])
def test_the_same_rows_whatever_the_order_and_partitions_and_others_by_another_seed(rows, sample):
    def made(frame, seed):
        return counts(sample(frame, ratio=0.4, seed=seed))

    one = made(rows, 5)
    assert (made(rows.repartition(5, F.rand(3)), 5) == one, made(rows, 6) == one) == (True, False)


def test_rows_of_a_key_stay_together(spark):
    some = spark.range(1000).selectExpr("id", "floor(id / 10) x", "double(id % 10 = 0) target")
    kept = counts(undersampled(some, keys="x", seed=1))
    assert {n for (target, _), n in kept.items() if target == 0} == {9}


@pytest.mark.parametrize("sample", [undersampled, oversampled])
def test_a_class_alone_stays_as_it_is(rows, sample):
    assert sum(counts(sample(rows.where("target = 0"), seed=1)).values()) == 900


@pytest.mark.parametrize(("what", "said"), [
    ({"how": "smote"}, "a balance is 'smote'"), ({"how": "under", "ratio": 0}, "ratio is 0"), ({"how": "over", "ratio": 2}, "ratio is 2"),
    ({"how": "weights", "keys": "id"}, "has keys")])
def test_what_is_no_balance_is_refused(what, said):
    with pytest.raises(UsageError, match=said):
        Balance(**what)


def test_a_column_of_that_name_is_not_overwritten(spark):
    with pytest.raises(UsageError, match="there is a column 'class_weight' already"):
        weights(spark.createDataFrame([(1.0, 2.0)], "target double, class_weight double"))
