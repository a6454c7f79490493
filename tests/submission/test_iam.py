"""The policy of a job's role: as expected, wide enough for what a run touches on S3, and no wider."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sparkkit.conf import Conf, InputConf, OutputConf
from sparkkit.errors import UsageError
from sparkkit.submission.iam import document, elsewhere, policy, trust
from tests.submission.golden import expected

ROLE = "arn:aws:iam::123456789012:role/jobs/names"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1a2b"
LEDGER = "s3://state/ledger"
CONF = Conf(
    inputs={
        "people": InputConf(path=("s3://raw/people/2024-*/*.csv", "s3a://raw/people/all")), "rates": InputConf(path=("data/rates.csv",)),
    },
    outputs={"good": OutputConf(path="s3://lake/names/", format="delta"), "more": OutputConf(path="s3://lake/more", format="delta")},
    run={}, spark={"spark.jars": "/usr/share/x.jar,s3://code/jars/y.jar"}, params={}, origins={},
    submit={"code": "s3://code/sparkkit", "log_uri": "s3://logs/emr/", "kms_keys": (KEY,), "region": "eu-central-1"},
)
SERVERLESS = replace(CONF, submit={**CONF.submit, "application": "00f", "execution_role": ROLE})


def matches(pattern: str, text: str) -> bool:
    signs = {"*": ".*", "?": ".", "${*}": r"\*", "${?}": r"\?", "${$}": r"\$"}
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    return bool(re.fullmatch("".join(signs.get(part) or re.escape(part) for part in parts), text))


def allows(found: Mapping[str, Any], action: str, resource: str, prefix: str | None = None) -> bool:
    """What IAM would say."""
    for one in found["Statement"]:
        hit = action in one["Action"] and any(matches(pattern, f"arn:aws:s3:::{resource}") for pattern in one["Resource"])
        prefixes = one.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        if hit and (prefixes is None or (prefix is not None and any(matches(pattern, prefix) for pattern in prefixes))):
            return True
    return False


@pytest.mark.parametrize(("name", "conf", "target"), [("iam-emr", CONF, "emr"), ("iam-serverless", SERVERLESS, "emr-serverless")])
def test_the_document_is_as_expected(name: str, conf: Conf, target: str) -> None:
    expected(f"{name}.json", json.dumps(document(conf, target, LEDGER), indent=2))


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("GetObject", "raw/people/2024-01/a.csv"),
        ("GetObject", "raw/people/all"),
        ("GetObject", "raw/people/all/part-0.csv"),
        ("GetObject", "raw/people/.all.sparkkit/log/000000000001"),
        ("PutObject", "lake/names/_delta_log/00000000000000000000.json"),
        ("DeleteObject", "lake/.names.staging-names-20261129T015110-0a1b2c/staged/part-0.parquet"),
        ("PutObject", "lake/.names.sparkkit/log/000000000001"),
        ("PutObject", "lake/.names.quarantine.staging-names-20261129T015110-0a1b2c/shelf/0/run_id=x/part-0.parquet"),
        ("AbortMultipartUpload", "lake/names.quarantine/run_id=x/part-0.parquet"),
        ("GetObject", "lake/more"),
        ("PutObject", "state/ledger/2026-11-29/names.json"),
        ("GetObject", "code/sparkkit/0a1b/names.py"),
        ("GetObject", "code/jars/y.jar"),
        ("PutObject", "logs/emr/j-1/steps/s-1/stderr.gz"),
    ],
)
def test_what_a_run_touches_is_allowed(action: str, resource: str) -> None:
    assert allows(policy(CONF, "emr", LEDGER), f"s3:{action}", resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("PutObject", "raw/people/all/part-0.csv"),
        ("GetObject", "raw/people/2023-01/a.csv"),
        ("GetObject", "raw/people/all2/part-0.csv"),
        ("GetObject", "raw/other"),
        ("PutObject", "lake/names2/x"),
        ("PutObject", "lake/more.quarantine/x"),
        ("PutObject", "lake/x"),
        ("PutObject", "state/ledgers"),
        ("PutObject", "code/sparkkit/0a1b/names.py"),
        ("GetObject", "code/jars/z.jar"),
        ("GetObject", "logs/emr/j-1/steps/s-1/stderr.gz"),
        ("GetObject", "xraw/people/all"),
    ],
)
def test_nothing_else_is(action: str, resource: str) -> None:
    assert not allows(policy(CONF, "emr", LEDGER), f"s3:{action}", resource)


@pytest.mark.parametrize(
    ("bucket", "prefix", "allowed"),
    [
        ("raw", "people/", True), ("raw", "people/2024-01/", True), ("raw", "people/all/", True), ("raw", "people/all/sub/", True),
        ("raw", "people/all", True), ("raw", "people/.all.sparkkit", True),
        ("lake", ".names.sparkkit/log/", True), ("lake", "names", True),
        ("raw", "", False), ("raw", None, False), ("raw", "people/all2/", False), ("raw", "names/", False),
        ("lake", "names/", True), ("lake", "names2/", False),
        ("lake", "names/_delta_log/", True), ("lake", ".names.staging-x/staged/", True), ("lake", "", False),
        ("state", "ledger/2026-11-29/", True), ("state", "", False), ("code", "sparkkit/", False),
    ],
)
def test_a_bucket_is_listed_by_the_same_prefixes(bucket: str, prefix: str | None, allowed: bool) -> None:
    assert allows(policy(CONF, "emr", LEDGER), "s3:ListBucket", bucket, prefix) is allowed


def test_signs_of_iam_in_a_folders_name_are_themselves() -> None:
    conf = replace(CONF, outputs={"x": OutputConf(path="s3://lake/a*b?$c")})
    assert allows(policy(conf, "emr", ""), "s3:PutObject", "lake/a*b?$c/x")
    assert not allows(policy(conf, "emr", ""), "s3:PutObject", "lake/aabb$c/x")


def test_code_and_logs_are_for_the_targets_that_use_them() -> None:
    kept = replace(CONF, submit={**CONF.submit, "cluster": "j-1", "bootstrap": ("s3://code/b.sh",)})
    names = {target: [one["Sid"] for one in policy(kept, target, LEDGER)["Statement"]] for target in ("emr", "emr-serverless", "yarn")}
    assert names["emr"] == ["Read", "Write", "Code", "List1", "List2", "List3", "Keys"]
    assert names["yarn"] == names["emr"]  # the jar on S3
    assert not allows(policy(kept, "yarn", LEDGER), "s3:GetObject", "code/sparkkit/x")
    assert not allows(policy(kept, "emr", LEDGER), "s3:GetObject", "code/b.sh")
    own = replace(kept, submit={**kept.submit, "cluster": None})
    assert allows(policy(own, "emr", ""), "s3:GetObject", "code/b.sh")


def test_paths_that_are_not_on_s3_are_told() -> None:
    assert elsewhere(CONF) == ["data/rates.csv"]


def test_a_step_with_a_role_of_its_own_is_trusted_to_the_machines_role() -> None:
    found = trust({"execution_role": ROLE, "instance_profile": "EMR_EC2"}, "emr")
    assert found["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::123456789012:role/EMR_EC2"}


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (Conf({}, {}, {}, {}, {}, {}), "no input, output or ledger on S3"),
        (replace(CONF, outputs={"x": OutputConf(path="s3://lake")}), "is a whole bucket"),
        (replace(CONF, submit={"kms_keys": ("key",)}), "the ARNs of keys"),
        (replace(CONF, submit={"execution_role": ROLE}), "nothing says which role they have"),
    ],
)
def test_what_makes_no_policy_is_refused(conf: Conf, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        document(conf, "emr", "/ledger")
