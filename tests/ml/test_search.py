from __future__ import annotations

from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.ml.search import Search, choice, log, real, whole
from sparkkit.training import Training


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: log(0, 1), "does not begin above 0"),
        (lambda: real(2, 1), "the lower one first"),
        (lambda: real(0, float("inf")), "is no range"),
        (lambda: whole(0, 1.5), "two whole numbers"),
        (lambda: whole(0, 5, step=2), "no steps of 2 lead from 0 to 5"),
        (lambda: choice(), "is no choice"),
        (lambda: choice("a", 1), "of one type"),
        (lambda: choice("a", "a"), "each once"),
        (lambda: Search(), "has no ranges"),
        (lambda: Search({"x": (1, 2)}), "the range of x is"),
        (lambda: Search({"x": log(1, 2)}, folds=1), "folds=1"),
        (lambda: Search({"x": log(1, 2)}, patience=-1), "patience=-1"),
        (lambda: Search({"x": log(1, 2).only("k", "a"), "k": choice("a")}), "which no range before it gives"),
        (lambda: Search({"k": choice("a"), "x": log(1, 2).only("k", "b")}), "where k is 'b', which no range"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(made, said):
    with pytest.raises(UsageError, match=said) as found:
        made()
    assert found.value.reason == "wrong_search"


@pytest.mark.parametrize(
    ("one", "inside", "outside"),
    [
        (real(0, 2), [0, 1.5, 2.0], [-0.1, 2.1, "1", True, None]),
        (whole(2, 8, step=3), [2, 5, 8], [3, 11, "5", True]),
        (choice("a", "b"), ["a", "b"], ["c", 1, None]),
        (choice(True, False), [True, False], [1, 0]),
        (choice(1, 2), [1, 2], [True, 3, 1.0]),
    ],
)
def test_a_range_holds_its_values_alone(one, inside, outside):
    assert [one.holds(v) for v in (*inside, *outside)] == [True] * len(inside) + [False] * len(outside)


def build(rows, *, since: int = 2010):
    return rows


def fit(train, *, weight: float = 0.1, length: int = 2, kind: str = "a", several: list[int] = (), since: int = 2010):
    return None


def training(ranges, **more: Any) -> Training:
    return Training(build, fit=fit, label="y", features=("x",), name="train_it", search=Search(ranges), **more)


@pytest.mark.parametrize(
    ("ranges", "more", "said"),
    [
        ({"wieght": log(1e-3, 1)}, {}, "search names wieght, which is no parameter of fit"),
        ({"since": whole(2000, 2010)}, {}, "search names since, which is not fit's alone"),
        ({"length": log(1e-3, 1)}, {}, "search has log.* for length, which is int"),
        ({"weight": whole(1, 3)}, {}, "search has whole.* for weight, which is float"),
        ({"weight": choice("a", "b")}, {}, "search has choice.* for weight, which is float"),
        ({"kind": choice(1, 2)}, {}, "search has choice.* for kind, which is text"),
        ({"several": choice(1, 2)}, {}, "search has choice.* for several, which is several"),
        ({"weight": log(1e-3, 1)}, {"better": "cost"}, "better='cost', which is no figure"),
    ],
)
def test_a_search_that_does_not_fit_its_training_is_refused_when_that_is_defined(ranges, more, said):
    with pytest.raises(UsageError, match=said) as found:
        training(ranges, **more)
    assert found.value.reason == "wrong_job"


def test_a_training_with_a_search_has_its_options_and_one_without_has_not():
    with_search = [o.flag for o in training({"weight": log(1e-3, 1)}).options]
    without = Training(build, fit=fit, label="y", features=("x",), name="train_it")
    assert set(with_search) - {o.flag for o in without.options} == {"--trials", "--tune-seconds"}


@pytest.mark.parametrize(("name", "given"), [("trials", "-1"), ("trials", "1001"), ("tune_seconds", "-0.5"), ("tune_seconds", "inf")])
def test_a_budget_that_makes_no_sense_is_refused(name, given):
    option = next(o for o in training({"weight": log(1e-3, 1)}).options if o.parameter == name)
    with pytest.raises(UsageError):
        option.value(given, "conf")
