"""What Java does to texts and numbers, in Python: lower case, splitting, regular expressions, numbers as text, and Spark's hash of words.

Where the two languages differ and the difference can't be bridged, a pattern is refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module

from sparkkit.errors import UsageError

_ASCII_CLASSES = {
    "Lower": "a-z", "Upper": "A-Z", "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9", "XDigit": "0-9a-fA-F", "Blank": " \\t",
    "Punct": r"!-/:-@\[-`{-~", "Space": r" \t\n\x0b\f\r", "Cntrl": r"\x00-\x1f\x7f", "Graph": "!-~", "Print": " -~", "ASCII": r"\x00-\x7f",
}
"""Java's POSIX classes, which are of ASCII only (java.util.regex.Pattern), as the inside of a class of Python's."""

_DOT = r"[^\n\r\u0085\u2028\u2029]"
_END = r"(?=(?:\r\n|(?!(?<=\r)\n)[\n\r\u0085\u2028\u2029])?\Z)"
"""Java's `$`: at the end, or before a last line end of any kind, but not within one."""

_GROUPS = ("?:", "?=", "?!", "?<=", "?<!", "?>")
_WORD = re.compile(r"[\w'’.·\-\u00ad\u0300-\u036f]+")


def lower(text: str) -> str:
    """`String.toLowerCase()` in a locale other than Turkish, Azeri or Lithuanian.

    The two languages differ in the sigma at a word's end only, where Java looks at the word and Python at the letters next to it; and
    in letters that came to Unicode after the version that the JVM knows.

    >>> lower("ΑΣ İ ß A-Σ") == "ας i̇ ß a-ς"
    True
    """
    return text.lower() if "Σ" not in text else _WORD.sub(_lower_word, text).lower()


def _lower_word(found: re.Match[str]) -> str:
    word = found.group()
    return "".join(_sigma(word, at) if sign == "Σ" else sign for at, sign in enumerate(word))


def _sigma(word: str, at: int) -> str:
    before, after = (any(c.isupper() or c.islower() or c.istitle() for c in part) for part in (word[:at], word[at + 1:]))
    return "ς" if before and not after else "σ"


def units(text: str) -> int:
    """`String.length()`: UTF-16 units, two for an emoji.

    >>> units("a🙂")
    3
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(pattern: re.Pattern[str], text: str) -> list[str]:
    """`Pattern.split`: no empty text at the end; the text itself where nothing matches.

    >>> split(re.compile(r"\\s"), " a  b "), split(re.compile(","), ""), split(re.compile(","), ",")
    (['', 'a', '', 'b'], [''], [])
    """
    found, at = [], 0
    for match in pattern.finditer(text):
        found.append(text[at:match.start()])
        at = match.end()
    if at == 0:
        return [text]
    found.append(text[at:])
    while found and not found[-1]:
        found.pop()
    return found


def halves(text: str) -> list[str]:
    """`Pattern.split` by the empty pattern, as Spark keeps it: a text for each UTF-16 unit, and `?` for each half of a pair.

    >>> halves("né🙂")
    ['n', 'é', '?', '?']
    """
    return [half for sign in text for half in (sign if sign <= "\uffff" else "??")] or [""]


def regex(pattern: str, *, empty: bool = False) -> re.Pattern[str]:
    r"""A pattern of Java's as one of Python's that matches the same; `empty` says whether it may match nothing.

    Raises:
        UsageError: it has something that differs between the two, or between versions of Java (`not_portable`).

    >>> regex(r"[^\p{Alpha}']+").split("it's é")
    ["it's", '']
    >>> regex(r"\bword")
    Traceback (most recent call last):
    sparkkit.errors.UsageError: pattern '\\bword': \b means other things in other versions of Java: write it otherwise
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            found = re.compile("".join(_translated(pattern)), re.ASCII)
            least, _ = import_module("re._parser").parse(found.pattern).getwidth()
    except (re.error, FutureWarning) as error:
        raise _other(pattern, f"Python can't read it ({error})") from None
    if least == 0 and not empty:
        raise _other(pattern, "it can match nothing, and then Java cuts an emoji in halves")
    return found


def _other(pattern: str, why: str) -> UsageError:
    return UsageError(f"pattern {pattern!r}: {why}", reason="not_portable", hint="write it otherwise")


def _translated(pattern: str) -> Iterator[str]:
    at, inside = 0, False
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\":
            length, text = _escaped(pattern, at, inside)
            at += length
            yield text
            continue
        if inside and (sign == "[" or pattern.startswith("&&", at)):
            raise _other(pattern, "a class within a class")
        if not inside and pattern.startswith("(?", at) and not pattern.startswith(_GROUPS, at + 1):
            raise _other(pattern, "a group that is named, or sets flags")
        yield sign if inside else {".": _DOT, "$": _END}.get(sign, sign)
        if sign in "[]":
            inside = sign == "["
        at += 1


def _escaped(pattern: str, at: int, inside: bool) -> tuple[int, str]:
    """The length of an escape of Java's, and the same for Python."""
    sign = pattern[at + 1:at + 2]
    named = re.match(r"\\([pP])\{(\w+)\}", pattern[at:])
    if named and named[2] in _ASCII_CLASSES and not (inside and named[1] == "P"):
        members = _ASCII_CLASSES[named[2]]
        return len(named[0]), members if inside else f"[{'^' if named[1] == 'P' else ''}{members}]"
    if sign in ("b", "B"):
        raise _other(pattern, f"\\{sign} means other things in other versions of Java")
    if sign and (sign in "dDwWsStnrfxu" or not sign.isalnum()):
        return 2, pattern[at:at + 2]
    raise _other(pattern, f"\\{sign} is not one that Python has")


def number(value: object) -> str:
    """A value as `cast(… as string)` gives it: of doubles, integers, booleans and texts.

    >>> number(1.0), number(1e7), number(0.0001), number(-0.0), number(7), number(True)
    ('1.0', '1.0E7', '1.0E-4', '-0.0', '7', 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return _double(value) if isinstance(value, float) else str(value)


def _double(value: float) -> str:
    """`Double.toString` with the fewest digits, as Java does from version 19 on, and before that but for a few values."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    digits, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        from decimal import Decimal

        digits, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def murmur3(data: bytes, seed: int = 42) -> int:
    """MurmurHash3, x86, 32 bits (Austin Appleby), as a signed integer: what Spark's HashingTF and FeatureHasher use since version 3.0.

    >>> murmur3(b""), murmur3("é😀".encode()) % 262144
    (142593372, 170288)
    """
    state, length = seed, len(data)
    for at in range(0, length - 3, 4):
        state ^= _mixed(int.from_bytes(data[at:at + 4], "little"))
        state = (((state << 13) | (state >> 19)) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if length % 4:
        state ^= _mixed(int.from_bytes(data[length - length % 4:], "little"))
    state ^= length
    state = ((state ^ (state >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    state = ((state ^ (state >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    state ^= state >> 16
    return state - (1 << 32) if state & 0x80000000 else state


def _mixed(block: int) -> int:
    block = (block * 0xCC9E2D51) & 0xFFFFFFFF
    block = ((block << 15) | (block >> 17)) & 0xFFFFFFFF
    return (block * 0x1B873593) & 0xFFFFFFFF


@lru_cache(1 << 16)
def bucket(term: str, buckets: int) -> int:
    """The place of a word among so many; words recur, so the last 65,536 are remembered.

    >>> bucket("a", 262144)
    107107
    """
    return murmur3(term.encode("utf-8", "replace")) % buckets
