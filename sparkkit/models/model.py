"""A model as a parameter of a job: `def build(data, *, model: Model)` becomes the option `--model NAME[@ALIAS|:VERSION]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sparkkit.errors import ContractError
from sparkkit.models.bundle import Bundle

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

    from sparkkit.job import Job
    from sparkkit.project import Project

ADDED = ("score", "prediction", "model", "model_version", "model_run")
"""The columns that `Model.score` adds."""


@dataclass(frozen=True)
class Model:
    """One version of a model, loaded in a session."""

    option_kind: ClassVar[str] = "model"
    name: str
    version: int | None
    bundle: Bundle
    fitted: PipelineModel

    columns: ClassVar[tuple[str, ...]] = ADDED

    def __str__(self) -> str:
        """The version's name and its run: the same text is the same model, whatever alias it was asked for by."""
        return f"{self.name}:{self.version or 'unregistered'} of {self.bundle.card['run']}"

    def score(self, df: DataFrame) -> DataFrame:
        """The rows with `score` and `prediction` as `sparkkit.ml.scoring` gives them by task, `model`, `model_version` and `model_run`.

        Raises:
            ContractError: a column that the model reads is missing, or has another type (`other_contract`).
            UsageError: the frame has one of the new columns already.
        """
        from pyspark.sql import functions as F

        from sparkkit.ml.scoring import scored
        from sparkkit.transforms.names import free

        refuse_other(self, df)
        free(df, ADDED, where=f"model {self.name!r}")
        version = F.lit(self.version).cast("int").alias("model_version")
        card = self.bundle.card
        found = scored(df, self.fitted, card["task"], threshold=card["threshold"], classes=card["classes"] or ())
        return found.select(
            "*", F.lit(self.name).alias("model"), version, F.lit(str(card["run"])).alias("model_run")
        )


def refuse_other(model: Model, df: DataFrame) -> None:
    """Ends where a frame does not have what the model reads.

    Raises:
        ContractError: with each column that is missing or of another type.
    """
    have = {f.name: f.dataType.simpleString() for f in df.schema.fields}
    wrong = [
        f"{c.name} is {have.get(c.name, 'missing')}, not {c.type}" for c in model.bundle.contract.columns if have.get(c.name) != c.type
    ]
    if wrong:
        raise ContractError(
            f"model {model.name!r} reads another contract: {'; '.join(wrong)}",
            reason="other_contract",
            hint="give the input a contract with these columns, or train the model on this one",
        )


def load(spark: SparkSession, spec: str, home: Project, registry: str | None = None) -> Model:
    """A model by `NAME[@ALIAS|:VERSION]` of the registry in force, or by its folder.

    Raises:
        UsageError: there is none.
        ContractError: it is not what was saved, is of another Spark, or holds foreign code.
    """
    from sparkkit.models.registry import find

    bundle, version = find(spec, home, registry)
    return Model(str(bundle.card["name"]), version.number if version else None, bundle, bundle.load(spark))


def resolved(
    spark: SparkSession,
    job: Job,
    params: Mapping[str, Any],
    home: Project,
    registry: str | None = None,
) -> dict[str, Any]:
    """The parameters of a job, those that name a model with the model itself."""
    named = {o.parameter for o in job.options if o.kind == Model.option_kind}
    return {name: load(spark, value, home, registry) if name in named and value is not None else value for name, value in params.items()}
