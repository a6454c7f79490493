"""What an exception means to the person on call: its exit code, a stable reason and one readable paragraph."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from sparkkit import tls
from sparkkit.errors import ContractError, InfrastructureError, JobError, NotReadyError, SparkkitError, UsageError

KINDS: tuple[tuple[str, type[SparkkitError], str, str], ...] = (
    (r"AccessControlException|Permission denied|AccessDenied|Access Denied|403 Forbidden|NOT_AUTHORIZED", UsageError,
     "access_denied", "give the user the right to it, or choose another path"),
    (r"No FileSystem for scheme|UnsupportedFileSystem|Wrong FS:|URISyntaxException|Can not create a Path from an empty string"
     r"|Illegal file pattern|Illegal character in|no host: hdfs|InvalidPathException", UsageError, "wrong_path", "check the path"),
    (r"DELTA_INVALID_CHARACTERS_IN_COLUMN_NAME|INVALID_COLUMN_NAME_AS_PATH", UsageError, "wrong_column_name",
     "rename the column in the job, or choose another format"),
    (r"Read-only file system|File name too long", UsageError, "not_writable", "choose another path"),
    (r"No space left on device|Disk quota exceeded|DSQuotaExceeded", InfrastructureError, "disk_full",
     "free space, of the output's disk or of spark.local.dir, and run again: what was decided is then finished, and nothing else is there"),
    (r"FetchFailed|shuffle_\d+_\d+_\d+\.(?:data|index)", InfrastructureError, "shuffle_lost",  # not a missing input
     "run again; `sparkkit why` with the run's record names the executor"),
    (r"PATH_NOT_FOUND|Path does not exist|FAILED_READ_FILE.FILE_NOT_EXIST|FileNotFoundException", NotReadyError, "input_missing",
     "check the path, or wait until it is delivered"),
    (r"OutOfMemoryError|exceeds spark.driver.maxResultSize|Container killed|exit code 137|ExecutorLostFailure", InfrastructureError,
     "out_of_memory", "give it more memory (--set spark.driver.memory=4g) or smaller partitions"),
    (r"Python worker exited unexpectedly", InfrastructureError, "python_worker_died",  # its EOFException is no damaged file
     "run again; `sparkkit why` with the run's record has more: most often the system took its memory back"),
    (r"StatusCode.UNAVAILABLE|INVALID_HANDLE|SESSION_(NOT_FOUND|CLOSED|CHANGED)", InfrastructureError, "server_gone",
     "run again when the Spark Connect server is back"),
    (r"JAVA_GATEWAY_EXITED|JAVA_HOME is not set", UsageError, "no_java",
     "Spark needs Java 17 or later: `sparkkit doctor` says which is found"),
    (r"PSQLException|SQLiteException", InfrastructureError, "database", "run again when the database is back"),
    (r"Py4JNetworkError|Connection refused|Connection reset|Answer from Java side is empty|gateway|SparkContext was shut down"
     r"|has been stopped|the return value of .org\.apache\.spark\.SparkContext\.\w+\(\). is null"  # it is being stopped
     r"|Py4JError: (\w+ does not exist in the JVM|An error occurred while calling \S+(?= \||$))",  # an error of a live one has more words
     InfrastructureError, "jvm_died", "run again; if it dies again, give it more memory"),
    (r"UnknownHostException|SocketTimeoutException|ConnectException|NoRouteToHost|SafeModeException|StandbyException",
     InfrastructureError, "network", "run again when the service is back"),
    (r"could not open checksum|incorrect page data|could not verify CRC|CRC checksum|is not a Parquet file|CANNOT_READ_FILE_FOOTER"
     r"|FAILED_READ_FILE|Malformed ORC|EOFException|ZipException|invalid stored block|SnappyError|corrupt", ContractError,
     "unreadable_file", "a file is damaged: write it again, or take it out of the input"),
    (r"ModuleNotFoundError: No module named", UsageError, "missing_package",
     "install it: `sparkkit doctor` says which extra brings it"),
    (r"NoClassDefFoundError|ClassNotFoundException|DATA_SOURCE_NOT_FOUND|Failed to find data source", UsageError, "missing_jar",
     "run scripts/setup.sh, or name the jar by spark.jars"),
)

FRAME = re.compile(r"^\s+at .*\n?", re.MULTILINE)
"""A line of a Java stack: its classes say nothing about what went wrong."""


def explain(error: BaseException, doing: str = "") -> SparkkitError:
    """The error as one of ours; ours are handed on as they are. `doing` says which step it happened in.

    >>> explain(OSError("No space left on device")).exit_code
    6
    >>> explain(ZeroDivisionError("division by zero"), "build").exit_code
    1
    """
    if isinstance(error, SparkkitError):
        return error
    text = " | ".join(_texts(error))
    where = f" in {doing}" if doing else ""
    refused = _of_s3(text, doing) if doing != "build" else None
    if refused:
        return refused
    for pattern, kind, reason, hint in KINDS:
        found = re.search(pattern, text) if doing != "build" else None
        if found:
            cause = f"{found[0]}: " if reason == "disk_full" and found[0] not in _first(error) else ""  # Spark names the task alone
            return kind(f"{cause}{_first(error)}{where}", reason=reason, hint=hint)
    return JobError(f"{_name(error)}{where}: {_first(error)}", reason="job_failed")


def _of_s3(text: str, doing: str) -> SparkkitError | None:
    """What S3 refused, by the path that S3A names; nothing where it is no refusal."""
    named = re.search(r"s3[an]?://[^\s'`\"<>|,]+", text)
    path = named[0].rstrip(":.;)") if named else "S3"
    if re.search(r"Unable to load credentials|NoAwsCredentials|NoAuthWithAWS", text):
        return UsageError(f"there are no credentials for {path}", reason="no_credentials",
                          hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them")
    if named and re.search(r"SSLHandshakeException|CertPathBuilderException|PKIX path", text):
        return UsageError(f"Java does not trust the certificate of the server for {path}", reason="untrusted_certificate",
                          hint=tls.HINT)
    role = re.search(r"StsException: (.*?) \(Service: Sts, Status Code: 4(?!29)", text)
    if role:
        return UsageError(f"STS does not give the role for {path}: {role[1]}", reason="role_refused",
                          hint="check the role's ARN, who may assume it, and the credentials to ask with")
    if re.search(r"NoSuchBucket|UnknownStoreException", text):
        kind = NotReadyError if doing == "read" else UsageError
        return kind(f"there is no bucket for {path}", reason="no_bucket", hint="check its name, and the region or endpoint")
    if re.search(r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|InvalidClientTokenId", text):
        return UsageError(f"S3 does not take the credentials for {path}", reason="wrong_credentials",
                          hint="check AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a session token may be over")
    if re.search(r"S3Exception: (?:null|Bad Request) \(Service: S3, Status Code: 400", text):  # the answer to a HEAD has no words
        return UsageError(f"S3 takes what was asked of {path} for wrong, and does not say why", reason="bad_request",
                          hint="most often a session token is over, or the region is another: check the credentials and AWS_REGION")
    if re.search(r"S3Exception.*(AccessDenied|Access Denied|Forbidden|not authorized)|Status Code: 403", text):
        right = re.search(r"not authorized to perform: (s3:\w+)", text)
        return UsageError(f"S3 denies {right[1] if right else 'access'} on {path}", reason="access_denied",
                          hint="check the key, whether its session is over, and its right to this prefix: `sparkkit iam-policy JOB` prints "
                               "what a job needs")
    return None


def _texts(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__name__}: {FRAME.sub('', _words(error))}"[:20_000]
        java = getattr(error, "java_exception", None)
        if java is not None:
            yield _java(java)
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> str:
    """An error's own text; py4j asks the JVM for it, which may be gone by then."""
    try:
        return str(error)
    except Exception:
        return str(getattr(error, "_desc", None) or "Py4JNetworkError: the driver's JVM is gone, and its error with it")


