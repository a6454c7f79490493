"""The whole loop: train, promote, serve, drifted data, alarm, train again, promoted and served without a restart, rolled back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from scripts.samples import payments, write
from tests.e2e.serving import ROOT, Server, serving

pytestmark = pytest.mark.e2e
PAST = ROOT / "data" / "payments"
RECORD = {
    "order_date": "2026-03-01T03:00:00", "amount_eur": 80.0, "risk_score": 40.0, "payment_switch": 0, "rule_name": "None",
    "rule_action": "none", "global_entity_id": "FO_AA", "vendor_vertical": "restaurants", "has_discount": "False", "card_type": "DEBIT",
    "customer_source_type": "New", "is_saved_card": "False", "issuer_country_group": "Local", "is_3ds_eligible": "True",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of its own, and newer payments in which much has changed, as many as those of the sample."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/models/mlflow.db")
    write(tmp_path / "newer" / "payments.csv", "payments", payments(4000, seed=3, first=4001, changed=True))
    return tmp_path


def sparkkit(world: Path, *words: str, code: int = 0) -> str:
    """What the command says, which has to end so."""
    done = subprocess.run([sys.executable, "-m", "sparkkit", *words], cwd=ROOT, capture_output=True, text=True, timeout=600,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr


def train(world: Path, name: str, data: Path) -> dict:
    """A training that may promote; its record's model."""
    sparkkit(world, "run", "train_fraud", f"--input=payments={data}", "--promote", f"--output={world / 'out' / name}",
             f"--record={world / name}.json", f"--ledger={world / 'ledger'}")
    return json.loads((world / f"{name}.json").read_text(encoding="utf-8"))["model"]


def version(server: Server) -> int:
    """The version that answers."""
    status, said = server.ask("/predict", json.dumps(RECORD).encode())
    assert status == 200, said
    return int(json.loads(said)["version"])


def until(server: Server, wanted: int) -> None:
    """Waits for a version, a minute at most."""
    ends = time.monotonic() + 60
    while version(server) != wanted:
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_a_model_is_trained_served_watched_trained_again_and_rolled_back(world: Path):
    assert train(world, "past", PAST)["champion"]
    drift = ("run", "drift", f"--input=current={world / 'newer'}", f"--output={world / 'drift'}", f"--ledger={world / 'ledger'}",
             f"--record={world}/drift.json")
    with serving(Path("fraud@champion"), "--poll", "0.5") as server:
        assert version(server) == 1
        said = sparkkit(world, *drift, code=4)
        assert "vendor_vertical" in said.splitlines()[-1]
        due = sparkkit(world, "models", "due", "fraud", f"--verdicts={world / 'drift'}", "--new-rows=4000", "--exit-code")
        assert due.startswith("retrain: ")

        seen: Counter[object] = Counter()
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                status, text = server.ask("/predict", json.dumps(RECORD).encode())
                seen[json.loads(text)["version"] if status == 200 else text] += 1

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            again = train(world, "newer", world / "newer")
            assert again["champion"], again["why"]
            until(server, 2)
        finally:
            ended.set()
            asking.join()
        assert {int(str(v)) for v in seen} == {1, 2}  # every request was answered, by one version or the other
        sparkkit(world, "models", "rollback", "fraud")
        until(server, 1)
    assert "champion" in sparkkit(world, "models", "list", "fraud")
