"""Set-up: the locks agree with each other and with setup.cfg, and jars are taken only if they match."""
from __future__ import annotations

import configparser
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import logstore
from sparkkit import jars
from sparkkit.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("python", "python-spark35", "python-spark40")


def locked(name: str) -> dict[str, set[str]]:
    text = (ROOT / "conf" / f"{name}.lock").read_text()
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ]+)", text, re.MULTILINE):
        found.setdefault(package.lower().replace("_", "-"), set()).add(version)
    return found


def lib(command: str) -> subprocess.CompletedProcess[str]:
    """A command of the shell, with what scripts/lib.sh gives."""
    text = f"root={shlex.quote(str(ROOT))}; . scripts/lib.sh; {command}"
    return subprocess.run(["bash", "-c", text], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def matrix(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`matrix({".venv": "3 passed in 1.00s"}, *arguments)`: scripts/matrix.sh where the Pythons of the environments only say that.
    One that says of failures, or nothing, ends with 1."""
    (tmp_path / "scripts").mkdir()
    for name in ("lib.sh", "suite.sh", "matrix.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    (tmp_path / "conf").mkdir()
    for name in LOCKS:
        shutil.copy(ROOT / "conf" / f"{name}.lock", tmp_path / "conf")
    program(tmp_path / "scripts" / "setup.sh", 'echo "asked for $*"')

    def call(says: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        for name, text in says.items():
            good = "passed" in text and "failed" not in text
            program(tmp_path / name / "bin" / "python", f'echo "got $*"; echo {shlex.quote(text)}; exit {0 if good else 1}')
        env = {"PATH": os.environ["PATH"]}
        return subprocess.run([tmp_path / "scripts" / "matrix.sh", *arguments], env=env, capture_output=True, text=True, check=False)

    return call


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


def declared() -> list[Requirement]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = [config["options"]["install_requires"], *dict(config["options.extras_require"]).values()]
    return [Requirement(line) for text in lines for line in text.split("\n") if line.strip()]


@pytest.fixture
def delta_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one jar that is locked under its true hash, for the running Spark."""
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / "a.jar").write_bytes(b"good")
    text = f"[delta {jars.line()}]\npackage g:a:1\njar {hashlib.sha256(b'good').hexdigest()}  a.jar\n"
    monkeypatch.setenv("SPARKKIT_JARS", str(folder))
    monkeypatch.setattr(jars, "lock", lambda: jars.parse(text))
    return folder


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_version_is_within_the_range_that_setup_cfg_declares(name: str) -> None:
    versions = locked(name)
    outside = [(str(r), v) for r in declared() for v in versions.get(r.name, ()) if not r.specifier.contains(v)]
    assert outside == []


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_locked(name: str) -> None:
    asked = [Requirement(line).name.lower() for line in (ROOT / "conf" / f"{name}.in").read_text().splitlines()]
    assert set(asked) - locked(name).keys() == set()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=[^ ])", (ROOT / "conf" / f"{name}.lock").read_text().strip())
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []


@pytest.mark.parametrize("name", LOCKS)
def test_the_delta_jar_is_the_one_that_the_locked_python_package_names(name: str) -> None:
    (spark,), (delta,) = locked(name)["pyspark"], locked(name)["delta-spark"]
    groups = jars.parse((ROOT / "conf" / "jars.lock").read_text())
    (group,) = (g for g in groups if (g.name, g.spark) == ("delta", spark.rpartition(".")[0]))
    assert [p.rpartition(":")[2] for p in group.packages] == [delta]


def test_every_locked_jar_has_a_sha256() -> None:
    groups = jars.parse((ROOT / "conf" / "jars.lock").read_text())
    assert [n for g in groups for n, sha in g.files.items() if not re.fullmatch("[0-9a-f]{64}", sha)] == []


def test_a_jar_that_matches_is_given_as_a_local_path(delta_jars: Path) -> None:
    assert jars.paths("delta") == (str(delta_jars / "a.jar"),)


def test_a_jar_that_does_not_match_is_refused_by_name(delta_jars: Path) -> None:
    (delta_jars / "a.jar").write_bytes(b"evil")
    with pytest.raises(UsageError, match=r"a\.jar does not match its SHA-256") as caught:
        jars.paths("delta")
    assert caught.value.reason == "jar_mismatch"


def test_a_jar_changed_after_it_was_verified_is_refused(delta_jars: Path) -> None:
    jars.paths("delta")
    (delta_jars / "a.jar").write_bytes(b"evil")
    os.utime(delta_jars / "a.jar", ns=(1, 1))
    with pytest.raises(UsageError, match="does not match"):
        jars.paths("delta")


