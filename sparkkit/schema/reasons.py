"""The reasons for which a row is taken out, and how one stands in the name of a folder: `reason|rule`, where rows are parted by it.

A rule's name is its rows' reason, so it must be no word of ours, and not so long that no folder can have it.
"""
from __future__ import annotations

import hashlib

from sparkkit.errors import UsageError
from sparkkit.schema.cast import BAD_VALUES
from sparkkit.schema.conform import UNREADABLE
from sparkkit.schema.landing import BAD
from sparkkit.schema.limits import text

RESERVED = frozenset(
    {*BAD_VALUES, *UNREADABLE, "null", "header", "masked", "missing_column", "extra_column", "unreadable_file", "conforms"})
"""The reasons that are ours, and what else rules can't be called: rows of such a rule would be taken for others."""

_ESCAPED = "\"#%'*/:=?\\{[]^" + "".join(map(chr, range(1, 32))) + "\x7f"
"""What Spark writes as three signs in a folder's name."""

LONGEST, _RULE, _SHORT = 200, 190, 46
"""Bytes in a folder's name that a reason and a rule may take; a longer rule is cut to so many signs. Together they stay under 255."""


def room(name: str) -> int:
    """The bytes that a reason takes in a folder's name.

    >>> room("a|b"), room("é=")
    (7, 5)
    """
    return len(name.encode()) + sum(4 if sign in "|%" else 2 for sign in name if sign in _ESCAPED or sign == "|")


def fitting(name: str) -> str:
    """A rule's name, cut where no folder could have it; what was cut off stands as a hash.

    >>> fitting("a | b"), room(fitting("é" * 300)) <= LONGEST
    ('a | b', True)
    """
    if room(name) <= LONGEST:
        return name
    short = name
    while room(short) > LONGEST - 20:
        short = short[:-1]
    return f"{short}…{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def named(name: str, where: str) -> str:
    """The name of a rule as its contract gives it, fit to be a reason.

    Raises:
        UsageError: it is one of our own words (reason `bad_contract`).
    """
    if name in RESERVED:
        raise UsageError(f"{where}: a rule can't be called {name!r}, which is a reason of our own", reason="bad_contract",
                         hint="choose another name")
    return fitting(name)


def parted() -> str:
    """SQL text: reason and rule of a row that was taken out, as one text fit for a folder's name. Of the rule stays what it is called,
    and nothing where that is the reason itself."""
    reason, rule = f"{BAD}.reason", f"substring_index({BAD}.rule, ':', 1)"
    coded = f"replace(replace({reason}, '%', '%25'), '|', '%7C')"
    size = f"octet_length({rule}) + 2 * (length({rule}) - length(translate({rule}, {text(_ESCAPED)}, '')))"
    short = f"case when {size} <= {_RULE} then {rule} else concat(substring({rule}, 1, {_SHORT}), '…') end"
    return f"concat({coded}, '|', case when startswith({BAD}.rule, concat({reason}, ':')) then '' else coalesce({short}, '') end)"


def reason_of(said: str) -> str:
    """SQL text: the reason out of such a text."""
    return f"replace(replace(substring_index({said}, '|', 1), '%7C', '|'), '%25', '%')"


def rule_of(said: str) -> str:
    """SQL text: the rule out of such a text."""
    rule = f"substring({said}, instr({said}, '|') + 1)"
    return f"case when {rule} = '' then {reason_of(said)} else {rule} end"
