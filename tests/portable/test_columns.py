from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.ml.feature import (
    Binarizer,
    Bucketizer,
    FeatureHasher,
    Imputer,
    OneHotEncoder,
    QuantileDiscretizer,
    StringIndexer,
    VectorAssembler,
)

from sparkkit.portable import java
from tests.portable.both import FAILS, LEFT_OUT, equal, fitted, outcome

NAN, INF = math.nan, math.inf
TRAIN = [("a", 1.0, 3, 0.0), ("b", 2.5, 4, 1.0), ("a", 4.0, 4, 1.0), ("ß🙂", 8.0, 9, 0.0)]
DDL = "city string, x double, n int, label double"


@pytest.fixture(scope="module")
def train(spark):
    return spark.createDataFrame(TRAIN, DDL)


@pytest.mark.parametrize("strategy", ["mean", "mode"])
def test_missing_values_are_imputed_in_the_columns_own_type(spark, train, strategy):
    rows = [(None, None, None), (NAN, 7, 0.1), (4.0, 4, None), (-INF, -1, 2.5)]
    odd = spark.createDataFrame(rows, "x double, n int, f float")
    imputer = Imputer(inputCols=["x", "n", "f"], outputCols=["xi", "ni", "fi"], strategy=strategy)
    assert equal(fitted(imputer, on=train.selectExpr("x", "n", "cast(x / 3 as float) f")), odd, "xi", "ni", "fi")


def test_a_value_that_stands_for_missing_is_imputed_and_nan_is_then_none(spark, train):
    odd = spark.createDataFrame([(None,), (-1.0,), (NAN,), (3.0,)], "x double")
    assert equal(fitted(Imputer(inputCols=["x"], outputCols=["xi"], missingValue=-1.0), on=train), odd, "xi")


@pytest.mark.parametrize("invalid", ["keep", "skip"])
def test_categories_never_seen_and_nulls_are_kept_or_left_out(spark, train, invalid):
    indexer = StringIndexer(inputCols=["city", "n"], outputCols=["ci", "ni"], handleInvalid=invalid, stringOrderType="alphabetAsc")
    odd = spark.createDataFrame([("a", 3), ("ß🙂", 9), ("SS", 4), (None, 4), ("b", None), ("", 4)], "city string, n int")
    assert equal(fitted(indexer, on=train), odd, "ci", "ni")


def test_numbers_are_indexed_by_their_text_in_java(spark):
    values = [1.0, 1e7, 123456789.125, 1e-4, -0.0, 1e300, 0.001, 1e22, INF, 2.5e-310]
    frame = spark.createDataFrame([(v,) for v in values], "x double")
    model = fitted(StringIndexer(inputCol="x", outputCol="i", stringOrderType="alphabetAsc", handleInvalid="keep"), on=frame)
    assert equal(model, spark.createDataFrame([*frame.collect(), (NAN,), (None,), (7.0,)], "x double"), "i")


@given(st.floats(allow_nan=False))
def test_a_double_as_javas_text_is_the_same_double(value):
    assert float(java.number(value)) == value


def test_the_labels_indexer_is_left_out_where_there_is_no_label(spark, train):
    model = fitted(StringIndexer(inputCol="city", outputCol="ci"), StringIndexer(inputCol="label", outputCol="li"), on=train)
    assert outcome(model, train, {"city": "b"}) == 1.0


@pytest.mark.parametrize(("keep", "drop"), [("keep", True), ("keep", False), ("error", True), ("error", False)])
def test_one_hot_places_are_sparks(spark, train, keep, drop):
    encoder = OneHotEncoder(inputCols=["i"], outputCols=["v"], handleInvalid=keep, dropLast=drop)
    model = fitted(encoder, on=spark.createDataFrame([(0.0,), (1.0,), (2.0,)], "i double"))
    odd = [(0.0,), (1.0,), (2.0,), (None,), (1.5,)] + ([(3.0,), (-1.0,), (NAN,)] if keep == "keep" else [])
    assert equal(model, spark.createDataFrame(odd, "i double"), "v")
    assert (outcome(model, train, {"i": 3.0}) == FAILS) == (keep == "error")


