"""What `sparkkit.jvm` plans, and when it leaves the start to spark-submit; no JVM is started here."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sparkkit import archive, jvm


@pytest.fixture(autouse=True)
def _plain_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SPARK_SUBMIT_OPTS", "SPARK_DRIVER_MEMORY", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "MASTER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "conf").mkdir()
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path / "conf"))
    monkeypatch.setenv("SPARKKIT_CACHE", str(tmp_path / "cache"))


def _plan(settings: dict[str, str] | None = None, *words: str, profile: str = "default") -> jvm.Plan:
    plan = jvm.plan(settings or {}, words, profile=profile)
    assert plan is not None
    return plan


def test_a_local_master_is_started_by_us() -> None:
    command = _plan({"spark.x": "a b"}, "--master", "local[2]").command()
    main = command.index("org.apache.spark.deploy.SparkSubmit")
    assert command[main + 1 :] == ["--conf", "spark.x=a b", "--master", "local[2]", "pyspark-shell"]


@pytest.mark.parametrize("master", ["yarn", "spark://host:7077", "k8s://host", "local-cluster[2,1,768]"])
def test_other_masters_are_left_to_spark_submit(master: str) -> None:
    assert jvm.plan({"spark.master": master}) is None


@pytest.mark.parametrize(
    "words", [["--proxy-user", "me"], ["--deploy-mode", "cluster"], ["--driver-library-path", "/x"], ["--conf"]]
)
def test_options_that_are_not_known_are_left_to_spark_submit(words: list[str]) -> None:
    assert jvm.plan({}, words) is None


def test_scripts_and_variables_of_the_machine_are_left_to_spark_submit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "conf" / "spark-env.sh").touch()
    with_script = jvm.plan({})
    (tmp_path / "conf" / "spark-env.sh").unlink()
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dx=y")
    assert (with_script, jvm.plan({})) == (None, None)


@pytest.mark.parametrize(
    ("settings", "words", "expected"),
    [
        ({"spark.driver.memory": "3g"}, [], "3g"),
        ({"spark.driver.memory": "3g"}, ["--driver-memory", "4g"], "4g"),
        ({}, ["--conf", "spark.driver.memory=5g"], "5g"),
        ({}, ["--driver-memory=6g"], "6g"),
    ],
)
def test_driver_memory_is_what_was_asked_for(settings: dict[str, str], words: list[str], expected: str) -> None:
    assert _plan(settings, *words).heap == expected


def test_spark_defaults_are_read(tmp_path: Path) -> None:
    text = "# memory\nspark.driver.memory   7g\nspark.driver.extraJavaOptions=-Da=b -Dc=\"d e\"\n"
    (tmp_path / "conf" / "spark-defaults.conf").write_text(text)
    plan = _plan()
    assert (plan.heap, plan.options[-2:]) == ("7g", ("-Da=b", "-Dc=d e"))


def test_a_master_in_spark_defaults_counts(tmp_path: Path) -> None:
    (tmp_path / "conf" / "spark-defaults.conf").write_text("spark.master: yarn\n")
    assert jvm.plan({}) is None


def test_the_driver_s_own_class_path_comes_first() -> None:
    assert _plan({}, "--driver-class-path", "/a.jar:/b.jar").path[:2] == ("/a.jar", "/b.jar")


def test_the_tests_profile_compiles_by_c1_alone() -> None:
    option = "-XX:TieredStopAtLevel=1"
    assert [option in _plan(profile=name).options for name in ("default", "test")] == [False, True]


def test_each_profile_keeps_as_much_compiled_code_as_the_jvm_by_itself() -> None:
    def kept(*options: str) -> str:
        told = subprocess.run(["java", *options, "-XX:+PrintFlagsFinal", "-version"], capture_output=True, text=True, check=True).stdout
        return next(line.split()[3] for line in told.splitlines() if "ReservedCodeCacheSize" in line)

    only_c1 = kept("-XX:TieredStopAtLevel=1")
    assert [kept(*jvm.PROFILES[name]) for name in ("default", "test")] == [kept()] * 2 != [only_c1] * 2


def test_the_heap_is_half_of_the_machine_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (1, 6, 200)
    found = []
    for gib in sizes:
        monkeypatch.setattr(jvm, "_machine_memory", lambda gib=gib: gib * 2**30)
        found.append((jvm.memory("default"), jvm.memory("test")))
    assert found == [("1024m", "1024m"), ("3072m", "2048m"), ("24576m", "2048m")]


def test_the_archive_s_name_changes_with_the_jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "spark"
    (home / "jars").mkdir(parents=True)
    jar = home / "jars" / "spark.jar"
    monkeypatch.setenv("SPARK_HOME", str(home))
    keys = []
    for content, when in (("a", 1), ("a", 2), ("ab", 2)):
        jar.write_text(content)
        os.utime(jar, (when, when))
        keys.append(_plan().key)
    assert len(set(keys)) == 3


def test_the_archive_s_name_is_the_same_for_both_profiles_and_other_memory() -> None:
    assert _plan(profile="test").key == _plan({"spark.driver.memory": "9g"}).key


def test_an_empty_cache_variable_means_no_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKKIT_CACHE", "")
    plan = _plan()
    assert (plan.archive, archive.is_wanted(plan)) == (None, False)


def test_an_archive_is_wanted_once() -> None:
    plan = _plan()
    goal = plan.archive
    assert goal is not None
    wanted = [archive.is_wanted(plan)]
    goal.parent.mkdir(parents=True)
    for suffix in (".jsa", ".lock", ".failed"):
        goal.with_suffix(suffix).touch()
        wanted.append(archive.is_wanted(plan))
        goal.with_suffix(suffix).unlink()
    assert wanted == [True, False, False, False]


def test_two_makers_race_and_one_claims(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "x.lock"
    first, second = archive._claim(lock), archive._claim(lock)
    os.utime(lock, (1, 1))
    assert (first, second, archive._claim(lock)) == (True, False, True)


def test_only_the_newest_archives_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        file = tmp_path / f"classes-{number}.jsa"
        file.touch()
        os.utime(file, (number, number))
    archive._prune(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.jsa")) == [f"classes-{number}.jsa" for number in (2, 3, 4)]
