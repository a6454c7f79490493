"""One attempt that kills its whole process group at an event: `child.py EVENTS AT ARGUMENTS…`.

Events are the steps of the road, each call of the storage from the main thread, each commit of a table, each file that is staged;
all have a number, in the order in which they come. At number AT the group gets SIGKILL; with AT 0 none, and the events are written
to the file EVENTS.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparkkit import formats
from sparkkit.command import command
from sparkkit.ledger import Record
from sparkkit.storage.local import LocalStore
from sparkkit.submission.local import load_job

CALLS = ("put_if_absent", "rename", "exchange", "link", "delete", "make_folder", "persist")


class Events:
    """Counts events, and kills at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.names = at, list[str]()
        self.lock = threading.Lock()

    def __call__(self, name: str) -> None:
        """One event."""
        with self.lock:
            self.names.append(name)
            if len(self.names) == self.at:
                os.killpg(0, signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with an event before and one after it; calls from other threads and within calls are none."""

        @functools.wraps(call)
        def inner(*args: Any, **kwargs: Any) -> Any:
            outer = threading.current_thread() is threading.main_thread() and not self.inside
            if not outer:
                return call(*args, **kwargs)
            self.inside = name.startswith("store")
            try:
                self(f"before {name}")
                result = call(*args, **kwargs)
                self(f"after {name}")
                return result
            finally:
                self.inside = False

        return inner

    inside = False


def watch(events: Events, folder: Path) -> None:
    """An event for each file that a task has staged."""
    seen: set[Path] = set()
    while True:
        for file in folder.glob(".*.sparkkit/stage/**/part-*"):
            if file not in seen and "_temporary" not in file.parts:
                seen.add(file)
                events("staged file")
        time.sleep(0.002)


def main() -> None:
    """Patches what makes events, and runs the job."""
    log, at, *argv = sys.argv[1:]
    events = Events(int(at))
    for name in CALLS:
        setattr(LocalStore, name, events.around(f"store {name}", getattr(LocalStore, name)))
    known = formats.known

    def patched(kind: str) -> Any:
        form = known(kind)
        return replace(form, commit=events.around(f"commit {kind}", form.commit)) if form.commit else form

    formats.known = patched  # type: ignore[assignment]
    step = Record.step

    @contextmanager
    def stepped(self: Record, name: str) -> Iterator[None]:
        with step(self, name):
            events(f"step {name}")
            yield
        events(f"end of {name}")

    Record.step = stepped  # type: ignore[method-assign, assignment]
    out = Path(next(word for word in argv if word.startswith("--output=")).partition("=")[2])
    threading.Thread(target=watch, args=(events, out), daemon=True).start()
    code = command(load_job(str(Path(__file__).with_name("nightly.py"))), argv)
    Path(log).write_text("\n".join(events.names))
    sys.exit(code)


if __name__ == "__main__":
    main()
