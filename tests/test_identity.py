"""What a run is: which attempts are the same, and what a re-run replaces."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sparkkit.conf import Conf, InputConf, OutputConf
from sparkkit.identity import identity
from sparkkit.job import Job
from sparkkit.options import Secret
from sparkkit.publishing import Identity


def build(data: Any, *, since: int = 0, key: Secret) -> Any: ...


JOB = Job(build, name="job")
CONF = Conf({"data": InputConf(("in",))}, {"output": OutputConf("out", mode="append")}, {}, {}, {}, {})


def of(
    run_id: str = "r1", state: str | None = "s1", conf: Conf = CONF, date: str | None = None, code: str = "c1", **given: Any,
) -> Identity:
    """The identity of an attempt."""
    source: Any = SimpleNamespace(fingerprint=state, frame=SimpleNamespace(columns=given.pop("columns", ["a"])))
    contracts, session = given.pop("contracts", {}), given.pop("session", {})
    return identity(JOB, conf, given, date, {"data": source}, code=code, contracts=contracts, run_id=run_id, session=session)


def conf(**output: Any) -> Conf:
    return replace(CONF, outputs={"output": replace(CONF.outputs["output"], **output)})


def test_a_retry_is_the_same_whatever_its_run_id() -> None:
    assert of("r1") == of("r2")


@pytest.mark.parametrize("other", [
    {"state": "s2"}, {"since": 2}, {"date": "2026-01-01"}, {"code": "c2"}, {"contracts": {"a": 2}}, {"conf": conf(format="csv")},
    {"conf": replace(CONF, spark={"spark.sql.session.timeZone": "UTC"})},
    {"conf": replace(CONF, inputs={"data": InputConf(("in",), filter="a > 1")})}, {"key": "k2"}, {"columns": ["a", "dt"]},
    {"session": {"spark.sql.session.timeZone": "Asia/Tokyo"}},
], ids=str)
def test_another_input_parameter_date_code_contract_or_setting_is_another_run(other: Any) -> None:
    assert of(**other).logical_id != of().logical_id


def test_another_secret_is_another_run_of_the_same_slice_and_stands_nowhere() -> None:
    one, other = of(key="k1"), of(key="k2")
    assert (one.slices, one.logical_id == other.logical_id) == (other.slices, False)


def test_settings_that_change_no_row_are_the_same_run() -> None:
    assert of(conf=replace(CONF, spark={"spark.executor.memory": "2g"}, run={"records": "x"})) == of()


def test_an_input_whose_state_nobody_can_tell_makes_every_run_another() -> None:
    assert of("r1", state=None).logical_id != of("r2", state=None).logical_id


def test_a_re_run_of_a_date_replaces_what_that_date_wrote() -> None:
    slices = {of(date="2026-01-01", state=state, code=code).slices["output"] for state in ("s1", "s2") for code in ("c1", "c2")}
    assert slices == {"job/output@2026-01-01"}


def test_without_a_date_new_data_are_added_and_new_code_replaces() -> None:
    assert of(code="c2").slices == of().slices != of(state="s2").slices


@pytest.mark.parametrize("mode", ["overwrite", "error"])
def test_what_overwrites_replaces_all_that_there_is(mode: str) -> None:
    assert of(conf=conf(mode=mode), date="2026-01-01").slices == {"output": "*"}


def test_rejected_rows_are_replaced_with_the_rows_they_belong_to() -> None:
    assert (of(date="2026-01-01").shelf, of(conf=conf(mode="overwrite")).shelf) == ("job@2026-01-01", "job@")
    assert of().shelf == of(code="c2").shelf != of(state="s2").shelf
