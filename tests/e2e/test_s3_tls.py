"""Jobs on a real S3 server over TLS, whose CA nobody knows, and with the keys of a role that was assumed."""
from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import cluster, environments
from tests.e2e.buckets import ROLE, SecureBucket, compact, policy, rows, table, words

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = environments.ROOT
MORE: Mapping[str, list[str]] = {"word_count": [], "names": ["--over", "300000"]}
PLACES = {"word_count": "data/books", "names": "data/names/csv"}
Here = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, str]]:
    with cluster.running("minio") as variables:
        yield variables


@pytest.fixture(scope="module")
def bucket(found: dict[str, str]) -> SecureBucket:
    made = SecureBucket(found)
    for job, place in PLACES.items():
        made.put(ROOT / place, f"in/{job}")
    return made


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Here:
    """The rows of a run on this machine's disk."""
    @cache
    def run(job: str) -> list[tuple[object, ...]]:
        out = tmp_path_factory.mktemp("here") / "out"
        done = cluster.submit({}, job, "--input", PLACES[job], "--output", str(out), *MORE[job])
        assert done.returncode == 0, done.stderr
        return rows(f"{out}/*.parquet")

    return run


def without_bundle(bucket: SecureBucket) -> dict[str, str]:
    return {name: value for name, value in bucket.found.items() if name != "AWS_CA_BUNDLE"}


def trusting(found: Mapping[str, str], *more: str) -> list[str]:
    """Options of spark-submit that name the trust store, for each JVM."""
    java = (f"-Djavax.net.ssl.trustStore={found['SPARKKIT_MINIO_TRUST']}"
            f" -Djavax.net.ssl.trustStorePassword={found['SPARKKIT_MINIO_PASSWORD']}")
    settings = [f"spark.{part}.extraJavaOptions={java}" for part in ("driver", "executor")]
    return [word for setting in (*settings, *more) for word in ("--conf", setting)]


def less(whole: Mapping[str, Any], statement: str) -> dict[str, Any]:
    left = [one for one in whole["Statement"] if one["Sid"] != statement]
    assert len(left) == len(whole["Statement"]) - 1
    return {**whole, "Statement": left}


