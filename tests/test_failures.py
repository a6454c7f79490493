"""What an exception means: its exit code and one readable sentence."""

from __future__ import annotations

import pytest

from sparkkit import failures
from sparkkit.errors import ContractError, NotReadyError, SparkkitError, strongest


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("org.apache.hadoop.security.AccessControlException: Permission denied: user=x", 2, "access_denied"),
        ("Status Code: 403; Error Code: AccessDenied", 2, "access_denied"),
        ("java.io.IOException: No space left on device", 6, "disk_full"),
        ("[PATH_NOT_FOUND] Path does not exist: file:/x.", 3, "input_missing"),
        ("java.io.FileNotFoundException: File /x does not exist", 3, "input_missing"),
        ("java.io.FileNotFoundException: /d/blockmgr-1/0c/shuffle_0_11_0.data (No such file or directory)", 6, "shuffle_lost"),
        ("java.lang.OutOfMemoryError: Java heap space", 6, "out_of_memory"),
        ("ExecutorLostFailure (executor 1 exited caused by one of the running tasks)", 6, "out_of_memory"),
        ("Python worker exited unexpectedly (crashed)\n\tat a.b(C.java:1)\nCaused by: java.io.EOFException", 6, "python_worker_died"),
        ("An error occurred while trying to connect to the Java server: Connection refused", 6, "jvm_died"),
        ("py4j.protocol.Py4JError: org does not exist in the JVM", 6, "jvm_died"),
        ("py4j.protocol.Py4JError: An error occurred while calling o55.read", 6, "jvm_died"),
        ("py4j.protocol.Py4JError: An error occurred while calling o55.no. Trace:\nMethod no([]) does not exist", 1, "job_failed"),
        ("java.net.UnknownHostException: namenode", 6, "network"),
        ("[CANNOT_READ_FILE_FOOTER] Could not read footer for file: file:/a.parquet.", 4, "unreadable_file"),
        ("<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE", 6, "server_gone"),
        ("[INVALID_HANDLE.SESSION_CHANGED] The handle 1 is invalid.", 6, "server_gone"),
        ("boom\n\nJVM stacktrace:\norg.x.Odd\n\tat org.x.CorruptGateway.corrupt(EOFException.scala:1)\n", 1, "job_failed"),
        ("boom\n\nJVM stacktrace:\norg.x.Odd\n\tat a.b(C.java:1)\nCaused by: java.io.IOException: No space left on device", 6, "disk_full"),
        ("[DATA_SOURCE_NOT_FOUND] Failed to find the data source: delta.", 2, "missing_jar"),
        ("ModuleNotFoundError: No module named 'yaml'", 2, "missing_package"),
        ("something nobody has seen", 1, "job_failed"),
    ],
)
def test_each_kind_has_its_exit_code_and_reason(text: str, code: int, reason: str) -> None:
    found = failures.explain(RuntimeError(text))
    assert (found.exit_code, found.reason) == (code, reason)


S3 = "software.amazon.awssdk.services.s3.model"


