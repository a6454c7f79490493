"""Sends requests to AWS: credentials by its usual chain, throttling retried; where an answer was lost, looks before it asks again."""
from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sparkkit.errors import InfrastructureError, SparkkitError, UsageError
from sparkkit.submission import fields
from sparkkit.submission.order import AwsCall, Order

PAUSES = (2.0, 5.0, 10.0, 20.0)
"""Seconds before a request is asked again that AWS has no token for."""

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
"""The states of a cluster that takes steps."""

PREFIXES = {"emr": "elasticmapreduce", "emr-serverless": "emr-serverless", "s3": "s3"}
"""What IAM calls a service."""

DENIED = ("AccessDenied", "AccessDeniedException", "403", "Forbidden", "UnauthorizedOperation", "NotAuthorized")
UNKNOWN_CALLER = (
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken",
    "SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId", "AuthFailure", "MissingAuthenticationToken",
)
THROTTLED = (
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
    "RequestLimitExceeded", "SlowDown", "EC2ThrottledException", "LimitExceededException", "ServiceQuotaExceededException",
    "ConditionalRequestConflict",
)
NO_CREDENTIALS = (
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound", "TokenRetrievalError", "SSOError",
    "SSOTokenLoadError", "UnauthorizedSSOTokenError", "MetadataRetrievalError", "ConfigParseError", "LoginRefreshRequired",
)
REGION = ("NoRegionError", "InvalidRegionError")


@dataclass(frozen=True)
class Started:
    """A job that AWS has: a step of a cluster or a run of an application; `own` is a cluster that ends with it."""

    service: str
    home: str
    run: str
    own: bool = False

    def __str__(self) -> str:
        if self.service == "emr":
            return f"step {self.run} of cluster {self.home}"
        return f"job run {self.run} of application {self.home}"


def client(service: str, submit: Mapping[str, Any]) -> Any:
    """A client of boto3, for the region and the address that `[submit]` gives, by default those of AWS's own configuration.

    Raises:
        UsageError: boto3 is missing, or it knows no region.
    """
    return clients(service, submit, 5)[0]


def clients(service: str, submit: Mapping[str, Any], *attempts: int) -> list[Any]:
    """Clients that ask this often each, of one session: the second costs nothing. As `client` raises."""
    boto3, config = _boto3()
    endpoint = submit.get("endpoint")
    if isinstance(endpoint, Mapping):
        endpoint = fields.table("endpoint", endpoint, PREFIXES).get(service)
    if endpoint is not None:
        fields.text("endpoint", endpoint, r"https?://\S+", "an address such as http://localhost:5000, or a table of them by service")
    style = {"s3": {"addressing_style": "path"}} if endpoint else {}
    with explained(service, f"no client for {service}"):
        session = boto3.session.Session(region_name=submit.get("region"))
        retries = [{"mode": "standard", "total_max_attempts": number} for number in attempts]
        configs = [config(retries=one, connect_timeout=10, read_timeout=60, **style) for one in retries]
        return [session.client(service, endpoint_url=endpoint, config=one) for one in configs]


def _boto3() -> tuple[Any, Any]:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise UsageError("AWS needs boto3, which is not installed", reason="boto3_missing", hint="pip install 'sparkkit[aws]'") from error
    return boto3, Config


@contextmanager
def explained(service: str, what: str) -> Iterator[None]:
    """Turns an error of botocore within the block into one of ours, whose exit code says whether a retry may help."""
    _boto3()
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explain(error, service, what) from error


