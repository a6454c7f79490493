"""Inputs: compressed files, globs, folders; hidden, empty and missing ones told apart."""

from __future__ import annotations

import bz2
import gzip
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit import compat, sources
from sparkkit.conf import InputConf
from sparkkit.errors import InfrastructureError, NotReadyError, UsageError
from sparkkit.intake import judge
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.landing import BAD
from sparkkit.sources import Source
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.local import LocalStore
from sparkkit.storage.log import Entry, Log
from sparkkit.storage.resolve import View
from tests.conftest import Write

TYPED = Contract("t", (Column("n", "double"), Column("d", "date"), Column("b", "boolean")), reader={"trim": "true"})
READS_ZSTD = compat.version() >= (4, 2)
"""Whether Hadoop reads it by itself: 3.5's does, 3.4's asks for a library that no PySpark has."""


def read(spark: SparkSession, *paths: Path | str, kind: str | None = None) -> Source:
    return sources.read(spark, "data", InputConf(path=tuple(map(str, paths)), format=kind), None)


def lines(source: Source) -> list[str]:
    return sorted(row.value for row in source.frame.collect())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Text in each compression, with names that a reader could take for a pattern or an escape."""
    found = tmp_path / "in [1] a%20b"
    (found / "dt=2024-01-01").mkdir(parents=True)
    (found / "_temporary").mkdir()
    zstd = pytest.importorskip("pyarrow").compress(b"zst\n", "zstd", asbytes=True)
    data = {
        "a b.txt": b"plain\n",
        "b.txt.gz": gzip.compress(b"gz\n"),
        "c.txt.bz2": bz2.compress(b"bz2\n"),
        "d{x}.txt.deflate": zlib.compress(b"deflate\n"),
        "e.txt.zst": zstd,
        "empty.txt": b"",
        "_SUCCESS": b"",
        ".hidden.txt": b"no\n",
        "_x.txt": b"no\n",
        "dt=2024-01-01/f*.txt": b"deep\n",
        "_temporary/g.txt": b"no\n",
    }
    if not READS_ZSTD:
        del data["e.txt.zst"]
    for name, content in data.items():
        (found / name).write_bytes(content)
    return found


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with one output and its journal, where a version of before is kept."""
    for file in ("t/part-0.txt", ".t.sparkkit/work/old/part-0.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(f"{file}\n")
    target = str(tmp_path / "t")
    Log(LocalStore(), target).append(1, Entry("done", "r", (target, 1), runs=("r",)))
    return tmp_path


@pytest.mark.parametrize("pattern", ["*", "*/*", "{t,.t.sparkkit}", "*/*/old/*|t"])
def test_what_a_pattern_finds_in_a_journal_is_not_read(spark: SparkSession, published: Path, pattern: str) -> None:
    assert lines(read(spark, *(published / p for p in pattern.split("|")), kind="text")) == ["t/part-0.txt"]


def test_a_pattern_that_finds_a_journal_alone_finds_nothing(spark: SparkSession, published: Path) -> None:
    with pytest.raises(NotReadyError, match="only hidden files"):
        read(spark, published / "*/work/*", kind="text")


def test_a_folder_that_files_are_moved_to_is_read_when_all_are_there(
    spark: SparkSession, published: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = View("r", str(published / "t"))
    looks = [replace(whole, extra="moving"), replace(whole, extra="moving"), whole, whole]
    monkeypatch.setattr(sources, "PAUSE", 0)
    monkeypatch.setattr(sources, "_version", lambda hadoop, path: looks.pop(0))
    assert (lines(read(spark, published / "t", kind="text")), looks) == (["t/part-0.txt"], [])
    monkeypatch.setattr(sources, "_version", lambda hadoop, path: replace(whole, extra="moving"))
    with pytest.raises(InfrastructureError, match="has no version that is whole: run r publishes there, or died while it did"):
        read(spark, published / "t", kind="text")


def test_every_compression_and_folder_is_read_and_the_rest_is_told(spark: SparkSession, folder: Path) -> None:
    source = read(spark, folder)
    told = {(f.reason, f.file.rsplit("/", 1)[-1]) for f in source.findings}
    read_too = ["zst"] if READS_ZSTD else []
    assert lines(source) == ["bz2", "deep", "deflate", "gz", "plain", *read_too]
    assert told == {
        ("empty_file", "empty.txt"),
        ("hidden_file", ".hidden.txt"),
        ("hidden_file", "_x.txt"),
        ("hidden_file", "g.txt"),
    }


def test_globs_and_several_paths_are_read_once_each(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a/1.txt", "a/2.txt", "b/1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name + "\n")
    found = lines(read(spark, f"{tmp_path}/*/1.txt", tmp_path / "a", tmp_path / "a" / "2.txt"))
    assert found == ["a/1.txt", "a/2.txt", "b/1.txt"]


def test_paths_of_one_table_share_their_partition_columns(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).selectExpr("id", "id as k").write.partitionBy("k").parquet(str(tmp_path / "t"))
    one = read(spark, tmp_path / "t" / "k=1", tmp_path / "t" / "k=2")
    assert sorted((r.id, r.k) for r in one.frame.collect()) == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "nothing is at"),
        ("no*.csv", "nothing is at"),
        ("void", "no files at"),
        ("veiled", "only hidden files"),
    ],
)
def test_missing_inputs_are_to_be_waited_for(spark: SparkSession, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "void").mkdir()
    (tmp_path / "veiled").mkdir()
    (tmp_path / "veiled" / "_a.csv").write_text("a\n1\n")
    with pytest.raises(NotReadyError, match=message):
        read(spark, tmp_path / name)


