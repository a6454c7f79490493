"""Watching what a model sees: profiles of data sets, drift between two of them, decay of a metric, and whether to retrain.

>>> from sparkkit.monitoring import decay, drift, profile, retrain
"""

from __future__ import annotations

__all__ = ["decay", "drift", "profile", "retrain"]
