"""Starts and ends real daemons for the tests: NameNode and DataNodes, ResourceManager and NodeManagers, Master and Worker, an S3 server,
one over TLS, a PostgreSQL.

One process each, in a session of its own; what is up stands in `state.json`, what they say in `logs/`. See scripts/cluster.sh.
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import daemons  # noqa: E402
from scripts.daemons import Daemon  # noqa: E402

FOLDER = Path(os.environ.get("SPARKKIT_CLUSTER") or ROOT / ".sparkkit" / "cluster")
PATIENCE = 180
"""Seconds in which a daemon has to answer."""


def up(kinds: Sequence[str]) -> int:
    """Starts what is not up yet; 0 when all answer, 3 where one can't be had or does not."""
    running = {name: found for name, found in state().items() if alive(found)}
    try:
        wanted = [daemon for daemon in daemons.plan(FOLDER, kinds) if daemon.name not in running]
    except daemons.MissingError as missing:
        print(f"cluster: {missing}", file=sys.stderr)
        return 3
    for daemon in wanted:
        running[daemon.name] = {"pid": launch(daemon), "marker": daemon.marker}
        write(running)
    until = time.monotonic() + PATIENCE
    for daemon in wanted:
        if not answers(daemon, until):
            print(f"cluster: {daemon.name} does not answer; the end of {log_of(daemon.name)}:\n{tail(daemon.name)}", file=sys.stderr)
            return 3
        print(f"cluster: {daemon.name} is up", file=sys.stderr)
    return 0


def launch(daemon: Daemon) -> int:
    """Starts one daemon; its process id."""
    log_of(daemon.name).parent.mkdir(parents=True, exist_ok=True)
    with log_of(daemon.name).open("ab") as log:
        for words in daemon.first:
            subprocess.run(words, check=True, timeout=PATIENCE, stdout=log, stderr=log, env=environment_of(daemon))
        process = subprocess.Popen(daemon.words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                   env=environment_of(daemon), cwd=FOLDER)
    while process.poll() is None and not Path(f"/proc/{process.pid}/cmdline").read_bytes():  # its words come a moment after it
        time.sleep(0.01)
    return process.pid


def environment_of(daemon: Daemon) -> dict[str, str]:
    """A daemon's variables: none that would lead what it starts to this project's Python, packages or Spark."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYSPARK", "SPARK", "VIRTUAL_ENV"))}
    return {**kept, **daemon.environment}


def answers(daemon: Daemon, until: float) -> bool:
    """Whether a daemon is ready within its time."""
    while time.monotonic() < until:
        if not alive(state()[daemon.name]):
            time.sleep(0.3)  # one that becomes another program has no command line for a moment
            if not alive(state()[daemon.name]):
                return False
        with suppress(OSError, ValueError, LookupError):
            if daemon.ready():
                return True
        time.sleep(0.3)
    return False


def down() -> int:
    """Ends all, and removes their folder but for the logs."""
    for found in state().values():
        if alive(found):
            with suppress(ProcessLookupError):
                os.killpg(found["pid"], signal.SIGKILL)
    for path in FOLDER.glob("*") if FOLDER.is_dir() else ():
        if path.name not in ("logs", "bin"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
    return 0


def status() -> int:
    """A line for each daemon; 3 where one is not up, or there is none."""
    lines = [(name, alive(found)) for name, found in state().items()]
    for name, there in lines:
        print(f"{name:18}{'up' if there else 'DOWN':6}{log_of(name)}")
    return 0 if lines and all(there for _, there in lines) else 3


def environment() -> int:
    """The variables that lead to what is up, for a shell."""
    print("\n".join(f"export {name}={value}" for name, value in daemons.variables(FOLDER, list(state())).items()))
    return 0


def state() -> dict[str, dict[str, Any]]:
    """The daemons that were started, by name."""
    try:
        found: dict[str, dict[str, Any]] = json.loads((FOLDER / "state.json").read_text(encoding="utf-8"))
    except OSError:
        return {}
    return found


def write(running: dict[str, dict[str, Any]]) -> None:
    """Remembers what was started."""
    (FOLDER / "state.json").write_text(json.dumps(running), encoding="utf-8")


def alive(found: dict[str, Any]) -> bool:
    """Whether the process is there, and still ours: ids are used again."""
    try:
        return str(found["marker"]).encode() in Path(f"/proc/{found['pid']}/cmdline").read_bytes()
    except OSError:
        return False


def log_of(name: str) -> Path:
    """The file of what a daemon says."""
    return FOLDER / "logs" / f"{name}.log"


def tail(name: str, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log_of(name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def main(argv: Sequence[str]) -> int:
    """Does what the command line says."""
    verbs = {"down": down, "status": status, "env": environment}
    unknown = [kind for kind in argv[1:] if kind not in daemons.KINDS]
    if unknown:
        print(f"cluster: no daemon {unknown[0]!r}, expected {', '.join(daemons.KINDS)}", file=sys.stderr)
        return 2
    return up(argv[1:] or ("hdfs", "yarn")) if argv[0] == "up" else verbs[argv[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
