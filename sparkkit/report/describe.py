"""What a job reads, writes and takes, and each setting in force with the place it came from. No JVM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sparkkit.conf import LEDGER_KEYS, RUN_KEYS, Conf, InputConf, OutputConf
from sparkkit.errors import SparkkitError
from sparkkit.job import Job
from sparkkit.options import Option
from sparkkit.schema.contract import Contract

Reader = Callable[[str], Contract]
"""Gives a contract by its name; `Project.contract` is one."""


def job(found: Job, conf: Conf, read: Reader) -> str:
    """The job's page: inputs and outputs with their contracts, options with their help, settings with their origins.

    Args:
        found: the job.
        conf: its settings, as `sparkkit.conf.load` gives them.
        read: gives a contract by its name; a contract that can't be read is shown with the reason, not raised.

    >>> def build(people, *, since: int = 2010): ...
    >>> conf = Conf({"people": InputConf()}, {"output": OutputConf()}, {}, {}, {}, {})
    >>> "--since INT" in job(Job(build, name="report"), conf, Contract)
    True
    """
    named = {n: i.contract for n, i in conf.inputs.items()} | {n: o.contract for n, o in conf.outputs.items()}
    contracts = {name: _contract(contract or found.contracts.get(name), read) for name, contract in named.items()}
    parts = [
        (f"{found.name}: {found.summary}".rstrip(": "), [f"  {found.file}"]),
        ("inputs", [_edge(n, i.path, i.format or "told by the files' names") for n, i in conf.inputs.items()]),
        ("outputs", [_edge(n, (o.path or "",), f"{o.format}, mode {o.mode}") for n, o in conf.outputs.items()]),
        ("contracts", [f"  {name}: {text}" for name, text in contracts.items() if text]),
        ("alarm", [f"  exit code 4, after publishing, where a row of {found.outputs[0]} has {found.alarm}"] if found.alarm else []),
        ("options", list(_aligned([_option(o) for o in (*found.options, *found.edge_options)]))),
        ("settings in force", list(_aligned([(f"{k} = {_said(v)}", where) for k, v, where in settings(found, conf)]))),
    ]
    return "\n\n".join("\n".join([head, *lines]) for head, lines in parts if lines)


def settings(found: Job, conf: Conf) -> Iterator[tuple[str, Any, str]]:
    """Each setting of a job: its key, its value, and where it came from (`default` where nobody set it)."""
    tables: list[tuple[str, Mapping[str, Any]]] = [(f"inputs.{n}.", _known(edge)) for n, edge in conf.inputs.items()]
    tables += [(f"outputs.{n}.", _known(edge)) for n, edge in conf.outputs.items()]
    tables.append(("params.", {o.parameter: o.default for o in found.options if not (o.required or o.secret)} | dict(conf.params)))
    tables.append(("run.", dict.fromkeys(RUN_KEYS) | dict(conf.run)))
    tables.append(("ledger.", dict.fromkeys(LEDGER_KEYS) | dict(conf.ledger)))
    tables += [("roots.", conf.roots), ("", conf.spark)]
    for prefix, table in tables:
        for key, value in table.items():
            where = conf.origins.get(prefix + key, "default")
            if where != "default" or value not in (None, (), "", [], {}):
                yield prefix + key, value, where


def _known(edge: InputConf | OutputConf) -> Mapping[str, Any]:
    plain = {f.name: getattr(edge, f.name) for f in fields(edge) if f.name != "options"}
    return plain | {f"options.{k}": v for k, v in edge.options.items()}


def _edge(name: str, paths: Sequence[str], form: str) -> str:
    return f"  {name}: {', '.join(p for p in paths if p) or 'no path yet'} ({form})"


def _contract(name: str | None, read: Reader) -> str | None:
    if not name:
        return None
    try:
        found = read(name)
    except SparkkitError as error:
        return f"{name} (can't be read: {error})"
    columns = ", ".join(f"{c.name} {c.type}" for c in found.columns)
    return f"{name} {found.version}, {len(found.columns)} columns: {columns}"


def _option(option: Option) -> tuple[str, str]:
    flag = option.flag if option.kind != "bool" else f"{option.flag}/--no-{option.flag[2:]}"
    kind = "" if option.kind == "bool" else "|".join(option.choices) or option.kind.upper()
    default = "" if option.secret or option.default in (None, (), []) else f" (default {option.default})"
    return f"{flag} {kind}".rstrip(), option.help + (" (required)" if option.required else default)


def _aligned(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max((len(left) for left, _ in rows), default=0)
    yield from (f"  {left.ljust(width)}  {right}".rstrip() for left, right in rows)


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
