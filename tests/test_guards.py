"""Refused unless asked for by name: outside the roots, onto the input, empty over rows, partitions lost. Nothing is published then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit.job import Job
from sparkkit.testing import Outcome, RunJob, frame


def same(rows: DataFrame) -> DataFrame:
    return rows


def none(rows: DataFrame) -> DataFrame:
    return rows.where("1 = 0")


Go = Callable[..., Outcome]


@pytest.fixture(scope="module")
def given(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parquet of two partitions at `in`, without any at `flat`."""
    folder = tmp_path_factory.mktemp("given")
    rows = frame(spark, [(1, "a"), (2, "b")], "v int, p string").coalesce(1)
    rows.write.partitionBy("p").parquet(str(folder / "in"))
    rows.where("v = 1").write.parquet(str(folder / "flat"))
    return folder


@pytest.fixture
def home(tmp_path: Path, given: Path) -> Path:
    """A folder with a copy of it."""
    shutil.copytree(given, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def go(home: Path, run_job: RunJob) -> Go:
    """Runs a job from one path to another, with a conf file; paths and settings are relative to the folder (`{}`)."""

    def at(path: str) -> str:
        return path if path[0] == "/" or ":" in path or "`" in path else f"{home}/{path}"

    class Guarded(Job):
        @property
        def file(self) -> Path:
            return home / "jobs" / "guarded.py"

    def call(source: str, to: str, *options: str, build: Any = same, conf: str = "") -> Outcome:
        for folder in ("conf", "jobs"):
            (home / folder).mkdir(exist_ok=True)
        (home / "conf" / "guarded.toml").write_text(conf.replace("{}", str(home)))
        given = [option.replace("{}", str(home)) for option in options]
        return run_job(Guarded(build, name="guarded"), {"rows": at(source)}, [f"--output={at(to)}", *given])

    return call


def seen(home: Path) -> list[str]:
    """Every data file, and whatever was staged and stayed."""
    return sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.suffix == ".parquet" or ".staging" in p.name)


def said(done: Outcome) -> tuple[int, str]:
    return done.exit_code, done.record["reason"]


ROOTS = "[roots]\nread = ['{}/in', '{}/flat']\nwrite = ['{}/out']\n"


@pytest.mark.parametrize(
    ("source", "to", "words"),
    [
        ("/etc/passwd", "out/x", "input 'rows': file:///etc/passwd is outside the declared roots: roots.read in conf names file:///"),
        ("file:///etc/passwd", "out/x", "is outside"),
        ("in/../../../../../../etc/passwd", "out/x", "is outside"),
        ("in/./p=a/../../other", "out/x", "is outside"),
        ("flat", "out/../outside", "output 'output': file://"),
        ("flat", "outer", "is outside"),
        ("flat", "file:/tmp/elsewhere", "is outside"),
        ("link", "out/x", "is outside"),
        ("flat", "out/link/x", "is outside"),
    ],
)
def test_a_path_outside_the_declared_roots_is_refused(go: Go, home: Path, source: str, to: str, words: str) -> None:
    (home / "link").symlink_to("/etc")
    (home / "out").mkdir()
    (home / "out" / "link").symlink_to("/tmp")
    before = seen(home)
    done = go(source, to, conf=ROOTS)
    assert (said(done), words in done.message, seen(home)) == ((2, "outside_roots"), True, before), done.message


def test_a_link_inside_the_roots_that_leads_out_is_refused(go: Go, home: Path) -> None:
    (home / "flat" / "x.parquet").symlink_to(next(home.glob("in/p=a/*.parquet")))
    done = go("flat", "out/x", conf="[roots]\nread = ['{}/flat']\n")
    assert (said(done), "p=a" in done.message, (home / "out").exists()) == ((2, "outside_roots"), True, False)


def test_inside_the_roots_a_run_runs(go: Go, home: Path) -> None:
    (home / "alias").symlink_to(home / "flat")
    assert go("alias/*.parquet", "out/x/../y", "--set=inputs.rows.format=parquet", conf=ROOTS).exit_code == 0


def test_roots_can_not_be_widened_on_the_command_line(go: Go) -> None:
    assert said(go("flat", "out/x", "--set=roots.read=/", conf=ROOTS)) == (2, "wrong_option")


def test_the_quarantine_has_to_be_inside_the_roots_too(go: Go) -> None:
    assert said(go("flat", "out/x", "--set=outputs.output.quarantine=/tmp/q", conf=ROOTS)) == (2, "outside_roots")


@pytest.mark.parametrize("name", ["parquet.`/etc`", "delta.`s3a://b/x`", "csv.`file:///etc/passwd`", "a`b", "x;drop table y"])
def test_a_path_is_no_table_s_name(go: Go, name: str) -> None:
    assert said(go(name, "out/x", "--set=inputs.rows.format=table")) == (2, "path_as_table")


@pytest.mark.parametrize(
    ("source", "to", "options"),
    [
        ("in", "in", ["--mode=overwrite"]),
        ("in", "./x/../in/", ["--mode=overwrite"]),
        ("in/p=a", "in", ["--mode=overwrite"]),
        ("in", "in/p=a", ["--mode=overwrite"]),
        ("in", "alias", ["--mode=overwrite"]),
        ("in/*", "in", ["--mode=overwrite_partitions", "--set=outputs.output.partition_by=p"]),
        ("in", "in/new", []),
        ("flat", "flat", ["--mode=append"]),
        ("flat", "out", ["--mode=overwrite", "--set=outputs.output.quarantine={}/flat/bad"]),
        ("flat", "out", ["--set=outputs.output.quarantine={}/out"]),
    ],
)
def test_what_a_job_reads_is_not_written(go: Go, home: Path, source: str, to: str, options: list[str]) -> None:
    (home / "alias").symlink_to(home / "in")
    before = seen(home)
    done = go(source, to, "--set=inputs.rows.format=parquet", *options)
    assert (said(done), "overlap" in done.message, seen(home)) == ((2, "overlapping_paths"), True, before), done.message


