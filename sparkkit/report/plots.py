"""The plots of a model's page: each with a sentence that says what it shows, made of the same figures. No JVM.

Each function takes a card's parts as `learning.insight` keeps them, and gives a piece of HTML; nothing where there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sparkkit.report.page import BLUE, GREY, ORANGE, number, plot, short, shown

Points = Sequence[Sequence[Any]]
"""Points of a curve: x, y, threshold, rows."""

SQUARE, WIDE = (4.6, 4.2), (9.2, 3.2)

BARS = 30
"""Features, and slices, that are drawn at most."""


class Cut(NamedTuple):
    """The test rows by what they are and what they were called, at the threshold."""

    threshold: float
    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def recall(self) -> float:
        """The share of the positives that are found."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def false_positives(self) -> float:
        """The share of the negatives that are called positive."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def precision(self) -> float:
        """The share of what is called positive that is."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def base(self) -> float:
        """The share of positives."""
        return _share(self.tp + self.fn, sum(self[1:]))


def cut(threshold: float, confusion: Points) -> Cut:
    """What the curve `confusion` of a card says.

    >>> round(cut(0.5, [[1, 1, None, 3], [1, 0, None, 1], [0, 1, None, 2], [0, 0, None, 4]]).precision, 2)
    0.6
    """
    found = {(int(actual), int(called)): int(rows) for actual, called, _, rows in confusion}
    return Cut(float(threshold), found[1, 1], found[1, 0], found[0, 1], found[0, 0])


def roc(points: Points, at: Cut, area: float | None) -> str:
    """The receiver operating characteristic, with the threshold marked."""
    ranked = "" if area is None else f"Of the pairs of a positive and a negative, the positive scores higher in {_percent(area)}. "
    said = (f"{ranked}At the threshold {number(at.threshold)}, {_percent(at.recall)} of the positives are found, and "
            f"{_percent(at.false_positives)} of the negatives are called positive.")

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        axes.plot(*_xy(points), color=BLUE, lw=2)
        axes.plot([at.false_positives], [at.recall], "o", color=ORANGE, ms=8, label="threshold")
        _shares(axes, "negatives called positive", "positives found (recall)")

    return _figure("roc", "ROC curve", said, draw, SQUARE)


def precision_recall(points: Points, at: Cut) -> str:
    """Precision over recall, with the threshold and the share of positives marked."""
    said = (f"At the threshold {number(at.threshold)}, {_percent(at.precision)} of what is called positive is positive; "
            f"of all test rows {_percent(at.base)} are.")

    def draw(axes: Any) -> None:
        axes.axhline(at.base, color=GREY, lw=1, ls="--")
        axes.plot(*_xy(points), color=BLUE, lw=2)
        if at.tp + at.fp:
            axes.plot([at.recall], [at.precision], "o", color=ORANGE, ms=8, label="threshold")
        _shares(axes, "positives found (recall)", "precision")

    return _figure("precision_recall", "Precision and recall", said, draw, SQUARE)


def calibration(points: Points) -> str:
    """What happened against what the scores said, by bin, with the intervals of Wilson (1927)."""
    told = [(float(x), float(y), int(n), *wilson(float(y), int(n))) for x, y, _, n in points]
    off = [one for one in told if not one[3] <= one[0] <= one[4]]
    if off:
        x, y, n, low, high = max(off, key=lambda one: one[2] * abs(one[0] - one[1]))
        said = (f"In {len(off)} of {len(told)} bins the mean score is outside the 95 % interval of what happened; most rows are amiss "
                f"where scores are {x:.2g} in the mean: {_percent(y)} are positive ({_percent(low)} to {_percent(high)}, {n:,} rows).")
    else:
        said = "In every bin of scores, what happened agrees with the scores within its 95 % interval."

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        xs, ys = [one[0] for one in told], [one[1] for one in told]
        below, above = [max(one[1] - one[3], 0) for one in told], [max(one[4] - one[1], 0) for one in told]
        axes.errorbar(xs, ys, yerr=[below, above], color=BLUE, marker="o", ms=5, lw=1.5, capsize=2)
        _shares(axes, "mean score of the bin", "share of positives")

    return _figure("calibration", "Calibration", said, draw, SQUARE)


def histogram(points: Points) -> str:
    """How positives and negatives are scored, each class as shares of its own rows."""
    sides = {name: [(float(x), int(n)) for x, y, _, n in points if y == side] for name, side in (("positives", 1), ("negatives", 0))}
    middles = {name: _middle(bars) for name, bars in sides.items()}
    said = "; ".join(f"half of the {name} score {number(middle)} or more" for name, middle in middles.items() if middle is not None)

    def draw(axes: Any) -> None:
        for (name, bars), colour in zip(sides.items(), (ORANGE, BLUE), strict=True):
            total = sum(n for _, n in bars) or 1
            width = 1 / max(len(bars), 1)
            middle, heights = [x + width / 2 for x, _ in bars], [100 * n / total for _, n in bars]
            axes.bar(middle, heights, width * 0.94, color=colour, alpha=0.6, label=name)
        axes.set_xlim(0, 1)
        axes.set_xlabel("score")
        axes.set_ylabel("% of the class")
        axes.legend(frameon=False)

    return _figure("histogram", "Scores by class", f"{said[:1].upper()}{said[1:]} (to the bin).", draw, SQUARE)


