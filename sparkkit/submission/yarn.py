"""An application on YARN, as spark-submit tells of it: its id, its state, and how it ended."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkkit.errors import InfrastructureError, JobError, NotReadyError, SparkkitError, UsageError

_ID = re.compile(r"\b(application_\d+_\d+)\b")
_STATE = re.compile(r"Application report for (application_\d+_\d+) \(state: (\w+)\)")
_FINAL = re.compile(r"final status: (\w+)")
_CODE = re.compile(r"User application exited with status (\d+)")
_TOLD: tuple[tuple[str, type[SparkkitError], str, str], ...] = (
    (r"[Qq]ueue '?\"?[\w.-]+'?\"? ?(?:does not exist|is not)|unknown queue|UNKNOWN_QUEUE|to unknown queue|rejected by queue placement",
     UsageError, "wrong_queue", "set spark.yarn.queue to a queue that there is, and that you may use"),
    (r"Required \w+ memory \(.*\).*above the max threshold|InvalidResourceRequestException", UsageError, "too_large",
     "ask for less memory or fewer cores than yarn.scheduler.maximum-allocation-* allows"),
    (r"beyond (?:the )?'?\w+'? memory limit|beyond physical memory|exitCode: -104", InfrastructureError,
     "container_killed", "raise spark.driver.memoryOverhead or spark.driver.memory"),
    (r'Cannot run program "[^"]*python', UsageError, "wrong_python", "set python in [submit] to one that every node has"),
    (r"[Ee]xit code is 1(?:37|43)|exitCode: 1(?:37|43)", InfrastructureError, "process_killed",
     "submit it again; 137 is SIGKILL, most often by a machine without memory left"),
    (r"ApplicationMaster for attempt \w+ timed out", InfrastructureError, "master_lost",
     "submit it again; if it happens again, the node is too slow or has gone"),
    (r"OutOfMemoryError|exitCode: 52", InfrastructureError, "out_of_memory", "raise spark.driver.memory"),
    (r"was killed by user|killed by user", InfrastructureError, "killed", "submit it again"),
    (r"Connection refused|UnknownHostException|NoRouteToHost|ConnectTimeout|RetriesExhausted", InfrastructureError, "yarn_unreachable",
     "submit it again when the ResourceManager and the NameNode answer"),
    (r"Permission denied|AccessControlException", UsageError, "access_denied", "the user needs the right to it"),
)


@dataclass
class Application:
    """What was heard of one application so far."""

    id: str | None = None
    state: str = ""
    final: str | None = None
    code: int | None = None
    lines: list[str] = field(default_factory=list)
    """The last lines that were heard, for the reason of a failure."""

    def hear(self, line: str) -> str | None:
        """Takes in a line of spark-submit's log; what a person is told of it, None for nothing.

        >>> Application().hear("26/11/29 02:00:00 INFO Client: Application report for application_1_0001 (state: RUNNING)")
        'application_1_0001 is running'
        """
        self.lines = [*self.lines[-199:], line.rstrip()]
        report, final, code = _STATE.search(line), _FINAL.search(line), _CODE.search(line)
        self.final = final[1] if final else self.final
        self.code = int(code[1]) if code else self.code
        if report is None:
            self.id = self.id or ((found := _ID.search(line)) and found[1]) or None
            return line.rstrip() if re.search(r"\b(WARN|ERROR)\b", line) and "NativeCodeLoader" not in line else None
        changed, self.id, self.state = report[2] != self.state, report[1], report[2]
        return f"{self.id} is {self.state.lower()}" if changed else None

    def trouble(self, code: int) -> SparkkitError | None:
        """Why it ended as it did, where the job's own code does not say so; `code` is that of spark-submit.

        >>> application = Application(lines=["Application application_1_0001 was killed by user me at 127.0.0.1"])
        >>> application.trouble(1).exit_code
        6
        """
        if not code or self.code:
            return None
        text = "\n".join(self.lines)
        name = self.id or "the application"
        for pattern, kind, reason, hint in _TOLD:
            if found := re.search(rf".*(?:{pattern}).*", text):
                return kind(f"{name} ended with {self.final or 'an error'}: {found[0].strip()[-300:]}", reason=reason, hint=hint)
        told = re.search(r"diagnostics(?: message)?: (.*\S)", text) or re.search(r"(.*(?:Exception|[Ee]rror).*)", text)
        return JobError(f"{name} ended with {self.final or 'an error'}: {told[1].strip()[:300] if told else 'no reason was given'}",
                        reason="application_failed")


@contextmanager
def _session() -> Iterator[Any]:
    """Hadoop's classes, in a session: its command-line tools for YARN lack libraries in what Spark brings of Hadoop."""
    from sparkkit import session

    spark: Any = session.start(app_name="yarn", profile="test")
    try:  # what its classes print is no sentence of ours
        spark._jvm.java.lang.System.setErr(spark._jvm.java.io.PrintStream(spark._jvm.java.io.ByteArrayOutputStream()))
        yield spark._jvm
    finally:
        session.stop(spark)


def _application(jvm: Any, name: str) -> Any:
    if not _ID.fullmatch(name):
        raise UsageError(f"{name!r} is no application's id", reason="wrong_option", hint="such as application_1795918305266_0002")
    return jvm.org.apache.hadoop.yarn.api.records.ApplicationId.fromString(name)


def logs(application: str, into: Path) -> list[Path]:
    """Brings what the containers of an application have said into a folder, a file for each.

    Raises:
        UsageError: it is no application's id.
        NotReadyError: YARN has no logs of it, or not yet.
    """
    from py4j.protocol import Py4JJavaError

    with _session() as jvm:
        hadoop = jvm.org.apache.hadoop.yarn
        asked, reader = hadoop.logaggregation.ContainerLogsRequest(), hadoop.logaggregation.LogCLIHelpers()
        reader.setConf(hadoop.conf.YarnConfiguration())
        asked.setAppId(_application(jvm, application))
        asked.setAppOwner(jvm.org.apache.hadoop.security.UserGroupInformation.getCurrentUser().getShortUserName())
        asked.setOutputLocalDir(str(into))
        asked.setAppFinished(True)
        asked.setBytes(2**62)
        asked.setLogTypes(jvm.java.util.HashSet())
        with suppress(Py4JJavaError):  # it fails where there are none
            reader.dumpAllContainersLogs(asked)
    found = sorted(path for path in into.rglob("*") if path.is_file())
    if not found:
        raise NotReadyError(f"YARN has no logs of {application}", reason="no_logs",
                            hint="they are gathered when it has ended, if yarn.log-aggregation-enable is on")
    return found


def kill(application: str) -> None:
    """Asks YARN to kill an application; one that has ended stays as it is.

    Raises:
        UsageError: it is no application's id.
    """
    with _session() as jvm:
        client = jvm.org.apache.hadoop.yarn.client.api.YarnClient.createYarnClient()
        client.init(jvm.org.apache.hadoop.yarn.conf.YarnConfiguration())
        client.start()
        client.killApplication(_application(jvm, application))
