"""A training on the road: outputs, record, registry and champion together, or nothing at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit import run, sinks
from sparkkit.errors import ContractError, InfrastructureError, UsageError
from sparkkit.job import Job
from sparkkit.learning import contest
from sparkkit.ledger import Record
from sparkkit.ml import steps
from sparkkit.ml.balance import Balance
from sparkkit.ml.splits import Split
from sparkkit.models.bundle import Bundle
from sparkkit.models.model import load
from sparkkit.models.registry import Registry, where
from sparkkit.portable.linear import weights
from sparkkit.project import Project
from sparkkit.report import model as report
from sparkkit.training import Training

pytest.importorskip("mlflow")

Go = Callable[..., Record]


def build(rows):
    return rows


def fit(train, *, regularisation: float = 0.01):
    from pyspark.ml.classification import LogisticRegression

    return steps.pipeline(
        steps.numbers(["x"], indicator=True, scale="none"),
        steps.categories(["kind"]),
        model=LogisticRegression(regParam=regularisation, maxIter=10),
    )


def training(**more: Any) -> Training:
    return Training(
        **{
            "build": build,
            "fit": fit,
            "label": "y",
            "features": ("x", "kind"),
            "split": Split(by=("y",)),
            "model": "toy",
            "checks": ("accuracy >= 0.6",),
            "importance": 0,
            **more,
        },
        name="train_toy",
    )


@pytest.fixture(scope="module")
def stored(spark, tmp_path_factory) -> Path:
    """300 rows, 10 of them without a label: y follows x, and a little its kind."""
    path = tmp_path_factory.mktemp("toy") / "rows"
    rows = spark.range(300).select("id", (F.rand(1) * 4 - 2).alias("x"), F.when(F.col("id") % 3 == 0, "a").otherwise("b").alias("kind"))
    y = (F.rand(2) < 1 / (1 + F.exp(-3 * F.col("x") - (F.col("kind") == "a").cast("int")))).cast("int")
    rows.withColumn("y", F.when(F.col("id") >= 10, y)).coalesce(1).write.parquet(str(path))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def go(spark, tmp_path: Path, home: Project, stored: Path) -> Go:
    """One run of a training, or of another job, into `tmp_path`."""
    return runner(spark, tmp_path, home, stored)


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory, home: Project, stored: Path) -> Record:
    """The run that made the champion of the model `toy`."""
    return runner(spark, tmp_path_factory.mktemp("trained"), home, stored)(training(importance=300), promote=True)


def runner(spark, tmp_path: Path, home: Project, stored: Path) -> Go:
    numbers = iter(range(99))

    def call(job: Job, again: bool = False, **params: Any) -> Record:
        params = {"seed": 17, "promote": False, "regularisation": 0.01, **params} if isinstance(job, Training) else params
        over = {f"inputs.{n}.path": str(stored) for n in job.inputs}
        for name in job.outputs:
            over |= {f"outputs.{name}.path": str(tmp_path / name), f"outputs.{name}.mode": "overwrite"}
        conf = confs.load(home, job.name, inputs=job.inputs, outputs=job.outputs, params=(), over=over)
        record = Record(f"{tmp_path.name}-{next(numbers)}", job.name)
        record.code_version = "c1"
        staged = run.run(spark, run.Request(job, conf, home, params, again=again), record)
        record.frames = {n: sinks.view(spark, s) for n, s in staged.items()}  # type: ignore[attr-defined]
        return record

    return call


def test_a_training_publishes_its_test_part_and_figures_and_registers_its_model(trained, home):
    record = trained
    holdout, metrics = record.frames["holdout"], record.frames["metrics"]
    rows = record.model["rows"]
    assert rows["examples"] == 300 == rows["train"] + rows["test"] + rows["unlabelled"] and rows["unlabelled"] == 10
    assert holdout.count() == rows["test"] == record.outputs["holdout"]["written"]
    assert holdout.where("prediction = cast(score >= 0.5 as double) and score between 0 and 1").count() == rows["test"]
    version = where(home).version(f"toy:{record.model['version']}")
    assert "champion" in version.aliases and version.tags["sparkkit.run"] == record.run_id
    assert record.model["metrics"] == {r.metric: r.value for r in metrics.where("slice = 'all'").collect()}
    assert [c["success"] for c in record.checks] == [True]


def test_its_record_is_as_the_schema_says(trained):
    schema = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "run_record.schema.json").read_text(encoding="utf-8"))
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(json.dumps(trained.model)), schema["properties"]["model"])
    assert trained.model["rows"]["train"] > trained.model["rows"]["test"] > 0


def test_the_card_tells_what_the_model_is(trained, home):
    there = where(home)
    card = there.bundle(there.version(f"toy:{trained.model['version']}")).card
    assert (card["label"], card["seed"], card["params"]["regularisation"], card["code"]) == ("y", 17, 0.01, "c1")
    assert [(c["name"], c["type"]) for c in card["contract"]["columns"]] == [("x", "double"), ("kind", "string")]
    assert card["portable"] is None
    assert card["packages"]["pyspark"][:2] in ("3.", "4.")


def test_the_card_tells_what_the_model_needs_and_how_it_scores(trained, home):
    there = where(home)
    card = there.bundle(there.version(f"toy:{trained.model['version']}")).card
    assert set(card["curves"]) == {"roc", "precision_recall", "calibration", "confusion", "histogram"}
    assert sum(point[3] for point in card["curves"]["confusion"]) == card["rows"]["test"] == card["importance"]["rows"]
    assert [one["feature"] for one in card["importance"]["features"]] == ["x", "kind"]
    assert card["importance"]["features"][0]["low"] > 0.1 and card["better"] == card["importance"]["figure"] == "roc_auc"


def test_its_card_is_a_page_with_plots(trained, home):
    pytest.importorskip("matplotlib")
    there = where(home)
    version = there.version(f"toy:{trained.model['version']}")
    page = report.page(there.bundle(version).card, version)
    assert page.count("<svg") == 5 and trained.run_id in page and "Shuffling x costs most" in page


def test_a_check_that_is_not_met_keeps_and_publishes_nothing(trained, go, home, tmp_path):
    before = _versions(home)
    with pytest.raises(ContractError, match=r"accuracy >= 0.999' is not met: 0\.\d+ found"):
        go(training(checks=("accuracy >= 0.999",)), regularisation=0.03)
    assert _versions(home) == before and not (tmp_path / "holdout").exists()


def test_the_same_training_again_does_nothing(go, home):
    job = training(model="twice")
    first = go(job)
    assert go(job).status == "already_done"
    assert [v.number for v in where(home).versions("twice")] == [first.model["version"]]


def test_the_same_seed_gives_the_same_model(go, home):
    one, other = (go(training(model="same", balance=Balance("over"), importance=50), again=True) for _ in range(2))
    assert one.model["rows"]["balanced"] > one.model["rows"]["train"]
    assert one.model["metrics"] == pytest.approx(other.model["metrics"], abs=1e-12)
    models = [_weights(home, f"same:{r.model['version']}") for r in (one, other)]
    assert models[0] == pytest.approx(models[1], abs=1e-9) and one.model["version"] != other.model["version"]
    cards = [where(home).bundle(where(home).version(f"same:{r.model['version']}")).card for r in (one, other)]
    assert [cards[0][name] for name in ("curves", "importance")] == [cards[1][name] for name in ("curves", "importance")]


def test_a_better_model_is_promoted_a_worse_one_is_not_and_a_rollback_undoes(go, home):
    there = where(home)
    good = go(training(model="contest", checks=()), promote=True)
    worse = go(training(model="contest", checks=()), promote=True, regularisation=20.0)
    assert (good.model["champion"], worse.model["champion"]) == (True, False)
    assert "roc_auc" in worse.model["why"] and "against version 1" in worse.model["why"]
    assert there.version("contest").number == good.model["version"]
    there.alias("contest", "champion", worse.model["version"])
    assert there.rollback("contest") == (good.model["version"], worse.model["version"])
    assert there.version("contest@champion").number == good.model["version"]


def test_what_was_won_is_promoted_by_the_retry_of_a_run_that_was_killed_before_it(go, home, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*args: Any) -> None:
        raise Killed

    job = training(model="late")
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "promote_winner", killed)
        with pytest.raises(Killed):
            go(job, promote=True)
    with pytest.raises(UsageError, match="no champion"):
        where(home).version("late")
    assert go(job, promote=True).status == "already_done"
    assert where(home).version("late").number == 1


def test_scores_name_the_model_that_gave_them(trained, go, spark, home):
    model = load(spark, f"toy:{trained.model['version']}", home)
    scored = go(Job(lambda data, *, model: model.score(data), name="score"), model=model)
    rows = scored.frames["output"]
    assert rows.count() == 300 == rows.where("score between 0 and 1").count()
    assert rows.select("model", "model_version", "model_run").distinct().collect() == [("toy", trained.model["version"], trained.run_id)]
    assert go(Job(lambda data, *, model: model.score(data), name="score"), model=model).status == "already_done"


def test_another_contract_is_refused_by_name(trained, spark, home):
    model = load(spark, "toy", home)
    with pytest.raises(ContractError, match="reads another contract: x is string, not double; kind is missing, not string"):
        model.score(spark.createDataFrame([("1",)], "x string"))


def test_another_major_version_of_spark_is_refused(trained, spark, home):
    there = where(home)
    bundle = there.bundle(there.version("toy"))
    old = type(bundle)(bundle.path, {**bundle.card, "packages": {"pyspark": "2.4.8"}})
    with pytest.raises(ContractError, match=r"was fitted on Spark 2\.4\.8, and this is Spark"):
        old.load(spark)


@pytest.fixture
def copy(trained, home, tmp_path) -> Path:
    """A copy of the champion's folder, to be harmed, and the metadata of its pipeline."""
    there = where(home)
    return Path(shutil.copytree(there.bundle(there.version("toy")).path, tmp_path / "copy"))


