"""Layered settings: job, conf file, environment, local file, command line; each key knows where it came from."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkkit import paths, references
from sparkkit.errors import UsageError, nearest
from sparkkit.project import Project
from sparkkit.schema.reader import LISTS

MODES = ("append", "overwrite", "overwrite_partitions", "merge", "cdc", "scd2", "error")
KEYED = ("merge", "cdc", "scd2")
"""Modes that bring rows into a Delta table by their keys."""

EVOLUTIONS = ("strict", "add_columns", "widen")
"""How a Delta table's schema may change, each with what the one before allows."""

INCREMENTAL = ("none", "files", "column", "version", "changes")
"""What tells the new rows of an input from those that an earlier run has read; `none` reads all each time."""

INPUT_KEYS: Mapping[str, type] = {
    "path": list, "format": str, "contract": str, "filter": str, "keep_source": bool,
    "incremental": str, "watermark": str, "lateness": object, "changed": str,
}
OUTPUT_KEYS: Mapping[str, type] = {
    "path": str, "format": str, "mode": str, "contract": str, "quarantine": str, "partition_by": list, "target_file_size": str,
    "unmasked_quarantine": bool, "allow_empty": bool, "allow_overlap": bool, "allow_static_overwrite": bool,
    "keys": list, "sequence_by": str, "apply_as_deletes": str, "valid_from": str, "valid_to": str, "is_current": str, "track": list,
    "leave_out": list, "schema_evolution": str,
}
WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("inputs", "incremental"): INCREMENTAL, ("inputs", "changed"): ("refuse", "again"),
    ("outputs", "mode"): MODES, ("outputs", "schema_evolution"): EVOLUTIONS,
}
"""The keys that have a few words for values."""

ROOT_KEYS: Mapping[str, type] = {"read": list, "write": list}
RUN_KEYS: Mapping[str, type] = {"records": str, "event_log": bool, "profile": str, "registry": str}
LEDGER_KEYS: Mapping[str, type] = {"path": str}
SUBMIT_KEYS: Mapping[str, type] = {
    "target": str, "deploy_mode": str, "master": str, "code": str, "python": str, "environment": str,
    # EMR, EMR Serverless
    "region": str, "endpoint": object, "cluster": str, "application": str, "release": str, "log_uri": str, "execution_role": str,
    "service_role": str, "instance_profile": str, "instances": object, "managed_scaling": object, "bootstrap": list, "applications": list,
    "on_failure": str, "idle_minutes": object, "timeout_minutes": object, "subnets": list, "security": object, "tags": object,
    "kms_keys": list,
    # Livy
    "url": str, "user": str, "password": str, "token": str, "ca": str, "proxy_user": str,
}
"""What `sparkkit submit` reads: where a job is sent. A run itself has no use for it."""
FREE = ("options",)
"""Tables of an input or output whose keys are the format's own."""


@dataclass(frozen=True)
class InputConf:
    """Where one input is and how to read it. `filter` is SQL that reaches the scan, before the accounting.

    For incremental ones `watermark` is the column that tells how far they were read, `lateness` how far back rows may still come
    (such as `2 days`, or a number), `changed` whether a file that was changed is refused or read `again`.
    """

    path: tuple[str, ...] = ()
    format: str | None = None
    contract: str | None = None
    filter: str | None = None
    keep_source: bool = False
    incremental: str = "none"
    watermark: str | None = None
    lateness: str | int | float | None = None
    changed: str = "refuse"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputConf:
    """Where one output goes and how it is written. `target_file_size` is a size such as `128MB`; each `allow_*` lets pass
    what is refused otherwise (`sparkkit.guards`); `unmasked_quarantine` shows rejected rows as they came, personal data too.

    For tables by keys: `keys` name a row, `sequence_by` (cdc) and `valid_from` (scd2) are the columns that order its
    changes, `apply_as_deletes` is the SQL predicate of a change that deletes, `track` the columns whose change makes a new
    version (all others by default), `leave_out` what the table does not get, such as the column of the operation;
    `valid_to` and `is_current` name the columns that scd2 adds (so called by default).
    """

    path: str | None = None
    format: str = "parquet"
    mode: str = "error"
    contract: str | None = None
    quarantine: str | None = None
    unmasked_quarantine: bool = False
    partition_by: tuple[str, ...] = ()
    target_file_size: str | None = None
    allow_empty: bool = False
    allow_overlap: bool = False
    allow_static_overwrite: bool = False
    keys: tuple[str, ...] = ()
    sequence_by: str | None = None
    apply_as_deletes: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    is_current: str | None = None
    track: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    schema_evolution: str = "strict"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conf:
    """All settings of one run, with the origin of each key that was set. `roots` are the folders that may be read or written,
    where any are declared."""

    inputs: Mapping[str, InputConf]
    outputs: Mapping[str, OutputConf]
    run: Mapping[str, Any]
    spark: Mapping[str, str]
    params: Mapping[str, Any]
    origins: Mapping[str, str]
    ledger: Mapping[str, Any] = field(default_factory=dict)
    submit: Mapping[str, Any] = field(default_factory=dict)
    roots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One value with the place it came from."""

    value: Any
    origin: str


def layers(project: Project, job: str, env: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The conf files of a job, weakest first, each with its name.

    Raises:
        UsageError: if the environment has no file.
    """
    for relative in (f"{job}.toml", f"env/{env}.toml" if env else None, "local.toml"):
        found = project.toml(relative) if relative and ".." not in relative else None
        if found is not None:
            yield f"conf/{relative}", found
        elif relative and relative.startswith("env/"):
            known = project.environments()
            close = nearest(str(env), known)
            raise UsageError(f"no conf/{relative} for --env {env}", reason="unknown_env",
                             hint=f"did you mean {close!r}?" if close else f"known are: {', '.join(known) or 'none'}")