@pytest.mark.parametrize(("target", "smoothing"), [("binary", 2.5), ("continuous", 0.0)])
def test_target_means_are_sparks(spark, target, smoothing):
    feature = pytest.importorskip("pyspark.ml.feature")
    if not hasattr(feature, "TargetEncoder"):
        pytest.skip("Spark 3.5 has no TargetEncoder")
    rows = [(0.0, 2.0, 1.0), (1.0, 2.0, 0.0), (None, 3.0, 1.0), (1.0, 3.0, 1.0)]
    frame = spark.createDataFrame(rows, "a double, b double, label double")
    odd = spark.createDataFrame([(0.0, 2.0), (None, 3.0), (7.0, None), (0.5, -1.0), (-1.0, NAN)], "a double, b double")
    encoder = feature.TargetEncoder(inputCols=["a", "b"], outputCols=["ae", "be"], targetType=target, smoothing=smoothing,
                                    handleInvalid="keep")
    model = fitted(encoder, on=frame)
    assert equal(model, odd, "ae", "be")
    model.stages[0].setHandleInvalid("error")
    assert outcome(model, frame, {"a": 0.0, "b": None}) == FAILS


def test_buckets_at_their_bounds_at_both_zeros_and_at_infinity(spark, train):
    splits = [-INF, -1.0, 0.0, 0.5, INF]
    odd = spark.createDataFrame([(v,) for v in (-INF, -1.0, -0.0, 0.0, 0.25, 0.5, INF, NAN, None)], "x double")
    assert equal(fitted(Bucketizer(inputCol="x", outputCol="b", splits=splits, handleInvalid="keep"), on=train), odd, "b")
    assert equal(fitted(Bucketizer(inputCol="x", outputCol="b", splits=splits, handleInvalid="skip"), on=train), odd, "b")
    quantiles = QuantileDiscretizer(inputCols=["x", "n"], outputCols=["xb", "nb"], numBuckets=3, handleInvalid="keep")
    doubles = train.selectExpr("x", "cast(n as double) n")
    assert equal(fitted(quantiles, on=doubles), doubles, "xb", "nb")


def test_a_value_out_of_the_buckets_fails_even_where_invalid_ones_are_kept(train):
    model = fitted(Bucketizer(inputCol="x", outputCol="b", splits=[0.0, 1.0, 2.0], handleInvalid="keep"), on=train)
    assert [outcome(model, train, {"x": x}) for x in (2.1, -0.1, 2.0, None)] == [FAILS, FAILS, 1.0, None]


def test_binary_columns_and_vectors_are_sparks(spark, train):
    odd = spark.createDataFrame([(0.5, 1.0), (None, 0.0), (NAN, 9.0), (INF, -1.0)], "x double, y double")
    vector = VectorAssembler(inputCols=["x", "y"], outputCol="v", handleInvalid="keep")
    model = fitted(Binarizer(inputCols=["x", "y"], outputCols=["bx", "by"], thresholds=[0.5, 0.0]), vector,
                   Binarizer(inputCol="v", outputCol="bv", threshold=0.25), on=odd)
    assert equal(model, odd, "bx", "by", "bv")


def test_hashed_columns_are_sparks(spark):
    rows = [(1.5, "x", True, 3, 2), (None, None, None, None, None), (0.0, "é🙂", False, -1, 7), (NAN, "", True, 0, 0)]
    frame = spark.createDataFrame(rows, "real double, word string, flag boolean, code int, n bigint")
    hasher = FeatureHasher(inputCols=frame.columns, outputCol="f", categoricalCols=["code"], numFeatures=64)
    assert equal(fitted(hasher, on=frame), frame, "f")


def test_an_assembly_keeps_leaves_out_or_refuses_what_is_missing(spark, train):
    odd = spark.createDataFrame([(1.0, 2, True), (None, 3, False), (NAN, 4, None), (0.0, None, True)], "x double, n int, flag boolean")

    def assembled(invalid):
        return fitted(VectorAssembler(inputCols=odd.columns, outputCol="v", handleInvalid=invalid), on=odd)

    assert equal(assembled("keep"), odd, "v")
    assert equal(assembled("skip"), odd, "v")
    assert [outcome(assembled("error"), odd, {"x": x, "n": 1, "flag": True}) for x in (None, NAN, 2.0)] == [FAILS, FAILS, [2.0, 1.0, 1.0]]
    assert outcome(assembled("skip"), odd, {"x": None, "n": 1, "flag": True}) == LEFT_OUT
