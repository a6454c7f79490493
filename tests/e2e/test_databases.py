"""Databases down the road: a real PostgreSQL, and SQLite in a file; a session of its own for each."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import databases
from sparkkit import jars
from tests.e2e import cluster

pytestmark = [pytest.mark.e2e, pytest.mark.once]
SESSION = Path(__file__).with_name("databases_session.py")
BOTH = pytest.mark.parametrize("kind", [
    pytest.param("sqlite", marks=pytest.mark.long), pytest.param("postgresql", marks=pytest.mark.cluster),
])


def need_jar(name: str) -> None:
    if not list(jars.folder().glob(f"*{name}*.jar")):
        pytest.skip(f"no driver of {name} in {jars.folder()}: run .venv/bin/python scripts/jars.py {name}")


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, str]]:
    """The variables that lead to a PostgreSQL."""
    if databases.programs() is None:
        pytest.skip("no PostgreSQL here: apt-get install -y postgresql")
    need_jar("postgresql")
    with cluster.running("postgres") as found:
        yield {name: value for name, value in found.items() if name.startswith("SPARKKIT_POSTGRES")}  # an HDFS is none of its business


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the sessions printed, each started when it is first asked for."""

    class Sessions(dict[str, dict[str, Any]]):
        def __missing__(self, kind: str) -> dict[str, Any]:
            more = request.getfixturevalue("postgres") if kind == "postgresql" else {}
            need_jar(kind)
            folder = tmp_path_factory.mktemp(kind)
            own = {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(cluster.ROOT), "TZ": "Europe/Berlin"}  # whose clocks change
            for_all = os.environ | more | own
            done = subprocess.run([sys.executable, SESSION, folder, kind], env=for_all, cwd=folder, capture_output=True, text=True,
                                  timeout=900, check=False)
            assert done.returncode == 0, done.stderr[-3000:]
            assert "canary-4711" not in done.stdout + done.stderr
            self[kind] = json.loads(done.stdout.splitlines()[-1])
            return self[kind]

    return Sessions()


def did(runs: list[dict[str, Any]]) -> list[Any]:
    return [one["did"] if "did" in one else one["reason"] for one in runs]


@BOTH
def test_an_upsert_inserts_what_is_new_changes_what_differs_and_leaves_the_rest(found: dict[str, Any], kind: str) -> None:
    runs, rows, staged = found[kind]["upsert"]
    assert (did(runs), staged) == ([[5, 0, 0, 0], [0, 0, 5, 0], [2, 1, 2, 0]], [])
    assert [row[1] for row in rows] == ["p0", "p1", "p2", "new", "p4", "p5", "p6"]


@BOTH
def test_a_slice_is_appended_once_and_never_replaced_in_silence(found: dict[str, Any], kind: str) -> None:
    runs, rows = found[kind]["append"]
    assert (did(runs), rows) == ([[3, 0, 0, 0], [3, 0, 0, 0], "can_not_replace"], [["6"]])


@BOTH
def test_an_overwrite_replaces_all_rows_but_not_by_none(found: dict[str, Any], kind: str) -> None:
    runs, rows = found[kind]["overwrite"]
    assert (did(runs), rows) == ([[3, 0, 0, 0], [2, 0, 0, 3], "empty_result"], [["2"]])


@BOTH
def test_a_number_is_committed_once(found: dict[str, Any], kind: str) -> None:
    tries, rows, commits = found[kind]["once"]
    assert (tries, rows) == ([[False, 3], [True, 3], [False, 3], "newer_generation", [True, None]], [["6"]])
    assert commits == [["2", "b", "3"]]


@BOTH
def test_what_does_not_fit_is_refused_and_changes_nothing(found: dict[str, Any], kind: str) -> None:
    reasons, rows, _ = found[kind]["refusals"]
    assert reasons == [["output_exists", 2], *[["schema_changed", 4]] * 3, ["unsupported_type", 2], ["duplicate_keys", 4],
                       ["null_keys", 4], ["unfit_for_format", 4], ["wrong_conf", 2], ["wrong_conf", 2]]
    assert rows == [["1", "a"]]


