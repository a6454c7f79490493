"""A batch of Livy sent and waited for, against a protocol server, which is not Livy: exit codes, progress, restarts, Ctrl-C."""
from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import pytest

from sparkkit import cli
from sparkkit.errors import InfrastructureError
from sparkkit.submission import livy, livy_watch
from sparkkit.submission.livy_http import NoAnswerError, connect
from sparkkit.submission.livy_watch import code_of, send
from sparkkit.submission.order import Order
from tests.submission.livy_server import LivyServer

YARN = ["diagnostics: User application exited with status 3", "spark-submit exited with code 1}."]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a hundredth of a second, and two seconds of patience."""
    monkeypatch.setattr(livy_watch, "connect", lambda order: replace(connect(order), pause=0.01, patience=2.0))


def submit(server: LivyServer, wait: bool = True, **changes: Any) -> int:
    order = Order("x", "/apps/x.py", target="livy", deploy_mode="cluster", submit={"url": server.url}, token="x-1", wait=wait, **changes)
    return send(livy.request(order), order)


def test_who_does_not_wait_gets_the_batchs_address(capsys: pytest.CaptureFixture[str]) -> None:
    with LivyServer() as server:
        assert submit(server, wait=False) == 0
    assert capsys.readouterr() == (f"{server.url}/batches/0\n", "")


def test_each_change_of_state_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with LivyServer(script="not_started starting starting running running recovering running success".split()) as server:
        assert submit(server) == 0
    said = capsys.readouterr().err.splitlines()
    states = ["starting", "not_started", "starting", "running", "recovering", "running", "success"]
    assert said == [f"sparkkit: livy: batch 0: {state}" for state in states]


@pytest.mark.parametrize(
    ("log", "code"),
    [
        (YARN, 3),
        (["sparkkit: x: nothing is at y (exit 3, record runs/x.json)"], 3),
        (["(exit 4, record a)", "spark-submit exited with code 5"], 4),
        (["java.lang.Exception: spark-submit exited with code 5}."], 5),
        (["User application exited with status 0", "out of memory"], 1),
        ([], 1),
    ],
)
def test_a_dead_batch_ends_with_the_jobs_own_code(log: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with LivyServer(script=["running", "dead"], log=log) as server:
        assert submit(server) == code
    said = capsys.readouterr().err.splitlines()
    assert said[said.index("stdout: ") + 1:][:len(log)] == log


def test_of_equal_signs_the_last_one_counts() -> None:
    assert code_of(["(exit 4, record a)", "(exit 5, record b)"]) == 5


def test_a_log_shows_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    with LivyServer(script=["dead"], log=["password=hunter2", "\x1b[2Jgone"]) as server:
        assert submit(server) == 1
    said = capsys.readouterr().err
    assert ("hunter2" in said, "\x1b" in said) == (False, False)


def test_a_killed_batch_is_infrastructure() -> None:
    with LivyServer(script=["running", "killed"]) as server, pytest.raises(InfrastructureError, match="batch 0 was killed") as caught:
        submit(server)
    assert (caught.value.exit_code, caught.value.reason) == (6, "killed")


def test_a_dead_batch_whose_log_is_not_shown_is_dead_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LivyServer, "lines", lambda *_, **__: {"log": None})
    one = LivyServer.one
    monkeypatch.setattr(LivyServer, "one", lambda self, m, n, part, q: (403, {"msg": ""}) if part == "/log" else one(self, m, n, part, q))
    with LivyServer(script=["dead"]) as server:
        assert submit(server) == 1
    assert "its log can't be read" in capsys.readouterr().err


def _restarted(server: LivyServer, after: float, app: str | None = None) -> threading.Thread:
    """Stops the server once it has told of the batch, and starts it again after some time, with another application."""
    def act() -> None:
        while [path for _, path in list(server.asked)].count("/batches/0") < 2:
            time.sleep(0.005)
        server.__exit__()
        time.sleep(after)
        server.app = app
        server.__enter__()

    made = threading.Thread(target=act)
    made.start()
    return made


def test_a_server_that_restarts_with_its_batches_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with LivyServer(script=[*["running"] * 9, "success"]) as server:
        restart = _restarted(server, 0.3)
        assert submit(server) == 0
        restart.join()
    assert capsys.readouterr().err.splitlines()[-1] == "sparkkit: livy: batch 0: success"


def test_a_server_that_restarts_without_its_batches_is_infrastructure() -> None:
    with LivyServer(script=["running"], recovery=False) as server:
        restart = _restarted(server, 0.1)
        with pytest.raises(InfrastructureError, match="does not know batch 0 any more") as caught:
            submit(server)
        restart.join()
    assert (caught.value.exit_code, caught.value.reason) == (6, "batch_gone")


def test_another_application_under_the_same_number_is_not_taken_for_ours() -> None:
    with LivyServer(script=["running"], names=False, app="application_1") as server:
        restart = _restarted(server, 0.1, app="application_2")
        with pytest.raises(InfrastructureError, match="does not know batch 0 any more"):
            submit(server)
        restart.join()


def test_a_server_that_stays_away_is_infrastructure_after_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livy_watch, "connect", lambda order: replace(connect(order), pause=0.01, patience=0.2))
    began = time.monotonic()
    with LivyServer(script=["running"]) as server:
        restart = _restarted(server, 1.0)
        with pytest.raises(NoAnswerError) as caught:
            submit(server)
        waited = time.monotonic() - began
        restart.join()
    assert (caught.value.exit_code, waited < 1.0) == (6, True)


def _interrupting(server: LivyServer, number: int) -> None:
    """Sends a signal to this process once the batch was looked at."""
    def act() -> None:
        while not any(path == "/batches/0" for _, path in list(server.asked)):
            time.sleep(0.005)
        os.kill(os.getpid(), number)

    threading.Thread(target=act).start()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_where_there_is_no_terminal_an_interrupt_leaves_the_batch(number: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with LivyServer(script=["running"]) as server:
        _interrupting(server, number)
        assert submit(server) == code
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (f"sparkkit: livy: batch 0 goes on; to kill it, send: "
                    f"curl -X DELETE -H 'X-Requested-By: sparkkit' {server.url}/batches/0")
    assert [*server.batches] == [0]


class Terminal(io.StringIO):
    """A terminal, on which somebody may have typed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "left"), [("y\n", []), ("n\n", [0]), ("", [0])])
