"""A model of chargebacks of payments, from what is known when a customer pays: trained on the past, judged on what came after."""
from __future__ import annotations

from typing import Literal

from pyspark.ml import Pipeline
from pyspark.ml.classification import GBTClassifier, LogisticRegression

from sparkkit import DataFrame, Training, main
from sparkkit.ml import steps
from sparkkit.ml.search import Search, choice, log, whole
from sparkkit.ml.splits import Split

CATEGORIES = (
    "global_entity_id", "vendor_vertical", "has_discount", "customer_source_type", "is_saved_card", "issuer_country_group", "card_type",
    "is_3ds_eligible", "rule_name", "rule_action", "payment_switch",
)
NUMBERS = ("amount_eur", "risk_score")


def build(payments: DataFrame) -> DataFrame:
    """Each payment is an example."""
    return payments


def fit(
    train: DataFrame, *, kind: Literal["logistic", "trees"] = "logistic", regularisation: float = 0.003, depth: int = 3, rounds: int = 80,
    seed: int,
) -> Pipeline:
    """The pipeline.

    Args:
        kind: a logistic regression, or boosted trees.
        regularisation: how much great weights cost (L2), of the logistic regression.
        depth: of the trees.
        rounds: how many trees.
        seed: of the trees.
    """
    model: LogisticRegression | GBTClassifier
    if kind == "logistic":
        model = LogisticRegression(regParam=regularisation, maxIter=60)
    else:
        model = GBTClassifier(maxDepth=depth, maxIter=rounds, stepSize=0.1, subsamplingRate=0.7, seed=seed)
    amount = steps.logarithm(["amount_eur"])
    hour = steps.dates("order_date", parts=("hour",), categorical=True)
    numbers = steps.numbers([*amount.outputs, *NUMBERS], missing="median", clip=(0.001, 0.999))
    return steps.pipeline(amount, steps.categories(CATEGORIES), hour, numbers, model=model)


JOB = Training(
    build, fit=fit, label="is_actual_chargeback", features=("order_date", *NUMBERS, *CATEGORIES), at="order_date",
    split=Split(at="order_date", test=0.2), slices=("global_entity_id", "issuer_country_group"), costs=(1.0, 5.0),
    checks=("low(roc_auc) >= 0.65", "calibration_error <= 0.1"), better="roc_auc",
    search=Search({
        "kind": choice("logistic", "trees"), "regularisation": log(1e-4, 1.0).only("kind", "logistic"),
        "depth": whole(2, 5).only("kind", "trees"), "rounds": whole(20, 120, step=20).only("kind", "trees"),
    }),
    contracts={"payments": "payments"}, settings={"inputs.payments.format": "csv"},
)
if __name__ == "__main__":
    main(JOB)
