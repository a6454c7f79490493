"""What a tuning searches: the parameters of a training's `fit`, each with the values that it may take. Pure, and needs no package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sparkkit.errors import UsageError

__all__ = ["Range", "Search", "choice", "log", "real", "whole"]

KINDS = {"real": ("float",), "log": ("float",), "whole": ("int",), "choice": ("float", "int", "text", "bool")}
"""Each kind of range: the kinds of option that it is for."""


@dataclass(frozen=True)
class Range:
    """The values that one parameter may take; made by `real`, `log`, `whole` or `choice`.

    Args:
        values: the lowest and the highest, both included; the values themselves of a choice.
        step: of whole numbers.
        when: searched only where another parameter of the search, which stands before it, has this value; elsewhere it is as given.
    """

    kind: str
    values: tuple[Any, ...]
    step: int = 1
    when: tuple[str, Any] | None = None

    def only(self, name: str, value: Any) -> Range:
        """The same range, searched only where the parameter `name` has this value.

        >>> log(1e-4, 1.0).only("kind", "logistic").when
        ('kind', 'logistic')
        """
        return replace(self, when=(name, value))

    def holds(self, value: Any) -> bool:
        """Whether it is one of the values, so that it can be the first that is tried."""
        if self.kind == "choice":
            return any(type(value) is type(v) and value == v for v in self.values)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self.values
        return bool(low <= value <= high) and (self.kind != "whole" or (value - low) % self.step == 0)


def real(low: float, high: float) -> Range:
    """A real number from `low` to `high`, each as likely as another at first.

    Raises:
        UsageError: they are no numbers, or not in order.
    """
    _ordered("real", low, high, float)
    return Range("real", (float(low), float(high)))


def log(low: float, high: float) -> Range:
    """A real number above 0 from `low` to `high`, on a logarithmic scale: for what spans orders of magnitude, as regularisation does.

    Raises:
        UsageError: they are not above 0, or not in order.
    """
    _ordered("log", low, high, float)
    if low <= 0:
        raise _wrong(f"log({low!r}, {high!r}) does not begin above 0", "give a lowest value above 0, or real() in place of log()")
    return Range("log", (float(low), float(high)))


def whole(low: int, high: int, *, step: int = 1) -> Range:
    """A whole number from `low` to `high`, by steps.

    Raises:
        UsageError: they are no whole numbers, or not in order; a step does not lead to the highest.

    >>> whole(0, 6, step=2).holds(4), whole(0, 6, step=2).holds(5)
    (True, False)
    """
    _ordered("whole", low, high, int)
    if type(step) is not int or step < 1 or (high - low) % step:
        raise _wrong(f"whole({low!r}, {high!r}, step={step!r}): no steps of {step!r} lead from {low!r} to {high!r}")
    return Range("whole", (low, high), step)


def choice(*values: Any) -> Range:
    """One of some values: texts, numbers, or True and False.

    Raises:
        UsageError: none, some of several types, or one twice.
    """
    if not values or len({type(v) for v in values}) > 1 or not isinstance(values[0], str | int | float) or len(set(values)) < len(values):
        raise _wrong(f"choice{values!r} is no choice", "give values of one type, text, int, float or bool, each once")
    return Range("choice", values)


@dataclass(frozen=True)
class Search:
    """How a training's parameters are searched, where a run asks for it by `--trials` or `--tune-seconds`.

    Args:
        ranges: parameter of `fit` to its range. The whole pipeline is made and fitted anew in each fold, the preprocessing too.
        folds: how many; each is validated once by a pipeline of the others, and by time by one of what came before it.
        patience: the search ends when the best has not become better in so many trials; 0 for never.
        prune: whether a trial that is worse than the median of the others after some of its folds is given up (Golovin et al. 2017).

    Raises:
        UsageError: no ranges, fewer than two folds, a range that hangs on a parameter that does not stand before it.

    >>> found = Search({"kind": choice("logistic", "trees"), "regularisation": log(1e-5, 1.0).only("kind", "logistic")}, folds=3)
    >>> list(found.ranges)
    ['kind', 'regularisation']
    """

    ranges: Mapping[str, Range] = field(default_factory=dict)
    folds: int = 3
    patience: int = 20
    prune: bool = True

    def __post_init__(self) -> None:
        if not self.ranges:
            raise _wrong("a search has no ranges", 'name a parameter of fit: Search({"regularisation": log(1e-5, 1.0)})')
        if self.folds < 2:
            raise _wrong(f"a search has folds={self.folds!r}", "give 2 or more")
        if self.patience < 0:
            raise _wrong(f"a search has patience={self.patience!r}", "give a number of trials, or 0 to search until the budget is used up")
        before: list[str] = []
        for name, one in self.ranges.items():
            if not isinstance(one, Range):
                raise _wrong(f"the range of {name} is {one!r}", "give real(), log(), whole() or choice()")
            if one.when and (one.when[0] not in before or not self.ranges[one.when[0]].holds(one.when[1])):
                raise _wrong(f"{name} is searched where {one.when[0]} is {one.when[1]!r}, which no range before it gives")
            before.append(name)


def _ordered(name: str, low: Any, high: Any, kind: type) -> None:
    kinds = (int,) if kind is int else (int, float)
    if type(low) not in kinds or type(high) not in kinds or not low <= high or abs(high) == float("inf") or abs(low) == float("inf"):
        raise _wrong(f"{name}({low!r}, {high!r}) is no range", f"give two {'whole ' if kind is int else ''}numbers, the lower one first")


def _wrong(what: str, hint: str | None = None) -> UsageError:
    return UsageError(what, reason="wrong_search", hint=hint)
