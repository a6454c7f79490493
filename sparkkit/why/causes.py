"""What goes wrong, as data: a pattern of the words that tell it, how strong a sign they are, and what to do.

A strength of 90 and more is told by the system itself; 70 leaves room for another cause behind it; less is a guess.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from sparkkit.why.facts import Facts, Said


@dataclass(frozen=True)
class Finding:
    """One likely cause of a run's trouble, with what speaks for it."""

    cause: str
    strength: int
    what: str
    evidence: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Told:
    """A cause that words tell. `behind` are causes that often bring it about: where one of them is found, it is what counts."""

    cause: str
    strength: int
    what: str
    pattern: re.Pattern[str]
    remedy: str
    behind: tuple[str, ...] = ()
    unless: re.Pattern[str] | None = None

    def heard_in(self, said: Said) -> re.Match[str] | None:
        """Where a text tells it."""
        return None if self.unless and self.unless.search(said.text) else self.pattern.search(said.text)


def _told(cause: str, strength: int, what: str, pattern: str, remedy: str, behind: str = "", unless: str = "") -> Told:
    return Told(cause, strength, what, re.compile(pattern), remedy, tuple(behind.split()), re.compile(unless) if unless else None)


TOLD: tuple[Told, ...] = (
    _told("container_killed", 97, "the cluster's manager killed a container that went over its memory",
          r"Container killed by YARN for exceeding|exceeding (?:physical|virtual) memory limits|running beyond (?:physical|virtual) memory"
          r"|beyond the '?(?:PHYSICAL|VIRTUAL)'? memory limit|OOMKilled",
          "raise spark.executor.memoryOverhead (Python's memory counts there), or use more, smaller partitions"),
    _told("wrong_queue", 97, "the cluster has no such queue, or not for this user",
          r"to unknown queue|[Qq]ueue \S+ (?:does not exist|is not a leaf)|rejected by queue placement",
          "set spark.yarn.queue to a queue that there is, and that you may use"),
    _told("too_large", 97, "more was asked for than any node of the cluster has",
          r"above the max threshold|InvalidResourceRequestException|Invalid resource request",
          "ask for less memory or fewer cores, or raise yarn.scheduler.maximum-allocation-mb and -vcores"),
    _told("killed_by_user", 96, "somebody killed it", r"Application (?:application_\S+ )?was killed by user|killed by user \S+ at",
          "submit it again"),
    _told("untrusted_certificate", 96, "a server's certificate is none that Java trusts",
          r"does not trust the certificate|PKIX path|CertPathBuilderException",
          "name the bundle of its CA by AWS_CA_BUNDLE, or give Java a trust store (-Djavax.net.ssl.trustStore=FILE), executors too"),
    _told("wrong_credentials", 96, "the credentials are missing, wrong or over",
          r"does not take the credentials|no credentials for s3|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|ExpiredToken"
          r"|\bInvalidToken\b|NoAwsCredentialsException|Unable to load (?:AWS )?credentials",
          "check AWS_PROFILE or the keys, the role of the cluster's machines, and whether a session token is over"),
    _told("no_bucket", 96, "there is no such bucket", r"NoSuchBucket|UnknownStoreException|there is no bucket for",
          "check its name, and region and endpoint"),
    _told("wrong_python", 96, "the Python that is named is not on the node",
          r'Cannot run program "[^"\n]*python[^"\n]*"|exec: [^\n]*python[^\n]*: not found',
          "set `python` in [submit], or spark.pyspark.python, to a Python that every node has"),
    _told("result_too_large", 96, "the driver was to receive more than it is allowed to",
          r"(?:than|exceeds) spark\.driver\.maxResultSize|Total size of serialized results",
          "write the frame instead of collecting it, or aggregate first"),
    _told("broadcast_too_large", 95, "a table was too large to be sent to every executor for a join",
          r"Not enough memory to build and broadcast|Cannot broadcast the table|Could not execute broadcast in \d+ sec",
          "set spark.sql.autoBroadcastJoinThreshold=-1, or take the broadcast hint away"),
    _told("python_out_of_memory", 95, "Python ran out of memory",
          r"(?m)^\s*(?:\w+\.)*_?(?:ArrayMemoryError|MemoryError)\b|Caused by: MemoryError",
          "give less to one call (spark.sql.execution.arrow.maxRecordsPerBatch, more partitions), or raise spark.executor.pyspark.memory"),
    _told("out_of_memory", 94, "a JVM ran out of heap",
          r"java\.lang\.OutOfMemoryError|GC overhead limit exceeded|exited with code 52\b|ended with code (?:3|52)\b|(?:exit )?status 52\b"
          r"|SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY",
          "raise --driver-memory (on local masters all is the driver) or --executor-memory, or use more, smaller partitions"),
    _told("disk_full", 94, "a disk is full", r"No space left on device|Disk quota exceeded|DSQuotaExceeded|Errno 28\b",
          "free space, or point spark.local.dir and the output to a larger disk: shuffles and spills go to spark.local.dir"),
    _told("missing_module", 93, "Python does not find a module", r"ModuleNotFoundError: No module named '?[\w.]+'?",
          "install it where the workers run, or ship it by --py-files or --archives; `sparkkit doctor` says what is missing here"),
    _told("missing_jar", 92, "Java does not find a class",
          r"DATA_SOURCE_NOT_FOUND|NoClassDefFoundError|(?:Caused by: |^)java\.lang\.ClassNotFoundException",
          "run scripts/setup.sh, or name the jar by --jars or spark.jars"),
    _told("missing_partition", 92, "a partition that is to be read is not there",
          r"(?:PATH_NOT_FOUND|FILE_NOT_EXIST|does not exist|FileNotFoundException|nothing is at)[^\n]*?/[\w%.-]+=[^/\s]+",
          "wait until it is delivered, or check the date and the path", unless=r"shuffle_\d+_|blockmgr-"),
    _told("missing_file", 91, "a file or folder that is to be read is not there",
          r"PATH_NOT_FOUND|FILE_NOT_EXIST|Path does not exist|FileNotFoundException|NoSuchKey|nothing is at \S|No such file or directory",
          "wait until it is delivered, check the path, or see who rewrites it while it is read",
          behind="missing_partition", unless=r"shuffle_\d+_|blockmgr-|FetchFailed"),
    _told("access_denied", 91, "the user may not",
          r"AccessControlException|Permission denied|AccessDenied|Access Denied|403 Forbidden|NOT_AUTHORIZED|S3 denies"
          r"|\(Service: S3, Status Code: 403",
          "give the user the right to it, or choose another path"),
    _told("unreadable_file", 90, "a file is damaged",
          r"could not open checksum|incorrect page data|could not verify CRC|CRC checksum|is not a Parquet file|CANNOT_READ_FILE_FOOTER"
          r"|Malformed ORC|ZipException|invalid stored block|SnappyError|Could not read footer",
          "write it again, or take it out of the input"),
    _told("bad_record", 90, "a value or record does not fit",
          r"CAST_INVALID_INPUT|MALFORMED_RECORD_IN_PARSING|MALFORMED_CSV_RECORD|BadRecordException|CANNOT_PARSE_\w+|CAST_OVERFLOW"
          r"|NUMERIC_VALUE_OUT_OF_RANGE|ARITHMETIC_OVERFLOW|DIVIDE_BY_ZERO|INVALID_ARRAY_INDEX|MAP_KEY_DOES_NOT_EXIST|DATETIME_OVERFLOW"
          r"|FAILED_READ_FILE\.CANNOT_READ",
          "read the input with a contract, which puts such rows into the quarantine, or use try_cast, try_divide and their like"),
    _told("not_serializable", 90, "something that tasks need can't be sent to them",
          r"Task not serializable|NotSerializableException|PicklingError|CANNOT_PICKLE|cannot pickle|CONTEXT_ONLY_VALID_ON_DRIVER",
          "make it inside the function, and keep sessions, frames and connections out of functions that run on workers"),
    _told("python_worker_died", 88, "a Python worker died without a word",
          r"Python worker (?:exited unexpectedly|process terminated|failed to connect)|Python worker .*(?:crashed|killed)",
          "most often the system took its memory back: give it less at once, or set spark.executor.pyspark.memory; else a library crashed",
          behind="python_out_of_memory"),
    _told("process_killed", 87, "an executor's process was killed",
          r"(?:exited with code|[Ee]xit (?:code|status)(?: is|:)?) 1(?:37|43)\b|killed by SIG(?:KILL|TERM)"
          r"|Command exited with code 1(?:37|43)",
          "137 is SIGKILL, most often the system's own out-of-memory killer (`dmesg`); 143 is SIGTERM: somebody, or the cluster's manager",
          behind="container_killed out_of_memory"),
    _told("lost_executor", 75, "an executor was lost",
          r"ExecutorLostFailure|Executor heartbeat timed out|Remote RPC client disassociated|Lost executor",
          "see the executor's own log; a host that went away, or memory (raise spark.executor.memoryOverhead)",
          behind="container_killed process_killed out_of_memory", unless=r"(?:exited with code|[Ee]xit (?:code|status):?) \d"),
    _told("fetch_failure", 84, "the shuffle's files of an earlier stage could not be read",
          r"FetchFailed|MetadataFetchFailed|missing an output location for shuffle|[Uu]nable to (?:create|fetch|read).{0,40}shuffle"
          r"|shuffle_\d+_\d+_\d+\.(?:data|index)",
          "an executor or its disk went away (see those first); else fewer, larger executors, or spark.shuffle.io.maxRetries up",
          behind="container_killed process_killed out_of_memory disk_full lost_executor"),
    _told("unknown_column", 85, "the job asks for what is not there",
          r"UNRESOLVED_COLUMN|TABLE_OR_VIEW_NOT_FOUND|UNRESOLVED_ROUTINE|DATATYPE_MISMATCH|PARSE_SYNTAX_ERROR|FIELD_NOT_FOUND",
          "mend the job: `sparkkit dry-run JOB` finds this without data"),
    _told("throttled", 82, "the object store answered that it is asked too often",
          r"\bSlowDown\b|[Rr]educe your request rate|Status Code: 503",
          "run again later; fewer, larger files, or prefixes of their own, ask less of one place"),
    _told("network", 80, "a service did not answer",
          r"UnknownHostException|SocketTimeoutException|ConnectException|NoRouteToHost|SafeModeException|StandbyException|StatusCode\.UNAVAILABLE",
          "run again when the service is back", behind="out_of_memory process_killed lost_executor fetch_failure"),
    _told("python_error", 70, "a Python function raised an error",
          r"Traceback \(most recent call last\):[\s\S]*?\n"
          r"(?=(?!pyspark\.|py4j\.|java\.|org\.|scala\.|com\.|io\.)\w[\w.]*(?:Error|Exception|Interrupt|Exit|Iteration|Warning)\b)",
          "mend the function at the line that the evidence names",
          behind="missing_module python_out_of_memory disk_full not_serializable missing_file missing_partition access_denied bad_record"
                 " unknown_column result_too_large broadcast_too_large out_of_memory unreadable_file missing_jar fetch_failure"
                 " process_killed lost_executor python_worker_died network container_killed"),
    _told("jvm_died", 60, "the driver's JVM is gone", r"Py4JNetworkError|Answer from Java side is empty|SparkContext was shut down",
          "run again; if it dies again, give it more memory", behind="out_of_memory process_killed result_too_large"),
)
"""The causes that words tell, strongest first."""

