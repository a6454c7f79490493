"""Reading inputs: lists the files, tells hidden, empty and missing ones apart, and lands the rows by the input's
format."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import compat, formats
from sparkkit.conf import InputConf
from sparkkit.errors import ContractError, InfrastructureError, NotReadyError, SparkkitError, UsageError
from sparkkit.formats.base import Finding, Land, Scan
from sparkkit.formats.columnar import stored_rows
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, LANDING, RAW
from sparkkit.schema.reader import checked, clash
from sparkkit.storage import stores
from sparkkit.storage.hadoop import File, Hadoop, is_hidden
from sparkkit.storage.local import LocalStore, real_path
from sparkkit.storage.log import LOOKS, Log
from sparkkit.storage.resolve import View, resolve

MARKERS = ("_SUCCESS", ".crc", "_committed", "_started", ".DS_Store", "_metadata", "_common_metadata")
"""Hidden files that writers leave behind: of no interest to a person."""


@dataclass(frozen=True)
class Source:
    """One input as it was found: its files, its landed rows, and what a person should know about it.

    `slice` says what part of it is read, where that is not what its files or version say.
    """

    name: str
    conf: InputConf
    contract: Contract | None
    format: str
    files: tuple[File, ...]
    land: Land
    findings: tuple[Finding, ...] = ()
    slice: str | None = None

    @property
    def frame(self) -> DataFrame:
        """The landed rows."""
        return self.land.frame

    @property
    def fingerprint(self) -> str | None:
        """What tells this state of the input from every other: its files with sizes and times, or a table's version; None for a table
        that has none."""
        if self.slice is not None:
            return self.slice
        if not self.files:
            return self.land.version
        said = "\n".join(f"{f.path} {f.size} {f.modified}" for f in self.files)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def bytes(self) -> int | None:
        """The bytes of all files; None for a table."""
        return sum(f.size for f in self.files) if self.files else None


PAUSE = 0.5
"""Seconds until a folder is looked at again in which files are being moved."""

Choice = Callable[[tuple[File, ...]], tuple[File, ...]]
"""Which of the files that were found are to be read."""


def read(spark: SparkSession, name: str, conf: InputConf, contract: Contract | None, choose: Choice | None = None) -> Source:
    """Lands one input, lazily; of its files those that are chosen.

    Raises:
        NotReadyError: if a path is not there, or holds no file.
        UsageError: if no path is given, or the format is not supported.
        ContractError: if a file can't be read and the contract does not let it go to the quarantine.
    """
    if not conf.path:
        raise UsageError(f"input {name!r} has no path", reason="no_path", hint=f"give --input {name}=PATH or set inputs.{name}.path")
    if conf.format in ("delta", "table", "jdbc"):
        return _table(spark, name, conf, contract)
    if compat.is_connect(spark):
        return _table(spark, name, _delta_at(spark, name, conf), contract)
    hadoop = Hadoop.of(spark)
    listed, root = listing(hadoop, name, conf.path)
    visible = tuple(f for f in listed if not f.hidden)
    kind = conf.format or ("delta" if _is_delta(listed) else format_of(name, conf.path, visible))
    if kind == "delta":
        return _table(spark, name, replace(conf, format="delta", path=(hadoop.qualified(conf.path[0]), *conf.path[1:])), contract)
    visible = choose(visible) if choose else visible
    findings = tuple(_hidden(listed)) + tuple(Finding(f.path, "empty_file", "0 bytes") for f in visible if f.size == 0)
    contract, options = optioned(name, kind, contract, conf.options)
    scan = Scan(spark, visible, root, contract, options, conf.filter, hadoop)
    land = _landed(kind, scan, name)
    told = {f.file for f in land.findings if f.reason == "empty_file"} | {f.file for f in land.unreadable}
    findings = tuple(f for f in findings if f.reason != "empty_file" or f.file not in told)
    return Source(name, conf, contract, kind, visible, land, findings + land.findings)


def optioned(
    name: str, kind: str, contract: Contract | None, options: Mapping[str, str],
) -> tuple[Contract | None, Mapping[str, str]]:
    """An input's contract with its options over those of the contract's reader, and all of them. Formats that hand their options to
    Spark leave the contract as it is.

    Raises:
        UsageError: an option that the format does not know, or a value that it can't have (reason `bad_option`).
    """
    known = formats.known(kind).read_options
    given = checked(options, known, f"input {name!r}", typed=contract is not None) if known else dict(options)
    if contract is None or not given:
        return contract, given or (contract.reader if contract else {})
    laid = replace(contract, reader={**contract.reader, **given})
    if not known:
        return contract, laid.reader
    clash(laid, f"input {name!r}")
    return laid, laid.reader


def nothing(source: Source) -> Source:
    """The same input without a row."""
    land = source.land
    none = replace(land, frame=land.frame.where(F.lit(False)), rows=lambda: 0, promised=lambda: 0, headers=0, findings=(), unreadable=(),
                   single_header=None, wrong_files=None)
    return replace(source, files=(), land=none, findings=(), slice="nothing")


def narrowed(source: Source, predicate: str) -> Source:
    """The same input with those of its rows that are so."""
    frame = source.frame.where(predicate)
    return replace(source, land=replace(source.land, frame=frame, rows=lambda: stored_rows(frame), promised=None))


def _landed(kind: str, scan: Scan, name: str) -> Land:
    form = formats.known(kind)
    if form.land is None:
        raise UsageError(f"input {name!r}: format {kind!r} can't be read", reason="unknown_format")
    land = form.land(scan)
    policy = scan.contract.on("unreadable_file") if scan.contract else "stop"
    if policy == "stop":
        if land.unreadable:
            raise unreadable(name, land.unreadable, len(scan.files))
        return land
    broken = land.unreadable
    wrong = land.wrong_files() if land.wrong_files else ()
    if wrong:  # all of it was read to know: only where the contract says to go on without such files
        named = {f.file for f in (*wrong, *broken)}
        land, broken = (
            form.land(replace(scan, files=tuple(f for f in scan.files if f.path not in named))),
            (*broken, *wrong),
        )
    return _without(land, broken, policy)


def _without(land: Land, broken: tuple[Finding, ...], policy: str) -> Land:
    """A landed input without its unreadable files; where they go to the quarantine, each is one row there."""
    if not broken or policy == "allow":
        return replace(land, unreadable=broken)
    spark, promised, rows = land.frame.sparkSession, land.promised, land.rows
    told = spark.createDataFrame(
        [(f.file, None, (f.reason, f.detail)) for f in broken], f"`{FILE}` string, `{RAW}` string, `{BAD}` {BAD_TYPE}"
    )
    nulls = [F.lit(None).cast(f.dataType).alias(f.name) for f in land.frame.schema.fields if f.name not in LANDING]
    frame = land.frame.unionAll(told.select(*LANDING, *nulls))
    return replace(
        land,
        frame=frame,
        unreadable=broken,
        rows=lambda: rows() + len(broken),
        promised=None if promised is None else lambda: promised() + len(broken),
    )


def broken(source: Source) -> SparkkitError | None:
    """Which files of an input can't be read to their end, all of them named; None where all can. Reads every row.

    For use after a read has failed, to say more than Spark does, which names the first.
    """
    wrong = source.land.wrong_files() if source.land.wrong_files else ()
    return unreadable(source.name, tuple(wrong), len(source.files)) if wrong else None


def unreadable(name: str, found: tuple[Finding, ...], files: int) -> SparkkitError:
    """The error that names every unreadable file of an input, not only the first."""
    shown = "; ".join(f"{f.file} ({f.detail})" for f in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ContractError(
        f"input {name!r}: {len(found)} of {files} files can't be read: {shown}{more}",
        reason="unreadable_file",
        hint="mend or remove them, or set sparkkit.on.unreadable_file: quarantine in the contract to do without them",
    )


def _table(spark: SparkSession, name: str, conf: InputConf, contract: Contract | None) -> Source:
    if len(conf.path) != 1:
        raise UsageError(f"input {name!r}: a table is one path or name, {len(conf.path)} were given", reason="wrong_use")
    kind = str(conf.format)
    scan = Scan(
        spark,
        (),
        conf.path[0],
        contract,
        conf.options,
        conf.filter,
        None if compat.is_connect(spark) or kind == "jdbc" else Hadoop.of(spark),
        table=conf.path[0],
    )
    return Source(name, conf, contract, kind, (), _landed(kind, scan, name))


def _delta_at(spark: SparkSession, name: str, conf: InputConf) -> InputConf:
    """On Spark Connect, where no files can be listed, an input whose format is not said may yet be a Delta table."""
    from sparkkit.formats import delta_table

    if conf.format is None and len(conf.path) == 1 and delta_table.has_delta(spark) and delta_table.is_delta(spark, conf.path[0]):
        return replace(conf, format="delta")
    raise UsageError(
        f"input {name!r}: plain files ({', '.join(conf.path)}) are not read over Spark Connect",
        reason="connect_no_files",
        hint=f"load them as Delta or a table and set inputs.{name}.format=delta (or table), or run on a classic session",
    )


def listing(hadoop: Hadoop, name: str, paths: tuple[str, ...]) -> tuple[tuple[File, ...], str]:
    """The files at paths, folders and globs, sorted, and the folder they have in common. Where a run publishes to a folder while it is
    listed, it is listed again, so that all are of one version.

    Raises:
        NotReadyError: if nothing is at a path, or there is no file that Spark would read.
        InfrastructureError: it changed each time, or a run that publishes there is not at its end (`busy`).
    """
    found: dict[str, File] = {}
    for path in paths:
        for _ in range(LOOKS):
            before = _version(hadoop, path)
            moving = before is not None and before.extra is not None  # file by file: some are in place, and others not yet
            now = {} if moving else _at(hadoop, name, path)
            if not moving and _version(hadoop, path) == before:
                break
            time.sleep(PAUSE if moving else 0)
        else:
            what = f"run {before.version} publishes there, or died while it did" if before and before.extra else f"it changed {LOOKS} times"
            raise InfrastructureError(f"input {name!r}: {path} has no version that is whole: {what}", reason="busy",
                                      hint="run again when it has ended; what a run that died has left is put in place by the next one")
        found |= now
    files = tuple(found[p] for p in sorted(found))
    if not any(not f.hidden for f in files):
        hidden = [f.path for f in _interesting(files)]
        what = f"only hidden files ({', '.join(hidden[:3])})" if hidden else "no files"
        raise NotReadyError(
            f"input {name!r}: {what} at {', '.join(paths)}",
            reason="no_files",
            hint="names that begin with _ or . are hidden: rename them" if hidden else None,
        )
    return files, _root(hadoop, paths)


def _at(hadoop: Hadoop, name: str, path: str) -> dict[str, File]:
    statuses = hadoop.glob(path)
    if not statuses:
        whole = hadoop.qualified(path)
        here = ":/" in path or whole.startswith("file:")
        there = "" if here else f"it was looked for at {whole}, as HADOOP_CONF_DIR says (file:///… is this machine); "
        raise NotReadyError(f"input {name!r}: nothing is at {path}", reason="input_missing",
                            hint=f"{there}check the path, or wait until it is delivered")
    root = _root_of(hadoop, path) if any(c in path for c in "*?[{") else None
    found: dict[str, File] = {}
    for status in statuses:
        found |= {f.path: f for f in hadoop.walk(status, root is not None and _is_hidden_below(root, status.getPath().toString()))}
    return found


def _version(hadoop: Hadoop, path: str) -> View | None:
    """What a folder's journal says of it; None where there is none."""
    at = re.sub("^file:/+", "/", hadoop.qualified(path).rstrip("/"))
    if at.startswith("/"):
        return resolve(LocalStore(), real_path(at)) if os.path.isdir(Log(LocalStore(), real_path(at)).folder) else None
    if any(sign in path for sign in "*?[{") or not stores.known(hadoop, at):
        return None
    if not hadoop.exists(Log(LocalStore(), at).folder):  # asked of what is at hand: a store of its own costs more
        return None
    return resolve(stores.store(hadoop, at), at)


