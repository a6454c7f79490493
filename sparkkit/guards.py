"""What a run refuses unless it is asked for by name: places outside the declared roots, writing what is read, an empty result
over rows, and an overwrite that takes partitions with it. Each is refused before anything is published."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from pyspark.sql.types import StructType

from sparkkit import formats, paths
from sparkkit.conf import Conf
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats import beside, delta_table, deltalog, tables
from sparkkit.formats.base import Format
from sparkkit.formats.jdbc_dialects import address, parts
from sparkkit.schema.types import quote
from sparkkit.sinks import Place, Staged
from sparkkit.sources import Source, listing
from sparkkit.staging import Files, Target

REPLACING = ("overwrite", "overwrite_partitions")
NAMED = ("table", "jdbc")
"""Formats whose paths are none of a filesystem."""

T = TypeVar("T")


def before(place: Place, conf: Conf, targets: Mapping[str, Target]) -> None:
    """Refuses what is wrong with the places of a run, before anything is read.

    Raises:
        UsageError: `outside_roots`, `path_as_table`, `overlapping_paths`, `not_writable`, `file_in_the_way`, `static_overwrite`.
    """
    files = [t for t in targets.values() if t.conf.format not in NAMED]
    _refuse_paths_as_tables(conf, targets)
    reads = {f"input {n!r}": [_spelt(place, p) for p in i.path] for n, i in conf.inputs.items() if i.format not in NAMED}
    writes = {f"output {t.name!r}": _spelt(place, t.path) for t in files}
    bases = {f"input {n!r}": [_spelt_url(p) for p in i.path] for n, i in conf.inputs.items() if i.format == "jdbc"}
    bases_to = {f"output {t.name!r}": _spelt_url(str(t.conf.path)) for t in targets.values() if t.conf.format == "jdbc"}
    folders = targets.values() if isinstance(place, Files) else files  # on Spark Connect a table's quarantine is a table
    kept = {f"the quarantine of {t.name!r}": _spelt(place, t.quarantine) for t in folders}
    roots = {kind: [_spelt(place, root) for root in given] for kind, given in conf.roots.items()}
    for what, given in {**reads, **bases}.items():
        _refuse_outside(what, given, roots, "read")
    if "read" in roots and isinstance(place, Files):
        _refuse_links(place, conf, roots)
    for what, path in {**writes, **kept, **bases_to}.items():
        _refuse_outside(what, [path], roots, "write")
    _refuse_meeting(files, reads, writes, kept)
    _refuse_same_table(place, conf, targets)
    if isinstance(place, Files):
        for what, path in writes.items():
            _refuse_unwritable(what, path)
        for what, path in {**writes, **kept}.items():
            _refuse_file(place, what, path)
    for target in targets.values():
        _refuse_static(place, target)


def again(place: Place, targets: Mapping[str, Target], names: Mapping[str, str]) -> None:
    """Refuses to add rows to those that an overwrite of the same slice has brought; `names` are what the slices are called.

    Raises:
        UsageError: `overwritten_before`.
    """
    for name, target in targets.items():
        if isinstance(place, Files) and target.conf.mode == "append" and place.there(target):
            run_id = place.journals.overwrote(target.journal, names[name])
            if run_id:
                slice_name = names[name].partition("@")[2]
                raise UsageError(f"output {name!r}: run {run_id} overwrote {target.path} by the rows of {slice_name}, and append would"
                                 " add them once more", reason="overwritten_before",
                                 hint="run it by overwrite_partitions or merge, or by overwrite, which takes all other rows away too")


def named(source: Source) -> Source:
    """The same source, whose names of columns Parquet's reader leaves as they are.

    Raises:
        UsageError: `wrong_column_name`.
    """
    if source.format in ("parquet", "delta"):
        _refuse_variables(f"input {source.name!r}", source.frame.schema)
    return source


def verdict(place: Place, staged: Mapping[str, Staged], slices: Mapping[str, str]) -> None:
    """Refuses results that would take good data away, before the first output is published; `slices` is what of each output a re-run
    replaces.

    Raises:
        ContractError: `empty_result`.
        UsageError: `static_overwrite`, `wrong_column_name`.
    """
    for name, one in staged.items():
        if one.kind == "parquet":
            _refuse_variables(f"output {name!r}", one.schema)
        if one.target.conf.mode == "overwrite":
            _refuse_empty(place, one, _has_rows)
            _refuse_lost(place, one)
        elif one.target.conf.mode in beside.ADDING:
            _refuse_empty(place, one, partial(held, name=slices[name]))


def _spelt(place: Place, path: str) -> str:
    if path.startswith("jdbc:"):
        return _spelt_url(path)
    return paths.canonical(place.hadoop.qualified(path)) if isinstance(place, Files) else paths.canonical(path, local=False)


def _spelt_url(url: str) -> str:
    """A database as a path that a root may be: a file, or the server and its database."""
    found = address(url)
    return paths.canonical(found.file) if found.file else url.partition("?")[0]


def _refuse_paths_as_tables(conf: Conf, targets: Mapping[str, Target]) -> None:
    """Spark takes ``parquet.`/x` `` for a table's name, and reads any file by it."""
    named = [(f"input {n!r}", path) for n, i in conf.inputs.items() if i.format == "table" for path in i.path]
    named += [(f"output {t.name!r}", t.path) for t in targets.values() if t.conf.format == "table"]
    for what, name in named:
        if any(sign in name for sign in "/\\:;") or name.count("`") % 2:
            raise UsageError(f"{what}: {name!r} is no table's name", reason="path_as_table", hint="for files, give path and format")


