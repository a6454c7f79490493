"""The lock: who is alive is waited for and left alone, who is silent is taken over, and a zombie is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sparkkit.errors import LockedError
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.local import LocalStore
from sparkkit.storage.lock import Heart, Patience, beat
from sparkkit.storage.log import Log
from sparkkit.storage.resolve import files
from sparkkit.storage.seam import Store
from tests.storage.memory import MemoryStore
from tests.storage.scenarios import AT_ONCE, read

BRIEF = Patience(interval=0.02, missed=10)


def write(store: Store, run_id: str, target: str, patience: Patience = BRIEF) -> None:
    """One attempt that appends one file."""
    with running(store, run_id, {target: run_id}, patience) as run:
        store.put_if_absent(f"{run.workspace(target)}/out/{run_id}", run_id.encode())
        run.publish(run_id, [Staged(target, f"{run.workspace(target)}/out", "append")])


def test_the_second_of_two_runs_ends_with_exit_code_5() -> None:
    store = MemoryStore()
    with running(store, "first", {"/d/t": "s"}, BRIEF):
        with pytest.raises(LockedError, match="run first is at work on /d/t: wait until it ends") as error:
            write(store, "second", "/d/t")
    assert (error.value.exit_code, error.value.reason) == (5, "locked")
    write(store, "second", "/d/t")


def test_a_run_of_several_outputs_gives_back_what_it_had_when_one_is_taken() -> None:
    store = MemoryStore()
    with running(store, "first", {"/d/b": "s"}, BRIEF):
        with pytest.raises(LockedError):
            with running(store, "second", {"/d/a": "s", "/d/b": "s"}, BRIEF):
                pass
        write(store, "third", "/d/a", Patience(missed=0, sleep=lambda _: pytest.fail("waited for a lock that is free")))


def test_beats_are_counted_by_the_one_who_waits() -> None:
    waited: list[float] = []
    store = MemoryStore()
    run = running(store, "dead", {"/d/t": "s"}, Patience(interval=1000))
    run.__enter__()
    patience = Patience(interval=3, missed=4, sleep=waited.append)
    write(store, "next", "/d/t", patience)
    assert waited == [3, 3, 3, 3]


def test_one_beat_is_enough_and_a_lock_that_is_given_back_is_taken() -> None:
    store = MemoryStore()
    log = Log(store, "/d/t")
    run = running(store, "slow", {"/d/t": "s"}, Patience(interval=1000))
    run.__enter__()

    def beats(_: float) -> None:
        found = store.read(beat(log, 1))
        assert found
        store.replace_if_unchanged(beat(log, 1), found.data + b"1", found.version)

    with pytest.raises(LockedError):
        write(store, "next", "/d/t", Patience(missed=4, sleep=beats))
    write(store, "next", "/d/t", Patience(missed=4, sleep=lambda _: run.__exit__(None, None, None)))
    assert read(store, "/d/t") == ("next",)


def test_a_heart_beats_and_leaves_nothing(tmp_path: Path) -> None:
    log = Log(LocalStore(), f"{tmp_path}/t")
    with Heart(log, 1, 0.01):
        alive = not Patience(interval=0.05, missed=20).gone(lambda: log.store.read(beat(log, 1)))
    assert (alive, log.store.read(beat(log, 1))) == (True, None)


class Deaf(MemoryStore):
    """A store on which no beat can be put."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        if path.endswith(".beat"):
            raise OSError(5, "Input/output error")
        return super().put_if_absent(path, data)


def test_a_beat_that_can_not_be_put_ends_no_run() -> None:
    store = Deaf()
    write(store, "first", "/d/t")
    assert read(store, "/d/t") == ("first",)


def test_a_heart_that_lost_its_beat_puts_another() -> None:
    store = MemoryStore()
    heart = Heart(Log(store, "/d/t"), 1, 1000)
    with heart:
        store.delete(heart.path)
        heart._beat(1)
        assert store.read(heart.path)


def test_the_heart_beats_while_the_second_lock_is_waited_for() -> None:
    store, beats = MemoryStore(), []
    other = running(store, "other", {"/d/b": "s"}, Patience(interval=1000))
    other.__enter__()
    patience = Patience(interval=1000, missed=1, sleep=lambda _: beats.append(store.read("/d/.a.sparkkit/log/000000000001.beat")))
    with running(store, "waits", {"/d/a": "s", "/d/b": "s"}, patience):
        pass
    assert [beat is not None for beat in beats] == [True]


def test_each_takeover_raises_the_token() -> None:
    store, runs = MemoryStore(), []
    for number in range(3):
        run = running(store, f"r{number}", {"/d/t": "s"}, AT_ONCE)
        runs.append((run, run.__enter__().home.slot))
    assert [slot for _, slot in runs] == [1, 2, 3]


def test_whatever_goes_wrong_in_a_run_that_was_taken_over_it_says_so() -> None:
    store = MemoryStore()
    first = running(store, "first", {"/d/t": "s"}, AT_ONCE)
    first.__enter__()
    write(store, "second", "/d/t", AT_ONCE)
    with pytest.raises(LockedError, match="run first was silent for too long, and another took over: it published nothing") as error:
        first.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert (error.value.exit_code, error.value.reason, read(store, "/d/t")) == (5, "lock_lost", ("second",))


SLEEPER = """
import os, signal, sys
from sparkkit.errors import SparkkitError
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.local import LocalStore
from sparkkit.storage.lock import Patience
target, store = sys.argv[1], LocalStore()
try:
    with running(store, "zombie", {target: "z"}, Patience(interval=0.02)) as run:
        store.put_if_absent(f"{run.workspace(target)}/out/zombie", b"zombie")
        os.kill(os.getpid(), signal.SIGSTOP)
        run.publish("zombie", [Staged(target, f"{run.workspace(target)}/out", "append")])
except SparkkitError as error:
    sys.exit(error.exit_code)
"""


def test_a_process_that_was_stopped_and_goes_on_publishes_nothing(tmp_path: Path) -> None:
    target, store = f"{tmp_path}/t", LocalStore()
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen([sys.executable, "-c", SLEEPER, target], env={**os.environ, "PYTHONPATH": root}) as zombie:
        os.waitpid(zombie.pid, os.WUNTRACED)
        write(store, "next", target)
        zombie.send_signal(signal.SIGCONT)
    assert (zombie.returncode, read(store, target), sorted(os.listdir(target))) == (5, ("next",), [".sparkkit", "next"])


def test_two_writers_at_once_lose_nothing_and_a_reader_sees_every_version_whole(tmp_path: Path) -> None:
    target, store, over = f"{tmp_path}/t", LocalStore(), threading.Event()

    def writer(name: str) -> None:
        for number in range(10):
            while True:
                try:
                    write(store, f"{name}{number}", target, Patience(interval=0.002, missed=500))
                    break
                except LockedError:
                    continue

    def reader() -> list[Any]:
        seen = []
        while not over.is_set():
            seen.append(sorted(path.rpartition("/")[2] for path in files(store, target)))
        return seen

    with ThreadPoolExecutor(3) as pool:
        reads = pool.submit(reader)
        for done in [pool.submit(writer, name) for name in "ab"]:
            done.result()
        over.set()
    every = sorted(f"{name}{number}" for name in "ab" for number in range(10))
    torn = [s for s in reads.result() if s != sorted(f"{name}{i}" for name in "ab" for i in range(sum(f[0] == name for f in s)))]
    assert (read(store, target), torn) == (tuple(every), [])
