"""Tuning: what is searched, in which folds, when it ends, and that the same seed gives the same."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit.errors import ContractError, InfrastructureError, JobError, UsageError
from sparkkit.identity import identity
from sparkkit.learning import fitting, folds, road, tune
from sparkkit.learning.learn import learn
from sparkkit.ml import evaluate, steps
from sparkkit.ml.scoring import scored
from sparkkit.ml.search import Search, choice, log, whole
from sparkkit.ml.splits import Split
from sparkkit.models.registry import where
from sparkkit.models.report import card
from sparkkit.training import Training
from tests.learning.test_road import home, runner, stored  # noqa: F401

pytest.importorskip("optuna", reason="Optuna is not in this environment; it comes with sparkkit[ml]")

RANGES = {"kind": choice("logistic", "trees"), "regularisation": log(1e-3, 10.0).only("kind", "logistic")}
SEEN: list[tuple[str, frozenset[int]]] = []
"""What `fit` and `evaluate` of the training below were given, while they are told to note it."""


def build(rows):
    return rows.withColumn("half", F.round(F.col("x") * F.col("x"), 1))


def fit(train, *, kind: str = "logistic", regularisation: float = 1.0, length: int = 2):
    from pyspark.ml.classification import GBTClassifier, LogisticRegression

    _note("fit", train)
    logistic = LogisticRegression(regParam=regularisation, maxIter=3)
    trees = GBTClassifier(maxIter=length, maxDepth=2, subsamplingRate=0.5)  # without a seed
    return steps.pipeline(steps.numbers(["x", "half"]), model=logistic if kind == "logistic" else trees)


def noted(predictions):
    _note("evaluate", predictions)
    return evaluate.binary(predictions, label="target", rounds=0, seed=1)


def _note(name, rows):
    SEEN.append((name, frozenset(r.id for r in rows.select("id").collect())))


def training(ranges=RANGES, search: dict[str, Any] | None = None, **more: Any) -> Training:
    given = {"fit": fit, "label": "y", "features": ("x", "half"), "split": Split(by=("y",)), **more}
    return Training(build, **given, name="train_toy", model="tuned", search=Search(ranges, **{"folds": 2, **(search or {})}))


JOB = training(evaluate=noted)


@pytest.fixture(scope="module")
def learned(spark, tmp_path_factory, home, stored):  # noqa: F811
    """A tuned run, what its functions were given, and what the same search and fit gave again while its examples were there."""
    found = SimpleNamespace()

    def twice(spark, job, examples, params, *more, **options):
        SEEN.clear()
        learned = learn(spark, job, examples, params, *more, **options)
        found.__dict__.update(vars(learned), seen=[*SEEN], overall=learned.overall, again=tune.tune(job, learned.train, params))
        found.sides = [frozenset(r.id for r in rows.select("id").collect()) for rows in (learned.train, learned.test)]
        made = fitting.seeded(job.fitted(learned.train, {**params, **learned.chosen}), 17)
        found.second = fitting.fitted(job, made, learned.train)
        found.figures = {f.metric: f.value for f in noted(scored(learned.test, found.second, "binary", threshold=0.5)).collect()}
        return learned

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(road, "learn", twice)
        go = runner(spark, tmp_path_factory.mktemp("tuned"), home, stored)
        found.record = go(JOB, kind="logistic", regularisation=1.0, length=2, trials=2, tune_seconds=0.0)
    return found


def test_what_was_given_is_the_first_trial_and_the_best_is_chosen(learned):
    told = learned.search
    assert told["tried"][0]["params"] == {"kind": "logistic", "regularisation": 1.0} and told["given"] == told["tried"][0]["figure"]
    assert told["mean"] == max(t["figure"] for t in told["tried"]) and told["chosen"] == learned.chosen
    assert (told["trials"], told["complete"], told["ended"], told["seed"], told["metric"]) == (2, 2, "trials", 17, "roc_auc")


def test_the_same_seed_gives_the_same_trials_figures_and_choice(learned):
    one, other = learned.search["tried"], learned.again.told["tried"]
    assert [t["params"] for t in one] == [t["params"] for t in other] and learned.again.chosen == learned.chosen
    assert {t["params"]["kind"] for t in one} == {"logistic", "trees"}
    assert [t["figure"] for t in one] == pytest.approx([t["figure"] for t in other], abs=1e-12)


def test_the_same_seed_gives_the_same_tuned_model(learned):
    assert learned.figures == pytest.approx(learned.overall, abs=1e-12)
    assert numbers(learned.second) == pytest.approx(numbers(learned.model), abs=1e-9)


def test_the_test_part_is_seen_by_the_last_figures_alone(learned):
    *before, last = learned.seen
    assert last == ("evaluate", learned.sides[1]) and len(before) == 2 * 2 * 2 + 1
    assert not any(ids & learned.sides[1] for _, ids in before)


def test_each_fold_is_judged_by_a_pipeline_that_was_fitted_without_it(learned):
    pairs = list(zip(learned.seen[:4:2], learned.seen[1:4:2], strict=True))
    assert [(a, b) for (a, _), (b, _) in pairs] == [("fit", "evaluate")] * 2
    assert all(fitted | judged == learned.sides[0] and not fitted & judged for (_, fitted), (_, judged) in pairs)


def test_the_card_has_what_was_chosen_and_the_search(learned, home):  # noqa: F811
    there = where(home)
    version = there.version(f"tuned:{learned.record.model['version']}")
    told = there.bundle(version).card
    assert {**told["params"], **learned.chosen} == told["params"] and told["params"]["trials"] == 2
    assert told["search"] == learned.search and learned.record.model["chosen"] == learned.chosen
    chosen = ", ".join(f"{name}={value}" for name, value in learned.chosen.items())
    assert f"search     {chosen}: roc_auc {told['search']['mean']:.4f} in 2 folds; of 2 trials 2 complete;" in card(told, version)


def test_another_number_of_trials_is_another_run(home):  # noqa: F811
    over = {f"outputs.{name}.path": f"out/{name}" for name in JOB.outputs}
    conf = confs.load(home, JOB.name, inputs=(), outputs=JOB.outputs, params=(), over=over)
    made = [identity(JOB, conf, {"trials": n}, None, {}, code="c1", contracts={}, run_id="r").logical_id for n in (0, 2, 2)]
    assert made[0] != made[1] == made[2]


# the loop itself, with figures that are given rather than fitted


@pytest.fixture
def search(monkeypatch) -> Callable[..., tune.Tuned]:
    """`search(figure, …)`: a search whose trials have the figures that `figure(values, fold)` gives."""
    rows = MagicMock()
    monkeypatch.setattr(folds, "divided", lambda *_: rows)
    monkeypatch.setattr(folds, "refuse_poor", lambda *_: None)

    def call(figure: Callable[[dict[str, Any], int], float], *, ranges: Any = None, pause: Any = lambda: None, seed: int = 1,
             better: str = "roc_auc", trials: int = 0, tune_seconds: float = 0.0, **options: Any) -> tune.Tuned:
        monkeypatch.setattr(folds, "figure", lambda job, parts, fold, params: figure(params, fold))
        job = training(ranges or {"regularisation": log(1e-3, 10.0)}, search=options, better=better)
        given = {"seed": seed, "trials": trials, "tune_seconds": tune_seconds}
        return tune.tune(job, rows, given, pause=pause)

    return call


def near(values, fold):
    return 1 - abs(values["regularisation"] - 0.1) / 10


def test_the_greatest_figure_wins_and_of_losses_the_least(search):
    wins = [search(near, trials=30, better=better).chosen["regularisation"] for better in ("roc_auc", "log_loss")]
    assert wins[0] == pytest.approx(0.1, abs=0.1) and wins[1] > 5


def test_what_was_chosen_has_four_digits_so_that_it_can_be_given_again(search):
    assert all(len(f"{t['params']['regularisation']:g}".replace("0.", "").lstrip("0")) <= 5 for t in search(near, trials=9).told["tried"])


def test_a_search_ends_when_the_best_does_not_become_better(search):
    told = search(lambda values, fold: 0.5, trials=100, patience=3).told
    assert (told["ended"], told["trials"], told["why"]) == ("patience", 4, "the best of 4 complete trials had not become better in 3")


def test_a_search_ends_with_its_time_but_not_without_a_trial(search):
    told = search(near, tune_seconds=1e-9).told
    assert (told["ended"], told["trials"], told["complete"]) == ("seconds", 1, 1) and "hangs on the machine" in told["why"]


def test_a_trial_is_cut_off_where_the_time_is_over(search, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(tune.time, "monotonic", lambda: now[0])

    def figure(values, fold):
        now[0] += 1
        return near(values, fold)

    told = search(figure, tune_seconds=5, folds=3).told
    assert (told["ended"], [t["state"] for t in told["tried"]], told["cut"]) == ("seconds", ["complete", "cut"], 1)


def test_a_hopeless_trial_is_given_up_by_what_it_lacks_in_the_same_folds(search):
    calls: list[int] = []

    def figure(values, fold):
        calls.append(fold)
        return 2.0 if fold == 0 else near(values, fold)  # an easy fold, in which all are alike

    told = search(figure, trials=15, patience=0, folds=3).told
    assert told["pruned"] > 0 and len(calls) == 3 * told["complete"] + 2 * told["pruned"]
    assert told["mean"] == max(t["figure"] for t in told["tried"] if t["state"] == "complete")


def test_what_was_tried_before_is_not_fitted_again(search):
    calls: list[dict[str, Any]] = []

    def figure(values, fold):
        calls.append(values)
        return 0.1 * values["length"]

    told = search(figure, ranges={"length": whole(1, 2)}, trials=8, patience=0, prune=False).told
    assert (told["trials"], told["complete"], told["repeated"], len(calls)) == (8, 2, 6, 4)


def test_a_failed_trial_is_counted_and_told(search):
    def figure(values, fold):
        if values["kind"] == "trees":
            raise ValueError("no trees here")
        return near(values, fold)

    told = search(figure, ranges=RANGES, trials=8, patience=0).told
    failed = [t for t in told["tried"] if t["state"] == "failed"]
    assert told["failed"] == len(failed) > 0 and failed[0]["error"] == "ValueError in fit: no trees here"
    assert told["chosen"]["kind"] == "logistic"


def test_where_each_trial_fails_the_first_error_ends_the_run(search):
    def figure(values, fold):
        raise ValueError(f"no column at {values['regularisation']}")

    with pytest.raises(JobError, match="each of 5 trials, the first: no column at 1.0"):
        search(figure, trials=50)


@pytest.mark.parametrize(
    ("error", "kind"), [(ContractError("it leaks", reason="leak"), ContractError), (OSError("No space left on device"), OSError),
                        (InfrastructureError("gone"), InfrastructureError)],
)
def test_a_leak_or_a_failing_cluster_is_no_failed_trial(search, error, kind):
    calls: list[int] = []

    def figure(values, fold):
        calls.append(fold)
        if len(calls) > 2:
            raise error
        return 0.5

    with pytest.raises(kind):
        search(figure, trials=5)


def test_a_run_that_was_told_to_stop_does_not_take_it_for_a_failed_trial(search):
    class Stopped(BaseException):
        pass

    told: list[bool] = []

    def figure(values, fold):
        told.append(True)
        raise RuntimeError("Job 7 cancelled")

    def pause():
        if told:
            raise Stopped

    with pytest.raises(Stopped):
        search(figure, trials=1, pause=pause)


def test_another_seed_tries_other_values(search):
    tried = [[t["params"] for t in search(near, trials=4, seed=seed).told["tried"]] for seed in (1, 1, 2)]
    assert tried[0] == tried[1] != tried[2]


def test_without_optuna_a_search_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"pip install 'sparkkit\[ml\]'") as found:
        tune.ready(training(), {"seed": 1, "trials": 3})
    tune.ready(training(), {"seed": 1, "trials": 0, "tune_seconds": 0.0})
    assert found.value.reason == "no_optuna"


# the folds


@pytest.mark.parametrize("split", [Split(at="t"), Split(keys=("k",))])
def test_an_entity_of_a_fold_is_not_among_those_that_are_fitted_on(spark, split):
    rows = spark.range(400).selectExpr("id", "cast(id as timestamp) as t", "id % 7 as k", "nullif(cast(id / 30 as int), 3) as customer",
                                       "cast(id % 2 as double) as target")
    job = training({"length": whole(1, 2)}, features=("id",), entity=("customer",), split=split)
    made = folds.divided(job, rows, 17)
    sides = [side.alias(f"_{fold}{i}") for fold in range(2) for i, side in enumerate(folds.sides(job, made, fold))]
    found = made.select("customer", *sides).collect()
    both = [[{r.customer for r in found if r[f"_{fold}{i}"]} for i in (0, 1)] for fold in range(2)]
    assert len(found) == 400 and all(fit_on and judged and not fit_on & judged - {None} for fit_on, judged in both)


def test_a_fold_of_one_class_is_refused_before_anything_is_fitted(spark):
    rows = spark.range(90).select("id", F.col("id").cast("timestamp").alias("t"), (F.col("id") < 30).cast("double").alias("target"))
    job = training({"length": whole(1, 2)}, features=("id",), split=Split(at="t"))
    with pytest.raises(ContractError, match="in 2 folds: 30 of the 30 rows fitted on in fold 1 are y = 1") as found:
        folds.refuse_poor(job, folds.divided(job, rows, 17))
    assert found.value.reason == "poor_folds"


def numbers(model) -> list[float]:
    """Each number of a model's last stage: coefficients, or the splits and predictions of its trees."""
    last = model.stages[-1]
    if hasattr(last, "coefficients"):
        return [*last.coefficients, last.intercept]
    return [float(number) for number in re.findall(r"-?\d+\.\d+(?:E-?\d+)?", last.toDebugString)]
