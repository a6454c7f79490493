"""Tuning: Optuna over the parameters of a training's `fit`, each setting judged in folds of the train part by pipelines made anew."""

from __future__ import annotations

import inspect
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from sparkkit import failures, redaction
from sparkkit.errors import UsageError
from sparkkit.learning import folds
from sparkkit.ml.figures import LESS
from sparkkit.ml.search import Range
from sparkkit.training import MOST_TRIALS, Training

if TYPE_CHECKING:
    import optuna

log = logging.getLogger("sparkkit.tune")

COMPLETE, PRUNED, FAILED, REPEATED, CUT = "complete", "pruned", "failed", "repeated", "cut"
"""How a trial ended: judged in all folds; given up as hopeless; by an error; as one before it that had its values; by the time."""

ENOUGH_FAILED = 5
"""Trials that fail, without one that is complete, after which the search ends."""

DIGITS = 9
"""To which figures are compared: sums in another order make no other choice."""


@dataclass
class Trial:
    """One setting of the parameters that was tried; `figures` are those of the folds that it came to."""

    values: dict[str, Any]
    figures: list[float] = field(default_factory=list)
    state: str = COMPLETE
    seconds: float = 0.0
    error: Exception | None = field(default=None, repr=False)

    @property
    def mean(self) -> float:
        """The mean of its folds' figures, to nine digits."""
        return round(statistics.fmean(self.figures), DIGITS)

    def told(self) -> dict[str, Any]:
        """The trial as the card has it."""
        figure = self.mean if self.figures else None
        found = {"params": self.values, "figure": figure, "state": self.state, "seconds": round(self.seconds, 1)}
        return found | ({"error": redaction.clean(failures.explain(self.error, "fit").message)[:500]} if self.error else {})


@dataclass(frozen=True)
class Tuned:
    """What a search chose, and what the card tells of it."""

    chosen: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Tuning:
    """A search under way: the folds, and what every trial needs."""

    job: Training
    parts: DataFrame
    params: Mapping[str, Any]
    pause: Callable[[], None]
    study: optuna.Study
    given: Mapping[str, Any]
    ends: float
    tried: list[Trial] = field(default_factory=list)
    first: list[float] = field(default_factory=list)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best mean, the first of equals."""
        sign = -1 if self.job.better in LESS else 1
        return max((t for t in self.tried if t.state == COMPLETE), key=lambda t: sign * t.mean, default=None)


def asked(job: Training, params: Mapping[str, Any]) -> bool:
    """Whether a run is to be tuned."""
    return job.search is not None and bool(params.get("trials") or params.get("tune_seconds"))


def ready(job: Training, params: Mapping[str, Any]) -> None:
    """Refuses a run that is to be tuned where Optuna is not installed, before anything is read.

    Raises:
        UsageError: it is not (`no_optuna`).
    """
    if asked(job, params):
        _optuna()


def tune(job: Training, train: DataFrame, params: Mapping[str, Any], pause: Callable[[], None] = lambda: None) -> Tuned:
    """Tries settings of the parameters in folds of the train part, one at a time, and gives the best; what is given comes first.

    The settings are those of a tree-structured Parzen estimator (Bergstra et al. 2011): the same data, code, seed and budget in trials
    give the same settings, figures and choice. Of equally good ones the first is taken.

    Args:
        train: the examples of the train part, with `target`; divided into folds as the training's split divides examples, so that no fold
            shares an entity or a duplicate with what judges it, and none is judged by its past.
        params: the parameters as given, with `seed`, `trials` and `tune_seconds`.
        pause: called before each fold; raises where the run was told to stop.

    Raises:
        UsageError: Optuna is not installed (`no_optuna`).
        ContractError: a fold has no rows, or one class (`poor_folds`); a pipeline leaks (`leak`).
        SparkkitError: every trial failed: what the first one said; or Spark itself failed (exit code 6).
    """
    assert job.search is not None
    seed, began = int(params["seed"]), time.monotonic()
    given = _given(job, params)
    study = _study(job, params, given)
    parts = folds.divided(job, train, seed).persist()
    try:
        folds.refuse_poor(job, parts)
        search = Tuning(job, parts, params, pause, study, given, began + float(params.get("tune_seconds") or "inf"))
        while not (ended := _ended(search)):
            search.tried.append(_trial(search))
            log.info("training %s: trial %d: %s", job.name, len(search.tried), search.tried[-1].told())
    finally:
        parts.unpersist()
    if search.best is None:
        first = next(t.error for t in search.tried if t.error)
        raise failures.explain(first, f"each of {len(search.tried)} trials, the first") from first
    return Tuned(search.best.values, _told(search, search.best, *ended, time.monotonic() - began))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise UsageError(f"a training is tuned by Optuna, which is not installed ({error})", reason="no_optuna",
                         hint="pip install 'sparkkit[ml]', or leave --trials and --tune-seconds away") from error
    return optuna


def _given(job: Training, params: Mapping[str, Any]) -> dict[str, Any]:
    """What the searched parameters are without a search; nothing where one of them is not within its range, or not known."""
    assert job.search is not None and job.fit is not None
    known = inspect.signature(job.fit).parameters
    given = {name: params.get(name, known[name].default) for name in job.search.ranges}
    return given if all(one.holds(given[name]) for name, one in job.search.ranges.items()) else {}


def _study(job: Training, params: Mapping[str, Any], given: Mapping[str, Any]) -> optuna.Study:
    """A study that first tries what was given."""
    assert job.search is not None
    package, direction = _optuna(), "minimize" if job.better in LESS else "maximize"
    sampler = package.samplers.TPESampler(seed=int(params["seed"]), n_startup_trials=min(10, max(4, int(params.get("trials") or 40) // 4)))
    pruner = package.pruners.MedianPruner(n_startup_trials=4) if job.search.prune else package.pruners.NopPruner()
    with _quiet(package):
        study: optuna.Study = package.create_study(direction=direction, sampler=sampler, pruner=pruner)
    if given:
        study.enqueue_trial(dict(given))
    return study


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _ended(search: Tuning) -> tuple[str, str] | None:
    """Why a search is over: a word, and a sentence; None where it is not."""
    job, tried = search.job, search.tried
    assert job.search is not None
    trials = min(int(search.params.get("trials") or MOST_TRIALS), MOST_TRIALS)
    done = [t for t in tried if t.state == COMPLETE]
    if search.best is None:
        return ("failed", "every trial failed") if len(tried) >= min(trials, ENOUGH_FAILED) else None
    since = len(tried) - 1 - next(i for i, t in enumerate(tried) if t is search.best)
    if tried[-1].state == CUT or time.monotonic() >= search.ends:
        return "seconds", f"{search.params['tune_seconds']:g} seconds were over; how many trials that is hangs on the machine"
    if len(tried) >= trials:
        return "trials", f"{trials:,} trials were done"
    if job.search.patience and since >= job.search.patience:
        return "patience", f"the best of {len(done)} complete trials had not become better in {since}"
    return None


def _trial(search: Tuning) -> Trial:
    """Asks for a setting, judges it, and tells the study."""
    optuna = _optuna()
    assert search.job.search is not None
    began, asked = time.monotonic(), search.study.ask()
    trial = Trial(_suggested(search.job.search.ranges, search.given, asked))
    known = next((t for t in search.tried if t.values == trial.values and t.state != REPEATED), None)
    try:
        _judge(search, trial, asked, known)
    except Exception as error:
        search.pause()  # a run that was told to stop has its Spark jobs cancelled: that is no trial's failure
        if failures.explain(error).exit_code == 6 or getattr(error, "reason", "") == "leak":
            raise
        trial.state, trial.error = FAILED, error
    finally:
        search.parts.sparkSession.sparkContext.setJobDescription(None)  # type: ignore[arg-type]
    states = {COMPLETE: "COMPLETE", PRUNED: "PRUNED"}
    state = optuna.trial.TrialState[states.get(trial.state, "FAIL")]
    search.study.tell(asked, trial.mean if trial.state == COMPLETE else None, state=state)
    trial.state = REPEATED if known else trial.state
    trial.seconds = time.monotonic() - began
    return trial


def _judge(search: Tuning, trial: Trial, asked: optuna.Trial, known: Trial | None) -> None:
    """Fits and scores fold by fold, until the trial is complete, hopeless, or out of time; one that is known has its figures at once.

    What the study compares after a fold is the mean difference to what the first trial had in the same folds: one fold may be harder.
    """
    assert search.job.search is not None
    last = search.job.search.folds - 1
    for fold in range(last + 1):
        if known and (known.error or fold >= len(known.figures)):
            trial.state, trial.error = known.state, known.error
            return
        trial.figures.append(known.figures[fold] if known else _figure(search, trial.values, fold))
        if fold >= len(search.first):
            search.first.append(trial.figures[fold])
        asked.report(trial.mean - round(statistics.fmean(search.first[: fold + 1]), DIGITS), fold)
        if fold < last and not known:
            if asked.should_prune():
                trial.state = PRUNED
                return
            if search.best and time.monotonic() >= search.ends:
                trial.state = CUT
                return


def _figure(search: Tuning, values: Mapping[str, Any], fold: int) -> float:
    """The training's `better` figure of a fold, by a pipeline that was made and fitted without it."""
    search.pause()
    said = ", ".join(f"{name}={value}" for name, value in values.items())
    search.parts.sparkSession.sparkContext.setJobDescription(f"{search.job.name}: trial {len(search.tried) + 1}, fold {fold + 1}: {said}")
    return folds.figure(search.job, search.parts, fold, {**search.params, **values})


