from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkkit.errors import UsageError
from sparkkit.transforms import privacy
from tests.transforms.strategies import few

TEXTS = st.lists(st.none() | st.text(max_size=12), min_size=20, max_size=40)


@few
@given(texts=TEXTS, key=st.binary(min_size=16, max_size=100))
def test_pseudonyms_are_the_hmac_of_the_text(spark, texts, key):
    df = spark.createDataFrame(list(enumerate(texts)), "i int, t string")
    result = df.transform(privacy.pseudonymise, columns="t", key=key).collect()
    expected = [None if t is None else hmac.new(key, t.encode(), "sha256").hexdigest() for t in texts]
    assert [row.t for row in sorted(result)] == expected


@few
@given(texts=TEXTS, keep=st.integers(0, 5), char=st.sampled_from("*$\\x"))
def test_masks_keep_the_length_and_the_last_characters_of_long_values(spark, texts, keep, char):
    def hidden(t):
        return t if t is None else char * len(t) if len(t) <= keep else char * (len(t) - keep) + t[len(t) - keep :]

    df = spark.createDataFrame(list(enumerate(texts)), "i int, t string")
    result = df.transform(privacy.mask, columns="t", keep=keep, char=char).collect()
    assert [row.t for row in sorted(result)] == [hidden(t) for t in texts]


def test_the_key_is_in_no_plan(spark, capsys):
    key = b"correct horse battery staple"
    spark.sql("select 'Anna' name, 7 id").transform(privacy.pseudonymise, columns=["name", "id"], key=key).explain(True)
    plan = capsys.readouterr().out.lower()
    pads = [bytes(byte ^ pad for byte in key) for pad in (0, 0x36, 0x5C)]
    assert "sha2" in plan
    assert not [pad for pad in pads if pad.hex() in plan or repr(pad)[2:-1].lower() in plan]


def test_numbers_dates_and_bytes_hash_as_their_text(spark):
    df = spark.sql("select 7 n, date'2024-02-29' d, x'ff00' b")
    result = df.transform(privacy.pseudonymise, columns=["n", "d", "b"], key=b"k" * 16).first()
    assert tuple(result) == tuple(
        hmac.new(b"k" * 16, m, "sha256").hexdigest() for m in (b"7", b"2024-02-29", b"\xff\0")
    )


@pytest.mark.parametrize(
    ("f", "options", "message"),
    [
        (privacy.pseudonymise, {"columns": "x", "key": b"k" * 16}, "'x' is a double"),
        (privacy.pseudonymise, {"columns": "t", "key": b"short"}, "the key has 5 bytes"),
        (privacy.pseudonymise, {"columns": [], "key": b"k" * 16}, "no column given"),
        (privacy.mask, {"columns": "x"}, "'x' is a double"),
        (privacy.mask, {"columns": "t", "keep": -1}, "keep is -1"),
        (privacy.mask, {"columns": "t", "char": "**"}, "one character"),
    ],
)
def test_wrong_use_is_refused(spark, f, options, message):
    with pytest.raises(UsageError, match=message):
        spark.createDataFrame([], "t string, x double").transform(f, **options)
