"""What a figure must be: the standard's comparisons (`mustBe`, `mustBeLessThan`, …) as data, judged in Python and in SQL."""
from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from typing import Any

from sparkkit.errors import UsageError

WORDS = {"mustBe": "=", "mustNotBe": "!=", "mustBeGreaterThan": ">", "mustBeGreaterOrEqualTo": ">=",
         "mustBeLessThan": "<", "mustBeLessOrEqualTo": "<="}
UNITS = ("rows", "percent")
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_SHORT = re.compile(r"(\d+(?:\.\d+)?)\s*(%|rows?|percent)?")
_TEST = re.compile(r"(=|!=|>=|>|<=|<) (\S+)")

IN_UTC = "timestamp_ntz'1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, cast(unix_micros({}) / 1000000BD as decimal(18,6)))"
"""SQL text: an instant as the time that it is in UTC, which a figure's bounds are compared with, whatever the session's zone."""


@dataclass(frozen=True)
class Bounds:
    """Comparisons of one figure: all must hold, or with `either` one of them. The figure is in rows, or in percent of all."""

    tests: tuple[tuple[str, Any], ...]
    either: bool = False
    unit: str = "rows"

    def hold(self, value: Any) -> bool:
        """Whether a figure is as it must be; one that is not known is not.

        >>> Bounds(((">=", 1), ("<", 5))).hold(4), Bounds((("=", 1),)).hold(None)
        (True, False)
        """
        if value is None:
            return False
        found = [_TESTS[sign](*_pair(value, bound)) for sign, bound in self.tests]
        return any(found) if self.either else all(found)

    def sql(self, value: str) -> str:
        """The same as a SQL predicate on an expression."""
        return (" or " if self.either else " and ").join(f"({value}) {sign} {_literal(bound)}" for sign, bound in self.tests)

    def allows(self, other: Bounds) -> bool:
        """Whether each figure that the other lets pass passes here too; where that can't be known (dates, texts), it does not.

        >>> read("5%", "t.yaml").allows(read("1%", "t.yaml")), read("5%", "t.yaml").allows(read("6%", "t.yaml"))
        (True, False)
        """
        try:
            passing = [figure for figure in self._figures(other) if other.hold(figure)]
            if self.unit != other.unit:  # rows and a share of them have nothing in common but that none is none
                passing = [figure for figure in passing if figure >= 0]
                return passing == [0] and self.hold(0)
            return all(map(self.hold, passing))
        except (TypeError, ValueError, ArithmeticError):
            return self == other

    def _figures(self, other: Bounds) -> list[Fraction]:
        """Each bound of both, what lies between two of them, and what lies beyond all."""
        known = sorted({Fraction(bound) for _, bound in (*self.tests, *other.tests)})
        between = [(low + high) / 2 for low, high in pairwise(known)]
        return sorted([known[0] - 1, *known, *between, known[-1] + 1])

    def __str__(self) -> str:
        return (" or " if self.either else " and ").join(f"{sign} {bound}" for sign, bound in self.tests) + f" {self.unit}"


def of(item: Mapping[str, Any], where: str) -> Bounds | None:
    """The comparisons of a quality item; None where it has none.

    Raises:
        UsageError: a unit that is not known (reason `bad_contract`).

    >>> str(of({"mustBeLessThan": 5, "unit": "percent"}, "t.yaml"))
    '< 5 percent'
    """
    unit = str(item.get("unit") or "rows")
    if unit not in UNITS:
        raise UsageError(f"{where}: unit is {unit!r}", reason="bad_contract", hint=f"one of {', '.join(UNITS)}")
    low, high = item.get("mustNotBeBetween") or (None, None)
    if low is not None:
        return Bounds((("<", low), (">", high)), True, unit)
    tests = [(sign, item[word]) for word, sign in WORDS.items() if item.get(word) is not None]
    low, high = item.get("mustBeBetween") or (None, None)
    tests += [(">=", low), ("<=", high)] if low is not None else []
    return Bounds(tuple(tests), False, unit) if tests else None


def read(said: Any, where: str) -> Bounds:
    """A tolerance as people write it (`100`, `"5%"`), or the text of a `Bounds`.

    Raises:
        UsageError: anything else (reason `bad_contract`).

    >>> str(read("5%", "t.yaml")), str(read(100, "t.yaml")), str(read("< 5 percent", "t.yaml"))
    ('<= 5 percent', '<= 100 rows', '< 5 percent')
    """
    text = str(said).strip()
    short = _SHORT.fullmatch(text)
    if short:
        return Bounds((("<=", _number(short[1])),), False, "percent" if short[2] in ("%", "percent") else "rows")
    tests, _, unit = text.rpartition(" ")
    either = " or " in tests
    parts = [_TEST.fullmatch(part) for part in tests.split(" or " if either else " and ")]
    try:
        made = Bounds(tuple((part[1], _number(part[2])) for part in parts if part), either, unit)
    except ValueError:
        made = Bounds(())
    if unit not in UNITS or str(made) != text:
        raise UsageError(f"{where}: the tolerance {said!r} is not understood", reason="bad_contract",
                         hint="a number of rows such as 100, or a share such as '5%'")
    return made


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def _pair(value: Any, bound: Any) -> tuple[Any, Any]:
    """A figure and its bound as values of one kind: a decimal beside what was written, not beside the nearest binary fraction of it; a
    text that is a bound, as the date or time that it is compared with; times without a zone as those of UTC, which is the session's."""
    if isinstance(value, Decimal) and isinstance(bound, float) and isfinite(bound):
        return value, Decimal(str(bound))
    if isinstance(value, datetime):
        if not isinstance(bound, datetime):
            bound = datetime.fromisoformat(bound.isoformat() if isinstance(bound, date) else str(bound))
        return _utc(value), _utc(bound)
    if isinstance(value, date):
        at = datetime.fromisoformat(bound) if isinstance(bound, str) else bound
        return (datetime.combine(value, time()), at.replace(tzinfo=None)) if isinstance(at, datetime) else (value, at)
    return (value, bound.isoformat()) if isinstance(value, str) and isinstance(bound, date) else (value, bound)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _literal(bound: Any) -> str:
    from sparkkit.schema.limits import text

    if isinstance(bound, bool) or bound is None:
        return str(bound).lower() if bound is not None else "null"
    if isinstance(bound, float):
        return f"{bound!r}D"
    return text(str(bound)) if isinstance(bound, (str, date)) else str(bound)
