"""A strict RFC 4180 lexer as Spark expressions: a line in; an array of raw fields, and what is wrong with it, out.

A line without a quote is split at the delimiter, which costs least. A line with quotes goes through a pattern whose
quantifiers are all possessive: a plain one keeps a stack frame a character and overflows on a quoted field of 3 kB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkkit.compat import valid_utf8
from sparkkit.schema.landing import BAD_TYPE

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
UNREADABLE = (
    "blank",
    "invalid_encoding",
    "nul_character",
    "replacement_character",
    "unclosed_quote",
    "stray_quote",
    "ragged_row",
    "repeated_header",
)
"""The reasons for which a line of CSV goes to the quarantine."""

_END = (
    r"(?![\s\S])"  # the very end in Java and in Python; `$` also matches before a last line break, and Python has no \z
)


@dataclass(frozen=True)
class Lexer:
    """How a line is cut: delimiter and quote, one character each (quote may be ""), and whether blanks round fields go.

    >>> Lexer().split('a,"b ""c"", d",')
    ['a', 'b "c", d', '']
    >>> Lexer().split('a,"b') is None
    True
    """

    delimiter: str = ","
    quote: str = '"'
    trim: bool = False

    @property
    def blanks(self) -> str:
        """The characters that `trim` takes away round a field."""
        return "".join(c for c in " \t" if c != self.delimiter)

    @property
    def quoted(self) -> str:
        """The pattern of one quoted field, quotes and all."""
        q = re.escape(self.quote)
        space = f"[{self.blanks}]*+" if self.trim else ""
        return f"{space}{q}[^{q}]*+(?:{q}{q}[^{q}]*+)*+{q}{space}"

    @property
    def bare(self) -> str:
        """The pattern of one field without quotes."""
        return rf"[^{re.escape(self.quote)}{re.escape(self.delimiter)}]*+"

    def split(self, line: str) -> list[str] | None:
        """The fields' values of one line, in Python (for headers); None where the line is not RFC 4180."""
        d = re.escape(self.delimiter)
        if not self.quote:
            return [self._plain(field) for field in line.split(self.delimiter)]
        if not re.match(f"(?:{self.quoted}|{self.bare})(?:{d}(?:{self.quoted}|{self.bare}))*+{_END}", line):
            return None
        return [self._plain(f) for f in re.findall(f"{d}({self.quoted}|{self.bare})", self.delimiter + line)]

    def _plain(self, field: str) -> str:
        field = field.strip(self.blanks) if self.trim else field
        q = self.quote
        return field[1:-1].replace(q + q, q) if q and field.startswith(q) else field

    def fields(self, line: Column) -> Column:
        """array<string>: the raw fields of a line; from a quote out of place on, the rest of the line is the last."""
        d = re.escape(self.delimiter)
        cut = F.split(line, d, -1)
        if not self.quote:
            return cut
        pattern = rf"\G{d}((?:{self.quoted}|{self.bare})(?={d}|{_END})|[\s\S]++)"
        lexed = F.regexp_extract_all(F.concat(F.lit(self.delimiter), line), F.lit(pattern), F.lit(1))
        return F.when(F.contains(line, F.lit(self.quote)), lexed).otherwise(cut)

    def value(self, fields: Column, index: int) -> Column:
        """string: one field without its quotes; null where it is empty and not quoted, or where there is none."""
        raw = F.get(fields, F.lit(index))
        raw = F.btrim(raw, F.lit(self.blanks)) if self.trim and self.blanks else raw
        if not self.quote:
            return F.when(raw != "", raw)
        inner = F.replace(F.substr(raw, F.lit(2), F.length(raw) - 2), F.lit(self.quote * 2), F.lit(self.quote))
        return F.when(raw == "", None).when(F.startswith(raw, F.lit(self.quote)), inner).otherwise(raw)

    def faults(self, line: Column, fields: Column, expected: int, *, utf8: bool = True) -> list[tuple[Column, Column]]:
        """What can be wrong with a line of which `expected` fields are due: conditions and findings, for `chain`.

        `utf8` says that the bytes are still those of the file and may not be UTF-8.
        """
        found, last = F.size(fields), F.element_at(fields, -1)
        faults = [(line == "", bad("blank", "the line is empty"))]
        if utf8:
            faults.append((~valid_utf8(line), bad("invalid_encoding", "the line is not valid UTF-8")))
        faults += [
            (F.contains(line, F.lit("\0")), bad("nul_character", "the line holds a NUL character (U+0000)")),
            (
                F.contains(line, F.lit(REPLACEMENT)),
                bad("replacement_character", "the line holds U+FFFD, which stands where a character was lost"),
            ),
        ]
        if self.quote:
            faults.append(
                (
                    F.contains(last, F.lit(self.quote)) & ~last.rlike(rf"\A{self.quoted}{_END}"),
                    self._quotes(found, last),
                )
            )
        faults += [
            (
                (found == 1) & (found != expected) & (F.btrim(line, F.lit(" \t")) == ""),
                bad("blank", "the line holds only blanks"),
            ),
            (
                found != expected,
                bad("ragged_row", F.concat(found.cast("string"), F.lit(f" fields found, {expected} expected"))),
            ),
        ]
        return faults

    def _quotes(self, found: Column, last: Column) -> Column:
        q = re.escape(self.quote)
        space = f"[{self.blanks}]*+" if self.trim else ""
        place = found.cast("string")
        unclosed = last.rlike(rf"\A{space}{q}[^{q}]*+(?:{q}{q}[^{q}]*+)*+{_END}")
        return F.when(
            unclosed,
            bad(
                "unclosed_quote",
                F.concat(F.lit("the quote that opens field "), place, F.lit(" is not closed in its line")),
            ),
        ).otherwise(bad("stray_quote", F.concat(F.lit("a quote stands where none may be, in field "), place)))


def bad(reason: str | Column, rule: str | Column) -> Column:
    """struct<reason,rule>: a finding of a row."""
    parts = [F.lit(part) if isinstance(part, str) else part for part in (reason, rule)]
    return F.struct(parts[0].alias("reason"), parts[1].alias("rule"))


def chain(faults: list[tuple[Column, Column]]) -> Column:
    """struct<reason,rule>: the finding of the first condition that holds; null where none does."""
    (condition, finding), *rest = faults
    found = F.when(condition, finding)
    for condition, finding in rest:
        found = found.when(condition, finding)
    return found.otherwise(F.lit(None).cast(BAD_TYPE))
