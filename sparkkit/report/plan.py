"""The plan of a run in plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sparkkit import redaction
from sparkkit.report.text import number, size


def page(told: Mapping[str, Any]) -> str:
    """What `sparkkit plan` found, for people."""
    lines = [f"{told['job']}{' for ' + told['date'] if told['date'] else ''}: nothing was written"]
    if told["already_done"]:
        lines.append(f"run {told['already_done']} has done this: a run would do nothing (already_done), unless --again is given")
    for name, one in told["inputs"].items():
        lines.append(f"read {name}: {', '.join(one['paths'])} ({one['format']}): {number(one['files'])} files, {size(one['bytes'])}, "
                     f"{number(one['rows'])} rows")
        lines += [f"  would be rejected: {n:,} {reason}" for reason, n in one.get("rejected", {}).items()]
        lines += [f"  note: {finding}" for finding in one["findings"][:5]]
    for name, one in told["outputs"].items():
        lines += _output(name, one)
    lines.append("in this order, after one decision:")
    for i, step in enumerate(told["order"], 1):
        lines.append(f"  {i}. {step['output']}: {step['readers']}")
        lines += [f"     {step['between']}"] if "between" in step else []
    cost = told["cost"]
    if cost["runs"]:
        lines.append(f"the last {cost['runs']} runs took {cost['seconds']:.1f} s, read {size(_whole(cost['read_bytes']))} and wrote "
                     f"{size(_whole(cost['written_bytes']))} (medians)")
    else:
        lines.append("no run of it is in the ledger, so nothing is known of its cost")
    return redaction.printable("\n".join(lines))


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _why(mode: str) -> str:
    """Why nobody knows what would change."""
    if mode in ("cdc", "scd2"):
        return f"{mode} fits changes into the history of their keys"
    return "a key stands more than once" if mode == "merge" else "the format has no types, or the rows of a run can't be told from others"


def _output(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    yield f"write {name}: {one['path']} ({one['format']}, {one['mode']}), generation {one['generation']} of {one['slice']}"
    before = one["replaces"]
    yield f"  replaces generation {before['generation']} of run {before['run']}" if before else "  replaces nothing of an earlier run"
    yield from (f"  note: {note}" for note in one["notes"])
    if "rows" not in one:
        return
    if one["refused"]:
        yield f"  would be refused: {one['refused']}"
    yield f"  {one['rows']:,} rows, {one['rejected']:,} rejected"
    if one["partitions"]:
        count, first = one["partitions"]["count"], one["partitions"]["first"]
        yield f"  {count:,} partitions: {', '.join(first)}{' …' if count > len(first) else ''}"
    yield from (f"  column {change}" for change in one["columns"])
    found = one["changes"]
    if found is None:
        yield f"  what would change in the rows is not known: {_why(one['mode'])}"
        return
    changed = f", {found['changed']:,} changed" if found["by"] else ""
    yield f"  by {', '.join(found['by']) if found['by'] else 'whole rows'}: {found['added']:,} added{changed}, {found['removed']:,} removed"
    yield from (f"    {json.dumps(sample, ensure_ascii=False, default=str)}" for sample in found["samples"])
