"""Where conf and contracts are found: in a project's folders, or in a package's bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkkit import project
from sparkkit.errors import UsageError
from sparkkit.project import Project
from sparkkit.schema.contract import Column, Contract

CONTRACT = Contract("people", (Column("name", "string", required=True),))


@pytest.fixture
def home(tmp_path: Path) -> Project:
    for folder in ("jobs", "conf/env", "schemas", "below/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "jobs" / "a.py").touch()
    (tmp_path / "jobs" / "_b.py").touch()
    (tmp_path / "conf" / "a.toml").write_text("[run]\nrecords = 'x'\n")
    (tmp_path / "conf" / "env" / "big.toml").touch()
    (tmp_path / "schemas" / "people.json").write_text(CONTRACT.to_json())
    (tmp_path / "schemas" / "words.yaml").touch()
    return Project(tmp_path)


@pytest.fixture
def packed() -> Project:
    bundle = {
        "conf": {"a.toml": {"run": {"records": "x"}}, "env/big.toml": {}},
        "schemas": {"people": json.loads(CONTRACT.to_json())},
    }
    return Project(Path("nowhere"), bundle)


@pytest.mark.parametrize("kind", ["home", "packed"])
def test_folders_and_bundle_give_the_same(kind: str, request: pytest.FixtureRequest) -> None:
    found: Project = request.getfixturevalue(kind)
    result = (found.toml("a.toml"), found.toml("none.toml"), found.environments(), found.contract("people"))
    assert result == ({"run": {"records": "x"}}, None, ["big"], CONTRACT)


def test_jobs_are_the_files_without_an_underscore(home: Project) -> None:
    assert home.jobs() == ["a"]


def test_a_contract_is_found_by_its_path_too(home: Project) -> None:
    assert home.contract(str(home.root / "schemas" / "people.json")) == home.contract("schemas/people.json") == CONTRACT


def test_a_contract_that_is_not_there_is_refused_with_the_nearest(home: Project) -> None:
    with pytest.raises(UsageError, match="no contract 'wrods' in .*: did you mean 'words'"):
        home.contract("wrods")


def test_a_job_in_jobs_belongs_to_the_project_around_it(home: Project) -> None:
    assert project.find(home.root / "jobs" / "a.py").root == home.root.resolve()


def test_the_project_of_a_folder_is_the_nearest_above_with_jobs(home: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.root / "below" / "deep")
    assert project.find().root == home.root


def test_a_job_outside_of_any_project_takes_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert project.find(tmp_path / "x.py").root == tmp_path


def test_a_conf_file_that_is_not_toml_is_refused_by_name(home: Project) -> None:
    (home.root / "conf" / "a.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(UsageError, match=r"a\.toml is not TOML"):
        home.toml("a.toml")
