from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.ml.feature import IDF, CountVectorizer, HashingTF, NGram, Normalizer, RegexTokenizer, StopWordsRemover, Tokenizer

from sparkkit.errors import UsageError
from sparkkit.portable import java
from sparkkit.portable.scorer import Scorer
from tests.portable.both import FAILS, equal, fitted, outcome

ODD = [
    "", " ", "  two  blanks ", "\tTab\nline\r\n\x0b\x0c", "İstanbul IĞDIR ıi", "straße STRASSE ẞ", "ΟΔΟΣ ΣΑΣ Σ Α.Σ Α1Σ Α-Σ ΑΣΒ",
    "e\u0301 É é", "🙂 👩‍👩‍👧 x🙂", "non\u00a0breaking\u2003space\u0085next", "don't can’t co-op", "Great, GREAT; great!",
    "a,b,,c,", ",,,", "null", "0", "x" * 300, "\x00nul", "ﬁ ﬂ ǅ", "한국어 日本語 हिन्दी",
]  # fmt: skip
LETTERS = st.sampled_from([*"aAbBzZ09_'-., \t\n\r\x0b\x0cßẞİıΣσς", "\u00a0", "\u0085", "\u2028", "e\u0301", "🙂"]) | st.characters(
    max_codepoint=0x24FF, exclude_categories=["Cs"])
TEXTS = st.lists(st.lists(LETTERS, max_size=20).map("".join), min_size=20, max_size=20)


def frame(spark, texts):
    return spark.createDataFrame([(text,) for text in texts], "text string")


def stages_of(text="text"):
    return [Tokenizer(inputCol=text, outputCol="words"), StopWordsRemover(inputCol="words", outputCol="kept"),
            NGram(inputCol="kept", outputCol="pairs"), HashingTF(inputCol="pairs", outputCol="tf", numFeatures=512)]


def test_words_of_odd_texts_are_sparks(spark):
    model = fitted(*stages_of(), on=frame(spark, ODD))
    assert equal(model, frame(spark, ODD), "words", "kept", "pairs", "tf")


@settings(max_examples=5)
@given(TEXTS)
def test_words_of_any_text_are_sparks(spark, texts):
    given_ = frame(spark, texts)
    assert equal(fitted(*stages_of(), on=given_), given_, "words", "pairs", "tf")


def test_a_java_pattern_cuts_as_in_java(spark):
    patterns = [(r"\W+", True), (r"[^\p{Alnum}']+", True), (r"\s*,\s*", True), ("x+", True), ("", True), (r"\w$", True),
                (r"[a-z0-9']+", False), (".", False), (r"(?<=[a-z])\d|\p{Punct}", False)]  # fmt: skip
    stages = [RegexTokenizer(inputCol="text", outputCol=f"words{number}", pattern=pattern, gaps=gaps, minTokenLength=0)
              for number, (pattern, gaps) in enumerate(patterns)]
    texts = frame(spark, [*ODD, "axbxxc", "xx", "a1b2", "line\u2028two\u0085three\nfour", "end\r\n", "end\r", "end\u2028"])
    assert equal(fitted(*stages, on=texts), texts, *(f"words{number}" for number in range(len(patterns))))


@settings(max_examples=4)
@given(TEXTS)
def test_tokens_are_counted_by_java_in_utf_16(spark, texts):
    tokens = RegexTokenizer(inputCol="text", outputCol="words", pattern=r"[\s,]+", minTokenLength=2, toLowercase=False)
    given_ = frame(spark, [*texts, "🙂 a bb"])
    assert equal(fitted(tokens, on=given_), given_, "words")


@pytest.mark.parametrize("pattern", [r"\bword\b", r"\p{L}+", "[a-z&&[^x]]", "(?i)a", r"(?<n>a)", r"\h", "[[a]b]", r"\Qa\E", "x*", "(?=a)"])
def test_a_pattern_that_python_reads_otherwise_is_refused(pattern):
    with pytest.raises(UsageError, match="pattern") as caught:
        java.regex(pattern)
    assert caught.value.reason == "not_portable"


def test_stop_words_differ_by_case_only_where_that_was_asked_for(spark):
    words = spark.createDataFrame([(["The", "the", None, "İ", "i̇"],), ([],)], "words array<string>")
    for exact in (True, False):
        remover = StopWordsRemover(inputCols=["words"], outputCols=["kept"], stopWords=["The", "İ"], caseSensitive=exact)
        assert equal(fitted(remover, on=words), words, "kept")


def test_a_turkish_remover_is_refused(spark):
    words = spark.createDataFrame([([],)], "words array<string>")
    model = fitted(StopWordsRemover(inputCol="words", outputCol="kept", locale="tr_TR"), on=words)
    with pytest.raises(UsageError, match="StopWordsRemover.*locale='tr_TR'"):
        outcome(model, words, {})


def test_counts_with_their_limits_weights_and_norms_are_sparks(spark):
    rows = [(["a", "b", "a", "c"],), (["a", "z", "z", "z", "z", "z"],), ([],), (["b", "é", "é", "🙂"],)]
    words = spark.createDataFrame(rows, "words array<string>")
    for p, options in ((1.0, {"minTF": 2.0}), (float("inf"), {"minTF": 0.4, "binary": True}), (3.0, {"minDF": 2.0})):
        model = fitted(CountVectorizer(inputCol="words", outputCol="n", **options), IDF(inputCol="n", outputCol="w", minDocFreq=1),
                       Normalizer(inputCol="w", outputCol="f", p=p), on=words)
        odd = spark.createDataFrame([*rows, ([None, "b", "q", "q", "q"],)], words.schema)
        assert equal(model, odd, "n", "w", "f")


@pytest.mark.parametrize("options", [{"binary": True}, {"binary": False}, {"binary": True, "minTF": 0.01}])
def test_counts_stand_in_the_order_of_the_text_so_that_another_process_sums_alike(options):
    words = [f"word{number}" for number in range(20)]
    counts = {"stage": "CountVectorizerModel", "input": "words", "output": "n", "vocabulary": words, "minTF": 1.0, **options}
    row = Scorer({"format": 1, "stages": [counts]}).columns({"words": [*reversed(words), "word3", "unknown"]})
    assert list(row["n"].items) == list(range(19, -1, -1))


def test_hashed_terms_count_once_where_they_are_binary_and_nulls_fall_where_spark_puts_them(spark):
    words = spark.createDataFrame([(["a", "a", None, "é🙂", ""],), ([],)], "words array<string>")
    for options in ({"numFeatures": 7}, {"binary": True}):
        assert equal(fitted(HashingTF(inputCol="words", outputCol="tf", **options), on=words), words, "tf")


def test_a_null_text_fails_here_as_in_spark(spark):
    model = fitted(Tokenizer(inputCol="text", outputCol="words"), on=frame(spark, ["a"]))
    assert outcome(model, frame(spark, ["a"]), {"text": None}) == FAILS


def test_the_export_is_plain_json(spark):
    from sparkkit.portable.export import export

    model = fitted(*stages_of(), on=frame(spark, ["a b"]))
    assert [stage["stage"] for stage in json.loads(json.dumps(export(model)))["stages"]] == [
        "Tokenizer", "StopWordsRemover", "NGram", "HashingTF"]
