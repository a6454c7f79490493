"""A Spark writer that knows nothing of sparkkit's lock: appends rounds to a Delta table, and says which commits it was told to have made.

s3_writer.py NAME ROUNDS TABLE FOLDER [SETTING=VALUE…]: each round waits for the other writer's in FOLDER; the last line is JSON.
"""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from sparkkit import session


def main(name: str, rounds: int, table: str, folder: Path, settings: dict[str, str]) -> None:
    spark = session.start(settings, app_name=name, profile="test", needs=["delta", "s3"])
    made, refused = list[int](), 0
    for number in range(rounds):
        (folder / f"{name}-{number}").touch()
        until = time.monotonic() + 120
        while len(list(folder.glob(f"*-{number}"))) < 2 and time.monotonic() < until:
            time.sleep(0.002)
        frame = spark.sql(f"select '{name}' as writer, {number} as number").coalesce(1)
        while number not in made:
            try:
                frame.write.format("delta").mode("append").save(table)
                made.append(number)
            except Exception as error:
                refused += 1
                if refused > 5 * rounds:
                    raise
                print(f"{name}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
    session.stop(spark)
    print(json.dumps({"name": name, "made": made, "refused": refused}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), dict(word.split("=", 1) for word in sys.argv[5:]))
