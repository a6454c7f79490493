"""What a run is: the same attempt again, or another; and what a re-run of it replaces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sparkkit.conf import Conf, InputConf, OutputConf
from sparkkit.job import Job
from sparkkit.publishing import Identity, slice_of
from sparkkit.redaction import HIDDEN, is_secret_name
from sparkkit.sources import Source


def identity(
    job: Job, conf: Conf, params: Mapping[str, Any], date: str | None, sources: Mapping[str, Source], *, code: str | None,
    contracts: Mapping[str, Any], run_id: str, label: str | None = None, session: Mapping[str, str] | None = None,
) -> Identity:
    """The identity of a run.

    `logical_id` is the hash of the job, its date, parameters (secret ones too), settings (`session` are those in force), inputs (files by
    path, size and time of change, Delta tables by version; their columns), code and contracts: the same again is a retry. An input
    whose state nobody can tell, or code that can't be read, makes every run another (`run_id`).

    What a re-run replaces has the name of the job, the output and the date. Without a date an output that is added to would
    have no way to tell a re-run from new data: there the inputs and parameters are the name, so that the same input is never
    added twice, whatever the code.
    """
    inputs = {name: source.fingerprint or run_id for name, source in sources.items()}
    secret = {o.parameter for o in job.options if o.secret}
    given = {"params": {name: HIDDEN if name in secret else value for name, value in params.items()}, "inputs": inputs}
    whole = {"params": {name: _digest(value) if name in secret else value for name, value in params.items()}, "inputs": inputs,
             "columns": {name: source.frame.columns for name, source in sources.items()}, "session": session or {}}
    settings = {
        "inputs": {n: _plain(c) | {"path": None} for n, c in conf.inputs.items()},
        "outputs": {n: _plain(c) for n, c in conf.outputs.items()},
        "spark": {k: v for k, v in conf.spark.items() if k.startswith("spark.sql.")},
    }
    logical_id = _hash({"job": job.name, "date": date, "code": code or run_id, "contracts": contracts, "settings": settings, **whole})
    key = label or date or f"inputs {_hash(given)}"
    names = {n: f"{job.name}/{n}@{key}" for n in job.outputs}
    slices = {n: slice_of(conf.outputs[n], name) for n, name in names.items()}
    added = any(conf.outputs[n].mode not in ("overwrite", "error") for n in job.outputs)
    return Identity(logical_id, slices, f"{job.name}@{key if added or label or date else ''}", names)


def _plain(edge: InputConf | OutputConf) -> dict[str, Any]:
    """An input's or output's settings without its secrets, which change and mean nothing else."""
    return asdict(edge) | {"options": {k: HIDDEN if is_secret_name(k) else v for k, v in edge.options.items()}}


def _digest(secret: Any) -> str:
    """A secret as what tells it from others, and costs too much to be guessed from a record."""
    return hashlib.pbkdf2_hmac("sha256", str(secret).encode(), b"sparkkit", 200_000).hex()


def _hash(what: Mapping[str, Any]) -> str:
    said = json.dumps(what, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()[:16]
