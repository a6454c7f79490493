from __future__ import annotations

import re
from collections import Counter

import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkkit.errors import UsageError
from sparkkit.transforms import text

ALPHABET = st.sampled_from([*"aAbßéΣ'-’0 \t\n\v\f\r", "\u00a0", "\u0085", "\u2003", "e\u0301", "🍎"])
TEXTS = st.lists(st.none() | st.lists(ALPHABET, max_size=30).map("".join), min_size=12, max_size=12)
few = settings(max_examples=5, deadline=None)


def texts(spark, values):
    return spark.createDataFrame([(i, value) for i, value in enumerate(values)], "id int, value string")


def as_dict(counts):
    return {row["word"]: row["count"] for row in counts.collect()}


def words_of(spark, *values, **options):
    return [row.word for row in text.tokens(texts(spark, values), **options).collect()]


def test_whitespace_is_cut_at_the_six_blanks_of_the_c_locale_and_at_no_other(spark):
    result = words_of(spark, " a b\tc\nd\ve\ff\rg\r\nh  ", "i\u00a0j\u0085k\u2003l", "", " \t ", None, "plain one")
    assert result == [*"abcdefgh", "i\u00a0j\u0085k\u2003l", "plain", "one"]


def test_words_are_letters_marks_and_numbers_with_inner_apostrophes_and_hyphens(spark):
    value = "It's “well-known”, -not- rock'n’roll; e\u0301t\u00e9 3.5 आम «Ёлки-палки!» a--b 魚 🍎"
    expected = "It's well-known not rock'n’roll e\u0301t\u00e9 3 5 आम Ёлки-палки a b 魚"
    assert words_of(spark, value, tokens="words") == expected.split(" ")


def test_lower_knows_unicode(spark):
    assert words_of(spark, "ÅSE Łódź ΣΟΦΟΣ", lower=True) == ["åse", "łódź", "σοφος"[:-1] + "ς"]


def test_a_chain_of_a_megabyte_is_one_word_and_no_stack_overflow(spark):
    chain = spark.range(1).selectExpr("repeat('a-', 500000) || 'a' as value")
    assert [len(r.word) for r in text.tokens(chain, tokens="words").collect()] == [1_000_001]


def test_the_other_columns_stay_beside_each_token(spark):
    result = text.tokens(texts(spark, ["a b", None, "c"]), into="token")
    rows = [(0, "a b", "a"), (0, "a b", "b"), (2, "c", "c")]
    expected = spark.createDataFrame(rows, "id int, value string, token string")
    assert_df_equality(result, expected, ignore_nullable=True)


def test_word_count_gives_word_and_count(spark):
    result = text.word_count(texts(spark, ["b a", "a\ta"]))
    expected = spark.createDataFrame([("a", 3), ("b", 1)], "word string, count bigint")
    assert_df_equality(result, expected, ignore_row_order=True, ignore_nullable=True)


def test_stop_words_and_the_minimum_are_of_the_lowered_word(spark):
    result = text.word_count(texts(spark, ["The cat the dog CAT a"]), case="lower", minimum=2, stop_words=["THE"])
    assert as_dict(result) == {"cat": 2}


def test_stop_words_keep_their_case_where_the_words_do(spark):
    assert as_dict(text.word_count(texts(spark, ["The the"]), stop_words=["the"])) == {"The": 1}


@few
@given(TEXTS)
def test_whitespace_counts_equal_those_of_an_own_splitter(spark, values):
    expected = Counter(word for value in values if value for word in re.findall("[^ \t\n\v\f\r]+", value))
    assert as_dict(text.word_count(texts(spark, values))) == expected


@few
@given(TEXTS, st.sampled_from(text.TOKENS), st.sampled_from(text.CASES))
def test_the_counts_add_up_to_the_tokens(spark, values, tokens, case):
    frame = texts(spark, values)
    found = Counter(row.word for row in text.tokens(frame, tokens=tokens, lower=case == "lower").collect())
    assert as_dict(text.word_count(frame, tokens=tokens, case=case)) == found
    assert "" not in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "valeu"}, "did you mean 'value'"),
        ({"column": "id"}, "'id' is int, not string"),
        ({"tokens": "bytes"}, "tokens is 'bytes': one of whitespace, words"),
        ({"case": "upper"}, "one of keep, lower"),
        ({"minimum": 0}, "minimum is 0: give 1 or more"),
        ({"stop_words": "the"}, "stop_words is one string"),
    ],
)
def test_wrong_use_is_refused_with_what_to_do(spark, options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        text.word_count(texts(spark, []), **options)


def test_a_taken_name_for_the_token_is_refused(spark):
    with pytest.raises(UsageError, match="already has a column 'ID'"):
        text.tokens(texts(spark, []), into="ID")
