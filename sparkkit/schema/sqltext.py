"""SQL that a contract holds, put into ours: names filled in outside of quoted text only, comments that swallow nothing of ours."""
from __future__ import annotations

import re
from collections.abc import Mapping

_STRING = r"""\br'[^']*'|\br"[^"]*"|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_OTHER = r"`[^`]*`|--[^\n]*|/\*.*?\*/"
_PARTS = re.compile(f"(?P<string>{_STRING})|{_OTHER}", re.IGNORECASE | re.DOTALL)


def enclosed(sql: str) -> str:
    r"""A text of SQL in parentheses; the last stands on a line of its own where a comment could swallow it.

    >>> enclosed("a > 0"), enclosed("a > 0 -- paid")
    ('(a > 0)', '(a > 0 -- paid\n)')
    """
    return f"({sql}\n)" if "--" in sql else f"({sql})"


def broken(predicate: str) -> str:
    """Whether a row breaks a rule: its predicate is neither true nor null.

    >>> broken("a > 0")
    'not coalesce((a > 0), true)'
    """
    return f"not coalesce({enclosed(predicate)}, true)"


def filled(sql: str, names: Mapping[str, str], table: str = "") -> str:
    """A text whose placeholders are filled by name, and a table after `from` and `join` by `names["table"]`, but not in what is quoted
    and in comments. A placeholder without a name stays.

    >>> print(filled("${column} <> '${column} from t' -- ${column}", {"column": "`a`"}))
    `a` <> '${column} from t' -- ${column}
    >>> print(filled("select 'from t' from t where ${object}.a > 0", {"table": "`t`", "object": "`t`"}, "t"))
    select 'from t' from `t` where `t`.a > 0
    """
    named = rf"|(?P<before>\b(?:from|join)\s+){re.escape(table)}(?![\w.])" if table else ""
    parts = re.compile(rf"{_STRING}|{_OTHER}|\$\{{(?P<name>\w+)\}}|(?P<batch>\{{batch\}}){named}", re.IGNORECASE | re.DOTALL)

    def fill(found: re.Match[str]) -> str:
        said = found.groupdict()
        if said.get("before"):
            return f"{said['before']}{names['table']}"
        return names.get("table" if said["batch"] else said["name"] or "", found[0])

    return parts.sub(fill, sql)


def masked(sql: str) -> str:
    """The text as long as it was, with blanks for what its strings hold, so that words in them are not taken for SQL.

    >>> masked("b = 'from t'")
    "b = '      '"
    """
    return _PARTS.sub(lambda found: f"'{' ' * (len(found[0]) - 2)}'" if found["string"] else found[0], sql)
