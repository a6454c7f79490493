"""`sparkkit init`: what it writes stands on its own, and no file is overwritten. That it runs is shown in tests/e2e."""

from __future__ import annotations

import ast
import configparser
import os
import tomllib
from pathlib import Path

import pytest

from sparkkit import conf, scaffold
from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.project import Project
from sparkkit.submission.local import load_job


def test_a_new_project_has_all_that_a_person_needs(tmp_path: Path) -> None:
    scaffold.init(tmp_path)
    wanted = [
        "jobs/word_count.py",
        "conf/word_count.toml",
        "schemas/words.yaml",
        "data/books/fog.txt",
        "tests/jobs/test_word_count.py",
        "setup.cfg",
        "spark-submit.sh",
        ".gitignore",
        "README.md",
    ]
    assert [name for name in wanted if not (tmp_path / name).is_file()] == []
    assert os.access(tmp_path / "spark-submit.sh", os.X_OK)


def test_what_is_written_parses_and_no_placeholder_is_left(tmp_path: Path) -> None:
    scaffold.init(tmp_path)
    wrote = scaffold.init(tmp_path, "daily_sales").wrote
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text())
    for path in tmp_path.rglob("*.toml"):
        tomllib.loads(path.read_text())
    configparser.ConfigParser().read_string((tmp_path / "setup.cfg").read_text())
    assert not any(scaffold.PLACEHOLDER in str(path) + (tmp_path / path).read_text() for path in wrote)


def test_the_contract_of_a_new_project_is_one(tmp_path: Path) -> None:
    pytest.importorskip("open_data_contract_standard")
    scaffold.init(tmp_path)
    assert Project(tmp_path).contract("words").names == ("word", "count")


@pytest.mark.parametrize("name", ["word_count", "daily_sales"])
def test_a_new_job_loads_and_its_conf_is_known(name: str, tmp_path: Path) -> None:
    scaffold.init(tmp_path)
    if name != "word_count":
        scaffold.init(tmp_path, name)
    job = load_job(str(tmp_path / "jobs" / f"{name}.py"))
    loaded = conf.load(Project(tmp_path), name, inputs=job.inputs, outputs=job.outputs, params=("minimum",), env="test")
    assert (job.name, loaded.outputs["output"].mode, [o.flag for o in job.options]) == (
        name,
        "overwrite",
        ["--minimum"],
    )


def test_no_file_is_overwritten_and_those_that_stand_are_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    done = scaffold.init(tmp_path)
    assert (done.stand, (tmp_path / "README.md").read_text()) == ((Path("README.md"),), "mine")
    again = scaffold.init(tmp_path)
    assert (again.wrote, len(again.stand)) == ((), len(done.wrote) + 1)


def test_a_job_needs_a_project_around_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no jobs/"):
        scaffold.init(tmp_path, "daily_sales")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["Daily", "daily-sales", "1st", "class", "a/b", "../x", "ä"])
def test_a_name_that_can_not_be_a_file_of_python_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    with pytest.raises(UsageError, match="can't be a job's name"):
        scaffold.init(tmp_path, name)


def test_a_folder_that_can_not_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()
    with pytest.raises(InfrastructureError, match="jobs.* can't be written"):
        scaffold.init(tmp_path)
