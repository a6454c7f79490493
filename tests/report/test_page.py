"""What pages have in common: inert text, plots with names of their own, and files written whole or not at all."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.report import page

HOSTILE = "<script>alert(1)</script> \"quoted\" 'too' $x$ \u202e&"


def test_a_table_s_texts_are_inert() -> None:
    made = page.table([HOSTILE], [[HOSTILE]], caption=HOSTILE)
    assert (made.count("&lt;script&gt;"), "<script" in made, "\u202e" in made) == (3, False, False)


def test_a_plot_has_a_title_that_names_it() -> None:
    pytest.importorskip("matplotlib")
    made = page.plot(HOSTILE, HOSTILE, lambda axes: axes.set_xlabel(HOSTILE))
    name = re.findall(r'<svg[^>]* role="img" aria-labelledby="([\w-]+)"', made)
    assert name == re.findall(r'<title id="([\w-]+)">&lt;script&gt;', made) and len(name) == 1
    assert "<script" not in made and page.INK not in made and "currentColor" in made


def test_no_two_plots_share_a_name_and_each_name_that_is_used_is_there() -> None:
    pytest.importorskip("matplotlib")
    both = "".join(page.plot(salt, "t", lambda axes: axes.plot([0, 1], [1, 0], marker="o", clip_on=True)) for salt in ("a", "b"))
    names, used = re.findall(r'\bid="([^"]+)"', both), re.findall(r'(?:href="#|url\(#)([^")]+)', both)
    assert len(names) == len(set(names)) and used and set(used) <= set(names)


def test_a_plot_is_the_same_whatever_this_machine_s_settings_of_matplotlib() -> None:
    mpl = pytest.importorskip("matplotlib")
    one = page.plot("a", "t", lambda axes: axes.plot([0, 1]))
    with mpl.rc_context({"lines.linewidth": 9, "axes.grid": True}):
        assert page.plot("a", "t", lambda axes: axes.plot([0, 1])) == one


def test_without_matplotlib_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"matplotlib, which is not installed .*: pip install 'sparkkit\[ml\]'"):
        page.plot("a", "t", id)


def test_a_page_replaces_an_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("old")
    page.write(tmp_path / "a.html", "new ä")
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("a.html", "new ä")]


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        page.write(tmp_path / "a.html", "\ud800")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.html", "old")]


@pytest.mark.parametrize(("name", "kind", "said"), [
    (".", UsageError, "which is a folder: name a file"), ("none/a.html", InfrastructureError, "can't be written to .*: No such file")])
def test_where_no_page_can_be_is_said(tmp_path: Path, name: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        page.write(tmp_path / name, "x")
