"""The verb `serve`: a model behind HTTP."""
from __future__ import annotations

import argparse
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path

from sparkkit.errors import UsageError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    serve = verbs.add_parser("serve", help="serve a model over HTTP: /predict, a page with a form, SageMaker's /ping and /invocations")
    serve.add_argument("model", nargs="?", help="a model of the registry, such as sentiment@champion, or a model's folder")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8080, help="default 8080")
    serve.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default 2)")
    serve.add_argument("--threads", type=int, default=4, metavar="N", help="threads of each process (default 4)")
    serve.add_argument("--token-file", type=Path, metavar="FILE", help="hashes of the tokens that may ask; --new-token makes a line of it")
    serve.add_argument("--new-token", metavar="SCOPES", help="print a new token once, and its line for the file: predict, metrics, admin")
    serve.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain as PEM")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="its key as PEM")
    serve.add_argument("--insecure", action="store_true",
                       help="listen beyond this machine without tokens or without TLS, as behind a proxy")
    serve.add_argument("--rate", type=float, default=0.0, metavar="R",
                       help="requests a second for each token or address, in each worker (default no limit)")
    serve.add_argument("--max-body", type=int, default=1 << 20, metavar="BYTES", help="default 1 MiB")
    serve.add_argument("--max-rows", type=int, default=1000, metavar="N", help="records of one request (default 1000)")
    serve.add_argument("--timeout", type=float, default=10.0, metavar="S",
                       help="seconds that a client may be silent within a request, and that a batch may take (default 10)")
    serve.add_argument("--poll", type=float, default=10.0, metavar="S", help="seconds between two looks for another version (default 10)")
    serve.add_argument("--spark", action="store_true", help="a model that can't do without Spark: a warm session, in one worker")
    serve.add_argument("--log", type=Path, metavar="FOLDER", help="where each prediction is logged as a line of JSON")


def _serve(args: argparse.Namespace) -> int:
    if args.new_token:
        return _new_token(args.new_token)
    if not args.model:
        raise UsageError("serve needs a MODEL", reason="wrong_option", hint="`sparkkit models list` shows those of the registry")
    refuse_open(args)
    os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")  # a connection to SQLite must not live through a fork
    from sparkkit.serving import model, server
    from sparkkit.serving.app import Settings

    settings = Settings(args.model, args.token_file, args.rate, args.max_body, args.max_rows, args.timeout, args.spark,
                        bool(args.tls_cert), args.log)
    server.run(model.find(args.model), settings, server.Listen(
        args.host, args.port, args.workers, args.threads, args.tls_cert, args.tls_key, args.poll))
    return 0


def refuse_open(args: argparse.Namespace) -> None:
    """Refuses options that would let anyone ask, or let anyone listen, unless `--insecure` says so.

    Raises:
        UsageError: an address beyond this machine without tokens or TLS (`open_server`), half a certificate, or a number that can't be.
    """
    if bool(args.tls_cert) != bool(args.tls_key):
        raise UsageError("--tls-cert and --tls-key go together", reason="wrong_option")
    for name in ("tls_cert", "tls_key"):
        file = getattr(args, name)
        if file and not file.is_file():
            raise UsageError(f"--{name.replace('_', '-')}: there is no file {file}", reason="wrong_option")
    for name in ("workers", "threads", "max_body", "max_rows", "timeout", "poll"):
        if getattr(args, name) <= 0:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(args, name)}, and must be above 0", reason="wrong_option")
    if not 0 < args.port < 65536 or args.rate < 0:
        raise UsageError(f"--port {args.port} or --rate {args.rate:g} can't be", reason="wrong_option")
    missing = [what for what, given in (("--token-file", args.token_file), ("--tls-cert", args.tls_cert)) if not given]
    if missing and not _loopback(args.host) and not args.insecure:
        raise UsageError(f"--host {args.host} is reached from other machines, and {' and '.join(missing)} is not given",
                         reason="open_server", hint="give it, or say --insecure")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _new_token(scopes: str) -> int:
    from sparkkit.serving import tokens

    token, line = tokens.new(scopes)
    print(f"token, shown only now: {token}")
    print(f"line for the token file: {line}")
    return 0


VERBS: dict[str, Callable[..., int]] = {"serve": _serve}
