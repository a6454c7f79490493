"""Environments for end-to-end tests: a Python that holds exactly the packages that are named, without any download."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(folder: Path, wanted: Callable[[str], bool]) -> Path:
    """A fresh environment whose site-packages link to those of the running Python; returns its interpreter.

    Args:
        folder: where it goes.
        wanted: says by its name in site-packages whether a package is linked.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    for source in {Path(sysconfig.get_path("purelib")), Path(spec.origin).parents[1]}:
        for entry in source.iterdir():
            if wanted(entry.name) and not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def environment(python: Path, **more: str) -> dict[str, str]:
    """The variables of a process in such an environment: nothing of ours reaches it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYSPARK", "SPARK", "VIRTUAL_ENV"))}
    path = f"{python.parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(python), **more}


def run(argv: list[str], cwd: Path, env: dict[str, str], timeout: int = 300) -> subprocess.CompletedProcess[str]:
    """A process in a folder; its output is text."""
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout)


def wheel(folder: Path) -> Path:
    """The project's wheel, built from a copy of its sources so that nothing is left in the tree."""
    import shutil

    source = folder / "source"
    shutil.copytree(ROOT / "sparkkit", source / "sparkkit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder)]
    done = run(build, source, dict(os.environ))
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found
