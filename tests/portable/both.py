"""A pipeline evaluated by Spark and by its export, on the same rows."""

from __future__ import annotations

import json
import math

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.linalg import DenseVector, SparseVector

from sparkkit.compat import sendable
from sparkkit.portable.export import export
from sparkkit.portable.scorer import Scorer
from sparkkit.portable.stage import NotScorableError
from sparkkit.portable.vectors import Sparse, dense

FAILS, LEFT_OUT = "fails", "left out"


def portable(model, frame):
    """The scorer of a model, through JSON's text as a file would hold it."""
    return Scorer(json.loads(json.dumps(export(model, dict(frame.dtypes)), allow_nan=False)))


def fitted(*stages, on):
    """A pipeline of the stages, fitted."""
    return sendable(Pipeline(stages=list(stages)).fit(on))


def compare(model: PipelineModel, frame, *columns):
    """What Spark gives of the columns and what the export gives, of each row, made alike: dense lists, texts, floats."""
    scorer = portable(model, frame)
    theirs = [[_plain(row[c]) for c in columns] for row in model.transform(frame).select(*columns).collect()]
    rows = [scorer.columns({name: _vector(value) for name, value in row.asDict().items()}) for row in frame.collect()]
    ours = [[_plain(row[c]) for c in columns] for row in rows if row is not None]
    return ours, theirs


def equal(model, frame, *columns):
    """Whether every value of the columns is equal: texts exactly, numbers to 1e-9, NaN as NaN."""
    ours, theirs = compare(model, frame, *columns)
    assert theirs
    different = [(a, b) for a, b in zip(ours, theirs, strict=True) if not _same(a, b)]
    assert not different, f"ours and Spark's: {different[0]!a}"
    return True


def outcome(model, frame, row):
    """What the export does with a row: its last column as a value, or that it fails, or is left out."""
    try:
        found = portable(model, frame).columns(row)
    except NotScorableError:
        return FAILS
    return LEFT_OUT if found is None else list(found.values())[-1]


def _vector(value):
    if isinstance(value, SparseVector):
        return Sparse(value.size, dict(zip(value.indices.tolist(), value.values.tolist(), strict=True)))
    return value.toArray().tolist() if isinstance(value, DenseVector) else value


def _plain(value):
    if isinstance(value, Sparse):
        return dense(value)
    return value.toArray().tolist() if hasattr(value, "toArray") else value


def _same(a, b):
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (a != a and b != b) or a == b
    return a == b
