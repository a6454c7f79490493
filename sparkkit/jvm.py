"""The driver's JVM, started by us: no launcher JVM, no bash, a class-data-sharing archive (`sparkkit.archive`).

`launch` builds the command line that `spark-submit` would build, starts it and returns at once; `connect` hands the
JVM to PySpark. `plan` says None for what it does not know, and the caller then takes the ordinary way.
"""
from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkkit import redaction
from sparkkit.classpath import cache_folder, class_path, conf_folder, spark_home, stamp
from sparkkit.errors import InfrastructureError

_JAVA = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic")
_JDK = ("jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")
_OPENED = (
    *(f"java.base/java.{name}" for name in _JAVA),
    *(f"java.base/{name}" for name in _JDK),
    "java.security.jgss/sun.security.krb5",
)
# What `spark-submit` opens to Spark's reflection (JavaModuleOptions of 3.5 to 4.2). Its incubator vector module is left
# out: it costs time at each start and prints a warning; Spark's linear algebra then takes its plain Java way.
MODULES = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENED),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.type=pooled",
    "-Dio.netty.handler.ssl.defaultEndpointVerificationAlgorithm=NONE",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dderby.connection.requireAuthentication=false",
)
COMMON = (
    "-Xshare:auto",  # an archive that is stale or broken is passed over
    "-Xlog:disable",  # ... without a word; the JVM's warnings would go to stdout, amid the job's own output
    "-XX:-UsePerfData",  # no shared memory file for jps, which nobody asks
    "-XX:MetaspaceSize=256m",  # the default of 21 MB forces several collections while Spark loads its classes
)
PROFILES: Mapping[str, tuple[str, ...]] = {
    # C2 ten times later than the JVM's own thresholds: it took a third of a short job's CPU time and never paid it
    # back, while the loops of a long job pass these within a second
    "default": (
        "-XX:+UseParallelGC",  # some 7 % less CPU time than G1 in one run each of a short and a long job
        "-XX:Tier4InvocationThreshold=50000",
        "-XX:Tier4MinInvocationThreshold=6000",
        "-XX:Tier4CompileThreshold=150000",
        "-XX:Tier4BackEdgeThreshold=400000",
    ),
    # C1 alone compiles sooner and worse: good for seconds, bad for minutes. One collector thread: small heaps. With C1 alone the
    # JVM keeps 48 MB for what it compiled, which is full after some two minutes, and compiles nothing more from then on
    "test": ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=240m"),
}
LOG4J = """\
rootLogger.level = {level}
rootLogger.appenderRef.stderr.ref = stderr
appender.console.type = Console
appender.console.name = stderr
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %replace{{%d{{yy/MM/dd HH:mm:ss}} %p %c{{1}}: %m%n%ex}}{{{secrets}}}{{***}}
appender.console.layout.alwaysWriteExceptions = false
"""
# What these log as errors reaches Python as an exception too, so that one message is enough.
_ECHOES = (
    "org.apache.spark.executor.Executor",
    "org.apache.spark.scheduler.TaskSetManager",
    "org.apache.spark.sql.execution.datasources.FileFormatWriter",
    "org.apache.spark.sql.execution.datasources.v2",
    "org.apache.spark.util.Utils",
    "org.apache.spark.api.python.PythonRunner",
    "org.apache.spark.sql.execution.streaming",
)
# The logger by which Spark's shells choose their level; at any other level than the root's it is announced.
_SHELL = "org.apache.spark.api.python.PythonGatewayServer"
_VALUED = (
    "--conf -c --master --deploy-mode --name --jars --packages --exclude-packages --repositories --py-files --files "
    "--archives --driver-memory --driver-java-options --driver-class-path --driver-cores --executor-memory "
    "--executor-cores --total-executor-cores --num-executors --queue "
)
_AS_SETTING = {
    "--master": "spark.master",
    "--name": "spark.app.name",
    "--deploy-mode": "spark.submit.deployMode",
    "--driver-memory": "spark.driver.memory",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-class-path": "spark.driver.extraClassPath",
}


