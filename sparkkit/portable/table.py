"""Every stage that can be exported, by the name of its class: one entry each."""

from __future__ import annotations

from collections.abc import Mapping

from sparkkit.portable import columns, features, linear, own, texts, trees
from sparkkit.portable.stage import Kind

KINDS: Mapping[str, Kind] = {**texts.KINDS, **columns.KINDS, **features.KINDS, **linear.KINDS, **trees.KINDS, **own.KINDS}
"""Class name to how it is exported and evaluated; a nested `PipelineModel` is taken apart by `export`."""

HOMES = ("pyspark.ml.", "sparkkit.ml.")
"""The packages whose classes are meant by these names."""
