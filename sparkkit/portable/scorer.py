"""Scores records by an exported pipeline, with Python and NumPy alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.portable import linear
from sparkkit.portable.export import FORMAT
from sparkkit.portable.stage import Name, NotScorableError, Row, Skip, inputs
from sparkkit.portable.table import KINDS
from sparkkit.portable.vectors import pairs

FILE = "portable.json"
"""The export's name in a model's folder."""

_LINEAR = ("LogisticRegressionModel", "LinearSVCModel", "LinearRegressionModel", "GeneralizedLinearRegressionModel")


@dataclass(frozen=True, slots=True)
class Score:
    """What a model says of one record: the class's number (or the value of a regression), and what it has of probabilities by class and
    raw scores by class."""

    prediction: float
    probability: tuple[float, ...] = ()
    raw: tuple[float, ...] = ()


class Scorer:
    """An exported pipeline made ready; may be used by several threads at once.

    Raises:
        UsageError: the export is of another format, or of stages that this version does not know (`wrong_model`).

    >>> scorer = Scorer({"format": 1, "stages": [
    ...     {"stage": "VectorAssembler", "inputs": ["x"], "output": "v", "handleInvalid": "error"},
    ...     {"stage": "LogisticRegressionModel", "features": "v", "prediction": "p", "raw": "r", "probability": "q",
    ...      "coefficients": [[2.0]], "intercepts": [-1.0], "threshold": 0.5}]})
    >>> scorer.inputs, scorer.score([{"x": 0.5}])
    (('x',), [Score(prediction=0.0, probability=(0.5, 0.5), raw=(-0.0, 0.0))])
    >>> scorer.explain({"x": 2.0})
    [('x', 4.0)]
    """

    def __init__(self, exported: Mapping[str, Any]) -> None:
        stages = exported.get("stages")
        if exported.get("format") != FORMAT or not stages or not all(stage["stage"] in KINDS for stage in stages):
            raise UsageError(f"the exported pipeline is not one of format {FORMAT}, or has stages that are not known", reason="wrong_model",
                             hint="export it with this version of sparkkit")
        self.stages: Sequence[Mapping[str, Any]] = stages
        self.predictor = next((stage for stage in reversed(stages) if "prediction" in stage), None)
        self.inputs = _needed(stages)
        self._weights = linear.weights(self.predictor) if self.predictor and self.predictor["stage"] in _LINEAR else []
        self._steps = [KINDS[stage["stage"]].evaluate(stage) for stage in stages]

    @classmethod
    def load(cls, path: Path) -> Scorer:
        """The scorer of a file, or of a model's folder that holds it.

        Raises:
            UsageError: there is none, or it is not JSON (`wrong_model`).
        """
        file = path / FILE if path.is_dir() else path
        try:
            return cls(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} can't be read: {error}", reason="wrong_model") from error

    def columns(self, record: Mapping[str, Any]) -> Row | None:
        """A record with every column that the pipeline adds; None where Spark would leave it out (`handleInvalid="skip"`).

        Raises:
            NotScorableError: Spark itself fails on such a record, or a column is not there.
        """
        row = dict(record)
        try:
            for step in self._steps:
                step(row)
        except Skip:
            return None
        except KeyError as error:
            raise NotScorableError(f"the record has no column {error.args[0]!r}") from None
        return row

    def score(self, records: Iterable[Mapping[str, Any]]) -> list[Score | None]:
        """A score for each record, in their order; None for one that Spark would leave out.

        Raises:
            UsageError: the pipeline ends without a predictor (`wrong_model`).
            NotScorableError: as `columns`.
        """
        if self.predictor is None:
            raise UsageError("the pipeline has no predictor, so it gives no scores", reason="wrong_model")
        return [self._of(row) if row is not None else None for row in map(self.columns, records)]

    def _of(self, row: Row) -> Score:
        found: Mapping[str, Any] = self.predictor or {}
        return Score(row[found["prediction"]], tuple(row.get(found.get("probability", ""), ())), tuple(row.get(found.get("raw", ""), ())))

    def explain(self, record: Mapping[str, Any], most: int = 10) -> list[tuple[str, float]] | None:
        """The features that moved a linear model's score most, and by how much: coefficient times value, in log-odds of the class
        predicted (of class 1 for two), or in the unit of a regression's linear predictor. None where the model is not linear.

        Raises:
            NotScorableError: as `columns`.
        """
        row = self.columns(record) if self._weights else None
        if row is None or self.predictor is None:
            return None
        known: dict[str, Name] = {}
        for stage in self.stages:
            names = KINDS[stage["stage"]].names
            if names:
                names(stage)(row, known)
        column = self.predictor["features"]
        name: Name = known.get(column) or f"{column}[{{}}]".format
        rows = self._weights
        chosen = rows[int(row[self.predictor["prediction"]])] if len(rows) > 1 else rows[0]
        parts = [(at, value * chosen[at]) for at, value in pairs(row[column]) if value * chosen[at] and math.isfinite(value)]
        return [(name(at), part) for at, part in sorted(parts, key=lambda one: -abs(one[1]))[:most]]



def _needed(stages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns that a record must have: those that stages read and none before has made."""
    made: set[str] = set()
    found: dict[str, None] = {}
    for stage in stages:
        optional = stage["stage"] == "StringIndexerModel"  # which leaves out columns that are not there
        found |= {column: None for column in inputs(stage) if column not in made and not optional}
        made |= _outputs(stage)
    return tuple(found)


def _outputs(stage: Mapping[str, Any]) -> set[str]:
    names = ("output", "prediction", "raw", "probability", "linkPrediction")
    return {stage[name] for name in names if name in stage} | {target for _, target in stage.get("columns", ())}
