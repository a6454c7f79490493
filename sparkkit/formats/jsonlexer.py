"""A strict lexer for JSON objects as Spark expressions: a text in; its keys, the raw text of its values, and what is
wrong, out.

Spark's own parser reads `{"a":1} rest` as good, keeps the last of two equal keys, and takes numbers on the way
through a double. Here the text of each value stays as it was written. The grammar of the top level is this module's;
what stands inside nested values is looked at where they are cast. All quantifiers are possessive, so that a long text
needs no stack.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkkit.compat import valid_utf8
from sparkkit.formats.lexer import REPLACEMENT, bad

DEPTH = 32
"""How deep values may be nested."""

_WS = r"[ \t\r\n]*+"
_PAIRED = r"[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = rf'\\(?:["\\/bfnrt]|u(?:[0-9a-cefA-CEF][0-9a-fA-F]{{3}}|[dD][0-7][0-9a-fA-F]{{2}}|{_PAIRED}))'
STRING = rf'"(?:[^"\\\x00-\x1f]++|{_ESCAPE})*+"'
NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"


def _nested() -> str:
    """A bracketed value, by its brackets alone: whether each closes its like is asked of Spark's parser afterwards."""
    inner = r"(?!)"
    for _ in range(DEPTH):
        inner = rf'[\[{{](?:[^"{{}}\[\]]++|"(?:[^"\\]++|\\.)*+"|{inner})*+[\]}}]'
    return inner


_NESTED = _nested()
VALUE = f"(?:{STRING}|{NUMBER}|true|false|null|{_NESTED})"
_PAIR = f"{_WS}{STRING}{_WS}:{_WS}{VALUE}{_WS}"
_BRACES = rf"\A\x{{FEFF}}?{_WS}\{{(?:{_PAIR}(?:,{_PAIR})*+|{_WS})\}}{_WS}\z"
_EACH = rf"(?:\G,|\A\x{{FEFF}}?{_WS}\{{){_WS}({STRING}){_WS}:{_WS}({VALUE}){_WS}"
_LIST = rf"\A\x{{FEFF}}?{_WS}\[(?:{_WS}{VALUE}{_WS}(?:,{_WS}{VALUE}{_WS})*+|{_WS})\]{_WS}\z"
_ITEM = rf"(?:\G,|\A\x{{FEFF}}?{_WS}\[){_WS}({VALUE}){_WS}"


def good_object(text: Column) -> Column:
    """boolean: whether the whole text is one JSON object."""
    flat = text.rlike(_BRACES)
    return flat & F.when(text.rlike(r"\A\x{FEFF}?[^{]*+\{[^{\[]*+\z"), True).otherwise(_parsed(text))


def _parsed(text: Column) -> Column:
    """boolean: whether Spark's parser takes the text to its end, which is shown by a key put behind it."""
    behind = F.concat(F.lit('{"v":'), F.ltrim(F.replace(text, F.lit("\ufeff"), F.lit(""))), F.lit(',"sparkkit":0}'))
    return F.coalesce(F.call_function("json_object_keys", behind) == F.array(F.lit("v"), F.lit("sparkkit")), F.lit(False))


def keys(text: Column) -> Column:
    """array<string>: the keys of a good object, in order."""
    raw = F.regexp_extract_all(text, F.lit(_EACH), F.lit(1))
    return F.transform(raw, string)


def values(text: Column) -> Column:
    """array<string>: the raw texts of the values of a good object, in the keys' order."""
    return F.regexp_extract_all(text, F.lit(_EACH), F.lit(2))


def items(text: Column) -> Column:
    """array<string>: the raw texts of a JSON array's items; the one object itself; null where the text is neither."""
    return F.when(text.rlike(_LIST), F.regexp_extract_all(text, F.lit(_ITEM), F.lit(1))).when(text.rlike(_BRACES), F.array(text))


def string(raw: Column) -> Column:
    """string: what a raw JSON string says."""
    inner = raw.substr(F.lit(2), F.length(raw) - 2)
    told = F.get(F.from_json(F.concat(F.lit("["), raw, F.lit("]")), "array<string>"), F.lit(0))
    return F.when(F.contains(raw, F.lit("\\")), told).otherwise(inner)


def faults(line: Column) -> list[tuple[Column, Column]]:
    """What can be wrong with a line as a whole, for `chain`."""
    return [
        (F.trim(line) == "", bad("blank", "the line is empty")),
        (~valid_utf8(line), bad("invalid_encoding", "the line is not valid UTF-8")),
        (
            F.contains(line, F.lit(REPLACEMENT)),
            bad("replacement_character", "the line holds U+FFFD, which stands where a character was lost"),
        ),
        (~good_object(line), bad("unreadable_row", "the line is not one JSON object")),
    ]
