"""Words to causes: what Spark, YARN and Python say where something goes wrong, and which of several causes stands behind."""

from __future__ import annotations

from typing import Any

import pytest

from sparkkit.why import answer
from sparkkit.why.causes import TELLING, TOLD
from sparkkit.why.facts import Facts, Said, Stage

TRACE = 'Traceback (most recent call last):\n  File "/p/jobs/x.py", line 7, in year\n    raise ValueError(row)\n'
YARN = "Container killed by YARN for exceeding physical memory limits. 1.5 GB of 1.5 GB physical memory used."


def causes(*texts: str, **record: Any) -> list[str]:
    facts = Facts(record={"exit_code": 1, "status": "failed", **record})
    for text in texts:
        facts.say(Said("log:1", text))
    return [one.cause for one in answer.findings(facts)]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (YARN, "container_killed"),
        ("ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: " + YARN, "container_killed"),
        ("Container from a bad node. Exit status: 143. Diagnostics: Container killed on request. Exit code is 143", "process_killed"),
        ("Container killed on request. Exit code is 143 ... running beyond physical memory limits", "container_killed"),
        ("Container exited with code 137. Killed by external signal", "process_killed"),
        ("java.lang.OutOfMemoryError: GC overhead limit exceeded", "out_of_memory"),
        ("Command exited with code 52", "out_of_memory"),
        ("Total size of serialized results of 5 tasks (2.1 GiB) is bigger than spark.driver.maxResultSize", "result_too_large"),
        ("Not enough memory to build and broadcast the table to all worker nodes", "broadcast_too_large"),
        (TRACE + "MemoryError", "python_out_of_memory"),
        (TRACE + "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 8. GiB", "python_out_of_memory"),
        (TRACE + "ModuleNotFoundError: No module named 'scipy'", "missing_module"),
        (TRACE + "ValueError: 42", "python_error"),
        (TRACE + "OSError: [Errno 28] No space left on device", "disk_full"),
        ("[PATH_NOT_FOUND] Path does not exist: hdfs://n/t/dt=2026-11-21. SQLSTATE: 42K03", "missing_partition"),
        ("[PATH_NOT_FOUND] Path does not exist: hdfs://n/t. SQLSTATE: 42K03", "missing_file"),
        ("FetchFailed(BlockManagerId(1, h, 7337), shuffleId=0): java.io.FileNotFoundException: /d/blockmgr-1/0c/shuffle_0_3_0.data",
         "fetch_failure"),
        ("org.apache.spark.shuffle.MetadataFetchFailedException: Missing an output location for shuffle 0 partition 0", "fetch_failure"),
        ("ExecutorLostFailure (executor 2 exited) Reason: Executor heartbeat timed out after 130 s", "lost_executor"),
        ("org.apache.spark.SparkException: Task not serializable", "not_serializable"),
        ("[CAST_INVALID_INPUT] The value 'x' of the type \"STRING\" cannot be cast to \"INT\"", "bad_record"),
        ("org.apache.hadoop.security.AccessControlException: Permission denied: user=a, access=WRITE", "access_denied"),
        ("java.lang.ClassNotFoundException: com.mysql.jdbc.Driver", "missing_jar"),
        ("java.net.UnknownHostException: namenode", "network"),
        ("S3 denies s3:PutObject on s3a://b/out (exit 2)", "access_denied"),
        ("java.nio.file.AccessDeniedException: s3a://b/in: S3Exception: null (Service: S3, Status Code: 403)", "access_denied"),
        ("AccessDeniedException: s3a://b/in: S3Exception: (Service: S3, Status Code: 403): InvalidAccessKeyId", "wrong_credentials"),
        ("NoAwsCredentialsException: TemporaryAWSCredentialsProvider: No AWS credentials provided", "wrong_credentials"),
        ("org.apache.hadoop.fs.s3a.UnknownStoreException: `s3a://b/': Bucket does not exist: NoSuchBucket", "no_bucket"),
        ("AWSClientIOException: PKIX path building failed: unable to find valid certification path", "untrusted_certificate"),
        ("AWSServiceThrottledException: PUT on x: Please reduce your request rate (Service: S3, Status Code: 503)", "throttled"),
    ],
)
def test_each_wording_names_its_cause_first(text: str, cause: str) -> None:
    assert causes(text)[0] == cause


def test_every_cause_has_a_name_of_its_own_and_those_behind_it_are_known() -> None:
    names = [one.cause for one in TOLD]
    assert len(set(names)) == len(names)
    assert {behind for one in TOLD for behind in one.behind} <= set(names)
    assert all(one.remedy and TELLING.search("") is None for one in TOLD)


