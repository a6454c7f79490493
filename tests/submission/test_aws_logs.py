"""The logs of jobs on AWS: moto keeps the clusters, the job runs and the buckets."""
from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkkit import cli
from tests.submission.model import WHY
from tests.submission.moto_server import KEYS, moto

CONTAINER = "containers/application_1_0001/container_1_0001_01_000001/stdout.gz"
WORDS = "java.lang.OutOfMemoryError: Java heap space"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture
def aws(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Clients of a server, to which the environments `emr` and `emr-serverless` of a project here lead."""
    boto3 = pytest.importorskip("boto3", reason=WHY)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "conf" / "env").mkdir(parents=True)
    (tmp_path / "jobs").mkdir()
    for target in ("emr", "emr-serverless"):
        text = f'[submit]\ntarget = "{target}"\nregion = "eu-central-1"\nendpoint = "{server}"\n'
        (tmp_path / "conf" / "env" / f"{target}.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    s3 = boto3.client("s3", endpoint_url=server)
    s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield lambda service: boto3.client(service, endpoint_url=server)
    for one in s3.list_objects_v2(Bucket="logs").get("Contents", ()):
        s3.delete_object(Bucket="logs", Key=one["Key"])
    s3.delete_bucket(Bucket="logs")


def step(aws: Callable[[str], Any], log_uri: str | None = "s3n://logs/emr/") -> str:
    """A step of a cluster of its own, as `submit` names it and `logs` takes it."""
    emr, said = aws("emr"), {"LogUri": log_uri} if log_uri else {}
    cluster = emr.run_job_flow(Name="x", Instances={"MasterInstanceType": "m5.large", "SlaveInstanceType": "m5.large", "InstanceCount": 1},
                               JobFlowRole="r", ServiceRole="r", **said)["JobFlowId"]
    made = emr.add_job_flow_steps(JobFlowId=cluster, Steps=[{"Name": "x", "HadoopJarStep": {"Jar": "command-runner.jar"}}])
    return f"{cluster}/{made['StepIds'][0]}"


def put(aws: Callable[[str], Any], key: str, text: str, cut: int | None = None) -> None:
    data = gzip.compress(text.encode()) if key.endswith(".gz") else text.encode()
    aws("s3").put_object(Bucket="logs", Key=key, Body=data[:cut])


def kept(aws: Callable[[str], Any]) -> str:
    """A step with what EMR keeps of one whose driver ran on the cluster."""
    job = step(aws)
    cluster, _, name = job.partition("/")
    put(aws, f"emr/{cluster}/steps/{name}/stderr.gz", "INFO Submitted application application_1_0001\n")
    put(aws, f"emr/{cluster}/{CONTAINER}", f"{WORDS}\n")
    put(aws, f"emr/{cluster}/containers/application_9_0009/container_9/stdout.gz", "of another job\n")
    return job


def test_a_step_s_logs_come_with_those_of_its_containers(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs", kept(aws)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "==> stderr <==", "INFO Submitted application application_1_0001",
        "==> application_1_0001/container_1_0001_01_000001/stdout <==", WORDS,
    ]


def test_an_application_s_containers_are_found_by_its_cluster(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    cluster = kept(aws).partition("/")[0]
    with Path("conf/env/emr.toml").open("a", encoding="utf-8") as conf:
        conf.write(f'cluster = "{cluster}"\n')
    assert cli.main(["logs", "application_1_0001", "--env", "emr"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [WORDS]


def test_why_reads_a_step_s_logs(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["why", kept(aws), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["causes"][0]["cause"] == "out_of_memory"


def test_a_job_run_s_logs_are_those_of_its_driver_and_executors(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    serverless = aws("emr-serverless")
    home = serverless.create_application(name="x", releaseLabel="emr-7.14.0", type="SPARK")["applicationId"]
    where = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs/less/"}}}
    run = serverless.start_job_run(applicationId=home, executionRoleArn="arn:aws:iam::123456789012:role/x", clientToken="t",
                                   jobDriver={"sparkSubmit": {"entryPoint": "s3://x/y.py"}}, configurationOverrides=where)["jobRunId"]
    put(aws, f"less/applications/{home}/jobs/{run}/SPARK_DRIVER/stderr.gz", "of the driver\n")
    put(aws, f"less/applications/{home}/jobs/{run}/SPARK_EXECUTOR/1/stderr.gz", "of an executor\n")
    assert cli.main(["logs", f"{home}/{run}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-4:] == ["==> SPARK_DRIVER/stderr <==", "of the driver", "==> SPARK_EXECUTOR/1/stderr <==", "of an executor"]


def test_a_log_that_is_cut_off_is_shown_as_far_as_it_goes(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    job = step(aws)
    text = "".join(f"line {i}\n" for i in range(5000))
    put(aws, f"emr/{job.replace('/', '/steps/')}/stderr.gz", text, cut=-1000)
    assert cli.main(["logs", job]) == 0
    assert 1000 < len(capsys.readouterr().out.splitlines()) < 5000


@pytest.mark.parametrize(("log_uri", "said"), [
    ("s3://logs/emr", "has no logs below s3://logs/emr/j-"),
    (None, "keeps its logs nowhere on S3"),
])
def test_where_there_are_no_logs_it_is_said(
    aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str], log_uri: str | None, said: str,
) -> None:
    assert cli.main(["logs", step(aws, log_uri)]) == 3
    assert said in capsys.readouterr().err


def test_what_aws_does_not_know_is_said(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs", "j-NOBODY/s-NOBODY"]) == 2
    assert "j-NOBODY" in capsys.readouterr().err


def test_an_object_can_t_lead_out_of_the_folder(aws: Callable[[str], Any], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    job = step(aws)
    put(aws, f"emr/{job.replace('/', '/steps/')}/../../../out.txt", "x")
    assert cli.main(["logs", job]) in (2, 3)
    assert not (tmp_path / "out.txt").exists()
