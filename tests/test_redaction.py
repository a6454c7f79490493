"""Secrets are known by their names, their forms and their values, and no text of ours shows them."""

from __future__ import annotations

import random
import re
import string
import time
from collections.abc import Iterator

import pytest

from sparkkit import redaction
from sparkkit.errors import UsageError
from sparkkit.redaction import clean, form_of, is_secret_name, printable, redact


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = set(redaction._known)
    yield
    redaction._known.clear()
    redaction._known.update(before)


SECRET_NAMES = (
    "password db_password DbPassword PWD passwd passphrase secret client_secret client.secret token access_token session.token credential"
    " credentials api_key apikey apiKey api-key access_key accessKey account_key private_key encryption_key sas sas_token x.sas.y sig pat"
    " spark.hadoop.fs.s3a.secret.key spark.hadoop.fs.s3a.access.key fs.azure.account.key.acme.dfs.core.windows.net"
    " fs.azure.sas.box.acme.blob fs.azure.account.oauth2.client.secret.acme spark.ssl.keyPassword javax.jdo.option.ConnectionPassword"
    " spark.authenticate.secret connection_string aes_key AWS_SECRET_ACCESS_KEY"
    " pw db_pw dbpass db.pass passcode creds aws_creds master_key hmac_key ssh_key saskey sasKey dsn sentry_dsn otp cookie session_cookies"
).split()
HARMLESS_NAMES = (
    "key keys sort_key primary_key partition_by path delimiter quote sassy passenger passes signal pattern spark.redaction.regex"
    " spark.hadoop.fs.s3a.aws.credentials.provider spark.ssl.keyStore spark.authenticate.secret.file password_file"
    " spark.security.credentials.hive.enabled spark.hadoop.hadoop.security.credential.provider.path token_url token_columns"
    " spark.kubernetes.driver.secretKeyRef.PW spark.io.encryption.keySizeBits spark.sql.shuffle.partitions"
    " power cookie_path otp_length kansas_key master sshd incredible bypass hotpot dsn_url upward"
).split()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_harmless_name_is_no_secret_s(name: str) -> None:
    assert not is_secret_name(name)


FORMS = {
    "an AWS key's id": "AKIAIOSFODNN7EXAMPLE",
    "a token of GitHub": "ghp_" + "a1B2" * 9,
    "a token of GitLab": "glpat-" + "x1_y" * 5,
    "a token of Slack": "xoxb-123456789012-abc",
    "a key of Google": "AIza" + "a1_-b" * 7,
    "a token of Databricks": "dapi" + "0f" * 16,
    "a key of Stripe or OpenAI": "sk-" + "abCD12" * 4,
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-na_ture",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "a signed address": "https://acme.blob.core.windows.net/x?sv=2020&sig=ab%2Fcd%3D",
    "a user's password in an address": "jdbc:postgresql://me:hunter2@db/x",
    "a user's password for Oracle": "jdbc:oracle:thin:scott/tiger@db:1521/x",
    "credentials of HTTP": "Bearer abcdefgh12345",
    "a password among other settings": "Server=db;Uid=me;Pwd=hunter2;",
}


@pytest.mark.parametrize(("what", "text"), FORMS.items())
def test_a_secret_is_known_by_its_form(what: str, text: str) -> None:
    assert (form_of(text), form_of(redact(text))) == (what, None)


@pytest.mark.parametrize(("text", "safe"), [
    ("s3a://AKIA:abc/def@bucket/x", "s3a://***@bucket/x"),
    ("jdbc:postgresql://me:hun/ter2@db/x", "jdbc:postgresql://***@db/x"),
    ("at //me:p@ss9word@db", "at //***@db"),
    ("s3a://me:p@ss9word@db/a@b", "s3a://***@db/a@b"),
    ("jdbc:oracle:thin:scott/ti@ger@db:1521/x", "jdbc:oracle:thin:***@db:1521/x"),
    ("s3a://me:12345@bucket/a@b", "s3a://***@bucket/a@b"),
])
def test_a_password_in_an_address_may_hold_any_sign(text: str, safe: str) -> None:
    assert (form_of(text) is not None, redact(text)) == (True, safe)


@pytest.mark.parametrize(
    "text",
    [
        "s3a://bucket/a@b", "hdfs://nn:8020/a@b", "http://host:80/x?to=me@y", "/data//x/a@b", "option --password is required",
        "--name hunter2", "--password-file /run/x",
        "data/names/csv", "s3a://bucket/key=1/x", "hdfs://nn:8020/a", "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider", "sk-1",
        "compass=north", "year >= 2010 and region = 'AKIA'", "the passes: 3", "jdbc:postgresql://db/x",
        "mail me@example.org", "Basic English",
    ],
)  # fmt: skip
def test_an_ordinary_value_is_no_secret_and_stays_as_it_is(text: str) -> None:
    assert (form_of(text), redact(text)) == (None, text)


