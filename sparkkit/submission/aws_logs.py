"""What the processes of a job on EMR or EMR Serverless have said: its logs on S3, whose place AWS tells."""
from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sparkkit.errors import NotReadyError, UsageError
from sparkkit.submission import aws, watch

NAMES = (("emr", re.compile(r"(j-\w+)/(s-\w+)")), ("emr-serverless", re.compile(r"([0-9a-z]{10,64})/([0-9a-z]{10,64})")))
"""How a person writes a step of a cluster, and a job run of an application."""

APPLICATION = re.compile(r"\bapplication_\d+_\d+\b")
LATER = "AWS brings them there some minutes after they were written"
PIECE = 1 << 16
STATE = "state"
"""The file of what AWS itself says of the end."""


def named(text: str) -> aws.Started | None:
    """The job that a text names; None where it names none of AWS's.

    >>> str(named("j-2AB/s-3C")), str(named("00f0abcdefgh/00r0abcdefgh")), named("last")
    ('step s-3C of cluster j-2AB', 'job run 00r0abcdefgh of application 00f0abcdefgh', None)
    """
    found = ((service, pattern.fullmatch(text)) for service, pattern in NAMES)
    return next((aws.Started(service, match[1], match[2]) for service, match in found if match), None)


def logs(job: aws.Started, into: Path, submit: Mapping[str, Any]) -> list[Path]:
    """Brings the logs of a job into a folder, unpacked: its own, then those of the containers of its applications on YARN.

    `submit` is the table `[submit]`, with region and endpoint. The first file is the reason of a failure, where AWS gives one.

    Raises:
        NotReadyError: there are none, or not yet.
        UsageError: there is no such job, or AWS does not show it to us.
        InfrastructureError: AWS does not answer.
    """
    client, s3 = aws.client(job.service, submit), aws.client("s3", submit)
    root, seen = _root(client, job), watch.look(client, job)
    place = f"{root}/{job.home}/steps/{job.run}/" if job.service == "emr" else f"{root}/applications/{job.home}/jobs/{job.run}/"
    files = list(_brought(s3, place, into))
    for application in sorted({name for file in files for name in _applications(file)}) if job.service == "emr" else ():
        files += _brought(s3, f"{root}/{job.home}/containers/{application}/", into / application)
    if not files:
        raise NotReadyError(f"{job} has no logs below {place} ({job.service} says {seen.state})", reason="no_logs", hint=LATER)
    if seen.why:
        (into / STATE).write_text(f"{seen.state}: {seen.why}\n", encoding="utf-8")
        files.insert(0, into / STATE)
    return files


def containers(cluster: str, application: str, into: Path, submit: Mapping[str, Any]) -> list[Path]:
    """The logs of an application that ran on a cluster of EMR, as `logs` brings them.

    Raises:
        NotReadyError, UsageError, InfrastructureError: as `logs`.
    """
    root = _root(aws.client("emr", submit), aws.Started("emr", cluster, ""))
    place = f"{root}/{cluster}/containers/{application}/"
    files = list(_brought(aws.client("s3", submit), place, into))
    if not files:
        raise NotReadyError(f"there are no logs below {place}", reason="no_logs", hint=LATER)
    return files


def _root(client: Any, job: aws.Started) -> str:
    with aws.explained(job.service, f"where the logs of {job} are is not known"):
        if job.service == "emr":
            found = client.describe_cluster(ClusterId=job.home)["Cluster"].get("LogUri")
        else:
            run = client.get_job_run(applicationId=job.home, jobRunId=job.run)["jobRun"]
            monitoring = (run.get("configurationOverrides") or {}).get("monitoringConfiguration") or {}
            found = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
    if not found:
        hint = "set log_uri in [submit] before you submit it again"
        raise NotReadyError(f"{job} keeps its logs nowhere on S3", reason="no_logs", hint=hint)
    return re.sub(r"^s3[an]?://", "s3://", found).rstrip("/")


def _brought(s3: Any, place: str, into: Path) -> Iterator[Path]:
    """The objects below a place, as files, unpacked; one that is cut off is kept as far as it goes."""
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    with aws.explained("s3", f"{place} can't be read"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for key in (one["Key"] for one in page.get("Contents", ()) if not one["Key"].endswith("/")):
                file = into / key.removeprefix(prefix).removesuffix(".gz")
                if into.resolve() not in file.resolve().parents:
                    raise UsageError(f"the object {key} leads out of its folder", reason="unsafe_name")
                file.parent.mkdir(parents=True, exist_ok=True)
                body = s3.get_object(Bucket=bucket, Key=key)["Body"]
                with file.open("wb") as out:
                    out.writelines(_unpacked(body) if key.endswith(".gz") else iter(partial(body.read, PIECE), b""))
                yield file


def _unpacked(body: Any) -> Iterator[bytes]:
    """A gzip file's content, of one member after the other, as far as it is whole: `gzip` keeps back the last of one that is cut off."""
    with suppress(zlib.error):
        one = zlib.decompressobj(watch.GZIP)
        for piece in iter(partial(body.read, PIECE), b""):
            yield one.decompress(piece)
            while one.eof and one.unused_data:
                rest, one = one.unused_data, zlib.decompressobj(watch.GZIP)
                yield one.decompress(rest)


def _applications(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            yield from APPLICATION.findall(line)
