"""What pages of a report have in common: one file of HTML that loads nothing from anywhere, with plots as SVG in it.

Whatever comes from data is escaped; the same content gives the same bytes.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from sparkkit.errors import InfrastructureError, UsageError

INK = "#010203"
"""The colour of a plot's text and lines; in the page it is that of the text, so that plots are readable on a dark page, too."""

BLUE, ORANGE, GREY = "#4878b0", "#d9772b", "#8c8c8c"
"""Colours that are told apart by those who see no red or green, on a light page and on a dark one."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #ddd; --soft: #f4f6f8; --alarm: #fbdcd8; --warning: #fdf1cf }
@media (prefers-color-scheme: dark) {
:root { --ink: #e6e8ea; --paper: #15181c; --line: #3a4048; --soft: #20252b; --alarm: #5a2a25; --warning: #4d4017 } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: var(--ink);
background: var(--paper) }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin: 1.6em 0 .3em }
table { border-collapse: collapse; font-size: .87em; width: 100% } th, td { padding: .25em .6em; text-align: left; vertical-align: top;
overflow-wrap: anywhere } caption { text-align: left; padding: .3em 0 .5em }
th { border-bottom: 2px solid #888 } td, tbody th { border-bottom: 1px solid var(--line) } tbody th { font-weight: 600; min-width: 11em }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal } td.n { white-space: nowrap }
.alarm { background: var(--alarm) } .warning { background: var(--warning) } svg { max-width: 100%; height: auto }
"""


def document(title: str, body: Sequence[str], style: str = "") -> str:
    """The page around its parts.

    Args:
        title: as text.
        body: parts of HTML, from the heading on.
        style: more CSS.
    """
    return "\n".join([
        "<!doctype html>", "<html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{shown(title)}</title><style>{STYLE}{style}</style></head><body>", *body, "</body></html>\n",
    ])


def shown(text: Any) -> str:
    """Any value as text of HTML: markup is inert, and signs that can't be seen, or turn the direction, are marked.

    >>> shown("<b>") + shown("a\\u202eb")
    '&lt;b&gt;a�b'
    """
    return escape("".join(sign if sign.isprintable() or sign in "\n\t" else "�" for sign in str(text)))


def table(
    head: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "", numbers: Sequence[int] = (), names: bool = True
) -> str:
    """A table of texts, which are escaped here.

    Args:
        caption: what it shows, in a sentence.
        numbers: places of the columns that hold numbers, which are put to the right.
        names: whether the first column names its row.

    >>> table(["a"], [["<"]], names=False)
    "<table><thead><tr><th scope='col'>a</th></tr></thead><tbody>\\n<tr><td>&lt;</td></tr>\\n</tbody></table>"
    """
    kinds = [" class='n'" if i in numbers else "" for i in range(len(head))]
    top = "".join(f"<th scope='col'{kind}>{shown(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "\n".join(
        "<tr>" + "".join(_cell(shown(value), kinds[i], names and i == 0) for i, value in enumerate(row)) + "</tr>" for row in rows
    )
    said = f"<caption>{shown(caption)}</caption>" if caption else ""
    return f"<table>{said}<thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(text: str, kind: str, name: bool) -> str:
    return f"<th scope='row'{kind}>{text}</th>" if name else f"<td{kind}>{text}</td>"


def plot(salt: str, title: str, draw: Callable[[Any], None], *, size: tuple[float, float] = (9, 2.6)) -> str:
    """A plot as SVG without a header, with a title for who can't see it; the same bytes each time.

    Args:
        salt: tells it apart from the page's other plots.
        title: what it shows, in a sentence.
        draw: draws on matplotlib's axes.
        size: width and height in inches.

    Raises:
        UsageError: matplotlib is not installed (`no_matplotlib`).
    """
    with _style(salt):
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inline(out.getvalue(), salt, title)


@contextmanager
def _style(salt: str) -> Iterator[None]:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise UsageError(
            f"plots are drawn by matplotlib, which is not installed ({error})", reason="no_matplotlib", hint="pip install 'sparkkit[ml]'"
        ) from error
    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "legend.labelcolor")
    own: dict[Any, Any] = {name: INK for name in inked}
    own |= {"svg.hashsalt": salt, "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}
    with mpl.rc_context({**mpl.rcParamsDefault, **own}):  # not what a matplotlibrc of this machine says
        yield


def _inline(svg: str, salt: str, title: str) -> str:
    """An SVG among others on a page: its names are its own, it has a title, and its ink is the page's."""
    name = f"plot-{re.sub(r'[^A-Za-z0-9]', lambda sign: f'_{ord(sign[0]):x}', salt)}"
    body = svg[svg.index("<svg") :]

    def own(tag: re.Match[str]) -> str:
        named = re.sub(r'(\bid="|href="#|url\(#)', lambda found: f"{found[0]}{name}-", tag[0])
        return named.replace(INK, "currentColor")

    inside = re.sub(r"<[^>]+>", own, body)
    head, rest = inside.split(">", 1)
    return f"{head} role=\"img\" aria-labelledby=\"{name}\"><title id=\"{name}\">{shown(title)}</title>{rest}"


def short(label: str, most: int = 24) -> str:
    """A label that fits into a plot, without signs that can't be seen.

    >>> short("a\\tvery long name", 8)
    'a�very …'
    """
    clean = "".join(sign if sign.isprintable() else "�" for sign in label)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def number(value: Any) -> str:
    """A figure to four digits; a count whole; a dash where there is none.

    >>> number(0.123456), number(12345), number(None), number("")
    ('0.1235', '12,345', '-', '-')
    """
    if value in (None, ""):
        return "-"
    figure = float(value)
    return f"{figure:,.0f}" if isinstance(value, int) or figure.is_integer() and abs(figure) >= 1 else f"{figure:.4g}"


def write(path: str | Path, text: str) -> None:
    """Writes a page, whole or not at all.

    Raises:
        UsageError: there is a folder, or something else that is no file, of that name (`not_a_file`).
        InfrastructureError: it can't be written (`not_written`).
    """
    goal = Path(os.path.realpath(path))
    if goal.exists() and not goal.is_file():
        what = "a folder" if goal.is_dir() else "no file"
        raise UsageError(f"the page can't be written to {path}, which is {what}", reason="not_a_file", hint="name a file, such as a.html")
    partial = goal.with_name(f".{goal.name}.{os.getpid()}.partial")
    try:
        try:
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, goal)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise InfrastructureError(f"the page can't be written to {path}: {error.strerror}", reason="not_written") from error
