"""A PostgreSQL for the tests, of Debian's packages: its command, its data, and how to see that it answers."""
from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import struct
from collections.abc import Sequence
from functools import partial
from pathlib import Path

HERE = "127.0.0.1"
USER = "sparkkit"


def programs() -> Path | None:
    """The folder of PostgreSQL's own programs, the newest one; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("postgres")
    return Path(there).parent if there else None


def postgres(folder: Path) -> tuple[list[str], partial[bool], list[list[str]]]:
    """The server's command, whether it answers, and the commands that make its data.

    Raises:
        FileNotFoundError: it is not installed.
    """
    bin_ = programs()
    if bin_ is None:
        raise FileNotFoundError("no PostgreSQL here: apt-get install -y postgresql")
    home = folder / "postgres"
    port = _port(folder)
    home.mkdir(parents=True, exist_ok=True)
    own = _other_user(home)
    words = [*own, str(bin_ / "postgres"), "-D", str(home / "data")]
    settings = {
        "cluster_name": "-Dsparkkit.daemon=postgres",  # by which the process is known again
        "port": str(port), "listen_addresses": HERE, "unix_socket_directories": "", "log_statement": "all",
        "log_line_prefix": "%m [%p] %a ",
        "fsync": "off", "shared_buffers": "32MB", "max_connections": "40", "timezone": "Asia/Kolkata",  # none of ours, on purpose
    }
    words += [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    return words, partial(_answers, port), [] if (home / "data").is_dir() else [_initdb(folder, bin_, own)]


def variables(folder: Path) -> dict[str, str]:
    """The variables that lead to it."""
    secret = (folder / "postgres" / "password").read_text(encoding="utf-8")
    return {"SPARKKIT_POSTGRES": f"jdbc:postgresql://{HERE}:{_port(folder)}/postgres", "SPARKKIT_POSTGRES_USER": USER,
            "SPARKKIT_POSTGRES_PASSWORD": secret}


def _other_user(home: Path) -> list[str]:
    """The words before a command that PostgreSQL refuses to root."""
    if os.geteuid():
        return []
    name = next(n for n in ("postgres", "nobody") if n in {one.pw_name for one in pwd.getpwall()})
    user = pwd.getpwnam(name)
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def _initdb(folder: Path, bin_: Path, own: Sequence[str]) -> list[str]:
    password = folder / "postgres" / "password"
    password.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    password.chmod(0o600)
    if own:
        os.chown(password, password.parent.stat().st_uid, -1)
    return [*own, str(bin_ / "initdb"), "-D", str(folder / "postgres" / "data"), "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]


def _port(folder: Path) -> int:
    """A free port, the same one as long as the folder is there."""
    file = folder / "postgres.port"
    if not file.is_file():
        with socket.create_server((HERE, 0)) as free:
            file.write_text(str(free.getsockname()[1]), encoding="utf-8")
    return int(file.read_text(encoding="utf-8"))


def _answers(port: int) -> bool:
    """Whether it speaks its protocol: a client that asks for TLS is told yes or no in one letter."""
    with socket.create_connection((HERE, port), timeout=5) as line:
        line.sendall(struct.pack("!ii", 8, 80877103))
        return line.recv(1) in (b"S", b"N")