def test_on_a_terminal_an_interrupt_asks_before_it_kills(typed: str, left: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", screen)
    with LivyServer(script=["running"]) as server:
        _interrupting(server, signal.SIGINT)
        assert submit(server) == 130
        assert [*server.batches] == left
    assert "kill batch 0? It goes on otherwise. [y/N]" in screen.getvalue()
    assert screen.getvalue().splitlines()[-1].partition(";")[0].endswith("batch 0 goes on" if left else "batch 0: killed")


@pytest.mark.parametrize("missing", ["stdin", "stderr"])
def test_where_nobody_can_be_asked_the_batch_goes_on(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{name}", io.StringIO("y\n") if name == missing else Terminal("y\n"))
    with LivyServer(script=["running"]) as server:
        _interrupting(server, signal.SIGINT)
        assert submit(server) == 130
        assert [*server.batches] == [0]


def test_an_interrupt_while_it_is_sent_says_where_to_look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(livy_watch, "begin", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with LivyServer() as server:
        assert submit(server) == 130
    assert f"look for x-1 at {server.url}/batches" in capsys.readouterr().err


def test_the_code_is_put_in_its_place_first(tmp_path: Path) -> None:
    place = tmp_path / "apps" / "x.py"
    with LivyServer() as server:
        assert submit(server, uploads={str(place): b"print(1)"}) == 0
    assert place.read_bytes() == b"print(1)"


def test_a_process_of_the_server_ends_with_its_own_code_and_its_log_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    words = [sys.executable, "-c", "print('counting'); print('x: no (exit 4, record r.json)', file=__import__('sys').stderr); exit(4)"]
    with LivyServer(start=lambda _: Popen(words, stdout=PIPE, stderr=STDOUT, text=True)) as server:
        assert submit(server) == 4
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line in ("counting", "sparkkit: livy: batch 0: dead")] == ["sparkkit: livy: batch 0: dead", "counting"]


def test_the_verb_logs_prints_a_batchs_log_and_sends_credentials_to_its_own_server_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVY_LOGIN", "hunter2")
    (tmp_path / "conf" / "env").mkdir(parents=True)
    with LivyServer(log=["counting", "api_key=abc"], authorization="Bearer hunter2") as server, LivyServer() as other:
        (tmp_path / "conf" / "env" / "livy.toml").write_text(f'[submit]\nurl = "{server.url}"\ntoken = "${{env:LIVY_LOGIN}}"\n')
        server.begin({"file": "/x.py"})
        assert cli.main(["logs", f"{server.url}/batches/0"]) == 0
        assert capsys.readouterr().out.splitlines() == ["stdout: ", "counting", "api_key=***", "", "stderr: "]
        assert cli.main(["logs", f"{server.url}/batches/1"]) == 2
        assert cli.main(["logs", f"{other.url}/batches/0"]) == 2
    said = capsys.readouterr().err
    assert ("Session '1' not found" in said, "is no batch of" in said, other.asked) == (True, True, [])
