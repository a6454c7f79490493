"""Puts a submission's files where its target looks for them: on this machine, on a store of Hadoop's, on S3."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkkit.classpath import class_path, spark_home
from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission import aws


def put(uploads: Mapping[str, bytes], submit: Mapping[str, Any]) -> None:
    """Puts each file in its place where it is not there yet: the place is named by the content's hash. `submit` says where S3 is.

    Raises:
        UsageError: the place is none that can be written to, by who asks.
        InfrastructureError: it could not be put there (`not_uploaded`).
    """
    for place, data in uploads.items():
        if place.startswith(("s3://", "s3a://")):
            aws.put(place, data, submit)
        elif "://" in place:
            _on_hadoop(place, data)
        elif not Path(place).is_file():
            _here(Path(place), data)


def _here(place: Path, data: bytes) -> None:
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_bytes(data)
        partial.replace(place)
    except OSError as error:
        raise InfrastructureError(f"{place} can't be written: {error.strerror}", reason="not_uploaded") from error


def _on_hadoop(place: str, data: bytes) -> None:
    """By Hadoop's own shell, which writes beside the place and renames."""
    if _hadoop("-test", "-e", place).returncode == 0:
        return
    with tempfile.TemporaryDirectory(prefix="sparkkit-") as folder:
        file = Path(folder, place.rpartition("/")[2])
        file.write_bytes(data)
        for words in (("-mkdir", "-p", place.rpartition("/")[0]), ("-put", str(file), place)):
            done = _hadoop(*words)
            if done.returncode and _hadoop("-test", "-e", place).returncode:
                why = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
                raise InfrastructureError(f"{place} can't be written: {why.strip()}", reason="not_uploaded")


def _hadoop(*words: str) -> subprocess.CompletedProcess[str]:
    return java("org.apache.hadoop.fs.FsShell", *words)


def java(main: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A tool of Hadoop's, with the jars of Spark and the conf of the cluster.

    Raises:
        UsageError: there is no Spark here.
    """
    home = spark_home()
    if home is None:
        raise UsageError("there is no Spark here, whose Hadoop could be asked", reason="no_spark", hint="set SPARK_HOME")
    program = str(Path(os.environ["JAVA_HOME"], "bin", "java")) if os.environ.get("JAVA_HOME") else shutil.which("java") or "java"
    path = os.pathsep.join(class_path(home, "", ()))
    command = [program, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", path, main, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
