"""The progress line: on a terminal, after a while, and nowhere else."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest

from sparkkit.report import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def working(**stage: int) -> Any:
    """A session with one stage at work."""
    info = SimpleNamespace(numCompletedTasks=5, numTasks=20, numActiveTasks=2, **stage)
    tracker = SimpleNamespace(getActiveStageIds=lambda: [1], getStageInfo=lambda stage: info)
    return SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: tracker))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(progress, "AFTER_SECONDS", 0.0)


def shown(spark: Any, out: io.StringIO, seconds: float = 0.2) -> str:
    with progress.line(spark, out):
        time.sleep(seconds)
    return out.getvalue()


def test_a_terminal_shows_the_tasks_on_one_line_that_is_wiped_at_the_end() -> None:
    result = shown(working(), Terminal())
    assert "\r[#####...............] 5 of 20 tasks done, 2 running, 0 s" in result
    assert "\n" not in result
    assert result.endswith(" \r")


def test_a_log_shows_nothing() -> None:
    assert shown(working(), io.StringIO()) == ""


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER_SECONDS", 60.0)
    assert shown(working(), Terminal()) == ""


def test_a_tracker_that_fails_is_not_an_error_of_the_run() -> None:
    broken = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: SimpleNamespace()))
    assert shown(broken, Terminal()) == ""


def test_the_line_is_wiped_when_the_run_fails() -> None:
    out = Terminal()

    def failing() -> None:
        with progress.line(working(), out):
            time.sleep(0.2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert out.getvalue().endswith(" \r")


def test_spark_connect_calls_our_handler_and_lets_it_go(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[Any] = []
    spark = SimpleNamespace(registerProgressHandler=handlers.append, removeProgressHandler=handlers.remove)
    monkeypatch.setattr(progress, "is_connect", lambda spark: True)
    out = Terminal()
    with progress.line(spark, out):  # type: ignore[arg-type]
        handlers[0]([SimpleNamespace(num_tasks=4, num_completed_tasks=1)], 3, "id", False)
    assert ("1 of 4 tasks done, 3 running" in out.getvalue(), handlers) == (True, [])
