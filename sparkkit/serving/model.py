"""The model that is being served: loaded, asked, and exchanged for another version while requests go on."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sparkkit.errors import SparkkitError, UsageError
from sparkkit.models.bundle import CARD, Bundle
from sparkkit.portable.scorer import Score, Scorer
from sparkkit.serving.fields import Fields, of_contract
from sparkkit.serving.predictions import personal

log = logging.getLogger("sparkkit.serving")


class Scores(Protocol):
    """What scores records: `sparkkit.portable.scorer.Scorer`, or a warm session."""

    def score(self, records: Sequence[Mapping[str, Any]]) -> list[Score | None]:
        """A score for each record; None for one that the pipeline leaves out."""

    def explain(self, record: Mapping[str, Any]) -> list[tuple[str, float]] | None:
        """What moved a score; None where that can't be told."""


def find(name: str) -> Bundle:
    """The model of a folder's path, or of a name in the registry (`sentiment@champion`).

    Raises:
        UsageError: there is none (`unknown_model`).
        ContractError: it is not what was saved (`changed_model`).
    """
    if (Path(name) / CARD).is_file():
        return Bundle.open(Path(name).resolve())
    if os.sep in name:
        raise UsageError(f"no model in {name}: it holds no {CARD}", reason="unknown_model")
    from sparkkit import project
    from sparkkit.models import registry

    bundle, version = registry.find(name, project.find())
    return replace(bundle, card={**bundle.card, "version": str(version.number)}) if version else bundle


@dataclass(frozen=True)
class Model:
    """A version of a model, ready to answer."""

    bundle: Bundle
    fields: Fields
    scorer: Scores
    hidden: frozenset[str]
    about: Mapping[str, Any]
    since: str

    @classmethod
    def load(cls, bundle: Bundle, *, spark: bool = False) -> Model:
        """A bundle made ready: by its export, or else, where `spark` says so, by a warm session.

        Raises:
            UsageError: it has no export and `spark` is false (`not_portable`), its contract can't be checked without Spark
                (`not_servable`), or its export reads what the contract has not (`wrong_model`).
        """
        card = bundle.card
        fields = of_contract(bundle.contract, card.get("label"))
        about = {"model": card["name"], "version": card.get("version"), "run": card.get("run")}
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(bundle, fields, _scorer(bundle, fields, spark), personal(bundle.contract), about, since)

    def answer(self, score: Score | None) -> dict[str, Any]:
        """A score in the words of the model's task: `prediction` (a class's label, or a value), `probability` (of class 1 where there are
        two, else of the class predicted), `probabilities` by label, and `score`, the one number of all tasks that is logged."""
        if score is None:
            return {"prediction": None, "score": None, "left_out": True}
        classes, threshold = labels(self.bundle.card), self.bundle.card.get("threshold")
        if self.bundle.card.get("task") == "regression" or not classes:
            return {"prediction": _finite(score.prediction), "score": _finite(score.prediction)}
        if not score.probability:
            return {"prediction": classes[int(score.prediction)], "score": _finite(score.raw[-1]) if score.raw else None}
        two = len(classes) == 2
        at = int(score.probability[1] >= threshold) if two and threshold is not None else int(score.prediction)
        number = _finite(score.probability[1 if two else at])
        shares = {str(label): _finite(p) for label, p in zip(classes, score.probability, strict=True)}
        return {"prediction": classes[at], "probability": number, "probabilities": shares, "score": number}


