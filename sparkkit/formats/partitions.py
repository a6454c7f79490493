"""Hive-style folders (`dt=2024-01-01/`): the columns that stand in the paths of files, by name and as expressions of
FILE."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkkit.schema.landing import FILE
from sparkkit.storage.increments import HIVE_NULL

_ESCAPED = r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]"
_CANONICAL = re.compile(r"-?[1-9]\d{0,17}|0|\d{4}-\d\d-\d\d")
_LIKE_NUMBER = re.compile(r"\s*[+-]?(?:\d|\.\d|nan|inf).*", re.IGNORECASE)


def values(paths: Iterable[str], root: str) -> dict[str, set[str]]:
    """Each partition column below a root folder, with the values that the paths give it.

    >>> values(["file:///d/dt=2024-01-01/k=a%2520b/x.csv"], "file:/d") == {"dt": {"2024-01-01"}, "k": {"a b"}}
    True
    """
    depth = len(_plain(root).strip("/").split("/"))
    found: dict[str, set[str]] = {}
    for path in paths:
        for part in _plain(path).strip("/").split("/")[depth:-1]:
            name, sign, value = unquote(part).partition("=")
            if sign and name:
                found.setdefault(unquote(name), set()).add(unquote(value))
    return found


def column(name: str) -> Column:
    """string: the value of a partition column, from the path in FILE; null for Hive's word for null."""
    escaped = re.sub(_ESCAPED, lambda c: f"%{ord(c[0]):02X}", name)
    last = f"(?s).*/{re.escape(escaped)}=([^/]*)/"  # one further up may be above the input's root
    value = _unescaped(F.regexp_extract(_unescaped(F.col(FILE)), last, 1))
    return F.when(value != HIVE_NULL, value)


def lossless(found: dict[str, set[str]]) -> bool:
    """Whether Spark's guess at the types of partition values keeps each of them: `01` would become 1, `1e3` a double.

    >>> lossless({"k": {"1", "20"}}), lossless({"k": {"01"}}), lossless({"k": {"a"}})
    (True, False, True)
    """
    return all(_CANONICAL.fullmatch(v) or not _LIKE_NUMBER.fullmatch(v) for some in found.values() for v in some if v != HIVE_NULL)


def _plain(path: str) -> str:
    return re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*:(//[^/]*)?", "", path)


def _unescaped(text: Column) -> Column:
    return F.url_decode(F.replace(text, F.lit("+"), F.lit("%2B")))
