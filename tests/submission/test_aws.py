"""Sending to AWS, over HTTP: moto's server keeps what arrives, and a door before it loses answers and turns callers away."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission import aws, emr, serverless, stores
from sparkkit.submission.order import Order
from tests.submission.moto_server import KEYS, door, moto
from tests.submission.test_emr import ORDER, OWN
from tests.submission.test_serverless import ORDER as RUN

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def at(order: Order, url: str, **keys: Any) -> Order:
    return replace(order, submit={**order.submit, "endpoint": url, **keys})


def no_pause(seconds: float) -> None:
    pass


def made(server: str, release: str) -> str:
    """A cluster that stays."""
    machines = {"MasterInstanceType": "m7g.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    return str(aws.client("emr", {"endpoint": server}).run_job_flow(Name="c", ReleaseLabel=release, Instances=machines)["JobFlowId"])


@pytest.fixture
def cluster(server: str) -> str:
    return made(server, "emr-7.14.0")


def test_a_step_is_read_back_with_its_exact_arguments(server: str, cluster: str) -> None:
    order = at(ORDER, server, cluster=cluster)
    call = emr.request(order)
    started = aws.start(call, order, no_pause)
    kept = aws.client("emr", order.submit).describe_step(ClusterId=cluster, StepId=started.run)["Step"]
    sent = call.request["Steps"][0]
    assert (kept["Config"]["Jar"], kept["Config"]["Args"]) == ("command-runner.jar", sent["HadoopJarStep"]["Args"])
    assert (kept["Name"], kept["ActionOnFailure"]) == (sent["Name"], "CONTINUE")


def test_a_cluster_of_its_own_has_the_step_and_what_was_asked(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    order = at(replace(ORDER, submit=OWN, token="own"), server, tags={"team": "data"})
    call = emr.request(order)
    assert aws.send(call, order) == 0
    client = aws.client("emr", order.submit)
    home = next(one["Id"] for one in client.list_clusters()["Clusters"] if one["Name"] == "own")
    kept = client.describe_cluster(ClusterId=home)["Cluster"]
    assert (kept["ReleaseLabel"], kept["LogUri"], kept["AutoTerminate"]) == ("emr-7.14.0", "s3://logs/emr/", True)
    assert kept["Tags"] == [{"Key": "team", "Value": "data"}]
    step = client.list_steps(ClusterId=home)["Steps"][0]
    assert step["Config"]["Args"] == call.request["Steps"][0]["HadoopJarStep"]["Args"]
    assert capsys.readouterr().out.splitlines() == [f"names: cluster {home}", f"names: step {step['Id']} of cluster {home}"]


@pytest.mark.parametrize("trouble", [{"lost": 1}, {"busy": 2}])
def test_a_step_is_added_once_though_answers_are_lost_or_callers_turned_away(server: str, cluster: str, trouble: dict[str, int]) -> None:
    with door(server, **trouble) as passed:
        order = at(ORDER, passed.url, cluster=cluster)
        started = aws.start(emr.request(order), order, no_pause)
    found = aws.client("emr", {"endpoint": server}).list_steps(ClusterId=cluster)["Steps"]
    assert [one["Id"] for one in found if one["Name"] == order.token] == [started.run]
    assert len(passed.asked("AddJobFlowSteps")) == 1 + trouble.get("busy", 0)


def test_a_cluster_is_made_once_though_the_answer_is_lost(server: str) -> None:
    with door(server, lost=1) as passed:
        order = at(replace(ORDER, submit=OWN, token="lost-once"), passed.url)
        started = aws.start(emr.request(order), order, no_pause)
    found = aws.client("emr", {"endpoint": server}).list_clusters()["Clusters"]
    assert [one["Id"] for one in found if one["Name"] == "lost-once"] == [started.home]
    assert started.own


@pytest.fixture
def application(server: str) -> str:
    client = aws.client("emr-serverless", {"endpoint": server})
    return str(client.create_application(releaseLabel="emr-7.13.0", type="SPARK", clientToken="c")["applicationId"])


def test_a_job_run_is_read_back_with_its_exact_arguments(server: str, application: str) -> None:
    order = at(RUN, server, application=application, log_uri="s3://logs/x", tags={"team": "data"})
    call = serverless.request(order)
    started = aws.start(call, order, no_pause)
    kept = aws.client("emr-serverless", order.submit).get_job_run(applicationId=application, jobRunId=started.run)["jobRun"]
    assert kept["jobDriver"] == call.request["jobDriver"]
    assert kept["configurationOverrides"] == call.request["configurationOverrides"]
    assert (kept["name"], kept["tags"]) == (order.token, {"team": "data"})


def test_a_job_run_that_is_asked_for_again_has_the_same_token(server: str, application: str) -> None:
    with door(server, lost=1) as passed:
        order = at(RUN, passed.url, application=application)
        aws.start(serverless.request(order), order, no_pause)
    asked = passed.asked("POST /applications")
    assert len(asked) == 2
    assert all(order.token.encode() in body for body in asked)


def test_the_code_is_put_on_s3_once(server: str) -> None:
    aws.client("s3", {"endpoint": server, "region": "us-east-1"}).create_bucket(Bucket="code")
    with door(server) as passed:
        submit = {"endpoint": passed.url, "region": "us-east-1"}
        for _ in range(2):
            stores.put({"s3://code/apps/0a/names.py": b"a", "s3a://code/apps/0a/x y.zip": b"bc"}, submit)
        assert len(passed.asked("PUT /code")) == 2
        with pytest.raises(InfrastructureError, match="has 1 bytes, expected 2"):
            aws.put("s3://code/apps/0a/names.py", b"ab", submit)
    body = aws.client("s3", {"endpoint": server}).get_object(Bucket="code", Key="apps/0a/x y.zip")["Body"].read()
    assert body == b"bc"


def test_two_that_put_the_same_code_at_once_both_go_on(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = {"endpoint": server, "region": "us-east-1"}
    aws.client("s3", submit).create_bucket(Bucket="race")
    monkeypatch.setattr(aws, "_size", lambda *_: None)
    aws.put("s3://race/x", b"first", submit)
    aws.put("s3://race/x", b"later", submit)
    assert aws.client("s3", submit).get_object(Bucket="race", Key="x")["Body"].read() == b"first"


def test_a_bucket_that_is_not_there_is_told(server: str) -> None:
    with pytest.raises(UsageError, match="s3://nobucket/x can't be written: The specified bucket does not exist"):
        aws.put("s3://nobucket/x", b"a", {"endpoint": server})


def test_each_service_may_have_an_address_of_its_own(server: str) -> None:
    submit = {"endpoint": {"emr": server}}
    assert aws.client("emr", submit).meta.endpoint_url == server
    assert aws.client("s3", submit).meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"
    with pytest.raises(UsageError, match="did you mean 'emr'"):
        aws.client("emr", {"endpoint": {"emrr": server}})


@pytest.mark.parametrize("release", ["emr-7.0.0", "emr-6.15.0"])
def test_a_cluster_of_another_release_gets_no_step(server: str, release: str) -> None:
    order = at(ORDER, server, cluster=made(server, release))
    with pytest.raises(UsageError, match=f"the release '{release}' is none"):
        aws.start(emr.request(order), order, no_pause)


def test_a_cluster_that_has_ended_gets_no_step(server: str, cluster: str) -> None:
    aws.client("emr", {"endpoint": server}).terminate_job_flows(JobFlowIds=[cluster])
    order = at(ORDER, server, cluster=cluster)
    with pytest.raises(UsageError, match=f"the cluster {cluster} is TERMINAT"):
        aws.start(emr.request(order), order, no_pause)


def test_no_credentials_are_told_as_such(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    order = at(ORDER, server)
    with pytest.raises(UsageError, match="AWS knows no credentials here.*set AWS_PROFILE") as error:
        aws.start(emr.request(order), order, no_pause)
    assert (error.value.exit_code, error.value.reason) == (2, "no_credentials")


def test_no_region_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    pytest.importorskip("boto3")
    with pytest.raises(UsageError, match="set region in .submit."):
        aws.client("emr", {})


def test_a_service_that_does_not_answer_is_tried_again_later() -> None:
    pytest.importorskip("boto3")
    client = aws.clients("emr", {"endpoint": NOWHERE}, 1)[0]
    with pytest.raises(InfrastructureError, match="Could not connect") as error, aws.explained("emr", "x"):
        client.list_clusters()
    assert (error.value.exit_code, error.value.reason) == (6, "aws_unreachable")


@pytest.mark.parametrize(
    ("status", "code", "message", "exit_code", "said"),
    [
        (400, "AccessDeniedException", "User: arn:x is not authorized to perform: iam:PassRole on y", 2, "allow iam:PassRole to"),
        (400, "AccessDeniedException", "no", 2, "allow elasticmapreduce:ListClusters to"),
        (403, "ExpiredTokenException", "expired", 2, "renew them"),
        (400, "InvalidRequestException", "Cluster id 'j-1' is not valid.", 2, "x: Cluster id 'j-1' is not valid."),
        (400, "ThrottlingException", "Rate exceeded", 6, "try again later"),
        (503, "InternalFailure", "oh", 6, "try again later"),
    ],
)
def test_what_aws_answers_is_explained(status: int, code: str, message: str, exit_code: int, said: str) -> None:
    pytest.importorskip("boto3")
    from botocore.exceptions import ClientError

    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = aws.explain(ClientError(answer, "ListClusters"), "emr", "x")
    assert error.exit_code == exit_code
    assert said in str(error)


def test_without_boto3_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"pip install 'sparkkit\[aws\]'") as error:
        aws.client("emr", {})
    assert error.value.reason == "boto3_missing"
