"""Paths are compared in one spelling, and those that can be none are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkkit import paths
from sparkkit.errors import UsageError


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("s3://b/x", "s3a://b/x/", True),
        ("s3n://B/x//y/../", "s3a://b/x", True),
        ("abfss://c@acme/x", "abfs://c@acme/x", True),
        ("hdfs://nn:8020/x", "hdfs://NN/x", True),
        ("hdfs://nn:8021/x", "hdfs://nn/x", False),
        ("file:/x/a/../b", "/x/b", True),
        ("file://localhost/x", "file:///x", True),
        ("s3a://b/../../x", "s3a://b/x", True),
        ("s3a://b/X", "s3a://b/x", False),
        ("gs://b/x", "s3a://b/x", False),
    ],
)
def test_one_place_has_one_spelling(one: str, other: str, same: bool) -> None:
    assert (paths.canonical(one) == paths.canonical(other)) is same


def test_a_link_is_the_place_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert paths.canonical(f"file:{tmp_path}/link/new") == f"file://{tmp_path}/real/new"


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("/a", "/a", True), ("/a/b", "/a", True), ("/a", "/ab", False), ("/a/*", "/a/b/c", True), ("/a/*.csv", "/a/b", False),
        ("/a/?", "/a/bb", False), ("/a/[bc]/d", "/a/b", True), ("/a/{x,y}", "/a/z", True), ("/", "/a", True), ("/a/*/c", "/a/b/d", False),
    ],
)  # fmt: skip
def test_two_paths_meet_where_one_holds_the_other(one: str, other: str, meet: bool) -> None:
    assert paths.meet(f"file://{one}", f"file://{other}") is paths.meet(f"file://{other}", f"file://{one}") is meet


@pytest.mark.parametrize("bad", ["a\0b", "a\nb", "a\x1b[2Jb", "x" * 5000, "x" * 1_000_000])
def test_a_path_that_can_be_none_is_refused_in_a_short_sentence(bad: str) -> None:
    with pytest.raises(UsageError) as found:
        paths.check(bad, "conf/j.toml: inputs.a.path")
    assert (found.value.reason, len(str(found.value)) < 200) == ("wrong_path", True)


@pytest.mark.parametrize("odd", ["a'b\"c`d;e", "Σ/naïve/路径", "\u202egnp.exe", "a\u200bb", "../x", "100%"])
def test_an_odd_path_is_a_path(odd: str) -> None:
    paths.check(odd, "x")
