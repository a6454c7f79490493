"""Stages that work on texts and words: tokens, stop words, n-grams, term frequencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from sparkkit.portable import java
from sparkkit.portable.stage import Kind, Name, Namer, Params, Row, Step, bad, one, refused, several
from sparkkit.portable.vectors import Sparse

_SPACE = java.regex(r"\s")
_SPECIAL = ("tr", "az", "lt")
"""Languages whose lower case is another (Unicode, SpecialCasing.txt)."""


def _tokenize(params: Params) -> Step:
    source, target = params["input"], params["output"]

    def step(row: Row) -> None:
        if row[source] is None:
            raise bad(source, "is null, and is to be split into words")
        row[target] = java.split(_SPACE, java.lower(row[source]))

    return step


def _export_regex(stage: Any) -> dict[str, Any]:
    if stage.getPattern() or not stage.getGaps():  # the empty pattern cuts at each sign
        java.regex(stage.getPattern())
    return one(stage, "pattern", "gaps", "minTokenLength", "toLowercase")


def _tokenize_by_regex(params: Params) -> Step:
    source, target, least = params["input"], params["output"], params["minTokenLength"]
    cut, to_lower = _cutter(params["pattern"], params["gaps"]), params["toLowercase"]

    def step(row: Row) -> None:
        text = row[source]
        if text is None:
            raise bad(source, "is null, and is to be split into words")
        tokens = cut(java.lower(text) if to_lower else text)
        row[target] = tokens if least == 0 else [t for t in tokens if t and (least == 1 or java.units(t) >= least)]

    return step


def _cutter(pattern: str, gaps: bool) -> Callable[[str], list[str]]:
    """From a text to its tokens: what lies between matches, or the matches."""
    if gaps and not pattern:
        return java.halves
    found = java.regex(pattern)
    return partial(java.split, found) if gaps else lambda text: [match.group() for match in found.finditer(text)]


def _export_stop_words(stage: Any) -> dict[str, Any]:
    if not stage.getCaseSensitive() and stage.getLocale().split("_")[0] in _SPECIAL:
        raise refused(stage, f"locale={stage.getLocale()!r}")
    return several(stage, "stopWords", "caseSensitive")


def _remove_stop_words(params: Params) -> Step:
    exact = params["caseSensitive"]
    words = set(params["stopWords"]) if exact else {java.lower(word) for word in params["stopWords"]}

    def kept(tokens: list[str | None]) -> list[str | None]:
        return [t for t in tokens if (t if exact or t is None else java.lower(t)) not in words]

    def step(row: Row) -> None:
        for source, target in params["columns"]:
            row[target] = kept(_words(row, source))

    return step


def _words(row: Row, source: str) -> list[str | None]:
    found: list[str | None] | None = row[source]
    if found is None:
        raise bad(source, "is null, where a list of words is needed")
    return found


def _n_grams(params: Params) -> Step:
    source, target, n = params["input"], params["output"], params["n"]

    def step(row: Row) -> None:
        words = ["null" if word is None else word for word in _words(row, source)]
        row[target] = [" ".join(words[at:at + n]) for at in range(len(words) - n + 1)]

    return step


def _hash_terms(params: Params) -> Step:
    source, target, size, binary = params["input"], params["output"], params["numFeatures"], params["binary"]
    null = 42 % size  # Spark gives its seed for the hash of a null

    def step(row: Row) -> None:
        found: dict[int, float] = {}
        for term in _words(row, source):
            at = null if term is None else java.bucket(term, size)
            found[at] = 1.0 if binary else found.get(at, 0.0) + 1.0
        row[target] = Sparse(size, found)

    return step


def _hash_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        terms: dict[int, list[str]] = {}
        for term in dict.fromkeys(t for t in row[params["input"]] if t is not None):
            terms.setdefault(java.bucket(term, params["numFeatures"]), []).append(term)
        known[params["output"]] = lambda at: " | ".join(terms.get(at, [f"{params['output']}[{at}]"]))

    return add


def _export_counts(stage: Any) -> dict[str, Any]:
    return one(stage, "minTF", "binary") | {"vocabulary": list(stage.vocabulary)}


def _count_terms(params: Params) -> Step:
    source, target, binary, least = params["input"], params["output"], params["binary"], params["minTF"]
    places = {term: at for at, term in enumerate(params["vocabulary"])}

    def present(row: Row) -> None:  # each word that there is counts one: no need to count
        row[target] = Sparse(len(places), {places[word]: 1.0 for word in _words(row, source) if word in places})

    def step(row: Row) -> None:
        words = _words(row, source)
        needed = least if least >= 1.0 else len(words) * least
        counts = Counter(places[word] for word in words if word in places)
        row[target] = Sparse(len(places), {at: 1.0 if binary else float(n) for at, n in counts.items() if n >= needed})

    return present if binary and least == 1.0 else step


def _count_names(params: Params) -> Namer:
    def add(row: Row, known: dict[str, Name]) -> None:
        known[params["output"]] = params["vocabulary"].__getitem__

    return add


KINDS = {
    "Tokenizer": Kind(one, _tokenize),
    "RegexTokenizer": Kind(_export_regex, _tokenize_by_regex),
    "StopWordsRemover": Kind(_export_stop_words, _remove_stop_words),
    "NGram": Kind(lambda stage: one(stage, "n"), _n_grams),
    "HashingTF": Kind(lambda stage: one(stage, "numFeatures", "binary"), _hash_terms, _hash_names),
    "CountVectorizerModel": Kind(_export_counts, _count_terms, _count_names),
}
"""The stages of this module by the name of their class."""
