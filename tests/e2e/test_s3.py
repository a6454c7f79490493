"""Jobs on a real S3 server, whose keys and policies hold: the rows of a run here, what is refused, and the least that a job needs."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e import cluster, environments
from tests.e2e.buckets import Bucket, policy, rows, table, words
from tests.e2e.cluster import POPULATION

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.timeout(1800)]
ROOT = environments.ROOT

@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with cluster.running("s3") as found:
        made, file = Bucket(found), tmp_path_factory.mktemp("in") / "population.csv"
        file.write_text(POPULATION, encoding="utf-8")
        made.put(ROOT / "data" / "books", "in/word_count")
        made.put(ROOT / "data" / "names" / "csv", "in/names")
        made.put(file, "in/population_report")
        yield made


def test_the_protocol_holds_on_s3(bucket: Bucket) -> None:
    env = {**os.environ, **bucket.found, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "pytest", "-q", "-o", "sparkkit_needs=s3", "tests/e2e/s3_session.py"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1])


def test_with_exactly_its_policy_a_job_gives_the_rows_of_a_run_here(bucket: Bucket, tmp_path: Path) -> None:
    asked = words(bucket, "word_count", "policy/words")
    done = cluster.submit(bucket.user(policy(bucket, asked)), *asked)
    assert done.returncode == 0, done.stderr
    assert cluster.submit({}, "word_count", "--input", "data/books", "--output", str(tmp_path / "here")).returncode == 0
    bucket.get("policy/words", tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == rows(f"{tmp_path}/here/*.parquet") != []


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_a_report_gives_the_rows_of_a_run_here(bucket: Bucket, tmp_path: Path, scheme: str) -> None:
    asked = words(bucket, "population_report", f"{scheme}/report", scheme)
    done = cluster.submit(bucket.user(policy(bucket, asked)), *asked)
    assert done.returncode == 0, done.stderr
    (tmp_path / "population.csv").write_text(POPULATION, encoding="utf-8")
    done = cluster.submit({}, "population_report", "--input", str(tmp_path / "population.csv"), "--output", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    bucket.get(f"{scheme}/report", tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == rows(f"{tmp_path}/here/*.parquet") != []


@pytest.mark.long
def test_a_delta_table_has_the_rows_of_a_run_here_and_again(bucket: Bucket, tmp_path: Path) -> None:
    asked = [*words(bucket, "names", "delta/names"), "--output-format", "delta", "--over", "300000"]
    user = bucket.user(policy(bucket, asked))
    for _ in range(2):
        done = cluster.submit(user, *asked)
        assert done.returncode == 0, done.stderr
    assert cluster.submit({}, "names", "--input", "data/names/csv", "--output", str(tmp_path / "here"), "--over", "300000").returncode == 0
    bucket.get("delta/names", tmp_path / "there")
    assert table(tmp_path / "there") == rows(f"{tmp_path}/here/*.parquet") != []


@pytest.mark.long
@pytest.mark.parametrize("statement", ["Read", "Write", "List1"])
def test_without_any_one_statement_of_its_policy_a_job_fails(bucket: Bucket, statement: str) -> None:
    asked = words(bucket, "word_count", f"without/{statement}")
    whole = policy(bucket, asked)
    left = [one for one in whole["Statement"] if one["Sid"] != statement]
    assert len(left) == len(whole["Statement"]) - 1 == 2
    done = cluster.submit(bucket.user({**whole, "Statement": left}), *asked)
    assert (done.returncode, bucket.keys(f"without/{statement}/")) == (2, [])
    assert re.search(rf"S3 denies (s3:\w+|access) on s3a?://{bucket.name}/", done.stderr)


REFUSED: dict[str, tuple[Mapping[str, str], str, str, int, str]] = {
    "a wrong secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "in/word_count", "", 2, "S3 denies access on s3a?://{name}/out/refused"),
    "no keys": ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent"}, "in/word_count", "", 2,
                "there are no credentials for s3a?://{name}/out/refused"),
    "no such bucket": ({}, "in/word_count", "not-{name}", 3, "there is no bucket for s3a?://not-{name}/in"),
    "no such prefix": ({}, "in/nowhere", "", 3, "nothing is at s3://{name}/in/nowhere"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_s3_refuses_is_told_by_its_path(bucket: Bucket, name: str) -> None:
    variables, source, other, code, said = REFUSED[name]
    at = f"s3://{other.format(name=bucket.name) or bucket.name}/{source}"
    done = cluster.submit({**bucket.found, **variables}, "word_count", "--input", at, "--output", f"s3://{bucket.name}/out/refused")
    assert (done.returncode, bucket.keys("out/refused")) == (code, [])
    assert re.search(said.format(name=bucket.name), done.stderr), done.stderr


@pytest.mark.long
@pytest.mark.parametrize("denied", ["in/word_count", "denied/words"])
def test_a_denied_prefix_is_named(bucket: Bucket, denied: str) -> None:
    asked = words(bucket, "word_count", "denied/words")
    whole = policy(bucket, asked)
    arn = f"arn:aws:s3:::{bucket.name}/{denied}"
    no = {"Effect": "Deny", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    done = cluster.submit(bucket.user({**whole, "Statement": [*whole["Statement"], no]}), *asked)
    assert (done.returncode, bucket.keys("denied/words/")) == (2, [])
    assert re.search(rf"S3 denies (s3:\w+|access) on s3a?://{bucket.name}/{denied}", done.stderr), done.stderr
