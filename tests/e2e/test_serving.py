"""A server under gunicorn with two workers: reloads under load, bodies from a fuzzer, TLS, tokens, slow clients, and people at the page."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from sparkkit.serving import tokens
from tests.e2e import environments
from tests.e2e.serving import JSON, ROOT, Browser, Server, chromium, malformed, serving
from tests.serving.bundles import sentiment
from tests.submission.test_livy_client import certificate

__all__ = ("certificate",)
pytestmark = pytest.mark.e2e
UNPORTABLE = """
import json, sys
from pathlib import Path
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Tokenizer, Word2Vec
from sparkkit import session
from sparkkit.models.bundle import seal
from tests.serving.bundles import TEXT

spark, path = session.start({}, app_name="t", profile="test", needs=[]), Path(sys.argv[1])
frame = spark.createDataFrame([("good food", 1.0), ("bad food", 0.0), ("good day", 1.0), ("bad day", 0.0)], "text string, label double")
stages = [Tokenizer(inputCol="text", outputCol="w"), Word2Vec(inputCol="w", outputCol="features", vectorSize=3, minCount=0, seed=1),
          LogisticRegression(maxIter=5)]
model = Pipeline(stages=stages).fit(frame)
model.save((path / "spark").as_uri())
seal(path, {"name": "vectors", "version": "1", "run": "r", "task": "binary", "label": "label", "classes": ["negative", "positive"],
            "threshold": None, "contract": json.loads(TEXT.to_json()), "portable": "Word2VecModel is not portable",
            "packages": {"pyspark": spark.version}, "metrics": {}})
print(model.transform(frame.limit(1)).head().probability[1])
"""
GOOD = json.dumps({"text": "good food"}).encode()


@pytest.fixture
def champion(tmp_path: Path) -> Path:
    """A link to version 1, as an alias is."""
    sentiment(tmp_path / "1")
    (tmp_path / "champion").symlink_to("1")
    return tmp_path / "champion"


def point(champion: Path, version: str) -> None:
    """Lets the link name another version, in one step."""
    new = champion.with_name("new")
    new.symlink_to(version)
    new.rename(champion)


class Load(threading.Thread):
    """Asks over a connection that is kept, without a pause, until it is told to stop."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server, self.answers, self.ended = server, Counter[tuple[int, str]](), threading.Event()

    def run(self) -> None:
        connection = self.server.connect()
        while not self.ended.is_set():
            try:
                connection.request("POST", "/predict", GOOD, JSON)
                answer = connection.getresponse()
                self.answers[answer.status, json.loads(answer.read())["version"]] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[0, type(error).__name__] += 1
                connection.close()
        connection.close()


def test_reloads_under_load_lose_no_request_and_a_broken_version_changes_nothing(champion: Path) -> None:
    with serving(champion, "--poll", "3600") as server:
        loads = [Load(server) for _ in range(4)]
        for load in loads:
            load.start()
        for version in ("2", "3", "4"):
            sentiment(champion.with_name(version), version=version)
            point(champion, version)
            server.process.send_signal(signal.SIGHUP)
            server.until(f"version {version} is served", 2)
        sentiment(champion.with_name("5"), version="5")
        (champion.with_name("5") / "portable.json").write_text("{}", encoding="utf-8")
        point(champion, "5")
        server.process.send_signal(signal.SIGHUP)
        server.until("the old one (4) is", 2)
        health = json.loads(server.ask("/healthz")[1])
        for load in loads:
            load.ended.set()
            load.join()
    answers = sum((load.answers for load in loads), Counter())
    assert {status for status, _ in answers} == {200}, answers
    assert {version for _, version in answers} == {"1", "2", "3", "4"}
    assert (health["status"], health["version"], "was changed" in health["reload_problem"]) == ("degraded", "4", True)


def test_an_alias_is_followed_without_a_signal(champion: Path) -> None:
    with serving(champion, "--poll", "0.2", workers=1) as server:
        sentiment(champion.with_name("2"), version="2")
        point(champion, "2")
        server.until("version 2 is served")
        assert json.loads(server.ask("/predict", GOOD)[1])["version"] == "2"


def test_a_thousand_malformed_bodies_are_refused_and_none_is_a_failure(champion: Path) -> None:
    with serving(champion) as server:
        statuses = Counter[int]()
        connection = server.connect()
        for path, headers, body in malformed(17, 1000):
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
            except (BrokenPipeError, ConnectionResetError):  # refused before the whole of a large body was sent
                connection.close()
                statuses[413] += 1
                continue
            statuses[answer.status] += 1
            assert 400 <= answer.status < 500, (answer.status, path, headers, body[:200])
        connection.close()
        assert server.ask("/predict", GOOD)[0] == 200
        _, figures = server.ask("/metrics")
    assert sum(statuses.values()) == 1000 and {400, 413, 415} <= statuses.keys(), statuses
    assert 'status="500"' not in figures


