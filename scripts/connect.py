"""Starts a real Spark Connect server out of the installed pyspark, runs a command against it, and stops it again.

    python scripts/connect.py [--delta] pytest tests/transforms

`--delta` gives the server Delta's jars out of the environment. The command sees SPARK_REMOTE. The exit code is the command's;
6 where the server does not come up. Spark 3.5's own package has no Connect server: its spark-connect jar comes apart.
"""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sparkkit import jars, jvm, needs, settings  # noqa: E402

UP_SECONDS = 90
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def delta() -> dict[str, str]:
    """The settings of a server that has Delta."""
    return {**needs.settings(["delta"]), "spark.jars": ",".join(jars.needed(["delta"]))}


def start(port: int, folder: Path, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """The server's process, in a group of its own, with its log and its tables in the folder."""
    import pyspark

    home = Path(pyspark.__file__).parent
    conf = {"spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": str(port), "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2", "spark.sql.ansi.enabled": "true", "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.driver.extraJavaOptions": " ".join(jvm.PROFILES["test"]),
            **settings.SMALL, **(more or {})}
    words = [str(home / "bin" / "spark-submit"), "--master", "local[2]", "--class", SERVER,
             *[word for key, value in conf.items() for word in ("--conf", f"{key}={value}")], "spark-internal"]
    env = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
           "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    with open(folder / "server.log", "wb") as log:
        return subprocess.Popen(words, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def wait(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the server listens before the time is up."""
    until = time.monotonic() + UP_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.3)
    return False


def main(command: list[str]) -> int:
    """Runs the command against a server of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server does not outlive us
    port = free_port()
    more = delta() if command[0] == "--delta" else {}
    with tempfile.TemporaryDirectory() as folder:
        server = start(port, Path(folder), more)
        try:
            if not wait(server, port):
                print(f"the Spark Connect server did not come up:\n{(Path(folder) / 'server.log').read_text()[-2000:]}", file=sys.stderr)
                return 6
            env = {**os.environ, "SPARK_REMOTE": f"sc://127.0.0.1:{port}"}
            return subprocess.run(command[bool(more) :], env=env, check=False).returncode
        finally:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
