"""What differs between Sparks, without a session."""
from __future__ import annotations

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


@pytest.mark.parametrize(("said", "iso"), [("2024-01-02", "2024-01-02"), ("2024-01-02 03:04:05.0", "2024-01-02T03:04:05"),
                                           ("2024-01-02 03:04:05.25", "2024-01-02T03:04:05.25"), ("2024-01-02T03:04", "2024-01-02T03:04")])
def test_a_time_of_java_is_its_iso_text(said: str, iso: str) -> None:
    assert compat.plain(Java(said)) == iso


def test_other_values_stay() -> None:
    assert [compat.plain(value) for value in (1, "x y", None, 2.5)] == [1, "x y", None, 2.5]
