"""A verdict table of drift for people: as text, and as one page of HTML with a plot a feature, which needs nothing from outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from sparkkit.report.text import table

ORDER = ("alarm", "warning", "none")
"""Severities, the worst first."""

PLOTTED = 60
"""How many features are plotted: those in alarm or with a warning first."""

COLUMNS = ("feature", "measure", "severity", "value", "warn_at", "alarm_at", "p_adjusted", "reference_rows", "current_rows", "detail")

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #1b1f24 }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin: 1.6em 0 .3em }
table { border-collapse: collapse; font-size: .87em; width: 100% } th, td { padding: .25em .6em; text-align: left; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd } td.n { text-align: right; font-variant-numeric: tabular-nums }
.alarm { background: #fbdcd8 } .warning { background: #fdf1cf } svg { max-width: 100%; height: auto }
"""


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
    body = [[str(r["feature"]), str(r["measure"]), r["severity"], _number(r["value"]), str(r["detail"] or "")] for r in reported]
    return "\n".join([*([table(head, body)] if body else []), summary(rows)])


def page(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    """The page: summary, a plot of reference and current for each feature, and every verdict. It loads nothing from anywhere.

    Args:
        rows: verdicts, with the columns of `monitoring.drift.VERDICTS`; numbers may be texts, as CSV gives them.
        title: the page's heading.
    """
    every = ranked(rows)
    drawn = [r for r in ranked(_worst(every)) if r.get("bins")]
    plots = [f"<h2 class='{escape(r['severity'])}'>{_title(r)}</h2>\n{plot(r)}" for r in drawn[:PLOTTED]]
    left = f"<p>{len(drawn) - PLOTTED} more features are not plotted.</p>" if len(drawn) > PLOTTED else ""
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in COLUMNS)
    body = "\n".join(f"<tr class='{escape(r['severity'])}'>{''.join(_cell(r, name) for name in COLUMNS)}</tr>" for r in every)
    return "\n".join([
        "<!doctype html>", "<html lang='en'><head><meta charset='utf-8'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p>{escape(summary(every))}</p>", *plots, left,
        f"<h2>Every verdict</h2><table><thead><tr>{head}</tr></thead><tbody>", body, "</tbody></table></body></html>\n",
    ])


def _title(row: Mapping[str, Any]) -> str:
    return escape(f"{row['feature']}: {row['severity']}")


def _worst(every: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a feature: its bins, and the worst severity of its measures."""
    found: dict[str, dict[str, Any]] = {}
    for row in every:
        one = found.setdefault(str(row["feature"]), {"feature": row["feature"], "severity": row["severity"], "bins": None})
        one["bins"] = row.get("bins") or one["bins"]
    return list(found.values())


def plot(row: Mapping[str, Any]) -> str:
    """Bars of the shares of rows by bin, of the reference and now, as SVG without a header; the same bytes each time."""
    import io

    import matplotlib as mpl
    from matplotlib.figure import Figure

    bins = json.loads(row["bins"])
    sides = {side: [one[side] for one in bins] for side in ("reference", "current")}
    with mpl.rc_context({"svg.hashsalt": str(row["feature"]), "svg.fonttype": "none", "font.size": 8, "text.parse_math": False}):
        figure = Figure(figsize=(9, 2.6), layout="constrained")
        axes = figure.subplots()
        for offset, (side, colour) in zip((-0.2, 0.2), (("reference", "#8aa4c8"), ("current", "#d9772b")), strict=True):
            total = sum(sides[side]) or 1
            axes.bar([i + offset for i in range(len(bins))], [100 * n / total for n in sides[side]], 0.4, label=side, color=colour)
        axes.set_xticks(range(len(bins)), [_short(one["bin"]) for one in bins], rotation=20, ha="right")
        axes.set_ylabel("% of values")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()[out.getvalue().index("<svg"):]


def _short(label: str) -> str:
    shown = "".join(sign if sign.isprintable() else "�" for sign in label)
    return shown if len(shown) <= 24 else shown[:23] + "…"


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if name in ("feature", "measure", "severity", "detail"):
        return f"<td>{escape(str(value or ''))}</td>"
    return f"<td class='n'>{_number(value)}</td>"


def _number(value: Any) -> str:
    """A figure to four digits; a count whole; a dash where there is none."""
    if value in (None, ""):
        return "-"
    number = float(value)
    return f"{number:,.0f}" if isinstance(value, int) or number.is_integer() and abs(number) >= 1 else f"{number:.4g}"