def _refuse_outside(what: str, given: list[str], roots: Mapping[str, list[str]], kind: str) -> None:
    if kind not in roots:
        return
    wrong = next((path for path in given if not any(paths.inside(path, root) for root in roots[kind])), None)
    if wrong:
        raise UsageError(f"{what}: {wrong} is outside the declared roots", reason="outside_roots",
                         hint=f"roots.{kind} in conf names {', '.join(roots[kind]) or 'none'}")


def _refuse_links(place: Files, conf: Conf, roots: Mapping[str, list[str]]) -> None:
    """A link among the files may lead out of the roots that its folder is in."""
    for name, one in conf.inputs.items():
        if one.path and one.format not in NAMED:
            files, _ = listing(place.hadoop, name, one.path)
            _refuse_outside(f"input {name!r}", [paths.canonical(unquote(f.path)) for f in files], roots, "read")


def _refuse_variables(what: str, schema: StructType) -> None:
    """Spark hands names to Parquet through Hadoop's configuration, which puts in variables: written is another name."""
    wrong = next((found[0] for found in re.finditer(r"\$\{[^}]*\}?", schema.simpleString())), None)
    if wrong:
        raise UsageError(f"{what}: the name of a column holds {wrong}, which Parquet's reader takes for a variable",
                         reason="wrong_column_name", hint="rename it, or use another format")


def _refuse_meeting(
    files: list[Target], reads: Mapping[str, list[str]], writes: Mapping[str, str], kept: Mapping[str, str],
) -> None:
    for what, path in writes.items():
        for other, name in _meeting(path, writes, kept, without=what):
            raise UsageError(f"{what} and {name} overlap: {path} and {other}", reason="overlapping_paths", hint="give each its own folder")
    for (what, path), target in zip(writes.items(), files, strict=True):
        careless = target.conf.mode in (*REPLACING, "error") or not target.table
        for other, name in _flat(reads) if careless and not target.conf.allow_overlap else ():
            if paths.meet(path, other):
                raise UsageError(
                    f"{what} at {path} overlaps {name}, which is read from {other}", reason="overlapping_paths",
                    hint=f"choose another path, or set outputs.{target.name}.allow_overlap=true",
                )
    for what, path in kept.items():
        for other, name in _flat(reads):
            if paths.meet(path, other):
                raise UsageError(f"{what} at {path} overlaps {name}, which is read from {other}", reason="overlapping_paths",
                                 hint="choose another path for one of them")


