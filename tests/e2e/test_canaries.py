"""Canaries planted where secrets stand: none is found in what a run leaves, prints or shows; stock Spark beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from tests.e2e import canaries

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
GIVEN = ("canaries.json", "careless.py", "careless.toml", "secret")
"""Files of ours, which hold the canaries, or where they are."""

JOB = '''
import os
from pathlib import Path

from sparkkit import DataFrame, Job, Secret
from tests.e2e import canaries

FOLDER = Path(__file__).parents[1]


def build(lines: DataFrame, *, outcome: str, api: Secret, db_password: str) -> DataFrame:
    c = canaries.planted(FOLDER)
    assert (api, db_password) == (c["parameter"], c["bare parameter in a message"])
    return canaries.work(lines, c, FOLDER, outcome)


JOB = Job(build)
'''


def project(folder: Path) -> dict[str, str]:
    """A project with the careless job; the variables that its conf refers to."""
    c = canaries.planted(folder)
    for part in ("jobs", "conf", "in", "tmp"):
        (folder / part).mkdir()
    (folder / "in" / "a.txt").write_text("x\ny\n")
    (folder / "jobs" / "careless.py").write_text(JOB)
    secret = folder / "secret"
    secret.write_text(c["parameter"])
    secret.chmod(0o600)
    variables = {f"V{i}": c[name] for i, name in enumerate(canaries.SETTINGS)}
    lines = [f"'{key}' = '{text.format(f'${{env:V{i}}}')}'" for i, (key, text) in enumerate(canaries.SETTINGS.values())]
    options = "[outputs.output.options]\npassword = '${env:WRITER}'\n"
    text = ["[spark]", *lines, options, f"[params]\napi = '${{file:{secret}}}'", "[run]\nprofile = 'test'"]
    (folder / "conf" / "careless.toml").write_text("\n".join(text))
    return {**variables, "WRITER": c["option of a writer"], "JOB_DB_PASSWORD": c["variable of the environment"]}


def ours(folder: Path, outcome: str, *more: str) -> subprocess.CompletedProcess[str]:
    variables = project(folder)
    c = canaries.planted(folder)
    words = ["run", "careless", "--input=in", "--output=out", f"--outcome={outcome}", "--verbose", *more]
    words.append(f"--db-password={c['bare parameter in a message']}")
    return _python(["-m", "sparkkit", *words], folder, **variables)


def stock(folder: Path, outcome: str) -> subprocess.CompletedProcess[str]:
    (folder / "in").mkdir()
    (folder / "tmp").mkdir()
    (folder / "in" / "a.txt").write_text("x\ny\n")
    return _python([canaries.__file__, str(folder), outcome], folder)


def _python(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp"), "PYSPARK_PYTHON": sys.executable, **more}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=450, check=False)


def found(folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """The canaries that came out, by name: where."""
    left = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in GIVEN}
    left |= {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    left |= {f"name of {name}": name.encode() for name in left}
    out: dict[str, list[str]] = {}
    for name, value in canaries.planted(folder).items():
        spelt = [value.encode(), value.encode().hex().encode(), value.encode().hex().upper().encode(), b64encode(value.encode())[:20]]
        places = sorted(where for where, content in left.items() if any(text in content for text in spelt))
        if places:
            out[name] = places
    return out


@pytest.mark.parametrize("outcome", ["succeeds", "fails"])
def test_no_canary_comes_out_of_a_run_and_of_stock_spark_many_do(outcome: str, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "stock").mkdir()
    done, other = ours(tmp_path / "ours", outcome), stock(tmp_path / "stock", outcome)
    assert (done.returncode, other.returncode) == ((0, 0) if outcome == "succeeds" else (1, 1)), done.stderr[-3000:] + other.stderr[-3000:]
    leaked, leaks = found(tmp_path / "ours", done), found(tmp_path / "stock", other)
    planted = len(canaries.NAMES) - len(canaries.ABSENT[outcome])
    print(json.dumps({"outcome": outcome, "planted": planted, "found": len(leaked), "stock": len(leaks)}))
    assert planted >= 20
    assert leaked == {}
    assert len(leaks) >= 8, leaks
    events = next((tmp_path / "ours" / "runs").glob("*.events/*")).read_text().splitlines()
    assert len([json.loads(line) for line in events]) > 20 and any('"nodeName":"Filter"' in line for line in events)


def test_what_a_run_leaves_is_its_owner_s_alone(tmp_path: Path) -> None:
    done = ours(tmp_path, "cast", "--set=run.profile=test")
    assert (done.returncode, found(tmp_path, done)) == (1, {}), done.stderr[-3000:]
    runs = tmp_path / "runs"
    seen = {p: p.stat().st_mode & 0o077 for p in (*runs.glob("*.json"), *runs.glob("*.events"))}
    assert len(seen) == 2 and not any(seen.values()), seen
    assert not list(tmp_path.glob("page-*"))  # there was no UI