def labels(card: Mapping[str, Any]) -> list[Any]:
    """The labels of a card's classes by index; none for a regression. Where the negative of two has no name of its own it is 0 or false,
    where the positive is 1 or true, else `not` the positive.

    >>> labels({"classes": [None, 1]}), labels({"classes": [None, "fraud"]}), labels({"classes": ["a", "b"]}), labels({})
    ([0, 1], ['not fraud', 'fraud'], ['a', 'b'], [])
    """
    classes = list(card.get("classes") or [])
    if classes[:1] == [None] and len(classes) == 2:
        classes[0] = type(classes[1])(0) if classes[1] in (1, True) else f"not {classes[1]}"
    return classes


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _scorer(bundle: Bundle, fields: Fields, spark: bool) -> Scores:
    reason = bundle.card.get("portable")
    if reason is None:
        scorer = Scorer.load(bundle.path)
        unknown = set(scorer.inputs) - set(fields.fields)
        if unknown:
            raise UsageError(f"the model reads {sorted(unknown)}, which its contract does not have", reason="wrong_model")
        return scorer
    if not spark:
        raise UsageError(f"model {bundle.card['name']!r} can't be served without Spark: {reason}", reason="not_portable",
                         hint="give --spark, which keeps a warm session in one worker")
    from sparkkit.serving.warm import Warm

    return Warm.start(bundle)


class Current:
    """The version that answers now. `refresh` exchanges it in one step, between two requests, so none is lost; a version that can't be
    loaded leaves the old one in place, and `problem` says why."""

    def __init__(self, model: Model, name: str, *, spark: bool = False) -> None:
        self.model, self.problem, self.reloads = model, "", 0
        self._name, self._spark, self._lock = name, spark, threading.Lock()
        self._seen: tuple[Any, ...] | None = None  # the name may be another version's since the model was opened
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def refresh(self) -> bool:
        """Looks the name up again; whether another version was put in the place of the old one."""
        with self._lock:
            try:
                seen = _mark(self._name)
                if seen == self._seen:
                    return False
                bundle = find(self._name)
                self._exchange(bundle)
                self.problem, self._seen = "", seen
            except FileNotFoundError:
                return self._failed(f"no model in {self._name}")
            except Exception as error:
                return self._failed(str(error) if isinstance(error, SparkkitError) else f"{type(error).__name__}: {error}")
        return self.model.bundle is bundle

    def _failed(self, said: str) -> bool:
        known, self.problem = self.problem, said
        if said != known:
            log.error("%s: the new version is not served, the old one (%s) is: %s", self._name, self.model.about["version"], said)
        return False

    def _exchange(self, bundle: Bundle) -> None:
        if bundle.card == self.model.bundle.card:
            return
        _refuse_other_fields(self.model.fields, of_contract(bundle.contract, bundle.card.get("label")))
        model = Model.load(bundle, spark=self._spark)
        old, self.model = self.model, model
        self.reloads += 1
        log.warning("%s: version %s is served in place of %s", self._name, model.about["version"], old.about["version"])

    def watch(self, every: float, also: Callable[[], None] = lambda: None) -> threading.Thread:
        """A thread that refreshes every so many seconds, and when it is woken; `also` is called each time."""
        def run() -> None:
            while True:
                if select.select([self._awake], [], [], every)[0]:
                    os.read(self._awake, 1000)
                self.refresh()
                also()

        thread = threading.Thread(target=run, name="model-watch", daemon=True)
        thread.start()
        return thread

    def wake(self, *_: object) -> None:
        """Asks the watching thread to look now; may be called by a signal's handler."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"\0")


def _mark(name: str) -> tuple[Any, ...]:
    """What tells at little cost that a folder, the link that names it, or an alias of the registry is another version."""
    card = Path(name) / CARD
    if card.is_file() or os.sep in name:
        found = card.stat()
        return str(Path(name).resolve()), found.st_ino, found.st_mtime_ns, found.st_size
    from sparkkit import project
    from sparkkit.models import registry

    version = registry.where(project.find()).version(name)
    return version.name, version.number, version.source


def _refuse_other_fields(old: Fields, new: Fields) -> None:
    """Those who call were promised the old fields: a model that wants others is served by a server of its own."""
    for name in {**old.fields, **new.fields}:
        was, now = ((f.column.type, f.required, dict(f.column.limits)) if f else None for f in (old.fields.get(name), new.fields.get(name)))
        if was != now:
            raise UsageError(f"the new version's contract differs in the field {name!r}", reason="other_contract",
                             hint="start the server again to serve it")
