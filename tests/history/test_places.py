"""Where the ledger is: the option, the variable, the conf, and else a hidden folder in the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkkit.errors import UsageError
from sparkkit.history import find, places
from sparkkit.project import Project

HOME = Project(Path("/p"))


@pytest.mark.parametrize(
    ("option", "variable", "conf", "path"),
    [
        (None, None, None, "/p/.sparkkit/ledger"),
        (None, None, "runs/ledger", "/p/runs/ledger"),
        (None, "v", "c", "{cwd}/v"),
        ("o", "v", "c", "{cwd}/o"),
        ("/abs/x/", None, None, "/abs/x"),
        ("file:///a/b", None, None, "/a/b"),
        ("hdfs://node:8020/l/", None, None, "hdfs://node:8020/l"),
        ("hdfs:/l", None, None, "hdfs:///l"),
        ("s3a://bucket/l", None, None, "s3a://bucket/l"),
        ("a:b", None, None, "{cwd}/a:b"),
    ],
)
def test_the_strongest_word_wins(
    option: str | None, variable: str | None, conf: str | None, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(places.VARIABLE, raising=False)
    if variable:
        monkeypatch.setenv(places.VARIABLE, variable)
    found = places.find(HOME, option, conf)
    assert (found.path, found.local) == (path.format(cwd=tmp_path), not path.startswith(("hdfs", "s3a")))


def test_a_store_without_a_path_is_refused() -> None:
    with pytest.raises(UsageError, match="--ledger is 's3a://bucket', which has no path"):
        places.find(HOME, "s3a://bucket")


def test_a_ledger_elsewhere_needs_a_session() -> None:
    with pytest.raises(UsageError, match="there is no session"):
        places.store(places.Place("hdfs://n/l", "--ledger"))


def test_reading_finds_what_the_conf_of_a_job_or_of_an_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "conf" / "env").mkdir(parents=True)
    (tmp_path / "conf" / "a.toml").write_text("[ledger]\npath = 'of_a'\n")
    (tmp_path / "conf" / "env" / "x.toml").write_text("[ledger]\npath = 'of_x'\n")
    found = []
    for job, env in ((None, None), ("a", None), ("a", "x"), (None, "x")):
        with find.ledger(None, job, env) as book:
            found.append(Path(book.path).name)
    assert found == ["ledger", "of_a", "of_x", "of_x"]
