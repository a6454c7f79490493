"""The page of a model card: complete, of one piece, safe whatever the card says, and right in its sentences."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from sparkkit.errors import UsageError
from sparkkit.models.registry import Version
from sparkkit.report import model, plots
from tests.report.cards import card, figure, hostile, old

VERSION = Version("fraud", 3, ("champion",), {}, "", 0)


class Tags(HTMLParser):
    """The elements of a page, and those that were left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return model.page(card(), VERSION)


def test_every_section_and_plot_is_there(page: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Figures", "Threshold", "Curves", "Slices", "Features", "What it reads", "Where it comes from", "Guards that were let pass",
        "Search"]
    plots_ = ("roc", "precision_recall", "calibration", "histogram", "cost", "slices", "importance")
    assert [page.count(f'aria-labelledby="plot-{name.replace("_", "_5f")}"') for name in plots_] == [1] * len(plots_)
    told = ("fraud version 3 (champion)", "run-1", "abc", "by hash", "depth = 9", "a demonstration", "+0.0500", "0.7800 to 0.8200")
    assert [word for word in told if word not in page] == []


def test_the_elements_are_closed_and_tables_have_captions(page: str) -> None:
    assert Tags(page).open == []
    assert page.count("<table>") == page.count("<caption>") and page.count("<figure>") == page.count("<figcaption>") == page.count("<svg")


def test_it_loads_nothing_and_is_the_same_each_time(page: str) -> None:
    assert re.findall(r"(?:src|href)\s*=\s*[\"'](?!#)", page) == []
    assert re.findall(r"<script|<link|@import|url\((?!#)", page) == []
    assert page == model.page(card(), VERSION)


def test_nothing_that_a_card_says_is_markup() -> None:
    tags = Tags(model.page(hostile(card()), VERSION))
    assert not {"script", "img"} & tags.found and not {"onerror", "src"} & tags.attributes and tags.open == []


def test_a_card_of_before_there_were_curves_shows_its_figures() -> None:
    made = model.page(old(), None)
    assert ("0.8000" in made, "fraud unregistered" in made, "<svg" in made) == (True, True, False)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_of_another_task_figures_and_importance_are_shown(task: str) -> None:
    figures = [figure("all", "rmse", 2.0), figure("country=A", "rmse", 3.0), figure("country=B", "rmse", 1.0)]
    shown = model.page(card(task=task, figures=figures, better="rmse", less_is_better=True, classes=None, threshold=None), VERSION)
    assert re.findall(r'aria-labelledby="plot-(\w+)"', shown) == ["slices", "importance"]
    assert "The worst slice is country=A: rmse 3" in shown and f"Predicts back ({task})" in shown


def test_the_slices_are_sorted_by_the_worst(page: str) -> None:
    rows = re.findall(r"<th scope='row'>(country=.)</th>", page)
    assert rows == ["country=B", "country=A", "country=C"]
    assert "The worst slice is country=B: roc_auc 0.6 in 300 rows, against 0.8 of all rows." in page


@pytest.mark.parametrize("sentence", [
    "Of the pairs of a positive and a negative, the positive scores higher in 80.0 %. At the threshold 0.2, 60.0 % of the positives",
    "are found, and 10.0 % of the negatives are called positive.",
    "At the threshold 0.2, 40.0 % of what is called positive is positive; of all test rows 10.0 % are.",
    "In 1 of 2 bins the mean score is outside the 95 % interval of what happened; most rows are amiss where scores are 0.45 in",
    "Half of the positives score 0.5 or more; half of the negatives score 0 or more (to the bin).",
    "At the model&#x27;s threshold 0.2 a row costs 0.29; the lowest cost on these rows is 0.25, at 0.3.",
    "Shuffling amount costs most: roc_auc gets worse by 0.2 (0.18 to 0.22). Of 2 features 1 can&#x27;t be told from one that is not needed",
    "Confusion matrix at the threshold 0.2: 40 positives are missed, 90 negatives are called positive.",
    "each by its mean roc_auc in 3 folds of the train part: 1 of 2 to the end; 2 trials were done.",
    "1 (chosen)<",
])
def test_each_plot_s_sentence_is_what_its_figures_say(page: str, sentence: str) -> None:
    assert sentence in page


def test_scores_that_agree_with_what_happened_are_said_to() -> None:
    assert "In every bin of scores, what happened agrees" in plots.calibration([[0.05, 0.06, 0, 100], [0.5, 0.5, 0.5, 10]])


def test_nothing_called_positive_is_no_division_by_nothing() -> None:
    none = [[1.0, 1.0, None, 0], [1.0, 0.0, None, 10], [0.0, 1.0, None, 0], [0.0, 0.0, None, 90]]
    assert "0.0 % of what is called positive is positive" in model.page(card(curves={**card()["curves"], "confusion": none}), VERSION)


def test_many_slices_and_features_are_cut_off_and_counted() -> None:
    figures = [figure("all", "roc_auc", 0.8), *(figure(f"c={i}", "roc_auc", i / 1000) for i in range(600))]
    features = [{"feature": f"f{i}", "value": 0.1, "low": None, "high": None} for i in range(40)]
    importance = {"figure": "roc_auc", "rows": 10, "shuffles": 3, "features": features}
    made = model.page(old(figures=figures, importance=importance), VERSION)
    said = ("570 more slices are not drawn", "The first 500 of 600 are shown", "10 more features are not drawn")
    assert [one for one in said if one not in made] == []


@pytest.mark.parametrize("change", [{"curves": {"confusion": [[1, 1, None, 3]]}}, {"importance": {"features": [7]}}, {"rows": {}}])
def test_a_card_that_is_no_card_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="the card of model 'fraud' can't be shown"):
        model.page(card(**change), VERSION)