@dataclass(frozen=True)
class Plan:
    """A driver's JVM as it is to be started: the program, its class path, its options and Spark's own arguments."""

    java: Path
    home: Path
    path: tuple[str, ...]
    options: tuple[str, ...]
    heap: str
    arguments: tuple[str, ...]
    verbose: bool = False

    @property
    def archive(self) -> Path | None:
        """Where this JVM's archive of classes is, or would be; None where there is no place for it."""
        folder = cache_folder()
        return folder / f"classes-{self.key}.jsa" if folder else None

    @property
    def key(self) -> str:
        """16 hex digits that change with Java, the jars (names, sizes, times) and the options an archive depends on."""
        library = str(self.java.parent.parent / "lib" / "server" / "libjvm.so")
        seen = [stamp(entry) for entry in (library, *self.jars)]
        return hashlib.sha256("\n".join((*seen, *MODULES)).encode()).hexdigest()[:16]

    @property
    def jars(self) -> tuple[str, ...]:
        """Spark's own part of the class path, which begins it; an archive holds for each path that so begins."""
        own = (f"{self.home}/jars/", f"{cache_folder()}/unsigned/")
        return tuple(entry for entry in self.path if entry.startswith(own))

    def command(self, *extra: str) -> list[str]:
        """The argument vector, with more JVM options last."""
        main = ["org.apache.spark.deploy.SparkSubmit", *self.arguments, "pyspark-shell"]
        heap = f"-Xmx{self.heap}"
        return [str(self.java), *self.options, heap, *extra, "-cp", os.pathsep.join(self.path), *main]


@dataclass(frozen=True)
class Boot:
    """A JVM that was started: its process, and the folder in which it says where its gateway listens."""

    plan: Plan
    process: subprocess.Popen[bytes]
    folder: Path
    archived: bool

    @property
    def port_file(self) -> Path:
        """The file in which the JVM writes its gateway's port and secret."""
        return self.folder / "gateway"


def given(submit_args: Sequence[str]) -> dict[str, str] | None:
    """The settings that options of spark-submit make, or None where one of them is not known here.

    >>> given(["--master", "local[2]", "--conf", "spark.x=a=b", "--verbose"])
    {'spark.master': 'local[2]', 'spark.x': 'a=b'}
    >>> given(["--proxy-user", "me"]) is None
    True
    """
    found: dict[str, str] = {}
    rest = list(submit_args)
    while rest:
        option, _, joined = rest.pop(0).partition("=")
        if option in ("--verbose", "-v") and not joined:
            continue
        if f"{option} " not in _VALUED or not (joined or rest):
            return None
        value = joined or rest.pop(0)
        if option in ("--conf", "-c"):
            name, _, value = value.partition("=")
            found[name.strip()] = value
        elif option in _AS_SETTING:
            found[_AS_SETTING[option]] = value
    return found


def defaults(home: Path) -> dict[str, str]:
    """The settings of spark-defaults.conf (a Java properties file: `key value`, `key=value` or `key: value`)."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in (conf_folder(home) / "spark-defaults.conf").read_text(encoding="utf-8").splitlines():
            match = re.match(r"\s*([^#!\s=:][^\s=:]*)\s*[=:]?\s*(.*?)\s*$", line)
            if match:
                found[match[1]] = match[2]
    return found


def memory(profile: str) -> str:
    """The driver's heap: half of what the machine or its container has (the rest is Python's and the page cache's).

    At least 1 GB; at most 24 GB, since from 32 GB on pointers take twice the room; 2 GB in the tests' profile.
    """
    most = 2048 if profile == "test" else 24 * 1024
    return f"{max(1024, min(most, _machine_memory() // 2 // 2**20))}m"


def _machine_memory() -> int:
    """Bytes: the machine's memory, or its control group's limit (version 2, then 1) where that is lower."""
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            bounds.append(int((Path("/sys/fs/cgroup") / name).read_text()))
    return min(bounds)


def _java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found = os.path.join(home, "bin", "java") if home else shutil.which("java")
    return Path(found).resolve() if found and os.access(found, os.X_OK) else None


def plan(
    settings: Mapping[str, str],
    submit_args: Sequence[str] = (),
    *,
    profile: str = "default",
    jars: Sequence[str] = (),
    verbose: bool = False,
) -> Plan | None:
    """How to start the driver's JVM for a local master, or None where that is to be left to `spark-submit`.

    `settings` are Spark's, all that hold; `submit_args` are options of spark-submit, handed on as they are; `jars`
    come behind Spark's own on the class path.
    """
    home, java, asked = spark_home(), _java(), given(submit_args)
    if os.name != "posix" or home is None or java is None or asked is None or _left_to_spark(home):
        return None
    known = {**defaults(home), **settings, **asked}
    master = known.get("spark.master") or os.environ.get("MASTER") or "local[*]"
    if not re.fullmatch(r"local(\[[\d*, ]+\])?", master) or known.get("spark.submit.deployMode", "client") != "client":
        return None
    if "spark.driver.extraLibraryPath" in known:
        return None
    own = shlex.split(known.get("spark.driver.defaultJavaOptions", ""))
    own += shlex.split(known.get("spark.driver.extraJavaOptions", ""))
    heap = known.get("spark.driver.memory") or os.environ.get("SPARK_DRIVER_MEMORY") or memory(profile)
    confs = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    path = class_path(home, known.get("spark.driver.extraClassPath", ""), jars)
    options = (*COMMON, *PROFILES[profile], *MODULES, *own)
    return Plan(java, home, path, options, heap, (*confs, *submit_args), verbose)


def _left_to_spark(home: Path) -> bool:
    """Whether the machine's set-up speaks through scripts and variables that only `spark-submit` knows how to read."""
    scripts = (conf_folder(home) / "spark-env.sh", conf_folder(home) / "java-opts")
    return "SPARK_SUBMIT_OPTS" in os.environ or any(s.exists() for s in scripts) or not (home / "jars").is_dir()


