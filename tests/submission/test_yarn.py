"""What spark-submit tells of an application on YARN, in the words of real logs."""
from __future__ import annotations

import pytest

from sparkkit.submission.yarn import Application

SUBMITTED = """\
26/11/29 02:16:58 INFO Client: Submitting application application_1795918305266_0002 to ResourceManager
26/11/29 02:17:00 INFO Client: Application report for application_1795918305266_0002 (state: ACCEPTED)
26/11/29 02:17:00 INFO Client:
\t diagnostics: AM container is launched, waiting for AM container to Register with RM
\t final status: UNDEFINED
26/11/29 02:17:01 INFO Client: Application report for application_1795918305266_0002 (state: ACCEPTED)
26/11/29 02:17:09 INFO Client: Application report for application_1795918305266_0002 (state: RUNNING)
"""
LOST = """\
26/11/29 02:17:25 ERROR Client: Application diagnostics message: Application application_1795918305266_0002 failed 1 times due to \
ApplicationMaster for attempt appattempt_1795918305266_0002_000001 timed out. Failing the application.
"""
FULL = """\
Failing this attempt.Diagnostics: [2026-11-29 02:54:46.241]Container [pid=27315,containerID=container_1795920796425_0001_01_000001] is \
running 110166016B beyond the 'PHYSICAL' memory limit. Current usage: 873.1 MB of 768 MB physical memory used; Killing container.
"""
OWN = """\
26/11/29 02:25:33 ERROR Client: Application diagnostics message: User application exited with status 3
Exception in thread "main" org.apache.spark.SparkException: Application application_1795918305266_0002 finished with failed status
"""


def heard(log: str) -> tuple[Application, list[str]]:
    found = Application()
    return found, [said for line in log.splitlines(keepends=True) if (said := found.hear(line))]


def test_a_change_of_state_is_told_once() -> None:
    found, said = heard(SUBMITTED)
    assert found.id == "application_1795918305266_0002"
    assert said == [f"{found.id} is accepted", f"{found.id} is running"]


def test_the_code_of_the_job_is_its_own() -> None:
    found, _ = heard(SUBMITTED + OWN)
    assert (found.code, found.trouble(1)) == (3, None)


@pytest.mark.parametrize(
    ("log", "reason", "code"),
    [
        (LOST, "master_lost", 6),
        (FULL, "container_killed", 6),
        ("Exception: Failed to submit application_1_0001 to YARN : Application application_1_0001 submitted by user me to unknown queue: x",
         "wrong_queue", 2),
        ("Exception: Required executor memory (8192 MB), offHeap memory (0) MB is above the max threshold (2048 MB)", "too_large", 2),
        ("diagnostics: Application application_1_0001 was killed by user me at 127.0.0.1", "killed", 6),
        ("java.net.ConnectException: Call From a to b:8032 failed on connection exception: Connection refused", "yarn_unreachable", 6),
        ("diagnostics: something that nobody has seen", "application_failed", 1),
    ],
)
def test_what_no_job_has_said_is_told_by_yarn(log: str, reason: str, code: int) -> None:
    found, _ = heard(SUBMITTED + log)
    trouble = found.trouble(1)
    assert trouble is not None
    assert (trouble.reason, trouble.exit_code) == (reason, code)
    assert found.id in str(trouble)


def test_an_application_that_ended_well_has_no_trouble() -> None:
    assert heard(SUBMITTED)[0].trouble(0) is None
