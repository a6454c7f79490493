"""A protocol server, not Livy: Livy's own could not be had here. It keeps to the REST API that Livy documents, and to what its source
says of names, refusals and logs, so that a client can be tested. A batch of it follows a script, or is a real process."""
from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TEXTS = ("file", "name", "proxyUser", "className", "driverMemory", "executorMemory", "queue")
NUMBERS = ("driverCores", "executorCores", "numExecutors")
LISTS = ("args", "jars", "pyFiles", "files", "archives")
FIELDS = {**dict.fromkeys(TEXTS, str), **dict.fromkeys(NUMBERS, int), **dict.fromkeys(LISTS, list), "conf": dict}
"""The fields of a request, with their types."""

KEPT = ("spark.master", "spark.submit.deployMode", "spark.yarn.jar", "spark.yarn.jars", "spark.yarn.archive")
"""The settings that Livy's list keeps from its users, as it is shipped."""

LOG_LINES = 200
"""So many of spark-submit's lines Livy keeps."""

HEADERS = {401: (("WWW-Authenticate", 'Basic realm="livy"'),), 302: (("Location", "http://elsewhere.example/"),)}
"""What goes with a status."""

Answer = tuple[int, Mapping[str, Any] | str]


@dataclass
class Batch:
    """One batch: a script of states, each shown once and the last one for ever, or a process."""

    id: int
    body: Mapping[str, Any]
    script: deque[str]
    log: Sequence[str] = ()
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))

    def state(self) -> str:
        """The state now."""
        if self.process is None:
            return self.script.popleft() if len(self.script) > 1 else self.script[0]
        if self.reader is not None and self.reader.is_alive():
            return "running"
        return "dead" if self.process.wait() else "success"

    def read(self) -> None:
        """Reads the process's output to its end."""
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(line.rstrip("\n") for line in stream)

    def all_lines(self) -> list[str]:
        """The log as Livy gives it for a process."""
        return ["stdout: ", *(self.log or self.lines), "\nstderr: "]


