from __future__ import annotations

import math
from datetime import datetime

from sparkkit.ml.stages import Clip, DateParts, LogPlus, MissingIndicator
from tests.portable.both import equal, fitted


def test_our_own_stages_are_what_they_are_in_spark(spark):
    numbers = [(None, 3), (math.nan, None), (-math.inf, -7), (1e300, 0), (-0.0, 5), (2.5, 2**31 - 1)]
    frame = spark.createDataFrame(numbers, "x double, n int")
    names = ["x", "n"]
    stages = [MissingIndicator(names, ["xm", "nm"]), LogPlus(names, ["xl", "nl"]), Clip(names, ["xc", "nc"], low=0.2, high=0.8)]
    assert equal(fitted(*stages, on=frame), frame, "xm", "nm", "xl", "nl", "xc", "nc")


def test_parts_of_a_time_are_what_they_are_in_spark(spark):
    times = [(datetime(2024, 2, 29, 23, 59, 59, 250000),), (datetime(1969, 12, 31),), (None,), (datetime(2026, 1, 4, 0, 0, 1),)]
    parts = ("year", "month", "day", "hour", "minute", "weekday", "day_of_year", "seconds")
    frame = spark.createDataFrame(times, "at timestamp_ntz")
    assert equal(fitted(DateParts("at", parts), on=frame), frame, *(f"at_{part}" for part in parts))
