"""A model of the mood of reviews: TF-IDF of n-grams of words and characters, and a logistic regression."""
from __future__ import annotations

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression

from sparkkit import DataFrame, Training, main
from sparkkit.ml import steps
from sparkkit.ml.search import Search, log, whole
from sparkkit.ml.splits import Split


def build(reviews: DataFrame) -> DataFrame:
    """Each review is an example."""
    return reviews


def fit(train: DataFrame, *, regularisation: float = 1e-4, characters: int = 5) -> Pipeline:
    """The pipeline.

    Args:
        regularisation: how much great weights cost (L2); less follows the train part more closely.
        characters: the longest n-gram of characters, from 2; 0 for words alone.
    """
    model = LogisticRegression(regParam=regularisation, standardization=False, maxIter=50, tol=1e-6)
    return steps.pipeline(steps.text("text", characters=range(2, characters + 1)), model=model)


JOB = Training(
    build, fit=fit, label="sentiment", features=("text",), split=Split(test=0.2, by=("sentiment",)), slices=("source",),
    checks=("accuracy >= 0.75", "low(roc_auc) >= 0.75"), better="log_loss",
    search=Search({"regularisation": log(1e-6, 1e-2), "characters": whole(0, 6)}),
    contracts={"reviews": "reviews"}, settings={"inputs.reviews.format": "csv"},
)
if __name__ == "__main__":
    main(JOB)
