"""A new project, or a new job in a project: each runs as it is and has a passing test. No file is overwritten."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkkit.errors import InfrastructureError, UsageError

TEMPLATES = Path(__file__).parent / "templates"
PLACEHOLDER = "NAME"
"""Stands for the job's name in the templates of a job, in file names and in text."""

NEXT = "Next: {run}\nThen its test: python -m pytest{tests}"


@dataclass(frozen=True)
class Done:
    """What `init` did: the files it wrote and those that stood already, relative to the project; what to do next."""

    wrote: tuple[Path, ...]
    stand: tuple[Path, ...]
    next: str


def init(folder: Path, name: str = "") -> Done:
    """Writes a project into a folder, or, with a name, a new job into the project there.

    Raises:
        UsageError: if the name can't be a job's, or there is no project for the job.
        InfrastructureError: if the folder can't be written to.
    """
    if not name:
        wrote, stand = _write(folder, dict(_files("project")))
        return Done(wrote, stand, NEXT.format(run="./spark-submit.sh jobs/word_count.py", tests=""))
    _check(name)
    if not (folder / "jobs").is_dir():
        raise UsageError(
            f"{folder} has no jobs/, so it is no project", reason="no_project", hint="`sparkkit init` makes one here"
        )
    wrote, stand = _write(folder, {_named(path, name): text.replace(PLACEHOLDER, name) for path, text in _files("job")})
    return Done(wrote, stand, NEXT.format(run=f"sparkkit run {name}", tests=f" tests/jobs/test_{name}.py"))


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} can't be a job's name",
            reason="wrong_option",
            hint="use small letters, digits and _, such as daily_sales: it names a Python file",
        )


def _named(path: Path, name: str) -> Path:
    return Path(*(part.replace(PLACEHOLDER, name) for part in path.parts))


def _files(kind: str) -> Iterator[tuple[Path, str]]:
    root = TEMPLATES / kind
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root), path.read_text(encoding="utf-8")


def _write(folder: Path, files: dict[Path, str]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    stand = tuple(path for path in files if (folder / path).exists())
    wrote = tuple(path for path in files if path not in stand)
    try:
        for path in wrote:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(files[path])
            if path.suffix == ".sh":
                target.chmod(0o755)
    except OSError as error:
        raise InfrastructureError(
            f"{error.filename} can't be written: {error.strerror}",
            reason="not_written",
            hint="make the folder writable, or choose another",
        ) from error
    return wrote, stand
