"""RFC 4180 records that may span lines, cut from a file's whole text by one possessive pattern.

Three things end at a line break: a good record (which may hold line breaks in its quotes), a line whose quotes are out
of place but even in number, and a line with one quote inside a bare field. At anything else a quote is open and nothing
after it can be trusted: the rest of the file comes line by line, marked.
"""

from __future__ import annotations

import re

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.formats.lexer import Lexer
from sparkkit.schema.landing import FILE, RAW

PLACE, OPEN = "_place", "_open"
_BREAK = r"(?:\r\n|\n|\r)"
_END = r"(?![\s\S])"
_STOP = rf"(?=[\r\n]|{_END})"


def first_record(text: str, lexer: Lexer) -> str | None:
    """The first record of a text, without its line break, in Python; None where a quote in it is out of place.

    >>> first_record('a,"b\\nc"\\n1,2', Lexer())
    'a,"b\\nc"'
    """
    found = re.match(_record(lexer) + _STOP, text)
    return found.group() if found else None


def records(texts: DataFrame, lexer: Lexer) -> DataFrame:
    """FILE, RAW, PLACE (bigint from 0), OPEN (boolean): the records of each whole text in the column RAW.

    OPEN marks the lines of the rest of a file, from the line where a quote is opened and never rightly closed.
    """
    text = F.when(F.startswith(RAW, F.lit("\ufeff")), F.substr(RAW, F.lit(2), F.length(RAW))).otherwise(F.col(RAW))
    closed = _closed(lexer)
    pattern = rf"\G(?=[\s\S])({closed}|[\s\S]++)(?:{_BREAK}|{_END})"
    cut = texts.select(FILE, F.regexp_extract_all(text, F.lit(pattern), F.lit(1)).alias("cut"))
    last = F.get("cut", F.size("cut") - 1)
    rest = F.lit(False) if not lexer.quote else F.contains(last, F.lit(lexer.quote)) & ~last.rlike(rf"\A{closed}{_END}")
    marked = cut.select(FILE, "cut", (F.size("cut") - F.coalesce(rest.cast("int"), F.lit(0))).alias("good"))
    lines = F.split(F.regexp_replace(F.get("cut", F.size("cut") - 1), _BREAK + _END, ""), _BREAK, -1)
    every = F.when(F.col("good") < F.size("cut"), F.concat(F.slice("cut", F.lit(1), F.col("good")), lines)).otherwise(
        F.col("cut")
    )
    placed = marked.select(FILE, "good", F.posexplode(every).alias(PLACE, RAW))
    return placed.select(FILE, RAW, PLACE, (F.col(PLACE) >= F.col("good")).alias(OPEN))


def _record(lexer: Lexer) -> str:
    d, q = re.escape(lexer.delimiter), re.escape(lexer.quote)
    bare = rf"[^{q}{d}\r\n]*+"
    field = f"(?:{lexer.quoted}|{bare})" if q else bare
    return f"{field}(?:{d}{field})*+"


def _closed(lexer: Lexer) -> str:
    """The pattern of what surely ends at a line break."""
    if not lexer.quote:
        return r"[^\r\n]*+"
    q, calm = re.escape(lexer.quote), rf"[^{re.escape(lexer.quote)}\r\n]"
    even = f"{calm}*+(?:{q}{calm}*+{q}{calm}*+)*+"
    lone = f"{calm}++(?<![{re.escape(lexer.delimiter)}{lexer.blanks if lexer.trim else ''}]){q}{calm}*+"
    return f"(?:(?:{_record(lexer)}|{even}|{lone}){_STOP})"