def _refuse_same_table(place: Place, conf: Conf, targets: Mapping[str, Target]) -> None:
    """A table of the catalog has no path, and several names; one of a database has an address."""
    urls = {(i.path[0].partition("?")[0], _last(i.options.get("table", ""))): n for n, i in conf.inputs.items() if i.format == "jdbc"}
    for target in targets.values():
        at = str(target.conf.path).partition("?")[0], _last(target.conf.options.get("table", ""))
        if target.conf.format == "jdbc" and target.conf.mode in REPLACING and not target.conf.allow_overlap and at in urls:
            raise UsageError(f"output {target.name!r} is the table {target.path}, which input {urls[at]!r} reads",
                             reason="overlapping_paths",
                             hint=f"choose another table, or set outputs.{target.name}.allow_overlap=true")
    read = {tables.resolved(place.spark, path): n for n, i in conf.inputs.items() if i.format == "table" for path in i.path}
    for target in targets.values() if read else ():
        if target.conf.format != "table" or target.conf.mode not in REPLACING or target.conf.allow_overlap:
            continue
        name = read.get(tables.resolved(place.spark, target.path))
        if name:
            raise UsageError(f"output {target.name!r} is the table {target.path}, which input {name!r} reads", reason="overlapping_paths",
                             hint=f"choose another table, or set outputs.{target.name}.allow_overlap=true")


def _last(table: str) -> str:
    return parts(table)[-1] if table else ""


def _refuse_unwritable(what: str, path: str) -> None:
    """A local target where nothing can be made: Hadoop would say at the first task that a folder could not be made, and not why."""
    if path.startswith("file://"):
        folder = Path(path.removeprefix("file://")).parent
        there = next(p for p in (folder, *folder.parents) if p.exists())
        if not os.access(there, os.W_OK):
            raise UsageError(f"{what} at {path}: {there} can't be written to", reason="not_writable",
                             hint="give the user the right to it, or choose another path")


def _meeting(path: str, writes: Mapping[str, str], kept: Mapping[str, str], without: str) -> Iterator[tuple[str, str]]:
    for name, other in {**writes, **kept}.items():
        if name != without and paths.meet(path, other):
            yield other, name


