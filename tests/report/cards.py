"""Cards of models for tests of their page: as trainings write them, as they did before there were curves, and hostile ones."""

from __future__ import annotations

from typing import Any

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \" ' $x$ ]]> --> &"
CONFUSION = [[1.0, 1.0, None, 60], [1.0, 0.0, None, 40], [0.0, 1.0, None, 90], [0.0, 0.0, None, 810]]


def figure(slice_: str, metric: str, value: float | None, rows: int = 1000) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.02, value + 0.02)
    return {"slice": slice_, "metric": metric, "value": value, "low": low, "high": high, "rows": rows}


def card(**more: Any) -> dict[str, Any]:
    """A card as trainings write it now."""
    figures = [figure("all", "roc_auc", 0.8), figure("all", "log_loss", 0.3), figure("country=A", "roc_auc", 0.9, 600),
               figure("country=B", "roc_auc", 0.6, 300), figure("country=C", "roc_auc", None, 100),
               figure("less champion", "roc_auc", 0.05)]
    features = [{"feature": "amount", "value": 0.2, "low": 0.18, "high": 0.22},
                {"feature": "hour", "value": 0.001, "low": -0.01, "high": 0.01}]
    return {
        **old(figures=figures),
        "better": "roc_auc", "less_is_better": False, "costs": [1.0, 5.0],
        "curves": {
            "roc": [[0, 0, None, None], [0.1, 0.6, 0.2, None], [1, 1, 0, None]],
            "precision_recall": [[0.1, 1, 0.9, None], [0.6, 0.4, 0.2, None], [1, 0.1, 0, None]],
            "calibration": [[0.05, 0.06, 0, 700], [0.45, 0.2, 0.4, 300]],
            "cost": [[0, 0.9, None, None], [0.2, 0.29, None, None], [0.3, 0.25, None, None], [1, 0.5, None, None]],
            "confusion": CONFUSION,
            "histogram": [[0, 1, None, 20], [0.5, 1, None, 80], [0, 0, None, 800], [0.5, 0, None, 100]],
        },
        "importance": {"figure": "roc_auc", "rows": 1000, "shuffles": 3, "features": features},
        "search": {"trials": 2, "complete": 1, "pruned": 0, "failed": 1, "repeated": 0, "ended": "trials", "why": "2 trials were done",
                   "folds": 3, "metric": "roc_auc", "mean": 0.7, "spread": 0.01, "chosen": {"depth": 3},
                   "tried": [{"params": {"depth": 3}, "figure": 0.7, "state": "complete", "seconds": 2.5},
                             {"params": {"depth": 9}, "figure": None, "state": "failed", "seconds": 1}]},
        **more,
    }


def old(**more: Any) -> dict[str, Any]:
    """A card as trainings wrote it before there were curves."""
    return {
        "name": "fraud", "task": "binary", "run": "run-1", "logical_id": "l1", "created": "2026-11-29T10:00:00.000Z", "label": "back",
        "classes": [None, 1], "threshold": 0.2, "contract": {"columns": [{"name": "amount", "type": "double", "required": True}]},
        "code": "c1", "split": "by hash", "rows": {"examples": 5000, "train": 4000, "test": 1000, "unlabelled": 0}, "seed": 17,
        "params": {"depth": 3},
        "stages": ["a.b.Tokenizer"], "packages": {"pyspark": "4.2.0"}, "portable": None, "metrics": {"roc_auc": 0.8},
        "figures": [figure("all", "roc_auc", 0.8)], "data": {"payments": {"sha256": "abc"}}, "checks": ["roc_auc >= 0.7"],
        "allowed": [{"guard": "out_of_time", "finding": "rows are late", "why": "a demonstration"}], **more,
    }


def hostile(value: Any) -> Any:
    """The same card with every text, and every name that data gives, turned hostile."""
    if isinstance(value, dict):
        return {name: hostile(one) for name, one in value.items()}
    if isinstance(value, list):
        return [hostile(one) for one in value]
    kept = ("all", "less champion", "roc_auc", "log_loss", "binary")
    return f"{value}{HOSTILE}" if isinstance(value, str) and value not in kept else value
