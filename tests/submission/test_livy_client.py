"""The client of Livy against a protocol server, which is not Livy: see livy_server."""
from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkkit import redaction
from sparkkit.errors import InfrastructureError, SparkkitError, UsageError
from sparkkit.submission import livy_client
from sparkkit.submission.livy_client import Batch, begin, kill, log, look, named
from sparkkit.submission.livy_http import Client, NoAnswerError, RefusedError, connect
from sparkkit.submission.order import Order
from tests.submission.livy_server import LivyServer

BODY = {"file": "/x.py", "name": "x-1", "args": ["a b", "é,\"'"], "conf": {}}
BASIC = "Basic YW5uOmh1bnRlcjI="  # ann:hunter2


def client(server: LivyServer, **submit: Any) -> Client:
    order = Order("x", "/x.py", target="livy", submit={"url": server.url, **submit})
    return replace(connect(order), pause=0.01, patience=1.0, timeout=10.0)


@contextmanager
def refused(kind: type[SparkkitError], message: str) -> Iterator[None]:
    with pytest.raises(kind, match=message) as caught:
        yield
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__dict__}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost that signed itself, and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split()
    subprocess.run([*words, "-keyout", str(file), "-out", str(file)], check=True, capture_output=True)
    return file


def test_a_batch_is_begun_with_all_its_words_and_followed_to_its_end() -> None:
    with LivyServer() as server:
        spoken = client(server)
        batch = begin(spoken, BODY)
        states = [look(spoken, batch).state for _ in range(4)]
    assert (batch, server.batches[0].body) == (Batch(0, "starting", "x-1"), BODY)
    assert states == ["starting", "running", "success", "success"]


@pytest.mark.parametrize("page", [3, 10_000])
def test_a_log_is_read_whole_page_by_page(page: int) -> None:
    lines = [f"line {i}" for i in range(10)]
    with LivyServer(log=lines, page=page) as server:
        spoken = client(server)
        found = [*log(spoken, begin(spoken, BODY), size=4)]
    assert found == ["stdout: ", *lines, "\nstderr: "]
    assert sum("/log" in path for _, path in server.asked) == (4 if page == 3 else 3)


def test_a_killed_batch_is_gone() -> None:
    with LivyServer() as server:
        spoken = client(server)
        batch = begin(spoken, BODY)
        kill(spoken, batch)
        with refused(InfrastructureError, "does not know batch 0 any more.*look at the cluster"):
            look(spoken, batch)
    assert server.batches == {}


@pytest.mark.parametrize(
    ("authorization", "submit"),
    [
        (BASIC, {"user": "ann", "password": "${env:LIVY_PASSWORD}"}),
        (BASIC, {"user": "ann", "password": "${file:FILE}"}),
        ("Bearer hunter2", {"token": "${env:LIVY_PASSWORD}"}),
    ],
)
def test_credentials_are_followed_and_sent(
    authorization: str, submit: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVY_PASSWORD", "hunter2")
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "secret").chmod(0o600)
    with LivyServer(authorization=authorization) as server:
        spoken = client(server, **{key: value.replace("FILE", str(tmp_path / "secret")) for key, value in submit.items()})
        assert begin(spoken, BODY).id == 0
        assert "hunter2" not in repr(spoken)
    assert redaction.redact(f"{authorization} hunter2").split()[1:] == ["***", "***"]


@pytest.mark.parametrize(
    ("submit", "message"),
    [
        ({"user": "ann"}, "go together"),
        ({"user": "a:b", "password": "hunter2"}, "has no colon"),
        ({"user": "ann", "password": "hunter2", "token": "hunter2"}, "a token and a user"),
        ({"token": "hunter2\r\nX: y"}, "no bearer token"),
        ({"token": "${env:NOT_SET_HERE}"}, "NOT_SET_HERE"),
        ({"url": "http://livy.example:8998", "token": "hunter2"}, "in the clear.*give submit.url with https"),
        ({"url": "http://localhost.example", "user": "ann", "password": "hunter2"}, "in the clear"),
        ({"ca": "/not/there.pem"}, "no file of certificates"),
        ({"ca": __file__}, "no file of certificates"),
    ],
)
def test_credentials_that_can_not_be_sent_safely_are_refused(submit: dict[str, str], message: str) -> None:
    with refused(UsageError, message):
        client(LivyServer(port=1), **submit)


def test_what_goes_to_this_machine_goes_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with LivyServer() as server:
        assert begin(client(server), BODY).id == 0


def test_over_tls_only_a_certificate_that_is_trusted_will_do(certificate: Path) -> None:
    with LivyServer(tls=certificate, authorization=BASIC) as server:
        login = {"user": "ann", "password": "hunter2"}
        assert begin(client(server, ca=str(certificate), **login), BODY).id == 0
        with refused(UsageError, "certificate of https://localhost.* is not trusted .self-signed.*set submit.ca"):
            begin(client(server, **login), BODY)
        with refused(UsageError, "not trusted .*(IP address|hostname) mismatch"):
            begin(client(server, url=server.url.replace("localhost", "127.0.0.1"), ca=str(certificate), **login), BODY)
    assert len(server.asked) == 1


