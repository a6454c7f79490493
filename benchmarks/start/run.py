"""Our command and the stock script in turn, from command to result: medians, ratio and goal, as one JSON file.

    python benchmarks/start/run.py [--rounds 5] [--results FILE]

`./spark-submit.sh jobs/word_count.py` (the whole road: contract, staging, accounting, record) and the bare session
are each set against plain `spark-submit stock.py`. The two sides of a ratio always ran within the same round.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BOOKS = str(ROOT / "data" / "books")
GOALS = {"ours": 0.55, "ours_test_profile": 0.40, "bare_session": 0.55, "bare_session_test_profile": 0.40}


def commands(folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name to command and more environment variables."""
    out, records = str(folder / "out"), ["--record", str(folder / "record.json")]
    job = [str(ROOT / "spark-submit.sh"), "jobs/word_count.py", "--input", BOOKS, "--output", out, "--again", *records]
    bare = [sys.executable, str(HERE / "ours.py"), BOOKS, out]
    submit = str(Path(sys.executable).with_name("spark-submit"))
    return {
        "theirs": ([submit, str(HERE / "stock.py"), BOOKS, out], {}),
        "theirs_by_python": ([sys.executable, str(HERE / "stock.py"), BOOKS, out], {}),
        "ours": (job, {}),
        "ours_test_profile": ([*job, "--set", "run.profile=test"], {}),
        "bare_session": (bare, {}),
        "bare_session_test_profile": (bare, {"SPARKKIT_PROFILE": "test"}),
    }


def seconds(command: list[str], more: dict[str, str]) -> tuple[float, float]:
    """Wall clock and CPU seconds of a command, its children included; a command that fails ends the bench."""
    inherited = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    began, before = time.perf_counter(), _cpu()
    done = subprocess.run(command, env={**os.environ, **inherited, **more}, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """The times of each command, round by round, after one round that is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        todo = commands(Path(folder))
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in todo}
        for number in range(rounds + 1):
            for name, (command, more) in todo.items():
                spent = seconds(command, more)
                print(f"{number} {name}: {spent[0]:.2f} s, {spent[1]:.2f} s of CPU", file=sys.stderr)
                found[name] += [spent] if number else []
    return found


def report(found: dict[str, list[tuple[float, float]]]) -> dict[str, object]:
    """The figures of the bench: medians in seconds, and the median of the rounds' ratios."""
    wall = {name: [spent[0] for spent in times] for name, times in found.items()}
    middle: Callable[[list[float]], float] = lambda values: round(statistics.median(values), 3)  # noqa: E731
    ratios = {
        name: {
            "seconds": middle(wall[name]),
            "ratio": middle([a / b for a, b in zip(wall[name], wall["theirs"], strict=True)]),
            "goal": goal,
            "cpu_ratio": middle([a[1] / b[1] for a, b in zip(found[name], found["theirs"], strict=True)]),
        }
        for name, goal in GOALS.items()
    }
    main = ratios["ours"]
    return {
        "ours": main["seconds"],
        "theirs": middle(wall["theirs"]),
        "ratio": main["ratio"],
        "goal": main["goal"],
        "theirs_by_python": middle(wall["theirs_by_python"]),
        "theirs_cpu": middle([spent[1] for spent in found["theirs"]]),
        "all": ratios,
        "rounds": {name: [round(value, 2) for value in values] for name, values in wall.items()},
        "versions": {"python": platform.python_version(), "pyspark": version("pyspark"), "java": java()},
        "machine": machine(),
    }


def java() -> str:
    """What the Java on the path calls itself."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    return said.splitlines()[0]


def machine() -> dict[str, object]:
    """Cores, memory and load, without which seconds say little."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load = [round(value, 1) for value in os.getloadavg()]
    return {"cores": os.cpu_count(), "memory_gib": round(memory / 2**30, 1), "load": load}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "start.json")
    given = parser.parse_args()
    figures = report(measure(given.rounds))
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: figures[key] for key in ("ours", "theirs", "ratio", "goal")}))
