"""The question of Ctrl-C: whether what runs elsewhere is to end, too."""
from __future__ import annotations

import sys


def yes(question: str) -> bool:
    """Whether a person at a terminal says yes; no where nobody is there, or leaves by Ctrl-C or Ctrl-D."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"\nsparkkit: {question} It goes on otherwise. [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False
