"""The measures of drift between two sets of counts, and their p-values: NumPy and scipy over a few hundred numbers.

It runs in one task, over profiles, and is shipped there by value: it imports nothing else of sparkkit. Throughout, `a` are the
reference's counts and `b` the current ones, by bin; `n` and `m` their sums, without what is missing.

Methods: Kolmogorov-Smirnov between binned samples, whose distance is at most that of the samples, so that its p-value is
conservative (scipy's `kstwo` with `nm/(n+m)`). Chi-square test of homogeneity with cells of expected counts below 5 merged
(Cochran 1954). The population stability index has no level of its own: without drift it is about chi-square times `1/n + 1/m`
(Yurdakul and Naranjo 2020, "Statistical properties of the population stability index"), so it, and the Jensen-Shannon distance (half the
likelihood-ratio statistic of the same table), are judged by the chi-square test on their own bins. Rates, and the bin that
changed most, are judged by the conditional test of two counts (Fisher's exact test). Over all tests of a table the level is held by
Holm's procedure (Holm 1979).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GROUPS, SHOWN = 10, 20
"""How many bins the bins of a numeric feature are merged to, and how many categories are kept apart, for the index and its like."""

RARE = 5
"""The least expected count of a cell of a chi-square test."""

NAN = float("nan")


@dataclass(frozen=True)
class Found:
    """What one measure says of one feature: its size, its statistic and p-value (NaN: not tested), and words."""

    measure: str
    value: float
    statistic: float = NAN
    p_value: float = NAN
    detail: str = ""


def tails(x: Any, t: Any, n: int, m: int) -> Any:
    """Two-sided p-values that `x` of `t` rows are among the current `m`, where each of the `n + m` is so with the same chance.

    The binomial tail where a tenth of all rows or fewer are of the kind (it is never below the hypergeometric by more than its own
    error), the hypergeometric beyond that, and the normal beyond that from 100,000 rows on.

    Args:
        x: counts of the current rows of a kind, an array.
        t: counts of all rows of the kind, an array.
        n: reference rows.
        m: current rows.

    >>> [round(float(p), 4) for p in tails([10, 5], [10, 10], 100, 100)]
    [0.0016, 1.0]
    """
    import numpy as np
    from scipy import stats

    x, t, q = np.asarray(x, dtype=float), np.asarray(t, dtype=float), m / (n + m)
    few = np.minimum(stats.binom.cdf(x, t, q), stats.binom.sf(x - 1, t, q))
    many = t > (n + m) / 10
    if many.any():
        if n + m <= 100_000:
            exact = (stats.hypergeom.cdf(x[many], n + m, t[many], m), stats.hypergeom.sf(x[many] - 1, n + m, t[many], m))
            few[many] = np.minimum(*exact)
        else:
            sd = np.sqrt(t[many] * q * (1 - q) * (1 - t[many] / (n + m)))
            few[many] = stats.norm.sf(np.maximum(np.abs(x[many] - t[many] * q) - 0.5, 0) / np.where(sd > 0, sd, np.inf))
    return np.minimum(1.0, 2 * few)


def shares(a: Any, b: Any) -> tuple[Any, Any]:
    """The shares of two sets of counts; half a row is added to each bin, so that none is 0.

    >>> [[round(float(v), 2) for v in side] for side in shares([1, 1], [0, 1])]
    [[0.5, 0.5], [0.25, 0.75]]
    """
    import numpy as np

    a, b = np.asarray(a) + 0.5, np.asarray(b) + 0.5
    return a / a.sum(), b / b.sum()


def psi(a: Any, b: Any) -> float:
    """The population stability index: the sum of `(q - p) ln(q / p)` over bins (Siddiqi 2006, "Credit Risk Scorecards").

    >>> round(psi([500, 500], [500, 500]), 3), round(psi([500, 500], [400, 600]), 3)
    (0.0, 0.04)
    """
    import numpy as np

    p, q = shares(a, b)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(a: Any, b: Any) -> float:
    """The Jensen-Shannon distance to base 2, from 0 to 1 (Lin 1991; scipy's).

    >>> round(jensen_shannon([10, 0], [10, 0]), 3), round(jensen_shannon([1000, 0], [0, 1000]), 2)
    (0.0, 0.99)
    """
    from scipy.spatial import distance

    return float(distance.jensenshannon(*shares(a, b), base=2))


def chi_square(a: Any, b: Any) -> tuple[float, float]:
    """The statistic and p-value of the test that two sets of counts are of one distribution; cells that few rows are expected in are
    merged into one. NaN where a single cell is left.

    >>> [round(v, 3) for v in chi_square([500, 500], [400, 600])]
    [20.202, 0.0]
    """
    import numpy as np
    from scipy import stats

    table = np.array([a, b], dtype=float)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < RARE
    rest = table[:, rare].sum(axis=1, keepdims=True)
    table = np.hstack([table[:, ~rare], rest]) if rest.sum() * table.sum(axis=1).min() / table.sum() >= RARE else table[:, ~rare]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return NAN, NAN
    found = stats.chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue)


def effect(statistic: float, n: int, m: int) -> float:
    """A chi-square statistic as Cohen's w of two equally large samples, whatever their sizes (Cohen 1988: 0.1 small, 0.3 medium).

    >>> round(effect(20.202, 1000, 1000), 2), round(effect(20.202, 10**6, 1000), 2)
    (0.1, 0.07)
    """
    return float((statistic * (1 / n + 1 / m)) ** 0.5 / 2)


def kolmogorov_smirnov(a: Any, b: Any) -> tuple[float, float]:
    """The greatest difference of two distribution functions at the bins' edges, and its p-value.

    >>> [round(v, 3) for v in kolmogorov_smirnov([50, 50], [80, 20])]
    [0.3, 0.0]
    """
    import numpy as np
    from scipy import stats

    n, m = int(np.sum(a)), int(np.sum(b))
    distance = float(np.abs(np.cumsum(a) / n - np.cumsum(b) / m).max())
    return distance, float(stats.kstwo.sf(distance, max(1, round(n * m / (n + m)))))


def grouped(a: Any) -> Any:
    """For each bin of a numeric feature the group of ten that it belongs to, by the middle of its ranks in the reference; a value that
    many rows share keeps a group of its own.

    >>> [int(g) for g in grouped([0, 25, 40, 35, 0])]
    [0, 1, 4, 8, 9]
    """
    import numpy as np

    a = np.asarray(a, dtype=float)
    middle = (np.cumsum(a) - a / 2) / max(a.sum(), 1)
    return np.minimum((middle * GROUPS).astype(int), GROUPS - 1)


@dataclass(frozen=True)
class Pair:
    """One feature's counts in both data sets, bins in their order: `bins` as the profile numbers them."""

    feature: str
    kind: str
    bins: Any
    labels: list[str]
    a: Any
    b: Any
    missing: tuple[int, int]
    cut: bool

    @property
    def rows(self) -> tuple[int, int]:
        """All rows of both, missing ones too."""
        return int(self.a.sum()) + self.missing[0], int(self.b.sum()) + self.missing[1]

    def groups(self) -> tuple[list[str], Any, Any]:
        """Fewer bins, for the index and its like, and for plots: names, and the counts of both."""
        import numpy as np

        if self.kind == "numeric":
            place = grouped(self.a)
        else:
            order = np.argsort(-(self.a + self.b), kind="stable")
            place = np.empty(len(order), dtype=int)
            place[order] = np.minimum(np.arange(len(order)), SHOWN)
        a, b = (np.bincount(place, weights=side, minlength=1) for side in (self.a, self.b))
        kept = [g for g in range(len(a)) if (place == g).any()]
        return [self._name(place, g) for g in kept], a[kept].astype(int), b[kept].astype(int)

    def _name(self, place: Any, group: int) -> str:
        inside = [label for label, g in zip(self.labels, place, strict=True) if g == group]
        if self.kind != "numeric":
            return inside[0] if group < SHOWN else "others"
        first, last = inside[0], inside[-1]
        return first if first == last else f"{first.partition(' to ')[0]} to {last.rpartition(' to ')[2]}"


def _missing(pair: Pair) -> Found:
    (n, m), (x, y) = pair.rows, pair.missing
    p = float(tails([y], [x + y], n, m)[0]) if x + y else 1.0
    return Found("missing", y / m - x / n, p_value=p, detail=f"{x / n:.2%} missing (null or NaN), and {y / m:.2%} now")


def _outside(pair: Pair, n: int, m: int) -> Found:
    """Beyond the reference's least and greatest value; each side is a test."""
    low, high = int(pair.b[0]), int(pair.b[-1])
    p = tails([low, high], [low + pair.a[0], high + pair.a[-1]], n, m).min() * 2 if low + high else 1.0
    return Found("outside_range", (low + high) / m, p_value=min(1.0, float(p)), detail=f"{low} rows below and {high} above the reference")


def _new(pair: Pair, n: int, m: int) -> Found:
    """Categories that the reference has not: tested one by one, for rare ones are missing from any sample."""
    if pair.cut:
        return Found("new_categories", NAN, detail="the reference has more categories than are listed: new ones can't be told")
    new = (pair.a == 0) & (pair.b > 0)
    rows = int(pair.b[new].sum())
    named = new & (pair.bins != -2) | new & [label != "others" for label in pair.labels]
    p = float(tails(pair.b[named], pair.b[named], n, m).min()) * len(pair.b) if named.any() else 1.0
    names = sorted(zip(pair.b[new], [label for label, is_new in zip(pair.labels, new, strict=True) if is_new], strict=True), reverse=True)
    said = ", ".join(f"{label!r} ({int(k)})" for k, label in names[:3])
    return Found("new_categories", rows / m, p_value=min(1.0, p), detail=f"{said}{' and more' if len(names) > 3 else ''}")


def _largest(pair: Pair, n: int, m: int) -> Found:
    """The bin whose share of rows changed most clearly, out of all."""
    p = tails(pair.b, pair.a + pair.b, n, m)
    best = int(p.argmin())
    before, now = pair.a[best] / n, pair.b[best] / m
    return Found("largest_change", float(now - before), p_value=min(1.0, float(p[best]) * len(p)),
                 detail=f"{pair.labels[best]}: {before:.2%} of the rows, and {now:.2%} now")


def measures(pair: Pair) -> list[Found]:
    """All measures of one feature; those of the distribution are NaN where one side has no value."""
    n, m = int(pair.a.sum()), int(pair.b.sum())
    names = ("ks", "psi", "chi_square", "jensen_shannon", "largest_change", "outside_range")
    if pair.kind != "numeric":
        names = ("psi", "chi_square", "jensen_shannon", "largest_change", "new_categories")
    if not n or not m:
        return [_missing(pair), *[Found(name, NAN, detail="no values to compare") for name in names]]
    _, a, b = pair.groups()
    statistic, p = chi_square(a, b)
    size = 0.0 if statistic != statistic else effect(statistic, n, m)
    found = [
        Found("psi", psi(a, b), p_value=p, detail="judged by chi_square"), Found("chi_square", size, statistic, p),
        Found("jensen_shannon", jensen_shannon(a, b), p_value=p, detail="judged by chi_square"), _largest(pair, n, m),
    ]
    if pair.kind == "numeric":
        d, of_d = kolmogorov_smirnov(pair.a, pair.b)
        return [_missing(pair), Found("ks", d, d, of_d), *found, _outside(pair, n, m)]
    return [_missing(pair), *found, _new(pair, n, m)]


BORROWED = ("psi", "jensen_shannon")
"""Measures that another's test judges: no tests of their own."""


def holm(p_values: Iterable[float]) -> list[float]:
    """p-values for a whole family of tests: below a level, they keep it (Holm 1979). NaN is no test.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    import numpy as np

    given = np.asarray(list(p_values), dtype=float)
    order = [i for i in np.argsort(given) if given[i] == given[i]]
    found, worst = given.copy(), 0.0
    for place, i in enumerate(order):
        worst = max(worst, (len(order) - place) * given[i])
        found[i] = min(1.0, worst)
    return [float(p) for p in found]


def severity(value: float, p_adjusted: float, alpha: float, limits: tuple[float, float]) -> str:
    """`none`, `warning` or `alarm`: both significant and large enough.

    >>> severity(0.3, 0.001, 0.01, (0.1, 0.2)), severity(0.3, 0.02, 0.01, (0.1, 0.2)), severity(-0.15, 0.001, 0.01, (0.1, 0.2))
    ('alarm', 'none', 'warning')
    """
    if not p_adjusted < alpha or abs(value) < limits[0]:
        return "none"
    return "alarm" if abs(value) >= limits[1] else "warning"


def _label(low: float, high: float) -> str:
    """A numeric bin in words: a single value, or from where to where."""
    import numpy as np

    if low == low and high == high and np.nextafter(low, np.inf) == high:
        return f"{low:.6g}"
    return f"{'' if low != low else f'{low:.6g}'} to {'' if high != high else f'{high:.6g}'}".strip()


def _pair(feature: str, rows: Any) -> Pair:
    """A feature's rows of both profiles as a pair of counts."""
    import numpy as np

    wide = rows.assign(category=rows["category"].fillna(""), low=rows["low"].fillna(-np.inf)).groupby(["bin", "low", "category"], as_index=False)
    wide = wide.agg({"high": "first", "reference": "sum", "current": "sum"}).sort_values(["bin", "low", "category"])
    gone = wide[wide["bin"] == -1]
    kind = str(rows["kind"].iloc[0])
    kept = wide[wide["bin"] != -1]
    unlisted = kept[(kept["bin"] == -2) & (kept["category"] == "")]
    cut = kind != "numeric" and int(unlisted["reference"].sum()) > 0
    if cut:  # what the reference has no names for can't be held against it by name
        rest = kept["bin"] == -2
        pooled = kept[rest].agg({"reference": "sum", "current": "sum"})
        kept = kept[~rest]
        kept = kept._append({"bin": -2, "category": "", **pooled}, ignore_index=True)
    elif kind != "numeric":
        kept = kept[(kept["reference"] + kept["current"] > 0)]
    labels = [_label(low, high) for low, high in zip(kept["low"].replace(-np.inf, np.nan), kept["high"], strict=True)]
    if kind != "numeric":
        labels = [name if (number, name) != (-2, "") else "others" for number, name in zip(kept["bin"], kept["category"], strict=True)]
    a, b = (kept[side].to_numpy(dtype=np.int64) for side in ("reference", "current"))
    return Pair(feature, kind, kept["bin"].to_numpy(), labels, a, b, (int(gone["reference"].sum()), int(gone["current"].sum())), cut)


@dataclass(frozen=True)
class Judge:
    """The verdicts of a whole table: the level, the limits of each measure, the features that are predictions, and, where they are
    known, the kinds of the features that each side has: one without a row has no counts either."""

    alpha: float
    limits: Mapping[str, tuple[float, float]]
    predictions: tuple[str, ...] = ()
    reference: Mapping[str, str] | None = None
    current: Mapping[str, str] | None = None

    def table(self, rows: Any) -> Any:
        """The verdict rows (pandas) of the counts of both data sets (pandas: feature, kind, bin, low, high, category, reference, current)."""
        import pandas as pd

        found = [row for feature, own in sorted(rows.groupby("feature"), key=lambda pair: str(pair[0])) for row in self._feature(str(feature), own)]
        tested = [NAN if row["measure"] in BORROWED else row["p_value"] for row in found]
        adjusted = holm(tested)
        of_chi = {row["feature"]: p for row, p in zip(found, adjusted, strict=True) if row["measure"] == "chi_square"}
        for row, p in zip(found, adjusted, strict=True):
            row["p_adjusted"] = of_chi.get(row["feature"], NAN) if row["measure"] in BORROWED else p
            row["severity"] = row["severity"] or severity(row["value"], row["p_adjusted"], self.alpha, (row["warn_at"], row["alarm_at"]))
        return pd.DataFrame(found)

    def _feature(self, feature: str, rows: Any) -> list[dict[str, Any]]:
        role = "prediction" if feature in self.predictions else "feature"
        before, now = self._kind("reference", feature, rows), self._kind("current", feature, rows)
        if before != now:
            return [self._row(feature, role, "", (0, 0), Found("column", 1.0, detail=_gone(before, now)), "", severity="alarm")]
        pair = _pair(feature, rows)
        empty = [side for side, n in zip(("reference", "current"), pair.rows, strict=True) if not n]
        if empty:
            return [self._row(feature, role, pair.kind, pair.rows, Found("column", 1.0, detail=f"no rows in the {empty[-1]} data"), "", "alarm")]
        names, a, b = pair.groups() if len(pair.a) else ([], [], [])
        bars = [{"bin": name, "reference": int(x), "current": int(y)} for name, x, y in zip(names, a, b, strict=True)]
        shown: Callable[[Found], str] = lambda one: json.dumps(bars, ensure_ascii=False) if one.measure == "psi" else ""  # noqa: E731
        return [self._row(feature, role, pair.kind, pair.rows, one, shown(one)) for one in measures(pair)]

    def _kind(self, side: str, feature: str, rows: Any) -> str:
        """The kind of a feature on one side; empty where it has none."""
        known = getattr(self, side)
        if known is not None:
            return str(known.get(feature, ""))
        found = rows.loc[rows[side].notna(), "kind"]
        return str(found.iloc[0]) if len(found) else ""

    def _row(
        self, feature: str, role: str, kind: str, size: tuple[int, int], one: Found, bars: str, severity: str = "",
    ) -> dict[str, Any]:
        warn_at, alarm_at = self.limits.get(one.measure, (0.0, 0.0))
        return {
            "feature": feature, "role": role, "kind": kind, "measure": one.measure, "value": one.value, "warn_at": warn_at,
            "alarm_at": alarm_at, "statistic": one.statistic, "p_value": one.p_value, "p_adjusted": NAN, "severity": severity,
            "reference_rows": size[0], "current_rows": size[1], "detail": one.detail, "bins": bars or None,
        }


def _gone(before: str, now: str) -> str:
    """Which side lacks a feature, or has it of another kind."""
    if before and now:
        return f"{before} in the reference, and {now} now"
    return f"only in the {'reference' if before else 'current'} data"
