"""A fitted pipeline as JSON: the parameters of its stages, read by their Python API, on classic Spark and on Spark Connect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError, nearest
from sparkkit.portable.stage import inputs
from sparkkit.portable.table import HOMES, KINDS

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

FORMAT = 1
"""The version of the export: raised when a field changes its meaning or goes."""


def export(model: PipelineModel, types: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The parameters of every stage, as JSON values that `Scorer` reads.

    Args:
        model: a fitted pipeline; pipelines within it are taken apart.
        types: the input's columns and their types as DDL, as of a contract: an imputed whole number is cut to its type. Default: doubles.

    Raises:
        UsageError: a stage, or a setting of one, has no portable form; names both (`not_portable`).

    `export(Pipeline(stages=[Tokenizer(inputCol="text", outputCol="words")]).fit(df))` gives
    `{"format": 1, "stages": [{"stage": "Tokenizer", "input": "text", "output": "words", "types": {}}]}`.
    """
    return {"format": FORMAT, "stages": [_exported(stage, types or {}) for stage in _flat(model)]}


def _flat(model: Any) -> Iterator[Any]:
    for stage in model.stages:
        if type(stage).__name__ == "PipelineModel":
            yield from _flat(stage)
        else:
            yield stage


def _exported(stage: Any, types: Mapping[str, str]) -> dict[str, Any]:
    name = type(stage).__name__
    if name not in KINDS or not type(stage).__module__.startswith(HOMES):
        near = nearest(name, KINDS)
        raise UsageError(f"stage {name} ({stage.uid}) of {type(stage).__module__} is not portable", reason="not_portable",
                         hint=f"{near} is; or serve the model with --spark" if near else "serve the model with --spark")
    found = {"stage": name, **KINDS[name].export(stage)}
    return found | {"types": {column: types[column] for column in inputs(found) if column in types}}