def test_a_file_that_was_changed_is_refused(copy):
    part = next((copy / "spark" / "metadata").glob("part-*"))
    part.write_text(part.read_text(encoding="utf-8").replace("PipelineModel", "os.system"), encoding="utf-8")
    with pytest.raises(ContractError, match="is not what was saved: spark/metadata/part-00000.* was changed"):
        Bundle.open(copy)


def test_a_stage_of_foreign_code_is_not_loaded(copy, spark):
    bundle = Bundle.open(copy)
    part = next((copy / "spark" / "metadata").glob("part-*"))
    told = json.loads(part.read_text(encoding="utf-8"))
    part.write_text(json.dumps({**told, "class": "antigravity.Model"}), encoding="utf-8")
    with pytest.raises(ContractError, match=r"holds a stage 'antigravity\.Model', which is neither Spark's nor sparkkit's"):
        bundle.load(spark)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"positive": 7}, "no one of the 232 examples of the train part has y = 7"),
        ({"features": ("x", "none")}, "no column 'none'"),
    ],
)
def test_what_can_not_be_trained_is_said(go, change, said):
    with pytest.raises((ContractError, UsageError), match=said):
        go(training(**change))


def test_a_registry_that_fails_is_not_one_without_a_champion(spark, tmp_path):
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(InfrastructureError, match="the registry of models at"):
        contest.champion(spark, Registry(f"sqlite:///{tmp_path}/mlflow.db"), training())


def test_without_a_champion_the_checks_alone_decide(spark, tmp_path):
    empty = Registry(f"sqlite:///{tmp_path}/mlflow.db")
    assert contest.champion(spark, empty, training()) == contest.Verdict(True, "there was no champion")


def _versions(home: Project) -> list[int]:
    return [v.number for v in where(home).versions("toy")]


def _weights(home: Project, spec: str) -> list[float]:
    there = where(home)
    portable = json.loads((there.bundle(there.version(spec)).path / "portable.json").read_text(encoding="utf-8"))
    return [weight for stage in portable["stages"] if "coefficients" in stage for row in weights(stage) for weight in row]
