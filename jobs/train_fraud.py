"""A model of chargebacks of payments, from what is known when a customer pays: trained on the past, judged on what came after."""
from __future__ import annotations

from typing import Literal

from pyspark.ml import Pipeline
from pyspark.ml.classification import GBTClassifier, LogisticRegression

from sparkkit import DataFrame, Training, main
from sparkkit.ml import steps
from sparkkit.ml.splits import Split

CATEGORIES = ("shop", "customer", "card", "country")
NUMBERS = ("amount", "account_age_days")


def build(payments: DataFrame) -> DataFrame:
    """Each payment is an example."""
    return payments


def fit(train: DataFrame, *, kind: Literal["logistic", "trees"] = "logistic", regularisation: float = 1e-3, seed: int) -> Pipeline:
    """The pipeline.

    Args:
        kind: a logistic regression, or boosted trees.
        regularisation: how much great weights cost (L2), of the logistic regression.
        seed: of the trees.
    """
    model: LogisticRegression | GBTClassifier
    if kind == "logistic":
        model = LogisticRegression(regParam=regularisation, maxIter=50)
    else:
        model = GBTClassifier(maxDepth=3, maxIter=60, stepSize=0.1, subsamplingRate=0.7, seed=seed)
    amount = steps.logarithm(["amount"])
    time = steps.dates("paid_at", parts=("hour", "weekday"), categorical=True)
    numbers = steps.numbers([*amount.outputs, *NUMBERS], missing="median", indicator=True, clip=(0.001, 0.999))
    return steps.pipeline(amount, steps.categories(CATEGORIES), time, numbers, model=model)


JOB = Training(
    build, fit=fit, label="chargeback", features=("paid_at", *NUMBERS, *CATEGORIES), at="paid_at", split=Split(at="paid_at", test=0.2),
    slices=("country", "shop"), costs=(1.0, 5.0), checks=("low(roc_auc) >= 0.6", "calibration_error <= 0.1"), better="roc_auc",
    contracts={"payments": "payments"}, settings={"inputs.payments.format": "csv"},
)
if __name__ == "__main__":
    main(JOB)
