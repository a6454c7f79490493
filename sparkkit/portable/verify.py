"""Whether a scorer says what Spark says, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError
from sparkkit.portable.scorer import Score, Scorer

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

TOLERANCE = 1e-9
"""How far probabilities may lie apart, and values of a regression as a part of themselves."""

_ROW = "_sparkkit_row"


def verify(model: PipelineModel, scorer: Scorer, frame: DataFrame) -> int:
    """Scores a sample both ways; returns how many rows were compared.

    Args:
        model: the fitted pipeline.
        scorer: what was exported of it.
        frame: a sample, small enough for the driver; the label may be among its columns.

    Raises:
        UsageError: a row has another prediction, a probability apart by more than `TOLERANCE`, or is left out by one of them; names the
            first such row by its number in the sample, not by its values, which may be personal (`not_portable`).

    `verify(model, Scorer(export(model)), test.limit(1000))` gives 1000 where all are equal.
    """
    from pyspark.sql import types as t

    rows = frame.collect()
    if not rows:
        raise UsageError("the sample has no rows, so nothing was compared", reason="not_portable")
    schema = t.StructType([t.StructField(_ROW, t.LongType()), *frame.schema.fields])
    numbered = frame.sparkSession.createDataFrame([(at, *row) for at, row in enumerate(rows)], schema)
    scored = {row[_ROW]: row for row in model.transform(numbered).collect()}
    for at, record in enumerate(rows):
        (ours,) = scorer.score([record.asDict()])
        theirs = _score(scored[at], scorer) if at in scored else None
        if not same(ours, theirs):
            raise UsageError(f"row {at + 1} of the sample scores otherwise without Spark: {ours}, with Spark: {theirs}",
                             reason="not_portable", hint="serve the model with --spark")
    return len(rows)


def _score(row: Any, scorer: Scorer) -> Score:
    found = scorer.predictor or {}
    vectors = [row[found[name]].toArray().tolist() if found.get(name) else () for name in ("probability", "raw")]
    return Score(float(row[found["prediction"]]), tuple(vectors[0]), tuple(vectors[1]))


def same(ours: Score | None, theirs: Score | None) -> bool:
    """Whether two scores are equal within `TOLERANCE`.

    >>> same(Score(1.0, (0.2, 0.8)), Score(1.0, (0.2 + 1e-12, 0.8))), same(None, Score(0.0))
    (True, False)
    """
    if ours is None or theirs is None:
        return ours is theirs
    if not ours.probability and not _close(ours.raw, theirs.raw):
        return False
    return _close((ours.prediction,), (theirs.prediction,)) and _close(ours.probability, theirs.probability)


def _close(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    if len(ours) != len(theirs):
        return False
    return all(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (a != a and b != b) for a, b in zip(ours, theirs, strict=True))
