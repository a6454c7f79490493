"""A job is checked when it is defined."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.job import Job


def build(people: Any, regions: Any, *, since: int = 2010) -> Any:
    """Joins."""


def test_inputs_are_the_positional_parameters_and_options_the_keyword_only_ones() -> None:
    job = Job(build)
    assert (job.name, job.inputs, job.outputs, [o.flag for o in job.options]) == (
        "test_job",
        ("people", "regions"),
        ("output",),
        ["--since"],
    )


def test_the_summary_is_the_first_line_of_the_file() -> None:
    assert Job(build).summary == "A job is checked when it is defined."


def test_a_job_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Job(build).name = "other"  # type: ignore[misc]


def _starred(*frames: Any) -> Any: ...
def _show(x: Any, *, show: int = 1) -> Any: ...
def _output_format(x: Any, *, output_format: str = "") -> Any: ...
def _again(x: Any, *, again: bool = False) -> Any: ...
def _twice(x: Any, *, a_b: int = 1, a_b_: int = 2) -> Any: ...
def _negated(x: Any, *, keep: bool = True, no_keep: bool = True) -> Any: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_starred, "inputs have no names"),
        (_show, "'show' clashes with an option of every job"),
        (_output_format, "'output_format' clashes"),
        (_again, "'again' clashes"),
        (_twice, "'a_b_' clashes with parameter 'a_b'"),
        (_negated, "'no_keep' clashes"),
    ],
)
def test_a_signature_that_can_not_be_a_job_s_is_refused(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Job(function)


def test_an_input_and_an_output_have_names_of_their_own() -> None:
    with pytest.raises(UsageError, match=r"\['a'\] are inputs and outputs"):
        Job(lambda a: a, name="j", outputs=("a",))


def test_an_edge_option_may_not_clash_with_one_of_build() -> None:
    def edges(*, since: int = 1) -> dict[str, Any]:
        return {}

    with pytest.raises(UsageError, match="'since' clashes with parameter 'since'"):
        Job(build, edges=edges)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"outputs": ()}, "declares no output"),
        ({"contracts": {"peple": "x"}}, r"\['peple'\], which is neither"),
    ],
)
def test_a_declaration_that_names_nothing_is_refused(over: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Job(build, **over)
