"""What a stage of a portable pipeline is: how its parameters are read, how it is evaluated on a row, how it names its features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkkit.errors import ContractError, UsageError

Row = dict[str, Any]
"""One record by column name; the stages add their outputs to it."""

Params = Mapping[str, Any]
"""A stage's exported parameters: JSON values."""

Step = Callable[[Row], None]
"""A stage made ready: it adds its outputs to a row, or raises `Skip` or `NotScorableError`."""

Name = Callable[[int], str]
"""What a place of a vector stands for, in words."""

Namer = Callable[[Row, dict[str, Name]], None]
"""Adds to the known names those of a stage's output, after the row was scored."""


class Skip(Exception):  # noqa: N818 - no error: Spark drops such a row
    """The row is one that Spark's stage filters out (`handleInvalid="skip"`)."""


class NotScorableError(ContractError):
    """Spark itself fails on such a row: a null where none may be, or a value that was never seen (exit code 4)."""

    reason = "not_scorable"


@dataclass(frozen=True)
class Kind:
    """A class of stages: `export` reads a fitted one, `evaluate` makes a step of what was read, `names` says what its output holds."""

    export: Callable[[Any], dict[str, Any]]
    evaluate: Callable[[Params], Step]
    names: Callable[[Params], Namer] | None = None


def refused(stage: Any, setting: str, hint: str = "serve it with --spark, or train without it") -> UsageError:
    """The error for a stage whose setting can't be exported; names both."""
    return UsageError(f"stage {type(stage).__name__} ({stage.uid}): {setting} is not portable", reason="not_portable", hint=hint)


def bad(column: str, what: str) -> NotScorableError:
    """The error for a row that Spark fails on.

    >>> print(bad("text", "is null"))
    column 'text' is null
    """
    return NotScorableError(f"column {column!r} {what}")


def pairs(stage: Any) -> list[list[str]]:
    """A stage's columns, input and output, for stages that take one or several."""
    if stage.hasParam("inputCols") and stage.isSet("inputCols"):
        return [list(pair) for pair in zip(stage.getInputCols(), stage.getOutputCols(), strict=True)]
    return [[stage.getInputCol(), stage.getOutputCol()]]


def one(stage: Any, *names: str) -> dict[str, Any]:
    """The parameters of a stage with one input and one output: `input`, `output` and the named ones."""
    return {"input": stage.getInputCol(), "output": stage.getOutputCol(), **{name: stage.getOrDefault(name) for name in names}}


def several(stage: Any, *names: str) -> dict[str, Any]:
    """The parameters of a stage with one or several inputs: `columns` and the named ones."""
    return {"columns": pairs(stage), **{name: stage.getOrDefault(name) for name in names}}


def plain(value: float) -> float | str:
    """A number as JSON: what JSON has no number for becomes the text that `float` reads.

    >>> plain(0.5), plain(float("-inf")), float(plain(float("inf")))
    (0.5, '-inf', inf)
    """
    number = float(value)
    return number if number - number == 0 else str(number)


def packed(values: Sequence[float]) -> Any:
    """Numbers as JSON, without their zeros where those are more than half: the coefficients of hashed words are.

    >>> packed([0.0, 0.0, 2.0]), packed([1.0, 2.0])
    ({'size': 3, 'indices': [2], 'values': [2.0]}, [1.0, 2.0])
    """
    import numpy as np

    array = np.asarray(values, dtype=float)
    (indices,) = np.nonzero(array)
    if 2 * len(indices) > len(array):
        return [plain(value) for value in array.tolist()]
    return {"size": len(array), "indices": indices.tolist(), "values": [plain(value) for value in array[indices].tolist()]}


def unpacked(packed: Any) -> list[float]:
    """The numbers that `packed` wrote.

    >>> unpacked({"size": 3, "indices": [2], "values": [2.0]})
    [0.0, 0.0, 2.0]
    """
    if isinstance(packed, list):
        return [float(value) for value in packed]
    found = [0.0] * int(packed["size"])
    for at, value in zip(packed["indices"], packed["values"], strict=True):
        found[at] = float(value)
    return found


def inputs(params: Params) -> list[str]:
    """The columns that a stage reads."""
    if "columns" in params:
        return [source for source, _ in params["columns"]] + list(params.get("by", ()))
    if "inputs" in params:
        return list(params["inputs"])
    return [params.get("input") or params["features"]]
