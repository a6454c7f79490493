"""Incremental inputs: what is new is read once, whatever is killed, tried again, run again, changed, deleted or late."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit import publishing, run
from sparkkit.conf import InputConf
from sparkkit.errors import ContractError, InfrastructureError, NotReadyError, SparkkitError, UsageError
from sparkkit.formats import footers
from sparkkit.incremental import states
from sparkkit.incremental.column import Column
from sparkkit.incremental.news import _each, _told
from sparkkit.incremental.spec import Spec
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.publishing import Journals
from sparkkit.staging import Files
from sparkkit.storage import journal
from sparkkit.storage.hadoop import File, Hadoop
from sparkkit.storage.increments import Cut, State
from sparkkit.storage.local import LocalStore
from sparkkit.storage.lock import Patience
from sparkkit.storage.records import WHOLE
from sparkkit.storage.records import Record as KeptRecord
from sparkkit.storage.versions import rollback

Go = Callable[..., Record]
FILES: dict[str, Any] = {"inputs.data.format": "text", "inputs.data.incremental": "files"}
COLUMN: dict[str, Any] = {"inputs.data.format": "parquet", "inputs.data.incremental": "column", "inputs.data.watermark": "at"}
DAYS: dict[str, Any] = COLUMN | {
    "inputs.data.lateness": "1 day", "outputs.output.mode": "overwrite_partitions", "outputs.output.partition_by": ["day"],
}


DAY = "2026-01-01 10:00:00"


def days(data: DataFrame) -> DataFrame:
    """The rows with their day."""
    return data.withColumn("day", F.to_date("at"))


def same(data: DataFrame) -> DataFrame:
    return data


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., None]:
    """`put("a", "b")`: text files of one line, which is the name; `put(x=["2026-01-01 10:00:00"])`: a Parquet file with the columns
    `at` and `value` (`x0`, `x1`, …)."""

    def call(*texts: str, **stamps: list[str | None]) -> None:
        (tmp_path / "in").mkdir(exist_ok=True)
        for text in texts:
            (tmp_path / "in" / text).write_text(f"{text}\n")
        for name, found in stamps.items():
            import pyarrow as pa
            import pyarrow.compute as pc
            import pyarrow.parquet as pq

            at = pc.strptime(pa.array(found, pa.string()), "%Y-%m-%d %H:%M:%S", "us").cast(pa.timestamp("us", "UTC"))
            path = tmp_path / "in" / f"{name}.parquet"
            path.parent.mkdir(exist_ok=True)
            pq.write_table(pa.table({"at": at, "value": [f"{path.stem}{i}" for i in range(len(found))]}), path)

    return call


@pytest.fixture
def go(spark: SparkSession, tmp_path: Path) -> Go:
    """`go(date, build, again=False, full=False, code="c1", **settings)`: one attempt that adds what is new in `in` to `out`."""
    number = itertools.count(1)

    def call(
        date: str | None = None, build: Callable[..., Any] = same, *, again: bool = False, full: bool = False, code: str = "c1",
        outputs: tuple[str, ...] = ("output",), **over: Any,
    ) -> Record:
        job = Job(lambda data: build(data), name="job", outputs=outputs)
        paths = {f"outputs.{n}.path": str(tmp_path / ("out" if n == "output" else n)) for n in outputs}
        modes = {f"outputs.{n}.mode": "append" for n in outputs}
        settings = {"inputs.data.path": [str(tmp_path / "in")]} | paths | modes | (over or FILES)
        conf = confs.load(Project(tmp_path), "job", inputs=job.inputs, outputs=job.outputs, params=(), over=settings)
        record = Record(f"job-{next(number)}", "job", code_version=code, date=date)
        request = run.Request(job, conf, Project(tmp_path), date=date, again=again, full=full)
        if run.run(spark, request, record):
            record.status = "done"
        return record

    return call


@pytest.fixture
def held(spark: SparkSession, tmp_path: Path) -> Callable[..., list[str]]:
    """What an output holds."""

    def call(name: str = "out") -> list[str]:
        return sorted(row[0] for row in spark.read.parquet(str(tmp_path / name)).select("value").collect())

    return call


def refused(call: Callable[[], object], error: type[SparkkitError]) -> str:
    """The reason of a refusal."""
    with pytest.raises(error) as found:
        call()
    return found.value.reason


def test_only_new_files_are_read_and_a_retry_says_that_there_is_nothing_new(go: Go, put: Any, held: Any) -> None:
    put("a", "b")
    first = go()
    put("c")
    second, third = go(), go()
    assert [r.status for r in (first, second, third)] == ["done", "done", "nothing_new"]
    assert [r.inputs["data"]["read"] for r in (first, second, third)] == [2, 1, 0]
    assert (third.message, held()) == ("nothing new since run job-2", ["a", "b", "c"])


def test_a_rollback_takes_the_state_back_too(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    put("a")
    go()
    put("b")
    go()
    rollback(LocalStore(), str(tmp_path / "out"), "job-1", "back-1")
    assert held() == ["a"]
    assert (go().inputs["data"]["read"], held()) == (1, ["a", "b"])


def test_a_run_that_died_before_its_decision_leaves_the_state_and_one_that_died_after_it_does_not(
    go: Go, put: Any, held: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    put("a")
    go()
    put("b")
    with pytest.raises(Exception, match="boom"):
        go(None, lambda data: data.select(F.raise_error(F.lit("boom")).cast("string").alias("value")))
    monkeypatch.setattr(publishing, "Patience", lambda: Patience(interval=0.1, missed=3))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "put_whole", lambda *_: (_ for _ in ()).throw(InfrastructureError("died")))
        with pytest.raises(InfrastructureError, match="died"):
            go()
    assert held() == ["a"]
    assert (go().status, held()) == ("nothing_new", ["a", "b"])


def test_a_date_run_twice_keeps_its_rows_and_a_re_run_of_it_replaces_them_alone(go: Go, put: Any, held: Any) -> None:
    def twice(data: DataFrame) -> DataFrame:
        return data.select(F.concat("value", F.lit("2")).alias("value"))

    put("a")
    go("2026-01-01")
    put("b")
    go("2026-01-01")
    put("c")
    go("2026-01-02")
    assert (held(), go("2026-01-01").status, go("2026-01-03").status) == (["a", "b", "c"], "already_done", "nothing_new")
    assert (go("2026-01-01", twice, code="c2").outputs["output"]["generation"], held()) == (3, ["a2", "b2", "c"])
    assert (go("2026-01-01", again=True).inputs["data"]["read"], held()) == (2, ["a", "b", "c"])


def test_without_a_date_again_makes_the_last_slice_anew(go: Go, put: Any, held: Any) -> None:
    put("a")
    go()
    put("b")
    go()
    assert (go(again=True).inputs["data"]["incremental"], held()) == ("0 new files, 1 again", ["a", "b"])


def test_a_changed_file_is_refused_unless_its_own_date_is_run_again(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    put("a")
    go("2026-01-01")
    put("b")
    go("2026-01-02")
    (tmp_path / "in" / "a").write_text("mended\n")
    assert refused(lambda: go("2026-01-02"), ContractError) == "changed_file"
    assert (go("2026-01-01").inputs["data"]["findings"][0]["reason"], held()) == ("changed_file", ["b", "mended"])


def test_a_deleted_file_is_told_and_its_rows_are_not_taken_away(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    put("a", "b")
    go("2026-01-01")
    (tmp_path / "in" / "a").unlink()
    assert go("2026-01-01").status == "nothing_new"
    assert refused(lambda: go("2026-01-01", again=True), ContractError) == "files_gone"
    put("c")
    found = go("2026-01-02").inputs["data"]["findings"]
    assert ([f["reason"] for f in found], held()) == (["deleted_file"], ["a", "b", "c"])
    (tmp_path / "in" / "b").unlink()
    (tmp_path / "in" / "c").unlink()
    assert go().status == "nothing_new"


def test_two_outputs_share_a_state_and_without_one_of_them_nothing_goes_on(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    def both(data: DataFrame) -> dict[str, DataFrame]:
        return {"output": data, "other": data}

    put("a")
    go(None, both, outputs=("output", "other"))
    put("b")
    go(None, both, outputs=("output", "other"))
    assert (held(), held("other")) == (["a", "b"], ["a", "b"])
    (tmp_path / "other").rename(tmp_path / "gone")
    assert refused(lambda: go(None, both, outputs=("output", "other")), UsageError) == "state_differs"


def test_whole_partitions_are_read_again_where_partitions_are_replaced(go: Go, put: Any, held: Any) -> None:
    over = DAYS | {"inputs.data.incremental": "files", "inputs.data.watermark": "day", "inputs.data.lateness": None}
    put(**{"day=2026-01-01/a": [DAY], "day=2026-01-02/b": [DAY]})
    go(None, same, **over)
    put(**{"day=2026-01-01/late": [DAY], "day=2026-01-03/c": [DAY]})
    record = go(None, same, **over).inputs["data"]
    assert (held(), record["read"], record["late"]) == (["a0", "b0", "c0", "late0"], 3, {"2026-01-01": 1})
    put(**{"day=2026-01-04/d": [DAY]})
    with pytest.raises(ContractError, match=r"the partition day=2026-01-01 would be replaced, and only the folders of day"):
        go(None, lambda data: data.withColumn("day", F.lit("2026-01-01")), **over)


def test_a_full_run_makes_all_anew_and_what_follows_goes_on_from_it(go: Go, put: Any, held: Any) -> None:
    whole = FILES | {"outputs.output.mode": "overwrite"}
    put("a")
    go("2026-01-01")
    put("b")
    assert refused(lambda: go("2026-01-01", **whole), UsageError) == "incremental_overwrite"
    assert refused(lambda: go("2026-01-01", full=True), UsageError) == "incremental_append"
    assert (go("2026-01-01", full=True, **whole).status, held()) == ("done", ["a", "b"])
    assert (go("2026-01-01", full=True, **whole).status, go("2026-01-01").status) == ("already_done", "nothing_new")
    put("c")
    assert (go("2026-01-01").inputs["data"]["read"], held()) == (1, ["a", "b", "c"])


def test_rows_that_no_state_tells_are_not_added_again(go: Go, put: Any, held: Any) -> None:
    put("a")
    go(**{"inputs.data.format": "text"})
    assert refused(go, UsageError) == "no_state"
    go(full=True, **FILES | {"outputs.output.mode": "overwrite"})
    go(**{"inputs.data.format": "text", "outputs.output.mode": "overwrite"})
    assert refused(go, UsageError) == "overwritten"


def test_rows_beyond_the_mark_are_read_once_and_those_behind_it_stop_an_append(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    put(x=["2026-01-01 10:00:00", "2026-01-02 10:00:00"])
    go(**COLUMN)
    put(y=["2026-01-02 10:00:01"])
    assert (go(**COLUMN).inputs["data"]["read"], go(**COLUMN).status, held()) == (1, "nothing_new", ["x0", "x1", "y0"])
    put(z=["2026-01-02 10:00:01", "2026-01-03 10:00:00"])
    with pytest.raises(ContractError, match=r"mark 2026-01-02 10:00:01 of at \(1 of 2026-01-02\): append can't tell them"):
        go(**COLUMN)
    (tmp_path / "in" / "z.parquet").unlink()
    put(w=["2026-01-03 10:00:00"])
    assert (go(**COLUMN).inputs["data"]["read"], held()) == (1, ["w0", "x0", "x1", "y0"])


def test_a_date_takes_its_late_rows_in_where_it_is_the_last(go: Go, put: Any, held: Any) -> None:
    put(x=["2026-01-01 10:00:00"])
    go("2026-01-01", **COLUMN)
    put(y=["2026-01-01 10:00:00", "2026-01-01 11:00:00"])
    assert (go("2026-01-01", **COLUMN).inputs["data"]["late"], held()) == ({"2026-01-01": 1}, ["x0", "y0", "y1"])
    assert go("2026-01-01", **COLUMN).status == "already_done"


def test_a_date_whose_rows_were_mended_under_the_same_marks_is_not_done_already(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    put(x=["2026-01-01 10:00:00", "2026-01-01 11:00:00"])
    go("2026-01-01", **COLUMN)
    (tmp_path / "in" / "x.parquet").unlink()
    put(y=["2026-01-01 10:00:00", "2026-01-01 11:00:00"])
    assert (go("2026-01-01", **COLUMN).status, held()) == ("done", ["y0", "y1"])
    assert go("2026-01-01", **COLUMN).status == "already_done"


def test_a_date_is_done_already_whatever_came_after_it(go: Go, put: Any, held: Any) -> None:
    for day in (1, 2, 3):
        put(**{f"d{day}": [f"2026-01-0{day} 10:00:00"]})
        go(f"2026-01-0{day}", **COLUMN)
    assert [go(f"2026-01-0{day}", **COLUMN).status for day in (1, 2, 3)] == ["already_done"] * 3


def test_late_rows_are_found_as_far_as_lateness_reaches_and_bring_their_whole_day(go: Go, put: Any, held: Any) -> None:
    put(x=["2026-01-01 10:00:00", "2026-01-02 10:00:00", "2026-01-03 10:00:00"])
    assert go(None, days, **DAYS).inputs["data"]["late"] is None
    put(y=["2026-01-02 09:00:00", "2026-01-04 08:00:00", "2026-01-01 09:00:00"])
    record = go(None, days, **DAYS).inputs["data"]
    assert (record["late"], record["read"], held()) == ({"2026-01-02": 1}, 4, ["x0", "x1", "x2", "y0", "y1"])
    put(z=["2026-01-03 09:00:00"])
    assert (go(None, days, **DAYS).inputs["data"]["late"], go(None, days, **DAYS).status) == ({"2026-01-03": 1}, "nothing_new")


def test_a_partition_with_rows_from_before_what_was_read_is_not_replaced(go: Go, put: Any, held: Any) -> None:
    def shipped(data: DataFrame) -> DataFrame:
        return data.withColumn("day", F.lit("2026-01-10"))

    put(x=["2026-01-01 10:00:00", "2026-01-09 08:00:00"])
    assert refused(lambda: go(None, lambda data: days(data).drop("at"), **DAYS), ContractError) == "partitions_differ"
    go(None, shipped, **DAYS)
    put(y=["2026-01-09 10:00:00"])
    with pytest.raises(ContractError, match="hold rows such as one of 2026-01-01 10:00:00, and of input 'data' only those from 2026-01-08"):
        go(None, shipped, **DAYS)
    assert held() == ["x0", "x1"]


def test_partitions_by_the_watermark_itself_are_replaced(go: Go, put: Any, held: Any) -> None:
    over = DAYS | {"outputs.output.partition_by": ["at"]}
    put(x=["2026-01-01 10:00:00", "2026-01-03 10:00:00"])
    go(None, lambda data: data.withColumn("at", F.to_date("at")), **over)
    put(y=["2026-01-03 11:00:00"])
    go(None, lambda data: data.withColumn("at", F.to_date("at")), **over)
    assert held() == ["x0", "x1", "y0"]


def test_one_row_of_the_far_future_does_not_become_the_mark(go: Go, put: Any, held: Any, tmp_path: Path) -> None:
    put(x=[DAY], y=["2062-01-01 10:00:00"])
    with pytest.raises(ContractError, match="up to 2062-01-01 10:00:00, and nothing .* any more: 1 rows are beyond"):
        go(**COLUMN)
    (tmp_path / "in" / "y.parquet").unlink()
    assert (go(**COLUMN).inputs["data"]["read"], held()) == (1, ["x0"])


def test_a_file_is_not_passed_over_by_its_footer_in_a_zone_east_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State("column", ("in",), "r1", "d1", cuts=(Cut("d1", "2026-01-02 01:00:00"),), type="timestamp", low="2026-01-02 01:00:00")
    reader = Column(Spec("data", InputConf(path=("in",), watermark="at"), {}, "append", state))
    reader.start = state.low
    new, old = File("in/new.parquet", 1, 1), File("in/old.parquet", 1, 1)  # 2026-01-01 23:30 UTC is 08:30 of the next day in Tokyo
    tops = {new.path: dt.datetime(2026, 1, 1, 23, 30), old.path: dt.datetime(2025, 12, 1)}
    monkeypatch.setattr("sparkkit.incremental.column.highest", lambda *_: tops)
    monkeypatch.setattr("sparkkit.incremental.column.Hadoop", SimpleNamespace(of=lambda _: None))
    tokyo: Any = SimpleNamespace(conf={"spark.sql.session.timeZone": "Asia/Tokyo"})
    assert reader._near(tokyo, (new, old)) == (new,)


def test_outputs_on_several_filesystems_keep_no_state_and_are_no_one_decision() -> None:
    here, there = (SimpleNamespace(journal=path, path=path) for path in ("/out/a", "hdfs://n/b"))
    one, other = object(), object()
    runs: Any = {"/out/a": (one, "/out/a"), "/out/c": (one, "/out/c"), "hdfs://n/b": (other, "/b")}
    journals = Journals(None, "r", None, runs=runs, bare={"s3a://x"})  # type: ignore[arg-type]
    place: Any = Files(None, "r", None, journals)  # type: ignore[arg-type]
    targets: Any = {"a": here, "b": there}
    assert [journals.one_decision(paths) for paths in (["/out/a", "/out/c"], ["/out/a", "hdfs://n/b"], ["s3a://x"])] == [True, False, False]
    assert states.refuse_place(place, {"a": here}) is place  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="several filesystems"):
        states.refuse_place(place, targets)


def test_the_error_of_several_inputs_is_the_strongest_whatever_their_order() -> None:
    errors = {"late": NotReadyError("late"), "bad": ContractError("bad"), "wrong": UsageError("wrong")}

    def read(name: str) -> str:
        if name in errors:
            raise errors[name]
        return name

    for names, kind in ((["late", "bad"], NotReadyError), (["bad", "late", "wrong"], UsageError)):
        with pytest.raises(kind):
            _each(names, read)
    assert _each(["a", "b"], read) == {"a": "a", "b": "b"}


@pytest.mark.parametrize(("kind", "top"), [("uint32", None), ("int64", 3_000_000_000)])
def test_an_unsigned_watermark_has_no_top_for_its_statistics_are_read_as_signed(
    spark: SparkSession, tmp_path: Path, kind: str, top: int | None,
) -> None:
    file = f"{tmp_path}/x.parquet"
    pq.write_table(pa.table({"id": pa.array([1, 3_000_000_000], getattr(pa, kind)())}), file)
    assert footers.highest(Hadoop.of(spark), [file], "id") == {file: top}


def test_a_state_is_of_its_watermark_filter_and_zone_and_one_that_does_not_tell_them_of_any() -> None:
    def refusal(conf: InputConf, state: State, zone: str = "UTC") -> str:
        spec = Spec("data", conf, {}, "append", state)
        try:
            spec.refuse_other(**_told(spec.conf, zone))
        except UsageError as error:
            return f"{error.reason}: {error.message}"
        return "none"

    state = State("column", ("in",), "r1", "d1", watermark="created_at", filter="a > 1")
    conf = InputConf(path=("in",), incremental="column", watermark="created_at", filter="a > 1")
    assert refusal(conf, State.decode(state.encode(), "x")) == "none"
    assert "its watermark was created_at when run r1" in refusal(replace(conf, watermark="updated_at"), state)
    assert "its watermark was created_at when run r1 left its state, and is created_at in Asia/Tokyo" in refusal(conf, state, "Asia/Tokyo")
    assert refusal(replace(conf, filter=None), state).startswith("state_differs: input 'data': its filter was a > 1 when run r1 left its "
                                                                 "state, and is none now")
    before = state.encode().replace(b', "watermark": "created_at", "filter": "a > 1", "logical_id": null', b"")
    assert b"created_at" not in before and refusal(replace(conf, filter=None), State.decode(before, "x")) == "none"


def test_a_replay_into_what_a_full_run_wrote_does_not_overwrite_what_its_state_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed = {WHOLE: KeptRecord(WHOLE, 2, "replay-1", {"logical_id": "l", "slot": 5})}
    monkeypatch.setattr(states, "last_of", lambda _, __, name: replayed.get(name))
    ledger, none = states.Ledger(cast(Any, None), "job", {}, {}), cast(Any, None)
    ledger._refuse_overwritten("output", none, State("files", ("in",), "full-1", "full x", logical_id="l"))
    for other in (None, "m"):
        with pytest.raises(UsageError, match="was overwritten by run replay-1"):
            ledger._refuse_overwritten("output", none, State("files", ("in",), "full-1", "full x", logical_id=other))


def test_a_row_without_a_watermark_is_refused_and_a_column_that_is_none(go: Go, put: Any) -> None:
    put(x=[DAY, None])
    assert refused(lambda: go(**COLUMN), ContractError) == "null_watermark"
    assert refused(lambda: go(**COLUMN | {"inputs.data.watermark": "nope"}), UsageError) == "wrong_conf"


@pytest.mark.parametrize(("over", "reason"), [
    ({"outputs.output.mode": "error"}, "incremental_overwrite"), ({"inputs.data.lateness": "2 days"}, "wrong_conf"),
    ({"inputs.data.incremental": "column"}, "wrong_conf"), ({"inputs.data.changed": "again"}, "wrong_conf"),
    ({"inputs.data.incremental": "sometimes"}, "wrong_conf"),
], ids=str)
def test_settings_that_do_not_fit_are_refused_before_anything_is_read(go: Go, put: Any, over: dict[str, Any], reason: str) -> None:
    put("a")
    assert refused(lambda: go(**FILES | over), UsageError) == reason
