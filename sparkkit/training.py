"""A training: a job that fits a model, judges it on rows it has not seen, and keeps it only if the checks hold."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sparkkit.errors import JobError, UsageError
from sparkkit.job import Job
from sparkkit.ml import metrics
from sparkkit.ml.balance import Balance
from sparkkit.ml.leakage import GUARDS
from sparkkit.ml.scoring import BINARY, MULTICLASS, REGRESSION, TASKS
from sparkkit.ml.search import KINDS, Search
from sparkkit.ml.splits import Split
from sparkkit.models.promises import Promise, promise
from sparkkit.options import Option, options_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HOLDOUT, METRICS = "holdout", "metrics"
"""The outputs: the test part with its predictions, and the figures with their intervals."""

TARGET = "target"
"""The column that a training adds to the examples: the label as 1.0 or 0.0, as the place of its class from 0.0, or as a number."""

BETTER = {BINARY: "roc_auc", MULTICLASS: "accuracy", REGRESSION: "rmse"}
"""The figure that promotes, by task."""

Params = Mapping[str, Any]


def own(*, seed: int = 17, promote: bool = False) -> None:
    """The options of every training.

    Args:
        seed: of the split, the fit and the intervals; the same data, code and seed give the same model.
        promote: make it the champion where it is better on the same test part, by the training's margin.
    """


def searched(*, trials: int = 0, tune_seconds: float = 0.0) -> None:
    """The options of every training with a search.

    Args:
        trials: tune: so many settings of the parameters are tried in folds of the train part, and the best is fitted; 0 for as given.
        tune_seconds: tune for so long at most; then the same run may find something else.
    """


MOST_TRIALS = 1000
"""Trials of one search, each of which is in the card."""


@dataclass(frozen=True)
class Training(Job):
    """One training, checked when it is defined, before any JVM starts.

    The road of every job, with a fit in it: the inputs are read and conformed, `build` makes examples of them, which are split;
    `fit` sees the train part alone; the test part with its predictions and the figures are the outputs. The guards of
    `sparkkit.ml.leakage` and the checks come before anything is published, and the model is registered with its outputs.

    Args:
        build: `DataFrame, …, *, parameters -> DataFrame`, the examples: a row each, with the features and the label.
        fit: `train, *, parameters -> Estimator | PipelineModel`: a pipeline of spark.ml stages over the train part, best not fitted yet.
            Its label column is `target`. Its keyword-only parameters are options too; `seed` is the run's.
        label: the column to predict; a row without it is not an example, and is counted as `unlabelled`.
        task: `binary`, `multiclass` or `regression`; it says what `target` is: 1.0 or 0.0, the place of the class, the label as a number.
        classes: of a multiclass training each value of the label, three at least: `target` is 0.0 for the first.
        features: the columns that the pipeline reads.
        positive: the value of the label that is class 1, of two.
        model: the name in the registry; default the job's without `train_`.
        split: the test part.
        balance: how a rare class is balanced in the train part, such as `Balance("under")`; `fit` sees what comes of it. Default: not.
        entity: columns whose values must not be on both sides (a customer's).
        at: the column of the time at which an example's features are asked for; a split must then be by time.
        stamps: feature to the column that says from when on it was known, compared with `at`.
        evaluate: `predictions -> frame` of the columns of `evaluate.METRICS` in place of those of the task.
        slices: columns for each of whose values the figures are told, too.
        costs: what a false positive and a false negative cost.
        threshold: the score from which a row is called positive; with `costs` by default the one that they imply.
        checks: promises of the figures, such as `roc_auc >= 0.75`, `accuracy[source=yelp] >= 0.7`.
        margin: by how much the lower end of the paired interval of a new model's `better` must exceed the champion's for `--promote`.
        better: the figure that promotes; default `roc_auc`, `accuracy` or `rmse`, by task.
        importance: test rows on which it is measured how much `better` falls without each feature (seconds); 0 for not at all.
        allow: guards that are let pass, each with why.
        search: what `--trials` and `--tune-seconds` search: parameters of `fit`, each with its range; by the figure of `better`.

    Raises:
        UsageError: for what can't be a training.

    >>> def build(reviews): ...
    >>> def fit(train, *, regularisation: float = 1e-4): ...
    >>> training = Training(build, name="train_mood", fit=fit, label="mood", features=("text",), checks=("accuracy >= 0.8",))
    >>> training.model, training.outputs, [o.flag for o in training.options]
    ('mood', ('holdout', 'metrics'), ['--regularisation', '--seed', '--promote'])
    """

    outputs: tuple[str, ...] = (HOLDOUT, METRICS)
    fit: Callable[..., Any] | None = None
    label: str = ""
    task: str = BINARY
    classes: tuple[Any, ...] = ()
    features: tuple[str, ...] = ()
    positive: Any = 1
    model: str = ""
    split: Split = field(default_factory=Split)
    balance: Balance | None = None
    entity: tuple[str, ...] = ()
    at: str = ""
    stamps: Mapping[str, str] = field(default_factory=dict)
    evaluate: Callable[[DataFrame], DataFrame] | None = None
    slices: tuple[str, ...] = ()
    costs: tuple[float, float] | None = None
    threshold: float | None = None
    checks: tuple[str, ...] = ()
    margin: float = 0.0
    better: str = ""
    importance: int = 2000
    allow: Mapping[str, str] = field(default_factory=dict)
    search: Search | None = None
    promises: tuple[Promise, ...] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _set = object.__setattr__
        _set(self, "better", self.better or BETTER.get(self.task, ""))
        _refuse(self)
        assert self.fit is not None
        _set(self, "model", self.model or self.name.removeprefix("train_"))
        _set(self, "settings", {**{f"outputs.{name}.mode": "overwrite" for name in self.outputs}, **self.settings})
        _set(self, "promises", tuple(promise(text) for text in self.checks))
        more = options_of(searched) if self.search else ()
        mine = {o.parameter: o for o in (*options_of(self.build), *options_of(self.fit), *options_of(own), *more)}
        _set(self, "options", tuple(_known(o) for o in mine.values()))

    def examples(self, frames: tuple[DataFrame, ...], params: Params) -> DataFrame:
        """What `build` makes of the inputs, with those of the parameters that are its own.

        Raises:
            JobError: it is no frame.
        """
        made = self.build(*frames, **_for(self.build, params))
        if not hasattr(made, "sparkSession"):
            kind = type(made).__name__
            raise JobError(f"build of training {self.name!r} returned {kind}, not a DataFrame of examples", reason="wrong_outputs")
        frame: DataFrame = made
        return frame

    def fitted(self, train: DataFrame, params: Params) -> Any:
        """What `fit` returns for the train part."""
        assert self.fit is not None
        return self.fit(train, **_for(self.fit, params))

    def unfitted(self, frames: tuple[DataFrame, ...], params: Params) -> dict[str, DataFrame]:
        """The outputs without a model, for plans and dry runs: the test part with empty predictions, and no figures."""
        from pyspark.sql import functions as F

        from sparkkit.ml import figures, scoring, splits
        from sparkkit.transforms.names import col

        examples = self.examples(frames, params).where(col(self.label).isNotNull())
        parts = examples.transform(self.split.apply, features=self.features, seed=int(params["seed"]))
        test = parts.where(F.col(splits.SPLIT) == splits.TEST).drop(splits.SPLIT)
        empty = {name: F.lit(None).cast("double") for name in (TARGET, scoring.SCORE, scoring.PREDICTION)}
        if self.classes:
            empty[scoring.PREDICTION] = scoring.named(F.lit(None).cast("int"), self.classes)
        told = [F.lit(None).cast(part.split()[1]).alias(part.split()[0]) for part in figures.METRICS.split(", ")]
        return {HOLDOUT: test.withColumns(empty), METRICS: examples.where(F.lit(False)).select(*told)}

    @property
    def cut(self) -> float:
        """The score from which a row is called positive; of two costs the one that makes both mistakes as dear (Elkan 2001)."""
        if self.threshold is None and self.costs:
            return self.costs[0] / (self.costs[0] + self.costs[1])
        return 0.5 if self.threshold is None else self.threshold


def _known(option: Option) -> Option:
    if option.parameter == "trials":
        return replace(option, parse=_trials)
    if option.parameter == "tune_seconds":
        return replace(option, parse=_seconds)
    return replace(option, required=False, default=17) if option.parameter == "seed" else option


def _trials(text: str) -> int:
    if not 0 <= int(text) <= MOST_TRIALS:
        raise argparse.ArgumentTypeError(f"{text} trials: give 0 to {MOST_TRIALS:,}")
    return int(text)


def _seconds(text: str) -> float:
    if not 0 <= float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} seconds: give 0 or more")
    return float(text)


def _for(function: Callable[..., Any], params: Params) -> dict[str, Any]:
    wanted = inspect.signature(function).parameters
    return {name: value for name, value in params.items() if name in wanted and wanted[name].kind == inspect.Parameter.KEYWORD_ONLY}


def _refuse(job: Training) -> None:
    def wrong(what: str, hint: str | None = None) -> UsageError:
        return UsageError(f"training {job.name!r}: {what}", reason="wrong_job", hint=hint)

    if job.fit is None or not job.label or not job.features:
        raise wrong("it needs fit, label and features")
    if job.label in job.features:
        raise wrong(f"the label {job.label!r} is among the features", "a model can't be given what it is to find out")
    _refuse_task(job, wrong)
    if set(job.outputs) != {HOLDOUT, METRICS}:
        raise wrong(f"its outputs are {HOLDOUT} and {METRICS}, not {', '.join(job.outputs)}")
    if job.stamps and not job.at:
        raise wrong("it has stamps of features, and no time to compare them with", "name it by at=")
    if unknown := set(job.stamps) - set(job.features):
        raise wrong(f"stamps name {sorted(unknown)}, which are no features")
    if unknown := set(job.allow) - set(GUARDS):
        raise wrong(f"allow names {sorted(unknown)}, which are no guards", f"there are {', '.join(GUARDS)}")
    if not 0 <= job.cut <= 1:
        raise wrong(f"the threshold is {job.cut}", "give 0 to 1")
    if job.importance < 0 or job.importance == 1:
        raise wrong(f"importance is to be measured on {job.importance} rows", "give 2 or more, or 0 for not at all")
    _refuse_search(job, wrong)


def _refuse_task(job: Training, wrong: Callable[..., UsageError]) -> None:
    if job.task not in TASKS:
        raise wrong(f"its task is {job.task!r}", f"give {', '.join(TASKS)}")
    if (job.task == MULTICLASS) != (len(set(job.classes)) >= 3) or len(set(job.classes)) != len(job.classes):
        raise wrong(f"task {job.task} with the classes {list(job.classes)}", "name each of three or more classes, for multiclass alone")
    if job.task != BINARY and (job.costs or job.threshold is not None or job.positive != 1 or job.balance):
        raise wrong(f"positive, threshold, costs and balance are of two classes, and its task is {job.task}")


def _refuse_search(job: Training, wrong: Callable[..., UsageError]) -> None:
    if not job.search or not job.fit:
        return
    known = {o.parameter: o for o in options_of(job.fit)}
    others = {o.parameter for function in (job.build, own, searched) for o in options_of(function)}
    for name, one in job.search.ranges.items():
        option = known.get(name)
        if option is None:
            raise wrong(f"search names {name}, which is no parameter of fit", f"it has {', '.join(known) or 'none'}")
        if name in others:
            raise wrong(f"search names {name}, which is not fit's alone", "what build makes, and the seed, are the same in each trial")
        if option.many or option.kind not in KINDS[one.kind] or not _typed(option, one.values):
            raise wrong(f"search has {one.kind}{one.values!r} for {name}, which is {'several' if option.many else option.kind}")
    if {"trials", "tune_seconds"} & set(known):
        raise wrong("fit has a parameter trials or tune_seconds, as every training with a search has")
    figures = [name for name in metrics.BY_TASK[job.task] if name != "cost" or job.costs]
    if not job.evaluate and job.better not in figures:
        raise wrong(f"search goes by better={job.better!r}, which is no figure", f"there are {', '.join(figures)}")


def _typed(option: Option, values: tuple[Any, ...]) -> bool:
    types = {"float": (int, float), "int": (int,), "bool": (bool,), "text": (str,)}[option.kind]
    return all(type(v) in types and (not option.choices or v in option.choices) for v in values)
