"""Parquet and ORC: footers are promises, files that differ or are damaged are named, filters reach the scan."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkkit import sources
from sparkkit.conf import InputConf
from sparkkit.errors import ContractError
from sparkkit.formats.columnar import stored_rows
from sparkkit.schema.contract import Column, Contract
from tests.formats.conftest import Road

TWO = Contract("t", (Column("id", "bigint"), Column("k", "string")), policy={"unreadable_file": "quarantine"})


def put(path: Path, **columns: pa.Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, write_page_checksum=True, compression="none", use_dictionary=False)
    return path


def plain(path: Path, start: int = 0) -> Path:
    return put(path, id=pa.array(range(start, start + 5), pa.int64()), k=pa.array(list("abcde")))


def flip(path: Path) -> Path:
    """Damages a byte of the first page, which only its checksum tells."""
    data = bytearray(path.read_bytes())
    data[data.index(bytes([3, 0, 0, 0, 0, 0, 0, 0, 4]))] = 9
    path.write_bytes(bytes(data))
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A folder with two good files and four that can't be read."""
    folder = tmp_path / "in"
    good = plain(folder / "good 1.parquet")
    plain(folder / "good[2].parquet", 5)
    (folder / "cut.parquet").write_bytes(good.read_bytes()[:-20])
    (folder / "empty.parquet").write_bytes(b"")
    (folder / "text.parquet").write_text("id,k\n1,a\n")
    (folder / "orc.parquet").write_bytes(b"ORC" + bytes(30))
    return folder


def test_every_unreadable_file_is_named(road: Road, damaged: Path) -> None:
    with pytest.raises(ContractError, match="4 of 6 files can't be read") as error:
        road(damaged)
    assert all(name in str(error.value) for name in ("cut.parquet", "empty.parquet", "text.parquet", "orc.parquet"))


def test_unreadable_files_go_to_the_quarantine_where_the_contract_says_so(road: Road, damaged: Path) -> None:
    flip(plain(damaged / "flipped.parquet"))
    went = road(damaged, contract=TWO)
    assert (went.read, [b[0] for b in went.bad], went.frame.count()) == ((15, 10, 5), ["unreadable_file"] * 5, 10)


def test_a_wrong_page_checksum_is_never_read(road: Road, spark: SparkSession, tmp_path: Path) -> None:
    flip(plain(tmp_path / "in" / "a.parquet"))
    plain(tmp_path / "in" / "b.parquet")
    source = sources.read(spark, "data", InputConf(path=(str(tmp_path / "in"),)), None)
    assert "1 of 2 files can't be read" in str(sources.broken(source)) and "a.parquet" in str(sources.broken(source))


def test_a_file_that_holds_other_rows_than_its_footer_promises_is_named(road: Road, corpora: Path) -> None:
    lying = corpora / "parquet-bad" / "ARROW-GH-41317.parquet"
    with pytest.raises(ContractError, match=r"ARROW-GH-41317"):
        road(lying)


def test_files_that_differ_are_refused_without_a_contract(road: Road, tmp_path: Path) -> None:
    plain(tmp_path / "in" / "a.parquet")
    put(tmp_path / "in" / "b.parquet", id=pa.array([1], pa.int64()))
    put(tmp_path / "in" / "c.parquet", id=pa.array(["x"]), k=pa.array(["y"]))
    with pytest.raises(ContractError, match=r"b.parquet: lacks k \| .*c.parquet: id is string, not bigint"):
        road(tmp_path / "in")


def test_a_file_that_does_not_fit_the_contract_goes_to_the_quarantine_whole(road: Road, tmp_path: Path) -> None:
    plain(tmp_path / "in" / "a.parquet")
    put(tmp_path / "in" / "lacks.parquet", id=pa.array([1, 2], pa.int64()))
    put(tmp_path / "in" / "more.parquet", id=pa.array([1], pa.int64()), k=pa.array(["x"]), z=pa.array([1]))
    put(tmp_path / "in" / "type.parquet", id=pa.array([1.5]), k=pa.array(["x"]))
    put(tmp_path / "in" / "narrow.parquet", k=pa.array(["x"]), id=pa.array([7], pa.int32()))
    went = road(tmp_path / "in", contract=TWO)
    rules = ["has z, not expected", "id is double, not bigint", "lacks k", "lacks k"]
    assert (went.read, [b[1] for b in went.bad], went.bad[2][2]) == ((10, 6, 4), rules, '{"id":1}')