TELLING = re.compile("|".join(f"(?:{told.pattern.pattern.replace('(?m)', '')})" for told in TOLD), re.MULTILINE)
"""Any of them."""


def told(facts: Facts) -> list[Finding]:
    """The causes that the words tell. A word of what ended the run is worth more than one of a task that was tried again."""
    heard: dict[str, list[tuple[Said, re.Match[str]]]] = {}
    for one in TOLD:
        found = [(said, match) for said in facts.said if (match := one.heard_in(said))]
        if found:
            heard[one.cause] = found
    return [_finding(one, heard, facts) for one in TOLD if one.cause in heard]


def _finding(one: Told, heard: dict[str, list[tuple[Said, re.Match[str]]]], facts: Facts) -> Finding:
    found = heard[one.cause]
    strength = one.strength - 30 * bool(set(one.behind) & heard.keys()) - 40 * facts.done
    evidence: dict[str, str] = {}
    for said, match in sorted(found, key=lambda pair: not pair[0].executor):
        line, again = _line(said.text, match), f" ({said.times} times)" if said.times > 1 else ""
        at = max(0, line.find(match[0][:40]))
        evidence.setdefault(line[at:at + 80], f"{said.place}{again}: {_short(line, match[0])}")  # the same words are one piece of it
    frames = sorted({frame for said, _ in found for frame in _frames(said)}, key=len) if one.cause == "python_error" else []
    what = f"{one.what}: {_whose(found)}" if one.cause == "out_of_memory" else one.what
    return Finding(one.cause, max(strength, 5), what, (*frames[-1:], *evidence.values())[:4], one.remedy)