def test_what_stands_behind_comes_before_what_it_brought_about() -> None:
    fetch = "FetchFailed(BlockManagerId(1, h, 1), shuffleId=0): Connection refused"
    assert causes(fetch)[0] == "fetch_failure"
    assert causes(fetch, "ExecutorLostFailure Reason: Command exited with code 137") == ["process_killed", "fetch_failure"]
    assert causes(fetch, "ExecutorLostFailure Reason: Executor heartbeat timed out")[0] == "lost_executor"
    assert causes(fetch, "ExecutorLostFailure Reason: Command exited with code 52")[0] == "out_of_memory"


def test_the_evidence_of_a_python_error_is_its_words_and_the_job_s_own_line() -> None:
    facts = Facts()
    facts.say(Said("task 3", TRACE + '  File "/venv/pyspark/worker.py", line 9, in main\n    x()\nValueError: 42\n'))
    (found,) = answer.findings(facts)
    assert found.evidence == ("/p/jobs/x.py, line 7, in year: raise ValueError(row)", "task 3: ValueError: 42")


def test_where_nothing_is_known_it_says_what_it_looked_at() -> None:
    facts = Facts(looked_at=["log x (3 messages)"], notes=["y is not there"])
    facts.say(Said("job 1 failed", "nobody has seen this before"))
    assert answer.text(facts, answer.findings(facts)).splitlines() == [
        "The cause is not known: no known words, no odd figures.", "looked at: log x (3 messages)", "note: y is not there",
    ]


def test_a_thousand_tasks_that_fail_alike_are_one_piece_of_evidence() -> None:
    facts = Facts()
    for task in range(1000):
        facts.say(Said(f"task {task}", "java.lang.OutOfMemoryError: Java heap space"))
    assert answer.findings(facts)[0].evidence == ("task 0 (1000 times): java.lang.OutOfMemoryError: Java heap space",)


def test_the_last_word_is_heard_after_a_thousand_others() -> None:
    facts = Facts()
    for n in range(1000):
        facts.say(Said(f"log:{n}", f"26/11/22 10:00:00 WARN attempt {n}: java.net.ConnectException"))
    facts.say(Said("log:1000", "26/11/22 10:16:40 ERROR java.lang.OutOfMemoryError: Java heap space"))
    assert any("Java heap space" in " ".join(found.evidence) for found in answer.findings(facts))
    assert (len(facts.said), facts.said[0].place, facts.said[-1].place) == (500, "log:0", "log:1000")
    assert len(facts._known) == 500
    facts.say(Said("again", "26/11/22 10:20:00 WARN attempt 400: java.net.ConnectException"))  # was heard, and given up for later ones
    assert facts.said[-1].place == "again"


def test_the_time_makes_no_other_message() -> None:
    facts = Facts()
    for second in range(10, 60):
        facts.say(Said("log", f"26/11/22 10:00:{second} WARN the same"))
    assert [said.times for said in facts.said] == [50]


def stage(times: list[int], rows: list[int], **fields: Any) -> Stage:
    found = Stage(3, 0, "save", query=1, slowest="task 2 on executor 1", **fields)
    found.milliseconds.extend(times)
    found.rows.extend(rows)
    found.bytes.extend(100 * n for n in rows)
    return found


@pytest.mark.parametrize(
    ("times", "rows", "found"),
    [
        ([100, 110, 9_000, 90], [10, 11, 900, 9], ["skew"]),
        ([100, 110, 9_000, 90], [10, 10, 10, 10], []),  # one slow machine: no more data than the others
        ([10, 11, 900, 9], [10, 11, 900, 9], []),  # nobody waits for a second
        ([100, 9_000], [10, 900], []),
    ],
)
def test_skew_is_a_task_with_far_more_rows_that_takes_far_longer(times: list[int], rows: list[int], found: list[str]) -> None:
    facts = Facts(record={"exit_code": 0, "status": "done", "run_id": "x"})
    facts.stages[3, 0] = stage(times, rows)
    facts.plans[1] = "Exchange hashpartitioning(customer#1, day#22L, 8), REPARTITION_BY_COL"
    named = answer.findings(facts)
    assert [one.cause for one in named] == found
    assert all("customer and day" not in one.remedy and "customer, day" in one.evidence[2] for one in named)


def test_in_a_failed_run_what_is_slow_comes_after_what_failed() -> None:
    facts = Facts(record={"exit_code": 6, "status": "failed"})
    facts.say(Said("record", "java.lang.OutOfMemoryError: Java heap space", fatal=True))
    facts.stages[3, 0] = stage([100, 110, 9_000, 90], [10, 11, 900, 9], to_disk=1 << 30, spilled=1 << 31)
    assert [one.cause for one in answer.findings(facts)] == ["out_of_memory", "skew", "spill"]


def test_a_run_that_began_and_is_gone_was_killed() -> None:
    assert causes(status="killed", exit_code=None, process={"pid": 1, "host": "h"}, started="t") == ["driver_killed"]
