"""What differs between Sparks, without a session."""
from __future__ import annotations

import datetime as dt

import pytest

from sparkkit import compat


class Java:
    """An object of Java as Py4J shows it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def getClass(self) -> type:  # noqa: N802
        return Java

    def toString(self) -> str:  # noqa: N802
        return self.text


@pytest.mark.parametrize(("said", "value"), [
    ("2024-01-02", dt.date(2024, 1, 2)), ("2024-01-02 03:04:05.0", dt.datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02 03:04:05.25", dt.datetime(2024, 1, 2, 3, 4, 5, 250_000)), ("2024-01-02T03:04", dt.datetime(2024, 1, 2, 3, 4)),
    ("PT5S", "PT5S")])
def test_a_time_of_java_becomes_one_of_python(said: str, value: object) -> None:
    assert compat.plain(Java(said)) == value


def test_other_values_stay() -> None:
    assert [compat.plain(value) for value in (1, "x y", None, 2.5)] == [1, "x y", None, 2.5]
