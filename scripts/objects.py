"""The S3 server of `scripts/cluster.sh`: versitygw over a folder, and its IAM server, whose users' policies it enforces.

versitygw (Apache-2.0) is built from its Go module, once, into `bin` of the cluster's folder.
"""
from __future__ import annotations

import os
import secrets
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from socket import create_connection

from scripts import golang
from scripts.daemons import HERE, Daemon
from sparkkit import jars

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
REGION = "us-east-1"
ROOT = "sparkkit"
"""The key of the user who may do everything."""


def plan(folder: Path, ports: Mapping[str, int]) -> Iterator[Daemon]:
    """The IAM server, and the gateway, which asks it through a socket.

    Raises:
        MissingError: versitygw is not here, and can't be built.
    """
    program = golang.program(MODULE, folder / "bin", "S3")
    for name in ("iam", "buckets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    root = {"ROOT_ACCESS_KEY": ROOT, "ROOT_SECRET_KEY": secret(folder)}
    socket = f"@sparkkit-iam-{ports['iam']}"  # one without a file: a path may be too long for a socket
    words = [program, "--port", f"{HERE}:{ports['iam']}", "iam", "--dir", str(folder / "iam"), "--private-ports", socket]
    yield Daemon("iam", words, partial(_listens, ports["iam"]), environment=root, mark=str(folder / "iam"))
    words = [program, "--port", f"{HERE}:{ports['s3']}", "--region", REGION, "--health", "/health",
             "--iam-standalone-endpoint", socket, "--iam-cache-disable", "posix", str(folder / "buckets")]
    wait = ["timeout", "60", "sh", "-c", 'until grep -q "$0" /proc/net/unix; do sleep 0.1; done', socket]  # else it waits 30 s itself
    yield Daemon("s3", words, partial(_is_well, ports["s3"]), [wait], root, str(folder / "buckets"))


def secret(folder: Path) -> str:
    """The secret of the root's key, the same one as long as the folder is there."""
    file = folder / "s3.secret"
    if not file.is_file():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(20), encoding="utf-8")
    return file.read_text(encoding="utf-8")


def variables(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """What leads Amazon's tools, and sparkkit, to the server, as its root."""
    return {"SPARKKIT_IAM": f"http://{HERE}:{ports['iam']}", "AWS_ENDPOINT_URL_S3": f"http://{HERE}:{ports['s3']}", "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT, "AWS_SECRET_ACCESS_KEY": secret(folder), "AWS_EC2_METADATA_DISABLED": "true"}


def hadoop(folder: Path, ports: Mapping[str, int]) -> dict[str, object]:
    """The same for a cluster's own conf, which reaches every container."""
    return {"fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem", "fs.s3a.endpoint": f"http://{HERE}:{ports['s3']}",
            "fs.s3a.endpoint.region": REGION, "fs.s3a.path.style.access": "true",
            "fs.s3a.access.key": ROOT, "fs.s3a.secret.key": secret(folder)}


def classpath() -> str:
    """S3A and what it needs, as a cluster's nodes have it."""
    return os.pathsep.join(jars.paths("s3"))


def _listens(port: int) -> bool:
    with create_connection((HERE, port), timeout=5):
        return True


def _is_well(port: int) -> bool:
    with urllib.request.urlopen(f"http://{HERE}:{port}/health", timeout=5):
        return True
