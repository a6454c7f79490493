"""Text into words, and words into counts, as native DataFrame operations (no Python per row)."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sparkkit.errors import UsageError, nearest

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TOKENS = ("whitespace", "words")
CASES = ("keep", "lower")

_ODD_SPACE = "[\t\n\x0b\f\r]"
_SPACE = "[ \t\n\x0b\f\r]+"
# Possessive (`++`, `*+`): a plain pattern overflows the JVM's stack on a long chain such as a-a-a-…
_WORD = "[\\p{L}\\p{M}\\p{N}]++(?:['\u2019\\-\u2010\u2011][\\p{L}\\p{M}\\p{N}]++)*+"


def tokens(
    df: DataFrame, column: str = "value", *, tokens: str = "whitespace", lower: bool = False, into: str = "word"
) -> DataFrame:
    """One row for each token of a text column: the columns of `df`, then `into` (string, never null, never empty).

    Args:
        df: any frame, batch or stream; a row whose text is null or has no token gives no row.
        column: a string column.
        tokens: `whitespace` cuts at the six blanks of the C locale (space, tab, LF, VT, FF, CR), exactly as
            `tr -s '[:space:]' '\\n'` does; no-break and other Unicode spaces stay inside a token. `words` takes runs of
            Unicode letters, marks and numbers, joined by single inner apostrophes (' or ’) and hyphens (-, U+2010,
            U+2011): `it's` and `well-known` are one word each. Nothing is normalised: é as one code point and as two
            are different words (but neither is cut).
        lower: each token in lower case, by Spark's `lower` (Unicode; the locale plays no part).
        into: the name of the new column; it may not stand in `df`.

    Raises:
        UsageError: `column` is missing or not a string, `into` is taken, or `tokens` is unknown.

    >>> frame = spark.createDataFrame([("It's  a\\twell-known “word”…",)], "value string")
    >>> from sparkkit.transforms import text
    >>> [row.word for row in text.tokens(frame).collect()]
    ["It's", 'a', 'well-known', '“word”…']
    >>> [row.word for row in text.tokens(frame, tokens="words", lower=True).collect()]
    ["it's", 'a', 'well-known', 'word']
    """
    _check(df, column, into)
    _known("tokens", tokens, TOKENS)
    return _exploded(df, column, tokens, lower, into)


def word_count(
    df: DataFrame,
    *,
    column: str = "value",
    tokens: str = "whitespace",
    case: str = "keep",
    minimum: int = 1,
    stop_words: Iterable[str] = (),
) -> DataFrame:
    """How often each token of a text column occurs: `word` (string) and `count` (bigint), one row a word, unordered.

    With the defaults it equals `tr -s '[:space:]' '\\n' | sort | uniq -c` on the same text. Law: the counts add up to
    the rows of `tokens(df, column, ...)` where `minimum` is 1 and there are no stop words.

    Args:
        df: any frame with the text in `column`.
        column: a string column.
        tokens: `whitespace` or `words`, see `tokens`.
        case: `keep`, or `lower` to count words in lower case.
        minimum: only words that occur at least so often (1 or more).
        stop_words: words left out; with `case="lower"` their case plays no part.

    Raises:
        UsageError: as `tokens`; or `case` is unknown, `minimum` is below 1, or `stop_words` is one bare string.

    >>> from sparkkit.transforms import text
    >>> frame = spark.createDataFrame([("to be or",), ("not to be",)], "value string")
    >>> text.word_count(frame, minimum=2).orderBy("word").collect()
    [Row(word='be', count=2), Row(word='to', count=2)]
    """
    from pyspark.sql import functions as F

    _check(df, column)
    _known("tokens", tokens, TOKENS)
    _known("case", case, CASES)
    if minimum < 1:
        raise UsageError(f"minimum is {minimum}", hint="give 1 or more")
    if isinstance(stop_words, str):
        raise UsageError(f"stop_words is one string, {stop_words!r}", hint="give a list of words")
    texts = df.select(_named(column).alias("value"))
    words = _exploded(texts, "value", tokens, case == "lower", "word")
    counts = _without(words, tuple(stop_words), case).groupBy("word").agg(F.count(F.lit(1)).alias("count"))
    return counts.where(F.col("count") >= minimum) if minimum > 1 else counts


def _exploded(df: DataFrame, column: str, tokens: str, lower: bool, into: str) -> DataFrame:
    from pyspark.sql import functions as F

    found = df.select("*", F.explode(_cut(_named(column), tokens)).alias(into)).where(_named(into) != "")
    return found.withColumn(into, F.lower(_named(into))) if lower else found


def _cut(text: Column, tokens: str) -> Column:
    from pyspark.sql import functions as F

    if tokens == "words":
        return F.regexp_extract_all(text, F.lit(_WORD), F.lit(0))
    # A literal blank splits faster than a pattern, so only a text with another blank in it pays for one.
    return F.when(text.rlike(_ODD_SPACE), F.split(text, _SPACE)).otherwise(F.split(text, " "))


def _without(words: DataFrame, stop_words: tuple[str, ...], case: str) -> DataFrame:
    from pyspark.sql import functions as F

    if not stop_words:
        return words
    stops = [F.lower(F.lit(stop)) if case == "lower" else F.lit(stop) for stop in stop_words]
    return words.where(~F.col("word").isin(*stops))


def _named(column: str) -> Column:
    from pyspark.sql import functions as F

    return F.col("`" + column.replace("`", "``") + "`")


def _check(df: DataFrame, column: str, into: str | None = None) -> None:
    from pyspark.sql.types import StringType

    if column not in df.columns:
        near = nearest(column, df.columns)
        raise UsageError(f"no column {column!r} among {df.columns}", hint=f"did you mean {near!r}?" if near else None)
    if not isinstance(df.schema[column].dataType, StringType):
        found = df.schema[column].dataType.simpleString()
        raise UsageError(f"column {column!r} is {found}, not string", hint="cast it to string first")
    if into is not None and into.lower() in (name.lower() for name in df.columns):
        raise UsageError(f"the frame already has a column {into!r}", hint="give another name by into=")


def _known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option} is {value!r}", hint=f"one of {', '.join(known)}")
