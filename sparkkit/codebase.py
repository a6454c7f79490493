"""The code that a run is: its job's file, and what that imports, at once or later, wherever it is."""
from __future__ import annotations

import ast
import hashlib
import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from pathlib import Path
from pkgutil import get_importer

_OTHERS = sys.stdlib_module_names | {"sparkkit", "pyspark", "py4j"}
"""Not the user's own, wherever they are; sparkkit's version is told by itself."""


def version(job_file: Path, root: Path) -> str | None:
    """sparkkit's version, and a hash of a job's file, of the modules that it imports, at any depth and also within functions, and of
    what was imported from its project so far; None where a file can't be read.

    Python's own modules and installed packages are left out. What is found by none of these, such as a module of another folder
    whose name is put together at run time, does not count.
    """
    from sparkkit import __version__

    own, root = Path(__file__).resolve().parent, root.resolve()
    try:
        found = {str(job_file.resolve()): job_file.read_bytes(), **_loaded(root, own)}
        if own.is_relative_to(root):
            found |= {str(file): file.read_bytes() for file in own.rglob("*.py")}
        found |= _closure(found[str(job_file.resolve())])
    except (OSError, zipfile.BadZipFile):
        return None
    said = sorted(hashlib.sha256(f"{file.rpartition('/')[2]}\0".encode() + text).digest() for file, text in found.items())
    return f"{__version__}+{hashlib.sha256(b''.join(said)).hexdigest()[:12]}"


def _loaded(root: Path, own: Path) -> dict[str, bytes]:
    """The files of the modules that were imported from a folder, but for the script that starts the run; those in a zip are not files."""
    others = (own, *(Path(path).resolve() for path in set(sysconfig.get_paths().values())))
    found = {}
    for name in [getattr(module, "__file__", None) for key, module in [*sys.modules.items()] if key != "__main__"]:
        file = Path(name).resolve() if name and name.endswith(".py") else None
        if file and file.is_file() and file.is_relative_to(root) and not any(file.is_relative_to(other) for other in others):
            found[str(file)] = file.read_bytes()
    return found


def imported(job: bytes) -> dict[str, bytes]:
    """The sources of the modules that a file imports, at any depth, by their names in a zip; nothing of what is installed."""
    own = [(spec.name.replace(".", "/"), spec, source) for spec, source in _walk(job)]
    return {f"{name}/__init__.py" if spec.submodule_search_locations else f"{name}.py": source for name, spec, source in own}


def needed(job: bytes) -> set[str]:
    """The installed packages that a file imports, itself or by a module of its own."""
    own = [*_walk(job)]
    packages = [("", job), *((_package(spec), source) for spec, source in own)]
    tops = {name.partition(".")[0] for package, source in packages for name in _names(source, package)}
    tops -= {*_OTHERS, *(spec.name.partition(".")[0] for spec, _ in own)}
    return {top for top in tops if top and find_spec(top)}


def _closure(job: bytes) -> dict[str, bytes]:
    """The sources of all that a file imports, by their places."""
    return {os.path.realpath(str(spec.origin)): source for spec, source in _walk(job)}


def _walk(job: bytes) -> Iterator[tuple[ModuleSpec, bytes]]:
    """The modules that a file imports, at any depth, with their sources. Nothing is run for it."""
    found, todo, seen = set[str](), [(job, "")], set[str]()
    while todo:
        for name in _names(*todo.pop()):
            for spec in _specs(name) if name not in seen else ():
                at = os.path.realpath(str(spec.origin))
                if spec.origin and at.endswith(".py") and at not in found:
                    source: bytes = spec.loader.get_data(spec.origin)  # type: ignore[union-attr]
                    found.add(at)
                    todo.append((source, _package(spec)))
                    yield spec, source
            seen.add(name)


def _package(spec: ModuleSpec) -> str:
    return spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]


def _names(source: bytes, package: str) -> Iterator[str]:
    """What a module of a package imports, by whole names; each name that it takes from another may be a module too."""
    with suppress(SyntaxError, ValueError):  # its import will fail, if ever there is one
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from (one.name for one in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    try:
                        base = resolve_name("." * node.level + base, package)
                    except ImportError:
                        continue
                yield from (f"{base}.{one.name}" for one in node.names)


def _specs(name: str) -> Iterator[ModuleSpec]:
    """A module and the packages that it is in, outermost first; none of what is installed."""
    if name.partition(".")[0] in _OTHERS:
        return
    path, whole = sys.path, ""
    for part in name.split("."):
        whole = f"{whole}.{part}".lstrip(".")
        spec = _spec(whole, path)
        if spec is None:
            return
        yield spec
        if not spec.submodule_search_locations:
            return
        path = spec.submodule_search_locations


def _spec(name: str, path: Sequence[str]) -> ModuleSpec | None:
    """Where a module is found first. As Python's own search, which wants the packages to be imported already."""
    places = list[str]()
    for entry in path:
        finder = get_importer(entry)
        spec = finder.find_spec(name) if finder else None
        if spec is None or (path is sys.path and _installed(entry or ".")):
            continue
        if spec.loader:
            return spec
        places += spec.submodule_search_locations or ()
    if not places:
        return None
    found = ModuleSpec(name, None)
    found.submodule_search_locations = places
    return found


@cache
def _installed(entry: str) -> bool:
    """Whether packages are installed in a folder, or zip: they have their papers beside them."""
    if os.path.isdir(entry):
        names = os.listdir(entry)
    elif zipfile.is_zipfile(entry):
        with zipfile.ZipFile(entry) as archive:
            names = [name.partition("/")[0] for name in archive.namelist()]
    else:
        return False
    return any(name.endswith(".dist-info") for name in names)
