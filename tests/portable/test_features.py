from __future__ import annotations

import math

import pytest
from pyspark.ml.feature import (
    PCA,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
    UnivariateFeatureSelector,
    VarianceThresholdSelector,
    VectorSlicer,
)
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql.types import DoubleType, StructType

from sparkkit.errors import UsageError
from tests.portable.both import equal, fitted, portable

ROWS = [(Vectors.dense([1.0, -2.0, 5.0, 0.0]), 0.0), (Vectors.sparse(4, {0: 3.0, 1: 4.0, 2: 5.0}), 1.0),
        (Vectors.sparse(4, {2: 5.0}), 0.0), (Vectors.dense([1e300, 0.5, 5.0, 0.0]), 1.0)]
ODD = [(Vectors.dense([math.nan, -0.0, 1e308, 7.0]), 0.0), (Vectors.sparse(4, {}), 0.0), (Vectors.sparse(4, {3: -1.0}), 0.0)]


@pytest.fixture(scope="module")
def vectors(spark):
    def made(rows):
        return spark.createDataFrame(rows, StructType().add("v", VectorUDT()).add("label", DoubleType()))

    return made(ROWS), made(ROWS + ODD)


def test_scales_are_sparks_on_dense_sparse_constant_and_huge_values(vectors):
    train, odd = vectors
    kinds = [(MaxAbsScaler, {}), (MinMaxScaler, {"min": -1.0, "max": 3.0}), (StandardScaler, {"withMean": True}), (StandardScaler, {}),
             (StandardScaler, {"withStd": False}), (RobustScaler, {"withCentering": True}),
             (RobustScaler, {"withScaling": False, "withCentering": True}), (Normalizer, {"p": 1.0}), (Normalizer, {"p": 2.5})]  # fmt: skip
    stages = [kind(inputCol="v", outputCol=f"f{number}", **options) for number, (kind, options) in enumerate(kinds)]
    assert equal(fitted(*stages, on=train.limit(3)), odd, *(f"f{number}" for number in range(len(kinds))))


def test_selections_and_slices_are_sparks_and_name_what_was_chosen(vectors):
    train, odd = vectors
    univariate = UnivariateFeatureSelector(featuresCol="v", outputCol="u").setFeatureType("continuous").setLabelType("categorical")
    model = fitted(VarianceThresholdSelector(featuresCol="v", outputCol="s", varianceThreshold=0.1),
                   univariate.setSelectionMode("numTopFeatures").setSelectionThreshold(2),
                   VectorSlicer(inputCol="v", outputCol="c", indices=[3, 0]), on=train.limit(3))
    assert equal(model, odd, "s", "u", "c")


def test_principal_components_are_sparks(vectors):
    train, _ = vectors
    assert equal(fitted(PCA(k=2, inputCol="v", outputCol="f"), on=train.limit(3)), train.limit(3), "f")


def test_a_slice_by_names_is_refused(vectors):
    train, _ = vectors
    with pytest.raises(UsageError, match=r"VectorSlicer .*names=\['a'\] is not portable"):
        portable(fitted(VectorSlicer(inputCol="v", outputCol="c", names=["a"]), on=train), train)
