"""Canaries: texts that stand for secrets, each planted where a secret of its kind stands, by our job and by a plain script alike.

As a script it is the baseline: `python canaries.py FOLDER OUTCOME`, stock PySpark doing the same work.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

SETTINGS = {
    "secret key": ("spark.hadoop.fs.s3a.secret.key", "{}"),
    "account key": ("spark.hadoop.fs.azure.account.key.acme", "{}"),
    "api_key": ("spark.x.api_key", "{}"),
    "passwd": ("spark.x.passwd", "{}"),
    "connection string": ("spark.x.connection", "Server=db;Uid=me;Pwd={};"),
    "credential": ("spark.x.credential", "{}"),
    "sas": ("spark.x.sas", "{}"),
    "SAS in an address": ("spark.x.container", "https://acme.blob.core.windows.net/x?sv=2020&sig={}"),
    "JDBC address": ("spark.x.source", "jdbc:postgresql://me:{}@db:5432/x"),
    "path with a password": ("spark.x.place", "s3a://me:{}@bucket/x"),
    "private key": ("spark.x.pem", "-----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----"),
}
"""Canaries in Spark's settings: each one's key, and the text that it stands in."""

OTHERS = (
    "parameter", "variable of the environment", "SQL literal", "AES key", "literal in a projection", "LIKE", "IN",
    "job description", "password in a description", "local property", "option of a reader", "option of a writer",
    "name of a cached frame", "password in a message", "bare parameter in a message", "address in a message", "bearer token in a cause",
    "value that is cast",
)  # fmt: skip
NAMES = (*SETTINGS, *OTHERS)
MESSAGES = ("password in a message", "address in a message", "bearer token in a cause")
ABSENT = {"succeeds": (*MESSAGES, "value that is cast"), "fails": ("value that is cast",), "cast": MESSAGES}
"""Canaries that a run of this outcome never meets, so that they prove nothing there."""


def planted(folder: Path) -> dict[str, str]:
    """The canaries of a folder: the same on each call."""
    file = folder / "canaries.json"
    if not file.exists():
        file.write_text(json.dumps({name: f"CANARY{i:02d}{os.urandom(5).hex()}" for i, name in enumerate(NAMES)}))
    found: dict[str, str] = json.loads(file.read_text())
    return found


def work(frame: Any, c: dict[str, str], folder: Path, outcome: str) -> Any:
    """What a careless job does with secrets; the result holds none of them."""
    from pyspark.sql import functions as F

    spark = frame.sparkSession
    context = spark.sparkContext
    context.setLocalProperty("my.password", c["local property"])
    context.setJobDescription(f"password={c['password in a description']}")
    spark.read.option("password", c["option of a reader"]).csv(str(folder / "in")).count()
    context.setJobDescription(f"the night's load for {c['job description']}")
    frame.createOrReplaceTempView("lines")
    cached = spark.sql(f"select *, concat('{c['name of a cached frame']}', value) like 'x%' as odd from lines").cache()
    cached.count()
    encrypted = f"aes_encrypt(cast(value as binary), cast(rpad('{c['AES key']}', 32, '0') as binary))"
    odd = f"value <> '{c['SQL literal']}' and value not like '%{c['LIKE']}%' and value not in ('x', '{c['IN']}')"
    salted = f"concat(value, '{c['literal in a projection']}', '{c['variable of the environment']}')"
    result = spark.sql(f"select sha2({encrypted}, 256) as a, sha2({salted}, 256) as b from lines where {odd}")
    pages(context, folder)
    if outcome == "cast":
        return result.select(F.concat(F.lit(c["value that is cast"]), F.left("a", F.lit(0))).cast("int").alias("n"))
    return result.select(failing(c)("a").alias("a"), "b") if outcome == "fails" else result


def failing(c: dict[str, str]) -> Any:
    """A function of Python that fails on an executor, and says too much."""
    from pyspark.sql import functions as F

    def call(value: str) -> str:
        try:
            raise OSError(f"Authorization: Bearer {c['bearer token in a cause']}")
        except OSError as error:
            said = f"no login with password={c['password in a message']} and {c['bare parameter in a message']}"
            raise ValueError(f"{said} at https://acme.net/x?sv=1&sig={c['address in a message']}") from error

    return F.udf(call)


def pages(context: Any, folder: Path) -> None:
    """Keeps what others could see meanwhile: the arguments of our children, and the pages of the UI, if there is one."""
    children = [p for p in Path("/proc").glob("[0-9]*") if _parent(p) == os.getpid()]
    (folder / "arguments.seen").write_bytes(b"\n".join((p / "cmdline").read_bytes() for p in children))
    if context.uiWebUrl:
        port = context.uiWebUrl.rpartition(":")[2]
        for page in ("environment/", "jobs/", "stages/", "SQL/", "storage/", *[f"SQL/execution/?id={i}" for i in range(6)]):
            with suppress(OSError):
                (folder / f"page-{page.replace('/', '-')}.seen").write_bytes(
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5).read()
                )


def _parent(process: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return 0


def main(folder: Path, outcome: str) -> None:
    """The baseline: stock settings, the log uncompressed so that it can be searched."""
    from pyspark.sql import SparkSession

    c = planted(folder)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.port", "0")
    for key, value in {"enabled": "true", "dir": folder.as_uri(), "compress": "false", "rolling.enabled": "false"}.items():
        builder = builder.config(f"spark.eventLog.{key}", value)
    for name, (key, text) in SETTINGS.items():
        builder = builder.config(key, text.format(c[name]))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("INFO")
    result = work(spark.read.text(str(folder / "in")), c, folder, outcome)
    result.write.option("password", c["option of a writer"]).parquet(str(folder / "out"))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