def _is_hidden_below(root: str, path: str) -> bool:
    """Whether a pattern matched something hidden, such as the journal of another run's output: a name that is written out is meant."""
    return any(is_hidden(part) for part in path.removeprefix(root).split("/") if part)


def _root(hadoop: Hadoop, paths: tuple[str, ...]) -> str:
    """The folder below which `k=v` folders are partition columns: that of the path before its first glob sign."""
    roots = {_root_of(hadoop, path) for path in paths}
    if len(roots) == 1:
        return roots.pop()
    parts = [root.split("/") for root in sorted(roots)]
    levels = list(zip(*parts, strict=False))
    length = next((i for i, words in enumerate(levels) if len(set(words)) > 1), len(levels))
    return "/".join(parts[0][:length])


def _root_of(hadoop: Hadoop, path: str) -> str:
    if any(c in path for c in "*?[{") and not hadoop.exists(path):
        while any(c in path for c in "*?[{"):
            path = path.rsplit("/", 1)[0] if "/" in path else "."
        return hadoop.qualified(path or "/")
    statuses = hadoop.glob(path)
    folder = bool(statuses) and statuses[0].isDirectory()
    return hadoop.qualified(path if folder else (path.rsplit("/", 1)[0] or "/" if "/" in path else "."))


def _is_delta(files: tuple[File, ...]) -> bool:
    return any("/_delta_log/" in f.path for f in files)


