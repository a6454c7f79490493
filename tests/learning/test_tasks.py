"""Trainings of several classes and of a number, on the road of those of two."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit import run, sinks
from sparkkit.errors import ContractError, UsageError
from sparkkit.learning import contest, folds, tasks
from sparkkit.learning.learn import learn
from sparkkit.ledger import Record
from sparkkit.ml import steps
from sparkkit.ml.search import Search, choice
from sparkkit.ml.splits import Split
from sparkkit.models.model import load
from sparkkit.models.registry import where
from sparkkit.models.report import card
from sparkkit.project import Project
from sparkkit.serving.model import Model as Served
from sparkkit.training import Training

pytest.importorskip("mlflow")

CLASSES = ("low", "mid", "high")
COUNTS = {"examples": 400, "unlabelled": 8}


def build(rows):
    return rows


def several(train, *, regularisation: float = 0.01):
    from pyspark.ml.classification import LogisticRegression

    return steps.pipeline(steps.numbers(["x", "z"]), model=LogisticRegression(regParam=regularisation, maxIter=10))


def number(train, *, regularisation: float = 0.01):
    from pyspark.ml.regression import LinearRegression

    return steps.pipeline(steps.numbers(["x", "z"]), model=LinearRegression(regParam=regularisation, maxIter=10))


def training(kind: str, **more: Any) -> Training:
    own: dict[str, Any] = {"fit": several, "label": "level", "classes": CLASSES, "split": Split(by=("level",))}
    if kind == "regression":
        own = {"fit": number, "label": "price"}
    return Training(build, **{"name": f"train_{kind}", "task": kind, "features": ("x", "z"), **own, **more})


@pytest.fixture(scope="module")
def rows(spark):
    """400 rows, 8 of them without a label: the price follows x and z, and the level follows the price."""
    x, z, noise = F.rand(1) * 4 - 2, F.rand(2), F.rand(3)
    some = spark.range(400).select("id", x.alias("x"), z.alias("z"), noise.alias("noise"))
    price = F.when(F.col("id") >= 8, 100 + 10 * F.col("x") + 5 * F.col("z") + 6 * F.col("noise"))
    level = F.expr("case when price < 95 then 'low' when price < 112 then 'mid' when price is not null then 'high' end")
    return some.withColumn("price", price).withColumn("level", level).drop("noise").coalesce(1).persist()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def trained(spark, rows, home, tmp_path_factory):
    """Both trainings, run and promoted: by task the record, with the frames that it published."""
    path = tmp_path_factory.mktemp("trained")
    rows.write.parquet(str(path / "rows"))
    made = {}
    for task in ("multiclass", "regression"):
        job = training(task)
        over = {"inputs.rows.path": str(path / "rows"), **{f"outputs.{n}.path": str(path / task / n) for n in job.outputs}}
        conf = confs.load(home, job.name, inputs=job.inputs, outputs=job.outputs, params=(), over={**job.settings, **over})
        record = Record(f"run-{task}", job.name)
        params = {"seed": 17, "promote": True, "regularisation": 0.01}
        staged = run.run(spark, run.Request(job, conf, home, params), record)
        made[task] = record, {n: sinks.view(spark, s) for n, s in staged.items()}
    return made


def test_a_model_of_several_classes_names_the_class(trained):
    record, frames = trained["multiclass"]
    rows = record.model["rows"]
    assert COUNTS.items() <= rows.items() and rows["train"] + rows["test"] == 392
    assert {r.prediction for r in frames["holdout"].collect()} == set(CLASSES)
    hits = frames["holdout"].where("prediction = level").count() / rows["test"]
    assert record.model["metrics"]["accuracy"] == pytest.approx(hits) and hits > 0.75
    assert record.model["champion"]


def test_a_model_of_a_number_tells_it_in_the_labels_unit(trained):
    record, frames = trained["regression"]
    rows = record.model["rows"]
    assert COUNTS.items() <= rows.items() and rows["train"] + rows["test"] == 392
    mae = frames["holdout"].agg(F.avg(F.abs(F.col("prediction") - F.col("price")))).first()[0]
    assert record.model["metrics"]["mae"] == pytest.approx(mae) and record.model["metrics"]["r2"] > 0.9
    assert record.model["champion"]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_serving_answers_as_scoring_does(spark, rows, home, trained, task):
    model = load(spark, task, home)
    batch = model.score(rows).orderBy("id").limit(50).collect()
    served = Served.load(model.bundle)
    answers = [served.answer(s) for s in served.scorer.score([{"x": r.x, "z": r.z} for r in batch])]
    assert [a["prediction"] for a in answers] == pytest.approx([r.prediction for r in batch])
    assert [a["score"] for a in answers] == pytest.approx([r.score for r in batch], abs=1e-9)


@pytest.mark.parametrize(("task", "said"), [("multiclass", "level, one of low, mid, high"), ("regression", "price, a number")])
def test_the_card_says_what_is_predicted(home, trained, task, said):
    there = where(home)
    version = there.version(task)
    assert f"predicts   {said}\n" in card(there.bundle(version).card, version)


@pytest.mark.parametrize(("task", "figure"), [("multiclass", "accuracy"), ("regression", "rmse")])
def test_the_card_tells_which_feature_is_needed_most(home, trained, task, figure):
    there = where(home)
    importance = there.bundle(there.version(task)).card["importance"]
    most, other = importance["features"]
    assert (importance["figure"], most["feature"], most["low"] > other["value"] > 0) == (figure, "x", True)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_search_goes_by_the_task_s_figure(spark, rows, task):
    job = training(task, search=Search({"regularisation": choice(0.01, 50.0)}, folds=2))
    known = rows.withColumn("target", tasks.target(job)).where("target is not null")
    parts = folds.divided(job, known, 17).persist()
    folds.refuse_poor(job, parts)
    good, bad = (folds.figure(job, parts, 0, {"seed": 17, "regularisation": value}) for value in (0.01, 50.0))
    assert (job.better, good < bad) == (("rmse", True) if task == "regression" else ("accuracy", False)) and good != bad


def test_a_class_that_a_fold_can_not_learn_is_named(spark, rows):
    once = rows.withColumn("level", F.when(F.col("id") == 50, "odd").otherwise(F.col("level")))
    job = training("multiclass", classes=(*CLASSES, "odd"), search=Search({"regularisation": choice(0.01, 50.0)}, folds=2))
    parts = folds.divided(job, once.withColumn("target", tasks.target(job)), 17)
    with pytest.raises(ContractError, match="0 of the .* rows fitted on in fold . are level = 'odd'"):
        folds.refuse_poor(job, parts)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_worse_model_does_not_win(spark, rows, home, trained, task):
    job = training(task)
    learned = learn(spark, job, rows, {"seed": 17, "regularisation": 50.0})
    verdict = contest.against(contest.champion(spark, where(home), job), learned.predicted, job, rows=learned.rows["test"], seed=17)
    learned.close()
    assert not verdict.better and "against version 1 (interval" in verdict.why


def test_a_champion_of_another_task_is_not_compared(spark, rows, home, trained):
    job = training("regression", model="multiclass")
    verdict = contest.against(contest.champion(spark, where(home), job), rows, job, rows=1, seed=17)
    assert not verdict.better and "its task is 'multiclass', not 'regression'" in verdict.why


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_feature_that_tells_the_label_is_refused(spark, rows, task):
    near = F.expr("case level when 'low' then 1 when 'mid' then 2 else 3 end") if task == "multiclass" else F.col("price")
    leaking = rows.withColumn("told", near + F.rand(4) * 0.01)
    with pytest.raises(ContractError, match="feature told alone tells the label in"):
        learn(spark, training(task, features=("x", "z", "told")), leaking, {"seed": 17, "regularisation": 0.01})


def test_a_label_that_is_no_class_is_named(spark, rows):
    odd = rows.withColumn("level", F.when(F.col("id") == 50, "odd").otherwise(F.col("level")))
    with pytest.raises(ContractError, match="have a level that is none of the classes: odd"):
        learn(spark, training("multiclass", split=Split()), odd, {"seed": 17, "regularisation": 0.01})


def test_a_class_that_is_not_there_is_named(spark, rows):
    with pytest.raises(ContractError, match="no one of the .* examples of the train part has level = none"):
        learn(spark, training("multiclass", classes=(*CLASSES, "none")), rows, {"seed": 17, "regularisation": 0.01})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": "ranking"}, "its task is 'ranking'"),
        ({"classes": ("a", "b")}, r"task multiclass with the classes \['a', 'b'\]"),
        ({"task": "binary"}, "task binary with the classes"),
        ({"costs": (1.0, 5.0)}, "positive, threshold, costs and balance are of two classes"),
    ],
)
def test_what_can_be_no_training_is_refused_when_it_is_defined(change, said):
    with pytest.raises(UsageError, match=said):
        training("multiclass", **change)
