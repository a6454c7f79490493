"""moto's server on loopback, which answers as AWS would, and a door before it that loses answers or turns callers away."""
from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.submission.model import WHY

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_DEFAULT_REGION": "eu-central-1",
}


@contextmanager
def moto() -> Iterator[str]:
    """Its address."""
    pytest.importorskip("boto3", reason=WHY)
    server = pytest.importorskip("moto.server", reason="moto is for tests: pip install 'moto[server]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        running.stop()


@dataclass
class Door:
    """Passes requests on to a server; `lost` answers are not passed back, `busy` requests are turned away as too many."""

    target: str
    lost: int = 0
    busy: int = 0
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    url: str = ""

    def asked(self, what: str) -> list[bytes]:
        """The bodies of the requests of one kind: an operation of EMR, or a method and the beginning of a path."""
        return [body for operation, line, body in self.seen if what == operation or line.startswith(what)]


@contextmanager
def door(target: str, lost: int = 0, busy: int = 0) -> Iterator[Door]:
    """A door that is open in the block; what is lost or turned away are requests that change something."""
    made = Door(target, lost, busy)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
            made.seen.append((operation, f"{self.command} {self.path}", body))
            changes = operation in ("AddJobFlowSteps", "RunJobFlow") or (not operation and self.command in ("POST", "PUT"))
            if changes and made.busy:
                made.busy -= 1
                self._answer(400, {"Content-Type": "application/x-amz-json-1.1"}, b'{"__type":"ThrottlingException"}')
                return
            there = http.client.HTTPConnection(made.target.removeprefix("http://"))
            there.request(self.command, self.path, body, {**self.headers, "Connection": "close"})
            answer = there.getresponse()
            data = answer.read()
            there.close()
            if changes and made.lost:
                made.lost -= 1
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(answer.status, dict(answer.getheaders()), data)

        def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