def load(
    project: Project, job: str, *, inputs: tuple[str, ...], outputs: tuple[str, ...], params: Iterable[str],
    env: str | None = None, base: Mapping[str, Any] | None = None, over: Mapping[str, Any] | None = None,
    secret: Iterable[str] = (), follow: bool = False,
) -> Conf:
    """The settings of a job: `base` (the job's own), its conf files, `over` (the command line), each over the one before.

    `secret` are the parameters that are secrets by their type; `follow` says that references to secrets are followed.

    Raises:
        UsageError: for an unknown key or a wrong type, with the file, the key and the nearest known key; for a secret in
            plain text, and a reference that leads nowhere.
    """
    known = _known(inputs, outputs, tuple(params))
    settings: dict[str, Setting] = {}
    declared = [f"params.{name}" for name in secret]
    for origin, layer in [(f"job {job}", _nest(base or {})), *layers(project, job, env), ("command line", _nest(over or {}))]:
        found = {k: Setting(v, origin) for k, v in _flat(layer, known, origin)}
        _refuse_odd(found)
        references.refuse_plain({k: (s.value, s.origin) for k, s in found.items()}, declared)
        settings.update(found)
    if follow:
        wanted = {k: s for k, s in settings.items() if not k.startswith("submit.")}
        settings |= {k: Setting(references.resolved(s.value, f"{s.origin}: {k}"), s.origin) for k, s in wanted.items()}
    return _conf(settings, inputs, outputs)


def _refuse_odd(settings: Mapping[str, Setting]) -> None:
    """Paths that can be none, and roots on the command line, whose paths they are to bound."""
    for key, one in settings.items():
        for path in one.value if isinstance(one.value, tuple) else (one.value,):
            if key.endswith((".path", ".quarantine")) and isinstance(path, str):
                paths.check(path, f"{one.origin}: {key}")
        if key.startswith("roots.") and one.origin == "command line":
            raise UsageError(f"{key} can't be set on the command line", reason="wrong_option", hint="declare it in a file of conf/")


def _known(inputs: tuple[str, ...], outputs: tuple[str, ...], params: tuple[str, ...]) -> Mapping[str, type]:
    keys: dict[str, type] = {f"inputs.{n}.{k}": t for n in inputs for k, t in INPUT_KEYS.items()}
    keys |= {f"outputs.{n}.{k}": t for n in outputs for k, t in OUTPUT_KEYS.items()}
    keys |= {f"run.{k}": t for k, t in RUN_KEYS.items()} | {f"ledger.{k}": t for k, t in LEDGER_KEYS.items()}
    keys |= {f"roots.{k}": t for k, t in ROOT_KEYS.items()} | {f"submit.{k}": t for k, t in SUBMIT_KEYS.items()}
    return keys | {f"params.{p}": object for p in params}


