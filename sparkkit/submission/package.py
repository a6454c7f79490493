"""One zip for `--py-files`: sparkkit, what the jobs import of their project, conf and contracts; the same bytes for the same input."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from sparkkit import codebase, references
from sparkkit.errors import InfrastructureError
from sparkkit.project import BUNDLE, Project, read_toml

LEFT_OUT = ("templates", "__pycache__")
"""Folders of sparkkit that a running job has no use for."""

NAME = "sparkkit_package.zip"

DATE = (1980, 1, 1, 0, 0, 0)
"""The time of each entry: a zip's first, so that equal files make equal zips."""


def build(home: Project, output: Path) -> Path:
    """Writes the zip and returns its path.

    The cluster then needs Python and PySpark only: `spark-submit --py-files sparkkit_package.zip jobs/names.py`.

    Raises:
        UsageError: as `content`.
        InfrastructureError: if the zip can't be written.
    """
    return write(output, content(home))


def write(output: Path, data: bytes) -> Path:
    """Puts an artifact in its place, whole or not at all, and returns the path.

    Raises:
        InfrastructureError: if it can't be written.
    """
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(output)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise InfrastructureError(
            f"{output} can't be written: {error.strerror}", reason="not_written", hint="choose another path"
        ) from error
    return output


def content(home: Project) -> bytes:
    """The zip: sparkkit, the modules of the project that its jobs import, its conf and contracts; `conf/local.toml` is one machine's
    own and stays out.

    Raises:
        UsageError: if a conf file or a contract is wrong, or conf holds a secret in plain text.
    """
    bundle = json.dumps(compiled(home), sort_keys=True, ensure_ascii=False, indent=1)
    entries = {**dict(sources()), f"sparkkit/{BUNDLE}": bundle.encode(), **modules(home)}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 6)
    return made.getvalue()


def modules(home: Project) -> dict[str, bytes]:
    """The sources of what the project's jobs import and is not installed, at any depth, by their names in the zip."""
    found = dict[str, bytes]()
    with _found_first(home.root):
        for name in home.jobs():
            found |= codebase.imported((home.root / "jobs" / f"{name}.py").read_bytes())
    # a zip's folder without __init__.py is a package only if it has an entry of its own
    folders = {f"{folder.as_posix()}/": b"" for name in found for folder in PurePosixPath(name).parents if folder.name}
    return {name: data for name, data in sorted({**folders, **found}.items())}


def left_out(home: Project) -> list[str]:
    """The installed packages that the project's jobs import: the zip can't hold them, so the cluster's Python needs them."""
    found = set[str]()
    with _found_first(home.root):
        for name in home.jobs():
            found |= codebase.needed((home.root / "jobs" / f"{name}.py").read_bytes())
    return sorted(found)


@contextmanager
def _found_first(folder: Path) -> Iterator[None]:
    """Modules of a folder are found as they are when one of its jobs is run."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def sources() -> Iterator[tuple[str, bytes]]:
    """The package's own files, sorted: name in the zip, content."""
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.suffix in (".py", ".json") and not set(inside.parts) & set(LEFT_OUT) and inside.name != BUNDLE:
            yield f"sparkkit/{inside.as_posix()}", path.read_bytes()


def compiled(home: Project) -> dict[str, Any]:
    """The project's conf files and contracts as plain JSON values: what `Project.bundle` holds."""
    folder = home.root / "conf"
    found = {p.relative_to(folder).as_posix(): read_toml(p) for p in sorted(folder.rglob("*.toml"))}
    conf = {name: table for name, table in found.items() if name != "local.toml"}
    for name, table in conf.items():
        references.refuse_plain({key: (value, f"conf/{name}") for key, value in _leaves(table)})
    stems = {p.stem for p in (home.root / "schemas").glob("*.yaml")}
    names = sorted(stems | set(_named(list(conf.values()))))
    return {
        "conf": json.loads(json.dumps(conf, default=str)),
        "schemas": {name: json.loads(home.contract(name).to_json()) for name in names},
    }


def _leaves(table: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        yield from _leaves(value, f"{at}{key}.") if isinstance(value, Mapping) else [(f"{at}{key}", value)]


def _named(tables: list[Mapping[str, Any]]) -> Iterator[str]:
    """The contracts that conf names by path or by `file#object`: they are looked up under the name as it is written."""
    for table in tables:
        for key, value in table.items():
            if isinstance(value, Mapping):
                yield from _named([value])
            elif key == "contract" and isinstance(value, str):
                yield value