def test_a_verified_jar_is_not_read_again(delta_jars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars.paths("delta")
    monkeypatch.setattr(jars, "sha256", lambda path: pytest.fail(f"{path} was read again"))
    assert jars.paths("delta") == (str(delta_jars / "a.jar"),)


def test_a_missing_jar_is_named_with_the_reason_and_the_way_to_get_it(delta_jars: Path) -> None:
    (delta_jars / "a.jar").unlink()
    (delta_jars / jars.UNAVAILABLE).write_text("Host example not found\n")
    with pytest.raises(UsageError) as caught:
        jars.paths("delta")
    assert re.search(r"a\.jar.*Host example not found.*scripts/setup\.sh", str(caught.value))


def test_a_spark_without_locked_jars_is_told_which_have_them(
    delta_jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "line", lambda: "9.9")
    with pytest.raises(UsageError, match=r"no delta jars are known for Spark 9\.9"):
        jars.paths("delta")


def test_without_a_lock_the_jars_of_the_folder_are_taken_as_they_are(
    delta_jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "lock", lambda: None)
    (delta_jars / "a.jar").write_bytes(b"other")
    assert jars.paths("delta") == (str(delta_jars / "a.jar"),)


def test_a_group_of_jars_can_be_asked_for_with_others(delta_jars: Path) -> None:
    assert jars.needed(["delta"]) == jars.needed(["delta", "delta"]) == jars.paths("delta")
    with pytest.raises(UsageError, match="no s3 jars are known"):
        jars.needed(["delta", "s3"])


def test_the_log_store_is_built_once_and_again_when_its_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "ConditionalLogStore.java"
    source.write_text("package sparkkit.delta; public class ConditionalLogStore {}", encoding="utf-8")
    monkeypatch.setattr(logstore, "SOURCE", source)
    assert logstore.ensure(tmp_path) == "Delta's jars are not there"
    (tmp_path / "io.delta_delta-storage-1.jar").write_bytes(b"PK\5\6" + bytes(18))
    if shutil.which("javac") is None:
        pytest.skip("no JDK here")
    seen = []
    for text in ("", "// changed", "// changed", "broken"):
        source.write_text(f"package sparkkit.delta; public class ConditionalLogStore {{}} {text}\n", encoding="utf-8")
        trouble, jar = logstore.ensure(tmp_path), tmp_path / jars.LOG_STORE
        seen.append((trouble is None, jar.read_bytes() if jar.exists() else b""))
    assert [well for well, _ in seen] == [True, True, True, False]
    assert (seen[0][1] != seen[1][1], seen[1] == seen[2], seen[3][1]) == (True, True, b"")


def test_set_up_installs_nothing_where_spark_home_is_set(tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "SPARK_HOME": str(tmp_path)}
    done = subprocess.run([ROOT / "scripts" / "setup.sh"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "nothing is installed" in done.stderr) == (0, True)


def test_each_supported_spark_has_an_environment_of_its_own_with_delta() -> None:
    told = lib('for line in "${sparks[@]}"; do echo "$line python$(suffix "$line") $(locked "$line")"; done').stdout.split()
    lines, names, versions = told[::3], told[1::3], told[2::3]
    delta = [g.spark for g in jars.parse((ROOT / "conf" / "jars.lock").read_text()) if g.name == "delta"]
    assert (sorted(names), sorted(lines)) == (sorted(LOCKS), sorted(delta))
    assert [v.rpartition(".")[0] for v in versions] == lines


def test_a_version_of_spark_is_known_in_short_and_in_full() -> None:
    assert lib("line_of 4.0; line_of 4.0.2; line_of 3.5.6").stdout.split() == ["4.0", "4.0", "3.5"]


def test_set_up_for_a_spark_that_is_not_locked_says_which_are() -> None:
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run([ROOT / "scripts" / "setup.sh", "--matrix", "4.0.1"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "setup: there is no environment for Spark 4.0.1: there are those for 3.5.6 4.0.2 4.2.0\n")


def test_the_matrix_runs_each_spark_and_ends_with_a_table(matrix: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    newest, middle, oldest = "9 passed, 2 skipped in 1.00s", "7 passed in 61.00s (0:01:01)", "5 passed in 2.00s"
    done = matrix({".venv": newest, ".venv-spark40": middle, ".venv-spark35": oldest})
    table = [line.split()[:-1] for line in done.stdout.splitlines()[-4:]]
    expected = [["Spark", "passed", "failed", "skipped"], ["3.5.6", "5", "0", "0"], ["4.0.2", "7", "0", "0"], ["4.2.0", "9", "0", "2"]]
    assert (done.returncode, table) == (0, expected)


def test_the_matrix_goes_on_after_a_spark_that_failed(matrix: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = matrix({".venv-spark35": "1 failed, 4 passed, 2 errors in 2.00s", ".venv-spark40": "no memory", ".venv": "9 passed in 1.00s"})
    table = [line.split()[:4] for line in done.stdout.splitlines()[-3:]]
    assert (done.returncode, table) == (1, [["3.5.6", "4", "3", "0"], ["4.0.2", "0", "1", "0"], ["4.2.0", "9", "0", "0"]])


def test_the_matrix_sets_up_and_runs_what_was_asked_for_with_the_options_that_follow(
    matrix: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = matrix({".venv-spark40": "7 passed in 1.00s"}, "4.0.2", "-k", "names or 3.5")
    told = done.stdout.splitlines()
    assert (done.returncode, told[0], told[2]) == (0, "asked for --matrix 4.0", "got -m pytest -m not e2e -k names or 3.5")
