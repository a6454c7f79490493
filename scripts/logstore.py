"""Builds Delta's log store for S3 from `sparkkit/storage/java`, where a JDK is: a jar that is the same for the same source and JDK.

Without one, sparkkit's own runs still keep each other out by the lock; other Spark writers are then not kept apart from them.
"""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pyspark

from sparkkit import jars

SOURCE = Path(__file__).resolve().parents[1] / "sparkkit" / "storage" / "java" / "ConditionalLogStore.java"
API = ("hadoop-client-api-",)


def ensure(where: Path) -> str | None:
    """Makes the jar in a folder that has Delta's; why not, where it can't be made."""
    made = where / jars.LOG_STORE
    storage = sorted(where.glob("io.delta_delta-storage-*.jar"))
    path = [*storage, *(jar for jar in Path(pyspark.__file__).parent.glob("jars/*.jar") if jar.name.startswith(API))]
    stamp = hashlib.sha256(SOURCE.read_bytes() + "".join(jar.name for jar in path).encode()).hexdigest().encode()
    if _stamp(made) == stamp:
        return None
    made.unlink(missing_ok=True)
    javac = shutil.which(str(Path(os.environ["JAVA_HOME"], "bin", "javac")) if os.environ.get("JAVA_HOME") else "javac")
    if javac is None or not storage:
        return "there is no JDK (javac)" if storage else "Delta's jars are not there"
    with tempfile.TemporaryDirectory(dir=where, prefix=".building-") as folder:
        words = [javac, "--release", "17", "-nowarn", "-d", folder, "-cp", os.pathsep.join(map(str, path)), str(SOURCE)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return f"javac says {(done.stderr.strip().splitlines() or ['nothing'])[0]}"
        _pack(Path(folder), made.with_suffix(".new"), stamp)
    made.with_suffix(".new").replace(made)
    return None


def _stamp(jar: Path) -> bytes:
    try:
        with zipfile.ZipFile(jar) as found:
            return found.comment
    except (OSError, zipfile.BadZipFile):
        return b""


def _pack(classes: Path, jar: Path, stamp: bytes) -> None:
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as target:
        target.comment = stamp
        for file in sorted(classes.rglob("*.class")):
            target.writestr(zipfile.ZipInfo(file.relative_to(classes).as_posix()), file.read_bytes())
