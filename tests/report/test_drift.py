"""The page of a verdict table: complete, of one piece, and safe whatever the table says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from sparkkit.report import drift

BINS = json.dumps([{"bin": "to 1", "reference": 10, "current": 5}, {"bin": "<b>$x$</b>", "reference": 0, "current": 7}])


def verdict(feature: str, severity: str, **more: Any) -> dict[str, Any]:
    return {"feature": feature, "measure": "psi", "severity": severity, "value": 0.123456, "warn_at": 0.1, "alarm_at": 0.2,
            "p_adjusted": 1e-9, "reference_rows": 12345, "current_rows": 10, "detail": None, "bins": BINS, **more}


ROWS = [verdict("calm", "none"), verdict("late", "warning"), verdict("amount", "alarm", detail="0 to 1 & more")]


def test_the_worst_comes_first_and_everything_is_there() -> None:
    page = drift.page(ROWS, "Drift: out/drift")
    assert re.findall(r"<h2 class='\w+'>(.*?)</h2>", page) == ["amount: alarm", "late: warning", "calm: none"]
    assert page.count("<svg") == 3
    assert "3 features: 1 in alarm (amount), 1 with a warning" in page
    assert all(word in page for word in ("0.1235", "12,345", "1e-09", "0 to 1 &amp; more"))


def test_it_loads_nothing_and_is_the_same_each_time() -> None:
    page = drift.page(ROWS, "t")
    assert re.findall(r"(?:src|href)\s*=\s*[\"'](?!#)", page) == []
    assert re.findall(r"<script|<link|@import|url\((?!#)", page) == []
    assert page == drift.page(ROWS, "t")


def test_values_are_texts_and_no_markup() -> None:
    page = drift.page([verdict("<script>x</script>", "alarm", detail="<img>")], "<title>")
    assert not {"<script", "<img", "<b>"} & set(re.findall(r"<\w+>?", page))


def test_figures_out_of_csv_are_figures() -> None:
    assert "0.1235" in drift.page([verdict("a", "none", value="0.123456", bins="", p_adjusted="")], "t")


def test_the_text_tells_what_is_reported() -> None:
    lines = drift.text(ROWS).splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["feature", "measure", "severity"], ["amount", "psi", "alarm"], ["late", "psi", "warning"], ["3", "features:", "1"]]
    assert drift.text([verdict("calm", "none")]) == "1 feature: 0 in alarm, 0 with a warning"


def test_many_features_are_not_all_plotted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "PLOTTED", 2)
    page = drift.page(ROWS, "t")
    assert (page.count("<svg"), "1 more features are not plotted" in page) == (2, True)
