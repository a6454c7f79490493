"""The packages that jobs need beside sparkkit, as one archive for a cluster whose Python lacks them; the same bytes for the same input.

It holds no Python: a folder of packages, and `bin/python`, a script that starts the node's own with them. So it can be unpacked anywhere,
and needs no more of the node than the right version of Python.
"""
from __future__ import annotations

import gzip
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission.package import write

THEIRS = ("pyspark", "py4j", "delta", "delta_spark")
"""Packages that go with the cluster's Spark: others than its own would be found first."""

CHANGING = ("__pycache__", "bin", "direct_url.json", "uv_cache.json", "INSTALLER", "REQUESTED", "RECORD", ".lock")
"""What an installer writes that is not the packages' own: paths and marks of this machine."""

PYTHON = """#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
PYTHONPATH="$here/packages${{PYTHONPATH:+:$PYTHONPATH}}" exec python{version} "$@"
"""


def build(requirements: Path, output: Path, version: str = "3.11") -> Path:
    """Installs what a requirements file asks for, and packs it; the archive's path.

    Args:
        requirements: in pip's format, best a lock with hashes: then the same file gives the same bytes on any day.
        output: where the archive goes, `.tar.gz`.
        version: the Python of the cluster's nodes, such as `3.11`; packages that have to be compiled need the same one here.

    Raises:
        UsageError: no such file, no such version, or no installer (uv or pip).
        InfrastructureError: the packages can't be had, or the archive can't be written.
    """
    if not requirements.is_file():
        raise UsageError(f"there is no {requirements}", reason="no_requirements", hint="name a file in pip's format by --requirements")
    if not re.fullmatch(r"3\.\d+", version):
        raise UsageError(f"{version!r} is no version of Python", reason="wrong_option", hint="write it as 3.11")
    with tempfile.TemporaryDirectory(prefix="sparkkit-") as folder:
        _install(requirements, Path(folder), version)
        data = _packed(Path(folder), version)
    return write(output, data)


def _install(requirements: Path, into: Path, version: str) -> None:
    uv, here = shutil.which("uv"), ".".join(map(str, sys.version_info[:2]))
    other = ["--python-version", version, "--only-binary=:all:"] if version != here else []
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    words = [uv, "pip", "install", "--quiet"] if uv else pip
    try:
        done = subprocess.run([*words, "--target", str(into), *other, "-r", str(requirements)], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"neither uv nor pip is here: {error}", reason="no_installer", hint="pip install uv") from error
    if done.returncode:
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given").strip()
        if "No module named pip" in said:
            raise UsageError("neither uv nor pip is here", reason="no_installer", hint="pip install uv")
        raise InfrastructureError(f"the packages of {requirements} can't be had: {said}", reason="not_installed",
                                  hint="check the file, and that the package index can be reached")


def _packed(folder: Path, version: str) -> bytes:
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        _add(archive, "bin/python", PYTHON.format(version=version).encode(), 0o755)
        for file in sorted(_kept(folder)):
            _add(archive, f"packages/{file.relative_to(folder).as_posix()}", file.read_bytes(), 0o644)
    return made.getvalue()


def _kept(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        inside = file.relative_to(folder).parts
        package = re.split(r"-\d", inside[0])[0].replace("-", "_").lower()
        if file.is_file() and not set(inside) & set(CHANGING) and package not in THEIRS:
            yield file


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), mode, 315532800  # 1980, as in the zip
    archive.addfile(entry, io.BytesIO(data))
