"""The S3 server of `scripts/cluster.sh`, for the tests: a bucket of their own, and users whose policies the server enforces."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4


class Bucket:
    """A bucket; `found` are the variables that lead to the server as its root."""

    def __init__(self, found: Mapping[str, str]) -> None:
        import boto3

        keys = {"aws_access_key_id": found["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": found["AWS_SECRET_ACCESS_KEY"],
                "region_name": found["AWS_REGION"]}
        self.found = dict(found)
        self.name = f"test-{uuid4().hex[:12]}"
        self.root = f"s3a://{self.name}"
        self._s3 = boto3.client("s3", endpoint_url=found["AWS_ENDPOINT_URL_S3"], **keys)
        self._iam = boto3.client("iam", endpoint_url=found["SPARKKIT_IAM"], **keys)
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
        name = f"u{uuid4().hex[:12]}"
        self._iam.create_user(UserName=name)
        self._iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        return {**self.found, "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
