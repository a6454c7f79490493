"""Our word_count job and a bare PySpark script in turn, from command to result: benchmarks/results/word_count.json.

    python benchmarks/word_count/run.py [--megabytes 128] [--rounds 5]
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from make_text import make

ROOT = Path(__file__).resolve().parents[2]


def seconds(*command: str, folder: Path) -> float:
    """Wall seconds of a command that must succeed."""
    start = time.perf_counter()
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
    return round(time.perf_counter() - start, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    bare, job = str(ROOT / "benchmarks" / "word_count" / "bare.py"), str(ROOT / "jobs" / "word_count.py")
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder, text = Path(name), str(Path(name) / "text.txt")
        size = make(Path(text), asked.megabytes)
        for _ in range(asked.rounds):
            theirs.append(seconds(sys.executable, bare, text, str(folder / "bare"), folder=folder))
            to = str(folder / "ours")
            ours.append(seconds(str(ROOT / "spark-submit.sh"), job, "--input", text, "--output", to, "--again", folder=folder))
    middle = (statistics.median(ours), statistics.median(theirs))
    result = {
        "bytes": size, "ours": middle[0], "theirs": middle[1], "ratio": round(middle[0] / middle[1], 3),
        "ours_all": ours, "theirs_all": theirs, "python": platform.python_version(), "machine": platform.platform(),
        "cores": os.cpu_count(),
    }  # fmt: skip
    (ROOT / "benchmarks" / "results" / "word_count.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