def explain(error: Any, service: str, what: str) -> SparkkitError:
    """What an error of botocore means: 2 for credentials, rights and things that are not there, 6 for the network and AWS itself."""
    if getattr(error, "response", None):
        return _refused(error, service, what)
    from botocore.exceptions import ConnectionError as NotConnected
    from botocore.exceptions import HTTPClientError

    name, said = type(error).__name__, f"{what}: {error}"
    if name in NO_CREDENTIALS:
        hint = "set AWS_PROFILE, or a role; `aws sts get-caller-identity` shows who you are"
        return UsageError(f"{what}: AWS knows no credentials here: {error}", reason="no_credentials", hint=hint)
    if name in REGION:
        return UsageError(said, reason="no_region", hint="set region in [submit] of the environment's conf, or AWS_REGION")
    if isinstance(error, HTTPClientError | NotConnected):
        return InfrastructureError(said, reason="aws_unreachable", hint="see the network, and endpoint and region in [submit]")
    return UsageError(said, reason="aws_refused")


def _refused(error: Any, service: str, what: str) -> SparkkitError:
    """What AWS answered; for rights, the action that is to be allowed."""
    code, message = (str(error.response["Error"].get(key, "")) for key in ("Code", "Message"))
    said = f"{what}: {message or code}"
    if code in DENIED:
        found = re.search(r"to perform: ([\w-]+:\w+)", message)
        action = found[1] if found else f"{PREFIXES[service]}:{error.operation_name.replace('HeadObject', 'GetObject')}"
        return UsageError(f"{what}: AWS denies {action}: {message or code}", reason="access_denied", hint=f"allow {action} to who submits")
    if code in UNKNOWN_CALLER:
        return UsageError(f"{what}: AWS does not accept the credentials: {message or code}", reason="wrong_credentials",
                          hint="renew them; `aws sts get-caller-identity` shows who you are")
    if code in THROTTLED:
        return InfrastructureError(said, reason="throttled", hint="try again later")
    if _status(error) >= 500:
        return InfrastructureError(said, reason="aws_failed", hint="try again later; a cluster or a bucket that is not there may look so")
    return UsageError(said, reason="aws_refused")


