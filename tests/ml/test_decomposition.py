from __future__ import annotations

import pytest
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql.types import StructType

from sparkkit.errors import UsageError
from sparkkit.ml.decomposition import SVD

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def framed(spark):
    def made(matrix):
        vectors = [(Vectors.dense(row) if at % 2 else Vectors.sparse(len(row), dict(enumerate(row))),) for at, row in enumerate(matrix)]
        return spark.createDataFrame(vectors, StructType().add("v", VectorUDT())).coalesce(1)

    return made


def test_singular_values_and_vectors_of_many_columns_are_numpys(framed):
    matrix = np.random.default_rng(3).normal(size=(30, 120)) * 0.7 ** np.arange(120) + 0.1
    model = SVD(4, "v", "out").fit(framed(matrix.tolist()))
    _, values, vectors = np.linalg.svd(matrix)
    found = model.pc.toArray()
    assert np.allclose(model.explainedVariance.toArray(), values[:4], rtol=1e-9)
    assert np.allclose(np.abs(found), np.abs(vectors[:4].T), atol=1e-9)
    assert (found[np.abs(found).argmax(axis=0), range(4)] > 0).all()


def test_rows_are_projected_without_centring_and_a_lesser_rank_gives_fewer(framed):
    rows = framed([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0], [3.0, 4.0, 0.0]])
    model = SVD(3, "v", "out").fit(rows)
    lengths = sorted(float(np.hypot(*row["out"])) for row in model.transform(rows).collect())
    assert (model.getK(), lengths) == (2, pytest.approx([3.0, 4.0, 5.0]))


def test_what_can_not_be_decomposed_is_said(framed):
    rows = framed([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(UsageError, match="3 components of 2 features"):
        SVD(3, "v", "out").fit(rows)
    with pytest.raises(UsageError, match="there are no rows"):
        SVD(2, "v", "out").fit(rows.limit(0))
    with pytest.raises(UsageError, match="1 of 2 features have a NaN or an infinite value, the first at place 1"):
        SVD(1, "v", "out").fit(framed([[1.0, 2.0], [2.0, float("nan")]]))
    with pytest.raises(UsageError, match="k is 0"):
        SVD(0)
