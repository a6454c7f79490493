"""One attempt to which something is done at an event: `child.py ORDER ARGUMENTS…`, the order as JSON.

    log       the file to which the names of all events are written, where the run comes to its end
    at        the event, as NAME#N for its N-th time; none where it is empty
    do        kill      SIGKILL to the groups of this process and of the driver's JVM
              orphan    SIGKILL to this process's group alone: the JVM lives on until it sees that nobody is there
              jvm       SIGKILL to the group of the JVM alone, as where the system takes its memory back; the run goes on without it
              stop      SIGSTOP to all of them
              executor  SIGKILL to the executors of `local-cluster`; the run goes on
    master    as of spark-submit, or empty
    beat      seconds between heartbeats, and how many must be missed; the product's own where it is null

Events are the steps of the road, each call of the storage from the main thread, each step of a commit to Delta, each file that is
written by a task, staged or put into a table, and each entry of a table's log. This imports nothing but sparkkit: what is imported
from the project is code of the job, and the run that comes after is to be the same.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparkkit import formats, publishing
from sparkkit.command import command
from sparkkit.formats import delta_adopt, delta_kept, deltalog
from sparkkit.ledger import Record
from sparkkit.storage.local import LocalStore
from sparkkit.storage.lock import Patience
from sparkkit.submission.local import load_job

PR_SET_PDEATHSIG = 1
CALLS = ("put_if_absent", "rename", "exchange", "link", "delete", "make_folder", "persist")
INNER = ((deltalog.Transaction, ("write", "count", "commit")), (delta_kept.Kept, ("add",)), (delta_adopt.Adoption, ("_move",)))


class Events:
    """Counts events, and does at one of them what was ordered."""

    inside = False

    def __init__(self, order: dict[str, Any]) -> None:
        self.at, self.do, self.log = order["at"], order["do"], Path(order["log"])
        self.seen, self.lock = Counter[str](), threading.Lock()

    def __call__(self, name: str) -> None:
        """One event."""
        with self.lock:
            self.seen[name] += 1
            if f"{name}#{self.seen[name]}" == self.at:
                self._act()

    def _act(self) -> None:
        others = below(os.getpid())
        hit = self.log.with_name("hit")
        if self.do == "executor":
            for pid in others:
                with suppress(OSError):
                    if b"CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(pid, signal.SIGKILL)
                        hit.write_text("")
            return
        hit.write_text(" ".join(str(pid) for pid in others))
        sign = signal.SIGSTOP if self.do == "stop" else signal.SIGKILL
        if self.do != "orphan":
            for group in {os.getpgid(pid) for pid in others} - {os.getpgid(0)}:
                os.killpg(group, sign)
        if self.do != "jvm":
            os.killpg(0, sign)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with an event before and one after it; calls from other threads and within calls of the storage are none."""

        @functools.wraps(call)
        def inner(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread() or self.inside:
                return call(*args, **kwargs)
            store = name.startswith("store")
            full = f"{name} {area(args[1])}" if store else name
            self(f"before {full}")
            self.inside = store
            try:
                result = call(*args, **kwargs)
            finally:
                self.inside = False
            self(f"after {full}")
            return result

        return inner


def area(path: str) -> str:
    """Which part of a journal a path is in, or that it is none."""
    return path.partition(".sparkkit/")[2].partition("/")[0] or "target"


def below(pid: int) -> list[int]:
    """The processes that come from one, in any generation."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def kind_of(path: str) -> str:
    """What a file below the outputs' folder is, where it is one that counts."""
    above, _, name = path.rpartition("/")
    if "/stage/" in above and name.startswith("part-"):
        return "task file" if "/_temporary/" in path else "staged file"
    if ".sparkkit" in above:
        return ""
    if above.endswith("/_delta_log"):
        return "log entry" if name.endswith(".json") and name[0] != "." else ""
    return "table file" if name.startswith("part-") else ""


def watch(events: Events, folder: Path) -> None:
    """An event for each file that comes to be; what goes while it is looked for is none."""
    def files() -> Iterator[tuple[str, str]]:
        for at, _, names in os.walk(folder):
            yield from ((kind_of(f"{at}/{name}"), f"{at}/{name}") for name in names)

    seen = set(files())
    while True:
        for kind, file in files():
            if kind and (kind, file) not in seen:
                seen.add((kind, file))
                events(kind)
        time.sleep(0.008)


def patch(events: Events) -> None:
    """Makes the steps of a run events."""
    for name in CALLS:
        setattr(LocalStore, name, events.around(f"store {name}", getattr(LocalStore, name)))
    for kind, names in INNER:
        for name in names:
            setattr(kind, name, events.around(f"{kind.__name__}.{name}", getattr(kind, name)))
    known, step = formats.known, Record.step

    def patched(kind: str) -> Any:
        form = known(kind)
        return replace(form, commit=events.around(f"commit {kind}", form.commit)) if form.commit else form

    @contextmanager
    def stepped(self: Record, name: str) -> Iterator[None]:
        with step(self, name):
            events(f"step {name}")
            yield
        events(f"end of {name}")

    formats.known = patched  # type: ignore[assignment]
    Record.step = stepped  # type: ignore[method-assign]


def main() -> None:
    """Patches what makes events, and runs the job."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # what is stopped would stay for ever
    order, argv = json.loads(sys.argv[1]), sys.argv[2:]
    events = Events(order)
    patch(events)
    if order["beat"]:
        vars(publishing)["Patience"] = lambda: Patience(*order["beat"])
    out = Path(next(word for word in argv if word.startswith("--output=")).partition("=")[2])
    threading.Thread(target=watch, args=(events, out), daemon=True).start()
    submit = ["--master", order["master"], "--conf", "spark.executor.memory=512m"] if order["master"] else []
    code = command(load_job(str(Path(__file__).with_name("nightly.py"))), argv, submit)
    events.log.write_text("".join(f"{name}#{n}\n" for name, count in events.seen.items() for n in range(1, count + 1)))
    sys.exit(code)


if __name__ == "__main__":
    main()
