"""To retrain or not: each rule by itself, their order, and what the decision says."""

from __future__ import annotations

from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.monitoring.retrain import Rules, decide


def verdict(severity: str, feature: str = "amount", role: str = "feature", measure: str = "psi") -> dict[str, str]:
    return {"feature": feature, "role": role, "measure": measure, "severity": severity}


@pytest.mark.parametrize(("verdicts", "given", "retrain", "reason"), [
    ([verdict("alarm")], {"new_rows": 999}, False, "keep: 999 new rows, fewer than 1000 to learn from"),
    ([verdict("alarm", "all", "metric", "roc_auc")], {}, True, "retrain: 1 figure has decayed (roc_auc of all: alarm), 1 is enough"),
    ([verdict("alarm", "score", "prediction")], {}, True, "retrain: 1 prediction has drifted (score: psi), 1 is enough"),
    ([verdict("alarm"), verdict("alarm", measure="ks")], {}, True, "retrain: 1 feature in alarm (amount: psi), 1 is enough"),
    ([verdict("warning")], {}, False, "keep: no rule is met (1 days old, 5000 new rows, 0 features in alarm)"),
    ([verdict("warning"), verdict("alarm", "country")], {"rules": Rules(features=2, warnings=2)}, True,
     "retrain: 2 features with a warning (amount: psi, country: psi), 2 are enough"),
    ([verdict("none")], {"age_days": 90}, True, "retrain: the model is 90 days old, 90 are its most"),
    ([verdict("none")], {"age_days": 900, "rules": Rules(most_days=None)}, False, "keep: no rule is met"),
])
def test_the_first_rule_that_is_met_decides(verdicts: Any, given: Any, retrain: bool, reason: str) -> None:
    found = decide(verdicts, **{"age_days": 1, "new_rows": 5000, **given})
    assert (found.retrain, found.reason.startswith(reason)) == (retrain, True), found.reason


def test_decay_is_told_before_drift() -> None:
    assert "decayed" in decide([verdict("alarm"), verdict("alarm", "all", "metric", "f1")], age_days=1, new_rows=5000).reason


def test_the_decision_has_the_figures_that_it_looked_at() -> None:
    row = decide([verdict("alarm"), verdict("warning", "country")], age_days=2.5, new_rows=5000).row()
    assert row["figures"] == {"least_rows": 5000, "decayed": 0, "predictions": 0, "features": 1, "warnings": 2, "most_days": 2.5}


@pytest.mark.parametrize(("given", "reason"), [({"age_days": -1}, "wrong_option"), ({"verdicts": [{"feature": "a"}]}, "no_column")])
def test_what_can_not_be_is_refused(given: Any, reason: str) -> None:
    asked = {"verdicts": [], "age_days": 1, "new_rows": 1, **given}
    with pytest.raises(UsageError) as raised:
        decide(asked.pop("verdicts"), **asked)
    assert raised.value.reason == reason
