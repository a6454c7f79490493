"""The registry of models: MLflow's, in a SQLite file and a folder of the project, or on a server.

A version is a bundle's folder among an MLflow run's artifacts. The alias `champion` is the version that scores, `challenger` the last one
trained. Which versions were champion before is a tag of the model, so that a rollback is one step.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkkit.errors import InfrastructureError, SparkkitError, UsageError, nearest
from sparkkit.models.bundle import CARD, Bundle
from sparkkit.project import Project

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["CHALLENGER", "CHAMPION", "Registry", "Version", "find", "where"]

CHAMPION, CHALLENGER = "champion", "challenger"

_BEFORE, _WINS = "sparkkit.champions", "sparkkit.wins"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SPEC = re.compile(r"(?P<name>[^@:/\\]+)(?:@(?P<alias>[^@:/\\]+)|:(?P<version>\d+))?")


@dataclass(frozen=True)
class Version:
    """One version of a model, with the aliases that name it and the tags that its training left."""

    name: str
    number: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    source: str
    created: int

    @property
    def figures(self) -> dict[str, float]:
        """The figures over the whole test part."""
        return dict(json.loads(self.tags.get("sparkkit.figures", "{}")))


@dataclass(frozen=True)
class Registry:
    """A registry by its URI: `sqlite:///…`, or a server's `http(s)://…`. Artifacts of SQLite are kept in the folder of the file."""

    uri: str

    @cached_property
    def _client(self) -> Any:
        try:
            with _quiet():
                from mlflow import MlflowClient

                if self.uri.startswith("sqlite:///"):
                    Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
                _refuse_broken(self.uri)
                with _alone(self.uri):
                    return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        except ImportError as error:
            raise UsageError(
                f"models are kept by MLflow, which is not installed ({error})", reason="no_mlflow", hint="pip install 'sparkkit[ml]'"
            ) from error

    def register(self, bundle: Bundle, *, run: str, logical_id: str, wins: bool = False) -> Version:
        """A new version of a bundle, named `challenger`; the same version again for the same attempt.

        Args:
            wins: whether `promote_winner` is to make it the champion.

        Raises:
            InfrastructureError: the registry can't be reached or written (`registry_failed`).
        """
        name = str(bundle.card["name"])
        with self._asking():
            known = [
                v for v in self._versions(name) if v.tags.get("sparkkit.logical_id") == logical_id and v.tags.get("sparkkit.run") == run
            ]
            return (
                known[0]
                if known
                else self._new(bundle, name, {"sparkkit.run": run, "sparkkit.logical_id": logical_id, _WINS: str(wins).lower()})
            )

    def promote_winner(self, name: str, logical_id: str) -> Version | None:
        """Makes the version of that attempt the champion, if it won and was not made so yet; None where there is none."""
        with self._asking():
            won = [v for v in self._versions(name) if v.tags.get("sparkkit.logical_id") == logical_id and v.tags.get(_WINS) == "true"]
        if not won:
            return None
        self.alias(name, CHAMPION, won[0].number)
        with self._asking():
            self._client.set_model_version_tag(name, str(won[0].number), _WINS, "promoted")
        return won[0]

    def alias(self, name: str, alias: str, number: int) -> None:
        """Lets an alias name a version; the champion before it is remembered."""
        with self._asking():
            if alias == CHAMPION:
                before = self._before(name)
                old = self._aliases(name).get(CHAMPION)
                if old and old != number:
                    self._client.set_registered_model_tag(name, _BEFORE, json.dumps([*before, old]))
            self._client.set_registered_model_alias(name, alias, str(number))

    def rollback(self, name: str) -> tuple[int, int]:
        """Makes the champion before this one the champion again; the numbers of both, the new one first.

        Raises:
            UsageError: there is no model, no champion, or none before it (`no_rollback`).
        """
        self.version(f"{name}@{CHAMPION}")
        with self._asking():
            before = self._before(name)
            last = before.pop() if before else None
            now = self._aliases(name)[CHAMPION]
            if last is None:
                raise UsageError(f"model {name!r} had no champion before version {now}", reason="no_rollback")
            self._client.set_registered_model_alias(name, CHAMPION, str(last))
            self._client.set_registered_model_tag(name, _BEFORE, json.dumps(before))
            return last, now

    def names(self) -> list[str]:
        """The models, in the order of their names."""
        with self._asking():
            return sorted(m.name for m in _pages(self._client.search_registered_models))

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, the newest first.

        Raises:
            UsageError: there is no such model (`unknown_model`).
        """
        with self._asking():
            found = self._versions(name)
        if not found:
            names = self.names()
            close = nearest(name, names)
            raise UsageError(
                f"no model {name!r} in {self.uri}",
                reason="unknown_model",
                hint=f"did you mean {close!r}?" if close else f"there {'are ' + ', '.join(names) if names else 'is none yet'}",
            )
        return found

    def version(self, spec: str) -> Version:
        """One version: `NAME` and `NAME@champion` are the champion, `NAME@ALIAS`, `NAME:NUMBER`.

        Raises:
            UsageError: there is none of that name, alias or number.
        """
        said = _SPEC.fullmatch(spec)
        if not said:
            raise UsageError(f"{spec!r} names no model", reason="unknown_model", hint="write NAME, NAME@ALIAS or NAME:VERSION")
        name, alias = said["name"], said["alias"] or CHAMPION
        for one in self.versions(name):
            if one.number == int(said["version"]) if said["version"] else alias in one.aliases:
                return one
        what = f"version {said['version']}" if said["version"] else alias
        raise UsageError(
            f"model {name!r} has no {what}",
            reason="unknown_model",
            hint=f"`sparkkit models show {name}` lists its versions; `sparkkit models promote` makes a champion",
        )

    def champion_or_newest(self, spec: str) -> Version:
        """As `version`, but a name alone is the newest version where there is no champion."""
        if {"@", ":"} & set(spec):
            return self.version(spec)
        return next((v for v in self.versions(spec) if CHAMPION in v.aliases), self.versions(spec)[0])

    def bundle(self, version: Version) -> Bundle:
        """The files of a version, on this machine; fetched from a server once."""
        with self._asking():
            from mlflow.artifacts import download_artifacts

            path = Path(download_artifacts(artifact_uri=version.source, tracking_uri=self.uri))
        return Bundle.open(path)

    def _new(self, bundle: Bundle, name: str, tags: dict[str, str]) -> Version:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} can't name a model", reason="wrong_job", hint="use letters, digits, '.', '_' and '-'")
        client, card = self._client, bundle.card
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name, artifact_location=self._artifacts(name))
        run = client.create_run(number, run_name=tags["sparkkit.run"], tags=tags)
        for key, value in card["params"].items():
            client.log_param(run.info.run_id, key, value)
        for key, value in card["metrics"].items():
            if value is not None:
                client.log_metric(run.info.run_id, key, value)
        client.log_artifacts(run.info.run_id, str(bundle.path), "model")
        client.set_terminated(run.info.run_id)
        if name not in self.names():
            client.create_registered_model(name)
        made = client.create_model_version(
            name, f"{run.info.artifact_uri}/model", run.info.run_id, tags={**tags, "sparkkit.figures": json.dumps(card["metrics"])}
        )
        client.set_registered_model_alias(name, CHALLENGER, made.version)
        return _version(made, self._aliases(name))

    def _artifacts(self, name: str) -> str | None:
        if not self.uri.startswith("sqlite:///"):
            return None  # the server's own
        return (Path(self.uri.removeprefix("sqlite:///")).absolute().parent / "artifacts" / name).as_uri()

    def _versions(self, name: str) -> list[Version]:
        if not any(m.name == name for m in _pages(self._client.search_registered_models, filter_string=f"name='{_text(name)}'")):
            return []
        aliases = self._aliases(name)
        found = _pages(self._client.search_model_versions, filter_string=f"name='{_text(name)}'")
        return sorted((_version(v, aliases) for v in found), key=lambda v: -v.number)

    def _aliases(self, name: str) -> dict[str, int]:
        return {alias: int(number) for alias, number in self._client.get_registered_model(name).aliases.items()}

    def _before(self, name: str) -> list[int]:
        return list(json.loads(self._client.get_registered_model(name).tags.get(_BEFORE, "[]")))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with _quiet():
                yield
        except SparkkitError:
            raise
        except Exception as error:
            raise InfrastructureError(
                f"the registry of models at {self.uri} failed: {str(error).strip().splitlines()[0][:300]}",
                reason="registry_failed",
                hint="look whether it is there and can be written, then run again",
            ) from error


def where(home: Project, said: str | None = None) -> Registry:
    """The registry in force: the one named, `MLFLOW_TRACKING_URI`, or the project's own file `.sparkkit/models/mlflow.db`."""
    uri = said or os.environ.get("MLFLOW_TRACKING_URI")
    return Registry(uri or f"sqlite:///{(home.root / '.sparkkit' / 'models' / 'mlflow.db').absolute()}")


