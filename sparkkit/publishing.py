"""The journals of a run's outputs: one lock before anything is read, one decision for all that was staged.

Paths are qualified here (`file:/d/t`, `hdfs://…`), as Spark takes them; a journal's own are those of its store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkkit import formats, redaction
from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, UsageError
from sparkkit.formats.base import Commit, Committed
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.journal import Run, running
from sparkkit.storage.journal import Staged as Placed
from sparkkit.storage.local import LocalStore, real_path
from sparkkit.storage.lock import Patience
from sparkkit.storage.log import Log, Part, decode
from sparkkit.storage.records import CALLED, WHOLE, Record, last_of
from sparkkit.storage.seam import Store
from sparkkit.storage.stores import known, store

FORMAT = 1
"""The version of what is left for a table's commit: raised when a field changes its meaning or goes."""

TODO = "_commit.json"
"""The file beside a table's staged rows, hidden from readers, that says how to commit them, for whoever has to finish it."""


@dataclass(frozen=True)
class Identity:
    """What a run is: `logical_id` tells a retry, `slices` what a re-run replaces, by output; `shelf` the same for the quarantine.

    `names` are what the slices are called where a mode adds them to others.
    """

    logical_id: str
    slices: Mapping[str, str]
    shelf: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TableCommit:
    """All that a table's commit needs: `data` are the rows' Parquet files, below the staged folder."""

    path: str
    conf: OutputConf
    data: str
    schema: StructType
    rows: int
    run_id: str

    def encode(self) -> bytes:
        """One line of JSON."""
        said = {"format": FORMAT, "path": self.path, "conf": _told(self.conf), "data": self.data, "schema": self.schema.json()}
        return json.dumps({**said, "rows": self.rows, "run_id": self.run_id}, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes, path: str) -> TableCommit:
        """What was encoded.

        Raises:
            UsageError: a later version of sparkkit wrote it.
            InfrastructureError: it is damaged.
        """
        found = decode(data, path)
        conf: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found["conf"].items()}
        schema = StructType.fromJson(json.loads(found["schema"]))
        return cls(found["path"], OutputConf(**conf), found["data"], schema, found["rows"], found["run_id"])


@dataclass(frozen=True)
class Piece:
    """What is to be published at one path: a staged folder, the mode of the journal, the slice; for a table its commit.

    `name` is what the slice is called where it is one of several.
    """

    path: str
    folder: str
    mode: str
    slice: str
    commit: TableCommit | None = None
    name: str = ""


