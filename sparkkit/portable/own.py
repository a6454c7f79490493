"""sparkkit's own stages (`sparkkit.ml`): what is missing, logarithms, clipping, parts of dates, target means, corrected probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zlib import crc32

from sparkkit.portable import java
from sparkkit.portable.stage import Kind, Params, Row, Step, plain, several


def _each(params: Params, functions: list[Callable[[Any], Any]]) -> Step:
    todo = [(source, target, function) for (source, target), function in zip(params["columns"], functions, strict=True)]

    def step(row: Row) -> None:
        for source, target, function in todo:
            row[target] = function(row[source])

    return step


def _same(function: Callable[[Any], Any]) -> Callable[[Params], Step]:
    return lambda params: _each(params, [function] * len(params["columns"]))


def _missing(value: Any) -> float:
    return 1.0 if value is None or value != value else 0.0


def _export_fill(stage: Any) -> dict[str, Any]:
    return several(stage) | {"value": plain(stage.getOrDefault("value"))}


def _fill(params: Params) -> Step:
    value = float(params["value"])
    return _each(params, [lambda found: value if found is None or found != found else float(found)] * len(params["columns"]))


def _log(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if number != number else math.copysign(math.log1p(abs(number)), number)


def _export_clip(stage: Any) -> dict[str, Any]:
    return several(stage) | {name: [plain(bound) for bound in stage.getOrDefault(f"{name}s")] for name in ("low", "high")}


def _clip(params: Params) -> Step:
    return _each(params, [_clipper(float(low), float(high)) for low, high in zip(params["low"], params["high"], strict=True)])


def _clipper(low: float, high: float) -> Callable[[Any], float | None]:
    return lambda value: None if value is None else float(value) if value != value else min(max(float(value), low), high)


def _export_dates(stage: Any) -> dict[str, Any]:
    (source,) = stage.getInputCols()
    return {"columns": [[source, target] for target in stage.getOutputCols()], "parts": list(stage.getOrDefault("parts"))}


def _dates(params: Params) -> Step:
    return _each(params, [_part(_PARTS[part]) for part in params["parts"]])


def _part(part: Callable[[Any], float]) -> Callable[[Any], float | None]:
    return lambda value: None if value is None else float(part(value))


def _seconds(value: date) -> float:
    whole = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return whole.replace(tzinfo=whole.tzinfo or UTC).timestamp()


def _export_target_means(stage: Any) -> dict[str, Any]:
    categories, means = stage.getOrDefault("categories"), stage.getOrDefault("means")
    found = [[list(one) for one in zip(*pair, strict=True)] for pair in zip(categories, means, strict=True)]
    return several(stage, "by", "folds") | {"means": found, "priors": list(stage.getOrDefault("priors"))}


def _target_means(params: Params) -> Step:
    by, folds, priors = params["by"], params["folds"], list[float](params["priors"])
    todo: list[tuple[str, str, dict[str, list[float]]]] = [
        (source, target, dict(found)) for (source, target), found in zip(params["columns"], params["means"], strict=True)]

    def step(row: Row) -> None:
        fold = crc32("\1".join([_text(row[name]) for name in by]).encode()) % folds if by else 0
        for source, target, known in todo:
            value = row[source]
            means = None if value is None else known.get(java.number(value))
            row[target] = (means or priors)[fold]

    return step


def _text(value: Any) -> str:
    """A value as the stage's checksum of its row takes it: a time as the microseconds since 1970, in UTC where it has no zone."""
    if isinstance(value, datetime):
        return str((value.replace(tzinfo=value.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    return "\0" if value is None else java.number(value)


def _correct(params: Params) -> Step:
    name, odds = params["input"], params["odds"]

    def step(row: Row) -> None:
        no, yes = row[name][0], row[name][1] * odds
        row[name] = [no / (yes + no), yes / (yes + no)]

    return step


_PARTS: dict[str, Callable[[Any], float]] = {
    "year": lambda value: value.year, "month": lambda value: value.month, "day": lambda value: value.day,
    "hour": lambda value: getattr(value, "hour", 0), "minute": lambda value: getattr(value, "minute", 0),
    "weekday": lambda value: value.weekday(), "day_of_year": lambda value: value.timetuple().tm_yday, "seconds": _seconds,
}
"""The parts of a time, in UTC."""

KINDS = {
    "Fill": Kind(_export_fill, _fill),
    "TargetMeansModel": Kind(_export_target_means, _target_means),
    "PriorCorrection": Kind(lambda stage: {"input": stage.getInputCol(), "odds": stage.getOrDefault("odds")}, _correct),
    "MissingIndicator": Kind(several, _same(_missing)),
    "LogPlus": Kind(several, _same(_log)),
    "ClipModel": Kind(_export_clip, _clip),
    "DateParts": Kind(_export_dates, _dates),
}
"""The stages of this module by the name of their class."""
