"""The archive of packages for a cluster: the same bytes for the same file, nothing of this machine, and its script starts with them."""
from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission.environment import build

HERE = ".".join(map(str, sys.version_info[:2]))
WHEEL = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel(folder: Path, name: str) -> Path:
    """A wheel with one module, and a script."""
    made, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"NAME = {name!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", WHEEL)
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name}-run = {name}:NAME\n")
        archive.writestr(f"{info}/RECORD", "")
    return made


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("".join(f"{wheel(tmp_path, name)}\n" for name in ("greeting", "py4j")), encoding="utf-8")
    return file


def test_the_same_file_gives_the_same_bytes_without_the_clusters_own_packages(requirements: Path, tmp_path: Path) -> None:
    one, two = (build(requirements, tmp_path / name / "e.tar.gz", HERE) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        names = archive.getnames()
        words = b"".join(file.read() for entry in archive.getmembers() if (file := archive.extractfile(entry)))
    assert {"bin/python", "packages/greeting/__init__.py"} <= set(names)
    assert [name for name in names if "py4j" in name or name.startswith("packages/bin")] == []
    assert str(tmp_path).encode() not in words


def test_its_python_has_the_packages_wherever_it_is_unpacked(requirements: Path, tmp_path: Path) -> None:
    made = build(requirements, tmp_path / "e.tar.gz", HERE)
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "a place", filter="data")
    words = ["environment/bin/python", "-c", "import greeting, sys; print(greeting.NAME, sys.argv[1])", "x y"]
    (tmp_path / "environment").symlink_to(tmp_path / "a place")
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": "/nowhere"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("greeting x y\n", 0), done.stderr


def test_what_can_not_be_had_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no .*none.txt"):
        build(tmp_path / "none.txt", tmp_path / "e.tar.gz")
    (tmp_path / "r.txt").write_text("./no-such.whl\n", encoding="utf-8")
    with pytest.raises(UsageError, match="'3' is no version of Python"):
        build(tmp_path / "r.txt", tmp_path / "e.tar.gz", "3")
    with pytest.raises(InfrastructureError, match=r"the packages of .*r\.txt can't be had: .*no-such"):
        build(tmp_path / "r.txt", tmp_path / "e.tar.gz", HERE)
    assert list(tmp_path.glob("*.tar.gz")) == []
