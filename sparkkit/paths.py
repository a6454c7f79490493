"""Paths as text: one spelling for each place, so that two can be compared; whether one lies in, or reaches into, another."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
import unicodedata

from sparkkit.errors import UsageError

ALIASES = {"s3": "s3a", "s3n": "s3a", "abfss": "abfs", "wasbs": "wasb", "swebhdfs": "webhdfs"}
"""Schemes that lead to the same files as another. One that is not known here is taken for a place of its own."""

LONGEST = 4096
_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<host>[^/]*))?(?P<path>/.*)?", re.DOTALL)
_GLOB = re.compile(r"[*?\[\]{}]")


def check(path: str, where: str) -> None:
    """Refuses what no path of ours is: with control signs, or longer than any filesystem takes.

    Raises:
        UsageError: `wrong_path`.

    >>> check("data/a b", "x")
    >>> check("data/a\\0b", "inputs.x.path")
    Traceback (most recent call last):
        ...
    sparkkit.errors.UsageError: inputs.x.path holds the control sign U+0000 at place 7: choose another path
    """
    wrong = next((i for i, sign in enumerate(path) if unicodedata.category(sign) == "Cc"), None)
    if wrong is not None:
        raise UsageError(f"{where} holds the control sign U+{ord(path[wrong]):04X} at place {wrong + 1}", reason="wrong_path",
                         hint="choose another path")
    if len(path) > LONGEST:
        raise UsageError(f"{where} has {len(path):,} signs, and a path has at most {LONGEST:,}: {path[:60]}…", reason="wrong_path")


def canonical(path: str, *, local: bool = True) -> str:
    """One spelling of a path: scheme, host, no `..`, and, on a `local` disk, no symbolic link.

    >>> canonical("s3n://bucket/a/../b/"), canonical("hdfs://NN:8020/a//b"), canonical("file:/x/./y")
    ('s3a://bucket/b', 'hdfs://nn/a/b', 'file:///x/y')
    """
    found = _PARTS.fullmatch(path)
    scheme = found["scheme"].lower() if found else "file"
    inner = (found["path"] or "/") if found else path
    if scheme == "file":
        return "file://" + (os.path.realpath(inner) if local else posixpath.normpath(inner))
    host = (found["host"] or "").lower() if found else ""
    return f"{ALIASES.get(scheme, scheme)}://{host.removesuffix(':8020')}{_normal(inner)}"


def _normal(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/") if path != "/" else "/"


def inside(path: str, root: str) -> bool:
    """Whether a canonical path is a root, or below it.

    >>> inside("s3a://b/raw/x", "s3a://b/raw"), inside("s3a://b/rawer", "s3a://b/raw"), inside("file:///x", "file:///")
    (True, False, True)
    """
    return path == root or path.startswith(root.rstrip("/") + "/")


def meet(one: str, other: str) -> bool:
    """Whether one of two canonical paths, either of which may be a glob, is the other or lies below it.

    >>> meet("file:///a/*.csv", "file:///a/out"), meet("file:///a/*/x", "file:///a/out"), meet("file:///a", "file:///a/b")
    (False, True, True)
    """
    return all(_same(a, b) for a, b in zip(one.rstrip("/").split("/"), other.rstrip("/").split("/"), strict=False))


def _same(a: str, b: str) -> bool:
    if "{" in a + b:  # alternatives may hold anything
        return True
    return a == b or bool(_GLOB.search(a) and fnmatch.fnmatchcase(b, a)) or bool(_GLOB.search(b) and fnmatch.fnmatchcase(a, b))
