"""What an incremental input has given so far, as a value: the files that were read, or cuts of a line (a watermark, a table's versions).

Each file, and each stretch between two cuts, is owned by the slice of the run that read it. A run reads what nobody owns; where it
replaces what its slice wrote before, it reads what that slice owns too. So each row is in one slice, whatever is run again.
"""
from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from urllib.parse import unquote

from sparkkit.storage.log import damaged, decode

FORMAT = 1
"""The version of a state: raised when a field changes its meaning or goes, and when one comes without which a released sparkkit would
go wrong. `watermark`, `filter` and `logical_id` came before the first release; what was written without them says None."""

CUTS = 1000
"""How many cuts of a line are kept; what is older has no owner any more, and can't be read again by itself."""


@dataclass(frozen=True)
class Known:
    """A file that was read: as it was then, whose it is, and whether it has gone since."""

    size: int
    modified: int
    owner: str
    gone: bool = False


@dataclass(frozen=True)
class Cut:
    """The end (inclusive) of a stretch, whose it is, and from where its run read, which may have been before the stretch."""

    owner: str
    end: str
    start: str = ""


@dataclass(frozen=True)
class State:
    """The state of one input of a job: what was committed with the rows of run `run_id`, whose slice is `label`.

    `epoch` is the slice of the last run that read all again: labels from before it name nothing that is there. `low` is where the
    `counts` of rows by date begin, which reach up to the last cut; `mark` is the newest date of an input read by files. `watermark` and
    `filter` are those of then, `logical_id` is the run's: None where they are not told.
    """

    kind: str
    paths: tuple[str, ...]
    run_id: str
    label: str
    epoch: str = ""
    params: str = ""
    files: Mapping[str, Known] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()
    type: str = ""
    table: str = ""
    mark: str = ""
    low: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    watermark: str | None = None
    filter: str | None = None
    logical_id: str | None = None

    @property
    def reached(self) -> str:
        """The end of what was read of a line."""
        return self.cuts[-1].end

    def encode(self) -> bytes:
        """A line of JSON, and after it the files, compressed."""
        owners = sorted({f.owner for f in self.files.values()})
        number = {owner: i for i, owner in enumerate(owners)}
        head = {**vars(self), "format": FORMAT, "files": len(self.files), "owners": owners, "cuts": [asdict(c) for c in self.cuts]}
        lines = (f"{p}\t{f.size}\t{f.modified}\t{number[f.owner]}\t{int(f.gone)}\n" for p, f in sorted(self.files.items()))
        return json.dumps(head, ensure_ascii=False).encode() + b"\n" + zlib.compress("".join(lines).encode())

    @classmethod
    def decode(cls, data: bytes, where: str) -> State:
        """What was encoded.

        Raises:
            UsageError: a later version of sparkkit wrote it.
            InfrastructureError: it is damaged.
        """
        line, _, rest = data.partition(b"\n")
        head = decode(line, where)
        try:
            owners, many = head.pop("owners"), head.pop("files")
            files = dict(_file(text, owners) for text in zlib.decompress(rest).decode().split("\n")[:-1])
            if len(files) != many:
                raise ValueError(many)
            cuts = tuple(Cut(**c) for c in head.pop("cuts"))
            return cls(**{**head, "paths": tuple(head["paths"])}, files=files, cuts=cuts)
        except (ValueError, TypeError, KeyError, IndexError, zlib.error) as error:
            raise damaged(where) from error


def _file(text: str, owners: list[str]) -> tuple[str, Known]:
    path, size, modified, owner, gone = text.split("\t")
    return path, Known(int(size), int(modified), owners[int(owner)], gone == "1")


