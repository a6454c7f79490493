"""The image of a server: a model is trained, the Dockerfile's steps are done in chroots, and its server is asked, not as root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.serving import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def trained(folder: Path) -> Path:
    """A version of a sentiment in a registry of its own."""
    argv = [sys.executable, "-m", "sparkkit", "run", "train_sentiment", "--characters=0", f"--output=holdout={folder}/holdout",
            f"--output=metrics={folder}/metrics", f"--ledger={folder}/ledger"]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/models/mlflow.db"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (card,) = (folder / "models").rglob("card.json")
    return card.parent


def test_the_image_serves_as_a_user_and_answers_as_a_server_outside(tmp_path: Path) -> None:
    asked = subprocess.run(["scripts/dockerfile.sh", "--needs"], cwd=ROOT, capture_output=True, text=True)
    if asked.returncode == 2:
        pytest.skip(asked.stderr.strip())
    assert asked.returncode == 0, asked.stderr
    argv = ["scripts/dockerfile.sh", str(trained(tmp_path)), '{"text": "The soup was lovely"}']
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["user_ids"], found["answer"]["prediction"], found["same_outside"]) == ([10001], 1, True)
    assert not [*tmp_path.glob("dockerfile.*")] and str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")
