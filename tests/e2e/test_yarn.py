"""Jobs on a real YARN over a real HDFS, by `sparkkit submit`: the rows are those of a run here, and what fails says how it ended."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.e2e import cluster, environments
from tests.e2e.cluster import POPULATION, Hdfs

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.timeout(1800)]
ROOT = environments.ROOT
HELPER = '''
"""What the job's own module says."""
def greeting(name: str) -> str:
    import sparkkit, sys
    assert sparkkit.__file__.partition(".zip")[1], sparkkit.__file__
    return f"hello {name} from {sys.version_info[0]}"
'''
JOB = '''
"""Greets by Python on the executors, with a module of the project."""
from sparkkit import DataFrame, F, Job, main
from helpers.words import greeting


def build(people: DataFrame, *, note: str = "") -> DataFrame:
    """A row for each."""
    said = F.udf(greeting)
    return people.select("firstname", said("firstname").alias("greeting"), F.lit(note).alias("note"))


JOB = Job(build, contracts={"people": "names"})
if __name__ == "__main__":
    main(JOB)
'''
NEEDS_A_PACKAGE = """
import tomli_w


def greeting(name):
    import tomli_w as there
    assert "environment" in there.__file__, there.__file__
    return there.dumps({"a": name})
"""
ODD = "it's 5 %, \"so\" to say: $HOME `id` \\ Zürich; 北京 & more"


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, str]]:
    with cluster.running("hdfs", "yarn") as variables:
        yield variables


@pytest.fixture(scope="module")
def hdfs(found: dict[str, str]) -> Hdfs:
    made = Hdfs(found)
    made.put(ROOT / "data" / "books", "/in/books")
    made.put(ROOT / "data" / "names" / "csv", "/in/names")
    return made


def rows(files: str) -> list[tuple[object, ...]]:
    return sorted(duckdb.sql(f"select * from '{files}'").fetchall())


def here(job: str, *options: str, cwd: Path = ROOT) -> None:
    done = cluster.submit({}, job, *options, cwd=cwd)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_word_count_gives_the_rows_of_a_run_here(mode: str, found: dict[str, str], hdfs: Hdfs, tmp_path: Path) -> None:
    paths = ("--input", f"{hdfs.root}/in/books", "--output", f"{hdfs.root}{hdfs.out}/{mode}/words", "--ledger", f"{hdfs.root}/ledger")
    done = cluster.submit(found, "--target", "yarn", "--deploy-mode", mode, "--wait", "word_count", *paths)
    assert done.returncode == 0, done.stderr[-5000:]
    here("word_count", "--input", "data/books", "--output", str(tmp_path / "here"))
    hdfs.get(f"{hdfs.out}/{mode}/words", tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == rows(f"{tmp_path}/here/*.parquet") != []


@pytest.mark.long
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_delta_table_has_the_rows_of_a_run_here(mode: str, found: dict[str, str], hdfs: Hdfs, tmp_path: Path) -> None:
    options, out = ("--output-format", "delta", "--over", "300000"), f"{hdfs.out}/{mode}/names"
    paths = ("--input", f"{hdfs.root}/in/names", "--output", f"{hdfs.root}{out}", "--ledger", f"{hdfs.root}/ledger")
    done = cluster.submit(found, "names", "--target", "yarn", "--deploy-mode", mode, "--wait", "--", *paths, *options)
    assert done.returncode == 0, done.stderr[-5000:]
    here("names", "--input", "data/names/csv", "--output", str(tmp_path / "here"), "--over", "300000")
    table = hdfs.get(out, tmp_path / "there")
    log = [json.loads(line) for file in sorted((table / "_delta_log").glob("*.json")) for line in file.read_text("utf-8").splitlines()]
    files = [str(table / action["add"]["path"]) for action in log if "add" in action]
    found_rows = sorted(duckdb.sql(f"select * from read_parquet({files})").fetchall())
    assert found_rows == rows(f"{tmp_path}/here/*.parquet") != []


@pytest.mark.long
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_population_report_gives_the_rows_of_a_run_here(mode: str, found: dict[str, str], hdfs: Hdfs, tmp_path: Path) -> None:
    (tmp_path / "population.csv").write_text(POPULATION, encoding="utf-8")
    hdfs.put(tmp_path / "population.csv", "/in/population")
    paths = ("--input", f"{hdfs.root}/in/population", "--output", f"{hdfs.root}{hdfs.out}/{mode}/report", "--ledger", f"{hdfs.root}/ledger")
    done = cluster.submit(found, "population_report", "--target", "yarn", "--deploy-mode", mode, "--wait", "--", *paths)
    assert done.returncode == 0, done.stderr[-5000:]
    here("population_report", "--input", str(tmp_path / "population.csv"), "--output", str(tmp_path / "here"))
    hdfs.get(f"{hdfs.out}/{mode}/report", tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == rows(f"{tmp_path}/here/*.parquet") != []


def test_what_the_project_and_sparkkit_hold_reaches_executors_that_have_neither(found: dict[str, str], hdfs: Hdfs, tmp_path: Path) -> None:
    profile = (ROOT / "conf" / "env" / "yarn.toml").read_text(encoding="utf-8")
    for name, text in (("jobs/greet.py", JOB), ("helpers/words.py", HELPER), ("conf/env/yarn.toml", profile)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "names.yaml").write_bytes((ROOT / "schemas" / "names.yaml").read_bytes())
    paths = ("--input", f"{hdfs.root}/in/names", "--output", f"{hdfs.root}{hdfs.out}/greet", "--output-format", "json", "--note", ODD)
    done = cluster.submit(found, "greet", "--target", "yarn", "--deploy-mode", "cluster", "--wait", "--", *paths, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-5000:]
    hdfs.get(f"{hdfs.out}/greet", tmp_path / "there")
    said = [json.loads(line) for file in sorted((tmp_path / "there").glob("*.json")) for line in file.read_text("utf-8").splitlines()]
    assert {(row["greeting"], row["note"]) for row in said} >= {("hello Ilse from 3", ODD)}


@pytest.mark.long
def test_packages_that_the_nodes_lack_come_along_as_an_archive(
    found: dict[str, str], hdfs: Hdfs, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory,
) -> None:
    job = JOB.replace("from helpers.words import greeting", NEEDS_A_PACKAGE)
    profile = f'[submit]\ntarget = "yarn"\nenvironment = "environment.tar.gz"\ncode = "{hdfs.root}/code"\n'
    for name, text in (("jobs/greet.py", job), ("conf/env/yarn.toml", profile), ("requirements.txt", "tomli-w==1.2.0\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "names.yaml").write_bytes((ROOT / "schemas" / "names.yaml").read_bytes())
    paths = ("--input", f"{hdfs.root}/in/names", "--output", f"{hdfs.root}{hdfs.out}/packed", "--output-format", "json")
    asked = ("greet", "--target", "yarn", "--deploy-mode", "cluster", "--wait", "--", *paths)
    own = str(tmp_path_factory.mktemp("own"))  # who submits has the package, the nodes have not
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", own, "-r", "requirements.txt"], cwd=tmp_path, check=True)
    found = {**found, "PYTHONPATH": os.pathsep.join([str(ROOT), own])}
    packed = cluster.sparkkit(found, "package", "--requirements", "requirements.txt", "environment.tar.gz", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
    done = cluster.submit(found, *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-5000:]
    hdfs.get(f"{hdfs.out}/packed", tmp_path / "there")
    said = [json.loads(line) for file in sorted((tmp_path / "there").glob("*.json")) for line in file.read_text("utf-8").splitlines()]
    assert "a = 'Ilse'" in {row["greeting"].replace('"', "'").strip() for row in said}


def test_a_job_that_fails_on_a_node_ends_the_command_with_its_own_code(found: dict[str, str], hdfs: Hdfs) -> None:
    paths = ("--input", f"{hdfs.root}/in/nowhere", "--output", f"{hdfs.root}{hdfs.out}/none")
    done = cluster.submit(found, "--target", "yarn", "--deploy-mode", "cluster", "--wait", "word_count", *paths)
    assert done.returncode == 3, done.stderr[-3000:]
