"""Figures of the server for Prometheus: over all workers where they share a folder (PROMETHEUS_MULTIPROC_DIR), else of this process."""

from __future__ import annotations

import os

SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.05, 0.1, 0.5, 1.0, 5.0)
"""The bounds of the histogram of answer times."""


class Metrics:
    """Counters and times; the labels are bounded: routes of ours, status codes, versions."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = registry = CollectorRegistry()
        self.requests = Counter("sparkkit_requests", "Requests by route and status", ("route", "status"), registry=registry)
        self.seconds = Histogram("sparkkit_request_seconds", "Time to answer", ("route",), registry=registry, buckets=SECONDS)
        self.predictions = Counter("sparkkit_predictions", "Records scored", ("model", "version"), registry=registry)
        self.reloads = Gauge("sparkkit_reloads", "Versions exchanged", registry=registry, multiprocess_mode="sum")
        self.problem = Gauge("sparkkit_reload_failed", "1 where a new version could not be loaded", registry=registry,
                             multiprocess_mode="max")
        self.lost = Gauge("sparkkit_predictions_not_logged", "Predictions missing in the log", registry=registry, multiprocess_mode="sum")

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        merged = CollectorRegistry()
        multiprocess.MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        return generate_latest(merged)