@BOTH
def test_mistakes_are_told_by_exit_code(found: dict[str, Any], kind: str) -> None:
    codes = {name: one[1] for name, one in found[kind]["wrong"].items()}
    own = {"password": 2, "port": 6, "host": 6, "to password": 2, "to port": 6} if kind == "postgresql" else {"no file": 3, "to no file": 2}
    assert codes == {"no table": 3, "no option": 2, "no column": 2, "url secret": 2, "dialect": 2, **own}
    assert "nowhere" in found[kind]["wrong"]["no table"][2]


@pytest.mark.cluster
def test_every_type_of_postgresql_is_read_as_it_is(found: dict[str, Any]) -> None:
    _, kinds, row = found["postgresql"]["read_types"]
    assert [kind for _, kind in kinds] == ["int", "string", "decimal(10,2)", "string", "string", "string", "timestamp_ntz", "timestamp",
                                           "date", "string", "string", "binary", "double", "string", "boolean", "string"]
    assert row[1:8] == ["1.234567890123456789012345", "1.50", "x", "y", "z", "2026-03-29 02:30:00.123456", "2026-03-29 00:30:00.123456"]


@pytest.mark.cluster
def test_no_row_is_lost_between_the_partitions_of_a_read(found: dict[str, Any]) -> None:
    runs = found["postgresql"]["partitioned"]
    assert [one[1:] for one in runs] == [[1000, 100, 1000]] * 5
    assert [one[0]["read"] for one in runs] == [1000] * 5


@pytest.mark.cluster
def test_three_runs_by_a_watermark_read_each_row_once(found: dict[str, Any]) -> None:
    *runs, rows = found["postgresql"]["watermark"]
    assert ([one["read"] for one in runs], runs[-1]["status"], rows) == ([20, 5, 0], "nothing_new", 25)


@pytest.mark.cluster
def test_a_watermark_s_filter_reaches_the_database(found: dict[str, Any], postgres: dict[str, str]) -> None:
    assert found["postgresql"]["watermark"]
    log = (cluster.ROOT / ".sparkkit" / "cluster" / "logs" / "postgres.log").read_text(encoding="utf-8", errors="replace")
    asked = [line for line in log.splitlines() if 'FROM "events") AS q' in line and "WHERE 1=0" not in line]
    assert any(re.search(r"\"at\" >= '2026-01-01 20:00:00", line) for line in asked)


@pytest.mark.cluster
def test_a_run_reads_one_state_of_the_database(found: dict[str, Any]) -> None:
    shared, apart = found["postgresql"]["snapshot"]
    assert shared["read"] == 100 < apart["read"]


@pytest.mark.cluster
def test_what_the_database_refuses_stops_no_later_run(found: dict[str, Any]) -> None:
    runs, rows, staged = found["postgresql"]["rehearsed"]
    assert did(runs) == [*["refused_by_database"] * 3, [2, 0, 0, 0]]
    assert (rows, staged) == ([["1", "ok", "1", "7"], ["2", None, "1", "7"]], [])


@pytest.mark.cluster
def test_a_table_that_another_run_holds_is_locked(found: dict[str, Any]) -> None:
    assert found["postgresql"]["two_writers"]["code"] == 5


@pytest.mark.long
def test_sqlite_s_values_are_held_against_what_is_declared(found: dict[str, Any]) -> None:
    good, kinds, rows, bad = found["sqlite"]["affinity"]
    assert (good["read"], [kind for _, kind in kinds]) == (2, ["bigint", "string", "double", "string", "boolean", "binary"])
    assert (rows[0][0], bad["reason"]) == ("9000000000000000000", "schema_mismatch")