def test_what_a_job_reads_is_written_when_asked_for_by_name(go: Go, spark: SparkSession, home: Path) -> None:
    done = go("flat", "flat", "--mode=overwrite", "--set=outputs.output.allow_overlap=true")
    assert (done.exit_code, spark.read.parquet(str(home / "flat")).count()) == (0, 1), done.message


def test_a_file_is_not_replaced_by_a_folder(go: Go, home: Path) -> None:
    held = next((home / "flat").glob("*.parquet")).read_bytes()
    for path in ("out.parquet", "other.quarantine"):
        (home / path).write_bytes(held)
    done = go("flat", "out.parquet", "--mode=append"), go("flat", "other")
    assert [said(one) for one in done] == [(2, "file_in_the_way")] * 2
    assert (home / "out.parquet").read_bytes() == held


def test_a_folder_beside_the_input_with_a_longer_name_is_another(go: Go) -> None:
    assert go("flat", "flat2").exit_code == 0


def test_two_outputs_of_one_place_are_refused(home: Path, run_job: RunJob) -> None:
    job = Job(lambda rows: {"a": rows, "b": rows}, name="two", outputs=("a", "b"))
    done = run_job(job, {"rows": home / "flat"}, [f"--output=a={home}/out", f"--output=b={home}/out/b"])
    assert (said(done), (home / "out").exists()) == ((2, "overlapping_paths"), False)


def test_a_table_that_is_read_is_not_overwritten_by_another_of_its_names(go: Go) -> None:
    given = ["--mode=overwrite", "--set=inputs.rows.format=table", "--output-format=table", "--set=outputs.output.quarantine={}/kept"]
    refused = go("`default`.`t`", "`T`", *given)
    asked = go("`default`.`t`", "`T`", *given, "--set=outputs.output.allow_overlap=true")
    assert said(refused) == (2, "overlapping_paths")
    assert "is the table `T`, which input 'rows' reads" in refused.message
    assert said(asked) == (3, "input_missing")


def test_a_day_without_rows_is_no_partition_that_an_overwrite_loses(go: Go, home: Path) -> None:
    by, over = "--set=outputs.output.partition_by=p", "--mode=overwrite"
    assert go("in", "out", by, over, build=none).exit_code == 0
    assert go("in", "out", by, over).exit_code == 0
    assert go("in", "new", by, "--mode=append", "--show=1", build=none).exit_code == 0


def test_an_empty_result_does_not_replace_rows_unless_it_is_asked_for(go: Go, spark: SparkSession, home: Path) -> None:
    go("flat", "out")
    refused = go("in", "out", "--mode=overwrite", build=none)
    kept = spark.read.parquet(str(home / "out")).count()
    asked = go("in", "out", "--mode=overwrite", "--allow-empty", build=none)
    assert (said(refused), kept, asked.exit_code) == ((4, "empty_result"), 1, 0), refused.message
    again = go("in", "out", "--mode=overwrite", build=none)  # over no rows: nothing to lose
    assert (again.exit_code, spark.read.parquet(str(home / "out")).count()) == (0, 0)


@pytest.mark.parametrize("kind", ["csv", "json", "orc"])
def test_the_same_in_other_formats_and_over_files_of_another_format(go: Go, home: Path, kind: str) -> None:
    go("flat", f"out-{kind}", f"--output-format={kind}")
    over = ["--mode=overwrite", f"--output-format={kind}"]
    refused = [go("in", to, *over, build=none) for to in (f"out-{kind}", "flat")]
    assert [said(done) for done in refused] == [(4, "empty_result")] * 2


def test_an_empty_result_is_fine_where_nothing_is_or_nothing_goes(go: Go, home: Path) -> None:
    partitions = ["--mode=overwrite_partitions", "--set=outputs.output.partition_by=p"]
    assert [go("in", "new", "--mode=overwrite", build=none).exit_code, go("flat", "in2", *partitions, build=none).exit_code] == [0, 0]


@pytest.mark.parametrize(("by", "words"), [("", "declares no partitions"), ("v", "declares v")])
def test_a_partitioned_folder_is_not_overwritten_by_another_layout(go: Go, home: Path, by: str, words: str) -> None:
    go("in", "out", "--set=outputs.output.partition_by=p")
    before = seen(home)
    done = go("flat", "out", "--mode=overwrite", *([f"--set=outputs.output.partition_by={by}"] if by else []))
    assert (said(done), words in done.message, seen(home)) == ((2, "static_overwrite"), True, before), done.message


def test_partitions_that_the_result_lacks_are_not_overwritten_unless_it_is_asked_for(go: Go, home: Path) -> None:
    by, over = "--set=outputs.output.partition_by=p", "--mode=overwrite"
    go("in", "out", by)
    before = seen(home)
    refused = go("flat", "out", by, over)
    assert said(refused) == (2, "static_overwrite")
    assert "the result lacks 1 of the partitions" in refused.message and "p=b" in refused.message
    assert seen(home) == before
    assert go("in", "out", by, over).exit_code == 0
    assert go("flat", "out", by, over, "--set=outputs.output.allow_static_overwrite=true").exit_code == 0
    assert sorted(p.name for p in (home / "out").iterdir() if p.is_dir()) == ["p=a"]
