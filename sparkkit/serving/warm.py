"""Scores by a session that is kept warm, for pipelines that have no portable form: one worker, tenths of a second a request."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkkit.models.bundle import Bundle
from sparkkit.portable.scorer import Score

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

_ROW = "_sparkkit_row"


class Warm:
    """A fitted pipeline in a local session; one request at a time."""

    def __init__(self, spark: SparkSession, model: PipelineModel, schema: StructType) -> None:
        self._spark, self._model, self._schema, self._lock = spark, model, schema, threading.Lock()
        self._predictor = next(stage for stage in reversed(model.stages) if stage.hasParam("predictionCol"))

    @classmethod
    def start(cls, bundle: Bundle) -> Warm:
        """Starts a session and loads a bundle's pipeline.

        Raises:
            ContractError: the bundle was fitted on another Spark, or holds code that is neither Spark's nor sparkkit's.
        """
        from pyspark.sql import types as t

        from sparkkit import session
        from sparkkit.schema.types import parse

        own = {"spark.master": "local[1]", "spark.sql.shuffle.partitions": "1", "spark.ui.enabled": "false"}
        spark = session.start(own, app_name="sparkkit serve", profile="test", needs=[])
        columns = [c for c in bundle.contract.columns if c.name != bundle.card.get("label")]
        schema = t.StructType([t.StructField(_ROW, t.IntegerType()), *(t.StructField(c.name, parse(c.type)) for c in columns)])
        return cls(spark, bundle.load(spark), schema)

    def score(self, records: Sequence[Mapping[str, Any]]) -> list[Score | None]:
        """As `Scorer.score`, by Spark; what a record makes Spark raise is raised."""
        rows = [(at, *(record[name] for name in self._schema.names[1:])) for at, record in enumerate(records)]
        with self._lock:
            frame = self._spark.createDataFrame(rows, self._schema)
            found = {row[_ROW]: self._score(row) for row in self._model.transform(frame).collect()}
        return [found.get(at) for at in range(len(rows))]

    def _score(self, row: Any) -> Score:
        names = [self._predictor.getOrDefault(param) if self._predictor.hasParam(param) else ""
                 for param in ("probabilityCol", "rawPredictionCol")]
        probability, raw = (tuple(row[name].toArray().tolist()) if name else () for name in names)
        return Score(float(row[self._predictor.getOrDefault("predictionCol")]), probability, raw)

    def explain(self, record: Mapping[str, Any]) -> None:
        """Nothing: the session gives scores, not reasons."""