def find(spec: str, home: Project, registry: str | None = None) -> tuple[Bundle, Version | None]:
    """A model by `NAME[@ALIAS|:VERSION]`, or by the path of its folder, which no registry knows.

    Raises:
        UsageError: there is none.
        ContractError: its files are not those that were saved.
    """
    if (Path(spec) / CARD).is_file():
        return Bundle.open(Path(spec)), None
    there = where(home, registry)
    version = there.version(spec)
    return there.bundle(version), version


def _version(made: ModelVersion, aliases: Mapping[str, int]) -> Version:
    number = int(made.version)
    named = tuple(sorted(alias for alias, of in aliases.items() if of == number))
    return Version(made.name, number, named, dict(made.tags), str(made.source), int(made.creation_timestamp or 0))


def _pages(search: Any, **options: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(page_token=token, **options)
        yield from page
        token = page.token
        if not token:
            return


def _text(name: str) -> str:
    return name.replace("'", "")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the tales of schema upgrades and of tips that MLflow and alembic tell on stderr."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    loud = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [one.level for one in loud]
    for one in loud:
        one.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for one, level in zip(loud, levels, strict=True):
            one.setLevel(level)


def _refuse_broken(uri: str) -> None:
    """Opens a SQLite file before MLflow does, which would try for minutes; with a server, MLflow tries for some ten seconds."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    if uri.startswith("sqlite:///"):
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as file:
            file.execute("PRAGMA schema_version").fetchone()


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """One process at a time makes the tables of a SQLite file."""
    if not uri.startswith("sqlite:///"):
        yield
        return
    import fcntl

    with open(f"{uri.removeprefix('sqlite:///')}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