def test_broken_http_and_silent_clients_hold_nobody_up(champion: Path) -> None:
    with serving(champion, "--timeout", "1", workers=1) as server:
        raw = [b"GET / HTTP/1.1\r\n\0\r\n\r\n", b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"\x16\x03\x01\x02\x00",
               b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n",
               b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"]  # fmt: skip
        silent = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        sockets = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(len(raw) + 6)]
        for one, data in zip(sockets, [*raw, *[silent] * 6], strict=True):
            one.sendall(data)
        assert server.ask("/predict", GOOD)[0] == 200
        heard = [one.recv(65536).split(b"\r\n")[0] for one in sockets]
        assert server.ask("/ping", patience=5)[0] == 200  # though none of them has closed its end
        for one in sockets:
            one.close()
    assert all(line.startswith((b"HTTP/1.1 4", b"")) and b" 500 " not in line for line in heard[:5]), heard
    assert [line[9:12] for line in heard[5:]] == [b"408"] * 6


def test_tls_and_tokens_guard_a_server_and_both_workers_are_counted(champion: Path, certificate: Path, tmp_path: Path) -> None:
    made = {scope: tokens.new(scope) for scope in ("predict", "metrics,admin")}
    (tmp_path / "tokens").write_text("\n".join(line for _, line in made.values()), encoding="utf-8")
    options = ("--tls-cert", str(certificate), "--tls-key", str(certificate), "--token-file", str(tmp_path / "tokens"), "--poll", "3600")
    with serving(champion, *options, "--log", str(tmp_path / "log"), tls=ssl.create_default_context(cafile=str(certificate))) as server:
        def ask(path: str, token: str = "", body: bytes | None = GOOD) -> tuple[int, str]:
            return server.ask(path, body, {**JSON, "Authorization": f"Bearer {made[token][0]}"} if token else JSON)

        assert [ask("/predict")[0], ask("/predict", "metrics,admin")[0], ask("/metrics", "predict", None)[0]] == [401, 403, 403]
        assert [ask("/predict", "predict")[0] for _ in range(20)] == [200] * 20
        assert 'sparkkit_predictions_total{model="sentiment",version="1"} 20.0' in ask("/metrics", "metrics,admin", None)[1]
        sentiment(champion.with_name("2"), version="2")
        point(champion, "2")
        assert ask("/reload", "metrics,admin", b"")[0] == 202
        server.until("version 2 is served", 2)
        server.tls = None
        with pytest.raises((http.client.HTTPException, OSError)):
            server.ask("/ping")
    lines = [json.loads(line) for file in (tmp_path / "log").iterdir() for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len({line["request_id"] for line in lines}) == 20


def test_a_server_needs_neither_pyspark_nor_java(champion: Path, tmp_path: Path) -> None:
    names = "flask gunicorn werkzeug jinja2 markupsafe click itsdangerous blinker prometheus_client numpy".split()
    python = environments.make(tmp_path / "venv", lambda name: name.split(".")[0] in names)
    with serving(champion, workers=1, python=str(python)) as server:
        assert json.loads(server.ask("/predict", GOOD)[1])["prediction"] == "positive"


def test_a_pipeline_that_is_not_portable_is_served_by_a_warm_session(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", UNPORTABLE, str(tmp_path / "model")]
    made = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    with serving(tmp_path / "model", "--spark", workers=1) as server:
        answer = json.loads(server.ask("/predict?why=1", GOOD)[1])
    assert (answer["why"], answer["prediction"], answer["probability"]) == (None, "positive", pytest.approx(float(made.stdout.split()[-1])))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--token-file and --tls-cert is not given"), (["--tls-cert", "x"], "go together"),
        (["--workers", "0"], "must be above 0"), (["--token-file", "nowhere"], "can't be read"), ([], "holds no card.json"),
    ],
)  # fmt: skip
def test_a_wrong_start_is_refused_in_a_sentence(tmp_path: Path, options: list[str], said: str) -> None:
    folder = sentiment(tmp_path / "m").path if options else tmp_path
    argv = [sys.executable, "-m", "sparkkit", "serve", str(folder), *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_people_type_a_review_and_see_the_sentiment_and_why(champion: Path, tmp_path: Path) -> None:
    program = chromium()
    if program is None:
        pytest.skip("no browser on this machine")
    with serving(champion, workers=1) as server:
        browser = Browser(program, tmp_path / "profile")
        try:
            browser.open(f"http://127.0.0.1:{server.port}/")
            browser.run("document.querySelector('textarea').value = 'great <b> food, not bad'")
            browser.run("document.querySelector('button').click()")
            text = browser.run("""new Promise(done => { const out = document.querySelector('output');
                const look = () => out.innerText.includes('moved it') ? done(out.innerText) : setTimeout(look, 20); look(); })""")
            tags = browser.run("document.querySelectorAll('output b').length")
            browser.run("document.querySelector('textarea').value = 'x'.repeat(3000); document.querySelector('button').click()")
            wrong = browser.run("""new Promise(done => { const out = document.querySelector('output');
                const look = () => out.querySelector('.wrong') ? done(out.innerText) : setTimeout(look, 20); look(); })""")
        finally:
            browser.close()
    addresses = {e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"}
    problems = [e["params"]["entry"]["text"] for e in browser.events if e.get("method") == "Log.entryAdded"]
    assert "Prediction: positive" in text and "great" in text and "+3.000" in text and tags == 0
    assert "at most 2000 characters" in wrong
    assert all(f"//127.0.0.1:{server.port}/" in address for address in addresses), addresses
    assert not [problem for problem in problems if "400" not in problem and "favicon" not in problem and "404" not in problem], problems
