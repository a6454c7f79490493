"""Shows what issue 3 promises, item by item: runs it on the real thing and ends with one JSON line of figures.

    scripts/show.sh N        N from 1 to 11; the exit code is 0 only if the item holds
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("SPARKKIT_REAL_DATA", ROOT.parent / "shared" / "data"))
Figures = dict[str, Any]


def call(*words: str, cwd: Path = ROOT, **env: str) -> tuple[int, float]:
    """Runs a command in the open; its exit code and seconds."""
    began = time.monotonic()
    code = subprocess.run(words, cwd=cwd, env={**os.environ, **env}, check=False).returncode
    return code, round(time.monotonic() - began, 1)


def suite(*words: str, python: str = sys.executable) -> Figures:
    """Runs a part of the test suite; its figures, and those that the tests themselves recorded."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code, seconds = call(python, "-m", "pytest", "-q", f"--junitxml={report}", *words, PYSPARK_PYTHON=python)
        found = ElementTree.parse(report).getroot() if report.exists() else ElementTree.Element("none")
    counts = next((one.attrib for one in found.iter("testsuite")), {})
    ran = int(counts.get("tests", 0))
    bad, skipped = int(counts.get("failures", 0)) + int(counts.get("errors", 0)), int(counts.get("skipped", 0))
    recorded = {one.attrib["name"]: json.loads(one.attrib["value"]) for one in found.iter("property")}
    return {"ok": code == 0 and ran > skipped, "passed": ran - bad - skipped, "failed": bad, "skipped": skipped, "seconds": seconds,
            **recorded}


def fresh() -> Figures:
    """1. A fresh clone: set-up and the first job, the second time without set-up; and the same in a bare Debian."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "sparkkit"
        call("git", "clone", "-q", str(ROOT), str(clone))
        words = ("./spark-submit.sh", "jobs/word_count.py", "--input", "data/books", "--output", "out/word_count")
        first, second = call(*words, cwd=clone), call(*words, cwd=clone)
        suite = call("./scripts/test.sh", "lint", "types", cwd=clone)
    debian = call(str(ROOT / "scripts" / "bare_debian.sh"))
    codes = [first[0], second[0], suite[0], debian[0]]
    return {"ok": codes == [0, 0, 0, 0], "exit_codes": codes, "first_seconds": first[1], "second_seconds": second[1],
            "bare_debian_seconds": debian[1]}


def words() -> Figures:
    """2. word_count and map_reduce on 100 MB of text, against tr|sort|uniq and mrjob."""
    code, seconds = call(sys.executable, str(ROOT / "scripts" / "show_word_count.py"), PYTHONPATH=str(ROOT))
    return {"ok": code == 0, "seconds": seconds}


def population() -> Figures:
    """3. population_report on the real UN file."""
    source = REAL / "un_population_syb64.csv"
    if not source.is_file():
        return {"ok": False, "why": f"no {source} (SPARKKIT_REAL_DATA)"}
    import pyarrow.parquet as parquet

    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        code, seconds = call("./spark-submit.sh", "jobs/population_report.py", "--input", str(source), "--output", f"{folder}/out",
                             "--record", str(record))
        account = json.loads(record.read_text())["inputs"]["population"]
        rows = parquet.read_table(f"{folder}/out").to_pylist()
    world = {r["year"]: float(r["value"]) for r in rows if r["area_code"] == 1}
    ok = code == 0 and account["read"] == account["passed"] == 7260 and (world[2010], world[2021]) == (6956.82, 7874.97)
    return {"ok": ok, "read": account["read"], "passed": account["passed"], "quarantined": account["quarantined"],
            "rows_out": len(rows), "world_2010": world[2010], "world_2021": world[2021], "seconds": seconds}


def round_trips() -> Figures:
    """4. Every format in and out, Delta and Hive's tables too, on each Spark; only on SPARK_HOME's where that is set."""
    pythons = {"here": sys.executable}
    if not os.environ.get("SPARK_HOME"):
        call("./scripts/setup.sh", "--matrix")
        pythons = {"spark42": sys.executable, "spark35": str(ROOT / ".venv-spark35" / "bin" / "python")}
    files = ("tests/e2e/test_round_trip.py", "tests/e2e/test_tables.py")
    found = {name: suite("-m", "e2e or not e2e", *files, python=python) for name, python in pythons.items()}
    return {"ok": all(one["ok"] and not one["skipped"] for one in found.values()), **found}


def corpora() -> Figures:
    """5. The corpora of bad and odd input, by the reader alone and down the whole road."""
    found = suite("-m", "corpora", "tests/formats", "tests/e2e/test_corpora_road.py")
    return {**found, "ok": found["ok"] and not found["skipped"]}


def matrix() -> Figures:
    """8. The unit suite on Spark 3.5.6 and 4.2.0, and the pure ring through a real Spark Connect server."""
    found = {stage: call("./scripts/test.sh", stage) for stage in ("unit", "unit35", "connect")}
    return {"ok": all(code == 0 for code, _ in found.values()), **{f"{s}_seconds": seconds for s, (_, seconds) in found.items()}}


def start() -> Figures:
    """10. The start, beside stock."""
    code, _ = call("./scripts/bench.sh", "start")
    found: Figures = json.loads((ROOT / "benchmarks" / "results" / "start.json").read_text())
    return {"ok": code == 0, **{k: found.get(k) for k in ("ours", "theirs", "ratio", "goal")}}


def everything() -> Figures:
    """11. All checks and tests."""
    code, seconds = call("./scripts/test.sh")
    return {"ok": code == 0 and seconds <= 1200, "seconds": seconds}


ITEMS: Mapping[int, tuple[str, Callable[[], Figures]]] = {
    1: ("fresh clone and bare Debian", fresh),
    2: ("word count", words),
    3: ("population report", population),
    4: ("round trips", round_trips),
    5: ("corpora", corpora),
    6: ("the law of accounting", lambda: suite("-m", "e2e or not e2e", "tests/test_run.py", "tests/e2e/test_lost_executor.py")),
    7: ("broken inputs", lambda: suite("-m", "e2e", "tests/e2e/test_broken_inputs.py")),
    8: ("versions and Connect", matrix),
    9: ("the wheel alone", lambda: suite("-m", "e2e", "tests/e2e/test_wheel.py")),
    10: ("start", start),
    11: ("everything", everything),
}


def main(argv: list[str]) -> int:
    """Runs one item."""
    if len(argv) != 1 or not argv[0].isdigit() or int(argv[0]) not in ITEMS:
        print("scripts/show.sh N\n" + "\n".join(f"  {n:2} {name}" for n, (name, _) in ITEMS.items()), file=sys.stderr)
        return 2
    name, show = ITEMS[int(argv[0])]
    figures = {"item": int(argv[0]), "name": name, **show()}
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
