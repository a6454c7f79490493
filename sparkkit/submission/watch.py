"""Waits for a job that AWS has: a line of progress, and in the end the job's own exit code."""
from __future__ import annotations

import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from sparkkit.errors import InfrastructureError, SparkkitError
from sparkkit.redaction import printable
from sparkkit.submission import asking, aws
from sparkkit.submission.order import Order

PAUSES = (3.0, 5.0, 10.0, 15.0)
"""Seconds between two looks; the last goes on."""

PATIENCE = 20
"""How often in a row AWS may fail to answer before the waiting ends; each time botocore has asked it several times."""

CODES = (
    re.compile(r"User application exited with status (\d+)"),  # YARN's master of an application, of a driver on the cluster
    re.compile(r"exiting with ret '(\d+)'"),  # EMR's command-runner, of a driver on the master
    re.compile(r"\bExitCode: (\d+)"),  # EMR Serverless
)
"""What says how a driver in Python ended."""

SCARCE = re.compile(r"capacity|could not be allocated|IP address|throttl|internal (service )?error", re.IGNORECASE)
"""What EMR Serverless says where it had no machines, or failed itself."""

WENT = ("COMPLETED", "SUCCESS")
ENDED = (*WENT, "FAILED", "CANCELLED", "INTERRUPTED")
LOG = 64_000_000
"""Bytes of a log that are looked through at most, packed and unpacked."""

GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True)
class Seen:
    """A job's state, why it is so, what else a person may want to see, and where its log is."""

    state: str
    why: str = ""
    beside: str = ""
    log: str = ""


def watch(started: aws.Started, order: Order, pause: Callable[[float], None] = time.sleep) -> int:
    """Waits for the end; the job's exit code, 1 where it failed and does not tell, 6 where it was not the job that failed.

    Ctrl-C asks whether the job is to end too, and gives 130.

    Raises:
        InfrastructureError: AWS has not answered for long; the job goes on.
    """
    client, line = aws.client(started.service, order.submit), Line(order.name)
    try:
        seen = _end(client, started, line, pause)
    except KeyboardInterrupt:
        line.end()
        _asked(client, started)
        return 130
    except SparkkitError:
        line.end()
        print(f"sparkkit: {order.name}: nobody waits any more, but it goes on: {started}", file=sys.stderr)
        raise
    line.end()
    code = exit_code(client, started, seen, order)
    if code:
        why, log = printable(f": {seen.why}") if seen.why else "", f", log {seen.log}" if seen.log else ""
        print(f"sparkkit: {order.name}: {started} is {seen.state}{why} (exit {code}{log})", file=sys.stderr)
    return code


def _end(client: Any, started: aws.Started, line: Line, pause: Callable[[float], None]) -> Seen:
    failed = 0
    for seconds in chain(PAUSES, repeat(PAUSES[-1])):
        try:
            seen = look(client, started)
            failed = 0
        except InfrastructureError:
            failed += 1
            if failed > PATIENCE:
                raise
        else:
            line.show(seen)
            if seen.state in ENDED:
                return seen
        pause(seconds)
    raise AssertionError


class Line:
    """One line on stderr: rewritten on a terminal, else a line for each new state."""

    def __init__(self, name: str) -> None:
        self.name, self.began, self.last, self.live = name, time.monotonic(), "", sys.stderr.isatty()

    def show(self, seen: Seen) -> None:
        """Shows a state, and for how long somebody has waited."""
        said = f"{seen.state}{seen.beside and f' ({seen.beside})'}"
        waited = int(time.monotonic() - self.began)
        text = f"{self.name}: {said}, {waited // 60}:{waited % 60:02} min"
        if self.live:
            sys.stderr.write(f"\r\x1b[K{text}")
        elif said != self.last:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        self.last = said

    def end(self) -> None:
        """Leaves the line as it is, and goes on below it."""
        if self.live and self.last:
            sys.stderr.write("\n")
            sys.stderr.flush()


def look(client: Any, started: aws.Started) -> Seen:
    """How a job stands now.

    Raises:
        UsageError: AWS does not show it to us.
        InfrastructureError: AWS does not answer.
    """
    with aws.explained(started.service, f"the state of {started} is not known"):
        if started.service == "emr-serverless":
            run = client.get_job_run(applicationId=started.home, jobRunId=started.run)["jobRun"]
            return Seen(run["state"], run.get("stateDetails") or "")
        status = client.describe_step(ClusterId=started.home, StepId=started.run)["Step"]["Status"]
        details = status.get("FailureDetails") or {}
        why = ": ".join(filter(None, [details.get("Reason"), details.get("Message"), status.get("StateChangeReason", {}).get("Message")]))
        cluster = str(_of_cluster(client, started)["State"]) if status["State"] == "PENDING" else ""
        if cluster.startswith("TERMINATED"):  # no machine will come to it any more
            return Seen("CANCELLED", why)
        return Seen(status["State"], why, cluster and f"cluster {cluster}", details.get("LogFile") or "")


def _of_cluster(client: Any, started: aws.Started) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.describe_cluster(ClusterId=started.home)["Cluster"]["Status"]
    return found


def exit_code(client: Any, started: aws.Started, seen: Seen, order: Order) -> int:
    """The exit code of a job that has ended: the driver's own where it is told, in AWS's words or in the step's log."""
    if seen.state in WENT:
        return 0
    if seen.state == "FAILED":
        told = next((code for text in chain([seen.why], _log(seen.log, order)) if (code := told_by(text))), None)
        return told or (6 if started.service == "emr-serverless" and SCARCE.search(seen.why) else 1)
    with suppress(SparkkitError), aws.explained("emr", ""):
        if started.service == "emr" and _of_cluster(client, started).get("StateChangeReason", {}).get("Code") == "VALIDATION_ERROR":
            return 2
    return 6


def told_by(text: str) -> int | None:
    """The exit code that a text tells, the last one; None where it tells none but 0.

    >>> told_by("SparkException: Application x failed: User application exited with status 4"), told_by("Unknown Error.")
    (4, None)
    """
    return next((int(found[-1]) for pattern in CODES if (found := pattern.findall(text)) and int(found[-1])), None)


def _log(uri: str, order: Order) -> Iterator[str]:
    """A step's log, where it is on S3 already and may be read."""
    found = re.fullmatch(r"s3[an]?://([^/]+)/(.+)", uri)
    if not found:
        return
    with suppress(SparkkitError, OSError, zlib.error), aws.explained("s3", uri):
        data = aws.client("s3", order.submit).get_object(Bucket=found[1], Key=found[2])["Body"].read(LOG)
        plain = zlib.decompressobj(GZIP).decompress(data, LOG) if data[:2] == b"\x1f\x8b" else data
        yield plain.decode("utf-8", "replace")


def _asked(client: Any, started: aws.Started) -> None:
    """Asks whether a job is to end too; it goes on where nobody answers."""
    if not asking.yes(f"stop {started} too?"):
        print(f"it goes on: {started}", file=sys.stderr)
        return
    with aws.explained(started.service, f"{started} was not stopped"):
        cancel(client, started)
    print(f"asked to stop: {started}", file=sys.stderr)


def cancel(client: Any, started: aws.Started) -> None:
    """Asks AWS to end a job, with the cluster where that is its own."""
    if started.service == "emr-serverless":
        client.cancel_job_run(applicationId=started.home, jobRunId=started.run)
    elif started.own:
        client.terminate_job_flows(JobFlowIds=[started.home])
    else:
        client.cancel_steps(ClusterId=started.home, StepIds=[started.run], StepCancellationOption="SEND_INTERRUPT")