@pytest.mark.parametrize(
    ("said", "safe"),
    [
        ("password=abc, then", "password=***, then"),
        ('{"password": "a b", "n": 1}', '{"password": ***, "n": 1}'),
        ("Pwd='x;y';Uid=me", "Pwd=***;Uid=me"),
        ("--api-key=abc", "--api-key=***"),
        ("SharedAccessKey=ab+c==;x", "SharedAccessKey=***;x"),
        ("CREDENTIAL => 'abc')", "CREDENTIAL => ***)"),
        ("s3a://me@bucket/x", "s3a://***@bucket/x"),
        ("Authorization: Basic abcdefgh", "Authorization: ***"),
        ("job --password hunter2 --n 3", "job --password *** --n 3"),
        ("job --db-pw 'a b' x", "job --db-pw *** x"),
        ("password=***", "password=***"),
    ],
)
def test_what_is_assigned_to_a_secret_s_name_is_hidden(said: str, safe: str) -> None:
    assert redact(said) == safe


def test_a_known_value_is_hidden_wherever_and_however_it_stands() -> None:
    redaction.remember("p@ss w/rd\n2")
    assert redact("x p@ss w/rd\n2 y p%40ss%20w%2Frd%0A2 'p@ss w/rd\\n2'") == "x *** y *** '***'"


def test_a_value_of_three_signs_is_not_searched_for() -> None:
    redaction.remember("abc")
    assert redact("abcdef") == "abcdef"


def test_what_a_variable_with_a_secret_s_name_holds_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "correct-horse")
    assert redact("login failed for correct-horse") == "login failed for ***"


def test_a_record_is_cleaned_by_keys_and_texts() -> None:
    given = {"params": {"api_key": "x", "max_tokens": 5, "note": "pwd=y"}, "paths": ["s3a://u:p@b"], "n": None, "ok": True}
    expected = {"params": {"api_key": "***", "max_tokens": 5, "note": "pwd=***"}, "paths": ["s3a://***@b"], "n": None, "ok": True}
    assert clean(given) == expected


def test_a_number_is_hidden_by_its_name_but_a_count_by_a_rule_s_name_is_not() -> None:
    given = {"params": {"pin": 1234, "db_pass": 7.5, "max_tokens": 5}, "inputs": {"x": {"quarantined_by": {"pin": 3}, "passed": 9}}}
    expected = {"params": {"pin": "***", "db_pass": "***", "max_tokens": 5}, "inputs": given["inputs"]}
    assert clean(given) == expected


def test_a_message_can_neither_steer_a_terminal_nor_fill_a_log() -> None:
    shown = printable("a\x1b[31m\u202eb\u200bc\x00d\r" + "x" * 1_000_000)
    assert (shown.startswith(r"a\x1b[31m\u202eb\u200bc\x00d\rxx"), len(shown) < 4100, "signs left out" in shown) == (True, True, True)


def test_a_stack_shows_its_frames_without_the_texts_in_its_code() -> None:
    try:
        raise ValueError("no such table\n\n== SQL ==\nselect 'hunter2'")
    except ValueError as error:
        shown = redaction.stack(error)
    assert ("hunter2" in shown, "test_redaction.py" in shown, "raise ValueError(" in shown) == (False, True, True)


def test_the_forms_are_patterns_of_java_too() -> None:
    text = "".join(redaction.for_spark().values())
    assert not re.search(r"\(\?P[<=]|\\Z|\(\?a", text)
    assert "${" not in text


def test_redacting_takes_a_time_that_grows_no_faster_than_the_text() -> None:
    rng = random.Random(1)
    signs = string.ascii_letters + string.digits + "._-=:/@ '\""
    words = ("a", "a.", "=", "'", "password", "://", "pass word ", "sig=", "eyJaaaaaaaa.", "Bearer ", "://a:b/", "//a:@", "--password ")
    began = time.process_time()
    for text in (*[w * (200_000 // len(w)) for w in words], "".join(rng.choices(signs, k=200_000))):
        redact(text)
    assert time.process_time() - began < 10


def test_an_error_s_text_is_not_changed_where_it_holds_no_secret() -> None:
    text = str(UsageError("conf/a.toml: unknown key 'inputs.x.formt'", hint="did you mean 'inputs.x.format'?"))
    assert printable(text) == text
