"""A secret in conf is refused by file and key; a reference to one is followed late, and its value is never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sparkkit import conf as confs
from sparkkit import redaction
from sparkkit.conf import Conf
from sparkkit.errors import UsageError
from sparkkit.project import Project


def load(home: Path, text: str, **more: Any) -> Conf:
    (home / "conf").mkdir(exist_ok=True)
    (home / "conf" / "j.toml").write_text(text)
    return confs.load(Project(home), "j", inputs=("a",), outputs=("o",), params=("api_key", "note"), **more)


def refused(home: Path, text: str, **more: Any) -> UsageError:
    with pytest.raises(UsageError) as found:
        load(home, text, **more)
    return found.value


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[spark]\n'spark.hadoop.fs.s3a.secret.key' = 'hunter2'", "spark.hadoop.fs.s3a.secret.key"),
        ("[spark.hadoop.fs.azure.account.key]\nacme = 'hunter2'", "spark.hadoop.fs.azure.account.key.acme"),
        ("[inputs.a.options]\npassword = 'hunter2'", "inputs.a.options.password"),
        ("[outputs.o.options]\nsas = 'hunter2'", "outputs.o.options.sas"),
        ("[params]\napi_key = 'hunter2'", "params.api_key"),
        ("[params]\nnote = 'Uid=me;Pwd=hunter2='", "params.note"),
        ("[inputs.a]\npath = 's3a://me:hunter2@bucket/x'", "inputs.a.path"),
        ("[inputs.a.options]\nurl = 'jdbc:postgresql://me:hunter2@db'", "inputs.a.options.url"),
        ("[inputs.a.options]\npassword = 'hunter2${env:HOME}'", "inputs.a.options.password"),
        ("[inputs.a.options]\npassword = '1123456'", "inputs.a.options.password"),
        ("[outputs.o.options]\npwd = 1123456", "outputs.o.options.pwd"),
    ],
)
def test_a_secret_in_plain_text_is_refused_by_file_and_key_and_not_by_value(tmp_path: Path, text: str, key: str) -> None:
    error = refused(tmp_path, text)
    assert (error.exit_code, error.reason) == (2, "secret_in_conf")
    assert str(error).startswith(f"conf/j.toml: {key} holds a") and "hunter2" not in str(error)


def test_the_same_is_refused_in_a_job_and_on_the_command_line(tmp_path: Path) -> None:
    key = "spark.hadoop.fs.s3a.secret.key"
    where = [str(refused(tmp_path, "", **{layer: {key: "x"}}))[:12] for layer in ("base", "over")]
    assert where == ["job j: spark", "command line"]


def test_a_parameter_that_is_a_secret_by_its_type_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "[params]\nnote = 'hunter2'", secret=["note"]).reason == "secret_in_conf"


@pytest.mark.parametrize(
    "text",
    [
        "[spark]\n'spark.hadoop.fs.s3a.aws.credentials.provider' = 'org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider'",
        "[spark]\n'spark.authenticate' = true\n'spark.ssl.keyPassword' = ''",
        "[spark]\n'spark.redaction.regex' = '(?i)password=x'",
        "[inputs.a.options]\ndelimiter = ';'",
        "[inputs.a.options]\nmax_tokens = 1000\ntoken_count = '12'",
        "[inputs.a]\nfilter = \"token = 'x'\"",
        "[params]\nnote = 'password=${env:DB_PW} user=me'",
        "[inputs.a.options]\npassword = '${env:DB_PW}'\nurl = 'jdbc:postgresql://me:${env:DB_PW}@db'",
    ],
)
def test_what_is_no_secret_is_let_be(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)


def test_references_are_followed_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PW", "hunter2!")
    file = tmp_path / "token"
    file.write_text("to ken\n")
    file.chmod(0o600)
    text = f"[inputs.a.options]\npassword = '${{env:DB_PW}}'\nheader = 'Bearer ${{file:{file}}}'"
    late, now = load(tmp_path, text).inputs["a"].options, load(tmp_path, text, follow=True).inputs["a"].options
    assert (late["password"], now) == ("${env:DB_PW}", {"password": "hunter2!", "header": "Bearer to ken"})
    assert redaction.redact("x hunter2! to ken") == "x *** ***"


def test_a_reference_on_the_command_line_is_not_followed(tmp_path: Path) -> None:
    error = refused(tmp_path, "", over={"inputs.a.path": "x/${env:HOME}"}, follow=True)
    assert (error.reason, "HOME" in str(error)) == ("reference_refused", False)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o666, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused_with_the_command_to_type(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text("hunter2")
    file.chmod(mode)
    error = refused(tmp_path, f"[params]\napi_key = '${{file:{file}}}'", follow=True)
    assert (error.exit_code, error.reason, error.hint) == (2, "secret_exposed", f"type: chmod 600 {file}")
    assert "hunter2" not in str(error)


def test_a_reference_that_leads_nowhere_is_refused_by_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "empty").touch(0o600)
    for name, words in {
        "env:NO_SUCH_1": "the variable NO_SUCH_1 of the environment, which is not set",
        f"file:{tmp_path}/none": "which can't be read (No such file",
        f"file:{tmp_path}/pipe": "which is no plain file",
        f"file:{tmp_path}/empty": "which is empty",
        f"file:{tmp_path}": "(Is a directory)",
        "file:token": "which is no whole path",
    }.items():
        error = refused(tmp_path, f"[params]\napi_key = '${{{name}}}'", follow=True)
        assert (error.exit_code, words in str(error), "conf/j.toml: params.api_key" in str(error)) == (2, True, True), str(error)
