from __future__ import annotations

import math
from datetime import datetime

from pyspark.ml.classification import LogisticRegression, RandomForestClassifier

from sparkkit.ml import steps
from sparkkit.ml.encoding import TargetMeans
from sparkkit.ml.stages import Clip, DateParts, Fill, LogPlus, MissingIndicator, PriorCorrection
from tests.portable.both import equal, fitted, portable


def test_our_own_stages_are_what_they_are_in_spark(spark):
    numbers = [(None, 3), (math.nan, None), (-math.inf, -7), (1e300, 0), (-0.0, 5), (2.5, 2**31 - 1)]
    frame = spark.createDataFrame(numbers, "x double, n int")
    names = ["x", "n"]
    stages = [MissingIndicator(names, ["xm", "nm"]), LogPlus(names, ["xl", "nl"]), Clip(names, ["xc", "nc"], low=0.2, high=0.8),
              Fill(names, ["xf", "nf"], value=-1.5)]
    assert equal(fitted(*stages, on=frame), frame, "xm", "nm", "xl", "nl", "xc", "nc", "xf", "nf")


def test_parts_of_a_time_are_what_they_are_in_spark(spark):
    times = [(datetime(2024, 2, 29, 23, 59, 59, 250000),), (datetime(1969, 12, 31),), (None,), (datetime(2026, 1, 4, 0, 0, 1),)]
    parts = ("year", "month", "day", "hour", "minute", "weekday", "day_of_year", "seconds")
    frame = spark.createDataFrame(times, "at timestamp_ntz")
    assert equal(fitted(DateParts("at", parts), on=frame), frame, *(f"at_{part}" for part in parts))


def test_target_means_are_what_they_are_in_spark_in_every_fold(spark):
    at = datetime(2024, 2, 29, 23, 59, 59, 250001)
    rows = [("a", True, 7, at, 0.1, 1.0), ("a", False, 7, None, 1e22, 0.0), ("ß🙂", True, 8, datetime(1969, 12, 31), -0.0, 1.0),
            (None, None, None, at, None, 0.0), ("a", True, 8, at, 3.0, 0.0)]  # fmt: skip
    ddl = "word string, flag boolean, n bigint, at timestamp_ntz, x double, label double"
    frame = spark.createDataFrame(rows, ddl)
    names, by = ["word", "flag", "n"], ["at", "x", "word", "flag", "n"]
    crossed = TargetMeans(names, ["wc", "fc", "nc"], smoothing=1.5, by=by, folds=3)
    model = fitted(TargetMeans(names, ["wm", "fm", "nm"]), crossed, on=frame)
    odd = spark.createDataFrame([*rows, ("None", None, 9, at, 2.5, None), ("new", False, 7, None, 1e-4, None)], ddl)
    assert equal(model, odd, "wm", "fm", "nm", "wc", "fc", "nc")
    assert set(portable(model, frame).inputs) == set(by)


def test_chosen_and_compressed_features_are_what_they_are_in_spark(spark):
    rows = spark.range(60).selectExpr("concat('w', id % 7) word", "concat('k', id * id % 5) kind", "if(id % 9 = 0, null, id * 1.5D) x",
                                      "double(id % 7 < 3) target")
    hashed, numbers = steps.hashed(["word", "kind"], features=32), steps.numbers(["x"], missing="constant", value=-3.0)
    chosen = steps.univariate(steps.variance(hashed), numbers, most=4)
    model = steps.pipeline(steps.svd(chosen, components=2), model=LogisticRegression(maxIter=5)).fit(rows)
    corrected = fitted(model, PriorCorrection(odds=0.2), on=rows)
    (order,) = (list(stage.selectedFeatures) for stage in model.stages if "Univariate" in type(stage).__name__)
    assert order != sorted(order)  # so that the order of places is seen to matter
    assert equal(corrected, rows, chosen.outputs[0], "features", "probability", "prediction")


def test_trees_of_indexed_categories_are_what_they_are_in_spark(spark):
    rows = spark.range(40).selectExpr("concat('k', id * id % 7) kind", "double(id % 7 in (1, 4)) target")
    model = steps.pipeline(steps.indexed(["kind"]), model=RandomForestClassifier(numTrees=2, maxDepth=3, seed=1)).fit(rows)
    odd = spark.createDataFrame([("k0",), ("k2",), ("k4",), ("new",), (None,)], "kind string")
    assert equal(model, odd, "kind_index", "probability", "prediction")
