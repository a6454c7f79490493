"""What each daemon of `scripts/cluster.sh` is: its command, its conf files, and how to see that it answers."""
from __future__ import annotations

import json
import os
import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyspark

from scripts import databases
from sparkkit import jars

KINDS = ("hdfs", "yarn", "standalone", "s3", "minio", "postgres")
HERE = "127.0.0.1"
NODES = 2
SPARK = Path(pyspark.__file__).parent

_OPENED = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "net")]
_JAVA = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", *_OPENED)
_HADOOP = ("hadoop-client-", "slf4j", "log4j", "jcl-over", "jul-to", "commons-logging")
"""The jars of PySpark that Hadoop's own daemons need, beside those of the group `daemons` in conf/jars.lock."""


class MissingError(Exception):
    """What a daemon needs is not here, and can't be fetched."""


@dataclass(frozen=True)
class Daemon:
    """One process: `first` are commands that make its data, `marker` is a word of its command line that no other process has."""

    name: str
    words: Sequence[str]
    ready: Callable[[], bool]
    first: Sequence[Sequence[str]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""

    @property
    def marker(self) -> str:
        """The word by which the process is known again."""
        return self.mark or f"-Dsparkkit.daemon={self.name}"


def plan(folder: Path, kinds: Sequence[str]) -> list[Daemon]:
    """The daemons of some kinds, with their conf files written; YARN has its files in HDFS, so it brings HDFS with it.

    Raises:
        MissingError: their jars, or programs, are not here.
    """
    from scripts import minio, objects

    folder.mkdir(parents=True, exist_ok=True)
    ports = _ports(folder)
    made = list[Daemon](objects.plan(folder, ports) if "s3" in kinds else ())
    if {"hdfs", "yarn"} & set(kinds):
        path = _classpath()
        _client(folder, ports, objects.hadoop(folder, ports) if made else {}, objects.classpath() if made else "")
        made += _hdfs(folder, ports, path)
        made += _yarn(folder, ports, path) if "yarn" in kinds else []
    if "standalone" in kinds:
        made += _standalone(folder, ports)
    if "minio" in kinds:
        made.append(minio.plan(folder, ports))
    if "postgres" in kinds:
        made.append(_postgres(folder))
    return made


def _postgres(folder: Path) -> Daemon:
    try:
        words, ready, first = databases.postgres(folder)
    except FileNotFoundError as error:
        raise MissingError(str(error)) from error
    return Daemon("postgres", words, ready, first)


def variables(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The variables that lead to the daemons of these names."""
    from scripts import minio, objects

    found: dict[str, str] = {}
    ports = _ports(folder)
    if "namenode" in names:
        found |= {"HADOOP_CONF_DIR": str(folder / "conf"), "SPARK_CONF_DIR": str(folder / "conf"), "SPARKKIT_HDFS": _root(ports)}
    if "resourcemanager" in names:
        found["SPARKKIT_YARN"] = f"http://{HERE}:{ports['rm-web']}"
    if "s3" in names:
        found |= objects.variables(folder, ports)
    if "minio" in names:
        found |= minio.variables(folder, ports)
    if "postgres" in names:
        found |= databases.variables(folder)
    if "master" in names:
        found["SPARKKIT_STANDALONE"] = f"spark://{HERE}:{ports['master']}"
    return found


def _ports(folder: Path) -> dict[str, int]:
    """Free ports, the same ones as long as the folder is there."""
    file = folder / "ports.json"
    if not file.is_file():
        names = ["nn", "nn-web", "master", "master-web", "worker-web", "s3", "iam", "minio"]
        names += [f"rm-{name}" for name in ("", "web", "admin", "tracker", "scheduler")]
        names += [f"{kind}{i}{part}" for i in range(NODES) for kind in ("dn", "nm") for part in ("", "-web", "-ipc")]
        sockets = [socket.create_server((HERE, 0)) for _ in names]
        found = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
        for one in sockets:
            one.close()
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found), encoding="utf-8")
    known: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return known


def _root(ports: Mapping[str, int]) -> str:
    return f"hdfs://{HERE}:{ports['nn']}"


def _classpath() -> list[str]:
    own = [str(jar) for jar in sorted((SPARK / "jars").glob("*.jar")) if jar.name.startswith(_HADOOP)]
    try:
        return [*jars.paths("daemons"), *own]
    except Exception as error:
        raise MissingError(f"no HDFS and YARN here: {error}") from error


def _java(name: str, heap: str, path: Sequence[str], main: str, *arguments: str) -> list[str]:
    java = str(Path(os.environ["JAVA_HOME"], "bin", "java")) if os.environ.get("JAVA_HOME") else shutil.which("java") or "java"
    return [java, f"-Xmx{heap}", *_JAVA, f"-Dsparkkit.daemon={name}", "-cp", os.pathsep.join(path), main, *arguments]


def _configure(folder: Path, **files: Mapping[str, object]) -> str:
    """Writes Hadoop's conf files; the folder's name."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, settings in files.items():
        lines = "".join(f"<property><name>{escape(k)}</name><value>{escape(str(v))}</value></property>\n" for k, v in settings.items())
        text = f"<configuration>\n{lines}</configuration>\n"
        (folder / f"{stem.replace('_', '-')}.xml").write_text(text, encoding="utf-8")
    if folder.name != "conf":  # Spark has its own
        (folder / "log4j2.properties").write_text(LOG4J, encoding="utf-8")
    return str(folder)


LOG4J = """\
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n%ex
"""


def _core(folder: Path, ports: Mapping[str, int]) -> dict[str, object]:
    return {"fs.defaultFS": _root(ports), "hadoop.tmp.dir": folder / "tmp", "hadoop.security.token.service.use_ip": "true"}


def _hdfs_site(folder: Path, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "dfs.namenode.name.dir": folder / "name", "dfs.namenode.http-address": f"{HERE}:{ports['nn-web']}", "dfs.replication": NODES,
        "dfs.namenode.datanode.registration.ip-hostname-check": "false", "dfs.permissions.enabled": "true",
        "dfs.datanode.disk.check.min.gap": "0s",
        # a dead DataNode is seen in seconds, small files have several blocks, and lists of more than three come in parts
        "dfs.heartbeat.interval": 1, "dfs.namenode.heartbeat.recheck-interval": 2000,
        "dfs.blocksize": 1 << 20, "dfs.namenode.fs-limits.min-block-size": 1024, "dfs.ls.limit": 3,
    }


def _hdfs(folder: Path, ports: Mapping[str, int], path: Sequence[str]) -> Iterator[Daemon]:
    core, site = _core(folder, ports), _hdfs_site(folder, ports)
    conf = _configure(folder / "namenode", core_site=core, hdfs_site=site)
    main = "org.apache.hadoop.hdfs.server.namenode.NameNode"
    format_ = [] if (folder / "name").is_dir() else [_java("format", "256m", [conf, *path], main, "-format", "-nonInteractive", "-force")]
    yield Daemon("namenode", _java("namenode", "256m", [conf, *path], main), partial(_says, ports["nn-web"], 0), format_)
    for i in range(NODES):
        own = {"dfs.datanode.data.dir": folder / f"data{i}", "dfs.datanode.address": f"{HERE}:{ports[f'dn{i}']}",
               "dfs.datanode.http.address": f"{HERE}:{ports[f'dn{i}-web']}", "dfs.datanode.ipc.address": f"{HERE}:{ports[f'dn{i}-ipc']}"}
        conf = _configure(folder / f"datanode{i}", core_site=core, hdfs_site={**site, **own})
        words = _java(f"datanode{i}", "128m", [conf, *path], "org.apache.hadoop.hdfs.server.datanode.DataNode")
        yield Daemon(f"datanode{i}", words, partial(_says, ports["nn-web"], NODES))


def _says(port: int, nodes: int) -> bool:
    """Whether the NameNode answers, has left safe mode, and has so many DataNodes."""
    query = "Hadoop:service=NameNode,name=FSNamesystemState"
    found = _get(f"http://{HERE}:{port}/jmx?qry={query}")["beans"][0]
    return bool(found["NumLiveDataNodes"] >= nodes and (not nodes or found["FSState"] == "Operational"))


def _get(url: str) -> dict[str, list[dict[str, Any]]]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: dict[str, list[dict[str, Any]]] = json.load(answer)
    return found


def _yarn_site(ports: Mapping[str, int]) -> dict[str, object]:
    names = {"": "", "webapp": "web", "admin": "admin", "resource-tracker": "tracker", "scheduler": "scheduler"}
    keys = {name: f"yarn.resourcemanager.{name}.address" if name else "yarn.resourcemanager.address" for name in names}
    addresses = {keys[name]: f"{HERE}:{ports[f'rm-{port}']}" for name, port in names.items()}
    return {
        **addresses, "yarn.resourcemanager.hostname": HERE, "yarn.resourcemanager.scheduler.class":
        "org.apache.hadoop.yarn.server.resourcemanager.scheduler.capacity.CapacityScheduler",
        "yarn.scheduler.minimum-allocation-mb": 128, "yarn.scheduler.maximum-allocation-mb": 2048,
        "yarn.log-aggregation-enable": "true", "yarn.nodemanager.remote-app-log-dir": "/logs", "yarn.nodemanager.delete.debug-delay-sec": 0,
        "yarn.nodemanager.vmem-check-enabled": "false", "yarn.nodemanager.pmem-check-enabled": "true",
        # else containers over their memory are left to control groups, which are not there
        "yarn.nodemanager.resource.memory.enforced": "false",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
        # a dead NodeManager is seen in seconds; a driver on a slow machine takes long to say its first word
        "yarn.nm.liveness-monitor.expiry-interval-ms": 10000, "yarn.am.liveness-monitor.expiry-interval-ms": 150000,
        "yarn.resourcemanager.am.max-attempts": 2, "yarn.timeline-service.enabled": "false",
    }


def _yarn(folder: Path, ports: Mapping[str, int], path: Sequence[str]) -> Iterator[Daemon]:
    core, site = _core(folder, ports), _yarn_site(ports)
    queues: dict[str, object] = {f"yarn.scheduler.capacity.root.{name}.capacity": 50 for name in ("default", "nightly")}
    queues |= {f"yarn.scheduler.capacity.root.{name}.maximum-capacity": 100 for name in ("default", "nightly")}
    queues |= {"yarn.scheduler.capacity.root.queues": "default,nightly", "yarn.scheduler.capacity.maximum-am-resource-percent": "0.8"}
    conf = _configure(folder / "resourcemanager", core_site=core, yarn_site=site, capacity_scheduler=queues)
    main = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
    yield Daemon("resourcemanager", _java("resourcemanager", "256m", [conf, *path], main), partial(_nodes, ports["rm-web"], 0))
    for i in range(NODES):
        own = {"yarn.nodemanager.hostname": HERE, "yarn.nodemanager.address": f"{HERE}:{ports[f'nm{i}']}",
               "yarn.nodemanager.localizer.address": f"{HERE}:{ports[f'nm{i}-ipc']}",
               "yarn.nodemanager.webapp.address": f"{HERE}:{ports[f'nm{i}-web']}",
               "yarn.nodemanager.local-dirs": folder / f"local{i}", "yarn.nodemanager.log-dirs": folder / f"containers{i}",
               "yarn.nodemanager.resource.memory-mb": 3072, "yarn.nodemanager.resource.cpu-vcores": 8}
        conf = _configure(folder / f"nodemanager{i}", core_site=core, yarn_site={**site, **own})
        words = _java(f"nodemanager{i}", "192m", [conf, *path], "org.apache.hadoop.yarn.server.nodemanager.NodeManager")
        yield Daemon(f"nodemanager{i}", words, partial(_nodes, ports["rm-web"], NODES), environment=_java_home())


def _java_home() -> dict[str, str]:
    """Containers start `$JAVA_HOME/bin/java`."""
    java = shutil.which("java")
    return {} if os.environ.get("JAVA_HOME") or not java else {"JAVA_HOME": str(Path(java).resolve().parents[1])}


def _nodes(port: int, nodes: int) -> bool:
    found: dict[str, int] = _get(f"http://{HERE}:{port}/ws/v1/cluster/metrics")["clusterMetrics"]  # type: ignore[assignment]
    return found["activeNodes"] >= nodes


def _client(folder: Path, ports: Mapping[str, int], more: Mapping[str, object], path: str) -> None:
    """The conf folder of a machine that submits: addresses, and settings small enough for a laptop; the nodes have the jars of `path`."""
    _configure(folder / "conf", core_site={**_core(folder, ports), **more}, yarn_site=_yarn_site(ports),
               hdfs_site={"dfs.replication": NODES, "dfs.blocksize": 1 << 20})
    settings = {
        "spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.executor.memoryOverhead": "256m",
        "spark.driver.memoryOverhead": "256m", "spark.executor.cores": "1", "spark.yarn.am.memory": "384m",
        # the nodes are this machine: 400 MB of jars need not be uploaded
        "spark.yarn.jars": f"local:{SPARK / 'jars'}/*",
        "spark.executorEnv.SPARK_LOCAL_IP": HERE, "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": HERE,
    }
    if path:
        settings |= {"spark.driver.extraClassPath": path, "spark.executor.extraClassPath": path}
    text = "".join(f"{key} {value}\n" for key, value in settings.items())
    (folder / "conf" / "spark-defaults.conf").write_text(text, encoding="utf-8")


def _standalone(folder: Path, ports: Mapping[str, int]) -> Iterator[Daemon]:
    path, address = [f"{SPARK / 'jars'}/*"], f"spark://{HERE}:{ports['master']}"
    options: tuple[str, ...] = ("--host", HERE, "--port", str(ports["master"]), "--webui-port", str(ports["master-web"]))
    scala = next((SPARK / "jars").glob("spark-core_*.jar")).name.split("_")[1].split("-")[0]  # the Worker looks for a build else
    local = {"SPARK_LOCAL_IP": HERE, "SPARK_HOME": str(SPARK), "SPARK_WORKER_DIR": str(folder / "work"), "SPARK_SCALA_VERSION": scala}
    yield Daemon("master", _java("master", "256m", path, "org.apache.spark.deploy.master.Master", *options),
                 partial(_workers, ports["master-web"], 0), environment=local)
    options = ("--host", HERE, "--webui-port", str(ports["worker-web"]), "--cores", "2", "--memory", "2g", address)
    yield Daemon("worker", _java("worker", "256m", path, "org.apache.spark.deploy.worker.Worker", *options),
                 partial(_workers, ports["master-web"], 1), environment=local)


def _workers(port: int, workers: int) -> bool:
    found = _get(f"http://{HERE}:{port}/json/")
    return len([one for one in found["workers"] if one["state"] == "ALIVE"]) >= workers
