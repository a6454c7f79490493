"""`submit --target livy` to its end, each batch a real spark-submit.

The server is a protocol server of the tests, for Livy's own could not be had: what it shows is the client and the batch that is sent,
not Livy. The batch's Python holds PySpark and nothing of ours, so what runs is what was put in `submit.code`.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import environments
from tests.submission.livy_server import LivyServer
from tests.submission.test_livy_client import BASIC, certificate

__all__ = ("certificate",)
pytestmark = pytest.mark.e2e
ROOT = environments.ROOT
PROFILE = """
[submit]
url = "{url}"
code = "{folder}/apps"
ca = "{ca}"
user = "ann"
password = "${{env:LIVY_LOGIN}}"
[run]
profile = "test"
"""


@dataclass
class Desk:
    """A project whose jobs go to a server."""

    server: LivyServer
    folder: Path

    def submit(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Submits word_count and waits for its end."""
        command = [sys.executable, "-m", "sparkkit", "submit", "word_count", "--target", "livy", "--wait", "--", *options]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "LIVY_LOGIN": "hunter2"}
        return environments.run(command, self.folder, env)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Desk]:
    """A project in a folder of its own, and a server that starts spark-submit on a Python with nothing but PySpark."""
    folder = tmp_path_factory.mktemp("livy")
    python = environments.make(folder / "venv", lambda name: name in ("pyspark", "py4j"))
    spark = next(folder.glob("venv/lib/python*/site-packages/pyspark"))
    env = environments.environment(python, SPARK_HOME=str(spark))
    (folder / "batches").mkdir()

    def start(body: Mapping[str, Any]) -> subprocess.Popen[str]:
        words = spark_submit(str(spark / "bin" / "spark-submit"), body)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(words, cwd=folder / "batches", env=env, text=True, encoding="utf-8", **streams)

    with LivyServer(start=start, authorization=BASIC, tls=certificate) as server:
        for name in ("jobs/word_count.py", "conf/word_count.toml"):
            (folder / name).parent.mkdir(parents=True)
            shutil.copy(ROOT / name, folder / name)
        (folder / "conf" / "env").mkdir()
        profile = PROFILE.format(url=server.url, folder=folder, ca=certificate)
        (folder / "conf" / "env" / "livy.toml").write_text(profile)
        yield Desk(server, folder)


def spark_submit(program: str, body: Mapping[str, Any]) -> list[str]:
    """The command that Livy makes of a batch, on a local master."""
    conf = [word for key, value in body["conf"].items() for word in ("--conf", f"{key}={value}")]
    files = ["--py-files", ",".join(body["pyFiles"])]
    return [program, "--master", "local[1]", "--name", body["name"], *conf, *files, body["file"], *body["args"]]


def test_a_batch_counts_the_words_and_each_word_of_its_options_arrives(desk: Desk) -> None:
    odd = ["it's 5 %, \"so\" to say", "Zürich,Bern", "the"]
    words = [word for one in odd for word in ("--stop-words", one)]
    place = ["--input", str(ROOT / "data" / "books"), "--output", str(desk.folder / "out"), "--output-format", "json"]
    done = desk.submit(*place, "--record", str(desk.folder / "r.json"), *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    assert done.stdout.splitlines()[-1] == f"{desk.server.url}/batches/0"
    assert done.stderr.splitlines()[-1] == "sparkkit: livy: batch 0: success"
    rows = [json.loads(line) for file in (desk.folder / "out").rglob("part-*") for line in file.read_text().splitlines()]
    expected = Counter(word.decode() for file in (ROOT / "data" / "books").glob("*.txt") for word in file.read_bytes().split())
    del expected["the"]
    assert {row["word"]: row["count"] for row in rows} == dict(expected)
    assert json.loads((desk.folder / "r.json").read_text())["params"]["stop_words"] == odd


@pytest.mark.long
def test_a_job_that_fails_ends_the_submission_with_its_own_code_and_its_log(desk: Desk) -> None:
    done = desk.submit("--input", "nowhere", "--output", str(desk.folder / "none"), "--record", str(desk.folder / "f.json"))
    record = json.loads((desk.folder / "f.json").read_text())
    assert (done.returncode, record["exit_code"]) == (3, 3), done.stdout[-3000:] + done.stderr[-5000:]
    assert "nothing is at nowhere" in done.stderr
    assert "dead" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
