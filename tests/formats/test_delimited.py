"""CSV as it is written, and as it is read back: every text exact, nested values as JSON, folders as columns."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkkit.errors import ContractError, UsageError
from sparkkit.formats import delimited
from sparkkit.schema.contract import Column, Contract
from tests.formats.conftest import Road

TEXTS = Contract("t", (Column("id", "int"), Column("a", "string"), Column("b", "string")), reader={"newlines_in_quotes": "true"})
ODD = [
    None,
    "",
    " ",
    "  a ",
    "\ufeffx",
    "a\rb",
    "a\nb",
    "a\r\nb",
    "\r",
    "\n",
    "a,b",
    'a"b',
    '"',
    '""',
    '","',
    "#x",
    "\\",
    '\\"',
    "a\\",
    "\t",
    "\u0085",
    "\u2028",
    "\x01",
    "null",
    "NULL",
    "'",
    "x" * 3000 + '"',
    "\u00a0x",
    "\x0b",
    "=1+1",
    "a;b",
]


def back(
    spark: SparkSession, road: Road, tmp_path: Path, texts: list[str | None], **options: str
) -> tuple[object, object]:
    rows = [(i, text, text) for i, text in enumerate(texts)]
    spark.createDataFrame(rows, "id int, a string, b string").coalesce(1).write.mode("overwrite").parquet(str(tmp_path / "in"))
    over = {f"outputs.output.options.{k}": v for k, v in options.items()} | {"outputs.output.mode": "overwrite"}
    road(tmp_path / "in", to="csv", **over)
    contract = Contract("t", TEXTS.columns, reader={**TEXTS.reader, **options})
    went = road(
        tmp_path / "out",
        "csv",
        contract,
        **{"outputs.output.path": str(tmp_path / "back"), "outputs.output.mode": "overwrite"},
    )
    found = spark.read.parquet(str(tmp_path / "back")).orderBy("id").collect()
    return ([tuple(row) for row in found], went.read), (rows, (len(rows), len(rows), 0))


@pytest.mark.parametrize("options", [{}, {"delimiter": ";", "quote": "'"}])
def test_odd_texts_are_read_back_as_they_were(spark: SparkSession, road: Road, tmp_path: Path, options: dict[str, str]) -> None:
    found, expected = back(spark, road, tmp_path, ODD, **options)
    assert found == expected


def test_naughty_strings_are_read_back_as_they_were(spark: SparkSession, road: Road, tmp_path: Path, corpora: Path) -> None:
    texts = json.loads(gzip.decompress((corpora / "blns.json.gz").read_bytes()))
    found, expected = back(spark, road, tmp_path, texts)
    assert (len(texts), found) == (515, expected)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffd")),
            st.text(st.sampled_from(list(',"\r\n \t;\\#a'))),
        ),
        min_size=20,
        max_size=60,
    )
)
def test_any_text_is_read_back_as_it_was(spark: SparkSession, road: Road, tmp_path: Path, texts: list[str | None]) -> None:
    found, expected = back(spark, road, tmp_path, texts)
    assert found == expected


def test_staged_rows_are_counted_whatever_is_in_them(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.createDataFrame([(text, "\n") for text in ODD], "a string, b string")
    delimited.FORMAT.write(delimited.shape(frame, ()).write, {}).csv(str(tmp_path / "x"))
    assert delimited.count(spark, str(tmp_path / "x"), {}) == len(ODD)


def test_types_without_a_form_are_refused_by_name(spark: SparkSession, road: Road, tmp_path: Path) -> None:
    spark.sql("select 1 id, interval 1 day i").write.parquet(str(tmp_path / "in"))
    with pytest.raises(UsageError, match=r"csv can't hold the column i \(interval day\)"):
        road(tmp_path / "in", to="csv")


def test_a_null_in_the_only_column_is_refused(spark: SparkSession, road: Road, tmp_path: Path) -> None:
    spark.sql("select if(id = 1, null, 'x') a from range(3)").write.parquet(str(tmp_path / "in"))
    with pytest.raises(ContractError, match="1 row can't be written as csv"):
        road(tmp_path / "in", to="csv")
    assert not (tmp_path / "out").exists()


def test_folders_are_columns_where_no_header_has_them(road: Road, tmp_path: Path) -> None:
    for name, text in (("a=1", "id,b\n1,x\n"), ("a=y%3Dz", "b,id\nw,2\n")):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "f.csv").write_text(text)
    went = road(tmp_path / "in", contract=Contract("t", TEXTS.columns))
    assert sorted(tuple(r) for r in went.frame.collect()) == [(1, "1", "x"), (2, "y=z", "w")]


def test_a_header_longer_than_the_first_look_is_followed(road: Road, tmp_path: Path) -> None:
    names = [f"column {i:03} {'x' * 1000}" for i in range(70)]
    (tmp_path / "in.csv").write_text(",".join(names) + "\n" + ",".join("1" * 70) + "\n")
    went = road(tmp_path / "in.csv", build=lambda data: data.select(names[0], names[-1]))
    assert (went.read, went.frame.first()[names[-1]]) == ((1, 1, 0), "1")
