"""The state of an incremental input, as a value: whatever comes, goes and is run again, each row is in one slice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkkit.conf import InputConf, OutputConf
from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.incremental.files import Files
from sparkkit.incremental.spec import Spec
from sparkkit.storage.increments import CUTS, Cut, Known, State, cut, late, owned, pick, read

LABELS = st.sampled_from(["d1", "d2", "d3", None])
STEPS = st.lists(st.one_of(
    st.tuples(st.just("come"), st.integers(1, 6)), st.tuples(st.just("go"), st.integers(1, 6)), st.tuples(st.just("run"), LABELS),
), max_size=30)


@given(STEPS)
def test_each_file_is_in_one_slice_whatever_is_run_again(steps: list[tuple[str, Any]]) -> None:
    state, there, time_of, written, number = None, {}, 0, {}, 0
    for what, which in steps:
        time_of += 1
        if what == "come":
            there.setdefault(f"f{which}", (1, which))
        elif what == "go":
            there.pop(f"f{which}", None)
        else:
            number += 1
            label = which or f"increment {number}"
            found = pick(state, there, label)
            if found.lost or not (found.new or found.own):
                continue
            reads = (*found.new, *found.own)
            written[label] = set(reads)
            state = State("files", (), "r", label, files=read(state, there, reads, label))
    rows = [f for files in written.values() for f in files]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(state.files if state else ())
    assert all(f in written[known.owner] for f, known in (state.files if state else {}).items())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=20))
def test_the_stretches_of_all_slices_are_the_line_without_a_gap(runs: list[tuple[str, int]]) -> None:
    cuts: tuple[Cut, ...] = ()
    top = 0
    for label, more in runs:
        top += more
        if top:
            cuts = cut(cuts, label, str(top))
    told = sorted((int(low or 0), int(high)) for label in "abc" for low, high in owned(cuts, label))
    assert len({one.end for one in cuts}) == len(cuts)
    assert [n for low, high in told for n in range(low + 1, high + 1)] == list(range(1, top + 1))


FILES = st.tuples(st.integers(0), st.integers(0), st.text(max_size=3), st.booleans())


@given(st.dictionaries(st.text(alphabet="ab/=%ü\u2028", min_size=1), FILES))
def test_a_state_is_read_as_it_was_written(files: dict[str, Any]) -> None:
    state = State("files", ("in",), "r1", "d1", files={p: Known(*f) for p, f in files.items()}, cuts=(Cut("d", "1"),), counts={"d": 1})
    assert State.decode(state.encode(), "x") == state


def test_a_state_of_a_later_version_or_a_torn_one_is_refused() -> None:
    good = State("files", (), "r1", "d1", files={"a": Known(1, 1, "d1")}).encode()
    with pytest.raises(UsageError, match="has format 2"):
        State.decode(good.replace(b'"format": 1', b'"format": 2'), "x")
    for torn in (good[:-3], good[:20], b"{}\n"):
        with pytest.raises(InfrastructureError, match="is damaged"):
            State.decode(torn, "x")


def test_a_hundred_thousand_files_are_a_small_state() -> None:
    files = {f"hdfs://host/data/dt=2026-01-{i % 28 + 1:02}/part-{i:05}.parquet": Known(i * 31 % 10**6, i, "d1") for i in range(100_000)}
    began = time.process_time()
    data = State("files", (), "r1", "d1", files=files).encode()
    assert len(State.decode(data, "x").files) == 100_000
    assert (len(data) < 2_000_000, time.process_time() - began < 10) == (True, True)


def test_old_cuts_lose_their_owner_and_never_their_rows() -> None:
    cuts: tuple[Cut, ...] = ()
    for n in range(CUTS + 10):
        cuts = cut(cuts, f"d{n}", str(n))
    assert (len(cuts), cuts[-1].end, owned(cuts, "d5")) == (CUTS, str(CUTS + 9), ())
    assert owned(cuts, "d12") == (("11", "12"),)


def test_rows_that_have_gone_are_not_late() -> None:
    assert late({"d1": 2, "d2": 3}, {"d1": 1, "d2": 5}) == ({"d2": 2}, 1)


def test_a_file_that_comes_back_as_it_was_is_read_again_where_its_partition_was_replaced_without_it() -> None:
    paths = {f"in/day={d}/{n}": (1, 1) for d, n in (("1", "a"), ("1", "b"), ("2", "c"))}
    state = State("files", ("in",), "r1", "d1", files={p: Known(1, 1, "d1", gone=p.endswith("a")) for p in paths})
    outputs = {"output": OutputConf(mode="overwrite_partitions", partition_by=("day",))}
    reader = Files(Spec("data", InputConf(path=("in",)), outputs, "partitions", state))
    reader.listed = paths | {"in/day=1/a": (1, 2)}
    reader._pick()
    assert (reader.fresh, reader.reads) == (True, ("in/day=1/a", "in/day=1/b"))
    assert pick(state, paths, None).back == ("in/day=1/a",)
