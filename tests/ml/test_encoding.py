from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml.encoding import TargetMeans

ROWS = [("a", True, 1.0), ("a", True, 0.0), ("a", False, 1.0), ("b", False, 0.0), (None, None, 1.0), ("c", True, None)]


@pytest.fixture(scope="module")
def rows(spark):
    return spark.createDataFrame(ROWS, "word string, flag boolean, label double")


@pytest.fixture(scope="module")
def noise(spark):
    """2,000 rows whose label follows nothing, in 500 categories."""
    made = spark.range(2000).selectExpr("id", "concat('c', id % 500) code", "double(pmod(xxhash64(id, 7), 10) < 3) label")
    return made.repartition(3).persist()


def test_a_category_is_its_mean_drawn_to_that_of_all_and_others_are_that_of_all(spark, rows):
    model = TargetMeans(["word", "flag"], ["w", "f"], smoothing=2.0).fit(rows)
    made = model.transform(spark.createDataFrame([("a", False), ("b", True), (None, None), ("z", None)], "word string, flag boolean"))
    prior = 3 / 5
    expected = [((2 + 2 * prior) / 5, (1 + 2 * prior) / 4), ((0 + 2 * prior) / 3, (1 + 2 * prior) / 4), (prior, prior), (prior, prior)]
    assert [tuple(row) for row in made.select("w", "f").collect()] == [pytest.approx(pair, abs=1e-12) for pair in expected]


def test_without_smoothing_a_category_is_its_mean(rows):
    made = TargetMeans(["word"], ["w"], smoothing=0.0).fit(rows).transform(rows)
    assert [row["w"] for row in made.collect()] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0.0, 0.6, 0.6])


def test_crossed_a_row_is_encoded_by_the_rows_of_other_folds(noise):
    found = TargetMeans(["code"], ["mean"], smoothing=3.0, by=["id"], folds=2).fit(noise).transform(noise)
    known = [(row["code"], row["fold"], row["label"], row["mean"])
             for row in found.withColumn("fold", F.expr("pmod(crc32(cast(id as string)), 2)")).collect()]
    code, fold, _, mean = known[0]
    others = [label for _, f, label, _ in known if f != fold]
    prior = sum(others) / len(others)
    mine = [label for c, f, label, _ in known if f != fold and c == code]
    assert mean == pytest.approx((sum(mine) + 3 * prior) / (len(mine) + 3), abs=1e-12)


def test_crossed_a_feature_of_noise_says_nothing_of_its_own_label(noise):
    def follows(**crossed):
        return TargetMeans(["code"], ["mean"], smoothing=1.0, **crossed).fit(noise).transform(noise).corr("mean", "label")

    assert (follows() > 0.4, abs(follows(by=["id"])) < 0.15) == (True, True)


def test_too_many_categories_are_refused_by_name_and_the_limit_itself_is_not(noise):
    with pytest.raises(UsageError, match="column 'code' has more than 499 categories"):
        TargetMeans(["code"], ["mean"], most=499).fit(noise)
    assert len(TargetMeans(["code"], ["mean"], most=500).fit(noise).getOrDefault("categories")[0]) == 500


def test_what_can_not_be_learned_from_is_said(spark, rows):
    floats = spark.createDataFrame([(0.1, 1.0, "x")], "number float, label double, same string")
    asked = [(["number"], {}, floats, "column 'number' is float"), (["same"], {"by": ["number"]}, floats, "column 'number' is float"),
             (["word"], {}, rows.where("label is null"), "no row has a label"), (["none"], {}, rows, "no column 'none'"),
             (["same"], {"by": ["same"]}, floats, "all rows are in one of 5 folds by same")]
    for columns, more, frame, said in asked:
        with pytest.raises(UsageError, match=said):
            TargetMeans(columns, ["out"], **more).fit(frame)
    with pytest.raises(UsageError, match="smoothing is -1"):
        TargetMeans(["word"], ["w"], smoothing=-1)