@pytest.mark.parametrize(("text", "doing", "code", "said"), [
    (f"java.nio.file.AccessDeniedException: s3a://b/in/x: getFileStatus on s3a://b/in/x: {S3}.S3Exception: Forbidden "
     "(Service: S3, Status Code: 403, Request ID: 1)", "read", 2, "S3 denies access on s3a://b/in/x"),
    (f"java.nio.file.AccessDeniedException: s3a://b/out/x: PUT 0-byte object: {S3}.S3Exception: User: arn:aws:iam::0:user/u is not "
     "authorized to perform: s3:PutObject on resource: x (Service: S3, Status Code: 403)", "write", 2, "S3 denies s3:PutObject on s3a://b/out/x"),
    (f"java.nio.file.AccessDeniedException: s3a://b/x: {S3}.S3Exception: The AWS access key ID you provided does not exist "
     "(Service: S3, Status Code: 403):InvalidAccessKeyId", "read", 2, "S3 does not take the credentials for s3a://b/x"),
    (f"org.apache.hadoop.fs.s3a.AWSBadRequestException: getFileStatus on s3a://b/out/x: {S3}.S3Exception: Bad Request (Service: S3, "
     "Status Code: 400, Request ID: null):null: Bad Request (Service: S3, Status Code: 400, Request ID: null)", "", 2,
     "S3 takes what was asked of s3a://b/out/x for wrong, and does not say why"),
    ("java.nio.file.AccessDeniedException: /: Instantiate org.apache.hadoop.fs.s3a.auth.AssumedRoleCredentialProvider on /: "
     "software.amazon.awssdk.services.sts.model.StsException: User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole "
     "(Service: Sts, Status Code: 403, Request ID: 1)", "", 2,
     "STS does not give the role for S3: User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole"),
    (f"org.apache.hadoop.fs.s3a.UnknownStoreException: `s3a://no/x': {S3}.NoSuchBucketException: The", "read", 3, "there is no bucket for s3a://no/x"),
    (f"org.apache.hadoop.fs.s3a.UnknownStoreException: `s3a://no/x': {S3}.NoSuchBucketException: The", "", 2, "there is no bucket for s3a://no/x"),
    ("s3a://b/x: SdkClientException: Unable to load credentials from any of the providers", "", 2, "there are no credentials for s3a://b/x"),
    ("s3a://b/x: javax.net.ssl.SSLHandshakeException: PKIX path building failed", "", 2,
     "Java does not trust the certificate of the server for s3a://b/x"),
])
def test_what_s3_refuses_is_told_by_its_path(text: str, doing: str, code: int, said: str) -> None:
    found = failures.explain(RuntimeError(text), doing)
    assert (found.exit_code, found.message) == (code, said)


def test_an_error_in_build_is_the_job_s_own_whatever_it_says() -> None:
    found = failures.explain(RuntimeError("Connection refused"), "build")
    assert (found.exit_code, str(found)) == (1, "RuntimeError in build: Connection refused")


def test_an_error_of_ours_is_handed_on_as_it_is() -> None:
    error = NotReadyError("nothing is there")
    assert failures.explain(error, "build") is error


def test_the_cause_of_an_error_is_looked_at_too() -> None:
    error = RuntimeError("could not write")
    error.__cause__ = OSError("No space left on device")
    assert failures.explain(error).reason == "disk_full"


def test_causes_that_go_in_a_circle_end() -> None:
    one, two = RuntimeError("a"), RuntimeError("b")
    one.__cause__, two.__cause__ = two, one
    assert failures.explain(one).exit_code == 1


def test_the_sentence_is_spark_s_own_condition_without_the_stack() -> None:
    text = (
        "An error occurred while calling o1.save.\n: org.apache.spark.SparkException: Job aborted\n\tat x.y(Z:1)\n"
        "Caused by: org.apache.spark.SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012\n"
        "\tat a.b(C.java:2)"
    )
    assert (
        str(failures.explain(RuntimeError(text), "write"))
        == "RuntimeError in write: [DIVIDE_BY_ZERO] Division by zero."
    )


def test_the_sentence_is_java_s_not_py4j_s() -> None:
    text = "An error occurred while calling o230.save.\n: java.lang.OutOfMemoryError: Java heap space\n\tat a.b(C.java:1)"
    assert failures.explain(RuntimeError(text), "write").message == "java.lang.OutOfMemoryError: Java heap space in write"


def test_a_long_message_is_cut() -> None:
    assert len(str(failures.explain(RuntimeError("x" * 5000)))) < 700


def test_a_java_exception_of_a_dead_jvm_does_not_raise() -> None:
    class DeadError(Exception):
        @property
        def java_exception(self) -> object:
            class Java:
                def toString(self) -> str:  # noqa: N802
                    raise ConnectionError

            return Java()

    assert failures.explain(DeadError("gone")).reason == "jvm_died"