def _java(java: object) -> str:
    try:
        return str(java.toString())[:20_000]  # type: ignore[attr-defined]
    except Exception as error:
        return f"Py4JNetworkError: the JVM does not answer ({type(error).__name__})"


def _name(error: BaseException) -> str:
    condition = getattr(error, "getCondition", getattr(error, "getErrorClass", None))
    found = None
    with suppress(Exception):  # asks the JVM, too
        found = condition() if callable(condition) else None
    return f"{type(error).__name__} {found}" if found else type(error).__name__


def _first(error: BaseException) -> str:
    """The sentence that matters: Spark's own condition where there is one, else the first line."""
    text = _words(error).partition("JVM stacktrace:")[0].strip()  # Spark Connect's
    raised = re.findall(r"^\s*((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b:? ?[^\n]*)", text.partition("Traceback (most")[2], re.M)
    if raised:
        return re.sub(r" SQLSTATE: \w+.*$", "", raised[-1])[:600]
    conditions = re.findall(r"(\[[A-Z_.]{4,}\][^\n]*)", text)
    causes = re.findall(r"Caused by: ([^\n]+)", text) or re.findall(r'RPC that terminated with:\s+status = .*\s+details = "([^"\n]+)', text)
    plain = re.sub(r"^An error occurred while calling \S+\n: ", "", text)  # py4j's own first line says nothing
    line = (conditions or causes or plain.splitlines() or [type(error).__name__])[-1 if conditions or causes else 0]
    return re.sub(r" SQLSTATE: \w+.*$", "", line)[:600]
