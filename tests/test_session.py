"""Sessions: what always holds, what is refused, and how our JVM lives and dies."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sparkkit import jvm, session, settings
from sparkkit.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]


def _python(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)


def test_importing_session_imports_no_pyspark() -> None:
    result = _python("import sys; from sparkkit import session; print('pyspark' in sys.modules)")
    assert result.stdout == "False\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.sql.ansi.enabled", "false"),
        ("spark.sql.files.ignoreCorruptFiles", "TRUE"),
        ("spark.sql.files.ignoreMissingFiles", "true"),
        ("spark.hadoop.parquet.page.verify-checksum.enabled", "false"),
        ("spark.sql.parquet.datetimeRebaseModeInRead", "legacy"),
        ("spark.sql.parquet.int96RebaseModeInWrite", "LEGACY"),
        ("spark.sql.variable.substitute", "true"),
        ("spark.sql.timestampType", "TIMESTAMP_NTZ"),
        ("spark.sql.storeAssignmentPolicy", "legacy"),
        ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS"),
        ("spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv", "true"),
        ("spark.sql.parser.escapedStringLiterals", "true"),
    ],
)
def test_settings_that_lose_data_in_silence_are_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=key) as caught:
        settings.settings_for({key: value}, app_name="x")
    assert caught.value.reason == "unsafe_setting"


def test_the_same_is_refused_among_submit_options() -> None:
    with pytest.raises(UsageError, match="spark.sql.ansi.enabled=false"):
        session.launch(app_name="x", submit_args=["--conf", "spark.sql.ansi.enabled=false"])


def test_harmless_settings_pass() -> None:
    harmless = {"spark.sql.ansi.enabled": "true", "spark.sql.parquet.datetimeRebaseModeInRead": "EXCEPTION",
                "spark.sql.legacy.timeParserPolicy": "corrected", "spark.sql.parquet.outputTimestampType": "INT96"}
    settings.refuse({**harmless, "spark.sql.session.timeZone": "Europe/Paris", "spark.x": "y"})


def test_the_caller_s_settings_win_over_those_for_speed() -> None:
    asked = {"spark.ui.enabled": "true", "spark.sql.shuffle.partitions": "7", "spark.sql.session.timeZone": "CET"}
    result = settings.settings_for(asked, app_name="x")
    assert {key: result[key] for key in asked} == asked


def test_an_exception_rebase_mode_is_kept() -> None:
    asked = {"spark.sql.parquet.datetimeRebaseModeInRead": "EXCEPTION"}
    assert settings.settings_for(asked, app_name="x").items() >= asked.items()


@pytest.mark.parametrize(
    ("settings", "words", "variable", "found"),
    [
        ({}, (), "", None),
        ({}, ("--name", "x"), "sc://a", "sc://a"),
        ({"spark.remote": "sc://b"}, (), "sc://a", "sc://b"),
        ({"spark.remote": "sc://b"}, ("--remote", "sc://c", "--name", "x"), "", "sc://c"),
        ({}, ("--remote=sc://d",), "sc://a", "sc://d"),
    ],
)
def test_a_connect_server_is_known_by_an_option_a_setting_or_a_variable(
    settings: dict[str, str], words: tuple[str, ...], variable: str, found: str | None, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", variable)
    assert session.remote(settings, words) == found


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(UsageError, match="'fast'"):
        settings.settings_for(app_name="x", profile="fast")


def test_what_must_hold_holds_in_the_session(spark: Any) -> None:
    expected = {key: value for key, value in settings.CORRECT.items() if not key.startswith("spark.hadoop.")}
    assert {key: spark.conf.get(key) for key in expected} == expected


def test_a_second_start_gives_the_session_that_is_there(spark: Any) -> None:
    again = session.start({"spark.sql.session.timeZone": "UTC"}, app_name="other", profile="test")
    assert again is spark or again.conf.get("spark.app.id") == spark.conf.get("spark.app.id")


JOB = """
from sparkkit import jvm, session
assert session.launch(app_name="x", profile="test")
assert not session.launch(app_name="x", profile="test")
spark = session.start(app_name="x", profile="test")
assert spark.range(3).count() == 3
try:
    spark.sql("select 1 / 0").collect()
except Exception as error:
    assert "DIVIDE_BY_ZERO" in str(error)
session.stop(spark)
assert not jvm.is_connected()
"""


def test_a_broken_archive_is_passed_over_without_a_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARKKIT_CACHE", str(tmp_path))
    plan = jvm.plan({})
    assert plan is not None and plan.archive is not None
    plan.archive.write_bytes(b"no archive" * 1000)
    result = _python(JOB, SPARKKIT_CACHE=str(tmp_path))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_jvm_option_that_can_not_be_leaves_the_archive_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARKKIT_CACHE", str(tmp_path))
    plan = jvm.plan({})
    assert plan is not None and plan.archive is not None
    plan.archive.write_bytes(b"no archive" * 1000)
    code = "from sparkkit import session; session.start({'spark.driver.extraJavaOptions': '-XX:-BytecodeVerificationRemote'}, app_name='x')"
    result = _python(code, SPARKKIT_CACHE=str(tmp_path))
    assert ("the driver's JVM ended with code 1" in result.stderr, plan.archive.exists()) == (True, True)


def test_stopping_does_not_wait_for_the_server_of_accumulators() -> None:
    code = (
        "from sparkkit import session; spark = session.start(app_name='x', profile='test');"
        "server = spark.sparkContext._accumulatorServer; server.shutdown = lambda: __import__('time').sleep(600); session.stop(spark)"
    )
    assert _python(code).returncode == 0


def test_stopping_after_a_udf_prints_nothing() -> None:
    code = (
        "from sparkkit import session; from pyspark.sql import functions as F; spark = session.start(app_name='x', profile='test');"
        "rows = spark.sql(\"select 'a' v\").select(F.udf(str.upper)('v')).collect(); assert rows[0][0] == 'A'; session.stop(spark)"
    )
    result = _python(code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_jvm_dies_with_a_process_that_is_killed() -> None:
    code = (
        "from sparkkit import session; import time; spark = session.start(app_name='x', profile='test');"
        "print(session._booted[0].process.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert _gone(pid, seconds=20)


def _gone(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").is_file() and ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return True  # nobody reaps orphans in some containers
        time.sleep(0.05)
    return False


def test_a_secret_does_not_stand_in_the_jvm_s_arguments() -> None:
    asked = {"spark.x": "y", "spark.hadoop.fs.s3a.secret.key": "hunter2", "spark.z": "jdbc:x://me:hunter2@db"}
    plan = jvm.plan(session._without_secrets(settings.settings_for(asked, app_name="x")))
    assert plan is not None
    words = " ".join(plan.command())
    assert ("spark.x=y" in words, "spark.redaction.regex=" in words, "hunter2" in words) == (True, True, False)
