"""The pipeline of jobs/train_sentiment.py against scikit-learn's TF-IDF with a logistic regression, on the same five folds in one run.

    ./scripts/bench.sh sentiment --data sentiments.csv

The folds (stratified, seed 17) are made once, in benchmarks/results/sentiment_folds.csv. The interval is a paired bootstrap over the rows.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "benchmarks" / "results"


def folds(spark: Any, data: Path, where: Path) -> list[int]:
    """The fold of each row of the file, made once and kept."""
    from pyspark.sql import functions as F

    from sparkkit.ml import splits

    if not where.is_file():
        rows = spark.createDataFrame(_rows(data), "i int, text string, sentiment int")
        made = rows.transform(splits.folds, k=5, keys="text", by="sentiment", seed=17).orderBy(F.col("i")).select("i", "fold").collect()
        where.write_text("row,fold\n" + "".join(f"{i},{fold}\n" for i, fold in made), encoding="utf-8")
    with where.open(encoding="utf-8") as file:
        return [int(row["fold"]) for row in csv.DictReader(file)]


def _rows(data: Path) -> list[tuple[int, str, int]]:
    with data.open(encoding="utf-8", newline="") as file:
        return [(i, row["text"], int(row["sentiment"])) for i, row in enumerate(csv.DictReader(file))]


def ours(spark: Any, rows: list[tuple[int, str, int]], fold: list[int]) -> tuple[np.ndarray, list[float]]:
    """What the pipeline says of each row when its fold is left out, and the seconds of each fit."""
    from pyspark.sql import functions as F

    spec = importlib.util.spec_from_file_location("train_sentiment", ROOT / "jobs" / "train_sentiment.py")
    assert spec and spec.loader
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    said, seconds = np.zeros(len(rows)), []
    made = [(i, text, float(y), f) for (i, text, y), f in zip(rows, fold, strict=True)]
    frame = spark.createDataFrame(made, "i int, text string, target double, fold int").coalesce(1).persist()
    frame.count()
    for k in range(5):
        began = time.monotonic()
        model = job.fit(frame.where(F.col("fold") != k)).fit(frame.where(F.col("fold") != k))
        seconds.append(round(time.monotonic() - began, 1))
        for row in model.transform(frame.where(F.col("fold") == k)).select("i", "prediction").collect():
            said[row.i] = row.prediction
    return said, seconds


def theirs(rows: list[tuple[int, str, int]], fold: list[int], **settings: Any) -> np.ndarray:
    """scikit-learn's answer, in the same way."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    text, y, at = [r[1] for r in rows], np.array([r[2] for r in rows]), np.array(fold)
    said = np.zeros(len(rows))
    for k in range(5):
        train, test = np.flatnonzero(at != k), np.flatnonzero(at == k)
        made = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=bool(settings.get("sublinear"))),
            LogisticRegression(C=settings.get("C", 1.0), max_iter=1000),
        )
        made.fit([text[i] for i in train], y[train])
        said[test] = made.predict([text[i] for i in test])
    return said


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument(
        "--data", type=Path, default=Path(os.environ.get("SPARKKIT_REAL_DATA", ROOT.parent / "shared" / "data")) / "sentiments.csv"
    )
    args = options.parse_args()
    from sparkkit import session

    spark = session.start({"spark.sql.shuffle.partitions": "2"}, app_name="sentiment", profile="default")
    rows = _rows(args.data)
    fold = folds(spark, args.data, RESULTS / "sentiment_folds.csv")
    y = np.array([r[2] for r in rows])
    began = time.monotonic()
    right, seconds = ours(spark, rows, fold)
    whole = time.monotonic() - began
    session.stop(spark)
    mine, peers = right == y, {"default": theirs(rows, fold) == y, "C=10, sublinear": theirs(rows, fold, C=10, sublinear=True) == y}
    best = max(peers, key=lambda name: peers[name].mean())
    random = np.random.default_rng(17)
    draws = [(mine[i].mean() - peers[best][i].mean()) for i in (random.integers(0, len(y), len(y)) for _ in range(2000))]
    by_fold = [round(float(mine[np.array(fold) == k].mean()), 4) for k in range(5)]
    found = {
        "rows": len(rows),
        "sparkkit": round(float(mine.mean()), 4),
        "sparkkit_by_fold": by_fold,
        "scikit_learn": {name: round(float(value.mean()), 4) for name, value in peers.items()},
        "difference": round(float(mine.mean() - peers[best].mean()), 4),
        "interval": [round(float(v), 4) for v in np.percentile(draws, [2.5, 97.5])],
        "fit_seconds": seconds,
        "five_folds_seconds": round(whole, 1),
        "cores": os.cpu_count(),
    }
    (RESULTS / "sentiment.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
