"""A model card for people, as one page of HTML that loads nothing from anywhere: figures, plots, and where the model comes from. No JVM."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError
from sparkkit.report import plots
from sparkkit.report.page import document, number, shown, table

if TYPE_CHECKING:
    from sparkkit.models.registry import Version

CHAMPION = "less champion"
"""The slice that holds the differences to the champion."""

MEANINGS = {
    "roc_auc": "how often a positive scores higher than a negative; 0.5 is chance",
    "average_precision": "precision over all thresholds; the share of positives is chance",
    "log_loss": "how surprised the scores are by what happened; less is better",
    "brier": "the mean squared error of the scores; less is better",
    "calibration_error": "how far scores are from what happened, in the mean; less is better",
    "accuracy": "the share of rows that are called right",
    "precision": "the share of what is called positive that is",
    "recall": "the share of the positives that are found",
    "f1": "the harmonic mean of precision and recall",
    "positive_rate": "the share of positives",
    "cost": "the mean cost a row of what is called wrong; less is better",
}
"""What the figures of a binary classifier mean."""

BESIDE = ("positive_rate", "precision", "recall", "calibration_error", "cost")
"""Figures that a table of slices tells first beside the one by which it is sorted."""

MOST = 500
"""Rows of a table: of slices, of trials."""

_STYLE = """
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28em, 100%), 1fr)); gap: 0 2em }
figure { margin: 1em 0; display: flex; flex-direction: column } figure svg { margin-top: auto } .confusion { max-width: 34em }
.tiles { display: flex; flex-wrap: wrap; gap: .8em; padding: 0; list-style: none } .tiles li { background: var(--soft); padding: .6em 1em;
border-radius: .4em } .tiles b { display: block; font-size: 1.5em }
"""


def page(card: Mapping[str, Any], version: Version | None) -> str:
    """The page of a card: what there is in it; cards of before there were curves show the figures alone.

    Args:
        card: as `models.bundle.Bundle` holds it; everything in it is shown as text.
        version: the version in the registry; none for a folder that no registry knows.

    Raises:
        UsageError: the card does not hold what a card does (`wrong_model`), or matplotlib is not installed (`no_matplotlib`).
    """
    try:
        title = f"{card['name']} {_named(version)}"
        parts = [f"<h1>{shown(title)}</h1>", f"<p>{shown(_predicts(card))}</p>", _tiles(card)]
        sections = (("Figures", _figures(card)), ("Threshold", _threshold(card)), ("Curves", _curves(card)), ("Slices", _slices(card)),
                    ("Features", _features(card)), ("What it reads", _contract(card)), ("Where it comes from", _origin(card)),
                    ("Guards that were let pass", _guards(card)), ("Search", _search(card)))
        return document(title, [*parts, *(f"<h2>{name}</h2>\n{body}" for name, body in sections if body)], _STYLE)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(
            f"the card of model {card.get('name')!r} can't be shown ({type(error).__name__}: {error})", reason="wrong_model",
            hint="`sparkkit models show NAME --json` prints it as it is",
        ) from error


def _named(version: Version | None) -> str:
    if version is None:
        return "unregistered"
    return f"version {version.number}" + (f" ({', '.join(version.aliases)})" if version.aliases else "")


def _task(card: Mapping[str, Any]) -> str:
    return str(card.get("task", "binary"))


def _better(card: Mapping[str, Any]) -> str:
    told = [f["metric"] for f in card["figures"]]
    return str(next((name for name in (card.get("better"), "roc_auc", "accuracy", *told) if name in told), ""))


def _overall(card: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {f["metric"]: f for f in card["figures"] if f["slice"] == "all"}


def _less(card: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {f["metric"]: f for f in card["figures"] if f["slice"] == CHAMPION}


def _predicts(card: Mapping[str, Any]) -> str:
    if _task(card) != "binary":
        return f"Predicts {card['label']} ({_task(card)})."
    return f"Predicts {card['label']} = {card['classes'][1]!r}, where the score is {number(card['threshold'])} or more."


def _tiles(card: Mapping[str, Any]) -> str:
    better, less = _better(card), _less(card)
    one, other = _overall(card).get(better), less.get(better)
    told = [(better, _figure(one["value"]), _interval(one))] if one else []
    told += [(f"{better} less the champion's", _signed(other["value"]), _interval(other, signed=True))] if other else []
    told += [("test rows", f"{card['rows']['test']:,}", f"{card['rows']['train']:,} train rows")]
    tiles = "".join(f"<li>{shown(name)}<b>{shown(value)}</b>{shown(more)}</li>" for name, value, more in told)
    return f"<ul class='tiles'>{tiles}</ul>"


def _figures(card: Mapping[str, Any]) -> str:
    overall = _overall(card)
    if not overall:
        return ""
    less = _less(card)
    head = ["figure", "value", "95 % interval", *(["less the champion's", "95 % interval"] if less else []), "meaning"]
    rows = [[name, _figure(one["value"]), _interval(one), *(_difference(less.get(name)) if less else []), MEANINGS.get(name, "")]
            for name, one in overall.items()]
    against = "; what is beside it is on the same rows, so the intervals are narrower than those of two models apart" if less else ""
    caption = f"Figures of the {card['rows']['test']:,} rows of the test part, with intervals by bootstrap{against}."
    checks = f"<p>Checks that held: {', '.join(f'<code>{shown(one)}</code>' for one in card['checks'])}</p>" if card.get("checks") else ""
    return table(head, rows, caption=caption, numbers=range(1, len(head) - 1)) + checks


def _threshold(card: Mapping[str, Any]) -> str:
    curves = card.get("curves") or {}
    if _task(card) != "binary" or "confusion" not in curves:
        return ""
    at = plots.cut(card["threshold"], curves["confusion"])
    total = sum(at[1:]) or 1
    cell = "{:,} ({:.1f} %)".format
    rows = [[name, *(cell(n, 100 * n / total) for n in side)] for name, side in (("positive", at[1:3]), ("negative", at[3:5]))]
    caption = (f"Confusion matrix at the threshold {number(at.threshold)}: {at.fn:,} positives are missed, {at.fp:,} negatives are called "
               "positive.")
    matrix = f"<div class='confusion'>{table(['', 'called positive', 'called negative'], rows, caption=caption, numbers=(1, 2))}</div>"
    return matrix + (plots.cost(curves["cost"], at, card["costs"]) if curves.get("cost") and card.get("costs") else "")


def _curves(card: Mapping[str, Any]) -> str:
    found = card.get("curves") or {}
    if _task(card) != "binary" or "confusion" not in found:
        return ""
    at, area = plots.cut(card["threshold"], found["confusion"]), _overall(card).get("roc_auc", {}).get("value")
    drawn = [plots.roc(found["roc"], at, area) if found.get("roc") else "",
             plots.precision_recall(found["precision_recall"], at) if found.get("precision_recall") else "",
             plots.calibration(found["calibration"]) if found.get("calibration") else "",
             plots.histogram(found["histogram"]) if found.get("histogram") else ""]
    return f"<div class='pair'>{''.join(drawn)}</div>"


def _slices(card: Mapping[str, Any]) -> str:
    better = _better(card)
    by: dict[str, dict[str, Mapping[str, Any]]] = {}
    for one in card["figures"]:
        if one["slice"] not in ("all", CHAMPION):
            by.setdefault(one["slice"], {})[one["metric"]] = one
    if not by:
        return ""
    sign = -1 if card.get("less_is_better") else 1
    worst = sorted((found[better] for found in by.values() if better in found),
                   key=lambda one: (one["value"] is None, sign * (one["value"] or 0), one["slice"]))
    known = dict.fromkeys(name for found in by.values() for name in found if name != better)
    names = sorted(known, key=lambda name: BESIDE.index(name) if name in BESIDE else len(BESIDE))[:5]
    rows = [[one["slice"], f"{one['rows']:,}", _figure(one["value"]), _interval(one),
             *(_figure(by[one["slice"]][name]["value"]) if name in by[one["slice"]] else "-" for name in names)] for one in worst[:MOST]]
    left = f" The first {MOST} of {len(worst):,} are shown." if len(worst) > MOST else ""
    caption = f"Figures by slice, the worst {better} first; with few rows a figure is far off by chance: see its interval.{left}"
    drawn = plots.slices(worst, better, _overall(card).get(better, {}).get("value"))
    return drawn + table(["slice", "rows", better, "95 % interval", *names], rows, caption=caption, numbers=range(1, 4 + len(names)))


def _features(card: Mapping[str, Any]) -> str:
    found = card.get("importance")
    if not found or not found["features"]:
        return ""
    rows = [[one["feature"], _figure(one["value"]), _interval(one)] for one in found["features"]]
    caption = f"Permutation importance: by how much {found['figure']} gets worse when the feature's values are shuffled among the rows."
    return plots.importance(found) + table(["feature", "importance", "95 % interval"], rows, caption=caption, numbers=(1, 2))


def _contract(card: Mapping[str, Any]) -> str:
    columns = card["contract"]["columns"]
    rules = [[one.get("name", ""), one.get("predicate", "")] for one in card["contract"].get("rules", ())]
    rows = [[one["name"], one["type"], "yes" if one.get("required") else "no", one.get("description") or ""] for one in columns]
    body = table(["column", "type", "required", "description"], rows, caption="The contract of the model's input.")
    return body + (table(["rule", "what each row must hold"], rules, caption="Rules of the input.") if rules else "")


def _origin(card: Mapping[str, Any]) -> str:
    rows, packages = card["rows"], card.get("packages", {})
    examples = f"{rows['examples']:,} = {rows['train']:,} train + {rows['test']:,} test + {rows['unlabelled']:,} unlabelled"
    facts = [
        ["run", card["run"]], ["work of the run", card.get("logical_id")], ["trained", card.get("created")], ["code", card.get("code")],
        ["examples", examples], ["split", card.get("split")], ["seed", card.get("seed")],
        ["stages", ", ".join(str(stage).rpartition(".")[2] for stage in card.get("stages", ()))],
        ["packages", ", ".join(f"{name} {value}" for name, value in packages.items())],
        ["scores without Spark", "yes" if card.get("portable") is None else f"no: {card['portable']}"],
        *([f"parameter {name}", _plain(value)] for name, value in card.get("params", {}).items()),
        *([f"data {name}", _plain(value)] for name, value in card.get("data", {}).items()),
        *([f"contract of {name}", _plain(value)] for name, value in (card.get("contracts") or {}).items()),
    ]
    told = [[name, value] for name, value in facts if value not in (None, "")]
    caption = "The run, data, code and settings that made the model; `sparkkit runs show RUN` has the run's record."
    return table(["fact", "value"], told, caption=caption)


def _guards(card: Mapping[str, Any]) -> str:
    rows = [[one["guard"], one["finding"], one.get("why", "")] for one in card.get("allowed") or ()]
    caption = "Leaks that were found and let pass by the training, each with its reason: the figures may be too good."
    return table(["guard", "finding", "why it was let pass"], rows, caption=caption) if rows else ""


def _search(card: Mapping[str, Any]) -> str:
    found: Mapping[str, Any] = card.get("search") or {}
    tried: Sequence[Mapping[str, Any]] = found.get("tried") or ()
    if not tried:
        return ""
    chosen = next((i for i, one in enumerate(tried) if one["params"] == found["chosen"] and one["figure"] == found["mean"]), None)
    rows = [[f"{i + 1}{' (chosen)' if i == chosen else ''}", _figure(one["figure"]), one["state"], number(one.get("seconds")),
             ", ".join(f"{name} = {_plain(value)}" for name, value in one["params"].items())] for i, one in enumerate(tried[:MOST])]
    left = f" The first {MOST} are shown." if len(tried) > MOST else ""
    caption = (f"Settings that were tried, each by its mean {found['metric']} in {found['folds']:,} folds of the train part: "
               f"{found['complete']:,} of {found['trials']:,} to the end; {found['why']}.{left}")
    return table(["trial", found["metric"], "state", "seconds", "parameters"], rows, caption=caption, numbers=(1, 3))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 100 else number(value)


def _interval(one: Mapping[str, Any], *, signed: bool = False) -> str:
    if one.get("low") is None or one.get("high") is None:
        return "-"
    low, high = (_signed(one[end]) if signed else _figure(one[end]) for end in ("low", "high"))
    return f"{low} to {high}"


def _difference(one: Mapping[str, Any] | None) -> list[str]:
    return ["-", "-"] if one is None else [_signed(one["value"]), _interval(one, signed=True)]


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}" if abs(value) < 100 else f"{value:+.4g}"
