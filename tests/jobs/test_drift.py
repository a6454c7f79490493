"""The job drift on the payments of its conf: the alarm, the kept profile, and the real payments."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkkit.testing import RunJob

pytest.importorskip("scipy")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths of a conf are the project's."""
    monkeypatch.chdir(ROOT)


def test_planted_drift_of_the_sample_is_an_alarm_and_the_table_is_published(run_job: RunJob) -> None:
    done = run_job("drift", options=["--predictions=risk_score"])
    found = {(row.feature, row.role, row.severity) for row in done.output.where("severity <> 'none'").collect()}
    assert (done.exit_code, done.record["reason"]) == (4, "alarm")
    assert done.message == "alarm: 12 rows of 'verdicts' where severity = 'alarm': amount_eur, risk_score, vendor_vertical"
    assert found == {("amount_eur", "feature", "alarm"), ("vendor_vertical", "feature", "alarm"), ("risk_score", "prediction", "alarm")}


def test_a_kept_profile_stands_for_the_reference(run_job: RunJob) -> None:
    kept = run_job("drift_profile")
    done = run_job("drift", {"reference": kept.output, "current": ROOT / "data" / "payments"},
                   ["--set=inputs.reference.contract=drift_profile", "--limit=ks=0.01,0.02"])
    assert (kept.exit_code, done.exit_code, done.output.where("severity <> 'none'").count()) == (0, 0, 0)


def test_a_limit_that_is_none_is_refused(run_job: RunJob) -> None:
    done = run_job("drift", options=["--limit=psi"])
    assert (done.exit_code, "is not MEASURE=WARNING,ALARM" in done.message) == (2, True)


def test_real_payments_drift_where_they_are_changed_and_nowhere_else(spark: SparkSession, real_data: Path, run_job: RunJob) -> None:
    every = spark.read.csv(str(real_data / "fraud_data.csv"), header=True, inferSchema=True).drop("transaction_id", "order_date")
    half = F.pmod(F.hash(*every.columns), F.lit(2)) == 0
    some = F.pmod(F.hash("risk_score", "amount_eur"), F.lit(5)) == 0
    changed = every.where(~half).withColumn("amount_eur", F.when(some, F.col("amount_eur") * 100).otherwise(F.col("amount_eur")))
    untyped = [f"--set=inputs.{name}.contract=" for name in ("reference", "current")] + ["--set=params.ignore=[]"]
    done = run_job("drift", {"reference": every.where(half), "current": changed}, untyped)
    assert (done.exit_code, {row.feature for row in done.output.where("severity <> 'none'").collect()}) == (4, {"amount_eur"})
