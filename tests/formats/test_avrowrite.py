"""Avro written by Spark's text writer: whole container files that any reader takes, in each partition and when empty."""

from __future__ import annotations

import builtins
import datetime as dt
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import types as t

from sparkkit.errors import AccountingError, UsageError
from sparkkit.formats import avro, avrowrite, writing
from sparkkit.schema.types import parse
from tests.conftest import Write
from tests.formats.conftest import Road

fastavro = pytest.importorskip("fastavro")
EVERY = """select id, id % 2 = 0 t, cast(-id as tinyint) by, cast(id as float) / 3 f, -0.0D d, 'é\\u0000' s, date'0001-01-01' day,
    unhex('00ff80c3') bytes, cast(-0.01 as decimal(38,10)) big, cast(id as decimal(3,1)) small, array(1, null) a,
    array(named_struct('x', date'2020-02-29', 'y', array(cast(1 as decimal(5,2))))) nested, map('k', null, 'l', 1L) m,
    if(id = 1, null, named_struct('name', 'n', 'z', named_struct('w', id))) st from range(2)"""


@pytest.fixture
def write(write: Write) -> Write:
    """Stages and publishes a frame as Avro to `tmp_path/out`."""
    return partial(write, format="avro")


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0] not in "._")


def records(file: Path) -> list[Any]:
    with file.open("rb") as content:
        return list(fastavro.reader(content))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 100 bytes, two of them in a piece, two pieces in a file."""
    for name, size in {"BLOCK": 100, "PART": 150, "PARTS": 2}.items():
        monkeypatch.setattr(avrowrite, name, size)


def test_another_reader_reads_every_type(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(spark.sql(EVERY).coalesce(1))
    (file,) = files(tmp_path / "out")
    row = {"id": 1, "t": False, "by": -1, "f": pytest.approx(1 / 3, 1e-6), "d": 0.0, "s": "é\0", "day": dt.date(1, 1, 1),
           "bytes": b"\0\xff\x80\xc3", "big": Decimal("-0.01"), "small": Decimal(1), "a": [1, None],
           "nested": [{"x": dt.date(2020, 2, 29), "y": [Decimal(1)]}], "m": {"k": None, "l": 1}, "st": None}  # fmt: skip
    assert (file.suffix, records(file)[1], records(file)[0]["st"]) == (".avro", row, {"name": "n", "z": {"w": 0}})


def test_times_are_exact_also_where_python_has_none(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.sql("""select id, timestamp_micros(m) t, cast(timestamp_micros(m) as timestamp_ntz) n, date_from_unix_date(d) d
        from values (1, -1L, -1), (2, 253402300800000000L, 2932897), (3, -62135596800000001L, -719163), (4, null, null) v(id, m, d)""")
    write(frame)
    back = avro.view(spark, str(tmp_path / "out"), {})
    numbers = ["id", "unix_micros(t)", "unix_micros(cast(n as timestamp))", "unix_date(d)"]
    assert_df_equality(back.selectExpr(*numbers), frame.selectExpr(*numbers), ignore_row_order=True, ignore_nullable=True)


def test_the_schema_is_that_of_sparks_own_writer() -> None:
    given = parse("struct<a: decimal(9,2), b: array<struct<c: date not null>>, d: map<string,timestamp>>")
    fixed = {"type": "fixed", "name": "fixed", "namespace": "topLevelRecord.a", "size": 4}
    found = avrowrite.schema(given)
    assert [f["type"] for f in found["fields"]] == [
        [{**fixed, "logicalType": "decimal", "precision": 9, "scale": 2}, "null"],
        [
            {"type": "array", "items": [
                {"type": "record", "name": "b", "namespace": "topLevelRecord",
                 "fields": [{"name": "c", "type": {"type": "int", "logicalType": "date"}}]},
                "null",
            ]},
            "null",
        ],
        [{"type": "map", "values": [{"type": "long", "logicalType": "timestamp-micros"}, "null"]}, "null"],
    ]  # fmt: skip
    assert fastavro.parse_schema(found)["name"] == "topLevelRecord"


@pytest.mark.parametrize("precision", range(1, 39))
def test_a_fixed_number_is_no_wider_than_its_digits_need(precision: int) -> None:
    size = avrowrite.schema(t.DecimalType(precision))["size"]
    assert 2 ** (8 * size - 1) >= 10**precision > 2 ** (8 * (size - 1) - 1)


@pytest.mark.usefixtures("small")
def test_each_file_of_each_partition_is_whole(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.sql("select id, 'some text' s, if(id % 50 = 7, null, concat('/', id % 50)) `a key`, int(id % 2) k from range(3000)")
    staged = write(frame.repartition(2), partition_by=("a key", "k"), options={"compression": "uncompressed"})
    found = files(tmp_path / "out")
    rows = [(r["id"], unquoted(f)) for f in found for r in records(f)]
    assert (len(found) > 2 * 50 * 1.5, staged.count.good, {f.suffix for f in found}) == (True, 3000, {".avro"})
    assert sorted(rows) == [(i, ("__HIVE_DEFAULT_PARTITION__" if i % 50 == 7 else f"/{i % 50}", str(i % 2))) for i in range(3000)]
    back = avro.view(spark, str(tmp_path / "out"), {})
    assert_df_equality(back.selectExpr("id", "s", "`a key`", "int(k) k"), frame, ignore_row_order=True, ignore_nullable=True)


def unquoted(file: Path) -> tuple[str, ...]:
    return tuple(part.partition("=")[2].replace("%2F", "/") for part in file.parts if "=" in part)


@pytest.mark.usefixtures("small")
def test_a_task_writes_as_many_files_as_their_size_asks_for(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    spark.conf.set("spark.sql.files.maxRecordsPerFile", "3")
    try:
        staged = write(spark.range(0, 5000, 1, 1))
    finally:
        spark.conf.unset("spark.sql.files.maxRecordsPerFile")
    found = [[r["id"] for r in records(file)] for file in files(tmp_path / "out")]
    assert ([i for ids in found for i in ids], len(found) > 3, staged.files) == (list(range(5000)), True, len(found))


@pytest.mark.parametrize("by", [(), ("p",)])
@pytest.mark.parametrize("sql", ["select id, 'a' p from range(0, 9, 1, 3) where id < 0", "select 1L id, 'a' p where false"])
def test_an_empty_result_keeps_its_schema(write: Write, spark: SparkSession, tmp_path: Path, sql: str, by: tuple[str, ...]) -> None:
    staged = write(spark.sql(sql), partition_by=by)
    (file,) = files(tmp_path / "out")
    with file.open("rb") as content:
        reader = fastavro.reader(content)
        assert (list(reader), [f["name"] for f in reader.writer_schema["fields"]], staged.count.good) == ([], ["id", "p"], 0)


def test_nothing_of_the_session_packs_the_files_or_cuts_their_bytes(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    hadoop = spark._jsc.hadoopConfiguration()
    hadoop.set("mapreduce.output.fileoutputformat.compress", "true")
    try:
        write(spark.sql("select cast(unhex('fffe00c3') as string) s, unhex('0d0aff') b"), options={"compression": "uncompressed"})
    finally:
        hadoop.unset("mapreduce.output.fileoutputformat.compress")
    (file,) = files(tmp_path / "out")
    content = file.read_bytes()
    assert (b"\x08\xff\xfe\x00\xc3" in content, b"\x06\x0d\x0a\xff" in content, b"null" in content) == (True, True, True)


@pytest.mark.parametrize(
    ("sql", "conf", "message"),
    [
        ("map(1, 'a') m", {}, r"text for keys, and those of m \(map<int,string>\) are none"),
        ("array(map(date'2020-01-01', 1)) m", {}, r"those of m \(array<map<date,int>>\)"),
        ("interval 1 day i", {}, r"avro can't hold the column i \(interval day\)"),
        ("null n", {}, r"avro can't hold the column n \(void\)"),
        ("1 `a b`, named_struct('ok', 1, '2', 1) s, 1 `é`", {}, r"'a b', 's.2', 'é' do not fit"),
        ("1 a", {"partition_by": ("a",)}, "a column that is not in partition_by"),
        ("1 a", {"options": {"compression": "snappy"}}, "not written with compression=snappy: its only option is compression: deflate"),
        ("1 a", {"options": {"avroSchema": "{}"}}, "not written with avroSchema={}"),
        ("1 a", {"target_file_size": "64MB"}, "avro files have 32MB at most, and target_file_size is 64MB"),
    ],
)  # fmt: skip
def test_what_avro_has_no_place_for_is_refused_before_anything_is_computed(
    write: Write, spark: SparkSession, tmp_path: Path, sql: str, conf: dict[str, Any], message: str
) -> None:
    frame = spark.sql(f"select {sql}, cast(raise_error('computed') as int) boom from range(1)")
    with pytest.raises(UsageError, match=message):
        write(frame if "partition_by" not in conf else frame.drop("boom"), **conf)
    assert [p for p in tmp_path.iterdir() if p.name[0] != '.'] == []


def test_names_that_avro_does_not_take_are_fine_in_folders(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(spark.sql("select 1 a, 'x' `é b`"), partition_by=("é b",))
    assert [records(f) for f in files(tmp_path / "out")] == [[{"a": 1}]]


def test_a_package_that_is_missing_is_named_with_what_to_install(
    write: Write, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "fastavro":
            raise ImportError(name="fastavro")
        return known(name, *rest, **more)

    frame = spark.range(1)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"avro needs the package fastavro: install sparkkit with its extra \[avro\]"):
        write(frame)


def test_what_was_staged_is_counted_by_another_reader(write: Write, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    head = avrowrite._head
    monkeypatch.setattr(avrowrite, "_head", lambda schema, codec: head(schema, codec) + b"\0")
    with pytest.raises(AccountingError, match=r"what was staged can't be read: file:.*\.avro: "):
        write(spark.range(9))


def test_a_null_where_the_schema_has_none_is_an_error(write: Write, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "plain", lambda *_: None)
    frame = spark.range(2).selectExpr("if(id = 0, null, id) a")
    required = t.StructType([t.StructField("a", t.LongType(), False)])
    monkeypatch.setattr(type(frame), "schema", property(lambda _: required))
    with pytest.raises(Exception, match="a null in a column of bigint whose schema says that it has none"):
        write(frame)


def test_partitions_are_replaced_and_files_appended(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(spark.sql("select id v, id % 2 p from range(4)"), partition_by=("p",))
    staged = write(spark.sql("select 9L v, 1L p"), partition_by=("p",), mode="overwrite_partitions")
    write(spark.sql("select 8L v, 1L p"), partition_by=("p",), mode="append", target_file_size="1MB")
    back = avro.view(spark, str(tmp_path / "out"), {}).orderBy("v").collect()
    assert ([tuple(r) for r in back], staged.published) == ([(0, "0"), (2, "0"), (8, "1"), (9, "1")], ["p=1"])


def test_it_is_read_by_a_contract_with_the_columns_of_its_folders(write: Write, road: Road, spark: SparkSession, tmp_path: Path) -> None:
    from sparkkit.schema.contract import Column, Contract

    write(spark.sql("select cast(id as tinyint) v, date'2020-01-01' + cast(id as int) p from range(3)"), partition_by=("p",))
    contract = Contract("t", (Column("v", "tinyint"), Column("p", "date")))
    went = road(tmp_path / "out", contract=contract, **{"outputs.output.path": str(tmp_path / "back")})
    assert (went.read, went.frame.schema.simpleString()) == ((3, 3, 0), "struct<v:tinyint,p:date>")
    assert went.frame.selectExpr("cast(max(p) as string)").first()[0] == "2020-01-03"