@dataclass
class Journals:
    """The journals of a run's outputs, by path; `committed` is what tables' commits did, by their path or name; `settings` are
    the options of tables by their path, whose secrets are left nowhere.

    Where a store has neither a rename nor a put on condition there are none, and no lock: `bare` are the paths there, to which tables
    commit by themselves.
    """

    spark: SparkSession
    run_id: str
    hadoop: Hadoop
    patience: Patience = field(default_factory=lambda: Patience())
    runs: dict[str, tuple[Run, str]] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    committed: dict[str, Committed] = field(default_factory=dict)
    settings: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @contextmanager
    def lock(self, paths: Sequence[str]) -> Iterator[None]:
        """Takes the lock on these paths, and settles what earlier runs had decided there; gives it back at the end.

        Raises:
            LockedError: another run is at work on one of them.
            UsageError: two are the same, or one can't be replaced.
        """
        groups: dict[str, dict[str, str]] = {}
        for path in paths:
            groups.setdefault(_system(path), {})[path] = self.key(path)
        keys = [key for group in groups.values() for key in group.values()]
        for key in keys:
            if keys.count(key) > 1:
                raise UsageError(f"two outputs, or an output and a quarantine, have the same path {key}", reason="same_path",
                                 hint="give each its own")
        with ExitStack() as stack:
            for system, group in groups.items():
                if not self.journaled(system):
                    self.bare |= set(group)
                    stack.callback(self._clear, group)
                    continue
                slices = dict.fromkeys(group.values(), "")
                commit = partial(self._commit, system)
                run = stack.enter_context(running(self._store(system), self.run_id, slices, self.patience, commit))
                self.runs |= {path: (run, key) for path, key in group.items()}
                for path, key in group.items():
                    self._as_private(path, _uri(system, Log(run.store, key).folder))
            yield

    def _as_private(self, path: str, folder: str) -> None:
        """What is to be in a path's place, or was there, is as private as it is."""
        if self.hadoop.exists(path) and self.hadoop.is_folder(path):  # a file's rights would lock everybody out of a folder
            self.hadoop.like(path, folder)

    def key(self, path: str) -> str:
        """The path by which its store knows it."""
        return real_path(re.sub("^file:/+", "/", path)) if _system(path) == "file:" else path

    def journaled(self, path: str) -> bool:
        """Whether a path is on a store where plain files can be published."""
        return _system(path) == "file:" or known(self.hadoop, path)

    def one_decision(self, paths: Iterable[str]) -> bool:
        """Whether what goes to these paths, which are locked, is published by one decision: all have journals, on one filesystem."""
        found = [self.runs.get(path) for path in paths]
        return None not in found and len({id(one[0]) for one in found if one}) <= 1

    def log(self, path: str) -> Log | None:
        """The log of a path, to be read without a lock; None where there is no journal."""
        system = _system(path)
        return Log(self._store(system), self.key(path)) if self.journaled(system) else None

    def _clear(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.hadoop.delete(self.workspace(path))

    def _store(self, system: str) -> Store:
        if system == "file:":
            return LocalStore()
        return store(self.hadoop, f"{system}/")

    def workspace(self, path: str) -> str:
        """The folder to stage a path's files in, qualified; it need not be there."""
        if path in self.bare:
            folder, _, name = path.rpartition("/")
            return f"{folder}/.{name}.staging-{self.run_id}"
        run, key = self.runs[path]
        return _uri(_system(path), run.workspace(key))

    def done_by(self, identity: Identity, slices: Mapping[str, str]) -> str | None:
        """The run that has left in all these paths (given with their slices) what this run would; None where none has."""
        done = None
        if self.bare & set(slices):
            return None
        for path, name in slices.items():
            run, key = self.runs[path]
            run.slices = {**run.slices, key: name}
            if not run.already_done(identity.logical_id, [key]):
                return None
            done = run.before(key)
        return done.run_id if done else None

    def files(self, path: str, name: str) -> Sequence[str]:
        """The files that the last generation of a slice has at a path."""
        log = None if path in self.bare else self.log(path)
        last = last_of(log, "slices", name) if log else None
        return last.fields["files"] if last else ()

    def publish(self, logical_id: str, pieces: Sequence[Piece], states: Mapping[str, bytes | None] | None = None) -> dict[str, Part]:
        """Publishes in the order given, by one decision for each filesystem; what was published, by path. The states are decided
        with the filesystem of the last piece, which is the last.

        Raises:
            LockedError: another run took over: nothing was published.
            InfrastructureError: the storage failed; the next run finishes what was decided.
            ContractError, UsageError: a table refuses its rows: nothing was published.
        """
        published: dict[str, Part] = {}
        for piece in pieces:
            if piece.commit:
                self._judge(piece.commit, piece.folder, piece.slice)
        for piece in pieces:
            if piece.path in self.bare and piece.commit:
                known = formats.known(piece.commit.conf.format).number
                self._commit_now(piece.commit, piece.folder, (piece.slice, self._number(piece) + 1) if known else None)
        pieces = [p for p in pieces if p.path not in self.bare]
        last = self.runs[pieces[-1].path][0] if pieces else None
        runs = {id(self.runs[p.path][0]): self.runs[p.path][0] for p in pieces}
        for run in sorted(runs.values(), key=lambda run: run is last):
            mine = {self.runs[p.path][1]: p for p in pieces if self.runs[p.path][0] is run}
            run.slices = {**run.slices, **{key: piece.slice for key, piece in mine.items()}}
            placed = [self._placed(run, key, piece) for key, piece in mine.items()]
            told = [_of(run.next_state(name, data), placed) for name, data in (states or {}).items() if run is last]
            called = {key: [_called(run, key, piece, logical_id)] for key, piece in mine.items() if piece.slice == WHOLE and piece.name}
            published |= {mine[part.target].path: part for part in run.publish_with(logical_id, placed, told, called)}
        return published

    def overwrote(self, path: str, name: str) -> str | None:
        """The run that wrote a slice's rows to a path by replacing all that there was; None where none has, or they were replaced."""
        log = None if path in self.bare else self.log(path)
        called, whole = (last_of(log, "slices", one) for one in (CALLED, WHOLE)) if log else (None, None)
        if called is None or whole is None or called.fields.get("called") != [name, whole.fields["logical_id"]]:
            return None
        return whole.run_id

    def _placed(self, run: Run, key: str, piece: Piece) -> Placed:
        folder = re.sub("^file:/+", "/", piece.folder)
        if piece.commit and piece.mode == "append" and run.before(key) and not formats.known(piece.commit.conf.format).number:
            raise UsageError(f"{piece.commit.path} holds what {piece.slice} appended before, which can't be told from other rows",
                             reason="can_not_replace", hint="re-run it with overwrite_partitions, or take its rows out first")
        if piece.commit is None:
            self._as_private(piece.path, piece.folder)
        else:
            run.store.put_if_absent(f"{folder}/{TODO}", piece.commit.encode())
        return Placed(key, folder, piece.mode, table=piece.commit is not None, generation=self._number(piece))

    def _number(self, piece: Piece) -> int:
        """The last generation of a piece's slice that a table itself knows of."""
        number = formats.known(piece.commit.conf.format).number if piece.commit else None
        return max(0, number(self.spark, piece.commit.conf, piece.commit.path, piece.slice)) if piece.commit and number else 0

    def _judge(self, todo: TableCommit, folder: str, slice_name: str) -> None:
        """Lets a table refuse its rows before the decision: what it refuses after it would stop the output for ever."""
        judge = formats.known(todo.conf.format).judge
        if judge:
            judge(self._rows(todo, folder), todo.conf, todo.path, Commit(todo.run_id, todo.rows, folder, (slice_name, 0)))

    def _rows(self, todo: TableCommit, folder: str) -> DataFrame:
        data = f"{folder}/{todo.data}".rstrip("/")
        return self.spark.read.schema(todo.schema).parquet(data).select(*[quote(c) for c in todo.schema.names])

    def _commit(self, system: str, part: Part, folder: str) -> None:
        """Commits a table's staged rows, for this run or for one that died after its decision."""
        found = self._store(system).read(f"{folder}/{TODO}")
        if found is None:
            return  # thrown away after its commit
        todo = TableCommit.decode(found.data, f"{folder}/{TODO}")
        self._commit_now(todo, _uri(system, folder), (part.slice, part.generation))

    def _commit_now(self, todo: TableCommit, folder: str, txn: tuple[str, int] | None) -> None:
        form = formats.known(todo.conf.format)
        assert form.commit is not None
        how = Commit(todo.run_id, todo.rows, folder, txn, late=todo.run_id != self.run_id)
        conf = replace(todo.conf, options={**todo.conf.options, **self.settings.get(todo.path, {})})
        done = self.committed[todo.path] = form.commit(self._rows(todo, folder), conf, todo.path, how)
        if done.rows != todo.rows and not done.already:
            raise AccountingError(f"{todo.rows} good rows, but the commit to {todo.path} accounts for {done.rows}",
                                  hint="look at the table's history")


def _told(conf: OutputConf) -> dict[str, Any]:
    """An output's settings for its journal: without secrets, which whoever finishes the commit has of its own."""
    return {**asdict(conf), "options": {k: v for k, v in conf.options.items() if not redaction.is_secret_name(k)}}


def _called(run: Run, key: str, piece: Piece, logical_id: str) -> Record:
    """Says whose rows replace all that there is, under the logical id that a replay into them keeps."""
    held = run.held[key]
    last = last_of(held.log, "slices", CALLED)
    fields = {"logical_id": "", "how": "whole", "slot": held.slot, "files": [], "called": [piece.name, logical_id]}
    return Record(CALLED, last.generation + 1 if last else 1, run.run_id, fields)


def _of(state: Record, placed: Sequence[Placed]) -> Record:
    """A state's record, which goes with the outputs that are published, and not with all that are locked."""
    return replace(state, fields={**state.fields, "outputs": [one.target for one in placed]})


def mode_of(conf: OutputConf) -> str:
    """The journal's mode for an output's."""
    return "overwrite" if conf.mode == "error" else conf.mode


def slice_of(conf: OutputConf, name: str) -> str:
    """What a re-run of an output replaces: all that there is, or what its slice of this name wrote."""
    return WHOLE if conf.mode in ("overwrite", "error") else name


def _system(path: str) -> str:
    found = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:(?://[^/]+)?", path)
    return found[0] if found else "file:"


def _uri(system: str, path: str) -> str:
    return f"file:{path}" if system == "file:" else path