def _nest(flat: Mapping[str, Any]) -> Mapping[str, Any]:
    """Dotted keys as the tables that TOML would have made of them; `options.*` and `spark.*` keep the rest of the key."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        head, *rest = key.split(".")
        if head == "spark":
            tree.setdefault("spark", {})[key] = value
            continue
        node = tree.setdefault(head, {}) if rest else tree
        while len(rest) > 1 and rest[0] not in FREE and isinstance(node, dict):
            node = node.setdefault(rest.pop(0), {})
        inner = node.setdefault(rest[0], {}) if len(rest) > 1 and isinstance(node, dict) else node
        if not isinstance(inner, dict):
            raise UsageError(f"{key} is given, and so is a value for what it is a part of", reason="wrong_conf", hint="give one of them")
        inner[".".join(rest[1:]) if len(rest) > 1 else rest[0] if rest else head] = value
    return tree


def _flat(layer: Mapping[str, Any], known: Mapping[str, type], origin: str, at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in layer.items():
        path = f"{at}.{key}" if at else key
        if path == "spark" and isinstance(value, Mapping):
            yield from _spark(value, origin)
        elif at.count(".") == 1 and key in FREE and at.split(".")[0] in ("inputs", "outputs"):
            yield from _options(_table(value, path, origin), path, origin)
        elif path in known:
            yield path, _typed(value, known[path], path, origin)
        elif isinstance(value, Mapping) and any(k.startswith(path + ".") for k in known):
            yield from _flat(value, known, origin, path)
        else:
            raise _unknown(path, value, known, origin)


def _options(table: Mapping[str, Any], at: str, origin: str) -> Iterator[tuple[str, str]]:
    """A format's options as texts; a list where an input's option holds several texts."""
    for key, value in table.items():
        several = at.startswith("inputs.") and key in LISTS and isinstance(value, list)
        if several and all(isinstance(one, str) and "," not in one for one in value):
            value = ",".join(value)
        yield f"{at}.{key}", _text(value, f"{at}.{key}", origin)


def _unknown(path: str, value: Any, known: Mapping[str, type], origin: str) -> UsageError:
    if path == "spark" or any(k.startswith(path + ".") for k in known):
        return UsageError(f"{origin}: {path} is {value!r}, expected a table", reason="wrong_conf")
    stems = {k.rsplit(".", n)[0] for k in known for n in (0, 1, 2)} | {"spark"}
    above, _, key = path.rpartition(".")
    beside = sorted(k.removeprefix(f"{above}.") for k in known if k.rpartition(".")[0] == above)
    close = nearest(key, beside) if beside else nearest(path, sorted(stems | set(known)))
    close = f"{above}.{close}" if beside and close else close
    more = f"; what the {above.partition('.')[0][:-1]}'s format itself takes stands in {above}.options" if above.count(".") == 1 else ""
    tables = sorted({k.partition(".")[0] for k in known} | {"spark"})
    keys = f"the keys of {above} are {', '.join(beside)}{more}" if beside else f"the tables are {', '.join(tables)}"
    return UsageError(f"{origin}: unknown key {path!r}", reason="unknown_key", hint=f"did you mean {close!r}?" if close else keys)


def spark_settings(layer: Mapping[str, Any]) -> dict[str, str]:
    """The `[spark]` table of one conf file, by Spark's own keys.

    >>> spark_settings({"spark": {"sql": {"shuffle": {"partitions": 8}}}})
    {'spark.sql.shuffle.partitions': '8'}
    """
    table = layer.get("spark", {})
    return dict(_spark(table, "")) if isinstance(table, Mapping) else {}


def _spark(table: Mapping[str, Any], origin: str, at: str = "spark") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        path = key if key.startswith("spark.") and at == "spark" else f"{at}.{key}"
        if isinstance(value, Mapping):
            yield from _spark(value, origin, path)
        else:
            yield path, _text(value, path, origin)


def _text(value: Any, path: str, origin: str) -> str:
    if isinstance(value, list | dict):
        raise UsageError(f"{origin and origin + ': '}{path} is {value!r}, expected a text", reason="wrong_conf",
                         hint="put a key with dots in quotes" if isinstance(value, dict) else None)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(value: Any, path: str, origin: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{origin}: {path} is {value!r}, expected a table of options", reason="wrong_conf")
    return value


def _typed(value: Any, kind: type, path: str, origin: str) -> Any:
    if kind is list and isinstance(value, str):
        value = [value]
    if kind is bool and value in ("true", "false"):
        value = value == "true"
    wrong = not isinstance(value, kind) or (isinstance(value, list) and not all(isinstance(v, str) for v in value))
    if wrong:
        expected = "a text or a list of texts" if kind is list else {"str": "a text", "bool": "true or false"}[kind.__name__]
        raise UsageError(f"{origin}: {path} is {value!r}, expected {expected}", reason="wrong_conf")
    words = WORDS.get((path.partition(".")[0], path.rpartition(".")[2]), ())
    if words and value not in words:
        close = nearest(value, words)
        raise UsageError(f"{origin}: {path} is {value!r}, expected one of {', '.join(words)}", reason="wrong_conf",
                         hint=f"did you mean {close!r}?" if close else None)
    return tuple(value) if kind is list else value


def _conf(settings: Mapping[str, Setting], inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Conf:
    def part(prefix: str) -> dict[str, Any]:
        return {k[len(prefix):]: s.value for k, s in settings.items() if k.startswith(prefix)}

    def one(kind: type, prefix: str) -> Any:
        found = part(prefix)
        options = {k[8:]: found.pop(k) for k in [*found] if k.startswith("options.")}
        return kind(**found, options=options)

    return Conf(
        inputs={n: one(InputConf, f"inputs.{n}.") for n in inputs},
        outputs={n: one(OutputConf, f"outputs.{n}.") for n in outputs},
        run=part("run."), params=part("params."), ledger=part("ledger."), submit=part("submit."), roots=part("roots."),
        spark={k: s.value for k, s in settings.items() if k.startswith("spark.")},
        origins={k: s.origin for k, s in settings.items()},
    )
