"""A verdict table of drift for people: as text, and as one page of HTML with a plot a feature, which needs nothing from outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparkkit.report.page import BLUE, ORANGE, document, number, short, shown
from sparkkit.report.page import plot as drawn
from sparkkit.report.text import table

ORDER = ("alarm", "warning", "none")
"""Severities, the worst first."""

PLOTTED = 60
"""How many features are plotted: those in alarm or with a warning first."""

COLUMNS = ("feature", "measure", "severity", "value", "warn_at", "alarm_at", "p_adjusted", "reference_rows", "current_rows", "detail")

def ranked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Verdicts, the worst first; within a severity by feature and measure.

    >>> [r["severity"] for r in ranked([{"severity": "none", "feature": "a"}, {"severity": "alarm", "feature": "b"}])]
    ['alarm', 'none']
    """
    return sorted(rows, key=lambda r: (ORDER.index(r["severity"]), str(r["feature"]), str(r.get("measure", ""))))


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """One sentence: how many features are in alarm, how many have a warning.

    >>> summary([{"severity": "alarm", "feature": "a"}, {"severity": "none", "feature": "b"}])
    '2 features: 1 in alarm (a), 0 with a warning'
    """
    worst: dict[str, str] = {}
    for row in ranked(rows):
        worst.setdefault(str(row["feature"]), row["severity"])
    alarm, warning = ([f for f, severity in worst.items() if severity == wanted] for wanted in ORDER[:2])
    names = f" ({', '.join(alarm)})" if alarm else ""
    return f"{len(worst)} {'feature' if len(worst) == 1 else 'features'}: {len(alarm)} in alarm{names}, {len(warning)} with a warning"


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """What is reported, as an aligned table, and the summary."""
    reported = [r for r in ranked(rows) if r["severity"] != "none"]
    head = ("feature", "measure", "severity", "value", "detail")
    body = [[str(r["feature"]), str(r["measure"]), r["severity"], number(r["value"]), str(r["detail"] or "")] for r in reported]
    return "\n".join([*([table(head, body)] if body else []), summary(rows)])


def page(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    """The page: summary, a plot of reference and current for each feature, and every verdict. It loads nothing from anywhere.

    Args:
        rows: verdicts, with the columns of `monitoring.drift.VERDICTS`; numbers may be texts, as CSV gives them.
        title: the page's heading.
    """
    every = ranked(rows)
    told = [r for r in ranked(_worst(every)) if r.get("bins")]
    plots = [f"<h2 class='{shown(r['severity'])}'>{_title(r)}</h2>\n{plot(r)}" for r in told[:PLOTTED]]
    left = f"<p>{len(told) - PLOTTED} more features are not plotted.</p>" if len(told) > PLOTTED else ""
    head = "".join(f"<th scope='col'>{name.replace('_', ' ')}</th>" for name in COLUMNS)
    body = "\n".join(f"<tr class='{shown(r['severity'])}'>{''.join(_cell(r, name) for name in COLUMNS)}</tr>" for r in every)
    return document(title, [
        f"<h1>{shown(title)}</h1><p>{shown(summary(every))}</p>", *plots, left,
        f"<h2>Every verdict</h2><table><thead><tr>{head}</tr></thead><tbody>", body, "</tbody></table>",
    ])


def _title(row: Mapping[str, Any]) -> str:
    return shown(f"{row['feature']}: {row['severity']}")


def _worst(every: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a feature: its bins, and the worst severity of its measures."""
    found: dict[str, dict[str, Any]] = {}
    for row in every:
        one = found.setdefault(str(row["feature"]), {"feature": row["feature"], "severity": row["severity"], "bins": None})
        one["bins"] = row.get("bins") or one["bins"]
    return list(found.values())


def plot(row: Mapping[str, Any]) -> str:
    """Bars of the shares of rows by bin, of the reference and now, as SVG without a header; the same bytes each time."""
    bins = json.loads(row["bins"])

    def draw(axes: Any) -> None:
        for offset, side, colour in ((-0.2, "reference", BLUE), (0.2, "current", ORANGE)):
            rows = [one[side] for one in bins]
            total = sum(rows) or 1
            axes.bar([i + offset for i in range(len(bins))], [100 * n / total for n in rows], 0.4, label=side, color=colour)
        axes.set_xticks(range(len(bins)), [short(one["bin"]) for one in bins], rotation=20, ha="right")
        axes.set_ylabel("% of values")
        axes.legend(frameon=False)

    return drawn(str(row["feature"]), f"The shares of the values of {row['feature']} by bin, in the reference and now", draw)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if name in ("feature", "measure", "severity", "detail"):
        return f"<td>{shown(str(value or ''))}</td>"
    return f"<td class='n'>{number(value)}</td>"
