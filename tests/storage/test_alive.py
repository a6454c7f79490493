"""Who has a lock: the dead are told from the living, the stopped and those elsewhere."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from sparkkit.errors import LockedError
from sparkkit.storage.alive import is_dead, me
from sparkkit.storage.journal import running
from sparkkit.storage.lock import Patience
from tests.storage.memory import MemoryStore

SLEEPER = "from sparkkit.storage.alive import me; import time; print(me(), flush=True); time.sleep(60)"


def test_a_process_is_dead_when_it_ended_and_not_while_it_is_stopped() -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        holder = other.stdout.readline().strip()
        other.send_signal(signal.SIGSTOP)
        stopped = is_dead(holder)
        other.kill()
        other.wait()
        assert (stopped, is_dead(holder)) == (False, True)


def test_a_later_process_of_the_same_number_is_another() -> None:
    earlier = f"{me().rpartition('/')[0]}/1"
    assert is_dead(earlier)


def test_a_holder_of_another_boot_or_container_is_not_known_to_be_dead() -> None:
    boot, space, _, start = me().split("/")
    assert not is_dead(f"other-boot/{space}/999999999/{start}")
    assert not is_dead(f"{boot}/1/999999999/{start}")


@pytest.mark.parametrize(("dead", "waits"), [(True, 0), (False, 1)])
def test_a_dead_holder_of_this_machine_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, dead: bool, waits: int) -> None:
    store, waited = MemoryStore(), []
    monkeypatch.setattr("sparkkit.storage.lock.is_dead", lambda holder: dead and holder == me())
    silent = running(store, "first", {"/d/t": "s"}, Patience(interval=1000))
    silent.__enter__()
    with running(store, "second", {"/d/t": "s"}, Patience(missed=1, sleep=waited.append)):
        assert len(waited) == waits


def test_a_live_holder_of_this_machine_is_left_alone() -> None:
    store = MemoryStore()
    with running(store, "first", {"/d/t": "s"}, Patience(interval=0.02)), pytest.raises(LockedError):
        running(store, "second", {"/d/t": "s"}, Patience(interval=0.2, missed=2)).__enter__()
