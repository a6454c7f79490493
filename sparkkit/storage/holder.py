"""Who has a lock, so that one on the same machine need not be waited for once it is dead.

Source: proc(5). A process is told from a later one of its number by its start time, and from one of another boot or container by
the boot's id and the namespace of process numbers.
"""
from __future__ import annotations

import os
from pathlib import Path

_BOOT, _SPACE = "/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"


def me() -> str:
    """This process, as one word; empty where the system does not tell."""
    return _word(os.getpid())


def is_dead(holder: str) -> bool:
    """Whether a process is surely over; False where it runs, is stopped, or is not one of this machine.

    >>> is_dead(me()), is_dead(""), is_dead("another/machine/1/2")
    (False, False, False)
    """
    here, number = _here(), holder.split("/")[2:3]
    return bool(here) and holder.startswith(f"{here}/") and number[0].isdigit() and _word(int(number[0])) != holder


def _word(number: int) -> str:
    here, stat = _here(), Path(f"/proc/{number}/stat")
    try:
        state, *rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{here}/{number}/{rest[18]}" if here and state not in "ZX" else ""


def _here() -> str:
    try:
        return f"{Path(_BOOT).read_text(encoding='ascii').strip()}/{os.readlink(_SPACE).strip('pid:[]')}"
    except OSError:
        return ""