class Base:
    """PostgreSQL's own client, for a test that looks on, and one that is in the way."""

    def __init__(self, found: dict[str, str]) -> None:
        folder = databases.programs()
        assert folder is not None
        host, port = re.findall(r"//([^:]+):(\d+)", found["SPARKKIT_POSTGRES"])[0]
        self.words = [str(folder / "psql"), "-h", host, "-p", port, "-U", found["SPARKKIT_POSTGRES_USER"], "-d", "postgres", "-tAq"]
        self.env = os.environ | {"PGPASSWORD": found["SPARKKIT_POSTGRES_PASSWORD"]}

    def ask(self, sql: str) -> str:
        return subprocess.run([*self.words, "-c", sql], env=self.env, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def block(self, sql: str) -> subprocess.Popen[str]:
        """A session that holds what a statement takes, until its input is closed."""
        process = subprocess.Popen(self.words, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"BEGIN; {sql}; SELECT 'held';\n")
        process.stdin.flush()
        while process.stdout.readline().strip() != "held":
            pass
        return process

    def waits(self, seconds: float = 120) -> bool:
        until = time.monotonic() + seconds
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sparkkit' AND wait_event_type = 'Lock'"
        while time.monotonic() < until:
            if self.ask(sql) != "0":
                return True
            time.sleep(0.2)
        return False


JOB = '''"""A copy."""
from sparkkit import DataFrame, Job, main


def build(data: DataFrame) -> DataFrame:
    """The same rows."""
    return data


JOB = Job(build)
if __name__ == "__main__":
    main(JOB)
'''

CONF = """
[inputs.data]
path = "in.csv"

[outputs.output]
path = "{url}"
format = "jdbc"
mode = "merge"
keys = ["id"]
options = {{ table = "killed", user = "{user}", password = "${{env:SPARKKIT_POSTGRES_PASSWORD}}" }}
"""


@pytest.mark.cluster
@pytest.mark.parametrize("decided", [False, True])
def test_a_run_that_is_killed_between_staging_and_commit_is_made_good_by_the_next(
    postgres: dict[str, str], tmp_path: Path, decided: bool,
) -> None:
    base, secret = Base(postgres), postgres["SPARKKIT_POSTGRES_PASSWORD"]
    base.ask("DROP TABLE IF EXISTS killed; CREATE TABLE killed (id text PRIMARY KEY, name text); INSERT INTO killed VALUES ('1', 'old')")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "copy_rows.py").write_text(JOB)
    (tmp_path / "conf").mkdir()
    conf = CONF.format(url=postgres["SPARKKIT_POSTGRES"], user=postgres["SPARKKIT_POSTGRES_USER"])
    (tmp_path / "conf" / "copy_rows.toml").write_text(conf)
    (tmp_path / "in.csv").write_text("id,name\n1,new\n2,two\n")
    run = ["run", "copy_rows", "--date", "2026-01-01"]
    last_lock = "SELECT pg_advisory_lock(hashtext('commit \"public\".\"killed\"'))"
    blocker = base.block(last_lock if decided else "LOCK TABLE killed IN SHARE ROW EXCLUSIVE MODE")
    env = cluster._environment(postgres)
    words, pipe = [sys.executable, "-m", "sparkkit", *run], subprocess.PIPE
    victim = subprocess.Popen(words, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe)
    try:
        assert base.waits(), victim.communicate(timeout=60)
        second = None if decided else cluster.sparkkit(postgres, *run, cwd=tmp_path)
        staged = base.ask("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'sparkkit_s\\_%'")
        victim.send_signal(signal.SIGKILL)
    finally:
        victim.kill()
        blocker.kill()
    todo = list(tmp_path.rglob("_commit.json"))
    assert (staged, bool(todo)) == ("1", True if decided else bool(todo))
    done = cluster.sparkkit(postgres, *run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert second is None or second.returncode == 5, second.stderr
    assert base.ask("SELECT string_agg(id || name, ' ' ORDER BY id) FROM killed") == "1new 2two"
    assert base.ask("SELECT number FROM sparkkit_commits WHERE target LIKE '%killed%'") == "1"
    assert base.ask("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'sparkkit_s\\_%'") == "0"
    held = [file for file in tmp_path.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
    assert held == [] and secret not in done.stdout + done.stderr
    base.ask("DROP TABLE killed; DELETE FROM sparkkit_commits WHERE target LIKE '%killed%'")