def cost(points: Points, at: Cut, costs: Sequence[float]) -> str:
    """The mean cost a row over the threshold, with the model's own and the cheapest marked."""
    lowest = min(points, key=lambda point: (point[1], point[0]))
    own = _share(costs[0] * at.fp + costs[1] * at.fn, sum(at[1:]))
    said = (f"A false positive costs {number(costs[0])}, a false negative {number(costs[1])}. At the model's threshold "
            f"{number(at.threshold)} a row costs {number(own)}; the lowest cost on these rows is {number(lowest[1])}, at "
            f"{number(lowest[0])}. Choose a threshold on other rows than these, or the figures are too good.")

    def draw(axes: Any) -> None:
        axes.plot(*_xy(points), color=BLUE, lw=2)
        axes.axvline(at.threshold, color=ORANGE, lw=1.5, label="threshold")
        axes.plot([lowest[0]], [lowest[1]], "o", color=GREY, ms=8, label="lowest")
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("threshold")
        axes.set_ylabel("mean cost a row")
        axes.legend(frameon=False)

    return _figure("cost", "Cost by threshold", said, draw, WIDE)


def importance(found: Mapping[str, Any]) -> str:
    """By how much the figure gets worse when a feature is shuffled, as bars with intervals."""
    every = [one for one in found["features"] if one["value"] is not None]
    if not every:
        return ""
    first = every[0]
    unsure = [one for one in every if one["low"] is not None and one["low"] <= 0]
    interval = "" if first["low"] is None else f" ({number(first['low'])} to {number(first['high'])})"
    said = (f"Shuffling {first['feature']} costs most: {found['figure']} gets worse by {number(first['value'])}{interval}. Of "
            f"{_many(len(every), 'feature')} {len(unsure)} can't be told from one that is not needed: its interval reaches 0. "
            f"Measured on {found['rows']:,} test rows, {_many(found['shuffles'], 'shuffle')} each. Of features that tell the same, "
            "none seems important.")
    drawn = every[:BARS]

    def draw(axes: Any) -> None:
        _ranges(axes, [one["feature"] for one in drawn], drawn, bars=True)
        axes.axvline(0, color=GREY, lw=1)
        axes.set_xlabel(f"{found['figure']} lost without the feature")

    return _figure("importance", "Importance of the features", said, draw, _height(drawn)) + _left(every, "features")


def slices(worst: Sequence[Mapping[str, Any]], metric: str, overall: float | None) -> str:
    """A figure in each slice with its interval, the worst first, against that of all rows."""
    every = [one for one in worst if one["value"] is not None]
    if not every:
        return ""
    first, against = every[0], "" if overall is None else f", against {number(overall)} of all rows"
    said = f"The worst slice is {first['slice']}: {metric} {number(first['value'])} in {_many(first['rows'], 'row')}{against}."
    drawn = every[:BARS]

    def draw(axes: Any) -> None:
        _ranges(axes, [one["slice"] for one in drawn], drawn, bars=False)
        if overall is not None:
            axes.axvline(overall, color=GREY, lw=1, ls="--")
        axes.set_xlabel(f"{metric} (dashed: all rows)")

    return _figure("slices", "Slices", said, draw, _height(drawn)) + _left(every, "slices")


def wilson(share: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share of so many rows (Wilson 1927).

    >>> [round(end, 3) for end in wilson(0.5, 100)]
    [0.404, 0.596]
    """
    z = 1.959964
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * (share * (1 - share) / rows + z**2 / (4 * rows**2)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _figure(salt: str, title: str, said: str, draw: Any, size: tuple[float, float]) -> str:
    return f"<figure><figcaption><b>{title}.</b> {shown(said)}</figcaption>\n{plot(salt, f'{title}. {said}', draw, size=size)}</figure>"


def _ranges(axes: Any, names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, bars: bool) -> None:
    places, values = range(len(rows)), [float(one["value"]) for one in rows]
    errors = [[max(sign * (value - (value if one[end] is None else one[end])), 0) for value, one in zip(values, rows, strict=True)]
              for end, sign in (("low", 1), ("high", -1))]
    if bars:
        axes.barh(places, values, 0.7, color=BLUE)
    axes.errorbar(values, places, xerr=errors, fmt="none" if bars else "o", color=BLUE, ecolor=ORANGE if bars else BLUE, ms=6, lw=1.5,
                  capsize=2)
    axes.set_yticks(places, [short(name, 36) for name in names])
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _height(rows: Sequence[Any]) -> tuple[float, float]:
    return (9.2, 0.9 + 0.27 * len(rows))


def _left(every: Sequence[Any], what: str) -> str:
    return f"<p>{len(every) - BARS} more {what} are not drawn; they are in the table.</p>" if len(every) > BARS else ""


def _shares(axes: Any, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False)


def _middle(bars: Sequence[tuple[float, int]]) -> float | None:
    """The lower end of the bin in which the upper half begins."""
    total = sum(n for _, n in bars)
    above = 0
    for x, n in reversed(bars):
        above += n
        if total and above * 2 >= total:
            return x
    return None


def _xy(points: Points) -> tuple[list[float], list[float]]:
    return [float(point[0]) for point in points], [float(point[1]) for point in points]


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
