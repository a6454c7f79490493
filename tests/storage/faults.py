"""A store that fails at its n-th call: dies before or after it, answers with an error before or after it, or writes half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.storage.memory import CALLS

KINDS = ("crash", "crash after", "error", "error after", "short write", "asked twice")
"""`short write` leaves half of a hidden file where something is put, and is an error elsewhere. `asked twice`: an answer was lost on
the way, and the client made the call again, as NFS does (an exchange is not made there)."""


class Crash(BaseException):
    """The process is gone: nothing that it would still do is done."""


@dataclass
class Faulty:
    """Wraps a store; `calls` counts, `fired` says whether the fault came."""

    store: Any
    at: int
    kind: str
    calls: int = 0
    fired: bool = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return self._guard(name, found) if name in CALLS else found

    def _guard(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any) -> Any:
            self.calls += 1
            if self.calls < self.at or (self.fired and not self.kind.startswith("crash")):
                return call(*args)
            if self.fired or self.kind == "crash":
                self.fired = True
                raise Crash
            self.fired = True
            if self.kind == "asked twice":
                return (call(*args), call(*args))[1] if name != "exchange" else call(*args)
            if self.kind == "short write" and name == "put_if_absent":
                folder, _, last = args[0].rpartition("/")
                self.store.put_if_absent(f"{folder}/.{last}.0.tmp", args[1][: len(args[1]) // 2])
            if self.kind.endswith("after"):
                call(*args)
            raise Crash if self.kind.startswith("crash") else OSError(5, "Input/output error")

        return guarded
