"""Set-up: the locks agree with each other and with setup.cfg, and jars are taken only if they match."""
from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import logstore
from sparkkit import jars
from sparkkit.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("python", "python-spark35")


def locked(name: str) -> dict[str, set[str]]:
    text = (ROOT / "conf" / f"{name}.lock").read_text()
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ]+)", text, re.MULTILINE):
        found.setdefault(package.lower().replace("_", "-"), set()).add(version)
    return found


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
