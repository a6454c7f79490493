"""Options out of keyword-only parameters."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

import pytest

from sparkkit.errors import UsageError
from sparkkit.options import Option, Secret, options_of, parameter_help


def parsed(function: Callable[..., Any], argv: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    group = parser.add_argument_group()
    for option in options_of(function):
        option.add_to(group)
    return vars(parser.parse_args(argv))


def build(
    data: object,
    *,
    since: int,
    from_: str = "x",
    rate: Decimal = Decimal(1),
    day: dt.date | None = None,
    at: dt.datetime | None = None,
    keep: bool = True,
    share: float = 0.5,
    years: list[int] | None = None,
    words: Sequence[str] = (),
    how: Literal["all", "any"] = "all",
) -> None:
    """Builds.

    Args:
        since: the first year,
            inclusive, 100% of it.
        how (Literal): all or any.
    """


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--since", "2010"], "since", 2010),
        (["--since=-3"], "since", -3),
        (["--from", "csv"], "from_", "csv"),
        (["--rate", "1.10"], "rate", Decimal("1.10")),
        (["--day", "2024-02-29"], "day", dt.date(2024, 2, 29)),
        (["--at", "2024-02-29T12:00:00"], "at", dt.datetime(2024, 2, 29, 12)),
        (["--no-keep"], "keep", False),
        (["--keep"], "keep", True),
        (["--share", "0.25"], "share", 0.25),
        (["--years", "1", "--years", "2"], "years", [1, 2]),
        (["--words", "a"], "words", ["a"]),
        (["--how", "any"], "how", "any"),
    ],
)
def test_a_text_becomes_the_value_of_its_type(argv: list[str], name: str, value: object) -> None:
    result = parsed(build, [*argv, "--since=1"] if name != "since" else argv)
    assert result[name] == value
    assert type(result[name]) is type(value)


def test_flags_have_dashes_and_no_trailing_one() -> None:
    def build(*, from_: str = "", two_words: int = 1) -> None: ...

    assert [option.flag for option in options_of(build)] == ["--from", "--two-words"]


def test_an_option_that_is_not_given_is_absent_so_that_conf_may_set_it() -> None:
    assert parsed(build, ["--since=1"]) == {"since": 1}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--since", "ten"], "'ten' is not an int"),
        (["--day", "2023-02-29", "--since=1"], "'2023-02-29' is not a date"),
        (["--rate", "a", "--since=1"], "'a' is not a decimal"),
        (["--how", "some", "--since=1"], "'some' is not one of all, any"),
        ([], "required: --since"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(argv: list[str], message: str) -> None:
    with pytest.raises((argparse.ArgumentError, SystemExit)) as found:
        parsed(build, argv)
    if isinstance(found.value, argparse.ArgumentError):
        assert message in str(found.value)


def test_help_is_the_docstring_s_text_with_the_default() -> None:
    options = {o.parameter: o for o in options_of(build)}
    texts = [options[n]._help() for n in ("since", "how", "share")]
    assert texts == ["the first year, inclusive, 100%% of it.", "all or any. (default all)", " (default 0.5)"]


def test_help_of_a_docstring_without_arguments_is_empty() -> None:
    assert parameter_help("Builds.\n\nReturns:\n    x: y\n") == {}


def test_a_type_that_no_text_can_be_read_as_is_refused_by_name() -> None:
    def bad(*, table: dict[str, int]) -> None: ...

    with pytest.raises(UsageError, match="'table' has type dict"):
        options_of(bad)


def test_a_union_of_two_types_is_refused() -> None:
    def bad(*, x: int | str) -> None: ...

    with pytest.raises(UsageError, match="'x' has type int"):
        options_of(bad)


def test_a_literal_of_numbers_is_refused_for_a_text_never_equals_one() -> None:
    def bad(*, x: Literal[1, 2] = 1) -> None: ...

    with pytest.raises(UsageError, match="'x' has type typing.Literal"):
        options_of(bad)


def test_a_type_that_is_not_imported_is_refused() -> None:
    def bad(*, x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(UsageError, match="type is not known"):
        options_of(bad)


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        ("since", 2010, 2010),
        ("since", "2010", 2010),
        ("keep", False, False),
        ("years", [1, 2], [1, 2]),
        ("years", 3, [3]),
        ("day", dt.date(2024, 1, 2), dt.date(2024, 1, 2)),
    ],
)
def test_a_value_of_a_conf_file_is_parsed_like_the_command_line_s(parameter: str, given: object, value: object) -> None:
    option = {o.parameter: o for o in options_of(build)}[parameter]
    assert option.value(given, "conf/x.toml") == value


@pytest.mark.parametrize(
    ("parameter", "given"), [("since", "x"), ("keep", "false"), ("keep", 1), ("how", "some"), ("years", ["x"])]
)
def test_a_wrong_value_of_a_conf_file_is_refused_with_the_place(parameter: str, given: object) -> None:
    option: Option = {o.parameter: o for o in options_of(build)}[parameter]
    with pytest.raises(UsageError, match=r"conf/x\.toml: .* is not an? "):
        option.value(given, "conf/x.toml")


LEAKED = Secret("hunter2")


def test_a_secret_is_one_by_its_type_or_its_name_and_its_default_is_not_shown() -> None:
    def build(rows: object, *, api: Secret = LEAKED, db_password: str = "hunter2", max_tokens: int = 5, name: str = "x") -> None: ...

    options = options_of(build)
    shown = [o._help() for o in options]
    assert ([o.parameter for o in options if o.secret], shown) == (["api", "db_password"], ["", "", " (default 5)", " (default x)"])


def test_a_wrong_secret_of_a_conf_file_is_refused_without_its_value() -> None:
    option = Option("pin", "--pin", int, "secret", required=True)
    with pytest.raises(UsageError) as found:
        option.value("hunter2", "conf/j.toml: params.pin")
    assert "hunter2" not in str(found.value)
