"""The verdicts on two profiles: the counts of each feature side by side, its measures, and their severities.

It runs in one task, over a few hundred counts a feature, and is shipped there by value, with `statistics`: it imports nothing else of
sparkkit. `statistics` names the methods.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkkit.monitoring.statistics import (
    NAN,
    RARE,
    chi_square,
    effect,
    grouped,
    holm,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    severity,
    tails,
)

MISSING, UNLISTED, OTHERS = -1, -2, "others"
"""The numbers of a profile's bins for missing values and for categories that are not listed; what these, and merged ones, are called."""

SHOWN = 20
"""How many categories are kept apart for the index and its like: the most frequent of both sides together; rare ones, and the rest,
are one."""

BORROWED = ("psi", "jensen_shannon")
"""Measures that another's test judges: no tests of their own."""


@dataclass(frozen=True)
class Found:
    """What one measure says of one feature: its size, its statistic and p-value (NaN: not tested), and words."""

    measure: str
    value: float
    statistic: float = NAN
    p_value: float = NAN
    detail: str = ""


@dataclass(frozen=True)
class Pair:
    """One feature's counts in both data sets, bins in their order; `rest` tells a bin of several categories, `cut` that there is such
    a one in the reference."""

    feature: str
    kind: str
    rest: list[bool]
    labels: list[str]
    a: Any
    b: Any
    missing: tuple[int, int]
    cut: bool

    @property
    def tests(self) -> int:
        """How many bins there are to be tested one by one, at most: of those that are counted together each row may be one."""
        together = [self.a[i] + self.b[i] for i, several in enumerate(self.rest) if several]
        return len(self.rest) - len(together) + int(sum(together))

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
            total, apart = self.a + self.b, min(self.a.sum(), self.b.sum()) / max(self.a.sum() + self.b.sum(), 1)
            rare = np.asarray(self.rest) | (total * apart < RARE)
            order = np.lexsort((np.asarray(self.labels), np.where(rare, 1, -total)))  # ties by name: the bins' order favours the reference
            place = np.empty(len(order), dtype=int)
            place[order] = np.minimum(np.arange(len(order)), SHOWN)
            place[rare] = SHOWN
        a, b = (np.bincount(place, weights=side, minlength=1) for side in (self.a, self.b))
        kept = [g for g in range(len(a)) if (place == g).any()]
        return [self._name(place, g) for g in kept], a[kept].astype(int), b[kept].astype(int)

    def _name(self, place: Any, group: int) -> str:
        inside = [label for label, g in zip(self.labels, place, strict=True) if g == group]
        if self.kind != "numeric":
            return inside[0] if group < SHOWN else OTHERS
        return inside[0] if len(inside) == 1 else _range(_ends(inside[0])[0], _ends(inside[-1])[1])


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
    named = new & [not rest for rest in pair.rest]
    p = float(tails(pair.b[named], pair.b[named], n, m).min()) * pair.tests if named.any() else 1.0
    names = sorted(zip(pair.b[new], [label for label, is_new in zip(pair.labels, new, strict=True) if is_new], strict=True), reverse=True)
    said = ", ".join(f"{label!r} ({int(k)})" for k, label in names[:3])
    return Found("new_categories", rows / m, p_value=min(1.0, p), detail=f"{said}{' and more' if len(names) > 3 else ''}")


def _ks(pair: Pair, n: int, m: int) -> Found:
    import numpy as np

    distance, p = kolmogorov_smirnov(pair.a, pair.b)
    at = int(np.abs(np.cumsum(pair.a) / n - np.cumsum(pair.b) / m).argmax())
    before, now = pair.a[: at + 1].sum() / n, pair.b[: at + 1].sum() / m
    return Found("ks", distance, distance, p, f"{before:.2%} up to {_ends(pair.labels[at])[1]}, and {now:.2%} now")


def _largest(pair: Pair, n: int, m: int) -> Found:
    """The bin whose share of rows changed most clearly, out of all."""
    p = tails(pair.b, pair.a + pair.b, n, m)
    p[pair.rest] = 1.0  # which categories are counted together depends on the reference's chance
    best = int(p.argmin())
    before, now = pair.a[best] / n, pair.b[best] / m
    return Found("largest_change", float(now - before), p_value=min(1.0, float(p[best]) * pair.tests),
                 detail=f"{pair.labels[best]}: {before:.2%} of the rows, and {now:.2%} now")


MEASURES = {
    "numeric": ("ks", "psi", "chi_square", "jensen_shannon", "largest_change", "outside_range"),
    "categorical": ("psi", "chi_square", "jensen_shannon", "largest_change", "new_categories"),
}
"""What is measured of values that are not missing, by the kind of the feature."""


