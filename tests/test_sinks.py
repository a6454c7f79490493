"""Outputs: modes, partitions, sizes, empty results, and that nothing is left behind by a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import sinks
from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, ContractError, InfrastructureError, UsageError
from sparkkit.formats import writing
from sparkkit.staging import Files
from sparkkit.storage.local import LocalStore
from tests.conftest import Write


def parts(spark: SparkSession, *pairs: tuple[int, str | None]) -> DataFrame:
    return spark.createDataFrame(list(pairs), "v int, p string").coalesce(1)


def stored(spark: SparkSession, tmp_path: Path) -> set[tuple[int, str | None]]:
    return {tuple(r) for r in spark.read.schema("v int, p string").parquet(str(tmp_path / "out")).collect()}


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name[0] not in "._")


def seen(folder: Path) -> list[str]:
    """What a person sees in a folder: the journals are hidden."""
    return sorted(p.name for p in folder.iterdir() if p.name[0] != ".")


def test_overwrite_replaces_everything(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(parts(spark, (1, "a")))
    write(parts(spark, (2, "b")))
    assert (stored(spark, tmp_path), seen(tmp_path)) == ({(2, "b")}, ["out"])


def test_rows_that_a_task_which_ran_again_built_twice_are_counted_once_more(
    write: Write, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkkit.accounting.Watch.figures", lambda self: {"rows": 3})
    assert write(parts(spark, (1, "a"), (2, "b"))).count.total == 2


@pytest.mark.parametrize("staged", [1, 3])
def test_other_rows_staged_than_were_built_are_not_published(
    write: Write, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, staged: int,
) -> None:
    monkeypatch.setattr(Files, "total", lambda *_: staged)
    with pytest.raises(AccountingError, match=f"2 rows were built, but {staged} were staged"):
        write(parts(spark, (1, "a"), (2, "b")))
    assert seen(tmp_path) == []


def test_a_frame_that_is_another_each_time_is_to_be_run_again(
    write: Write, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkkit.accounting.Watch.figures", lambda self: {"rows": 5})
    monkeypatch.setattr(Files, "total", lambda *_: 3)
    with pytest.raises(InfrastructureError, match="3 rows were staged, 5 were built, and 2 when they were counted once more") as error:
        write(parts(spark, (1, "a"), (2, "b")))
    assert (error.value.exit_code, seen(tmp_path)) == (6, [])


@pytest.mark.parametrize("journals", [[], [".t.sparkkit"], [".default.t.sparkkit"]])
def test_a_table_has_one_journal_whichever_way_it_is_named(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, journals: list[str],
) -> None:
    monkeypatch.setattr(LocalStore, "list", lambda self, folder: ("log/",) if folder.rpartition("/")[2] in journals else ())
    names = ("t", "T", "default.t", "`default`.`t`", "spark_catalog.default.t")
    found = {Files.of(spark, "run-1").target("output", OutputConf(path=name, format="table")).journal.rpartition("/")[2] for name in names}
    assert found == {"t" if journals == [".t.sparkkit"] else "default.t"}


def test_append_keeps_what_is_there(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    for pair in ((1, "a"), (2, "b")):
        write(parts(spark, pair), mode="append")
    assert (stored(spark, tmp_path), len(set(files(tmp_path / "out")))) == ({(1, "a"), (2, "b")}, 2)


def test_only_the_partitions_in_the_data_are_replaced(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(parts(spark, (1, "01"), (2, "b/c"), (3, None)), partition_by=("p",))
    staged = write(parts(spark, (4, "b/c"), (5, "d"), (6, None)), mode="overwrite_partitions", partition_by=("p",))
    replaced = ["p=__HIVE_DEFAULT_PARTITION__", "p=b%2Fc", "p=d"]
    assert (stored(spark, tmp_path), staged.published) == ({(1, "01"), (4, "b/c"), (5, "d"), (6, None)}, replaced)


@pytest.mark.parametrize(("kind", "mode", "by"), [("parquet", "append", ()), ("orc", "append", ()), ("csv", "append", ()),
                                                   ("parquet", "overwrite_partitions", ("p",)), ("csv", "overwrite_partitions", ("p",))])
def test_files_of_another_schema_are_not_put_beside_those_that_are_there(
    write: Write, spark: SparkSession, tmp_path: Path, kind: str, mode: str, by: tuple[str, ...],
) -> None:
    write(parts(spark, (1, "a")), format=kind, partition_by=by)
    before, given = files(tmp_path / "out"), {"format": kind, "mode": mode, "partition_by": by}
    with pytest.raises(ContractError, match=r"column 'w'( \(int\))? is new; column 'v' is missing") as error:
        write(parts(spark, (1, "a")).withColumnRenamed("v", "w"), **given)
    assert (error.value.reason, error.value.exit_code, files(tmp_path / "out")) == ("schema_changed", 4, before)
    if kind != "csv" or by:  # its readers go by position: see test_columns_in_another_order_are_not_put_beside_a_header
        write(parts(spark, (2, "b")).select("p", "v"), **given)
    write(parts(spark, (1, "a")).withColumnRenamed("v", "w"), **(given | {"mode": "overwrite"}))


@pytest.mark.parametrize("kind", ["csv", "json", "orc"])
def test_files_of_another_format_are_not_put_beside_those_that_are_there(
    write: Write, spark: SparkSession, tmp_path: Path, kind: str,
) -> None:
    write(parts(spark, (1, "a")))
    before = files(tmp_path / "out")
    with pytest.raises(UsageError, match=f"are parquet .*, and the output is {kind}") as error:
        write(parts(spark, (2, "b")), mode="append", format=kind)
    assert (error.value.reason, error.value.exit_code, files(tmp_path / "out")) == ("mixed_formats", 2, before)
    write(parts(spark, (2, "b")), format=kind)


def test_a_type_that_changed_is_told(write: Write, spark: SparkSession) -> None:
    write(parts(spark, (1, "a")))
    with pytest.raises(ContractError, match="column 'v' is bigint and was int"):
        write(parts(spark, (1, "a")).withColumn("v", F.col("v").cast("bigint")), mode="append")


def test_replacing_partitions_needs_partitions(write: Write, spark: SparkSession) -> None:
    with pytest.raises(UsageError, match="needs partition_by"):
        write(parts(spark, (1, "a")), mode="overwrite_partitions")


def test_mode_error_refuses_what_is_there_and_what_comes_while_it_runs(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists and the mode is error"):
        write(parts(spark, (1, "a")), mode="error", meanwhile=lambda staged: (tmp_path / "out").mkdir())
    with pytest.raises(UsageError, match="exists and the mode is error"):
        write(parts(spark, (1, "a")), mode="error")


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_an_empty_result_keeps_its_schema(write: Write, spark: SparkSession, tmp_path: Path, kind: str) -> None:
    write(parts(spark, (1, "a")).where("v > 1"), format=kind, partition_by=("p",))
    assert spark.read.format(kind).load(str(tmp_path / "out")).columns == ["v", "p"]


def test_an_empty_csv_keeps_its_header(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(parts(spark, (1, "a")).where("v > 1"), format="csv", partition_by=("p",))
    assert [(tmp_path / "out" / f).read_text() for f in files(tmp_path / "out")] == ["v,p\n"]


def test_an_empty_csv_without_a_header_gets_none(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(parts(spark, (1, "a")).where("v > 1"), format="csv", partition_by=("p",), options={"header": "false"})
    assert "".join((tmp_path / "out" / f).read_text() for f in files(tmp_path / "out")) == ""


@pytest.mark.parametrize(("kind", "first"), [("parquet", "append"), ("parquet", "overwrite"), ("csv", "overwrite_partitions")])
def test_a_day_without_rows_stops_no_later_day_of_a_partitioned_output(
    write: Write, spark: SparkSession, tmp_path: Path, kind: str, first: str,
) -> None:
    by: dict[str, Any] = {"format": kind, "partition_by": ("p",)}
    none = parts(spark, (1, "a")).where("v > 1")
    write(none, mode=first, **by)
    write(parts(spark, (2, "b")), mode="append", **by)
    write(none, mode="overwrite_partitions", **by)
    found = spark.read.option("header", "true").format(kind).load(str(tmp_path / "out"))
    assert [(str(r.v), r.p) for r in found.collect()] == [("2", "b")]


def test_an_empty_text_in_a_partition_is_refused(write: Write, spark: SparkSession) -> None:
    with pytest.raises(ContractError, match="1 row can't be written as parquet: an empty text in the partition column p"):
        write(parts(spark, (1, "a"), (2, "")), partition_by=("p",))


@pytest.mark.parametrize(("kind", "first", "then", "said"), [
    ("parquet", (), ("p",), "nothing, not by p"), ("parquet", ("p",), (), "p, not by nothing"), ("json", (), ("p",), "nothing, not by p"),
    ("csv", ("p",), ("p", "q"), "p, not by p, q")])
def test_rows_are_not_added_in_other_partitions(
    write: Write, spark: SparkSession, kind: str, first: tuple[str, ...], then: tuple[str, ...], said: str,
) -> None:
    rows = parts(spark, (1, "a")).withColumn("q", F.lit("x"))
    write(rows, format=kind, partition_by=first)
    with pytest.raises(ContractError, match=f"partitioned by {said}"):
        write(rows, format=kind, partition_by=then, mode="append")


def test_columns_in_another_order_are_not_put_beside_a_header(write: Write, spark: SparkSession) -> None:
    rows = parts(spark, (1, "a"))
    write(rows, format="csv")
    with pytest.raises(ContractError, match="the columns are in the order p, v, and were in that of v, p"):
        write(rows.select("p", "v"), format="csv", mode="append")


def test_rows_are_added_to_partitions_of_odd_names(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    for value in ("a", "b"):
        write(parts(spark, (1, value)).withColumnRenamed("p", "utm:s %"), partition_by=("utm:s %",), mode="append")
    assert sorted(row[1] for row in spark.read.parquet(str(tmp_path / "out")).collect()) == ["a", "b"]


def test_files_come_near_the_size_that_was_asked_for(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.range(0, 200_000, 1, 8).select(F.xxhash64("id").alias("a"), F.xxhash64("id", F.lit(1)).alias("b"))
    write(frame, target_file_size="1MB", format="parquet")
    sizes = [(tmp_path / "out" / f).stat().st_size for f in files(tmp_path / "out")]
    assert (2 <= len(sizes) <= 6, max(sizes) < 2_000_000, sum(1 for s in sizes if s < 100_000) <= 1) == (
        True,
        True,
        True,
    )


def test_a_size_that_is_none_is_refused(write: Write, spark: SparkSession) -> None:
    with pytest.raises(UsageError, match=r"target_file_size is 'big', expected a size such as 128MB"):
        write(parts(spark, (1, "a")), target_file_size="big")


def test_compression_is_an_option(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(parts(spark, (1, "a")), format="json", options={"compression": "gzip"})
    assert [f.endswith(".json.gz") for f in files(tmp_path / "out")] == [True]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("select 'a' x, 'b' y", UsageError, r"the frame has x \(string\), y \(string\)"),
        ("select 1 x", UsageError, r"x \(int\)"),
        ("select if(id < 2, 'a\nb', 'a') x from range(3)", ContractError, "2 rows can't be written as text"),
        ("select if(id = 2, null, 'a') x from range(3)", ContractError, "1 row can't be written as text"),
    ],
)
def test_text_refuses_what_is_not_a_line(
    write: Write,
    spark: SparkSession,
    tmp_path: Path,
    sql: str,
    error: type[Exception],
    message: str,
) -> None:
    write(spark.sql("select 'before'"), format="text")
    with pytest.raises(error, match=message):
        write(spark.sql(sql), format="text")
    assert (spark.read.text(str(tmp_path / "out")).first().value, seen(tmp_path)) == (
        "before",
        ["out"],
    )


def test_a_failure_in_staging_leaves_the_target_and_no_staging(write: Write, spark: SparkSession, tmp_path: Path) -> None:
    write(parts(spark, (1, "a")))
    with pytest.raises(Exception, match=r"boom|Job aborted|WRITE|calling|writing rows"):
        write(spark.sql("select if(id >= 0, cast(raise_error('boom') as int), 1) as x from range(2)"))
    assert (stored(spark, tmp_path), seen(tmp_path)) == ({(1, "a")}, ["out"])


def test_rows_that_get_lost_while_staging_are_noticed(write: Write, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "save", lambda frame, form, options, by, path: frame.where("v > 1").write.parquet(path))
    with pytest.raises(AccountingError, match="2 rows were built, but 1 were staged"):
        write(parts(spark, (1, "a"), (2, "b")))


@pytest.mark.parametrize("kind", ["json", "csv", "orc"])
def test_a_checked_output_is_rewritten_in_its_own_format(write: Write, spark: SparkSession, tmp_path: Path, kind: str) -> None:
    bad: list[Any] = []
    frame = spark.sql("""select 'f' _sparkkit_file, cast(null as string) _sparkkit_raw, id, '0' || id p,
        if(id = 1, named_struct('reason', 'bad_value', 'rule', 'id: no'), null) _sparkkit_bad from range(3)""")
    staged = write(frame, checked=True, format=kind, partition_by=("p",), meanwhile=lambda staged: bad.extend(staged.rejects.collect()))
    assert (staged.count.total, staged.count.good, bad[0].reason, bad[0].rule) == (3, 2, "bad_value", "id")
    assert sorted(f.split("/")[0] for f in files(tmp_path / "out")) == ["p=00", "p=02"]


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"mode": "merge"}, "mode merge needs keys"),
        ({"mode": "cdc", "keys": ("v",)}, "mode cdc needs sequence_by"),
        ({"mode": "scd2", "keys": ("v",)}, "mode scd2 needs valid_from"),
        ({"mode": "merge", "keys": ("v",), "sequence_by": "v"}, "sequence_by says nothing in mode merge"),
        ({"mode": "append", "keys": ("v",)}, "keys says nothing in mode append"),
        ({"mode": "merge", "keys": ("v",), "format": "parquet"}, "mode merge is for Delta tables, not for parquet"),
        ({"format": "csv", "schema_evolution": "widen"}, "schema_evolution is for Delta tables"),
    ],
)
def test_settings_of_tables_by_keys_are_checked_before_anything_is_read(
    spark: SparkSession, tmp_path: Path, conf: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        sinks.target(Files.of(spark, "run-1"), "output", OutputConf(path=str(tmp_path / "out"), **{"format": "delta", **conf}))
