"""Whether a process that began a run, or has a lock, still lives: only the machine that it ran on can say. Source: proc(5)."""
from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PROC = Path("/proc")


def here() -> dict[str, Any]:
    """This process as it can be known again: host, boot of its kernel, space of its number, number, and when it was born in that boot."""
    return {"host": socket.gethostname(), "boot": _boot(), "space": _space(), "pid": os.getpid(), "born": _born(os.getpid())}


def state(process: Mapping[str, Any]) -> str:
    """`running`, `killed`, or `unknown` where this is another machine or container.

    >>> state(here()), state({**here(), "boot": "another"}), state({**here(), "host": "another"})
    ('running', 'killed', 'unknown')
    """
    now = here()
    if process.get("host") != now["host"]:
        return "unknown"
    if process.get("boot") != now["boot"]:
        return "killed"
    if process.get("space") != now["space"]:
        return "unknown"
    born = _born(int(process.get("pid") or 0))
    return "running" if born is not None and born == process.get("born") else "killed"


def me() -> str:
    """This process as one word; empty where the system does not tell enough."""
    now = here()
    return f"{now['boot']}/{now['space']}/{now['pid']}/{now['born']}" if now["boot"] and now["space"] else ""


def is_dead(word: str) -> bool:
    """Whether the process of a word is surely over; False where it runs, is stopped, or is not one of this boot and space.

    >>> is_dead(me()), is_dead(""), is_dead("another/machine/1/2")
    (False, False, False)
    """
    boot, space, pid, born = [*word.split("/"), *[""] * 4][:4]
    if not boot or (boot, space) != (_boot(), _space()) or not pid.isdigit():
        return False
    return str(_born(int(pid))) != born


def _boot() -> str | None:
    with suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return None


def _space() -> str | None:
    with suppress(OSError):
        return os.readlink(PROC / "self/ns/pid")
    return None


def _born(pid: int) -> int | None:
    """Clock ticks from the boot to the process's birth (a number alone may have gone to another process since); 0 where the
    system has no /proc; None where there is no such process, or only its remains."""
    if not PROC.is_dir():
        try:
            os.kill(pid, 0)
        except OSError:
            return None
        return 0
    with suppress(OSError, ValueError, IndexError):
        fields = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
        return None if fields[0] in "ZX" else int(fields[19])
    return None
