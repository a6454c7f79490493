"""A server of the command line for end-to-end tests, what asks it, and a browser."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
JSON = {"Content-Type": "application/json"}
OTHER_TYPES = ("", "text/plain", "application/xml", "json", "multipart/form-data", ";;", "application/json;charset=x")


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        """A connection that is kept open."""
        if self.tls:
            return http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, patience: float = 30) -> tuple[int, str]:
        """The status and the text of one answer, which may take so many seconds."""
        connection = self.connect(patience)
        try:
            connection.request("POST" if body is not None else "GET", path, body, headers if headers is not None else JSON)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def until(self, word: str, times: int = 1) -> None:
        """Reads what the server says until it has said something so often."""
        assert self.process.stderr is not None
        while sum(word in line for line in self.said) < times:
            line = self.process.stderr.readline()
            assert line, f"the server ended before it said {word!r}: {''.join(self.said)}"
            self.said.append(line)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(
    model: Path, *options: str, tls: ssl.SSLContext | None = None, workers: int = 2, python: str = sys.executable,
) -> Iterator[Server]:
    """A server with two workers, up when both are; ended at the end."""
    port = free_port()
    argv = [python, "-m", "sparkkit", "serve", str(model), "--port", str(port), "--workers", str(workers), *options]
    process = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    server = Server(process, port, tls=tls)
    try:
        server.until("Booting worker", workers)
        server.ask("/ping")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def malformed(seed: int, count: int) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Bodies that no server should take, from a seed: path, headers, body."""
    rng = random.Random(seed)
    good = json.dumps({"text": "a good day"}).encode()
    noise = lambda: bytes(rng.randrange(256) for _ in range(rng.randint(1, 60)))  # noqa: E731
    kinds: list[Any] = [
        lambda: (JSON, good[: rng.randrange(len(good))]), lambda: (JSON, b"\xff" + noise()), lambda: (JSON, good[:5] + b"\0" + good[5:]),
        lambda: (JSON, json.dumps({"text": rng.choice([1, None, True, [], {}, 1.5])}).encode()),
        lambda: (JSON, json.dumps({rng.choice(["Text", "texts", "", "__proto__", "x" * 500]): "a"}).encode()),
        lambda: (JSON, rng.choice([b"[", b'{"text":', b'{"records":[']) * rng.randint(1, 50_000)),
        lambda: (JSON, rng.choice([b"1e999", b"-1e999", b"9" * rng.randint(1, 6000), b"NaN", b"-Infinity", b"0x10", b"01"])),
        lambda: (JSON, b'{"text": ' + rng.choice([b"1e400", b"NaN", b"9" * 5000, b'"\\ud800"', b'"\\x"', b"'a'", b'"a"}}']) + b"}"),
        lambda: (JSON, good.decode().encode(rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-16-le"]))),
        lambda: ({"Content-Type": rng.choice(OTHER_TYPES)}, good),
        lambda: (JSON, b'{"text": "' + b"x" * rng.randint(1_100_000, 1_300_000) + b'"}'),
        lambda: (JSON, json.dumps({"text": "x" * rng.randint(2001, 5000)}).encode()),
        lambda: (JSON, json.dumps({"records": rng.choice([[], {}, 0, None, "a", [[]], [None], [{}], [{"text": 1}] * 5])}).encode()),
        lambda: (JSON, b'{"records": [' + b",".join([good] * 1001) + b"]}"), lambda: (JSON, good + good), lambda: (JSON, noise() + b"{"),
        lambda: ({"Content-Type": "text/csv"}, rng.choice([b'"open', b"a,b\n", b"\xe9,\n", b"\n", b"x" * 3000])),
        lambda: ({"Content-Type": "application/jsonlines"}, rng.choice([good + b"\n{", b"{}\n", b"\n\n", b"7\n"])),
    ]  # fmt: skip
    for number in range(count):
        headers, body = kinds[number % len(kinds)]()
        yield rng.choice(["/predict", "/invocations"][headers["Content-Type"] in ("text/csv", "application/jsonlines"):]), headers, body


def chromium() -> str | None:
    """The browser of this machine, where there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome", "chromium-headless-shell")
    return next(filter(None, map(shutil.which, names)), None)


class Browser:
    """A browser without a window, led by the DevTools protocol over pipes."""

    def __init__(self, program: str, folder: Path) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        flags = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe --no-first-run".split()
        argv = [program, *flags, f"--user-data-dir={folder}", "about:blank"]
        shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(["bash", "-c", shell, "bash", *argv], pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL,
                                         start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out, self._number = os.fdopen(ours_in, "rb", buffering=0), os.fdopen(ours_out, "wb", buffering=0), 0
        self.events: list[dict[str, Any]] = []
        self._rest = b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and what it gives."""
        self._number += 1
        session = {"sessionId": self._session} if hasattr(self, "_session") else {}
        self._out.write(json.dumps({"id": self._number, "method": method, "params": params, **session}).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self.events.append(message)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = self._in.read(1 << 16)
            assert more, "the browser has ended"
            self._rest += more
        found, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(found))

    def open(self, address: str) -> None:
        """Goes to a page, and waits until it is there."""
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message())

    def run(self, script: str) -> Any:
        """The value of a script in the page; of a promise its result."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def close(self) -> None:
        """Ends the browser."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._in.close()
        self._out.close()
