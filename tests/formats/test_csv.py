"""Lines of CSV landed by the strict lexer: each once, good or with what is wrong with it."""

from __future__ import annotations

import csv as python_csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.formats import csv
from sparkkit.formats.lexer import Lexer
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, FILE, RAW

RECORDS = {"newlines_in_quotes": "true"}


def land(
    spark: SparkSession,
    folder: Path,
    files: dict[str, bytes],
    options: dict[str, str] | None = None,
    contract: Contract | None = None,
) -> DataFrame:
    """The landed frame of files with these bytes."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    heads = {str(folder / name): data[:65536] for name, data in files.items()}
    settled = csv.settle(
        heads, {str(folder / name): len(data) for name, data in files.items()}, contract, options or {}
    )
    return csv.land(spark, settled, contract, options or {})


def seen(frame: DataFrame) -> list[Any]:
    """Of each row the values if it is good, else the reason."""
    return [row[BAD].reason if row[BAD] else tuple(row)[2:-1] for row in frame.collect()]


def test_each_line_lands_once_with_the_first_thing_wrong(spark: SparkSession, tmp_path: Path) -> None:
    cases: list[tuple[bytes, Any]] = [
        (b"a,b", "header"),
        (b"1,2", ("1", "2")),
        (b",", (None, None)),
        (b'"",x', ("", "x")),
        (b'"x,1","y ""q"", z"', ("x,1", 'y "q", z')),
        (b'""""""," "', ('""', " ")),
        (b" 1,2 ", (" 1", "2 ")),
        (b"", "blank"),
        (b"  ", "blank"),
        (b"1", "ragged_row"),
        (b"1,2,3", "ragged_row"),
        (b'"1","2","3"', "ragged_row"),
        (b'"1,2', "unclosed_quote"),
        (b'1,"', "unclosed_quote"),
        (b'1,"2""', "unclosed_quote"),
        (b'"1"x,2', "stray_quote"),
        (b'1,x"y', "stray_quote"),
        (b'1, "2"', "stray_quote"),
        (b'"1" ,2', "stray_quote"),
        (b"\xff,2", "invalid_encoding"),
        (b"\xef\xbf\xbd,2", "replacement_character"),
        (b"\0,2", "nul_character"),
        ("é,\u2028".encode(), ("é", "\u2028")),
        ("\U0001f600,\x85".encode(), ("\U0001f600", "\x85")),
    ]

    result = seen(land(spark, tmp_path, {"x.csv": b"\n".join(line for line, _ in cases) + b"\n"}))

    assert result == [expected for _, expected in cases]


@pytest.mark.parametrize("options", [{}, RECORDS], ids=["lines", "records"])
def test_all_line_ends_split_lines_and_a_bom_is_no_text(
    spark: SparkSession, tmp_path: Path, options: dict[str, str]
) -> None:
    data = b"\xef\xbb\xbfa,b\r\n1,2\r3,4\n5,6\r\n\r\n7,8"

    result = seen(land(spark, tmp_path, {"x.csv": data}, options))

    assert result == ["header", ("1", "2"), ("3", "4"), ("5", "6"), "blank", ("7", "8")]


@pytest.mark.parametrize("delimiter", list(";|\t .^\\$-]*x§"))
def test_any_character_may_be_the_delimiter(spark: SparkSession, tmp_path: Path, delimiter: str) -> None:
    text = 'a,b\n1,2\n"1,2",3\n1,2,3\n'.replace(",", delimiter)

    result = seen(land(spark, tmp_path, {"d.csv": text.encode()}, {"delimiter": delimiter}))

    assert result == ["header", ("1", "2"), (f"1{delimiter}2", "3"), "ragged_row"]


def test_the_quote_may_be_another_character_or_none(spark: SparkSession, tmp_path: Path) -> None:
    data = {"q.csv": b"a,b\n'x,''y',\"\n"}

    result = [seen(land(spark, tmp_path, data, {"quote": quote}))[1] for quote in ("'", "")]

    assert result == [("x,'y", '"'), "ragged_row"]


def test_trim_drops_blanks_round_fields_but_not_in_quotes(spark: SparkSession, tmp_path: Path) -> None:
    result = seen(land(spark, tmp_path, {"t.csv": b'a , b\n 1 ,  " x "\t\n  ,y\n1, "2"z\n'}, {"trim": "true"}))

    assert result == ["header", ("1", " x "), (None, "y"), "stray_quote"]


def test_latin_1_is_read_by_option(spark: SparkSession, tmp_path: Path) -> None:
    frame = land(spark, tmp_path, {"l.csv": "a,ü\né,ß\n".encode("latin-1")}, {"encoding": "latin-1"})

    assert (frame.columns[2:-1], seen(frame)) == (["a", "ü"], ["header", ("é", "ß")])


def test_columns_are_matched_by_name_in_each_file(spark: SparkSession, tmp_path: Path) -> None:
    files = {
        "1.csv": b"a,b\n1,2\n",
        "2 [x]%20{y}é+?.csv": b"b,a\n4,3\n",
        "3.csv": b"b\n5\nb\n",
        "4.csv": b"a,b,c\n6,7,8\n\n",
    }

    frame = land(spark, tmp_path, files)

    assert Counter(map(str, seen(frame))) == {"header": 5, "('1', '2')": 1, "('3', '4')": 1, "header_mismatch": 3}


def test_one_header_a_file_is_no_row_and_others_are_rejects(spark: SparkSession, tmp_path: Path) -> None:
    files = {"1.csv": b"a,b\n1,2\na,b\na,b\n", "2.csv": b"a,b\n", "3.csv": b"b\n5\nb\n", "4.csv": b"a\n6\n"}
    frame = land(spark, tmp_path, files)

    rejected = csv.rejects(frame.where(F.col(BAD).isNotNull())).collect()

    result = Counter((row[FILE].rsplit("/", 1)[1], row[RAW], row[BAD].reason) for row in rejected)
    assert result == {
        ("1.csv", "a,b", "repeated_header"): 2,
        ("3.csv", "5", "header_mismatch"): 1,
        ("3.csv", "b", "header_mismatch"): 1,
        ("4.csv", "6", "header_mismatch"): 1,
    }


def test_a_mismatch_says_what_was_found_in_its_own_file(spark: SparkSession, tmp_path: Path) -> None:
    frame = land(spark, tmp_path, {"1.csv": b"a,b\n", "x y.csv": b"b,q\n5,6\n", "z.csv": b"a\n6\n"})

    rules = {row[RAW]: row[BAD].rule for row in frame.where(F.col(BAD).reason == "header_mismatch").collect()}

    assert rules["5,6"].startswith("header: 'a' missing, 'q' not expected; found 'b,q'") and "found 'a'" in rules["6"]


def test_no_file_is_an_empty_frame_with_the_columns(spark: SparkSession, tmp_path: Path) -> None:
    frame = csv.land(spark, csv.Settled(("x", "y.z"), ()), None, {})

    assert (frame.columns[2:-1], frame.count()) == (["x", "y.z"], 0)


def test_a_file_without_header_has_the_contracts_order(spark: SparkSession, tmp_path: Path) -> None:
    result = seen(land(spark, tmp_path, {"n.csv": b"\xef\xbb\xbf1,2\n3,4\n"}, {"header": "false"}))

    assert result == [("1", "2"), ("3", "4")]


def test_the_rows_are_the_same_however_they_are_asked_for(spark: SparkSession, tmp_path: Path) -> None:
    frame = land(spark, tmp_path, {"s.csv": b'a,b\n1,2\n1\n"x\n3,"4"\n'})
    good = frame.where(F.col(BAD).isNull())

    result = (
        good.count(),
        len(good.select("a").collect()),
        len(good.collect()),
        frame.count(),
        len(frame.select("b").collect()),
    )

    assert result == (2, 2, 2, 5, 5)


def test_records_may_hold_line_breaks(spark: SparkSession, tmp_path: Path) -> None:
    data = b'a,b\r\n"1\r\n2","x ""\n"" y"\r\n3,4\r\na,b\r\n\r\n5\r\n"6\n",\n'

    frame = land(spark, tmp_path, {"r.csv": data}, RECORDS)

    assert seen(frame) == [
        "header",
        ("1\r\n2", 'x "\n" y'),
        ("3", "4"),
        "repeated_header",
        "blank",
        "ragged_row",
        ("6\n", None),
    ]


def test_an_open_quote_sends_the_rest_of_the_file_line_by_line(spark: SparkSession, tmp_path: Path) -> None:
    files = {"open.csv": b'a,b\n1,2\n3,"4\n5,6\n\n7,8\n', "fine.csv": b"a,b\n9,10\n"}

    frame = land(spark, tmp_path, files, RECORDS)

    rest = [row[RAW] for row in frame.collect() if row[BAD] and row[BAD].reason == "unclosed_quote"]
    assert (rest, Counter(map(str, seen(frame)))["('9', '10')"]) == (['3,"4', "5,6", "", "7,8"], 1)


def test_a_quote_in_a_bare_field_costs_only_its_line(spark: SparkSession, tmp_path: Path) -> None:
    frame = land(spark, tmp_path, {"o.csv": b'a,b\n5" pipe,1\n"x"y,"z"\n"3\n",4\n'}, RECORDS)

    assert seen(frame) == ["header", "stray_quote", "stray_quote", ("3\n", "4")]


@pytest.mark.parametrize("options", [{}, RECORDS], ids=["lines", "records"])
def test_fields_of_a_megabyte_pass(spark: SparkSession, tmp_path: Path, options: dict[str, str]) -> None:
    long = '"' + 'y""z,' * 250_000 + '"'

    result = seen(land(spark, tmp_path, {"m.csv": f"a,b\n{'x' * 1_200_000},2\n1,{long}\n".encode()}, options))

    assert result[1:] == [("x" * 1_200_000, "2"), ("1", 'y"z,' * 250_000)]


def test_landed_rows_and_counted_rows_agree(spark: SparkSession, tmp_path: Path) -> None:
    heads = {str(tmp_path / "c.csv"): b'a,b\n1,2\n"3\n4",5\n'}
    (tmp_path / "c.csv").write_bytes(next(iter(heads.values())))

    settled = [csv.settle(heads, {}, None, options) for options in ({}, RECORDS)]

    assert [csv.rows(spark, s, None, o) for s, o in zip(settled, ({}, RECORDS), strict=True)] == [4, 3]


FIELD = st.text(
    st.one_of(
        st.sampled_from("\",;'ab \t\r\n\x85\u2028é\\"), st.characters(exclude_characters="\0\ufffd", codec="utf-8")
    ),
    max_size=8,
)
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)  # each example is a Spark job
TABLE = st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=60)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=NO_SHRINK)
@given(
    table=TABLE,
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([python_csv.QUOTE_ALL, python_csv.QUOTE_MINIMAL]),
)
def test_what_pythons_writer_wrote_is_read_as_it_was(
    spark: SparkSession, tmp_path: Path, table: list[tuple[str, ...]], line_end: str, quoting: Any
) -> None:
    if quoting == python_csv.QUOTE_MINIMAL:  # Python's writer quotes no line break but its own; any other ends a line too
        table = [tuple("".join(c for c in field if c not in "\r\n" or c in line_end) for field in row) for row in table]
    text = io.StringIO(newline="")
    python_csv.writer(text, lineterminator=line_end, quoting=quoting).writerows([("x", "y", "z"), *table])

    result = seen(land(spark, tmp_path, {"h.csv": text.getvalue().encode()}, RECORDS))[1:]

    due = [
        tuple(f or ("" if quoting == python_csv.QUOTE_ALL else None) for f in row)
        for row in table
        if row != ("x", "y", "z")
    ]
    assert [row for row in result if row != "repeated_header"] == due


LINE = st.text(st.sampled_from("\",a b'\t"), max_size=12)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINE, min_size=1, max_size=200))
def test_the_lexer_in_spark_agrees_with_the_one_in_python(spark: SparkSession, lines: list[str]) -> None:
    frame = spark.createDataFrame([(i, line) for i, line in enumerate(lines)], "i int, line string")
    lexer = Lexer()
    fields = frame.select("i", "line", lexer.fields(F.col("line")).alias("f"))
    fault = F.coalesce(*[F.when(c, True) for c, _ in lexer.faults(F.col("line"), F.col("f"), 3)], F.lit(False))

    rows = fields.select(
        "i", fault.alias("bad"), *[F.coalesce(lexer.value(F.col("f"), i), F.lit("")).alias(f"v{i}") for i in range(3)]
    )

    split = [lexer.split(line) for line in lines]
    due = [tuple(found) if found and len(found) == 3 else None for found in split]
    assert [None if row.bad else tuple(row)[2:] for row in rows.orderBy("i").collect()] == due
