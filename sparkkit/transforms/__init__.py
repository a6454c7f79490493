"""Transformations: `f(df, ..., *, options) -> DataFrame`, chained by `df.transform(f, option=...)`.

Each has a law or a guard that no single call of PySpark has; its docstring states it. All are lazy, hold no session,
and run on classic and on Spark Connect frames; what a guard refuses in the data fails in the task that meets it.

>>> from sparkkit.transforms import joins, nulls, windows
"""

from __future__ import annotations

__all__ = [
    "columns",
    "dedupe",
    "diff",
    "export",
    "grouped",
    "joins",
    "nulls",
    "privacy",
    "reshape",
    "rows",
    "sampling",
    "windows",
]
