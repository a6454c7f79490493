"""The daemons of `scripts/cluster.sh`, for the tests: those that are up, or some of our own for as long as the tests run."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]
POPULATION = """Area Code,Area Name,Year,Series,Value,Footnotes,Source
1,"Total, all countries or areas",2010,Population mid-year estimates (millions),"6,000.00",,made up
1,"Total, all countries or areas",2015,Population mid-year estimates (millions),"7,500.00",,made up
4,Afghanistan,2015,Population mid-year estimates (millions),45.00,,made up
8,Albania,2015,Population mid-year estimates (millions),not known,,made up
"""
"""An input of `population_report`, with a value that is none."""

SCRIPT = [sys.executable, str(ROOT / "scripts" / "cluster.py")]


@contextmanager
def running(*kinds: str) -> Iterator[dict[str, str]]:
    """The variables that lead to daemons of these kinds; skips where they can't be had.

    Those that are up already are used and left up; what is started here ends with the block.
    """
    before = _call("status")
    done = _call("up", *kinds)
    if done.returncode == 3 and re.search("no (HDFS and YARN|S3|MinIO|PostgreSQL) here", done.stderr):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    try:
        lines = _call("env").stdout.splitlines()
        yield dict(shlex.split(line.removeprefix("export "))[0].split("=", 1) for line in lines)
    finally:
        if before.returncode:
            _call("down")


def again(*kinds: str) -> None:
    """Starts those that have died; what they held is there."""
    done = _call("up", *kinds)
    assert done.returncode == 0, done.stderr


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    # a server is built first, where it never was
    return subprocess.run([*SCRIPT, *words], capture_output=True, text=True, check=False, timeout=1200)


def submit(found: dict[str, str], *words: str, cwd: Path = ROOT, timeout: int = 900) -> subprocess.CompletedProcess[str]:
    """`sparkkit submit`, to its end."""
    return sparkkit(found, "submit", *words, cwd=cwd, timeout=timeout)


def sparkkit(found: dict[str, str], *words: str, cwd: Path = ROOT, timeout: int = 900) -> subprocess.CompletedProcess[str]:
    """A verb on a machine that knows the daemons."""
    command = [sys.executable, "-m", "sparkkit", *words]
    return subprocess.run(command, cwd=cwd, env=_environment(found), capture_output=True, text=True, check=False, timeout=timeout)


def start(found: dict[str, str], *words: str, cwd: Path = ROOT, log: Path) -> subprocess.Popen[bytes]:
    """`sparkkit submit`, not waited for; what it says goes into a file, for a pipe that nobody reads would stop it."""
    command = [sys.executable, "-m", "sparkkit", "submit", *words]
    with log.open("wb") as said:
        return subprocess.Popen(command, cwd=cwd, env=_environment(found), stdout=subprocess.DEVNULL, stderr=said)


def _environment(found: dict[str, str]) -> dict[str, str]:
    """The executors have the nodes' own Python, and no packages of ours."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK", "PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PYTHONPATH": str(ROOT), **found, "SPARK_LOCAL_IP": "127.0.0.1"}


class Hdfs:
    """Files of a test, by WebHDFS: no JVM for each."""

    def __init__(self, found: dict[str, str]) -> None:
        """Finds the NameNode's web address in the conf that the daemons were started with."""
        ports = json.loads((Path(found["HADOOP_CONF_DIR"]).parent / "ports.json").read_text(encoding="utf-8"))
        self.out = f"/out/{uuid4().hex}"
        self.root, self._web = found["SPARKKIT_HDFS"], f"http://127.0.0.1:{ports['nn-web']}/webhdfs/v1"

    def _ask(self, method: str, path: str, query: str, data: bytes | None = None) -> bytes:
        user = os.environ.get("USER") or "root"
        url = f"{self._web}{urllib.request.quote(path)}?{query}&user.name={user}"
        request = urllib.request.Request(url, method=method, data=data, headers={"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def put(self, local: Path, path: str) -> None:
        """A file, or the files of a folder, into a folder of HDFS."""
        for file in [local] if local.is_file() else sorted(f for f in local.rglob("*") if f.is_file()):
            inside = file.name if local.is_file() else file.relative_to(local).as_posix()
            place = json.loads(self._ask("PUT", f"{path}/{inside}", "op=CREATE&overwrite=true&noredirect=true"))["Location"]
            with urllib.request.urlopen(urllib.request.Request(place, method="PUT", data=file.read_bytes()), timeout=60):
                pass

    def list(self, path: str) -> list[dict[str, Any]]:
        """The entries of a folder."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", path, "op=LISTSTATUS"))["FileStatuses"]["FileStatus"]
        return found

    def get(self, path: str, local: Path) -> Path:
        """A folder of HDFS with all that is in it, into one here."""
        local.mkdir(parents=True, exist_ok=True)
        for entry in self.list(path):
            name = entry["pathSuffix"]
            if entry["type"] == "DIRECTORY":
                self.get(f"{path}/{name}", local / name)
            else:
                (local / name).write_bytes(self._ask("GET", f"{path}/{name}", "op=OPEN"))
        return local
