"""The jars of an environment: fetched once by set-up, checked against `conf/jars.lock`, then plain local files.

The lock names, for each group of jars and each Spark line, what to ask Spark's resolver for and the SHA-256 of each
file that must come. Without a lock at hand (a wheel, a zip) a folder's jars are taken as they are.
"""
from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkkit.compat import version
from sparkkit.errors import UsageError

UNAVAILABLE = "UNAVAILABLE"
"""The file in the folder that says why set-up could not fetch the jars."""
_VERIFIED = ".verified.json"
LOG_STORE = "sparkkit-log-store.jar"
"""What set-up builds from `storage/java` where a JDK is: Delta's log on S3, for any number of writers."""


@dataclass(frozen=True)
class Group:
    """The jars of one purpose (`delta`) for one Spark line (`4.2`): `files` maps file name to SHA-256; `optional` ones are
    fetched only where they are asked for."""

    name: str
    spark: str
    packages: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


def parse(text: str) -> tuple[Group, ...]:
    """The groups of a lock file.

    >>> lock = '''[delta 4.2]
    ... package io.delta:delta-spark_4.2_2.13:4.4.0
    ... jar 00ff  io.delta_delta-spark_4.2_2.13-4.4.0.jar'''
    >>> parse(lock)[0].name, dict(parse(lock)[0].files)
    ('delta', {'io.delta_delta-spark_4.2_2.13-4.4.0.jar': '00ff'})
    """
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    starts = [i for i, words in enumerate(lines) if words[0].startswith("[")]
    return tuple(_group(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True))


def _group(lines: list[list[str]]) -> Group:
    name, spark = " ".join(lines[0]).strip("[]").split()
    packages, excludes, files = (
        [word for words in lines[1:] if words[0] == key for word in words[1:]] for key in ("package", "exclude", "jar")
    )
    optional = ["optional"] in lines
    return Group(name, spark, tuple(packages), tuple(excludes), dict(zip(files[1::2], files[::2], strict=True)), optional)


def folder() -> Path:
    """Where the jars lie: `SPARKKIT_JARS`, else `jars` in the running Python's environment."""
    return Path(os.environ.get("SPARKKIT_JARS") or Path(sys.prefix, "jars"))


def lock() -> tuple[Group, ...] | None:
    """The lock's groups, None where there is no lock: a checkout's `conf/jars.lock`, else the folder's own copy."""
    for path in (Path(__file__).parents[1] / "conf" / "jars.lock", folder() / "jars.lock"):
        if path.is_file():
            return parse(path.read_text(encoding="utf-8"))
    return None


def line() -> str:
    """The running PySpark's line, such as `4.2`."""
    return ".".join(map(str, version()))


def problems(where: Path, files: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each locked file of a folder: `is missing` or `does not match`; empty where all is right.

    A file seen right before, with the same size and time of change, is not read again.
    """
    seen = _seen(where)
    stamps = {name: _stamp(where / name) for name in files}
    known = {n for n, sha in files.items() if stamps[n] and seen.get(n) == [sha, *stamps[n]]}
    right = known | {n for n, sha in files.items() if n not in known and stamps[n] and sha256(where / n) == sha}
    if right - known:
        _remember(where, {**seen, **{n: [files[n], *stamps[n]] for n in right}})
    return {n: "does not match" if stamps[n] else "is missing" for n in files if n not in right}


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def needed(names: Collection[str]) -> tuple[str, ...]:
    """The paths of the jars of these groups, with Delta's log store for S3 where it was built; errors as for `paths`."""
    own = (str(folder() / LOG_STORE),) if has_log_store(names) else ()
    return (*dict.fromkeys(path for name in names for path in paths(name)), *own)


def has_log_store(names: Collection[str]) -> bool:
    """Whether a session with these groups commits to Delta tables on S3 by our own log store."""
    return {"delta", "s3"} <= set(names) and (folder() / LOG_STORE).is_file()


def paths(name: str) -> tuple[str, ...]:
    """The paths of a group's jars (`delta`, say) for the running PySpark, each checked against the lock.

    Raises:
        UsageError: naming the jar that is missing or does not match, and how to get it.
    """
    where, groups = folder(), lock()
    if groups is None:
        return _as_they_are(name, where)
    found = next((g for g in groups if (g.name, g.spark) == (name, line())), None)
    if found is None:
        lines = ", ".join(g.spark for g in groups if g.name == name) or "none"
        raise UsageError(f"no {name} jars are known for Spark {line()}", reason="jar_missing",
                         hint=f"conf/jars.lock has them for Spark {lines}")
    wrong = problems(where, found.files)
    if wrong:
        raise _refused(found, where, wrong)
    return tuple(str(where / file) for file in sorted(found.files))


def _refused(group: Group, where: Path, wrong: Mapping[str, str]) -> UsageError:
    fetch = f".venv/bin/python scripts/jars.py {group.name}" if group.optional else "scripts/setup.sh"
    mismatch = [file for file, what in wrong.items() if what == "does not match"]
    if mismatch:
        return UsageError(f"{where / mismatch[0]} does not match its SHA-256 in conf/jars.lock", reason="jar_mismatch",
                          hint=f"it is not used; {fetch} fetches it anew")
    note = where / UNAVAILABLE
    why = f" (set-up could not fetch it: {note.read_text(encoding='utf-8').strip()})" if note.is_file() else ""
    return UsageError(f"{group.name} needs {min(wrong)}, which is missing in {where}{why}", reason="jar_missing",
                      hint=f"run {fetch} where the jar registry can be reached")


def _as_they_are(name: str, where: Path) -> tuple[str, ...]:
    found = tuple(str(path) for path in sorted(where.glob("*.jar")))
    if not found:
        raise UsageError(f"there are no {name} jars in {where}", reason="jar_missing",
                         hint=f"put the {name} jars for Spark {line()} there, or set SPARKKIT_JARS to their folder")
    return found


def _stamp(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _seen(where: Path) -> dict[str, list[object]]:
    try:
        found: dict[str, list[object]] = json.loads((where / _VERIFIED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _remember(where: Path, seen: Mapping[str, object]) -> None:
    temporary = where / f"{_VERIFIED}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(seen), encoding="utf-8")
        temporary.replace(where / _VERIFIED)
    except OSError:
        return  # a folder that can't be written to is only checked anew each time
