"""A model trained and used on a real YARN, with a real MLflow server as the registry: what it scores there is what it scores here."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.e2e import cluster
from tests.e2e.cluster import ROOT, Hdfs

pytest.importorskip("mlflow")
pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
SERVER = ("aiohttp==3.*", "huey==3.*", "flask-cors==6.*")
"""What the server of MLflow needs beyond its client."""

DRIVER = ("--conf", "spark.driver.memory=900m", "--conf", "spark.driver.memoryOverhead=1000m")
"""For a driver in a container, which has NumPy and MLflow beside its JVM."""


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, str]]:
    with cluster.running("hdfs", "yarn") as variables:
        yield variables


@pytest.fixture(scope="module")
def hdfs(found: dict[str, str]) -> Hdfs:
    made = Hdfs(found)
    made.put(ROOT / "data" / "reviews", "/in/reviews")
    return made


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own server, over HTTP, with the artifacts on its side."""
    path = tmp_path_factory.mktemp("mlflow")
    python = _python(path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{path}/mlflow.db", "--host", "127.0.0.1", "--port", str(port),
             "--artifacts-destination", str(path / "artifacts"), "--workers", "1"]
    with (path / "log").open("wb") as log:
        server = subprocess.Popen([python, *words], cwd=path, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, path / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _python(path: Path) -> str:
    """A Python with the packages of this one and those of the server."""
    venv.create(path / "python", with_pip=True)
    python = path / "python" / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *SERVER], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"no server of MLflow here: {done.stderr.strip().splitlines()[-1]}")
    site = next((path / "python" / "lib").glob("python3*")) / "site-packages"
    (site / "these.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")), encoding="utf-8")
    return str(python)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < ends and server.poll() is None, log.read_text(encoding="utf-8")[-2000:]
            time.sleep(0.5)


def submit(found: dict[str, str], hdfs: Hdfs, *words: str) -> subprocess.CompletedProcess[str]:
    """`sparkkit submit` to YARN, whose nodes have a Python with these packages."""
    nodes = ("--target", "yarn", "--wait", "--conf", f"spark.pyspark.python={sys.executable}", "--conf", "spark.executor.instances=1")
    return cluster.submit(found, *nodes, *words, "--ledger", f"{hdfs.root}/ledger")


def test_a_model_is_trained_on_the_cluster_and_scores_there_as_here(
    found: dict[str, str], hdfs: Hdfs, registry: str, tmp_path: Path
) -> None:
    reviews, out = f"{hdfs.root}/in/reviews", f"{hdfs.root}{hdfs.out}"
    server = ("--set", f"run.registry={registry}")
    trained = submit(found, hdfs, "--deploy-mode", "cluster", *DRIVER, "train_sentiment", "--input", reviews, "--output", f"{out}/train",
                     "--characters", "0", "--promote", *server)
    assert trained.returncode == 0, trained.stderr
    with urllib.request.urlopen(f"{registry}/api/2.0/mlflow/registered-models/get?name=sentiment", timeout=30) as answer:
        aliases = json.loads(answer.read())["registered_model"]["aliases"]
    assert {"alias": "champion", "version": "1"} in aliases

    score = ("score", "--model", "sentiment", "--set", "inputs.data.contract=reviews", *server)
    there = submit(found, hdfs, "--deploy-mode", "client", *score, "--input", reviews, "--output", f"{out}/scores")
    assert there.returncode == 0, there.stderr
    here = cluster.sparkkit({}, "run", *score, "--input", str(ROOT / "data" / "reviews"), "--output", str(tmp_path / "here"),
                            "--ledger", str(tmp_path / "ledger"))
    assert here.returncode == 0, here.stderr
    hdfs.get(f"{hdfs.out}/scores", tmp_path / "there")
    one, other = (_scores(tmp_path / name) for name in ("there", "here"))
    assert one.keys() == other.keys() and len(one) > 700
    assert all(one[text] == pytest.approx(other[text], abs=1e-9) for text in one)


def _scores(path: Path) -> dict[str, float]:
    return dict(duckdb.sql(f"select text, score from '{path}/*.parquet' where model = 'sentiment' and model_version = 1").fetchall())
