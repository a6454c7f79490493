"""EMR without AWS: what `submit` puts on moto's EMR over HTTP is read back, and its exact arguments run on a real YARN, with a real S3."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyspark
import pytest

from scripts import objects
from tests.e2e import cluster, environments
from tests.e2e.buckets import Bucket
from tests.e2e.cluster import POPULATION
from tests.submission.model import WHY
from tests.submission.moto_server import moto

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = environments.ROOT
ROLE = "arn:aws:iam::123456789012:role/sparkkit"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with cluster.running("hdfs", "yarn", "s3") as found:
        made, file = Bucket(found), tmp_path_factory.mktemp("in") / "population.csv"
        file.write_text(POPULATION, encoding="utf-8")
        made.put(file, "in/population_report")
        made.put(ROOT / "data" / "books", "in/word_count")
        yield made


@pytest.fixture
def aws() -> Iterator[str]:
    with moto() as url:
        yield url


def client(service: str, url: str) -> Any:
    boto3 = pytest.importorskip("boto3", reason=WHY)
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    return boto3.client(service, endpoint_url=url, **keys)


def project(folder: Path, target: str, bucket: Bucket, endpoint: str, **submit: str) -> Path:
    """A project whose profile of this target leads to the servers here."""
    for name in ("jobs", "schemas"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "conf" / "env").mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "population_report.toml", folder / "conf")
    said = {"target": target, "code": f"s3://{bucket.name}/code", "region": "us-east-1", "python": sys.executable, **submit}
    lines = ["[submit]", *(f'{key} = "{value}"' for key, value in said.items()), "[submit.endpoint]",
             f'"{target}" = "{endpoint}"', f's3 = "{bucket.found["AWS_ENDPOINT_URL_S3"]}"',
             "[ledger]", f'path = "s3://{bucket.name}/ledger"', "[run]", "event_log = false",
             "[spark]", '"spark.driver.memoryOverhead" = "1g"']  # Python, Delta and S3A take more than the nodes' default here
    (folder / "conf" / "env" / f"{target}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(bucket: Bucket, words: list[str]) -> subprocess.CompletedProcess[str]:
    """spark-submit, with what the master of a cluster has: its conf, and S3A."""
    home = Path(pyspark.__file__).parent
    own = {"SPARK_HOME": str(home), "SPARK_DIST_CLASSPATH": objects.classpath(), "SPARK_LOCAL_IP": "127.0.0.1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK", "PYTHON"))}
    env = {**kept, **bucket.found, **own}
    return subprocess.run([str(home / "bin" / "spark-submit"), *words], env=env, capture_output=True, text=True, check=False, timeout=900)


def rows(folder: Path) -> list[tuple[object, ...]]:
    return sorted(duckdb.sql(f"select * from '{folder}/*.parquet'").fetchall())


def asked(bucket: Bucket, job: str, out: str) -> list[str]:
    return ["--input", f"s3://{bucket.name}/in/{job}", "--output", f"s3://{bucket.name}/{out}"]


def same(bucket: Bucket, job: str, out: str, tmp_path: Path) -> bool:
    (tmp_path / "population.csv").write_text(POPULATION, encoding="utf-8")
    source = str(tmp_path / "population.csv") if job == "population_report" else "data/books"
    done = cluster.submit({}, job, "--input", source, "--output", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    return rows(bucket.get(out, tmp_path / "there")) == rows(tmp_path / "here") != []


@pytest.mark.parametrize("job", ["word_count", "population_report"])
def test_the_arguments_of_a_step_give_the_rows_of_a_run_here(bucket: Bucket, aws: str, job: str, tmp_path: Path) -> None:
    emr = client("emr", aws)
    machines = {"MasterInstanceType": "m7g.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    home = emr.run_job_flow(Name="c", ReleaseLabel="emr-7.14.0", Instances=machines)["JobFlowId"]
    made = project(tmp_path / "project", "emr", bucket, aws, cluster=home)
    done = cluster.submit(bucket.found, "--target", "emr", job, *asked(bucket, job, f"emr/{job}"), cwd=made)
    assert done.returncode == 0, done.stderr
    (step,) = emr.list_steps(ClusterId=home)["Steps"]
    program, *words = step["Config"]["Args"]
    assert (program, step["Config"]["Jar"]) == ("spark-submit", "command-runner.jar")
    done = run(bucket, words)
    assert done.returncode == 0, done.stderr[-5000:]
    assert same(bucket, job, f"emr/{job}", tmp_path)


def test_the_request_of_emr_serverless_gives_the_rows_of_a_run_here(bucket: Bucket, aws: str, tmp_path: Path) -> None:
    serverless = client("emr-serverless", aws)
    home = serverless.create_application(name="a", releaseLabel="emr-7.14.0", type="SPARK", clientToken="t")["applicationId"]
    made = project(tmp_path / "project", "emr-serverless", bucket, aws, application=home, execution_role=ROLE)
    words = asked(bucket, "word_count", "serverless/words")
    done = cluster.submit(bucket.found, "--target", "emr-serverless", "word_count", *words, cwd=made)
    assert done.returncode == 0, done.stderr
    (run_id,) = (one["id"] for one in serverless.list_job_runs(applicationId=home)["jobRuns"])
    kept = serverless.get_job_run(applicationId=home, jobRunId=run_id)["jobRun"]
    driver = kept["jobDriver"]["sparkSubmit"]
    (said,) = kept["configurationOverrides"]["applicationConfiguration"]
    # the service's own settings for its containers' variables have another name on YARN
    settings = [word for key, value in said["properties"].items() for word in (
        "--conf", f"{key.replace('spark.emr-serverless.driverEnv.', 'spark.yarn.appMasterEnv.')}={value}")]
    done = run(bucket, ["--master", "yarn", "--deploy-mode", "cluster", *settings, driver["entryPoint"], *driver["entryPointArguments"]])
    assert done.returncode == 0, done.stderr[-5000:]
    assert same(bucket, "word_count", "serverless/words", tmp_path)
    assert json.dumps(driver["entryPointArguments"]).count("s3://") == 2
