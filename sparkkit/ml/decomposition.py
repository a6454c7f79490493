"""Truncated singular value decomposition as a stage: `spark.ml` has principal components alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.ml import Estimator
from pyspark.ml.feature import PCAModel
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import DataFrame

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col

__all__ = ["SVD", "SVDModel"]


class SVDModel(PCAModel):
    """Projects a vector on the right singular vectors `pc`, without centring it; `explainedVariance` are the singular values.

    It is Spark's projection, computed and saved by Spark: read again, it is a `PCAModel`, which gives the same.
    """


class SVD(Estimator[SVDModel], HasInputCol, HasOutputCol, DefaultParamsReadable["SVD"], DefaultParamsWritable):
    """The `k` greatest singular values of the rows' matrix, by `RowMatrix.computeSVD` in the JVM (ARPACK for more than 100 columns).

    Nothing is centred, so that sparse vectors stay sparse: of TF-IDF it is latent semantic analysis (Deerwester et al. 1990). Each
    singular vector has the sign that makes its entry of the greatest size positive. Fewer than `k` where the matrix has a smaller rank.
    With many columns the rows, kept in memory and on disk meanwhile, are read some hundred times.
    """

    k = Param(Params._dummy(), "k", "how many components", TypeConverters.toInt)

    def __init__(self, k: int = 2, inputCol: str = "", outputCol: str = "") -> None:  # noqa: N803, as Spark's own
        super().__init__()
        if k < 1:
            raise UsageError(f"SVD: k is {k}", hint="give 1 or more")
        self._set(k=k)
        if inputCol:
            self._set(inputCol=inputCol, outputCol=outputCol)

    def _fit(self, dataset: DataFrame) -> SVDModel:
        import numpy as np
        from pyspark.mllib.linalg.distributed import RowMatrix

        k = self.getOrDefault("k")
        with _rows(dataset, self.getInputCol()) as (rows, width):
            if k > width:
                raise UsageError(f"SVD: {k} components of {width} features", reason="too_few_features", hint="ask for fewer")
            found = RowMatrix(rows, numCols=width).computeSVD(k)
        vectors = found.V.toArray()
        signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
        return self._model(dataset, vectors * signs, found.s.toArray())

    def _model(self, dataset: DataFrame, vectors: Any, values: Any) -> SVDModel:
        from pyspark.ml.common import _py2java
        from pyspark.ml.linalg import DenseMatrix, DenseVector

        sc: Any = dataset.sparkSession.sparkContext
        matrix = DenseMatrix(vectors.shape[0], vectors.shape[1], vectors.ravel(order="F"))
        made = sc._jvm.org.apache.spark.ml.feature.PCAModel(self.uid, _py2java(sc, matrix), _py2java(sc, DenseVector(values)))
        model = SVDModel(made)
        model._set(k=vectors.shape[1], inputCol=self.getInputCol(), outputCol=self.getOutputCol())
        return model


@contextmanager
def _rows(dataset: DataFrame, name: str) -> Iterator[tuple[DataFrame, int]]:
    """The vectors as mllib's, kept meanwhile, and how many places they have.

    Raises:
        UsageError: there are none (`no_examples`), or a value is NaN or infinite (`not_finite`), which ARPACK would tell of in riddles.
    """
    import numpy as np
    from pyspark.ml.stat import Summarizer
    from pyspark.mllib.util import MLUtils

    kept = dataset.select(col(name).alias("v")).persist()
    try:
        first = kept.head()
        if first is None:
            raise UsageError("SVD: there are no rows", reason="no_examples")
        sizes = kept.agg(Summarizer.normL1(col("v")).alias("sizes")).collect()[0].sizes.toArray()
        odd = np.flatnonzero(~np.isfinite(sizes))
        if odd.size:
            raise UsageError(f"SVD: {odd.size} of {sizes.size} features have a NaN or an infinite value, the first at place {odd[0]}",
                             reason="not_finite", hint="fill what is missing first, as steps.numbers does")
        yield MLUtils.convertVectorColumnsFromML(kept, "v"), first.v.size
    finally:
        kept.unpersist()
