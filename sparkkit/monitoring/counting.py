"""What runs in the tasks of a profile: values to bins, in Arrow batches, a few counts a task.

Workers need pyarrow and NumPy, but not sparkkit: this module is shipped by value, and imports nothing else of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MISSING, UNLISTED = -1, -2
"""The numbers of the bins of missing values, and of categories that the reference does not list."""

TRACKED = 10_000
"""How many unlisted categories a task keeps apart; the rows of further ones are counted together."""

NAMED = 50
"""How many unlisted categories a task names."""


def edges_of(cuts: Sequence[float]) -> Any:
    """The edges of half-open bins `[low, high)` out of cuts, as float64, rising: a cut that stands twice is an atom, a value with
    a bin of its own.

    >>> [float(e) for e in edges_of([1.0, 2.0, 2.0, 3.0])]
    [1.0, 2.0, 2.0000000000000004, 3.0]
    """
    import numpy as np

    values, times = np.unique(np.asarray(cuts, dtype=float), return_counts=True)
    after = np.nextafter(values[times > 1], np.inf)
    return np.unique(np.concatenate([values, after]))


@dataclass
class Numbers:
    """The counts of a numeric feature: `counts[0]` below the first edge, `counts[-1]` from the last one on."""

    edges: Any
    counts: Any
    missing: int = 0

    @classmethod
    def of(cls, one: Mapping[str, Any]) -> Numbers:
        """Empty counts for a feature's bins."""
        import numpy as np

        edges = edges_of(one["cuts"] or [])
        return cls(edges, np.zeros(len(edges) + 1, dtype=np.int64))

    def add(self, values: pa.Array) -> None:
        """Counts a batch of float64 values; NaN is missing, as null is."""
        import numpy as np

        found = values.to_numpy(zero_copy_only=False)
        found = found[~np.isnan(found)]
        self.missing += len(values) - len(found)
        places = np.searchsorted(self.edges, found, side="right")
        self.counts += np.bincount(places, minlength=len(self.counts))

    def rows(self) -> Iterator[tuple[int, float | None, float | None, str | None, int]]:
        """(bin, low, high, category, rows), the missing values last."""
        bounds = [None, *(float(e) for e in self.edges), None]
        for i, n in enumerate(self.counts):
            yield i, bounds[i], bounds[i + 1], None, int(n)
        yield MISSING, None, None, None, self.missing


@dataclass
class Categories:
    """The counts of a categorical feature: of those that are listed, and the most frequent others by name."""

    listed: Sequence[str]
    counts: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    rest: int = 0

    @classmethod
    def of(cls, one: Mapping[str, Any]) -> Categories:
        """Empty counts for a feature's categories."""
        return cls(list(one["categories"] or []))

    def add(self, values: pa.Array) -> None:
        """Counts a batch of texts."""
        for pair in values.value_counts():
            name, n = pair["values"].as_py(), pair["counts"].as_py()
            if name is None:
                self.missing += n
            else:
                self.counts[name] = self.counts.get(name, 0) + n
        if len(self.counts) > TRACKED + len(self.listed):
            self._cut()

    def _cut(self) -> None:
        others = sorted(set(self.counts) - set(self.listed), key=lambda name: (-self.counts[name], name))
        for name in others[TRACKED // 2 :]:
            self.rest += self.counts.pop(name)

    def rows(self) -> Iterator[tuple[int, float | None, float | None, str | None, int]]:
        """(bin, low, high, category, rows): those that are listed, then others by name, the rest of them, and the missing values."""
        for i, name in enumerate(self.listed):
            yield i, None, None, name, self.counts.pop(name, 0)
        others = sorted(self.counts, key=lambda name: (-self.counts[name], name))
        for name in others[:NAMED]:
            yield UNLISTED, None, None, name, self.counts[name]
        yield UNLISTED, None, None, None, self.rest + sum(self.counts[name] for name in others[NAMED:])
        yield MISSING, None, None, None, self.missing


def _empty(bins: Iterable[Mapping[str, Any]], kinds: Mapping[str, str]) -> dict[str, tuple[str, Numbers | Categories]]:
    """Empty counts for each feature that is of the same kind here as in the bins."""
    here = [one for one in bins if kinds.get(one["feature"]) == one["kind"]]
    return {one["feature"]: (one["kind"], (Numbers if one["kind"] == "numeric" else Categories).of(one)) for one in here}


def _batch(found: Mapping[str, tuple[str, Numbers | Categories]]) -> pa.RecordBatch:
    import pyarrow as pa

    rows = [(feature, kind, *row) for feature, (kind, one) in found.items() for row in one.rows()]
    types = [pa.string(), pa.string(), pa.int32(), pa.float64(), pa.float64(), pa.string(), pa.int64()]
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    names = ["feature", "kind", "bin", "low", "high", "category", "rows"]
    return pa.RecordBatch.from_arrays([pa.array(c, kind) for c, kind in zip(columns, types, strict=True)], names)


@dataclass(frozen=True)
class Counter:
    """Counts the features of a frame; `kinds` are those that it has: name to `numeric` or `categorical`."""

    kinds: Mapping[str, str]

    def counted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of a partition by bin, also where there are none; its first row carries the bins in its last column, the others are
        the features.

        Raises:
            RuntimeError: the first row carries no bins: the rows came in another order than Spark numbered them.
        """
        found: dict[str, tuple[str, Numbers | Categories]] | None = None
        places = {feature: i for i, feature in enumerate(self.kinds)}
        for batch in batches:
            if not batch.num_rows:
                continue
            if found is None:
                bins = batch.column(batch.num_columns - 1)[0].as_py()
                if bins is None:
                    raise RuntimeError("the first row of a partition carries no bins")
                found = _empty(bins, self.kinds)
            for feature, (_, one) in found.items():
                one.add(batch.column(places[feature]))
        if found is not None:
            yield _batch(found)
