"""Small models as folders, written by hand: a sentiment of five words, and a fraud of two columns."""

from __future__ import annotations

import json
from pathlib import Path

from sparkkit.models.bundle import Bundle, seal
from sparkkit.portable.java import bucket
from sparkkit.schema.contract import Column, Contract

WORDS = {"good": 2.0, "great": 3.0, "bad": -2.0, "awful": -3.0, "<b>": 1.5}
SIZE = 1 << 18
TEXT = Contract("reviews", (Column("text", "string", required=True, description="A review", limits={"maxLength": 2000}),))
PAYMENT = Contract("payments", (
    Column("amount", "double", required=True, limits={"minimum": 0, "maximum": 100000}),
    Column("country", "string", required=True, limits={"enum": ["DE", "FR", "other"]}),
    Column("card", "string", pii=True, limits={"pattern": "^[0-9]{4}$"}),
    Column("saved", "boolean"), Column("items", "int", limits={"exclusiveMaximum": 100}), Column("day", "date"),
    Column("fraud", "int"),
))


def _save(folder: Path, stages: list[dict[str, object]], card: dict[str, object], contract: Contract) -> Bundle:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / "portable.json").write_text(json.dumps({"format": 1, "stages": stages}), encoding="utf-8")
    whole = {"run": "20260101-000000-aaaaaa", "threshold": None, "portable": None, "packages": {"pyspark": "4.2.0"}, "metrics": {}}
    return seal(folder, {**whole, **card, "contract": json.loads(contract.to_json())})


def sentiment(folder: Path, version: str = "1", intercept: float = 0.25) -> Bundle:
    """Positive and negative words, hashed."""
    weights = sorted((bucket(word, SIZE), weight) for word, weight in WORDS.items())
    coefficients = {"size": SIZE, "indices": [at for at, _ in weights], "values": [weight for _, weight in weights]}
    stages: list[dict[str, object]] = [
        {"stage": "Tokenizer", "input": "text", "output": "words"},
        {"stage": "HashingTF", "input": "words", "output": "tf", "numFeatures": SIZE, "binary": False},
        {"stage": "LogisticRegressionModel", "features": "tf", "prediction": "prediction", "raw": "raw", "probability": "probability",
         "coefficients": [coefficients], "intercepts": [intercept], "threshold": 0.5},
    ]
    card = {"name": "sentiment", "version": version, "task": "binary", "label": "sentiment", "classes": ["negative", "positive"]}
    return _save(folder, stages, card, TEXT)


def fraud(folder: Path, **card: object) -> Bundle:
    """An amount and a country; Luxembourg was never seen, nor is it in the contract; nor was France by the model."""
    stages: list[dict[str, object]] = [
        {"stage": "StringIndexerModel", "columns": [["country", "ci"]], "handleInvalid": "error", "labels": [["DE", "other"]]},
        {"stage": "VectorAssembler", "inputs": ["amount", "ci"], "output": "v", "handleInvalid": "error"},
        {"stage": "LogisticRegressionModel", "features": "v", "prediction": "prediction", "raw": "raw", "probability": "probability",
         "coefficients": [[0.01, 1.0]], "intercepts": [-2.0], "threshold": 0.5},
    ]
    return _save(folder, stages, {"name": "fraud", "version": "7", "task": "binary", "label": "fraud", "classes": [0, 1], **card}, PAYMENT)
