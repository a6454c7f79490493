"""The values of a watermark: as SQL, as what Python compares, and how far back from one of them rows may come."""
from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.incremental.rules import lateness
from sparkkit.schema.cast import literal
from sparkkit.schema.types import quote
from sparkkit.storage.increments import Stretch

WHOLE_NUMBERS = ("tinyint", "smallint", "int", "bigint")
TIMES = ("date", "timestamp", "timestamp_ntz")


@dataclass(frozen=True)
class Line:
    """A column that grows, of a type that has an order and an exact text.

    >>> Line("at", "timestamp", "1 day").low("2026-01-03 10:00:00", whole=False)
    '2026-01-02 00:00:00'
    >>> Line("n", "bigint", 5).low("12", whole=False), Line("n", "bigint").low("12", whole=False)
    ('7', '12')
    """

    column: str
    type: str
    lateness: str | int | float | None = None

    def check(self, name: str) -> None:
        """Refuses a type without an order or an exact text, and a lateness that is none of its.

        Raises:
            UsageError: `wrong_conf`.
        """
        number = self.type in WHOLE_NUMBERS or self.type.startswith("decimal(")
        if not (number or self.type in (*TIMES, "string")):
            raise UsageError(f"input {name!r}: the watermark {self.column} is {self.type}, which has no order or no exact text",
                             reason="wrong_conf", hint="use a column of dates, times, whole or decimal numbers, or texts")
        given = None if self.lateness is None else lateness(name, self.lateness)
        if given is not None and isinstance(given, dt.timedelta) != (self.type in TIMES) or (given is not None and self.type == "string"):
            raise UsageError(f"input {name!r}: lateness is {self.lateness!r}, and the watermark {self.column} is {self.type}",
                             reason="wrong_conf", hint="dates and times take a time such as '2 days', numbers a number, texts none")

    @property
    def dated(self) -> bool:
        """Whether its values have dates."""
        return self.type in TIMES

    @property
    def day(self) -> str:
        """SQL: the date of a row as text, or '' where there are no dates."""
        return f"CAST(to_date({quote(self.column)}) AS STRING)" if self.dated else "''"

    def literal(self, text: str) -> str:
        """SQL: a value of the column."""
        return f"CAST({literal(text)} AS {self.type})"

    def between(self, stretch: Stretch) -> str:
        """SQL: whether a row is in a stretch."""
        low, high = stretch
        upper = f"{quote(self.column)} <= {self.literal(high)}"
        return f"({upper})" if low is None else f"({self.after(low)} AND {upper})"

    def after(self, text: str) -> str:
        """SQL: whether a row is after a value."""
        return f"{quote(self.column)} > {self.literal(text)}"

    def since(self, text: str) -> str:
        """SQL: whether a row is at a value or after it."""
        return f"{quote(self.column)} >= {self.literal(text)}"

    def value(self, text: str) -> Any:
        """A value's text as what Python compares as Spark does; a year that Python does not know is the last, or the first.

        >>> Line("at", "timestamp").value("+10000-01-01 00:00:00").year
        9999
        """
        if self.type == "string":
            return text
        if self.dated and not re.match(r"\d{4}-", text):
            return dt.datetime.min if text.startswith("-") else dt.datetime.max
        return dt.datetime.fromisoformat(_padded(text)) if self.dated else Decimal(text)

    def low(self, mark: str, *, whole: bool) -> str:
        """From where (inclusive) rows may still come once a mark was reached; a lateness reaches over whole days, and `whole` says
        that days are to be whole without one, too."""
        if self.lateness is None and not (whole and self.dated):
            return mark
        if not self.dated:
            return str(Decimal(mark) - Decimal(str(self.lateness or 0)))
        back = lateness("", self.lateness) if self.lateness is not None else dt.timedelta()
        assert isinstance(back, dt.timedelta)
        day = (self.value(mark) - back).date().isoformat()
        return day if self.type == "date" else f"{day} 00:00:00"

    def least(self, *texts: str) -> str:
        """The least of some values."""
        return min((text for text in texts if text), key=self.value, default="")


def _padded(text: str) -> str:
    """A time with all six digits of its second, as older Pythons want it.

    >>> _padded("2026-01-01 10:00:00.5")
    '2026-01-01 10:00:00.500000'
    """
    return re.sub(r"\.(\d{1,6})$", lambda found: "." + found[1].ljust(6, "0"), text)
