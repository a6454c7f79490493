"""Whether to retrain: a decision out of verdicts, the model's age and the rows that are new, with its reason, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sparkkit.errors import UsageError


@dataclass(frozen=True)
class Rules:
    """When to retrain; a limit that is None is not asked.

    Args:
        least_rows: labelled rows since the last training, below which there is nothing to learn from: no retraining.
        decayed: alarms of a model's figures from which on to retrain.
        predictions: alarms of its predictions' distribution.
        features: features in alarm.
        warnings: features with a warning or an alarm.
        most_days: the age from which on to retrain whatever the verdicts say.
    """

    least_rows: int = 1_000
    decayed: int | None = 1
    predictions: int | None = 1
    features: int | None = 1
    warnings: int | None = None
    most_days: float | None = 90.0


@dataclass(frozen=True)
class Decision:
    """Whether to retrain, why in a sentence, and the figures that were looked at, by the names of `Rules`."""

    retrain: bool
    reason: str
    figures: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """The decision as JSON has it."""
        return asdict(self)


def decide(verdicts: Iterable[Any], *, age_days: float, new_rows: int, rules: Rules | None = None) -> Decision:
    """The decision; the first rule that is met tells why, in the order of `Rules`.

    Args:
        verdicts: rows of `drift` and `decay`, as mappings or as Spark's rows: `feature`, `role`, `measure`, `severity` are read.
        age_days: days since the model was trained.
        new_rows: labelled rows that it has not seen.
        rules: default `Rules()`.

    Raises:
        UsageError: an age or a number of rows below 0 (`wrong_option`), or a verdict without these columns (`no_column`).

    >>> alarm = {"feature": "amount", "role": "feature", "measure": "psi", "severity": "alarm"}
    >>> decide([alarm], age_days=3, new_rows=5000).reason
    'retrain: 1 feature in alarm (amount: psi), 1 is enough'
    >>> decide([alarm], age_days=3, new_rows=500).reason
    'keep: 500 new rows, fewer than 1000 to learn from'
    >>> decide([], age_days=3, new_rows=5000).reason
    'keep: no rule is met (3 days old, 5000 new rows, 0 features in alarm)'
    """
    if age_days < 0 or new_rows < 0:
        raise UsageError(f"an age of {age_days:g} days and {new_rows} new rows can't be", reason="wrong_option")
    asked = rules or Rules()
    seen = _seen(verdicts)
    figures = {"least_rows": new_rows, **{name: len(found) for name, found in seen.items()}, "most_days": age_days}
    if new_rows < asked.least_rows:
        return Decision(False, f"keep: {new_rows} new rows, fewer than {asked.least_rows} to learn from", figures)
    for name, found in seen.items():
        limit = getattr(asked, name)
        if limit is not None and len(found) >= max(limit, 1):
            return Decision(True, f"retrain: {_words(name, found)}, {limit} {'is' if limit == 1 else 'are'} enough", figures)
    if asked.most_days is not None and age_days >= asked.most_days:
        return Decision(True, f"retrain: the model is {age_days:g} days old, {asked.most_days:g} are its most", figures)
    told = f"{age_days:g} days old, {new_rows} new rows, {len(seen['features'])} features in alarm"
    return Decision(False, f"keep: no rule is met ({told})", figures)


_WORDS = {
    "decayed": ("figure has decayed", "figures have decayed"), "predictions": ("prediction has drifted", "predictions have drifted"),
    "features": ("feature in alarm", "features in alarm"), "warnings": ("feature with a warning", "features with a warning"),
}


def _words(name: str, found: Mapping[str, str]) -> str:
    shown = [f"{feature}: {measure}" for feature, measure in sorted(found.items())]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"{len(found)} {_WORDS[name][len(found) != 1]} ({', '.join(shown[:3])}{more})"


def _seen(verdicts: Iterable[Any]) -> dict[str, dict[str, str]]:
    """What is reported, by rule: each feature or figure once, with the first measure that reports it."""
    seen: dict[str, dict[str, str]] = {"decayed": {}, "predictions": {}, "features": {}, "warnings": {}}
    for one in verdicts:
        try:
            feature, role, measure, severity = (str(one[name]) for name in ("feature", "role", "measure", "severity"))
        except (KeyError, ValueError) as error:
            raise UsageError(f"a verdict has no column {error}", reason="no_column", hint="give the rows of drift and decay") from None
        if severity == "alarm":
            if role == "metric":
                seen["decayed"].setdefault(f"{measure} of {feature}", severity)
            else:
                seen["predictions" if role == "prediction" else "features"].setdefault(feature, measure)
        if severity != "none" and role == "feature":
            seen["warnings"].setdefault(feature, measure)
    return seen
