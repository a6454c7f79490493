"""The application under gunicorn: workers with threads, TLS, time-outs, and a reload that touches no connection.

SIGHUP to the master makes every worker look for another version, and exchange it between two requests. gunicorn's own answer to
SIGHUP, new workers for old, would close connections that clients keep open, and a request on its way on one of them is lost.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sparkkit.models.bundle import Bundle
from sparkkit.serving import tokens
from sparkkit.serving.app import Settings, app
from sparkkit.serving.model import Model, settle


@dataclass(frozen=True)
class Listen:
    """Where and by how many processes a server listens; `poll` is seconds between two looks for another version."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2
    threads: int = 4
    certificate: Path | None = None
    key: Path | None = None
    poll: float = 10.0


def run(bundle: Bundle, settings: Settings, listen: Listen) -> None:
    """Serves until the process is told to end (SIGTERM lets requests come to their end); does not return.

    Raises:
        UsageError: the model can't be served, or the token file is wrong.
    """
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="sparkkit-metrics-"))
    _check(bundle, settings)
    from gunicorn.app.base import BaseApplication
    from gunicorn.arbiter import Arbiter

    class Master(Arbiter):  # type: ignore[misc]
        """The process that keeps the workers."""

        def handle_hup(self) -> None:
            """Hands SIGHUP on to the workers."""
            self.kill_workers(signal.SIGHUP)

    class Application(BaseApplication):  # type: ignore[misc]
        """What gunicorn runs."""

        def load_config(self) -> None:
            """Takes our settings for gunicorn's."""
            for name, value in configuration(settings, listen).items():
                if name in self.cfg.settings and value is not None:  # not every version has each
                    self.cfg.set(name, value)

        def load(self) -> Any:
            """The application of one worker, after the fork."""
            return app(bundle, settings)

        def run(self) -> None:
            """Starts the workers."""
            Master(self).run()

    Application().run()


def _check(bundle: Bundle, settings: Settings) -> None:
    """A wrong model or token file is told here, once, not by every worker; a session is left to the worker."""
    if settings.tokens:
        tokens.load(settings.tokens)
    if not settings.spark or bundle.card.get("portable") is None:
        Model.load(bundle)


def configuration(settings: Settings, listen: Listen) -> dict[str, Any]:
    """Our settings as gunicorn's: `configuration(Settings("m"), Listen(port=1))["bind"]` is `127.0.0.1:1`."""
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    shm = "/dev/shm"
    return {
        "bind": f"{host}:{listen.port}", "workers": 1 if settings.spark else listen.workers, "threads": listen.threads,
        "worker_class": worker(settings.timeout), "timeout": 600 if settings.spark else 30, "graceful_timeout": 30, "keepalive": 75,
        "certfile": str(listen.certificate) if listen.certificate else None, "keyfile": str(listen.key) if listen.key else None,
        "ssl_context": _modern if listen.certificate else None, "worker_tmp_dir": shm if os.access(shm, os.W_OK) else None,
        "limit_request_line": 4094, "limit_request_fields": 50, "control_socket_disable": True, "proc_name": "sparkkit serve",
        "post_worker_init": partial(_ready, every=listen.poll), "worker_exit": _close, "child_exit": _forget,
    }


def _modern(config: Any, default: Any) -> Any:
    """TLS from version 1.2 on."""
    import ssl

    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def worker(timeout: float) -> Any:
    """gunicorn's worker with threads, whose clients may be silent within a request for so many seconds and no longer."""
    from gunicorn.workers.gthread import ThreadWorker

    class Worker(ThreadWorker):  # type: ignore[misc]
        """A worker whose sockets have a time-out, and whose main loop waits for no client."""

        def init_process(self) -> None:
            """Starts the threads that close connections."""
            self.closers = ThreadPoolExecutor(4, "close")
            super().init_process()

        def enqueue_req(self, conn: Any) -> None:
            """Sets the time-out each time that a thread takes up a connection."""
            conn.init = partial(_limited, conn, type(conn).init, timeout)
            conn.close = partial(_closed, conn, type(conn).close, self.closers)
            super().enqueue_req(conn)

        def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
            """Reads what a refused request has left unread, for no longer than that time."""
            return bool(keepalive and conn.parser.finish_body(deadline=time.monotonic() + timeout))

        def init_signals(self) -> None:
            """SIGHUP does nothing until the application is there."""
            super().init_signals()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    return Worker


def _limited(conn: Any, init: Any, timeout: float) -> None:
    init(conn)
    conn.sock.settimeout(timeout)


def _closed(conn: Any, close: Any, closers: ThreadPoolExecutor, graceful: bool = False) -> None:
    """gunicorn waits up to two seconds for the client to close, in the loop that accepts all others: do that in a thread."""
    if graceful:
        closers.submit(close, conn, graceful=True)
    else:
        close(conn)


def _ready(worker: Any, *, every: float) -> None:
    """After the fork, when the application is there: threads and signals."""
    service = worker.wsgi.extensions["sparkkit"]
    service.current.watch(every, service.reread)
    service.wake = partial(os.kill, worker.ppid, signal.SIGHUP)  # the master asks all workers
    signal.signal(signal.SIGHUP, service.current.wake)
    signal.siginterrupt(signal.SIGHUP, False)
    settle()
    service.current.refresh()  # a worker that starts late, or again, serves what the others do


def _close(_: Any, worker: Any) -> None:
    """Before a worker ends: what waits for the log is written."""
    service = worker.wsgi.extensions["sparkkit"] if getattr(worker, "wsgi", None) else None
    if service and service.log:
        service.log.close()


def _forget(_: Any, worker: Any) -> None:
    """After a worker's end: its gauges are no figures of the server any more."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