@pytest.mark.parametrize("by", ["bundle", "store", "store of executors"])
def test_over_tls_a_job_gives_the_rows_of_a_run_here(
    bucket: SecureBucket, found: dict[str, str], here: Here, by: str, tmp_path: Path,
) -> None:
    out = f"tls/{by.replace(' ', '-')}"
    apart = ["spark.master=local-cluster[1,1,1024]"] if "executors" in by else []
    options = [] if by == "bundle" else trusting(found, *apart)
    done = cluster.submit(bucket.found if by == "bundle" else without_bundle(bucket), *options, *words(bucket, "word_count", out))
    assert done.returncode == 0, done.stderr
    bucket.get(out, tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == here("word_count") != []


@pytest.mark.parametrize("by", ["bundle", "store"])
def test_over_tls_a_delta_table_has_the_rows_of_a_run_here(
    bucket: SecureBucket, found: dict[str, str], here: Here, by: str, tmp_path: Path,
) -> None:
    asked = [*words(bucket, "names", f"tls/{by}-delta"), "--output-format", "delta", *MORE["names"]]
    variables, options = (bucket.found, []) if by == "bundle" else (without_bundle(bucket), trusting(found))
    done = cluster.submit(variables, *options, *asked)
    assert done.returncode == 0, done.stderr
    bucket.get(f"tls/{by}-delta", tmp_path / "there")
    assert table(tmp_path / "there") == here("names") != []


@pytest.mark.parametrize("role", [False, True])
def test_a_certificate_that_java_does_not_trust_is_told_at_once(bucket: SecureBucket, role: bool) -> None:
    asked, began = words(bucket, "word_count", f"tls/untrusted{role}"), time.monotonic()
    done = cluster.submit(without_bundle(bucket), *(assuming() if role else []), *asked)
    seconds = time.monotonic() - began
    assert (done.returncode, bucket.keys(f"tls/untrusted{role}/")) == (2, [])
    said = rf"does not trust the certificate of https://127\S+, the server for s3a?://{bucket.name}/.*AWS_CA_BUNDLE"
    assert re.search(said, done.stderr), done.stderr
    assert seconds < 90, "S3A repeats its requests for three minutes"


def test_a_session_with_exactly_its_policy_gives_the_rows_of_a_run_here(bucket: SecureBucket, here: Here, tmp_path: Path) -> None:
    asked = words(bucket, "word_count", "session/words")
    done = cluster.submit(bucket.session(policy(bucket, asked)), *asked)
    assert done.returncode == 0, done.stderr
    bucket.get("session/words", tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == here("word_count") != []


def test_a_session_without_the_right_to_write_writes_nothing(bucket: SecureBucket) -> None:
    asked = words(bucket, "word_count", "session/denied")
    done = cluster.submit(bucket.session(less(policy(bucket, asked), "Write")), *asked)
    assert (done.returncode, bucket.keys("session/denied"), bucket.keys("session/.denied")) == (2, [], [])
    assert re.search(rf"S3 denies (s3:\w+|access) on s3a?://{bucket.name}/", done.stderr), done.stderr


@pytest.mark.parametrize("token", ["of another", ""])
def test_a_session_with_a_wrong_token_is_refused(bucket: SecureBucket, token: str) -> None:
    asked = words(bucket, "word_count", "session/wrong")
    whole = policy(bucket, asked)
    other = {"AWS_SESSION_TOKEN": bucket.session(whole)["AWS_SESSION_TOKEN"] if token else ""}
    done = cluster.submit({**bucket.session(whole), **other}, *asked)
    assert (done.returncode, bucket.keys("session/wrong")) == (2, [])
    assert re.search(rf"S3 denies access on s3a?://{bucket.name}/\S+: check the key, whether its session is over", done.stderr), done.stderr


def assuming(policy: Mapping[str, Any] | None = None) -> list[str]:
    """Options of spark-submit by which S3A itself assumes a role, with a policy of the session."""
    settings = {"aws.credentials.provider": "org.apache.hadoop.fs.s3a.auth.AssumedRoleCredentialProvider", "assumed.role.arn": ROLE,
                **({"assumed.role.policy": compact(policy)} if policy else {})}
    return [word for name, value in settings.items() for word in ("--conf", f"spark.hadoop.fs.s3a.{name}={value}")]


def test_s3a_itself_assumes_a_role_and_keeps_to_its_policy(bucket: SecureBucket, here: Here, tmp_path: Path) -> None:
    asked, refused = words(bucket, "word_count", "role/words"), words(bucket, "word_count", "role/denied")
    caller = bucket.caller()
    done = cluster.submit(caller, *assuming(policy(bucket, asked)), *asked)
    assert done.returncode == 0, done.stderr
    bucket.get("role/words", tmp_path / "there")
    assert rows(f"{tmp_path}/there/*.parquet") == here("word_count") != []
    done = cluster.submit(caller, *assuming(less(policy(bucket, refused), "Write")), *refused)
    assert (done.returncode, bucket.keys("role/denied"), bucket.keys("role/.denied")) == (2, [], [])
    assert re.search(rf"S3 denies (s3:\w+|access) on s3a?://{bucket.name}/", done.stderr), done.stderr


def test_a_role_that_sts_does_not_give_is_told(bucket: SecureBucket) -> None:
    asked = words(bucket, "word_count", "role/refused")
    done = cluster.submit({**bucket.caller(), "AWS_SECRET_ACCESS_KEY": "wrong"}, *assuming(), *asked)
    assert (done.returncode, bucket.keys("role/refused")) == (2, [])
    assert "STS does not give the role for S3: The request signature" in done.stderr, done.stderr
