"""What a session needs beside Spark itself: groups of jars in `conf/jars.lock`, and settings that go with them."""
from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sparkkit.conf import Conf, InputConf, OutputConf

DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # the default reads each table's state in a stage of 50 tasks
    "spark.databricks.delta.snapshotPartitions": "2",
}

S3: Mapping[str, str] = {
    # a path that was written for EMR leads to the same object here
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    # a conf's own keys, then the usual chain: variables, web identity, profile, container, instance
    "spark.hadoop.fs.s3a.aws.credentials.provider": ",".join((
        "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider", "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider")),
}

COMMITTERS: Mapping[str, str] = {
    # what a task wrote is completed as an upload when the job is done, in place of two copies of each file
    "spark.sql.sources.commitProtocolClass": "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
    "spark.sql.parquet.output.committer.class": "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
    "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a": "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
    "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3": "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
    "spark.hadoop.fs.s3a.committer.name": "magic",
}
"""Where the jars are ours: a cluster has its own, or none."""

LOG_STORES: Mapping[str, str] = {
    # Delta's own looks first and puts then, which keeps only the writers of one JVM apart
    f"spark.delta.logStore.{scheme}.impl": "sparkkit.delta.ConditionalLogStore" for scheme in ("s3a", "s3")
}

DRIVERS = ("postgresql", "sqlite")
"""The groups of databases, by the words of their URLs."""

_S3 = re.compile(r"s3[an]?://", re.IGNORECASE)


def of(conf: Conf) -> tuple[str, ...]:
    """The groups that a run with this conf needs: `delta` by a format or, on a local disk, by a table's log; `s3` and a
    database's by a path."""
    edges: list[InputConf | OutputConf] = [*conf.inputs.values(), *conf.outputs.values()]
    paths = [path for edge in conf.inputs.values() for path in edge.path if edge.format is None]
    delta = "delta" in [edge.format for edge in edges] or any(map(is_delta, paths))
    s3 = any(on_s3(text) for text in _texts([edges, conf.run, conf.ledger, conf.spark]))
    urls = [path for edge in edges for path in ([edge.path] if isinstance(edge.path, str) else edge.path or ())]
    return named(delta=delta, s3=s3, **{name: any(url.startswith(f"jdbc:{name}:") for url in urls) for name in DRIVERS})


def named(**wanted: bool) -> tuple[str, ...]:
    """The names of what is wanted.

    >>> named(delta=True, s3=False)
    ('delta',)
    """
    return tuple(name for name, want in wanted.items() if want)


def is_delta(path: str) -> bool:
    """Whether a path on a local disk is a Delta table."""
    return (Path(path.removeprefix("file://")) / "_delta_log").is_dir()


def on_s3(path: str) -> bool:
    """Whether a path leads to an S3 bucket.

    >>> on_s3("s3://bucket/x"), on_s3("data/s3")
    (True, False)
    """
    return bool(_S3.match(path))


def settings(needs: Collection[str]) -> dict[str, str]:
    """The settings of Spark that go with these groups."""
    store: Mapping[str, str] = {}
    if {"delta", "s3"} <= set(needs):
        from sparkkit import jars  # here, for it needs PySpark, whose import is not to come before the JVM's start

        store = LOG_STORES if jars.has_log_store(needs) else {}
    return {**(DELTA if "delta" in needs else {}), **(_s3() if "s3" in needs else {}), **store}


def _s3() -> dict[str, str]:
    """What a machine's own conf for Hadoop says of S3 stays."""
    file = Path(os.environ.get("HADOOP_CONF_DIR") or "conf-of-nobody") / "core-site.xml"
    said = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    found = {**S3, **COMMITTERS, **_endpoint()}
    return {key: value for key, value in found.items() if f">{key.removeprefix('spark.hadoop.')}<" not in said}


def of_hadoop(settings: Mapping[str, str]) -> list[str]:
    """Those of these settings that are Hadoop's own of S3: where a cluster has its own way to S3, they are its business."""
    return [key for key in settings if key in S3 or key.startswith(("spark.hadoop.fs.s3a.endpoint", "spark.hadoop.fs.s3a.path."))]


def _endpoint() -> dict[str, str]:
    """Endpoint and region by the variables that AWS's own tools know, which S3A does not."""
    found = {}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint:
        found["spark.hadoop.fs.s3a.endpoint"] = endpoint
        # a bucket's own host name is known at AWS, seldom elsewhere
        found["spark.hadoop.fs.s3a.path.style.access"] = str(not (urlsplit(endpoint).hostname or "").endswith(".amazonaws.com")).lower()
    if region or endpoint:
        found["spark.hadoop.fs.s3a.endpoint.region"] = region or "us-east-1"
    return found


def _texts(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from _texts(getattr(value, each.name))
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
