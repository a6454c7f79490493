"""How many requests a caller may make: a token bucket for each."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000
"""Callers that are remembered; of more, those not seen for longest are forgotten."""


class Rate:
    """A bucket for each caller, filled at a steady rate; each worker process has its own.

    >>> clock = iter([0.0, 0.0, 0.0, 0.6]).__next__
    >>> rate = Rate(2.0, clock)
    >>> [rate.wait("ann") for _ in range(3)], rate.wait("ann")
    ([0.0, 0.0, 0.5], 0.0)
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second, self.most, self._clock = per_second, max(1.0, per_second), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, caller: str) -> float:
        """Takes one request from a caller's bucket; seconds until there is one, 0.0 where there was."""
        with self._lock:
            now = self._clock()
            left, since = self._buckets.pop(caller, (self.most, now))
            left = min(self.most, left + (now - since) * self.per_second)
            taken = left >= 1.0
            self._buckets[caller] = (left - taken, now)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / self.per_second
