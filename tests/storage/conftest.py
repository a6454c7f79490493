"""For the tests of the storage: no heart beats in a model, and what the model check tried is told at the end."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from sparkkit.storage import journal

TRIED: list[str] = []


@pytest.fixture
def no_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without the thread that beats."""
    monkeypatch.setattr(journal, "Heart", lambda *_: nullcontext())


@pytest.fixture
def tried() -> list[str]:
    """Lines for the end of the suite: calls tried, states reached, violations."""
    return TRIED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was tried, where it was."""
    if TRIED:
        terminalreporter.section("the publishing protocol, every order of calls")
        for line in sorted(TRIED):
            terminalreporter.write_line(line)