def test_an_error_whose_words_went_with_the_jvm_is_that_the_jvm_died() -> None:
    class WordlessError(Exception):
        def __str__(self) -> str:
            raise ConnectionRefusedError(111, "Connection refused")

        getCondition = __str__  # noqa: N815

    assert failures.explain(WordlessError(), "build").exit_code == 1
    found = failures.explain(WordlessError(), "write")
    assert (found.exit_code, found.reason, "the driver's JVM is gone" in str(found)) == (6, "jvm_died", True)


def test_wrong_use_wins_over_all_others_and_the_job_s_own_failure_loses() -> None:
    kinds: list[SparkkitError] = [type("E", (SparkkitError,), {"exit_code": code})("m") for code in (1, 4, 6, 3, 5, 2)]
    order = []
    while kinds:
        order.append(strongest(kinds).exit_code)
        kinds = [k for k in kinds if k.exit_code != order[-1]]
    assert order == [2, 5, 3, 6, 4, 1]


def test_the_hint_stands_behind_the_message() -> None:
    assert str(ContractError("broken", hint="mend it")) == "broken: mend it"


def test_the_sentence_of_a_python_worker_is_its_last_exception_not_its_stack() -> None:
    text = (
        "[PYTHON_EXCEPTION] An exception was thrown from the Python worker\nTraceback (most recent call last):\n"
        '  File "/x/worker.py", line 1, in main\nKeyError: \'inner\'\n\nDuring handling:\n\nValueError: no such year\n'
    )
    assert str(failures.explain(RuntimeError(text), "build")) == "RuntimeError in build: ValueError: no such year"


def test_over_connect_the_sentence_is_not_out_of_the_server_s_stack() -> None:
    text = (
        "\n  An exception was thrown from the Python worker. Please see the stack trace below.\nTraceback (most recent call last):\n"
        '  File "/x.py", line 1, in <lambda>\nIndexError: list index out of range\n\n\n'
        "JVM stacktrace:\norg.apache.spark.api.python.PythonException\n\tat a.b(C.java:2)"
    )
    assert str(failures.explain(RuntimeError(text), "write")) == "RuntimeError in write: IndexError: list index out of range"


def test_a_server_that_does_not_answer_is_told_by_grpc_s_own_words() -> None:
    text = (
        "<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE\n"
        '\tdetails = "failed to connect to all addresses"\n\tdebug_error_string = "UNKNOWN: x"\n>'
    )
    assert str(failures.explain(RuntimeError(text), "start")).startswith("failed to connect to all addresses in start: run again")


def test_a_context_that_is_being_stopped_under_a_query_is_a_jvm_that_dies() -> None:
    found = failures.explain(RuntimeError(
        "An error occurred while calling o259.save.\n: org.apache.spark.SparkException: [INTERNAL_ERROR] Executed command failed.\n"
        "\tat org.apache.spark.SparkException$.internalError(SparkException.scala:119)\n"
        'Caused by: java.lang.NullPointerException: Cannot invoke "org.apache.spark.scheduler.DAGScheduler.cleanupQueryJobs(long)" because '
        'the return value of "org.apache.spark.SparkContext.dagScheduler()" is null\n'), "write")
    assert (found.exit_code, found.reason) == (6, "jvm_died")


def test_an_error_whose_text_only_a_stopped_jvm_could_give_is_told_all_the_same() -> None:
    class CapturedError(Exception):
        _desc = "[CAST_INVALID_INPUT] The value is no int"

        def __str__(self) -> str:
            raise AssertionError("no JVM")

        def getCondition(self) -> str:  # noqa: N802
            raise AssertionError("no JVM")

    found = failures.explain(CapturedError(), "write")
    assert (found.exit_code, found.message) == (1, "CapturedError in write: [CAST_INVALID_INPUT] The value is no int")


def test_a_full_disk_is_named_where_spark_names_the_task_alone() -> None:
    try:
        raise OSError("No space left on device")
    except OSError as error:
        failed = RuntimeError("[TASK_WRITE_FAILED] Task failed while writing rows to file:/x.")
        failed.__cause__ = error
    assert failures.explain(failed, "write").message.startswith("No space left on device: [TASK_WRITE_FAILED]")