def measures(pair: Pair) -> list[Found]:
    """All measures of one feature; those of the distribution are NaN where one side has no value."""
    n, m = int(pair.a.sum()), int(pair.b.sum())
    if not n or not m:
        return [_missing(pair), *[Found(name, NAN, detail="no values to compare") for name in MEASURES[pair.kind]]]
    _, a, b = pair.groups()
    statistic, p = chi_square(a, b)
    size = 0.0 if statistic != statistic else effect(statistic, n, m)
    found = [
        Found("psi", psi(a, b), p_value=p, detail="judged by chi_square"), Found("chi_square", size, statistic, p),
        Found("jensen_shannon", jensen_shannon(a, b), p_value=p, detail="judged by chi_square"), _largest(pair, n, m),
    ]
    if pair.kind == "numeric":
        return [_missing(pair), _ks(pair, n, m), *found, _outside(pair, n, m)]
    return [_missing(pair), *found, _new(pair, n, m)]


def _label(low: float, high: float) -> str:
    """A numeric bin in words: a single value, or from where to where; NaN is no end.

    >>> _label(1.0, 2.0), _label(float("nan"), 2.0), _label(0.0, 5e-324)
    ('1 to 2', 'below 2', '0')
    """
    import numpy as np

    if np.nextafter(low, np.inf) == high:
        return f"{low:.6g}"
    return _range("" if low != low else f"{low:.6g}", "" if high != high else f"{high:.6g}")


def _range(low: str, high: str) -> str:
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"below {high}" if high else "all"


def _ends(label: str) -> tuple[str, str]:
    """The ends of a bin out of its words, empty where there is none.

    >>> _ends("1 to 2"), _ends("below 2"), _ends("from 1"), _ends("0")
    (('1', '2'), ('', '2'), ('1', ''), ('0', '0'))
    """
    low, between, high = label.partition(" to ")
    if between:
        return low, high
    return (label.removeprefix("from ") if label[:6] != "below " else "", label.removeprefix("below ") if label[:5] != "from " else "")


def _pair(feature: str, rows: Any) -> Pair:
    """A feature's rows of both profiles as a pair of counts."""
    import numpy as np

    keys = ["bin", "low", "several", "category"]
    low, high = (rows[name].astype(float) for name in ("low", "high"))
    filled = rows.assign(several=rows["category"].isna(), category=rows["category"].fillna(""), low=low.fillna(-np.inf), high=high)
    wide = filled.groupby(keys, as_index=False).agg({"high": "first", "reference": "sum", "current": "sum"}).sort_values(keys)
    gone = wide[wide["bin"] == MISSING]
    kind = str(rows["kind"].iloc[0])
    kept = wide[wide["bin"] != MISSING]
    cut = kind != "numeric" and int(kept.loc[kept["bin"] == UNLISTED, "reference"].sum()) > 0
    if cut:  # what the reference has no names for can't be held against it by name
        pooled = kept["bin"] == UNLISTED
        kept = kept.assign(several=pooled, category=kept["category"].where(~pooled, ""))
        kept = kept.groupby(keys, as_index=False).agg({"high": "first", "reference": "sum", "current": "sum"})
    elif kind != "numeric":
        kept = kept[(kept["reference"] + kept["current"] > 0)]
    rest = [bool(several) and kind != "numeric" for several in kept["several"]]
    labels = [_label(low, high) for low, high in zip(kept["low"].replace(-np.inf, np.nan), kept["high"], strict=True)]
    if kind != "numeric":
        labels = [OTHERS if several else name for several, name in zip(rest, kept["category"], strict=True)]
    a, b = (kept[side].to_numpy(dtype=np.int64) for side in ("reference", "current"))
    return Pair(feature, kind, rest, labels, a, b, (int(gone["reference"].sum()), int(gone["current"].sum())), cut)


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
        """The verdict rows of the counts of both data sets; both are pandas frames.

        Args:
            rows: `feature`, `kind`, `bin`, `low`, `high`, `category` as a profile has them, `reference` and `current` (counts, NaN on the
                other side's rows).
        """
        import pandas as pd

        found = [row for feature, own in rows.groupby("feature", sort=True) for row in self._feature(str(feature), own)]
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
            nothing = Found("column", 1.0, detail=f"no rows in the {empty[-1]} data")
            return [self._row(feature, role, pair.kind, pair.rows, nothing, "", severity="alarm")]
        names, a, b = pair.groups() if len(pair.a) else ([], [], [])
        bars = [{"bin": name, "reference": int(x), "current": int(y)} for name, x, y in zip(names, a, b, strict=True)]
        shown = {"psi": json.dumps(bars, ensure_ascii=False)}
        return [self._row(feature, role, pair.kind, pair.rows, one, shown.get(one.measure, "")) for one in measures(pair)]

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