@dataclass
class LivyServer:
    """The server and what a test wants of it.

    Args:
        authorization: the header that is asked for.
        script: the states of each batch, where nothing is started for it.
        log: its log.
        start: starts the process of a batch, from its body; both its streams come by its stdout.
        tls: a file of a certificate and its key.
        recovery: whether batches are known after a restart.
        names: whether batches have names, as they do since 0.6.
        app: the cluster's id of every batch.
        page: the most that it gives at once.
        faults: what goes wrong with the next requests to begin a batch: `unheard` and `unanswered` cut the connection before and
            after it is begun, `cut` sends half an answer, `busy` refuses, a number is a status.
    """

    authorization: str | None = None
    script: Sequence[str] = ("starting", "running", "success")
    log: Sequence[str] = ()
    start: Callable[[Mapping[str, Any]], subprocess.Popen[str]] | None = None
    tls: Path | None = None
    recovery: bool = True
    names: bool = True
    app: str | None = None
    page: int = 10_000
    faults: list[str | int] = field(default_factory=list)
    batches: dict[int, Batch] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    _next: int = 0
    _http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> LivyServer:
        """Starts; on the port it had before, if it had one."""
        self._http = _Quiet(("127.0.0.1", self.port), _handler(self))
        self._http.daemon_threads = True
        self.port = self._http.server_port
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops; without recovery it forgets its batches and numbers from 0 again."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        if not self.recovery:
            self.batches, self._next = {}, 0

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        """What a request gets: a status, and an object or, where Jetty itself answers, a page."""
        if self.authorization and headers.get("Authorization") != self.authorization:
            return 401, "<html><title>Error 401 Unauthorized</title></html>"
        if method not in ("GET", "HEAD", "OPTIONS") and "X-Requested-By" not in headers:
            return 400, "<html>Missing Required Header for CSRF protection.</html>"
        parts = urlsplit(path)
        query = {key: int(values[-1]) for key, values in parse_qs(parts.query).items()}
        found = re.fullmatch(r"/batches(?:/(\d+))?(/state|/log)?", parts.path)
        if not found:
            return 404, "<html>HTTP ERROR 404 Not Found</html>"
        if found[1] is None:
            return self.begin(json.loads(body)) if method == "POST" else self.listed(**query)
        return self.one(method, int(found[1]), found[2], query)

    def listed(self, size: int = 100, **more: int) -> Answer:
        """GET /batches."""
        at = more.get("from", 0)
        shown = [self.view(one) for one in [*self.batches.values()][at:at + min(size, self.page)]]
        return 200, {"from": at, "total": len(self.batches), "sessions": shown}

    def one(self, method: str, number: int, part: str | None, query: Mapping[str, int]) -> Answer:
        """GET and DELETE of /batches/N, /batches/N/state and /batches/N/log."""
        batch = self.batches.get(number)
        if batch is None:
            return 404, {"msg": f"Session '{number}' not found."}
        if method == "DELETE":
            if batch.process and batch.process.poll() is None:
                batch.process.terminate()
            del self.batches[number]
            return 200, {"msg": "deleted"}
        if part == "/state":
            return 200, {"id": number, "state": batch.state()}
        return (200, self.lines(batch, **query)) if part == "/log" else (200, self.view(batch, batch.state()))

    def lines(self, batch: Batch, size: int = 100, **more: int) -> Mapping[str, Any]:
        """A page of a log: the end of it where `from` is not given."""
        lines = batch.all_lines()
        size = min(len(lines) if size < 0 else size, self.page)
        at = more["from"] if more.get("from", -1) >= 0 else max(0, len(lines) - size)
        return {"id": batch.id, "from": at, "total": len(lines), "log": lines[at:at + size]}

    def view(self, batch: Batch, state: str | None = None) -> Mapping[str, Any]:
        """A batch as it is shown."""
        state = state or (batch.state() if batch.process else batch.script[0])
        shown = {"id": batch.id, "owner": None, "proxyUser": batch.body.get("proxyUser"), "state": state, "appId": self.app,
                 "appInfo": {"driverLogUrl": None, "sparkUiUrl": None}, "log": batch.all_lines()[-10:]}
        return {**shown, "name": batch.body.get("name")} if self.names else shown

    def begin(self, body: Mapping[str, Any]) -> Answer:
        """POST /batches."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == "unheard":
            raise ConnectionAbortedError
        if isinstance(fault, int):
            return fault, {"msg": f"fault {fault}"}
        if fault == "busy":
            return 400, {"msg": "Rejected, too many sessions are being created!"}
        why = next(filter(None, self.wrong(body)), None)
        if why:
            return 400, {"msg": why}
        number, self._next = self._next, self._next + 1
        batch = self.batches[number] = Batch(number, body, deque(self.script), self.log)
        if self.start:
            batch.process = self.start(body)
            batch.reader = threading.Thread(target=batch.read, daemon=True)
            batch.reader.start()
        if fault == "unanswered":
            raise ConnectionAbortedError
        return (201 if fault != "cut" else -201), {**self.view(batch, "starting"), "appId": None}

    def wrong(self, body: Mapping[str, Any]) -> Iterable[str | None]:
        """Why a request is refused."""
        for key, value in body.items():
            yield None if key in FIELDS else f'Unrecognized field "{key}"'
            yield None if isinstance(value, FIELDS.get(key, object)) else f"Cannot deserialize value of {key}"
            for one in value if key in ("jars", "pyFiles", "files", "archives") else [value] if key == "file" else []:
                yield None if ":/" in one or one.startswith("/") else f"requirement failed: Path '{one}' is not absolute."
        kept = [key for key in body.get("conf", {}) if key in KEPT]
        yield f"Rejected, Reason: Blacklisted configuration values in session config: {', '.join(kept)}" if kept else None
        yield None if body.get("file") else "requirement failed: File is required."
        name = body.get("name")
        if name and self.names:
            yield f"Invalid session name: {name}" if name.isdigit() else None
            twice = name in [one.body.get("name") for one in self.batches.values()]
            yield f"Rejected, Reason: Duplicate session name: Some({name}) for session {self._next}" if twice else None


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Nothing: a client that was interrupted has gone, and a test's output is its own."""


def _handler(server: LivyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.asked.append((self.command, self.path))
            try:
                status, found = server.answer(self.command, self.path, self.headers, body)
            except ConnectionAbortedError:
                self.close_connection = True
                return
            raw = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(abs(status))
            self.send_header("Content-Type", "text/html" if isinstance(found, str) else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for header in HEADERS.get(status, ()):
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(raw if status > 0 else raw[: len(raw) // 2])

        do_GET = do_POST = do_DELETE = do  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    return Handler
