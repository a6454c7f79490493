"""The steps that put a decided publication in place. Each finds out from the store whether it was made, and can be made again."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sparkkit.errors import InfrastructureError
from sparkkit.storage.log import FORMAT, Log, Part, decode
from sparkkit.storage.resolve import MARKER, is_of
from sparkkit.storage.seam import Store, above, walk


def replaced(mode: str, adds: Sequence[str], there: Sequence[str], before: Sequence[str]) -> set[str]:
    """The files that go: all, or those of the partitions written, and in any case those of the slice's generation before.

    >>> sorted(replaced("overwrite_partitions", ["p=1/new"], ["p=1/a", "p=2/b", "p=3/c"], ["p=3/c", "p=4/gone"]))
    ['p=1/a', 'p=3/c']
    """
    if mode == "overwrite":
        return set(there)
    partitions = {above(file) for file in adds} if mode == "overwrite_partitions" else set()
    return {file for file in there if above(file) in partitions} | (set(there) & set(before))


def carried(there: Sequence[str], gone: set[str], fresh: Sequence[str]) -> list[str]:
    """The files of a target that its next version has too, hidden ones with them; a checksum goes with its file.

    >>> carried(["_SUCCESS", ".a.crc", "a", ".b.crc", "b"], {"a"}, ["_SUCCESS", "c"])
    ['.b.crc', 'b']
    """
    checksums = {f"{above(file)}/.{file.rpartition('/')[2]}.crc".lstrip("/") for file in gone}
    return [file for file in there if file not in {MARKER, *gone, *checksums, *fresh}]


def put_whole(store: Store, work: str, part: Part) -> None:
    """Puts a whole folder in a target's place, in one step where the store has it, and keeps the old one.

    Raises:
        InfrastructureError: a stranger made the target in between.
    """
    new, old = f"{work}/new", f"{work}/old"
    if is_of(store, new, part.run_id) and not (store.exchanges and store.exchange(new, part.target)):
        store.rename(part.target, old)
        if not store.rename(new, part.target) and is_of(store, new, part.run_id):
            raise _in_the_way(part.target)
    store.rename(new, old)


def put_files(store: Store, work: str, part: Part) -> None:
    """Moves files out of a target, and others in, one by one.

    Raises:
        InfrastructureError: a stranger made a file of the same name.
    """
    for file in part.removes:
        store.rename(f"{part.target}/{file}", f"{work}/old/{file}")
    for folder in sorted({above(f"{part.target}/{file}") for file in part.adds}):
        store.make_folder(folder)
    left = [file for file in part.adds if not store.rename(f"{work}/new/{file}", f"{part.target}/{file}")]
    stuck = set(left) & set(walk(store, f"{work}/new")) if left else set()
    if stuck:
        raise _in_the_way(f"{part.target}/{min(stuck)}")


def _in_the_way(path: str) -> InfrastructureError:
    return InfrastructureError(f"{path} was made by a stranger while it was published", reason="target_exists",
                               hint="move it away, and run again")


def last_of(log: Log, name: str) -> dict[str, Any]:
    """The record of a slice's last generation; empty where it was never written."""
    folder = _records(log, name)
    found = [(path, log.store.read(path)) for path in [f"{folder}/{n}" for n in log.store.list(folder) if n.isdigit()][-1:]]
    return next((decode(one.data, path) for path, one in found if one), {})


def remember(log: Log, part: Part) -> None:
    """Records a slice's generation, and forgets the one before."""
    record = {"format": FORMAT, "slice": part.slice, "generation": part.generation, "logical_id": part.logical_id,
              "run_id": part.run_id, "how": part.how, "files": part.adds}
    folder = _records(log, part.slice)
    log.store.put_if_absent(f"{folder}/{part.generation:09}", json.dumps(record, ensure_ascii=False).encode() + b"\n")
    if part.generation > 1:
        log.store.delete(f"{folder}/{part.generation - 1:09}")


def _records(log: Log, name: str) -> str:
    return f"{log.folder}/slices/{hashlib.sha256(name.encode()).hexdigest()[:16]}"
