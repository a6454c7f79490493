"""What the server answers is what Spark writes, on every row of the real data."""

from __future__ import annotations

import json

import pytest
from pyspark.ml.classification import GBTClassifier, LogisticRegression

from sparkkit.ml import steps
from sparkkit.models.bundle import seal
from sparkkit.portable.export import export
from sparkkit.schema.contract import Column, Contract
from sparkkit.serving.app import Settings, app

pytestmark = pytest.mark.e2e
AMOUNTS = ("amount_eur", "risk_score")
KINDS = ("vendor_vertical", "customer_source_type", "issuer_country_group", "card_type", "rule_name")


def served(folder, model, columns, rows):
    """The probabilities that a server of the model answers for records, 1,000 a request."""
    contract = Contract("input", tuple(Column(name, kind) for name, kind in columns.items()))
    folder.mkdir()
    (folder / "portable.json").write_text(json.dumps(export(model, columns)), encoding="utf-8")
    bundle = seal(folder, {"name": "m", "version": "1", "run": "r", "task": "binary", "label": None, "classes": [0, 1], "threshold": None,
                           "contract": json.loads(contract.to_json()), "portable": None})
    client = app(bundle, Settings(str(folder), max_body=1 << 24)).test_client()
    answers = []
    for at in range(0, len(rows), 1000):
        answer = client.post("/predict", json={"records": [row.asDict() for row in rows[at:at + 1000]]})
        assert answer.status_code == 200, answer.json
        answers += answer.json["predictions"]
    return [(one["prediction"], one["probability"]) for one in answers]


def batch(model, frame, columns):
    """The records, and Spark's own answers, in one pass so that both have one order."""
    rows = model.transform(frame).select(*columns, "prediction", "probability").collect()
    return rows, [(int(row.prediction), float(row.probability[1])) for row in rows]


def same(ours, theirs):
    assert [one[0] for one in ours] == [one[0] for one in theirs]
    assert max(abs(a[1] - b[1]) for a, b in zip(ours, theirs, strict=True)) < 1e-9


def test_reviews_are_answered_as_batch_scores_them(spark, real_data, tmp_path):
    frame = spark.read.csv(str(real_data / "sentiments.csv"), header=True, multiLine=True, escape='"').selectExpr(
        "text", "cast(sentiment as double) target")
    text = steps.text("text", characters=(2,))
    model = steps.pipeline(text, model=LogisticRegression(maxIter=5, regParam=1e-3)).fit(frame.cache())
    rows, theirs = batch(model, frame, ["text"])
    assert len(rows) == 3000
    same(served(tmp_path / "m", model, {"text": "string"}, [row.__class__(text=row.text) for row in rows]), theirs)


def test_payments_are_answered_as_batch_scores_them(spark, real_data, tmp_path):
    columns = {**dict.fromkeys(AMOUNTS, "double"), **dict.fromkeys(KINDS, "string"), "has_discount": "boolean"}
    raw = spark.read.csv(str(real_data / "fraud_data.csv"), header=True)
    casts = [f"cast({name} as {kind}) {name}" for name, kind in columns.items()]
    frame = raw.selectExpr(*casts, "cast(is_actual_chargeback as double) target")
    numbers = steps.numbers(AMOUNTS, indicator=True, clip=(0.01, 0.99))
    flag = steps.Step((), ("has_discount",))
    model = steps.pipeline(numbers, steps.categories(KINDS), flag, model=GBTClassifier(maxIter=3, maxDepth=4, seed=1)).fit(frame.cache())
    rows, theirs = batch(model, frame, list(columns))
    assert len(rows) == 30000
    same(served(tmp_path / "m", model, columns, [type(row)(**{name: row[name] for name in columns}) for row in rows]), theirs)