def _status(error: Any) -> int:
    found = (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(found)


def put(place: str, data: bytes, submit: Mapping[str, Any]) -> None:
    """Puts a file on S3, in one step, if nothing is there: the place is named by the content's hash.

    Raises:
        UsageError: no credentials, no such bucket, no right to it.
        InfrastructureError: S3 does not answer, or the place holds something else.
    """
    bucket, _, key = re.sub(r"^s3[an]?://", "", place).partition("/")
    s3 = client("s3", submit)
    from botocore.exceptions import ClientError

    with explained("s3", f"{place} can't be written"):
        size = _size(s3, bucket, key)
        if size is None:
            try:
                s3.put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if _status(error) != 412:  # another submission of the same code was first
                    raise
        elif size != len(data):
            raise InfrastructureError(f"{place} has {size:,} bytes, expected {len(data):,}", reason="not_uploaded", hint="delete it")


def _size(s3: Any, bucket: str, key: str) -> int | None:
    """The bytes of an object; None where there is none, or where S3 does not tell: without the right to list, what is missing is denied."""
    from botocore.exceptions import ClientError

    try:
        return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError as error:
        if _status(error) in (403, 404):
            return None
        raise


def send(call: AwsCall, order: Order) -> int:
    """Makes a call and says what it started; where somebody waits, the job's own exit code.

    Raises:
        UsageError: AWS refuses it.
        InfrastructureError: AWS does not answer.
    """
    from sparkkit.submission import watch

    started = start(call, order)
    print(f"{order.name}: {started}", flush=True)
    return watch.watch(started, order) if order.wait else 0


def start(call: AwsCall, order: Order, pause: Callable[[float], None] = time.sleep) -> Started:
    """Makes a call once, however often it is asked.

    Raises:
        UsageError: AWS refuses it, or runs a release that is not supported.
        InfrastructureError: AWS does not answer.
    """
    how = {"start_job_run": _start_run, "add_job_flow_steps": _start_step, "run_job_flow": _start_cluster}
    return how[call.operation](dict(call.request), order, pause)


def _start_run(request: dict[str, Any], order: Order, _: Callable[[float], None]) -> Started:
    """A job run: its clientToken tells AWS that it is the same one when botocore asks again."""
    aws, home = client("emr-serverless", order.submit), request["applicationId"]
    _application(aws, home, order)
    with explained("emr-serverless", "the job run was not started"):
        return Started("emr-serverless", home, aws.start_job_run(**request)["jobRunId"])


def _start_step(request: dict[str, Any], order: Order, pause: Callable[[float], None]) -> Started:
    (aws, once), home = clients("emr", order.submit, 5, 1), request["JobFlowId"]
    _cluster(aws, home, order)
    with explained("emr", "the step was not added"):
        name = request["Steps"][0]["Name"]
        run = _once(lambda: str(once.add_job_flow_steps(**request)["StepIds"][0]), lambda: step(aws, home, name), pause)
        return Started("emr", home, run)


def _start_cluster(request: dict[str, Any], order: Order, pause: Callable[[float], None]) -> Started:
    (aws, once), name = clients("emr", order.submit, 5, 1), request["Name"]
    with explained("emr", "the cluster was not made"):
        home = _once(lambda: str(once.run_job_flow(**request)["JobFlowId"]), lambda: _made(aws, name), pause)
    print(f"{order.name}: cluster {home}", flush=True)
    own = not request["Instances"]["KeepJobFlowAliveWhenNoSteps"]
    with explained("emr", f"the step of cluster {home} is not known"):
        for seconds in PAUSES:
            run = step(aws, home, name)
            if run:
                return Started("emr", home, run, own)
            pause(seconds)
    raise InfrastructureError(f"the cluster {home} does not show its step", reason="aws_failed", hint="look at it before you submit again")


def _once(ask: Callable[[], str], find: Callable[[], str | None], pause: Callable[[float], None]) -> str:
    """Asks for what AWS has no token for: after a failure that may hide a success, looks whether it is there, and only then asks again."""
    for seconds in PAUSES:
        try:
            return ask()
        except Exception as error:
            if not _passing(error):
                raise
            last = error
        pause(seconds)
        found = find()
        if found:
            return found
    raise last


def _passing(error: Exception) -> bool:
    from botocore.exceptions import ConnectionError as NotConnected
    from botocore.exceptions import HTTPClientError

    code = (getattr(error, "response", None) or {}).get("Error", {}).get("Code")
    return isinstance(error, HTTPClientError | NotConnected) or code in THROTTLED or _status(error) >= 500


def step(aws: Any, cluster: str, name: str) -> str | None:
    """The id of a cluster's step, by its name."""
    pages = aws.get_paginator("list_steps").paginate(ClusterId=cluster)
    return next((one["Id"] for page in pages for one in page["Steps"] if one["Name"] == name), None)


def _made(aws: Any, name: str) -> str | None:
    """The id of a cluster that was made in the last hour, by its name."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    pages = aws.get_paginator("list_clusters").paginate(CreatedAfter=since)
    return next((one["Id"] for page in pages for one in page["Clusters"] if one["Name"] == name), None)


def _cluster(aws: Any, cluster: str, order: Order) -> None:
    """Sees that a cluster takes steps, and runs what this code was written for."""
    with explained("emr", f"the cluster {cluster} can't be used"):
        found = aws.describe_cluster(ClusterId=cluster)["Cluster"]
    state = found["Status"]["State"]
    if state not in ALIVE:
        raise UsageError(f"the cluster {cluster} is {state}", reason="unknown_cluster", hint="set cluster in [submit] to one that is there")
    fields.safe(order, found.get("ReleaseLabel") or "")


def _application(aws: Any, application: str, order: Order) -> None:
    """Sees that an application of EMR Serverless is one of Spark, and of a release that this code was written for."""
    with explained("emr-serverless", f"the application {application} can't be used"):
        found = aws.get_application(applicationId=application)["application"]
    if found["state"] == "TERMINATED" or found["type"].lower() != "spark":
        raise UsageError(f"the application {application} is {found['state']}, of type {found['type']}", reason="unknown_application",
                         hint="set application in [submit] to one of Spark that is there")
    fields.safe(order, found["releaseLabel"])
