"""SIGTERM and Ctrl-C: Spark's jobs are cancelled, the run ends at the next step, and its record says so.

A handler that raised would cut off the call to the JVM that is under way, and its answer would be taken for that of the
next call. So the first signal cancels Spark's jobs and lets the call come back by itself; a second one raises at once.
While a run publishes, the first signal waits until that is over.
"""
from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """A signal ended the run; `exit_code` is 128 and its number."""

    def __init__(self, number: int, what: str = "nothing was published") -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}: {what}")
        self.exit_code = 128 + number


@dataclass
class Stopper:
    """Remembers the signal that told the run to stop; `spark` is the session whose jobs are then cancelled. `publishing` says that
    a first signal waits, and after that what a second one cut off."""

    spark: SparkSession | None = None
    number: int | None = None
    publishing: bool = False

    def __call__(self, number: int, _frame: Any) -> None:
        """The signals' handler."""
        if self.number is not None or self.spark is None:
            self.number = number
            raise Interrupted(number)
        self.number = number
        if self.publishing:
            return
        # in a thread of its own: this one's connection to the JVM is in the middle of a call
        threading.Thread(target=cancel, args=(self.spark,), daemon=True).start()

    def check(self, step: str = "") -> None:
        """Raises `Interrupted` where a signal came; called before each step of a run, of which `publish` is the last."""
        if self.number is not None:
            raise Interrupted(self.number)
        self.publishing = step == "publish"

    def ended(self, number: int) -> Interrupted:
        """What a run that was cut off says."""
        if not self.publishing:
            return Interrupted(number)
        return Interrupted(number, "it was publishing, and the next run finishes what was decided")

    @contextmanager
    def heeding(self) -> Iterator[Stopper]:
        """Handles the signals inside the block; does nothing off the main thread, whose owner handles them."""
        try:
            before = {number: signal.signal(number, self) for number in SIGNALS}
        except ValueError:
            yield self
            return
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def cancel(spark: SparkSession) -> None:
    """Cancels every job of a session; a JVM that does not answer has none."""
    from sparkkit.compat import is_connect

    with contextlib.suppress(Exception):
        if is_connect(spark):
            spark.interruptAll()
        else:
            spark.sparkContext.cancelAllJobs()
