from __future__ import annotations

import json

import pytest

from sparkkit.errors import ContractError, UsageError
from sparkkit.schema.contract import Column, Contract
from sparkkit.serving import fields, limits, predictions
from sparkkit.serving.model import Current, Model, find
from tests.serving.bundles import fraud, sentiment


@pytest.fixture
def current(tmp_path):
    """The model that a link names, as an alias does."""
    sentiment(tmp_path / "1")
    (tmp_path / "champion").symlink_to("1")
    name = str(tmp_path / "champion")
    return Current(Model.load(find(name)), name)


def point(tmp_path, to):
    """Lets the link name another version, in one step."""
    (tmp_path / "new").symlink_to(to)
    (tmp_path / "new").rename(tmp_path / "champion")


def test_another_version_is_exchanged_once(current, tmp_path):
    sentiment(tmp_path / "2", version="2")
    assert not current.refresh()
    point(tmp_path, "2")
    assert [current.refresh(), current.refresh()] == [True, False]
    assert (current.model.about["version"], current.reloads, current.problem) == ("2", 1, "")


def test_a_broken_version_leaves_the_old_one_and_says_so_until_it_is_mended(current, tmp_path):
    sentiment(tmp_path / "2", version="2")
    (tmp_path / "2" / "portable.json").write_text("{}", encoding="utf-8")
    point(tmp_path, "2")
    assert not current.refresh()
    assert current.model.about["version"] == "1" and "portable.json was changed" in current.problem
    sentiment(tmp_path / "3", version="3")
    point(tmp_path, "3")
    assert current.refresh() and (current.model.about["version"], current.problem) == ("3", "")


def test_a_version_with_other_fields_is_not_exchanged(current, tmp_path):
    fraud(tmp_path / "2")
    point(tmp_path, "2")
    assert not current.refresh()
    assert "contract differs in the field 'text'" in current.problem


def test_a_model_that_is_gone_leaves_the_old_one(current, tmp_path):
    (tmp_path / "champion").unlink()
    assert not current.refresh()
    assert "no model in" in current.problem


def test_the_watching_thread_looks_when_it_is_woken(current, tmp_path):
    import threading

    looked = threading.Event()
    sentiment(tmp_path / "2", version="2")
    point(tmp_path, "2")
    current.watch(3600, looked.set)
    current.wake()
    assert looked.wait(10) and current.model.about["version"] == "2"


def test_a_model_without_an_export_is_refused_unless_spark_is_asked_for(tmp_path):
    with pytest.raises(UsageError, match="can't be served without Spark: stage Word2VecModel"):
        Model.load(fraud(tmp_path / "m", portable="stage Word2VecModel is not portable"))


def test_an_export_that_reads_what_the_contract_has_not_is_refused(tmp_path):
    bundle = sentiment(tmp_path / "m")
    card = {**bundle.card, "contract": json.loads(Contract("c", (Column("other", "string"),)).to_json())}
    with pytest.raises(UsageError, match="reads \\['text'\\]"):
        Model.load(type(bundle)(bundle.path, card))


def test_a_changed_model_is_refused(tmp_path):
    sentiment(tmp_path / "m")
    (tmp_path / "m" / "portable.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ContractError, match="changed"):
        find(str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        ("tinyint", [-128, 127.0], [128, 1.5, True, "1"]), ("bigint", [2**63 - 1], [2**63, 10**400]),
        ("double", [1, 1e308, -0.0], [10**400, "1", None.__class__]), ("float", [0.1], [1e39]),
        ("decimal(5,2)", [1, 999.99, "0.10"], [1000, 0.001, "x", True, "NaN"]), ("boolean", [True], [1, "true"]),
        ("string", ["", "🙂", "\x00"], [1, "\udc00"]), ("date", ["2024-02-29"], ["2023-02-29", "20240229", 1]),
        ("timestamp", ["2024-01-01T00:00:00Z", "2024-01-01 00:00:00+02:00"], ["x", 5, "0001-01-01T00:00:00+14:00"]),
        ("timestamp_ntz", ["2024-01-01T00:00:00"], ["2024-01-01T00:00:00Z"]),
    ],
)  # fmt: skip
def test_values_are_read_by_the_type_of_their_column(kind, good, wrong):
    checked = fields.of_contract(Contract("c", (Column("v", kind),)))
    assert [checked.check({"v": value})[1] for value in good] == [[]] * len(good)
    assert all(checked.check({"v": value})[1] for value in wrong)


def test_a_time_with_a_zone_becomes_utc_and_a_float_is_rounded_to_its_width():
    checked = fields.of_contract(Contract("c", (Column("t", "timestamp"), Column("f", "float"))))
    found, _ = checked.check({"t": "2024-01-01T02:00:00+02:00", "f": 0.1})
    assert (found["t"].isoformat(), found["f"]) == ("2024-01-01T00:00:00", 0.10000000149011612)


def test_the_policy_for_unknown_fields_and_nulls_is_the_contracts():
    column = Column("v", "int", required=True, limits={"minimum": 0})
    lax = fields.of_contract(Contract("c", (column,), policy={"extra_column": "allow", "null": "allow", "bad_value": "allow"}))
    assert lax.check({"v": None, "w": 1}) == ({"v": None}, []) and lax.check({"v": -1})[1] == []


@pytest.mark.parametrize("column", [Column("v", "array<int>"), Column("v", "string", limits={"pattern": r"\bx"})])
def test_a_column_that_can_not_be_checked_without_spark_is_refused(column):
    with pytest.raises(UsageError, match="column 'v'") as caught:
        fields.of_contract(Contract("c", (column,)))
    assert caught.value.reason == "not_servable"


def test_callers_are_forgotten_before_there_are_too_many(monkeypatch):
    monkeypatch.setattr(limits, "MOST", 3)
    rate = limits.Rate(1.0, lambda: 0.0)
    waits = [rate.wait(caller) for caller in "abcda"]
    assert waits == [0.0] * 5 and len(rate._buckets) == 3


def test_a_log_that_can_not_keep_up_counts_what_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(predictions.Log, "_run", lambda self: None)
    log = predictions.Log(tmp_path, waiting=2)
    for number in range(5):
        log.put({"n": number})
    assert log.lost == 3


def test_a_disk_that_takes_nothing_is_counted_too(tmp_path):
    log = predictions.Log(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    log.put({"n": 1})
    log.close()
    assert log.lost == 1


def test_the_log_begins_another_file_where_one_is_large(tmp_path):
    log = predictions.Log(tmp_path, largest=40)
    sizes = [log._written(b'{"n": 1}\n' * 3, 0, 3)]
    sizes.append(log._written(b'{"n": 2}\n' * 3, sizes[-1], 3))
    log.close()
    assert sizes == [27, 27] and len(list(tmp_path.iterdir())) == 2
