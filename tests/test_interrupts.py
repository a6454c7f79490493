"""Signals: the first one stops a run between two steps, or waits while it publishes; the second one at once."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from sparkkit import interrupts
from sparkkit.interrupts import Interrupted, Stopper


@pytest.fixture
def stopper(monkeypatch: pytest.MonkeyPatch) -> Stopper:
    """A stopper of a running session, whose jobs nobody cancels."""
    monkeypatch.setattr(interrupts, "cancel", lambda spark: None)
    spark: Any = SimpleNamespace()
    return Stopper(spark)


def test_a_signal_stops_the_run_before_its_next_step(stopper: Stopper) -> None:
    stopper.check("build")
    stopper(signal.SIGTERM, None)
    with pytest.raises(Interrupted, match="SIGTERM: nothing was published") as error:
        stopper.check("write")
    assert error.value.exit_code == 143


def test_a_signal_waits_while_a_run_publishes(stopper: Stopper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "cancel", lambda spark: pytest.fail("a publication was cancelled"))
    stopper.check("publish")
    stopper(signal.SIGINT, None)
    assert stopper.number == signal.SIGINT


def test_a_second_signal_ends_a_publication_and_says_who_finishes_it(stopper: Stopper) -> None:
    stopper.check("publish")
    stopper(signal.SIGINT, None)
    with pytest.raises(Interrupted):
        stopper(signal.SIGTERM, None)
    assert str(stopper.ended(signal.SIGTERM)) == (
        "interrupted by SIGTERM: it was publishing, and the next run finishes what was decided")
