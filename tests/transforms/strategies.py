"""Small frames for property tests: a batch of examples in one frame, so that one Spark job tries a dozen."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

NAN = float("nan")
NAMES = ("example", "k", "p", "x", "n", "t")
DDL = "example int, k string, p int, x double, n bigint, t string"

ROW = st.tuples(
    st.sampled_from([None, "a", "b", ""]),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from([None, NAN, -1.5, 0.0, 2.25]),
    st.sampled_from([None, 0, -3, 2**53 + 1]),
    st.sampled_from([None, "", "ä", "x"]),
)


def batches(
    row: st.SearchStrategy[tuple[Any, ...]] = ROW, *, unique_by: Any = None
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows of a dozen examples, each row with its example's number in front; few values, so duplicates abound."""
    one = st.lists(row, max_size=7, unique_by=unique_by)
    return st.lists(one, min_size=12, max_size=12).map(
        lambda examples: [(i, *row) for i, rows in enumerate(examples) for row in rows]
    )


few = settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""Each example is a batch and a Spark job or two; no shrinking, which would run hundreds of jobs."""


def plain(value: Any) -> Any:
    """The value with NaN as a text, so that equal rows are equal; rows and lists as tuples."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return tuple(map(plain, value)) if isinstance(value, (tuple, list)) else value


def bag(rows: Iterable[Any]) -> list[Any]:
    """The rows in one order, duplicates kept: equal bags hold the same rows as often."""
    return sorted((plain(tuple(row)) for row in rows), key=repr)


def groups(rows: Iterable[Sequence[Any]], *places: int) -> dict[Any, list[Any]]:
    """The rows by the values in these places, NaN as a text."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[tuple(plain(row[i]) for i in places)].append(row)
    return dict(found)


def missing(value: Any) -> bool:
    """True for None and NaN."""
    return value is None or value != value


def last_if_missing(value: Any, *, down: bool = False) -> tuple[Any, ...]:
    """A sort key with None and NaN last, in both directions."""
    return (1, 0) if missing(value) else (0, -value if down else value)


def nulls_last(row: Sequence[Any]) -> tuple[Any, ...]:
    """Spark's ascending order of whole rows, nulls last: NaN after every number."""
    return tuple((2, 0) if v is None else (1, 0) if v != v else (0, v) for v in row)


def per_group(rows: Iterable[Any], f: Callable[[list[Any]], Iterable[Any]], *places: int) -> list[Any]:
    """What `f` gives for each group, all together."""
    return [row for group in groups(rows, *places).values() for row in f(group)]