def _interesting(files: tuple[File, ...]) -> list[File]:
    return [f for f in files if f.hidden and not f.path.endswith(MARKERS) and "/_delta_log/" not in f.path]


def _hidden(files: tuple[File, ...]) -> list[Finding]:
    return [Finding(f.path, "hidden_file", "its name begins with _ or ., so it was not read") for f in _interesting(files)]


def format_of(name: str, paths: tuple[str, ...], files: tuple[File, ...]) -> str:
    """The format that the files' names tell; Delta where a path holds a `_delta_log`.

    Raises:
        UsageError: if they tell several formats, or none.
    """
    told: Mapping[str, str] = {}
    for file in files:
        kind = formats.of_path(file.path)
        if kind:
            told = {**told, kind: file.path} if kind not in told else told
    if len(told) > 1:
        raise UsageError(
            f"input {name!r}: files of several formats: {', '.join(f'{k} ({p})' for k, p in told.items())}",
            reason="mixed_formats",
            hint=f"name one by --set inputs.{name}.format=…, and a path that holds only it",
        )
    if not told:
        raise UsageError(
            f"input {name!r}: the names at {', '.join(paths)} tell no format",
            reason="unknown_format",
            hint=f"--set inputs.{name}.format=csv (or {', '.join(formats.WHERE)})",
        )
    return next(iter(told))