def test_types_and_names_come_as_they_are(road: Road, spark: SparkSession, tmp_path: Path) -> None:
    sql = """select cast(1.5 as decimal(38,10)) `a.dot`, timestamp_ntz'2020-02-29 12:00:00.123456' `a space`,
             timestamp'1583-01-01 00:00:00' t, date'0001-01-01' `d,`, cast('a' as binary) `b=1`,
             named_struct('x', array(map('k', 1))) `n(est)` from range(3)"""
    frame = spark.sql(sql)
    frame.write.parquet(str(tmp_path / "in"))
    went = road(tmp_path / "in")
    assert (went.frame.collect(), went.frame.schema.simpleString()) == (frame.collect(), frame.schema.simpleString())


def test_int96_timestamps_are_read(road: Road, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    table = pa.table({"t": pa.array([1_600_000_000_123_456], pa.timestamp("us", "UTC"))})
    pq.write_table(table, tmp_path / "in" / "a.parquet", use_deprecated_int96_timestamps=True)
    assert road(tmp_path / "in").frame.selectExpr("unix_micros(cast(t as timestamp)) as u").collect()[0].u == 1_600_000_000_123_456


@pytest.mark.parametrize("value", ["01", "1e3", "2020-1-1"])
def test_partition_values_stay_what_they_are(road: Road, tmp_path: Path, value: str) -> None:
    plain(tmp_path / "in" / f"p={value}" / "a.parquet")
    assert {row.p for row in road(tmp_path / "in").frame.collect()} == {value}


def test_a_column_in_file_and_folder_is_refused(road: Road, tmp_path: Path) -> None:
    plain(tmp_path / "in" / "k=z" / "a.parquet")
    with pytest.raises(ContractError, match="which its folder's name gives too"):
        road(tmp_path / "in")


def test_filters_reach_the_scan(spark: SparkSession, tmp_path: Path) -> None:
    for day in (1, 2):
        plain(tmp_path / "in" / f"day={day}" / "a.parquet")
    conf = InputConf(path=(str(tmp_path / "in"),), filter="day = 2 and id > 2")
    source = sources.read(spark, "data", conf, None)
    plan = source.frame._jdf.queryExecution().executedPlan().toString()
    assert ("GreaterThan(id,2)" in plan, "day#" in plan.split("PartitionFilters: ")[1][:60], source.land.rows()) == (
        True,
        True,
        2,
    )


def test_the_file_is_named_as_the_listing_names_it(spark: SparkSession, tmp_path: Path) -> None:
    plain(tmp_path / "in" / "p=a b%" / "x [1] ü+.parquet")
    source = sources.read(spark, "data", InputConf(path=(str(tmp_path / "in"),)), None)
    assert source.frame.first()["_sparkkit_file"] == source.files[0].path


def test_the_recount_reads_every_column(spark: SparkSession, tmp_path: Path) -> None:
    def read(data: DataFrame) -> str:
        from sparkkit.formats.columnar import _touch

        return str(data.agg(_touch(data))._jdf.queryExecution().executedPlan().toString())

    path = str(
        put(
            tmp_path / "a.parquet",
            a=pa.array([1, None]),
            b=pa.array([None, None], pa.string()),
            m=pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        )
    )
    data = spark.read.parquet(path)
    assert ("ReadSchema: struct<a:bigint,b:string,m:map<string,bigint>>" in read(data), stored_rows(data)) == (True, 2)


def test_orc_is_read_by_its_footers_too(road: Road, spark: SparkSession, tmp_path: Path) -> None:
    spark.range(7).selectExpr("id", "map('k', id) m").coalesce(1).write.orc(str(tmp_path / "in"))
    (tmp_path / "in" / "bucket.orc").write_bytes(b"")
    went = road(tmp_path / "in", to="orc")
    assert (went.read, went.frame.count(), ("empty_file", "bucket.orc") in went.findings) == ((7, 7, 0), 7, True)


def test_a_truncated_orc_file_is_named(road: Road, spark: SparkSession, tmp_path: Path) -> None:
    spark.range(7).coalesce(1).write.orc(str(tmp_path / "in"))
    file = next((tmp_path / "in").glob("*.orc"))
    (tmp_path / "in" / "cut.orc").write_bytes(file.read_bytes()[:40])
    with pytest.raises(ContractError, match=r"1 of 2 files can't be read: .*cut.orc"):
        road(tmp_path / "in")


def test_times_that_orc_moves_are_refused(road: Road, spark: SparkSession, tmp_path: Path) -> None:
    spark.sql("select timestamp_micros(id * 1000 - 2000) as t from range(4)").write.parquet(str(tmp_path / "in"))
    with pytest.raises(ContractError, match="1 row can't be written as orc: t: orc moves"):
        road(tmp_path / "in", to="orc", build=lambda data: data.where("unix_micros(t) in (-1000, 0, -2000000)"))