@dataclass(frozen=True)
class Pick:
    """What there is to be said of the files of an input, as paths: `changed` ones are not the slice's `own`, which are all that it has
    read, as they are now; `lost` are own ones that have gone, `gone` all that went since the state, `back` those that had gone and are
    there again, whether they are the same or not."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    own: tuple[str, ...]
    mended: tuple[str, ...]
    lost: tuple[str, ...]
    gone: tuple[str, ...]
    back: tuple[str, ...] = ()


Listed = Mapping[str, tuple[int, int]]
"""The files that are there now: size and time of change by path."""


def pick(state: State | None, listed: Listed, label: str | None) -> Pick:
    """Which of the files that are there a run of this slice may have to read.

    >>> state = State("files", ("in",), "r1", "d1", files={"a": Known(1, 1, "d1"), "b": Known(1, 1, "d2"), "c": Known(1, 1, "d1")})
    >>> pick(state, {"a": (1, 2), "b": (2, 1), "d": (1, 1)}, "d1")
    Pick(new=('d',), changed=('b',), own=('a',), mended=('a',), lost=('c',), gone=('c',), back=())
    """
    files = state.files if state else {}
    other = {p for p, seen in listed.items() if p in files and (files[p].size, files[p].modified) != seen}
    own = {p for p, f in files.items() if label is not None and f.owner == label}
    return Pick(
        new=tuple(p for p in listed if p not in files), changed=tuple(p for p in listed if p in other - own),
        own=tuple(p for p in listed if p in own), mended=tuple(p for p in listed if p in own & other),
        lost=tuple(sorted(own - set(listed))), gone=tuple(sorted(p for p, f in files.items() if p not in listed and not f.gone)),
        back=tuple(p for p in listed if p in files and files[p].gone),
    )


def read(state: State | None, listed: Listed, paths: Iterable[str], label: str) -> Mapping[str, Known]:
    """The files that are known once these were read by a slice; the others stay as they were."""
    files = {p: replace(f, gone=p not in listed) for p, f in (state.files if state else {}).items()}
    return files | {p: Known(*listed[p], label) for p in paths}


HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What stands for null in the name of a partition's folder."""


def unit(path: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The values of partition columns in a path, as they stand there.

    >>> unit("file:///d/dt=2026-01-01/k=a%2520b/x.csv", ["k", "dt"])
    ('a b', '2026-01-01')
    """
    found = dict(part.split("=", 1) for part in path.split("/")[:-1] if "=" in part)
    plain = {unquote(unquote(name)): "" if value == HIVE_NULL else unquote(unquote(value)) for name, value in found.items()}
    return tuple(plain.get(c, "") for c in columns)


Stretch = tuple[str | None, str]
"""From (exclusive; None is from the beginning) and to (inclusive)."""


def owned(cuts: Iterable[Cut], label: str | None) -> tuple[Stretch, ...]:
    """The stretches of a slice, those that meet as one.

    >>> owned([Cut("a", "1"), Cut("b", "2"), Cut("a", "3"), Cut("a", "5")], "a")
    ((None, '1'), ('2', '5'))
    """
    found: list[Stretch] = []
    last: str | None = None
    for one in cuts:
        if label is not None and one.owner == label:
            found = joined([*found, (last, one.end)])
        last = one.end
    return tuple(found)


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches in their order, those that meet as one."""
    found: list[Stretch] = []
    for low, high in stretches:
        if found and found[-1][1] == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


def cut(cuts: tuple[Cut, ...], label: str, end: str, start: str = "") -> tuple[Cut, ...]:
    """The cuts after a slice has read up to an end; none is added where that is the end already.

    >>> cut((Cut("a", "1"),), "b", "2")
    (Cut(owner='a', end='1', start=''), Cut(owner='b', end='2', start=''))
    """
    if cuts and cuts[-1].end == end:
        return cuts
    found = (*cuts, Cut(label, end, start))
    if len(found) <= CUTS:
        return found
    return (replace(found[-CUTS], owner=""), *found[1 - CUTS:])


def late(counts: Mapping[str, int], seen: Mapping[str, int]) -> tuple[Mapping[str, int], int]:
    """By date, the rows that were not there when the counts were made; and how many that were there have gone.

    >>> late({"2026-01-01": 5, "2026-01-02": 1}, {"2026-01-01": 7, "2026-01-03": 1})
    ({'2026-01-01': 2, '2026-01-03': 1}, 1)
    """
    more = {day: seen.get(day, 0) - counts.get(day, 0) for day in sorted({*counts, *seen})}
    return {day: n for day, n in more.items() if n > 0}, -sum(n for n in more.values() if n < 0)


_PLAIN = re.compile(r"\d{4}-\d\d-\d\d")


def is_date(text: str) -> bool:
    """Whether a text is a date as partitions are named by.

    >>> is_date("2026-01-31"), is_date("2026-01")
    (True, False)
    """
    return _PLAIN.fullmatch(text) is not None
