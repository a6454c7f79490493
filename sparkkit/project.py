"""Where a job's conf and contracts are found: in a project's folders, or compiled to JSON inside a package."""
from __future__ import annotations

import json
import os
import pkgutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sparkkit.errors import UsageError, nearest
from sparkkit.schema.contract import Contract

BUNDLE = "bundle.json"
"""The compiled conf and contracts of a packaged project, inside the package `sparkkit`."""


@dataclass(frozen=True)
class Project:
    """A project's root folder, or its compiled bundle where the job was shipped as a package."""

    root: Path
    bundle: Mapping[str, Any] = field(default_factory=dict)

    def toml(self, relative: str) -> Mapping[str, Any] | None:
        """A conf file's content, None where there is no such file.

        Raises:
            UsageError: if the file can't be parsed.
        """
        if self.bundle:
            found: Mapping[str, Any] | None = self.bundle["conf"].get(relative)
            return found
        path = self.root / "conf" / relative
        return read_toml(path) if path.is_file() else None

    def environments(self) -> list[str]:
        """The names that `--env` knows."""
        if self.bundle:
            return sorted(k[4:-5] for k in self.bundle["conf"] if k.startswith("env/"))
        return sorted(p.stem for p in (self.root / "conf" / "env").glob("*.toml"))

    def jobs(self) -> list[str]:
        """The stems of the files in `jobs/`."""
        return sorted(p.stem for p in (self.root / "jobs").glob("*.py") if not p.stem.startswith("_"))

    def contract(self, name: str) -> Contract:
        """A contract by its name in `schemas/`, or by a path to its file (YAML, or compiled JSON).

        Raises:
            UsageError: if there is none, or it is not a contract.
        """
        if name in self.bundle.get("schemas", {}):
            return Contract.from_json(json.dumps(self.bundle["schemas"][name]))
        file, _, _ = name.partition("#")
        path = next((p for p in self._candidates(file) if p.is_file()), None)
        if path is None:
            known = sorted(p.stem for p in (self.root / "schemas").glob("*.yaml"))
            close = nearest(name, known)
            raise UsageError(f"no contract {name!r} in {self.root / 'schemas'} and no such file", reason="unknown_contract",
                             hint=f"did you mean {close!r}?" if close else f"known are: {', '.join(known) or 'none'}")
        if path.suffix == ".json":
            return Contract.from_json(path.read_text(encoding="utf-8"))
        from sparkkit.schema import odcs

        return odcs.load(str(path) + name[len(file):])

    def _candidates(self, name: str) -> list[Path]:
        schemas = self.root / "schemas"
        return [schemas / f"{name}.yaml", schemas / f"{name}.json", Path(name), self.root / name, schemas / name]


def read_toml(path: Path) -> Mapping[str, Any]:
    """A TOML file's content; a `UsageError` names the file and the line of what is wrong in it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}", reason="wrong_conf") from error
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", reason="wrong_conf") from error


@cache
def _bundle() -> Mapping[str, Any]:
    try:
        data = pkgutil.get_data("sparkkit", BUNDLE)
    except OSError:
        return {}
    return json.loads(data) if data else {}


def find(job_file: Path | None = None) -> Project:
    """The project of a job file (`<root>/jobs/x.py`), or of the working directory."""
    if _bundle():
        return Project(Path(os.getcwd()), _bundle())
    if job_file is not None:
        folder = job_file.resolve().parent
        if folder.name == "jobs":
            return Project(folder.parent)
    here = Path.cwd()
    return Project(next((p for p in (here, *here.parents) if (p / "jobs").is_dir()), here))
