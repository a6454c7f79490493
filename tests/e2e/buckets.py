"""The S3 servers of `scripts/cluster.sh`, for the tests: a bucket of their own, whose policies hold, and what a job left in it."""
from __future__ import annotations

import io
import json
import ssl
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.e2e import cluster

READWRITE = "readwrite"
"""MinIO's own name of a policy that allows everything in every bucket."""


class Bucket:
    """A bucket; `found` are the variables that lead to the server as its root."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self.found = dict(found)
        self.name = f"test-{uuid4().hex[:12]}"
        self.root = f"s3a://{self.name}"
        self._s3 = client("s3", found["AWS_ENDPOINT_URL_S3"], found)
        self._s3.create_bucket(Bucket=self.name)

    def put(self, local: Path, key: str) -> None:
        """A file, or the files of a folder, below a key."""
        for file in [local] if local.is_file() else sorted(f for f in local.rglob("*") if f.is_file()):
            inside = file.name if local.is_file() else file.relative_to(local).as_posix()
            self._s3.put_object(Bucket=self.name, Key=f"{key}/{inside}", Body=file.read_bytes())

    def keys(self, prefix: str = "") -> list[str]:
        """The keys below a prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def get(self, key: str, local: Path) -> Path:
        """All that is below a key, into a folder here."""
        for name in self.keys(f"{key}/"):
            file = local / name.removeprefix(f"{key}/")
            if not name.endswith("/"):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(self._s3.get_object(Bucket=self.name, Key=name)["Body"].read())
        return local

    def user(self, policy: Mapping[str, Any]) -> dict[str, str]:
        """The variables of a new user with this policy, and no other rights."""
        iam, name = client("iam", self.found["SPARKKIT_IAM"], self.found), f"u{uuid4().hex[:12]}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {**self.found, "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


class SecureBucket(Bucket):
    """A bucket of MinIO, over TLS; `found` are the variables of `scripts/minio.py`."""

    def __init__(self, found: Mapping[str, str]) -> None:
        # no others: those of the daemons that are up beside it lead to another S3
        super().__init__({
            "AWS_ENDPOINT_URL_S3": found["SPARKKIT_MINIO"], "AWS_ENDPOINT_URL_STS": found["SPARKKIT_MINIO"], "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": found["SPARKKIT_MINIO_KEY"], "AWS_SECRET_ACCESS_KEY": found["SPARKKIT_MINIO_SECRET"],
            "AWS_CA_BUNDLE": found["SPARKKIT_MINIO_CA"], "AWS_EC2_METADATA_DISABLED": "true",
        })

    def caller(self) -> dict[str, str]:
        """The variables of a new user who may do everything, and so assume a role, which MinIO's root can't.

        By the import of whole users: MinIO takes a single one only encrypted in a way of its own.
        """
        name, secret, made = f"u{uuid4().hex[:12]}", uuid4().hex, io.BytesIO()
        with zipfile.ZipFile(made, "w") as file:
            file.writestr("iam-assets/users.json", json.dumps({name: {"secretKey": secret, "status": "enabled"}}))
            file.writestr("iam-assets/user_mappings.json", json.dumps({name: {"version": 1, "policy": READWRITE}}))
        self._administer("PUT", "import-iam", made.getvalue())
        return {**self.found, "AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": secret}

    def session(self, policy: Mapping[str, Any]) -> dict[str, str]:
        """The variables of a session of a role that was assumed with this policy."""
        caller = self.caller()
        sts = client("sts", self.found["AWS_ENDPOINT_URL_STS"], caller)
        made = sts.assume_role(RoleArn=ROLE, RoleSessionName="tests", DurationSeconds=900, Policy=compact(policy))["Credentials"]
        return {**caller, "AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
                "AWS_SESSION_TOKEN": made["SessionToken"]}

    def _administer(self, method: str, verb: str, data: bytes) -> None:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        url = f"{self.found['AWS_ENDPOINT_URL_S3']}/minio/admin/v3/{verb}"
        signed = AWSRequest(method=method, url=url, data=data)
        keys = Credentials(self.found["AWS_ACCESS_KEY_ID"], self.found["AWS_SECRET_ACCESS_KEY"])
        S3SigV4Auth(keys, "s3", self.found["AWS_REGION"]).add_auth(signed)
        request = urllib.request.Request(url, method=method, data=data, headers=dict(signed.headers))
        with urllib.request.urlopen(request, timeout=60, context=ssl.create_default_context(cafile=self.found["AWS_CA_BUNDLE"])):
            pass


ROLE = "arn:aws:iam::000000000000:role/tests"
"""MinIO has no roles: any name will do, the rights are the caller's within the session's policy."""


def client(service: str, endpoint: str, found: Mapping[str, str]) -> Any:
    """A client of boto3 with the keys of these variables."""
    import boto3

    return boto3.client(service, endpoint_url=endpoint, verify=found.get("AWS_CA_BUNDLE"), region_name=found["AWS_REGION"],
                        aws_access_key_id=found["AWS_ACCESS_KEY_ID"], aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"])


def compact(policy: Mapping[str, Any]) -> str:
    """A policy without blanks: one of a session has 2,048 signs at most."""
    return json.dumps(policy, separators=(",", ":"))


def words(bucket: Bucket, job: str, out: str, scheme: str = "s3") -> list[str]:
    """A job with its options, from and to a bucket."""
    at = f"{scheme}://{bucket.name}"
    return [job, "--input", f"{at}/in/{job}", "--output", f"{at}/{out}", "--ledger", f"{at}/ledger"]


def policy(bucket: Bucket, asked: Sequence[str]) -> dict[str, Any]:
    """The policy that `sparkkit iam-policy` prints for a job."""
    done = cluster.sparkkit(bucket.found, "iam-policy", *asked)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["policy"]
    return found


def rows(files: Any) -> list[tuple[object, ...]]:
    """The rows of Parquet files, sorted."""
    import duckdb

    return sorted(duckdb.sql(f"select * from read_parquet({files!r})").fetchall())


def table(folder: Path) -> list[tuple[object, ...]]:
    """The rows of a Delta table, by its log alone."""
    log = [json.loads(line) for file in sorted(folder.glob("_delta_log/*.json")) for line in file.read_text("utf-8").splitlines()]
    return rows([str(folder / action["add"]["path"]) for action in log if "add" in action])
