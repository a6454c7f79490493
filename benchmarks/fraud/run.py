"""Chargebacks: spark.ml by sparkkit's training against scikit-learn's logistic regression and tuned boosted trees, in one run.

    ./scripts/bench.sh fraud --data fraud_data.csv

Trained on the first 24,000 payments, judged on the last 6,000, without `order_final_status`, which is known only after the outcome. The
guards of the training run, too. The interval is a paired bootstrap over the test rows.
"""

from __future__ import annotations

import argparse
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

LABEL = "is_actual_chargeback"
SCHEMA = (
    "transaction_id bigint, order_date timestamp_ntz, global_entity_id string, amount_eur double, vendor_vertical string,"
    " has_discount string, customer_source_type string, is_saved_card string, issuer_country_group string, card_type string,"
    " is_3ds_eligible string, rule_name string, rule_action string, risk_score double, payment_switch int, order_final_status string,"
    " is_actual_chargeback int"
)


def job() -> Any:
    """The module of jobs/train_fraud.py."""
    spec = importlib.util.spec_from_file_location("train_fraud", ROOT / "jobs" / "train_fraud.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def peers(data: Path) -> dict[str, np.ndarray]:
    """scikit-learn's scores of the last 6,000 payments; the trees are tuned on the first 24,000, the later of them as their test."""
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    rows = pd.read_csv(data, keep_default_na=False, parse_dates=["order_date"])
    rows["hour"] = rows.order_date.dt.hour
    cats, nums = list(job().CATEGORIES), [*job().NUMBERS, "hour"]
    rows[cats] = rows[cats].astype(str)
    train, test = rows[:24_000], rows[24_000:]
    linear = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), cats), (StandardScaler(), nums)), LogisticRegression(max_iter=2000)
    )

    def trees(rate: float, leaves: int, rounds: int) -> Any:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        return make_pipeline(
            make_column_transformer((encoder, cats), ("passthrough", nums)),
            HistGradientBoostingClassifier(learning_rate=rate, max_leaf_nodes=leaves, max_iter=rounds, random_state=0),
        )

    grid = [(rate, leaves, rounds) for rate in (0.03, 0.05, 0.1) for leaves in (3, 4, 7, 15) for rounds in (100, 200, 400)]
    early, late = train[:19_200], train[19_200:]

    def tried(options: tuple[float, int, int]) -> float:
        made = trees(*options).fit(early[cats + nums], early[LABEL])
        return float(roc_auc_score(late[LABEL], made.predict_proba(late[cats + nums])[:, 1]))

    best = max(grid, key=tried)
    found = {"logistic": linear, f"trees {best}": trees(*best)}
    return {name: made.fit(train[cats + nums], train[LABEL]).predict_proba(test[cats + nums])[:, 1] for name, made in found.items()}


def more(learned: Any) -> dict[str, Any]:
    """Slices, calibration and cost curve of the test part."""
    from sparkkit.ml import evaluate

    return {
        "slices": {f["slice"]: round(f["value"], 4) for f in learned.figures if f["metric"] == "roc_auc"},
        "calibration": [[round(v, 4) for v in row] for row in evaluate.calibration(learned.predicted, label=LABEL).collect()],
        "cost_curve": [
            [round(v, 4) for v in row] for row in evaluate.cost_curve(learned.predicted, label=LABEL, costs=(1.0, 5.0), steps=20).collect()
        ],
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument(
        "--data", type=Path, default=Path(os.environ.get("SPARKKIT_REAL_DATA", ROOT.parent / "shared" / "data")) / "fraud_data.csv"
    )
    args = options.parse_args()
    from sklearn.metrics import roc_auc_score

    from sparkkit import session
    from sparkkit.learning.learn import learn

    spark = session.start({"spark.sql.shuffle.partitions": "2"}, app_name="fraud", profile="default")
    payments = spark.read.csv(str(args.data), header=True, schema=SCHEMA)
    scores, ours, told = {}, {}, {}
    for kind in ("logistic", "trees"):
        began = time.monotonic()
        learned = learn(spark, job().JOB, payments, {"seed": 17, "kind": kind, "regularisation": 0.003})
        rows = learned.predicted.orderBy("transaction_id").select("score", LABEL).collect()
        scores[kind] = np.array([row.score for row in rows])
        ours[kind] = {
            "seconds": round(time.monotonic() - began, 1),
            "rows": learned.rows,
            "figures": {
                f["metric"]: [round(f[end], 4) for end in ("value", "low", "high")] for f in learned.figures if f["slice"] == "all"
            },
        }
        told[kind] = more(learned)
        y = np.array([row[LABEL] for row in rows])
        learned.close()
    session.stop(spark)
    others = peers(args.data)
    auc = {
        **{f"sparkkit {k}": roc_auc_score(y, s) for k, s in scores.items()},
        **{f"scikit-learn {k}": roc_auc_score(y, s) for k, s in others.items()},
    }
    mine = "logistic"  # as the job has it: the test part chooses nothing
    best = max(others, key=lambda k: roc_auc_score(y, others[k]))
    random = np.random.default_rng(17)
    draws = [
        roc_auc_score(y[i], scores[mine][i]) - roc_auc_score(y[i], others[best][i])
        for i in (random.integers(0, len(y), len(y)) for _ in range(1000))
    ]
    found = {
        "roc_auc": {k: round(float(v), 4) for k, v in auc.items()},
        "compared": [mine, best],
        "difference": round(float(roc_auc_score(y, scores[mine]) - roc_auc_score(y, others[best])), 4),
        "interval": [round(float(v), 4) for v in np.percentile(draws, [2.5, 97.5])],
        "sparkkit": ours,
        "told": told[mine],
        "cores": os.cpu_count(),
    }
    (RESULTS / "fraud.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({**found, "told": "see benchmarks/results/fraud.json"}, indent=1))


if __name__ == "__main__":
    main()
