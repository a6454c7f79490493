"""A line of progress on a terminal while Spark works; nothing at all where the output is a file or a pipe."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from sparkkit.compat import is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERY_SECONDS = 0.5
AFTER_SECONDS = 2.0
"""Work that is done before this shows no line: it would only flicker."""


@contextmanager
def line(spark: SparkSession, out: TextIO | None = None) -> Iterator[None]:
    """Shows what Spark does while the block runs, on one line of a terminal; wipes the line at the end.

    Args:
        spark: a session, classic or Connect.
        out: where the line goes, default standard error; nothing is shown where it is no terminal.

    >>> with line(spark):
    ...     spark.range(3).count()
    3
    """
    out = out or sys.stderr
    if not out.isatty():
        yield
        return
    shown = _Line(out)
    stop = _connect(spark, shown) if is_connect(spark) else _classic(spark, shown)
    try:
        yield
    finally:
        stop()
        shown.wipe()


class _Line:
    """One line of a terminal, written over itself."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.began, self.width = out, time.monotonic(), 0

    def show(self, done: int, tasks: int, running: int) -> None:
        seconds = time.monotonic() - self.began
        if seconds < AFTER_SECONDS or not tasks:
            return
        text = words(done, tasks, running, seconds)
        self.out.write("\r" + text.ljust(self.width))
        self.out.flush()
        self.width = len(text)

    def wipe(self) -> None:
        if self.width:
            self.out.write("\r" + " " * self.width + "\r")
            self.out.flush()


def words(done: int, tasks: int, running: int, seconds: float) -> str:
    """The line's text: tasks that are done of all tasks of the stages at work.

    >>> words(5, 20, 2, 12.3)
    '[#####...............] 5 of 20 tasks done, 2 running, 12 s'
    """
    filled = 20 * done // tasks
    return f"[{'#' * filled}{'.' * (20 - filled)}] {done} of {tasks} tasks done, {running} running, {seconds:.0f} s"


def _classic(spark: SparkSession, shown: _Line) -> Any:
    ended = threading.Event()
    tracker = spark.sparkContext.statusTracker()

    def poll() -> None:
        while not ended.wait(EVERY_SECONDS):
            with suppress(Exception):  # a stage may end, and the session too, while it is asked for
                stages = [tracker.getStageInfo(s) for s in tracker.getActiveStageIds()]
                found = [s for s in stages if s is not None]
                shown.show(
                    sum(s.numCompletedTasks for s in found),
                    sum(s.numTasks for s in found),
                    sum(s.numActiveTasks for s in found),
                )

    thread = threading.Thread(target=poll, name="sparkkit-progress", daemon=True)
    thread.start()

    def stop() -> None:
        ended.set()
        thread.join()

    return stop


def _connect(spark: Any, shown: _Line) -> Any:
    if not hasattr(spark, "registerProgressHandler"):  # Spark 3.5
        return lambda: None

    def handler(stages: Any, inflight_tasks: int, operation_id: Any, done: bool) -> None:
        shown.show(sum(s.num_completed_tasks for s in stages), sum(s.num_tasks for s in stages), inflight_tasks)

    spark.registerProgressHandler(handler)
    return lambda: spark.removeProgressHandler(handler)
