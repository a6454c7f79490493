"""The class path of the driver's JVM: its order, and the jars that are taken without their signature."""
from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from sparkkit import classpath


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKKIT_CACHE", str(tmp_path / "cache"))
    jars = tmp_path / "spark" / "jars"
    jars.mkdir(parents=True)
    for name in ("a.jar", "janino-3.jar", "slf4j-api-2.jar"):
        with zipfile.ZipFile(jars / name, "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "Created-By: x\r\n\r\nName: X.class\r\nSHA1-Digest: y\r\n\r\n")
            jar.writestr("META-INF/DUMMY.SF", "")
            jar.writestr("X.class", "code")
    return jars.parent


def names(home: Path) -> list[str]:
    return [Path(entry).name for entry in classpath.class_path(home, "", ()) if entry.endswith(".jar")]


def test_a_jar_without_its_signature_takes_the_place_of_its_original(home: Path, tmp_path: Path) -> None:
    before = names(home)
    classpath.unsign(home)
    first, plain, copy = [entry for entry in classpath.class_path(home, "", ()) if entry.endswith(".jar")]
    with zipfile.ZipFile(copy) as jar:
        held = {name: jar.read(name).decode() for name in jar.namelist()}
    assert before == ["slf4j-api-2.jar", "a.jar", "janino-3.jar"]
    assert (Path(first).parent, Path(plain).parent, Path(copy).parent) == (home / "jars", home / "jars", tmp_path / "cache" / "unsigned")
    assert held == {"META-INF/MANIFEST.MF": "Created-By: x\n\n", "X.class": "code"}


def test_a_jar_that_changed_is_taken_itself(home: Path) -> None:
    classpath.unsign(home)
    with zipfile.ZipFile(home / "jars" / "janino-3.jar", "a") as jar:
        jar.writestr("Y.class", "more")
    assert names(home) == ["slf4j-api-2.jar", "a.jar", "janino-3.jar"]


def test_without_a_cache_every_jar_is_taken_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKKIT_CACHE", "")
    classpath.unsign(home)
    assert names(home) == ["slf4j-api-2.jar", "a.jar", "janino-3.jar"]
