"""A model card for people, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkkit.models.registry import Version


def card(found: Mapping[str, Any], version: Version) -> str:
    """A card in some twenty lines: what the model is, what it was made of, what it can, and what it reads."""
    rows, packages = found["rows"], ", ".join(f"{name} {value}" for name, value in found["packages"].items())
    reads = ", ".join(f"{c['name']} ({c['type']}{', required' if c['required'] else ''})" for c in found["contract"]["columns"])
    lines = [
        f"{found['name']} version {version.number}{' (' + ', '.join(version.aliases) + ')' if version.aliases else ''}",
        f"predicts   {_predicts(found)}",
        f"reads      {reads}",
        f"trained    {found['created']} by run {found['run']}, code {found['code'] or 'unknown'}",
        f"examples   {rows['examples']:,} = {rows['train']:,} train + {rows['test']:,} test + {rows['unlabelled']:,} unlabelled",
        f"split      {found['split']}; seed {found['seed']}",
        *_balance(found),
        f"params     {', '.join(f'{k}={v}' for k, v in found['params'].items()) or 'none'}",
        *_search(found.get("search")),
        f"stages     {', '.join(stage.rpartition('.')[2] for stage in found['stages'])}",
        f"packages   {packages}",
        *(f"let pass   {one['finding']} (guard {one['guard']}): {one.get('why')}" for one in found.get("allowed", ())),
        *(f"not asked  guard {guard}: {why}" for guard, why in found.get("unasked", {}).items()),
        f"without Spark  {'yes' if found['portable'] is None else 'no: ' + found['portable']}",
        "figures of the test part",
    ]
    return "\n".join([*lines, *(_line(f) for f in found["figures"] if f["slice"] == "all"), *_slices(found), *_importance(found)])


def _predicts(found: Mapping[str, Any]) -> str:
    label, classes = found["label"], found["classes"]
    if found.get("task") == "regression":
        return f"{label}, a number"
    if found.get("task") == "multiclass":
        return f"{label}, one of {', '.join(map(str, classes))}"
    return f"{label} = {classes[1]!r}, from a score of {found['threshold']:.4g} on"


def _search(told: Mapping[str, Any] | None) -> list[str]:
    if not told:
        return []
    chosen = ", ".join(f"{name}={value}" for name, value in told["chosen"].items())
    counts = ", ".join(f"{told[state]} {state}" for state in ("complete", "pruned", "failed", "repeated") if told[state])
    said = f"{told['metric']} {told['mean']:.4f} in {told['folds']} folds; of {told['trials']} trials {counts}; {told['why']}"
    return [f"search     {chosen}: {said}"]


def _balance(found: Mapping[str, Any]) -> list[str]:
    rows = found["rows"]
    if not found.get("balance"):  # cards of before have none
        return []
    return [f"balance    {found['balance']}: fitted on {rows['balanced']:,} rows, {rows['balanced_positives']:,} of them positive"]


def _line(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"  {figure['metric']:20}-"
    interval = f"  ({figure['low']:.4f} to {figure['high']:.4f})" if figure["low"] is not None else ""
    return f"  {figure['metric']:20}{figure['value']:.4f}{interval}"


def _slices(found: Mapping[str, Any]) -> list[str]:
    told = {"multiclass": ("accuracy", "recall"), "regression": ("rmse",)}.get(found.get("task", ""), ("roc_auc", "accuracy"))
    named = [f for f in found["figures"] if f["slice"] != "all" and f["metric"] in told]
    worst = [f for f in named if f["value"] is not None]
    return [f"  {f['metric']} of {f['slice']} ({f['rows']:,} rows): {f['value']:.4f}" for f in worst]


def _importance(found: Mapping[str, Any], most: int = 5) -> list[str]:
    """The features that the model needs most; nothing of a card that does not tell."""
    told = found.get("importance") or {"features": []}
    needed = [one for one in told["features"] if one["value"] is not None]
    lines = [f"{told['figure']} lost without a feature (the most of {len(needed)})"] if needed else []
    return lines + [_line({**one, "metric": one["feature"]}) for one in needed[:most]]
