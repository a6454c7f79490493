"""Typed command-line options out of a function's keyword-only parameters, and out of nothing else.

A parameter `since: int = 2010` becomes `--since`; `_` becomes `-`, a trailing `_` is dropped (`from_` is `--from`); a bool
gives `--x/--no-x`; a `list[int]` repeats. Help is the docstring's text for the parameter.
"""
from __future__ import annotations

import argparse
import base64
import datetime as dt
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

from sparkkit.errors import UsageError
from sparkkit.redaction import is_secret_name

Secret = NewType("Secret", str)
"""A text that is never printed or recorded: `def build(people, *, api: Secret)`."""


def date(text: str) -> dt.date:
    """A date of the command line.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write YYYY-MM-DD") from None


@dataclass(frozen=True)
class Option:
    """One option: `flag` as typed, `parameter` as the function names it, `parse` one text to its value."""

    parameter: str
    flag: str
    parse: Callable[[str], Any]
    kind: str
    default: Any = None
    required: bool = False
    many: bool = False
    help: str = ""
    choices: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        """Whether its value is never printed or recorded: by its type, or by its name."""
        return self.kind in ("secret", "text") and (self.kind == "secret" or is_secret_name(self.parameter))

    def add_to(self, parser: argparse._ArgumentGroup) -> None:
        """Adds the option to an argparse group."""
        required = self.required and not self.secret  # a secret comes from conf, as a reference
        common: dict[str, Any] = {"dest": self.parameter, "required": required, "help": self._help()}
        if self.kind == "bool":
            parser.add_argument(self.flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, **common)
            return
        action = "append" if self.many else "store"
        parser.add_argument(self.flag, type=self._checked, action=action, default=argparse.SUPPRESS,
                            metavar=self.kind.upper(), **common)

    def value(self, given: Any, where: str) -> Any:
        """A value out of a conf file, checked and parsed; a wrong one is a `UsageError` that says where."""
        try:
            if self.many:
                return [self._of(item) for item in (given if isinstance(given, list) else [given])]
            return self._of(given)
        except (ValueError, InvalidOperation, argparse.ArgumentTypeError) as error:
            said = "its value" if self.secret else repr(given)
            raise UsageError(f"{where}: {said} is not {article(self.kind)}", reason="wrong_conf") from error

    def _of(self, given: Any) -> Any:
        if self.kind == "bool":
            if not isinstance(given, bool):
                raise ValueError(given)
            return given
        return self._checked(str(given))

    def _checked(self, text: str) -> Any:
        try:
            value = self.parse(text)
        except (ValueError, InvalidOperation) as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {article(self.kind)}") from error
        if self.choices and value not in self.choices:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(self.choices)}")
        return value

    def _help(self) -> str:
        default = "" if self.required or self.secret or self.default in (None, (), []) else f" (default {self.default})"
        return (self.help + default).replace("%", "%%")


def article(kind: str) -> str:
    """'a date', 'an int': a kind as it stands in a sentence."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


PARSERS: Mapping[Any, tuple[str, Callable[[str], Any]]] = {
    str: ("text", str),
    Secret: ("secret", str),
    int: ("int", int),
    float: ("float", float),
    bool: ("bool", bool),
    Decimal: ("decimal", Decimal),
    dt.date: ("date", dt.date.fromisoformat),
    dt.datetime: ("timestamp", dt.datetime.fromisoformat),
}


def options_of(function: Callable[..., Any]) -> tuple[Option, ...]:
    """The options of a function's keyword-only parameters.

    Raises:
        UsageError: for a parameter whose type has no reading from text.

    >>> def build(*, since: int = 2010, from_: str, keep: bool = False): ...
    >>> [(o.flag, o.kind, o.required) for o in options_of(build)]
    [('--since', 'int', False), ('--from', 'text', True), ('--keep', 'bool', False)]
    """
    hints = _hints(function)
    texts = parameter_help(inspect.getdoc(function) or "")
    keyword = (p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY)
    return tuple(_option(p, hints.get(p.name, str), texts.get(p.name, "")) for p in keyword)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise UsageError(f"{function.__name__}: a parameter's type is not known: {error}", reason="wrong_job") from error


def _option(parameter: inspect.Parameter, hint: Any, text: str) -> Option:
    required = parameter.default is inspect.Parameter.empty
    hint, many, choices = _unwrap(hint)
    kind, parse = PARSERS.get(hint) or (getattr(hint, "option_kind", ""), str)
    if not kind:
        raise UsageError(
            f"parameter {parameter.name!r} has type {hint}, which no option can be read as", reason="wrong_job",
            hint="use str, int, float, bool, Decimal, date, datetime, a Literal of texts, a Model, or a list of one of them",
        )
    flag = "--" + parameter.name.rstrip("_").replace("_", "-")
    default = None if required else parameter.default
    return Option(parameter.name, flag, parse, kind, default, required, many, text, choices)


def _unwrap(hint: Any) -> tuple[Any, bool, tuple[str, ...]]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        return _unwrap(rest[0]) if len(rest) == 1 else (hint, False, ())
    if origin in (list, tuple, Sequence) and args:
        return (*_unwrap(args[0])[:1], True, _unwrap(args[0])[2])
    if origin is typing.Literal and all(isinstance(a, str) for a in args):
        return str, False, tuple(str(a) for a in args)
    return hint, False, ()


def parameter_help(docstring: str) -> dict[str, str]:
    """The text of each parameter in a docstring's `Args:` section, each on one line.

    >>> parameter_help('''Counts.
    ...
    ... Args:
    ...     since: the first year,
    ...         inclusive.
    ... ''')
    {'since': 'the first year, inclusive.'}
    """
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", docstring, re.M)
    if not section:
        return {}
    entries = re.findall(r"^    (\w+)(?: \([^)]*\))?:[ \t]*(.*(?:\n {5,}.*)*)", section[1], re.M)
    return {name: " ".join(text.split()) for name, text in entries}


MARK = "sparkkit64:"
"""Begins an argument that is sent in base64."""

_PLAIN = re.compile(r"[\w@%+=:,./ -]+", re.ASCII)


def shipped(word: str) -> str:
    """An argument as it is sent to a driver on a cluster: YARN hands it on in a shell's double quotes, where `id` would be run, and drops
    what looks like a variable; Kubernetes replaces $(NAME); a node's locale may have ASCII only. So other signs go in base64.

    >>> shipped("2026-11-29"), shipped("it's $5"), unshipped(shipped("it's $5"))
    ('2026-11-29', 'sparkkit64:aXQncyAkNQ==', "it's $5")
    """
    if _PLAIN.fullmatch(word) and not word.startswith(MARK):
        return word
    return MARK + base64.urlsafe_b64encode(word.encode("utf-8", "surrogateescape")).decode()


def unshipped(word: str) -> str:
    """An argument as it was given; one that was not shipped stays as it is."""
    if not word.startswith(MARK):
        return word
    return base64.urlsafe_b64decode(word.removeprefix(MARK)).decode("utf-8", "surrogateescape")
