"""A NameNode and a DataNode of this machine, from the jars of Hadoop's minicluster and those of PySpark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark
import pytest

JARS = "SPARKKIT_HDFS_JARS"
"""The folder that holds hadoop-client-minicluster of PySpark's Hadoop and bcprov, bcpkix and bcutil."""

_OPENED = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "net")]
_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *_OPENED)
_NEEDED = ("hadoop-client-", "slf4j", "log4j", "jcl-over", "jul-to", "commons-logging")


def classpath() -> str:
    """The jars of the daemons; skips where they are not."""
    folder = Path(os.environ.get(JARS, ""))
    own = [str(jar) for jar in (Path(pyspark.__file__).parent / "jars").glob("*.jar") if jar.name.startswith(_NEEDED)]
    hadoop = next((jar.rpartition("-")[2] for jar in own if "hadoop-client-api" in jar), "?")
    if not os.environ.get(JARS) or not (folder / f"hadoop-client-minicluster-{hadoop}").exists():
        pytest.skip(f"no HDFS here: {JARS} names no folder with hadoop-client-minicluster-{hadoop} and bcprov, bcpkix, bcutil")
    return os.pathsep.join([*map(str, folder.glob("*.jar")), *own])


def _configure(folder: Path, port: int) -> None:
    here = "127.0.0.1"
    settings = {
        "fs.defaultFS": f"hdfs://{here}:{port}", "hadoop.tmp.dir": str(folder / "tmp"),
        "dfs.namenode.name.dir": str(folder / "name"), "dfs.datanode.data.dir": str(folder / "data"), "dfs.replication": "1",
        "dfs.namenode.http-address": f"{here}:0", "dfs.datanode.address": f"{here}:0", "dfs.datanode.http.address": f"{here}:0",
        "dfs.datanode.ipc.address": f"{here}:0", "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        "dfs.permissions.enabled": "true", "dfs.datanode.disk.check.min.gap": "0s", "dfs.ls.limit": "3",
    }
    lines = "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items())
    for name in ("core-site.xml", "hdfs-site.xml"):
        (folder / name).write_text(f"<configuration>{lines}</configuration>", encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URI of a new HDFS, whose lists come in threes; its processes end with the block."""
    jars, port, java = classpath(), _free_port(), shutil.which("java") or "java"
    _configure(folder, port)

    def command(heap: str, name: str, *args: str) -> list[str]:
        return [java, f"-Xmx{heap}", *_OPTIONS, "-cp", os.pathsep.join([str(folder), jars]), f"org.apache.hadoop.hdfs.server.{name}", *args]

    with ExitStack() as alive:
        log = alive.enter_context((folder / "log").open("wb"))
        name = "namenode.NameNode"
        subprocess.run(command("256m", name, "-format", "-nonInteractive", "-force"), check=True, timeout=120, stdout=log, stderr=log)
        for heap, daemon in (("256m", name), ("128m", "datanode.DataNode")):
            process = subprocess.Popen(command(heap, daemon), stdout=log, stderr=log)
            alive.callback(process.wait)
            alive.callback(process.kill)
        yield f"hdfs://127.0.0.1:{port}"
