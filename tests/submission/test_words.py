"""The command line of `submit`: whose option is whose."""
from __future__ import annotations

import pytest

from sparkkit.errors import UsageError
from sparkkit.submission.words import Words, parse


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x --target 5", None),  # no target, so that nobody thinks it was heeded
        ("x -- --target 5", Words("x", ("--target", "5"))),
        ("x --since 3 --print", Words("x", ("--since", "3", "--print"))),
        ("x --target yarn --print --since 3", Words("x", ("--since", "3"), target="yarn", printing=True)),
        ("x --name n", Words("x", ("--name", "n"))),
        ("x --name n --", Words("x", (), ("--name", "n"))),
        ("--deploy-mode=cluster --env e --wait x", Words("x", deploy_mode="cluster", env="e", wait=True)),
        ("--verbose --conf=a=b -c c=d x -- -- --", Words("x", ("--", "--"), ("--verbose", "--conf=a=b", "-c", "c=d"))),
    ],
)
def test_each_word_goes_where_it_belongs(line: str, expected: Words | None) -> None:
    if expected is None:
        with pytest.raises(UsageError, match="the job's own|expected one of"):
            parse(line.split())
    else:
        assert parse(line.split()) == expected


@pytest.mark.parametrize("value", ["a b", "a,b", 'say "hi"', "it's", "Zürich 北京", "", "--x", "$HOME `id` \\", "a=b"])
def test_a_value_of_the_job_arrives_as_it_was_given(value: str) -> None:
    assert parse(["--print", "x", "--note", value]).options == ("--note", value)
    assert parse(["x", "--print", "--", "--note", value]).options == ("--note", value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--targt yarn x", "did you mean --target?"),
        ("--target yrn x", "did you mean 'yarn'?"),
        ("--deploy-mode here x", "expected one of client, cluster"),
        ("--conf", "--conf needs a value"),
        ("--print", "submit needs a JOB"),
        ("x --conf a=b 7 -- --since 3", "'7' stands before --"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(line.split())