def log4j(folder: Path, verbose: bool) -> str:
    """The JVM option that keeps Spark's log quiet, or at INFO; the file is written into `folder`."""
    level = "info" if verbose else "fatal"
    levels = {_SHELL: level, **({} if verbose else dict.fromkeys(_ECHOES, "off"))}
    named = (f"logger.n{i}.name = {name}\nlogger.n{i}.level = {to}\n" for i, (name, to) in enumerate(levels.items()))
    secrets = redaction.for_log().replace("\\", "\\\\")  # as a file of properties has it
    text = LOG4J.format(level=level, secrets=secrets) + "".join(named)
    (folder / "log4j2.properties").write_text(text, encoding="utf-8")
    return f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"


def launch(plan: Plan, *extra: str, archived: bool = True) -> Boot:
    """Start the JVM and return at once, on its archive if there is one; `extra` are more options of the JVM."""
    folder = Path(tempfile.mkdtemp(prefix="sparkkit-"))
    archive = plan.archive
    shared = [f"-XX:SharedArchiveFile={archive}"] if archived and archive and archive.is_file() else []
    quiet = [] if (conf_folder(plan.home) / "log4j2.properties").exists() else [log4j(folder, plan.verbose)]
    environment = {
        "SPARK_LOCAL_IP": "127.0.0.1",  # no look-up of the machine's own name, which may hang or be wrong
        **os.environ,
        "SPARK_HOME": str(plan.home),
        "SPARK_CONNECT_MODE": "0",
        "_PYSPARK_DRIVER_CONN_INFO_PATH": str(folder / "gateway"),
    }
    # The JVM ends when its stdin does, so with us, however we die. Its own process group: Ctrl-C is for Python.
    command = plan.command(*shared, *quiet, *extra)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, process_group=0)
    return Boot(plan, process, folder, bool(shared))


def connect(boot: Boot) -> Boot:
    """Wait for the JVM's gateway and make it PySpark's; the boot that holds (one with an archive is given one more try).

    Raises:
        InfrastructureError: the JVM ended before its gateway was there (`jvm_failed`).
    """
    while not boot.port_file.is_file():
        code = boot.process.poll()
        if code is not None and not boot.port_file.is_file():
            end(boot)
            return _again(boot, code)
        time.sleep(0.005)
    data = boot.port_file.read_bytes()
    size = int.from_bytes(data[4:8], "big")
    _hand_over(int.from_bytes(data[:4], "big"), data[8 : 8 + size].decode())
    shutil.rmtree(boot.folder, ignore_errors=True)
    return boot


def _again(boot: Boot, code: int) -> Boot:
    """The JVM once more without its archive, which is deleted if it was to blame; a JVM that fails without is an error."""
    if not boot.archived:
        message = f"the driver's JVM ended with code {code} at its start"
        hint = "see its words above; `java -version` should say 17 or later"
        raise InfrastructureError(message, reason="jvm_failed", hint=hint)
    held = connect(launch(boot.plan, archived=False))
    with suppress(OSError):
        boot.plan.archive.unlink()  # type: ignore[union-attr]
    return held


def _hand_over(port: int, secret: str) -> None:
    """Give PySpark the gateway by its two variables, and take them away again: children are not to talk to our JVM."""
    from pyspark import SparkContext

    os.environ.update(PYSPARK_GATEWAY_PORT=str(port), PYSPARK_GATEWAY_SECRET=secret)
    try:
        SparkContext._ensure_initialized()
    finally:
        del os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"]


def end(boot: Boot, seconds: float = 10) -> None:
    """End the JVM: close its stdin, wait for it, kill it where it hangs."""
    with suppress(OSError):
        boot.process.stdin.close()  # type: ignore[union-attr]
    try:
        boot.process.wait(seconds)
    except subprocess.TimeoutExpired:
        boot.process.kill()
        boot.process.wait()
    shutil.rmtree(boot.folder, ignore_errors=True)


def let_go() -> None:
    """Make PySpark forget its gateway, so that a later start in this process begins anew."""
    from pyspark import SparkContext

    gateway, SparkContext._gateway, SparkContext._jvm = SparkContext._gateway, None, None
    if gateway is not None:
        gateway.shutdown()


def is_connected() -> bool:
    """Whether PySpark has a gateway in this process; does not import PySpark."""
    module = sys.modules.get("pyspark.core.context") or sys.modules.get("pyspark.context")
    return module is not None and module.SparkContext._gateway is not None
