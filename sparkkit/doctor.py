"""What is installed, what is missing, and what to do about it; no session is started."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkkit.errors import SparkkitError, UsageError

EXTRAS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("cli", ("yaml", "open_data_contract_standard", "rich", "jsonschema"), "contracts in YAML"),
    ("delta", ("delta",), "Delta tables"),
    ("avro", ("fastavro", "pyarrow", "pandas"), "Avro files"),
    ("pandas", ("pandas", "pyarrow"), "to_pandas and grouped functions"),
    ("connect", ("pandas", "pyarrow", "grpc", "grpc_status", "google.rpc", "zstandard"), "Spark Connect"),
    ("quality", ("great_expectations",), "Great Expectations"),
    ("test", ("pytest", "chispa", "hypothesis"), "the tests"),
)
"""Each extra, the modules that it brings, and what needs it."""

JAVA_FLOOR, SPARK_FLOOR = 17, (3, 5)
LOW_MEMORY = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok`, or what to `do`; `needed` says whether nothing runs without it."""

    what: str
    found: str
    ok: bool = True
    do: str = ""
    needed: bool = False


def main() -> int:
    """Prints every finding; the exit code is 2 where something is missing that nothing runs without, else 0."""
    findings = list(look())
    width = max(len(f.what) for f in findings)
    for f in findings:
        mark = "ok     " if f.ok else "MISSING" if f.needed else "absent "
        print(f"{mark} {f.what.ljust(width)}  {f.found}{'' if f.ok or not f.do else f': {f.do}'}")
    missing = [f.what for f in findings if f.needed and not f.ok]
    print(f"missing: {', '.join(missing)}" if missing else "all that is needed is here")
    return UsageError.exit_code if missing else 0


def look() -> Iterator[Finding]:
    """Everything that is looked at, in order."""
    for step in (python, java, spark, jars, extras, writing, machine):
        yield from step()


def python() -> Iterator[Finding]:
    """The running Python: 3.11 is the floor."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "python",
        f"{version} {sys.executable}",
        sys.version_info >= (3, 11),
        "install Python 3.11 or later",
        needed=True,
    )


def java(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Iterator[Finding]:
    """The Java that Spark will take: `JAVA_HOME`'s, else the first on PATH; 17 is the floor."""
    home = os.environ.get("JAVA_HOME")
    program = f"{home}/bin/java" if home else shutil.which("java") or "java"
    do = "sudo apt-get install openjdk-17-jre-headless, or set JAVA_HOME to a Java 17 or later"
    try:
        said = run([program, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Finding("java", f"{program} does not run ({type(error).__name__})", False, do, needed=True)
        return
    version = java_version(said)
    yield Finding("java", f"{version or 'of unknown version'} {program}", (version or 0) >= JAVA_FLOOR, do, needed=True)


def java_version(said: str) -> int | None:
    """The major version that `java -version` tells.

    >>> java_version('openjdk version "17.0.9" 2023-10-17'), java_version('java version "1.8.0_392"'), java_version("?")
    (17, 8, None)
    """
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def spark() -> Iterator[Finding]:
    """PySpark: 3.5 is the floor."""
    if importlib.util.find_spec("pyspark") is None:
        yield Finding("pyspark", "not installed", False, "pip install 'pyspark>=3.5', or set SPARK_HOME", needed=True)
        return
    import pyspark

    version = tuple(int(part) for part in re.findall(r"\d+", pyspark.__version__)[:2])
    yield Finding(
        "pyspark",
        f"{pyspark.__version__} {Path(pyspark.__file__).parent}",
        version >= SPARK_FLOOR,
        "pip install 'pyspark>=3.5'",
        needed=True,
    )
    if os.environ.get("SPARK_HOME"):
        yield Finding("SPARK_HOME", os.environ["SPARK_HOME"])


def jars() -> Iterator[Finding]:
    """The jars that some formats need, checked against their lock."""
    from sparkkit import jars as locked

    for name in ("delta", "s3"):
        try:
            found = locked.paths(name)
        except (SparkkitError, ImportError) as error:
            yield Finding(f"jars: {name}", str(error) if isinstance(error, SparkkitError) else "no pyspark", False)
        else:
            yield Finding(f"jars: {name}", f"{len(found)} in {locked.folder()}")
    if locked.has_log_store(("delta", "s3")):
        yield Finding("jars: log store", "Delta tables on S3 take any number of writers")
    else:
        yield Finding("jars: log store", "not built: writers on S3 that are not sparkkit's can lose commits to Delta tables", False,
                      "install a JDK (javac), and run scripts/setup.sh")


def extras() -> Iterator[Finding]:
    """The optional packages, extra by extra."""
    for name, modules, use in EXTRAS:
        lacking = [m for m in modules if not _there(m)]
        yield Finding(
            f"extra: {name}",
            f"{use}; lacks {', '.join(lacking)}" if lacking else use,
            not lacking,
            f"install sparkkit with its extra [{name}]",
        )


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def writing() -> Iterator[Finding]:
    """Whether the places that every run writes to can be written to."""
    places = {"working folder (runs/, out/)": Path.cwd(), "temporary folder": Path(tempfile.gettempdir())}
    for what, place in places.items():
        free = shutil.disk_usage(place).free
        yield Finding(
            what,
            f"{place}, {free / (1 << 30):.1f} GiB free",
            os.access(place, os.W_OK) and free > 100 << 20,
            "make it writable and free some space, or work elsewhere",
            needed=True,
        )


def machine() -> Iterator[Finding]:
    """Cores and memory, as Spark will see them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", str(cores))
    memory = memory_bytes()
    yield Finding(
        "memory", f"{memory / (1 << 30):.1f} GiB", memory >= LOW_MEMORY, "Spark wants 2 GiB: give the container more"
    )


def memory_bytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The machine's memory, or the container's limit where that is lower."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        said = limit.read_text(encoding="ascii").strip()
    except OSError:
        return whole
    return min(whole, int(said)) if said.isdigit() else whole
