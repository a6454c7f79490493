"""Counters where map and reduce tasks fail at their first attempts: run by test_word_count_equals."""
from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from sparkkit import session
from sparkkit.transforms.mapreduce import map_reduce_counted


def failing(name: str) -> None:
    mark = Path(os.environ["LOST_COUNTERS"], name)
    if not mark.exists():
        mark.touch()
        raise ValueError("first attempt")


def mapper(record, counters):  # type: ignore[no-untyped-def]
    counters.increment("records", "seen")
    if record.id % 500 == 499:
        failing(f"map-{record.id}")
    yield record.id % 5, 1


def reducer(key, values, counters):  # type: ignore[no-untyped-def]
    counters.increment("groups", "seen")
    failing(f"reduce-{key}")
    yield key, sum(values)


def main() -> None:
    """Runs the job and prints its rows and the number of first attempts that failed."""
    os.environ["LOST_COUNTERS"] = sys.argv[1]  # the workers inherit it
    spark = session.start({"spark.master": "local[2,20]"}, app_name="lost_counters")
    counted = map_reduce_counted(spark.range(0, 1000, 1, 2), mapper, reducer, key_type="bigint", partitions=1)
    rows = [row.asDict(recursive=True) for row in counted.both.collect()]  # one computation, retries and all
    tries = len(list(Path(sys.argv[1]).iterdir()))
    session.stop(spark)
    print(json.dumps({"rows": rows, "tries": tries}))


if __name__ == "__main__":
    main()