def _flat(reads: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    return ((path, name) for name, given in reads.items() for path in given)


def _refuse_file(place: Files, what: str, path: str) -> None:
    """An output is a folder that is put in a folder's place: a file there would be gone, with its rows."""
    if place.hadoop.exists(path) and not place.hadoop.is_folder(path):
        raise UsageError(f"{what}: {path} is a file, and what is written is a folder of files", reason="file_in_the_way",
                         hint="give another path, or move the file away")


def _refuse_static(place: Place, target: Target) -> None:
    """An overwrite over a target that has other partitions than the output declares replaces what nobody thought of."""
    if target.conf.mode != "overwrite" or target.conf.allow_static_overwrite:
        return
    there = _partitions(place, target)
    if there and there != list(target.conf.partition_by):
        said = ", ".join(target.conf.partition_by) or "no partitions"
        raise UsageError(
            f"output {target.name!r}: {target.path} is partitioned by {', '.join(there)}, and the output declares {said}",
            reason="static_overwrite", hint=_hint(target, f"set outputs.{target.name}.partition_by"),
        )


def _hint(target: Target, first: str) -> str:
    return f"{first}, use --mode overwrite_partitions, or set outputs.{target.name}.allow_static_overwrite=true"


def _partitions(place: Place, target: Target) -> list[str]:
    """The partition columns of what is at a target; none where nothing is."""
    if target.conf.format == "table":
        catalog = place.spark.catalog
        return [c.name for c in catalog.listColumns(target.path) if c.isPartition] if catalog.tableExists(target.path) else []
    if target.conf.format == "jdbc":
        return []
    if target.conf.format == "delta":
        if not delta_table.has_delta(place.spark) or not delta_table.is_delta(place.spark, target.path):
            return []
        row = place.spark.sql(f"DESCRIBE DETAIL delta.{quote(target.path)}").select("partitionColumns").first()
        return list(row[0]) if row else []
    assert isinstance(place, Files)
    return [unquote(level.partition("=")[0]) for level in _levels(place, target.path)]


def _levels(place: Files, path: str) -> Iterator[str]:
    """The `k=v` folders on the way to the first file below a path."""
    while found := place.hadoop.glob(f"{path}/*=*"):
        first = next((status.getPath() for status in found if status.isDirectory() and status.getPath().getName()[0] != "."), None)
        if first is None:
            return
        yield str(first.getName())
        path = f"{path}/{first.getName()}"


def _refuse_empty(place: Place, staged: Staged, has_rows: Callable[[Place, Target], bool]) -> None:
    target = staged.target
    if staged.count.good == 0 and not target.conf.allow_empty and has_rows(place, target):
        raise ContractError(
            f"output {target.name!r}: the result is empty, and {target.path} has rows, which it would replace", reason="empty_result",
            hint="look at the inputs, or give --allow-empty",
        )


def held(place: Place, target: Target, name: str) -> bool:
    """Whether what the last generation of a slice wrote has rows that are still there, and that the next would replace."""
    if not isinstance(place, Files) or target.conf.format in NAMED:
        return False
    if target.conf.format == "delta":
        return delta_table.is_delta(place.spark, target.path) and deltalog.wrote(place.spark, target.path, name)
    form, there = formats.known(target.conf.format), (f"{target.path}/{file}" for file in place.journals.files(target.journal, name))
    return any(_else(partial(_rows, place, file, target, form), True) for file in there if place.hadoop.exists(file))


def _has_rows(place: Place, target: Target) -> bool:
    """What can't be read as the output's format may be somebody's rows, too."""
    spark, form = place.spark, formats.known(target.conf.format)
    if target.conf.format == "table":
        return spark.catalog.tableExists(target.path) and spark.table(target.path).limit(1).count() > 0
    if target.conf.format == "jdbc":
        from sparkkit.formats.jdbc_tables import has_rows

        return has_rows(spark, target.conf)
    if target.conf.format == "delta":
        return delta_table.is_delta(spark, target.path) and spark.read.format("delta").load(target.path).limit(1).count() > 0
    assert isinstance(place, Files)
    return place.any(target.path) and _else(lambda: _rows(place, target.path, target, form), True)


def _rows(place: Files, path: str, target: Target, form: Format) -> bool:
    assert form.count is not None
    return form.count(place.spark, path, target.conf.options) > 0


def _else(call: Callable[[], T], otherwise: T) -> T:
    try:
        return call()
    except Exception:
        return otherwise


def _refuse_lost(place: Place, staged: Staged) -> None:
    """An overwrite of files whose result lacks partitions that are there: the backfill of one day that was to add, and replaced."""
    target = staged.target
    if target.table or not target.conf.partition_by or target.conf.allow_static_overwrite or not staged.count.good:
        return
    assert isinstance(place, Files)
    if not place.hadoop.exists(target.path):
        return
    there, here = ({leaf.rpartition("/")[0] for leaf in place.leaves(at)} for at in (target.path, staged.data))
    lost = sorted(there - here - {""})  # an empty result's file is in no partition
    if lost:
        shown = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        raise UsageError(
            f"output {target.name!r}: the result lacks {len(lost)} of the partitions at {target.path}, which it would replace: {shown}",
            reason="static_overwrite", hint=_hint(target, "see whether the input is whole"),
        )