def _suggested(ranges: Mapping[str, Range], given: Mapping[str, Any], asked: optuna.Trial) -> dict[str, Any]:
    """A setting; real numbers are rounded to four digits, but for what was given, so that a person can give them again."""
    values: dict[str, Any] = {}
    for name, one in ranges.items():
        if one.when is None or values.get(one.when[0]) == one.when[1]:
            value = _one(name, one, asked)
            values[name] = _short(one, value) if one.kind in ("real", "log") and value != given.get(name) else value
    return values


def _one(name: str, one: Range, asked: optuna.Trial) -> Any:
    if one.kind == "choice":
        return asked.suggest_categorical(name, one.values)
    low, high = one.values
    if one.kind == "whole":
        return asked.suggest_int(name, low, high, step=one.step)
    return asked.suggest_float(name, low, high, log=one.kind == "log")


def _short(one: Range, value: float) -> float:
    low, high = one.values
    return float(min(high, max(low, float(f"{value:.4g}"))))


def _told(search: Tuning, best: Trial, ended: str, why: str, seconds: float) -> dict[str, Any]:
    job, tried = search.job, search.tried
    assert job.search is not None
    given = tried[0].mean if search.given and tried[0].state == COMPLETE else None
    counts = {state: sum(t.state == state for t in tried) for state in (COMPLETE, PRUNED, FAILED, REPEATED, CUT)}
    return {
        "trials": len(tried), **counts, "ended": ended, "why": why, "seconds": round(seconds, 1), "seed": search.params["seed"],
        "folds": job.search.folds, "metric": job.better, "mean": best.mean, "spread": round(statistics.stdev(best.figures), DIGITS),
        "given": given, "chosen": dict(best.values), "tried": [t.told() for t in tried],
    }