def test_where_a_path_without_a_scheme_was_looked_for_is_told() -> None:
    cluster: Any = SimpleNamespace(glob=lambda path: [], qualified=lambda path: f"hdfs://n/user/me/{path}")
    with pytest.raises(NotReadyError) as found:
        sources._at(cluster, "data", "in.csv")
    assert "nothing is at in.csv" in str(found.value)
    assert (found.value.hint or "").startswith("it was looked for at hdfs://n/user/me/in.csv")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv", "b.json"], "files of several formats"),
        (["a"], "tell no format"),
        (["a.zip"], "unzip it first"),
        (["a.xlsx"], "export it as CSV"),
    ],
)
def test_names_that_tell_no_one_format_are_refused(spark: SparkSession, tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_text("x\n")
    with pytest.raises(UsageError, match=message):
        read(spark, tmp_path)


def test_an_input_without_a_path_is_refused(spark: SparkSession) -> None:
    with pytest.raises(UsageError, match="input 'data' has no path"):
        read(spark)


def test_a_folder_that_is_published_to_while_it_is_listed_is_read_as_one_version(
    write: Write, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def put(number: int) -> None:
        write(spark.createDataFrame([(number, "a"), (number, "b")], "v int, p string").coalesce(1), mode="append", partition_by=("p",))

    put(1)
    honest, looked = Hadoop.walk, list[str]()

    def walk(hadoop: Hadoop, status: object, hidden: bool = False) -> object:
        found = list(honest(hadoop, status, hidden))
        if str(status.getPath()).endswith("/p=a") and not looked:  # type: ignore[attr-defined]
            looked.append("p=a")
            put(2)
        return iter(found)

    monkeypatch.setattr(Hadoop, "walk", walk)
    source = read(spark, tmp_path / "out", kind="parquet")
    monkeypatch.undo()
    assert sorted((row.v, row.p) for row in source.frame.collect()) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


@pytest.mark.parametrize(("kind", "option", "value", "words"), [
    ("csv", "delimeter", ";", "option 'delimeter' is not known: did you mean 'delimiter'?"),
    ("csv", "multiline", "true", "option 'multiline' is not known"),
    ("csv", "header", "False", "option 'header' is 'False': it must be true or false"),
    ("csv", "decimal", ".,", "option 'decimal' is '.,': it must be one character"),
    ("csv", "thousands", ".", "thousands and decimal are both '.'"),
    ("json", "delimiter", ";", "option 'delimiter' is not known"),
    ("text", "header", "false", "option 'header' is not known"),
])
def test_an_option_that_makes_no_sense_is_refused_by_input_and_option(kind: str, option: str, value: str, words: str) -> None:
    with pytest.raises(UsageError, match="input 'data': ") as error:
        sources.optioned("data", kind, TYPED, {option: value})
    assert words in str(error.value) and error.value.exit_code == 2


def test_an_option_about_values_needs_a_contract() -> None:
    with pytest.raises(UsageError, match=r"option 'null_values' is about values, .* set sparkkit\.reader\.null_values in one"):
        sources.optioned("data", "csv", None, {"null_values": "NA"})


def test_formats_that_spark_reads_take_spark_s_own_options() -> None:
    assert sources.optioned("data", "parquet", TYPED, {"mergeSchema": "true"}) == (TYPED, {"trim": "true", "mergeSchema": "true"})


def test_options_about_values_are_laid_over_those_of_the_contract(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n;d;b\n1.234,5;29.02.2024;ja\nNA;-; nein\n")
    options = {"delimiter": ";", "decimal": ",", "thousands": ".", "date_format": "dd.MM.yyyy", "null_values": "NA,-",
               "boolean_true": "ja", "boolean_false": "nein"}
    source = sources.read(spark, "data", InputConf((str(tmp_path / "a.csv"),), options=options), TYPED)

    result = judge(source.frame, source.contract).where(f"{BAD} is null").select("n", "d", "b").collect()

    assert [tuple(row) for row in result] == [(1234.5, date(2024, 2, 29), True), (None, None, False)]
