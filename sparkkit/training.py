"""A training: a job that fits a model, judges it on rows it has not seen, and keeps it only if the checks hold."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sparkkit.errors import JobError, UsageError
from sparkkit.job import Job
from sparkkit.ml.balance import Balance
from sparkkit.ml.leakage import GUARDS
from sparkkit.ml.splits import Split
from sparkkit.models.promises import Promise, promise
from sparkkit.options import Option, options_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HOLDOUT, METRICS = "holdout", "metrics"
"""The outputs: the test part with its predictions, and the figures with their intervals."""

TARGET = "target"
"""The column that a training adds to the examples: the label as 1.0 or 0.0."""

Params = Mapping[str, Any]


def own(*, seed: int = 17, promote: bool = False) -> None:
    """The options of every training.

    Args:
        seed: of the split, the fit and the intervals; the same data, code and seed give the same model.
        promote: make it the champion where it is better on the same test part, by the training's margin.
    """


@dataclass(frozen=True)
class Training(Job):
    """One training, checked when it is defined, before any JVM starts.

    The road of every job, with a fit in it: the inputs are read and conformed, `build` makes examples of them, which are split;
    `fit` sees the train part alone; the test part with its predictions and the figures are the outputs. The guards of
    `sparkkit.ml.leakage` and the checks come before anything is published, and the model is registered with its outputs.

    Args:
        build: `DataFrame, …, *, parameters -> DataFrame`, the examples: a row each, with the features and the label.
        fit: `train, *, parameters -> Estimator | PipelineModel`: a pipeline of spark.ml stages over the train part, best not fitted yet.
            Its label column is `target` (1.0 or 0.0). Its keyword-only parameters are options too; `seed` is the run's.
        label: the column to predict; a row without it is not an example, and is counted as `unlabelled`.
        features: the columns that the pipeline reads.
        positive: the value of the label that is class 1.
        model: the name in the registry; default the job's without `train_`.
        split: the test part.
        balance: how a rare class is balanced in the train part, such as `Balance("under")`; `fit` sees what comes of it. Default: not.
        entity: columns whose values must not be on both sides (a customer's).
        at: the column of the time at which an example's features are asked for; a split must then be by time.
        stamps: feature to the column that says from when on it was known, compared with `at`.
        evaluate: `predictions -> frame` of the columns of `evaluate.METRICS` in place of `evaluate.binary`.
        slices: columns for each of whose values the figures are told, too.
        costs: what a false positive and a false negative cost.
        threshold: the score from which a row is called positive; with `costs` by default the one that they imply.
        checks: promises of the figures, such as `roc_auc >= 0.75`, `accuracy[source=yelp] >= 0.7`.
        margin: by how much the lower end of the paired interval of a new model's `better` must exceed the champion's for `--promote`.
        better: the figure that promotes.
        allow: guards that are let pass, each with why.

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
    better: str = "roc_auc"
    allow: Mapping[str, str] = field(default_factory=dict)
    promises: tuple[Promise, ...] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _set = object.__setattr__
        _refuse(self)
        assert self.fit is not None
        _set(self, "model", self.model or self.name.removeprefix("train_"))
        _set(self, "settings", {**{f"outputs.{name}.mode": "overwrite" for name in self.outputs}, **self.settings})
        _set(self, "promises", tuple(promise(text) for text in self.checks))
        mine = {o.parameter: o for o in (*options_of(self.build), *options_of(self.fit), *options_of(own))}
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

        from sparkkit.ml import evaluate, scoring, splits
        from sparkkit.transforms.names import col

        examples = self.examples(frames, params).where(col(self.label).isNotNull())
        parts = examples.transform(self.split.apply, features=self.features, seed=int(params["seed"]))
        test = parts.where(F.col(splits.SPLIT) == splits.TEST).drop(splits.SPLIT)
        empty = {name: F.lit(None).cast("double") for name in (TARGET, scoring.SCORE, scoring.PREDICTION)}
        figures = [F.lit(None).cast(part.split()[1]).alias(part.split()[0]) for part in evaluate.METRICS.split(", ")]
        return {HOLDOUT: test.withColumns(empty), METRICS: examples.where(F.lit(False)).select(*figures)}

    @property
    def cut(self) -> float:
        """The score from which a row is called positive; of two costs the one that makes both mistakes as dear (Elkan 2001)."""
        if self.threshold is None and self.costs:
            return self.costs[0] / (self.costs[0] + self.costs[1])
        return 0.5 if self.threshold is None else self.threshold


def _known(option: Option) -> Option:
    return replace(option, required=False, default=17) if option.parameter == "seed" else option


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
