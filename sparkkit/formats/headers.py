"""What each CSV file is, from its first bytes: encoding, header, order of columns; files of one kind are one group."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import Finding
from sparkkit.formats.lexer import Lexer
from sparkkit.formats.records import first_record
from sparkkit.schema.contract import Contract
from sparkkit.schema.reader import ENCODINGS, OPTIONS

HEAD_BYTES = 65536
"""How much of each file is enough to settle it; a header line longer than what was read is refused."""

_SHOWN = 1000
_BOM = b"\xef\xbb\xbf"
_WIDE = {b"\xff\xfe\x00\x00": "UTF-32", b"\x00\x00\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_SIZES = {"KB": 10, "MB": 20, "GB": 30, "B": 0}
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/.*%", re.DOTALL)


@dataclass(frozen=True)
class Group:
    """Files that one projection reads: `order` gives each column's place in the file, None where the file lacks it.

    `width` is the number of fields of a line. A group of kind `mismatch` has in `headers` the bytes of each file's
    first line and in `sentences` what was found and expected; one of kind `good` has one `header_raw` for all files.
    """

    paths: tuple[str, ...]
    kind: str
    encoding: str
    header_raw: str = ""
    order: tuple[int | None, ...] = ()
    width: int = 0
    headers: tuple[bytes, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settled:
    """Files settled before planning: `headers` of them have a first line that is no row; `unreadable` are in none."""

    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    headers: int = 0
    findings: tuple[Finding, ...] = ()
    unreadable: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Head:
    """A file's first line: its bytes, its text, the text's fields (None where it can't be cut)."""

    path: str
    encoding: str
    line: bytes
    text: str
    fields: tuple[str, ...] | None
    only: bool


def settings(contract: Contract | None, options: Mapping[str, str]) -> dict[str, str]:
    """The reader options in force: defaults, under the contract's, under `options`."""
    return {
        **{key: option.default for key, option in OPTIONS.items()},
        **(contract.reader if contract else {}),
        **options,
    }


def lexer(given: Mapping[str, str]) -> Lexer:
    """The lexer that the options ask for.

    Raises:
        UsageError: a delimiter or quote that is not one character, or the same for both.
    """
    delimiter, quote = given["delimiter"], given["quote"]
    if len(delimiter) != 1 or delimiter in "\r\n" or len(quote) > 1 or delimiter == quote:
        raise UsageError(
            f"delimiter {delimiter!r} with quote {quote!r} can't be read",
            reason="bad_option",
            hint="each is one character (quote may be empty), not the same one and no line break",
        )
    return Lexer(delimiter, quote, given["trim"] == "true")


def settle(
    heads: Mapping[str, bytes], sizes: Mapping[str, int], contract: Contract | None, options: Mapping[str, str]
) -> Settled:
    """Looks at each file's first bytes (decompressed) and says how it is to be read; pure Python, nothing is opened.

    `heads` and `sizes` go by path, as a URI. Without a contract the columns are those of the first file's header.

    Raises:
        ContractError: `missing_column` where a column is in no file, `extra_column` where the contract says stop.
        UsageError: options that can't be.

    >>> settled = settle({"a.csv": b"x,y\\n1,2\\n", "b.csv": b"y,x\\n3,4\\n", "c.csv": b"x\\n5\\n"}, {}, None, {})
    >>> settled.columns, [(g.kind, g.paths, g.order) for g in settled.groups]
    (('x', 'y'), [('good', ('a.csv',), (0, 1)), ('good', ('b.csv',), (1, 0)), ('mismatch', ('c.csv',), ())])
    """
    given = settings(contract, options)
    if given["encoding"].lower() not in ENCODINGS:
        raise UsageError(f"encoding {given['encoding']!r} is not read", reason="unknown_encoding", hint="utf-8 and latin-1 are")
    cut = lexer(given)
    looked = [_look(path, head, sizes.get(path, len(head)), given, cut) for path, head in heads.items()]
    unreadable = tuple(found for found in looked if isinstance(found, Finding) and found.reason != "empty_file")
    empty = tuple(found for found in looked if isinstance(found, Finding) and found.reason == "empty_file")
    good = [found for found in looked if isinstance(found, _Head)]
    columns = contract.names if contract else _columns(good, given)
    if given["header"] == "false":
        return Settled(columns, _headless(good, columns), 0, empty, unreadable)
    _stop(good, columns, contract)
    sentences = {head.path: _sentence(head, columns, contract) for head in good}
    findings = [Finding(head.path, "header_only", "the file holds a header and no row") for head in good if head.only]
    findings += [Finding(path, "header_mismatch", text) for path, text in sentences.items() if text]
    groups = _good_groups([h for h in good if not sentences[h.path]], columns) + _mismatch_groups(good, sentences)
    return Settled(columns, groups, len(good), empty + tuple(findings), unreadable)


def plain_path(uri: str) -> str:
    """A file's URI, decoded where it is one."""
    return unquote(uri) if _URI.match(uri) else uri


def _look(path: str, head: bytes, size: int, given: Mapping[str, str], cut: Lexer) -> _Head | Finding:
    declared = ENCODINGS[given["encoding"].lower()]
    wide = next((name for mark, name in _WIDE.items() if head.startswith(mark)), None)
    if not head.removeprefix(_BOM):
        return Finding(path, "empty_file", "the file holds no text")
    if wide:
        return Finding(
            path, "encoding", f"the file is {wide or given['encoding']}, which is not read: write it as UTF-8"
        )
    encoding = "utf-8" if head.startswith(_BOM) else declared
    whole = given["newlines_in_quotes"] == "true"
    if whole and size > _bytes(given["max_record_file"]):
        return Finding(
            path,
            "too_large",
            f"the file has {size} bytes, and with newlines in quotes at most "
            f"{given['max_record_file']} are read (max_record_file)",
        )
    return _first_line(path, head.removeprefix(_BOM), encoding, len(head) < size, whole, cut)


def _first_line(path: str, head: bytes, encoding: str, more: bool, whole: bool, cut: Lexer) -> _Head | Finding:
    line, rest = _break(head)
    long = more and len(line) == len(head)
    if line.count(b"\0") or head.count(b"\0") * 10 > len(head):
        return Finding(
            path, "encoding", "the file holds NUL bytes: it is UTF-16 without a mark, or no text; write it as UTF-8"
        )
    text = line.decode(encoding, "replace")
    if whole:
        record = first_record(head.decode(encoding, "replace"), cut)
        text, rest = (
            (text, rest)
            if record is None
            else (record, head[len(record.encode(encoding, "replace")) :].lstrip(b"\r\n"))
        )
    if long:
        return Finding(path, "header_too_long", f"its first line is longer than {len(head)} bytes")
    fields = cut.split(text) if text.encode(encoding) == line or whole else None
    return _Head(path, encoding, line, text, None if fields is None else tuple(fields), not more and not rest)


def _break(head: bytes) -> tuple[bytes, bytes]:
    """The first line and what follows its line break; LF, CRLF and CR all break."""
    found = re.search(rb"\r\n|\n|\r", head)
    return (head[: found.start()], head[found.end() :]) if found else (head, b"")


def _bytes(text: str) -> int:
    unit = next(unit for unit in _SIZES if text.endswith(unit))
    return int(text.removesuffix(unit)) << _SIZES[unit]


def _columns(good: list[_Head], given: Mapping[str, str]) -> tuple[str, ...]:
    first = next((head.fields for head in good if head.fields), ())
    return tuple(f"_c{i}" for i in range(len(first))) if given["header"] == "false" else tuple(first)


def _headless(good: list[_Head], columns: tuple[str, ...]) -> tuple[Group, ...]:
    order = tuple(range(len(columns)))
    encodings = dict.fromkeys(head.encoding for head in good)
    return tuple(
        Group(tuple(h.path for h in good if h.encoding == e), "good", e, order=order, width=len(columns))
        for e in encodings
    )


def _stop(good: list[_Head], columns: tuple[str, ...], contract: Contract | None) -> None:
    """Stops where a column is in none of the files, or the contract stops at an extra one."""
    if contract is None or not good:
        return
    seen = {name for head in good for name in head.fields or ()}
    missing = [name for name in columns if name not in seen]
    if missing and contract.on("missing_column") == "stop":
        raise ContractError(
            f"no file has the column{'s' * (len(missing) > 1)} {_names(missing)}; {good[0].path} begins with "
            f"{_shown(good[0].text)}",
            reason="missing_column",
            hint=_near(missing, seen) or "mend the files or the contract, or set sparkkit.on.missing_column",
        )
    for head in good if contract.on("extra_column") == "stop" else ():
        extra = [name for name in head.fields or () if name not in columns]
        if extra:
            raise ContractError(
                f"{head.path} has the column{'s' * (len(extra) > 1)} {_names(extra)}, not in the contract",
                reason="extra_column",
                hint="add it to the contract, or set sparkkit.on.extra_column",
            )


def _sentence(head: _Head, columns: tuple[str, ...], contract: Contract | None) -> str:
    """What is wrong with a header; "" where nothing is."""
    if head.fields is None:
        return f"header: a quote is out of place, or it is not {head.encoding}; found {_shown(head.text)}"
    twice = [name for name, count in Counter(head.fields).items() if count > 1]
    missing = [name for name in columns if name not in head.fields]
    extra = [name for name in head.fields if name not in columns]
    policy = contract.on if contract else lambda what: "quarantine"
    wrong = [f"{_names(twice)} more than once"] if twice else []
    wrong += [f"{_names(missing)} missing"] if missing and policy("missing_column") != "allow" else []
    wrong += [f"{_names(extra)} not expected"] if extra and policy("extra_column") != "allow" else []
    return f"header: {', '.join(wrong)}; found {_shown(head.text)}; expected {_names(columns)}" if wrong else ""


def _near(missing: list[str], seen: set[str]) -> str:
    folded = {name.strip().casefold(): name for name in seen}
    pairs = [f"{name!r} is there as {folded[key]!r}" for name in missing if (key := name.strip().casefold()) in folded]
    return ", ".join(pairs)


def _names(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _good_groups(good: list[_Head], columns: tuple[str, ...]) -> tuple[Group, ...]:
    kinds: dict[tuple[str, str], list[_Head]] = {}
    for head in good:
        kinds.setdefault((head.text, head.encoding), []).append(head)
    return tuple(_good_group(heads, columns) for heads in kinds.values())


def _good_group(heads: list[_Head], columns: tuple[str, ...]) -> Group:
    fields = heads[0].fields or ()
    order = tuple(fields.index(name) if name in fields else None for name in columns)
    return Group(tuple(head.path for head in heads), "good", heads[0].encoding, heads[0].text, order, len(fields))


def _mismatch_groups(good: list[_Head], sentences: Mapping[str, str]) -> tuple[Group, ...]:
    wrong = [head for head in good if sentences[head.path]]
    encodings = dict.fromkeys(head.encoding for head in wrong)
    return tuple(_mismatch_group([h for h in wrong if h.encoding == e], sentences) for e in encodings)


def _mismatch_group(heads: list[_Head], sentences: Mapping[str, str]) -> Group:
    return Group(
        tuple(h.path for h in heads),
        "mismatch",
        heads[0].encoding,
        headers=tuple(h.line for h in heads),
        sentences=tuple(sentences[h.path] for h in heads),
    )
