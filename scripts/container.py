"""Tries an image as Docker would run it: its command in a chroot, as its user, until its health check passes; asks; stops it by SIGTERM.

Meant for scripts/dockerfile.sh, which gives namespaces of processes, mounts and the network: whatever still runs or is mounted at
the end of this process goes with them. The same model is served outside of the image, too, and both have to give one answer.

python scripts/container.py IMAGE MODEL RECORD [OPTION OF BUILDAH…]
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START, STOP = 40.0, 10.0
"""Seconds until the first health check has to pass, and that Docker waits for a container that it stops."""


def output(*command: str) -> str:
    """What a command says."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def chrooted() -> Iterator[tuple[int, int]]:
    """The processes of this namespace that have another root folder than ours, and the users that they run as."""
    ours = os.stat("/")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if not os.path.samestat(os.stat(folder / "root"), ours):
                users = re.search(r"^Uid:\t(\d+)", (folder / "status").read_text(), re.MULTILINE)
                assert users is not None
                yield int(folder.name), int(users[1])
        except FileNotFoundError:
            continue  # it has just ended


def wait_until_healthy(inside: list[str], config: dict[str, Any], server: subprocess.Popen[bytes]) -> float:
    """Seconds until the image's health check passed."""
    kind, *check = config["Healthcheck"]["Test"]
    if kind != "CMD":
        sys.exit(f"container: the health check is {kind} and not a list of words, which needs no shell")
    began = time.monotonic()
    while subprocess.run([*inside, *check], capture_output=True).returncode:
        if server.poll() is not None:
            sys.exit(f"container: the server ended with {server.returncode} before it was healthy")
        if time.monotonic() - began > START:
            sys.exit(f"container: the health check did not pass within {START:.0f} s")
        time.sleep(0.2)
    return round(time.monotonic() - began, 1)


def answer(port: int, record: str) -> dict[str, Any]:
    """What a server predicts, without the request's own number."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/predict", record, {"Content-Type": "application/json"})
    heard = connection.getresponse()
    said = heard.read().decode()
    connection.close()
    if heard.status != 200:
        sys.exit(f"container: /predict on port {port} answered {heard.status}: {said}")
    return {name: value for name, value in json.loads(said).items() if name != "request_id"}


def answer_outside(model: str, port: int, record: str) -> dict[str, Any]:
    """What `sparkkit serve` answers without an image."""
    argv = [sys.executable, "-m", "sparkkit", "serve", model, "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    said = ""
    while "Booting worker" not in said:
        line = server.stderr.readline()
        if not line:
            sys.exit(f"container: `sparkkit serve` ended outside of the image: {said}")
        said += line
    return answer(port, record)


def stop(server: subprocess.Popen[bytes]) -> float:
    """Stops the image's command by SIGTERM, which has to end it with exit code 0; seconds until it has ended."""
    began = time.monotonic()
    first = min(process for process, _ in chrooted() if b"buildah" not in Path(f"/proc/{process}/cmdline").read_bytes())
    os.kill(first, signal.SIGTERM)
    try:
        code = server.wait(STOP)
    except subprocess.TimeoutExpired:
        sys.exit(f"container: the server was still there {STOP:.0f} s after SIGTERM")
    if code:
        sys.exit(f"container: the server ended with {code} after SIGTERM, and not with 0")
    return round(time.monotonic() - began, 1)


def tried(image: str, model: str, record: str, *options: str) -> dict[str, Any]:
    """What was seen; a sentence and exit code 1 where the image is not as it should be. What was started ends with this process."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    buildah = ["buildah", *options]
    config = json.loads(output(*buildah, "inspect", "--type", "image", image))["Docker"]["config"]
    (port,) = (int(name.removesuffix("/tcp")) for name in config["ExposedPorts"])
    inside = [*buildah, "run", "--isolation", "chroot", output(*buildah, "from", "--pull-never", image), "--"]
    server = subprocess.Popen([*inside, *config["Cmd"]])
    healthy = wait_until_healthy(inside, config, server)
    users = sorted({user for _, user in chrooted()})
    if not users or 0 in users:
        sys.exit(f"container: the server's processes are of the users {users}, and none may be root (0)")
    here, outside = answer(port, record), answer_outside(model, port + 1, record)
    if here != outside:
        sys.exit(f"container: the image answers {here}, `sparkkit serve` outside of it {outside}")
    return {"user": config["User"], "user_ids": users, "port": port, "healthy_seconds": healthy, "answer": here, "same_outside": True,
            "stopped_seconds": stop(server)}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(tried(*sys.argv[1:])))
