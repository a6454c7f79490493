"""The page of a model card in a real browser: it shows everything, runs nothing, and asks nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkkit.models.registry import Version
from sparkkit.report import model
from tests.e2e.serving import Browser, chromium
from tests.report.cards import card, hostile

pytestmark = [pytest.mark.e2e, pytest.mark.once]


def test_a_hostile_card_is_shown_and_does_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    program = chromium()
    if program is None:
        pytest.skip("no browser on this machine")
    page = tmp_path / "page.html"
    page.write_text(model.page(hostile(card()), Version("fraud", 3, (), {}, "", 0)), encoding="utf-8")
    browser = Browser(program, tmp_path / "profile")
    try:
        browser.open(page.as_uri())
        shown = browser.run("document.body.innerText")
        plots = browser.run("[...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().height > 100).length")
        foreign = browser.run("document.querySelectorAll('script, img, iframe, object, link').length")
        wide = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    finally:
        browser.close()
    asked = {e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"}
    said = [e for e in browser.events if e.get("method") in ("Log.entryAdded", "Page.javascriptDialogOpening", "Runtime.exceptionThrown")]
    assert "<script>alert(1)</script>" in shown
    assert (plots, foreign, wide, asked, said) == (7, 0, 0, {page.as_uri()}, [])
