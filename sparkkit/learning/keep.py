"""A trained model as a bundle: saved, exported for scoring without Spark where it can be, with its card."""

from __future__ import annotations

import json
import platform
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from sparkkit.errors import UsageError
from sparkkit.learning import tasks
from sparkkit.learning.insight import insight
from sparkkit.learning.learn import Learned
from sparkkit.ledger import Record, utc_now
from sparkkit.models.bundle import PORTABLE, SPARK, Bundle, seal, stages
from sparkkit.redaction import HIDDEN
from sparkkit.schema.contract import Column, Contract
from sparkkit.storage.hadoop import Hadoop
from sparkkit.training import Training
from sparkkit.transforms.names import cols

SAMPLE = 1000
"""Test rows on which the portable form is compared with Spark."""

PACKAGES = ("pyspark", "sparkkit", "numpy", "mlflow-skinny")


@dataclass
class Kept:
    """A bundle in a temporary folder, which goes when it is closed."""

    bundle: Bundle
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    def close(self) -> None:
        """Deletes the folder."""
        self._folder.cleanup()


def keep(
    spark: SparkSession,
    job: Training,
    learned: Learned,
    record: Record,
    contracts: Mapping[str, Contract],
    params: Mapping[str, Any],
    staging: str,
    data: Mapping[str, Any],
) -> Kept:
    """Saves a model beside what its run stages, fetches it, and seals it with its card.

    Args:
        staging: a folder on the store of the run's outputs, which every executor reaches.
        data: what the inputs were, by name: the fingerprint of each.

    Raises:
        UsageError: a stage can't be saved (`not_saved`).
    """
    folder = tempfile.TemporaryDirectory(prefix="sparkkit-model-")
    path = Path(folder.name) / job.model
    at = f"{staging.rstrip('/')}-model"
    try:
        try:
            learned.model.write().overwrite().save(at)
        except ValueError as error:  # what Spark says of a stage of Python that can't write itself
            raise UsageError(f"the model can't be saved: {error}", reason="not_saved", hint="use stages that can be written") from error
        Hadoop.of(spark).fetch(at, path / SPARK)
        card = _card(job, learned, record, contracts, params, data, path)
        return Kept(seal(path, card), folder)
    except BaseException:
        folder.cleanup()
        raise


def _card(
    job: Training, learned: Learned, record: Record, contracts: Mapping[str, Contract], params: Mapping[str, Any],
    data: Mapping[str, Any], path: Path,
) -> dict[str, Any]:
    contract = promised(job, learned, contracts)
    return {
        "name": job.model,
        "version": None,
        "run": record.run_id,
        "logical_id": record.logical_id,
        "created": utc_now(),
        **tasks.card(job),
        "label": job.label,
        "features": list(job.features),
        "contract": json.loads(contract.to_json()),
        "split": job.split.describe(),
        "balance": job.balance.describe() if job.balance else None,
        "seed": params["seed"],
        "params": {o.parameter: HIDDEN if o.secret else {**params, **learned.chosen}[o.parameter] for o in job.options},
        "search": learned.search,
        "rows": learned.rows,
        "metrics": learned.overall,
        "figures": learned.figures,
        "checks": list(job.checks),
        "allowed": learned.findings,
        "unasked": learned.unasked,
        "data": dict(data),
        "code": record.code_version,
        "contracts": record.contracts,
        "stages": stages(path / SPARK),
        "packages": {"python": platform.python_version(), **_packages()},
        "portable": _portable(path, job, learned, contract),
        **insight(job, learned.model, learned.test, learned.predicted, int(params["seed"])),
    }


def promised(job: Training, learned: Learned, contracts: Mapping[str, Contract]) -> Contract:
    """What the model's input promises: a feature's column of an input's contract, where it has the same type, or its type alone.

    Rules of these contracts that speak of features alone hold for the model's input, too.
    """
    types = {f.name: f.dataType.simpleString() for f in learned.train.schema.fields}
    known = {c.name: c for contract in contracts.values() for c in contract.columns}
    columns = tuple(
        replace(known[n], key=0, unique=False, reader={}) if n in known and known[n].type == types[n] else Column(n, types[n])
        for n in job.features
    )
    others = set(known) - set(job.features)
    rules = tuple(
        rule
        for contract in contracts.values()
        for rule in contract.rules
        if set(re.findall(r"\w+", rule.predicate)) & set(job.features) and not set(re.findall(r"\w+", rule.predicate)) & others
    )
    return Contract(job.model, columns, rules=rules, description=f"What the model {job.model!r} reads")


def _portable(path: Path, job: Training, learned: Learned, contract: Contract) -> str | None:
    """Writes the portable form; why there is none, where there is none."""
    from sparkkit.portable.export import export
    from sparkkit.portable.scorer import Scorer
    from sparkkit.portable.verify import verify

    try:
        exported = export(learned.model, {c.name: c.type for c in contract.columns})
        verify(learned.model, Scorer(exported), learned.test.select(*cols(job.features)).limit(SAMPLE))
    except UsageError as error:
        return str(error)
    (path / PORTABLE).write_text(json.dumps(exported, separators=(",", ":")), encoding="utf-8")
    return None


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            from sparkkit import __version__

            if name == "sparkkit":
                found[name] = __version__
    return found
