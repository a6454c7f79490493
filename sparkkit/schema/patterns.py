"""Texts that match a regular expression, for test data."""
from __future__ import annotations

import importlib
import random
import re
import string
import warnings
from collections.abc import Callable
from typing import Any

from sparkkit.errors import UsageError

_MOST = 8
_ANY = string.ascii_letters + string.digits + " -_.,"
_CLASSES = {"DIGIT": string.digits, "WORD": string.ascii_letters + string.digits + "_", "SPACE": " \t"}


def matching(pattern: str) -> Callable[[random.Random], str]:
    """A function that draws texts which match the pattern.

    Raises:
        UsageError: the pattern is broken, or has what this can't make up texts for (look-around, back-references).

    >>> bool(re.fullmatch("[A-Z]{2}-[0-9]+", matching("^[A-Z]{2}-[0-9]+$")(random.Random(1))))
    True
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # [a-z&&[^x]] means something else in Java
            tree = importlib.import_module("re._parser").parse(pattern)
            found = re.compile(pattern)
    except (re.error, FutureWarning) as error:
        raise _unsupported(pattern, str(error)) from None

    def draw(rng: random.Random) -> str:
        for _ in range(100):
            text = _sequence(tree, rng, pattern)
            if found.search(text):
                return text
        raise _unsupported(pattern, "no text was found for it")

    return draw


def _unsupported(pattern: str, why: str) -> UsageError:
    return UsageError(f"no test data can be made for the pattern {pattern!r} ({why})", reason="bad_contract",
                      hint="give the column an enum, or rows by hand")


def _sequence(tree: Any, rng: random.Random, pattern: str) -> str:
    return "".join(_node(str(op), argument, rng, pattern) for op, argument in tree)


def _node(op: str, argument: Any, rng: random.Random, pattern: str) -> str:
    if op == "LITERAL":
        return chr(argument)
    if op == "AT":
        return ""
    if op in ("ANY", "NOT_LITERAL", "IN", "CATEGORY"):
        return rng.choice(_characters(op, argument, pattern))
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = argument
        times = rng.randint(least, min(most, least + _MOST))
        return "".join(_sequence(inner, rng, pattern) for _ in range(times))
    if op == "SUBPATTERN":
        return _sequence(argument[-1], rng, pattern)
    if op == "ATOMIC_GROUP":
        return _sequence(argument, rng, pattern)
    if op == "BRANCH":
        return _sequence(rng.choice(argument[1]), rng, pattern)
    raise _unsupported(pattern, op.lower())


def _characters(op: str, argument: Any, pattern: str) -> str:
    """The characters that one place of the pattern takes (a sample where they are many)."""
    if op == "ANY":
        return _ANY
    if op == "NOT_LITERAL":
        return _ANY.replace(chr(argument), "")
    if op == "CATEGORY":
        name = str(argument).removeprefix("CATEGORY_")
        inside = _CLASSES[name.removeprefix("NOT_")]
        return "".join(c for c in _ANY if c not in inside) if name.startswith("NOT_") else inside
    if op == "LITERAL":
        return chr(argument)
    if op == "RANGE":
        return "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 500) + 1)))
    if op != "IN":
        raise _unsupported(pattern, op.lower())
    negated = str(argument[0][0]) == "NEGATE"
    inside = "".join(_characters(str(o), a, pattern) for o, a in argument[negated:])
    return "".join(c for c in _ANY if c not in inside) if negated else inside