def _whose(found: list[tuple[Said, re.Match[str]]]) -> str:
    """The executors whose words these are; where none says so, they are the driver's."""
    executors = sorted({said.executor for said, _ in found if said.executor and said.executor != "driver"})
    return f"executor {', '.join(executors)}" if executors else "the driver's"


def _line(text: str, match: re.Match[str]) -> str:
    """The line in which it was heard; of a traceback the last."""
    end = match.end() if match[0].startswith("Traceback") else match.start()
    return text[text.rfind("\n", 0, end) + 1:].partition("\n")[0].strip()


def _short(line: str, found: str, most: int = 300) -> str:
    if len(line) <= most:
        return line
    at = max(0, line.find(found[:40]) - 60)
    return "…" * (at > 0) + line[at:at + most] + "…"


def _frames(said: Said) -> list[str]:
    """The last line of a traceback that is not in Spark or Python themselves."""
    frames = re.findall(r'File "([^"\n]+)", line (\d+), in (\S+)(?:\n[ ]{4,}(?!File )(\S[^\n]*))?', said.text)
    own = [f for f in frames if not re.search(r"/pyspark/|\.zip/|/lib/python3|site-packages|/sparkkit/|^<frozen", f[0])]
    return [f"{file}, line {line}, in {function}" + (f": {code}" if code else "") for file, line, function, code in own[-1:]]
