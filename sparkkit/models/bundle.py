"""A model as a folder: what was fitted, a card that says where it comes from, and the hash of every file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkkit.errors import ContractError, UsageError
from sparkkit.schema.contract import Contract

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import SparkSession

FORMAT = 1
"""The version of the card: raised when a field changes its meaning or goes."""

CARD, SPARK, PORTABLE = "card.json", "spark", "portable.json"
"""The card; the folder that `PipelineModel.save` writes; the fitted parameters for scoring without Spark, where they could be exported."""

STAGES = ("org.apache.spark.ml.", "pyspark.ml.", "sparkkit.ml.")
"""Whose stages a saved model may hold: loading one imports, and so runs, the code that its files name."""


@dataclass(frozen=True)
class Bundle:
    """A model's folder, checked when it was opened."""

    path: Path
    card: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """The bundle in a folder, each file compared with the hash that its card holds.

        Raises:
            UsageError: there is no model (`unknown_model`), or its card is of another format (`wrong_model`).
            ContractError: a file is missing, was changed or added since the model was saved (`changed_model`).
        """
        try:
            card = json.loads((path / CARD).read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"no model in {path}: {CARD} can't be read ({error.strerror})", reason="unknown_model") from error
        except ValueError as error:
            raise UsageError(f"{path / CARD} is not JSON: {error}", reason="wrong_model") from error
        if not isinstance(card, dict) or card.get("format") != FORMAT:
            raise UsageError(
                f"{path / CARD} is not a model card of format {FORMAT}",
                reason="wrong_model",
                hint="save the model with this version of sparkkit",
            )
        _compare(path, card["files"])
        return cls(path, card)

    @property
    def contract(self) -> Contract:
        """What the model's input promises: its columns are those that the model reads."""
        return Contract.from_json(json.dumps(self.card["contract"]))

    def load(self, spark: SparkSession) -> PipelineModel:
        """The fitted pipeline, in a session.

        Raises:
            ContractError: it was fitted on another major version of Spark (`other_spark`), or holds a stage of code that is neither
                Spark's nor sparkkit's (`foreign_stage`).
        """
        fitted, here = str(self.card["packages"]["pyspark"]), spark.version
        if fitted.split(".")[0] != here.split(".")[0]:
            raise ContractError(
                f"model {self.card['name']!r} was fitted on Spark {fitted}, and this is Spark {here}",
                reason="other_spark",
                hint="train it again on this Spark",
            )
        for stage in stages(self.path / SPARK):
            if not stage.startswith(STAGES):
                raise ContractError(
                    f"model {self.card['name']!r} holds a stage {stage!r}, which is neither Spark's nor sparkkit's; "
                    "loading it would run that code",
                    reason="foreign_stage",
                )
        from pyspark.ml import PipelineModel

        return PipelineModel.load(self._reached(spark))

    def _reached(self, spark: SparkSession) -> str:
        """The saved pipeline where every executor reaches it: here, or on the cluster's own store, where it is put once."""
        from sparkkit.storage.hadoop import Hadoop

        here = (self.path / SPARK).resolve()
        if re.fullmatch(r"local(\[.*\])?", str(spark.conf.get("spark.master", "local"))):
            return here.as_uri()
        hadoop = Hadoop.of(spark)
        digest = hashlib.sha256(json.dumps(self.card["files"], sort_keys=True).encode()).hexdigest()[:16]
        there = f"{hadoop.home()}/.sparkkit/models/{self.card['name']}-{digest}"
        if not hadoop.exists(there):
            hadoop.send(here, there)
        return there


def seal(path: Path, card: Mapping[str, Any]) -> Bundle:
    """Writes the card beside what a model's folder holds, with the hash of every file."""
    whole = {"format": FORMAT, **card, "files": hashes(path)}
    (path / CARD).write_text(json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return Bundle(path, whole)


def hashes(path: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder by its relative path, but for the card and Hadoop's checksum files."""
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.name != CARD and not file.name.endswith(".crc") and file.name != "MLmodel"
    }


def stages(path: Path) -> list[str]:
    """The classes that the metadata of a saved pipeline names, those of nested ones too."""
    metadata = sorted(path.rglob("metadata/part-*"))
    return [str(json.loads(file.read_text(encoding="utf-8").splitlines()[0])["class"]) for file in metadata]


def _compare(path: Path, promised: Mapping[str, str]) -> None:
    found = hashes(path)
    for what, names in (
        ("is missing", set(promised) - set(found)),
        ("was added", set(found) - set(promised)),
        ("was changed", {n for n in found if n in promised and found[n] != promised[n]}),
    ):
        if names:
            raise ContractError(
                f"the model in {path} is not what was saved: {min(names)} {what}",
                reason="changed_model",
                hint="take another version, or train it again",
            )
