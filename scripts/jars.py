"""Fetches the jars of conf/jars.lock for this Python's Spark, by Spark's own resolver, and checks each one.

Exit codes: 0 all there, or the registry can't be reached (said, and written to jars/UNAVAILABLE);
2 a jar does not match.
Names of groups as arguments fetch those, too, which are optional in the lock.
`--relock` writes what the resolver gives now into conf/jars.lock, in place of the hashes of this Spark line.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import logstore  # noqa: E402
from sparkkit import jars  # noqa: E402

LOCK = ROOT / "conf" / "jars.lock"


class UnreachableError(Exception):
    """The resolver did not give the jars; the message is its reason on one line."""


def resolve(group: jars.Group, into: Path) -> list[Path]:
    """The jars of a group, fetched anew into a folder."""
    import pyspark

    home = Path(pyspark.__file__).parent
    nothing = into / "nothing.py"
    nothing.write_text("")
    command: list[str | Path] = [
        home / "bin" / "spark-submit", "--master", "local[1]", "--packages", ",".join(group.packages),
        "--conf", f"spark.jars.excludes={','.join(group.excludes)}", "--conf", f"spark.jars.ivy={into / 'ivy'}",
        nothing,
    ]
    own = {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    env = {**os.environ, **own, "SPARK_LOCAL_IP": "127.0.0.1"}
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired as error:
        raise UnreachableError("the resolver gave no answer within 600 s") from error
    if done.returncode:
        raise UnreachableError(reason(done.stderr + done.stdout))
    return sorted((into / "ivy" / "jars").glob("*.jar"))


def reason(log: str) -> str:
    """The line of a resolver's log that says most."""
    patterns = (r"Server access error.*", r".*(Connection refused|timed out).*", r"unresolved dependency:[^\]]*",
                r"Exception in thread.*")
    for pattern in patterns:
        if found := re.search(pattern, log, re.IGNORECASE):
            return found[0].strip()
    return (log.strip().splitlines() or ["the resolver failed without a word"])[-1].strip()


def fetch(group: jars.Group, where: Path) -> list[str]:
    """Brings a group's jars into the folder; the names of those that do not match (and were not taken)."""
    with tempfile.TemporaryDirectory(dir=where, prefix=".resolving-") as folder:
        came = {path.name: path for path in resolve(group, Path(folder))}
        refused = [name for name, sha in group.files.items() if name in came and jars.sha256(came[name]) != sha]
        for name in group.files.keys() & came.keys() - set(refused):
            came[name].replace(where / name)
        return refused + sorted(group.files.keys() - came.keys())


def relock(names: Sequence[str]) -> int:
    """Writes what the resolver gives for this Spark line, files and hashes, into the lock; of all groups, or of those named."""
    text = LOCK.read_text(encoding="utf-8")
    for group in jars.parse(text):
        if group.spark == jars.line() and (not names or group.name in names):
            with tempfile.TemporaryDirectory() as folder:
                new = "".join(f"jar {jars.sha256(path)}  {path.name}\n" for path in resolve(group, Path(folder)))
            head = re.escape(f"[{group.name} {group.spark}]\n")
            text = re.sub(rf"({head}(?:(?:package|exclude|optional).*\n)*)(?:jar .*\n?)*", partial(_kept_head, new), text)
    LOCK.write_text(text, encoding="utf-8")
    return 0


def _kept_head(new: str, found: re.Match[str]) -> str:
    return found[1] + new


def ensure(where: Path, names: Sequence[str] = ()) -> int:
    """Fetches what is missing or damaged, of the optional groups only those named; the exit code."""
    where.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(LOCK, where / "jars.lock")
    note = where / jars.UNAVAILABLE
    note.unlink(missing_ok=True)
    for group in jars.parse(LOCK.read_text(encoding="utf-8")):
        if group.optional and group.name not in names:
            continue
        wrong = jars.problems(where, group.files) if group.spark == jars.line() else {}
        for name in (n for n, what in wrong.items() if what == "does not match"):
            say(f"{where / name} does not match its SHA-256 in conf/jars.lock: removed, and fetched anew")
            (where / name).unlink()
        if wrong and not bring(group, where, note):
            return 2
    if any((group.name, group.spark) == ("s3", jars.line()) for group in jars.parse(LOCK.read_text(encoding="utf-8"))):
        trouble = logstore.ensure(where)
        if trouble:
            say(f"no log store for Delta on S3, {trouble}: runs of sparkkit keep each other out, other writers do not")
    return 0


def bring(group: jars.Group, where: Path, note: Path) -> bool:
    """Fetches a group and says how it went; False if a jar was refused."""
    say(f"fetching the {group.name} jars for Spark {group.spark} ({', '.join(group.packages)})")
    try:
        refused = fetch(group, where)
    except UnreachableError as error:
        if not group.optional:
            note.write_text(f"{error}\n", encoding="utf-8")
        say(f"the jar registry can't be reached, or lacks them ({error}); all that needs no {group.name} jar still "
            "runs, and scripts/setup.sh tries again")
        return True
    for name in refused:
        say(f"refused: {name} from the jar registry does not match its SHA-256 in conf/jars.lock, or did not come")
    return not refused


def say(text: str) -> None:
    """One line of set-up on stderr."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(relock(sys.argv[2:]) if sys.argv[1:2] == ["--relock"] else ensure(jars.folder(), sys.argv[1:]))
