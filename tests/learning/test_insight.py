"""What a card tells beside the figures: in which figure, and as which numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.learning import insight
from sparkkit.training import Training


def training(**more: Any) -> Training:
    def build(rows: Any) -> None: ...

    def fit(train: Any) -> None: ...

    return Training(build, fit=fit, label="y", features=("x",), name="train_toy", **more)


@pytest.mark.parametrize(("more", "figure"), [
    ({}, "roc_auc"), ({"better": "brier"}, "brier"), ({"better": "cost", "costs": (1.0, 5.0)}, "cost"), ({"better": "cost"}, "roc_auc"),
    ({"better": "of_my_own"}, "roc_auc")])
def test_importance_is_told_in_the_figure_that_promotes_where_it_can_be(more: dict[str, Any], figure: str) -> None:
    assert insight.measured(training(**more))[0] == figure


def test_numbers_are_rounded_and_none_is_no_number_of_json() -> None:
    assert [insight._short(value) for value in (0.12345678, math.nan, None, 7)] == [0.123457, None, None, 7]


@pytest.mark.parametrize("rows", [1, -5])
def test_importance_on_too_few_rows_is_refused(rows: int) -> None:
    with pytest.raises(UsageError, match=f"importance is to be measured on {rows} rows: give 2 or more, or 0 for not at all"):
        training(importance=rows)
