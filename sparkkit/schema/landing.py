"""The columns that every landed row carries beside its data: where it came from, its raw text, what is wrong with it."""
from __future__ import annotations

FILE = "_sparkkit_file"
"""string: the source file, as `_metadata.file_path` gives it."""

RAW = "_sparkkit_raw"
"""string: the row's raw text; null where the format is typed."""

BAD = "_sparkkit_bad"
"""struct<reason:string,rule:string>: the first thing wrong with the row; null for a good one."""

BAD_TYPE = "struct<reason:string,rule:string>"
LANDING = (FILE, RAW, BAD)
