"""The reader's options and the policy of a contract: which there are, what they may be, what holds without them."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkkit.errors import UsageError, nearest
from sparkkit.schema.contract import POLICIES, Column, Contract

ANSWERS = ("quarantine", "stop", "allow")
FORMATS = ("csv", "json", "parquet", "orc", "text", "delta", "avro", "hive")
ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "latin-1": "latin-1", "latin1": "latin-1", "iso-8859-1": "latin-1"}
_SIZE = re.compile(r"[1-9]\d*(B|KB|MB|GB)")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


def _word(value: str) -> bool:
    return value in ("true", "false")


def _sign(value: str) -> bool:
    return len(value) == 1 and not value.isalnum()


def _zone(value: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        return bool(_OFFSET.fullmatch(value) or ZoneInfo(value))
    except (KeyError, ValueError, OSError):
        return False


@dataclass(frozen=True)
class Option:
    """A reader option: its default, what it may be in words and as a test, and whether a column may set it."""

    default: str
    expected: str
    fits: Callable[[str], bool]
    column: bool = False


OPTIONS: Mapping[str, Option] = {
    "format": Option("", f"one of {', '.join(FORMATS)}", lambda v: v in FORMATS),
    "delimiter": Option(",", "one character", lambda v: len(v) == 1 and v not in "\r\n"),
    "quote": Option('"', "one character, or empty for none", lambda v: v == "" or _sign(v)),
    "encoding": Option("utf-8", "utf-8 or latin-1", lambda v: v in ENCODINGS.values()),
    "header": Option("true", "true or false", _word),
    "newlines_in_quotes": Option("false", "true or false", _word),
    "multiline": Option("false", "true or false", _word),
    "max_record_file": Option("256MB", "a size such as 256MB", lambda v: bool(_SIZE.fullmatch(v))),
    "null_values": Option("", "texts with commas between", lambda v: True, column=True),
    "thousands": Option(
        "", "one character that is neither letter nor digit", lambda v: v == "" or _sign(v), column=True
    ),
    "decimal": Option(".", "one character that is neither letter nor digit", _sign, column=True),
    "date_format": Option("yyyy-MM-dd", "a pattern such as dd.MM.yyyy", bool, column=True),
    "timestamp_format": Option(
        "", "a pattern such as yyyy-MM-dd HH:mm:ss, or empty for ISO 8601", lambda v: True, column=True
    ),
    "trim": Option("false", "true or false", _word, column=True),
    "zone": Option("UTC", "a time zone such as Europe/Berlin or +02:00", _zone, column=True),
    "boolean_true": Option("true", "texts with commas between", bool, column=True),
    "boolean_false": Option("false", "texts with commas between", bool, column=True),
    "nan": Option("refuse", "allow or refuse", lambda v: v in ("allow", "refuse"), column=True),
    "binary": Option("base64", "base64 or hex", lambda v: v in ("base64", "hex"), column=True),
}
"""Every key of `sparkkit.reader.*`."""

OF_VALUES = frozenset(name for name, option in OPTIONS.items() if option.column)
"""The options that say how texts become values: the conversion to a contract's types looks at them, whatever the format."""

LISTS = ("null_values", "boolean_true", "boolean_false")
"""The options that hold several texts, with commas between."""


def effective(contract: Contract, column: Column | None = None) -> dict[str, str]:
    """All reader options in force, for the contract or for one of its columns.

    >>> effective(Contract("t", (), reader={"delimiter": ";"}))["delimiter"]
    ';'
    """
    defaults = {key: option.default for key, option in OPTIONS.items()}
    return {**defaults, **contract.reader, **(column.reader if column else {})}


def option(key: str, value: object, where: str, *, column: bool = False) -> str:
    """The text of one reader option, checked.

    Raises:
        UsageError: an unknown key or a value that it can't have; the message names `where`, the key and what fits.

    >>> option("null_values", ["NA", "-"], "people.yaml")
    'NA,-'
    """
    known = [name for name, o in OPTIONS.items() if o.column or not column]
    if key not in known:
        raise unknown(f"{where}: sparkkit.reader.{key} is not known{' for a column' if column else ''}", key, known)
    return _fit(key, value, f"{where}: sparkkit.reader.{key}", "bad_contract")


def checked(options: Mapping[str, str], known: frozenset[str], where: str, *, typed: bool) -> dict[str, str]:
    """An input's own options, checked as those of a contract are. `known` are those that its format looks at; the others are about values,
    and only an input that a contract gives types has those (`typed`). An encoding is left to the format, which says what it reads.

    Raises:
        UsageError: an option that is not known or has no meaning, or a value that it can't have (reason `bad_option`).

    >>> checked({"delimiter": "\\\\t"}, frozenset({"delimiter"}), "input 'a'", typed=False)
    {'delimiter': '\\t'}
    """
    for key in options:
        if key not in known | OF_VALUES:
            raise unknown(f"{where}: option {key!r} is not known", key, known | OF_VALUES, "bad_option")
        if key not in known and not typed:
            raise UsageError(f"{where}: option {key!r} is about values, which are texts without a contract", reason="bad_option",
                             hint=f"name a contract, or set sparkkit.reader.{key} in one")
    return {k: v if k == "encoding" else _fit(k, v, f"{where}: option {k!r}", "bad_option") for k, v in options.items()}


def _fit(key: str, value: object, place: str, reason: str) -> str:
    text = _text(value, place)
    text = ENCODINGS.get(text.lower(), text) if key == "encoding" else text
    text = "\t" if (key, text) == ("delimiter", "\\t") else text
    if not OPTIONS[key].fits(text):
        raise UsageError(f"{place} is {text!r}", reason=reason, hint=f"it must be {OPTIONS[key].expected}")
    return text


def answer(key: str, value: object, where: str) -> str:
    """The answer of one policy, checked.

    >>> answer("null", "stop", "people.yaml")
    'stop'
    """
    if key not in POLICIES:
        raise unknown(f"{where}: sparkkit.on.{key} is not known", key, POLICIES)
    if value not in ANSWERS:
        raise UsageError(f"{where}: sparkkit.on.{key} is {value!r}", reason="bad_contract",
                         hint=f"it must be one of {', '.join(ANSWERS)}")
    return str(value)


def clash(contract: Contract, where: str) -> None:
    """Refuse options that can't stand together, such as one sign for two purposes."""
    for column in (None, *contract.columns):
        options = effective(contract, column)
        for first, second in (("delimiter", "quote"), ("thousands", "decimal")):
            if options[first] == options[second]:
                place = f"{where}: column {column.name!r}" if column else where
                raise UsageError(f"{place}: {first} and {second} are both {options[first]!r}", reason="bad_contract",
                                 hint=f"set sparkkit.reader.{first} or sparkkit.reader.{second}")


def unknown(message: str, key: str, known: object, reason: str = "bad_contract") -> UsageError:
    """The error for a key that is not known, with the nearest that is."""
    near = nearest(key, known)
    listed = ", ".join(sorted(str(k) for k in known))  # type: ignore[attr-defined]
    return UsageError(message, reason=reason, hint=f"did you mean {near!r}?" if near else f"known: {listed}")


def _text(value: object, place: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        if not all(isinstance(v, str) and "," not in v for v in value):
            raise UsageError(
                f"{place}: a list of texts without commas expected, {value!r} found", reason="bad_contract"
            )
        return ",".join(value)
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(f"{place}: a text expected, {value!r} found", reason="bad_contract")
