"""Where Spark is, and the class path of its driver: Spark's jars in a fixed order, so that an archive of classes holds for it."""
from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_SIGNED = ("janino-", "commons-compiler-")
_SIGNATURE = re.compile(r"META-INF/[^/]+\.(SF|DSA|RSA|EC)")


def spark_home() -> Path | None:
    """SPARK_HOME, or the folder of the installed pyspark package, found without importing it."""
    if "SPARK_HOME" in os.environ:
        return Path(os.environ["SPARK_HOME"])
    spec = importlib.util.find_spec("pyspark")
    return Path(spec.origin).parent if spec and spec.origin else None


def conf_folder(home: Path) -> Path:
    """Where Spark's own settings are: SPARK_CONF_DIR, or `conf` in its home."""
    return Path(os.environ.get("SPARK_CONF_DIR") or home / "conf")


def cache_folder() -> Path | None:
    """SPARKKIT_CACHE (empty: none), else `cache/sparkkit` in the environment if it can be written, else in the home."""
    if "SPARKKIT_CACHE" in os.environ:
        return Path(os.environ["SPARKKIT_CACHE"]) if os.environ["SPARKKIT_CACHE"] else None
    own = Path(sys.prefix)
    inside = own != Path(sys.base_prefix) and os.access(own, os.W_OK)
    return own / "cache" / "sparkkit" if inside else Path.home() / ".cache" / "sparkkit"


def class_path(home: Path, first: str, jars: Sequence[str]) -> tuple[str, ...]:
    """Jars in a fixed order, then folders: an archive holds for class paths that begin with its own jars."""
    ours = sorted(entry.path for entry in os.scandir(home / "jars") if entry.name.endswith(".jar"))
    ours = [_unsigned(path) for path in sorted(ours, key=lambda path: "/slf4j-api-" not in path)]
    folders = [str(conf_folder(home)), *(os.environ.get(name, "") for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"))]
    dist = os.environ.get("SPARK_DIST_CLASSPATH", "")
    path = (*first.split(os.pathsep), *ours, *jars, *folders, *dist.split(os.pathsep))
    return tuple(entry for entry in path if entry)


def stamp(path: str) -> str:
    """A file's path, size and time of change: what tells whether it is still the same."""
    try:
        seen = os.stat(path)
    except OSError:
        return path
    return f"{path} {seen.st_size} {seen.st_mtime_ns}"


def unsign(home: Path) -> None:
    """Make copies of Janino's jars without their signature, which is a dummy; `class_path` then takes the copies.

    The JVM puts no class of a signed jar into an archive, and Janino compiles the code that each job generates.
    """
    for jar in sorted(str(path) for path in (home / "jars").glob("*.jar") if path.name.startswith(_SIGNED)):
        copy = _copy_of(jar)
        if copy is not None and not copy.is_file():
            with suppress(OSError, zipfile.BadZipFile):
                copy.parent.mkdir(parents=True, exist_ok=True)
                _write(jar, copy)


def _write(jar: str, copy: Path) -> None:
    made = copy.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if not _SIGNATURE.fullmatch(entry.filename):
                data = source.read(entry)
                if entry.filename == "META-INF/MANIFEST.MF":  # its first part is the jar's own, the others are digests
                    data = data.replace(b"\r\n", b"\n").split(b"\n\n")[0] + b"\n\n"
                target.writestr(entry, data)
    made.replace(copy)


def _copy_of(jar: str) -> Path | None:
    folder = cache_folder()
    name = os.path.basename(jar).removesuffix(".jar")
    return folder / "unsigned" / f"{name}-{hashlib.sha256(stamp(jar).encode()).hexdigest()[:8]}.jar" if folder else None


def _unsigned(jar: str) -> str:
    copy = _copy_of(jar) if os.path.basename(jar).startswith(_SIGNED) else None
    return str(copy) if copy and copy.is_file() else jar