def test_tls_where_there_is_none_is_said() -> None:
    with LivyServer() as server, refused(UsageError, "does not speak TLS: is it http"):
        begin(client(server, url=server.url.replace("http:", "https:")), BODY)


@pytest.mark.parametrize(
    ("fault", "kind", "code", "message"),
    [
        (401, RefusedError, 2, "does not accept the credentials .HTTP 401."),
        (403, RefusedError, 2, "does not allow it .HTTP 403.: fault 403"),
        (404, RefusedError, 2, "no such thing .HTTP 404.: fault 404: is submit.url Livy's address"),
        (302, RefusedError, 2, "points to http://elsewhere.example/: set submit.url"),
        (405, RefusedError, 2, "refused .HTTP 405."),
    ],
)
def test_a_refusal_is_one_sentence_and_not_tried_again(fault: int, kind: type[SparkkitError], code: int, message: str) -> None:
    with LivyServer(faults=[fault]) as server, pytest.raises(kind, match=message) as caught:
        begin(client(server), BODY)
    assert (caught.value.exit_code, len(server.asked)) == (code, 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**BODY, "conf": {"spark.yarn.jars": "/x"}}, "Blacklisted.*spark.yarn.jars: its administrator keeps that setting"),
        ({**BODY, "file": "x.py"}, "Path 'x.py' is not absolute"),
        ({**BODY, "colour": "red"}, 'Unrecognized field "colour"'),
    ],
)
def test_what_livy_says_of_a_wrong_request_is_handed_on(body: dict[str, Any], message: str) -> None:
    with LivyServer() as server, refused(RefusedError, message):
        begin(client(server), body)


def test_the_header_against_forged_requests_is_sent() -> None:
    with LivyServer() as server:
        bare = replace(client(server), headers={"Content-Type": "application/json"})
        with refused(RefusedError, "refused .HTTP 400.: Missing Required Header for CSRF protection"):
            begin(bare, BODY)
        assert begin(client(server), BODY).id == 0


@pytest.mark.parametrize("fault", ["unheard", "unanswered", "cut", 502, "busy"])
def test_a_lost_answer_begins_no_second_batch(fault: str | int) -> None:
    with LivyServer(faults=[fault]) as server:
        batch = begin(client(server), BODY)
    begun_at_first = fault in ("unanswered", "cut")
    assert ([*server.batches], batch.id) == ([0], 0)
    assert [method for method, _ in server.asked].count("POST") == (1 if begun_at_first else 2)


def test_a_batch_that_stands_already_is_found_by_its_name_among_many() -> None:
    with LivyServer(page=2) as server:
        spoken = client(server)
        ids = [begin(spoken, {**BODY, "name": f"x-{i}"}).id for i in range(5)]
        assert (begin(spoken, {**BODY, "name": "x-3"}).id, ids) == (3, [0, 1, 2, 3, 4])
        assert named(spoken, "x-9") is None


def test_after_three_retries_it_is_given_up() -> None:
    with LivyServer(faults=[503] * 9) as server, refused(NoAnswerError, "failed .HTTP 503.: fault 503: try again later"):
        begin(client(server), BODY)
    assert [method for method, _ in server.asked].count("POST") == 4


def test_three_retries_are_enough_for_three_faults() -> None:
    with LivyServer(faults=["unheard", 500, "busy"]) as server:
        assert begin(client(server), BODY).id == 0
    assert [*server.batches] == [0]


def test_a_server_that_does_not_tell_names_is_not_sent_a_batch_twice() -> None:
    with LivyServer(faults=["unanswered"], names=False) as server, refused(NoAnswerError, "may have begun the batch.*look for it"):
        begin(client(server), BODY)
    assert [*server.batches] == [0]


def test_a_server_that_is_not_there_is_infrastructure() -> None:
    with LivyServer() as server:
        spoken = client(server)
    with pytest.raises(NoAnswerError, match="no answer from http://localhost.*refused") as caught:
        begin(spoken, BODY)
    assert (caught.value.exit_code, caught.value.sent) == (6, False)


def test_a_restarted_server_that_counts_from_0_again_does_not_pass_off_another_batch() -> None:
    with LivyServer(recovery=False) as server:
        spoken = client(server)
        batch = begin(spoken, BODY)
    with server:
        other = begin(spoken, {**BODY, "name": "y-1"})
        for act in (look, kill):
            with refused(InfrastructureError, "does not know batch 0 any more"):
                act(spoken, batch)
        assert (other.id, [*server.batches]) == (0, [0])


@pytest.mark.parametrize("answer", [(200, "<html>Sign in</html>"), (200, {"id": "x"})])
def test_what_is_not_livy_is_named(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LivyServer, "answer", lambda *_: answer)
    with LivyServer() as server, refused(UsageError, "not Livy.*is submit.url its address"):
        begin(client(server), BODY)


def test_a_slow_server_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    slow: Callable[..., Any] = lambda *_: time.sleep(1) or (200, {})  # noqa: E731
    monkeypatch.setattr(LivyServer, "answer", slow)
    with LivyServer() as server, refused(NoAnswerError, "timed out"):
        livy_client.look(replace(client(server), timeout=0.1), Batch(0, "running"))
