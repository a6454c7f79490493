"""The steps that put a decided publication in place. Each finds out from the store whether it was made, and can be made again."""
from __future__ import annotations

from collections.abc import Sequence

from sparkkit.errors import InfrastructureError
from sparkkit.storage.log import Part
from sparkkit.storage.resolve import MARKER, is_of
from sparkkit.storage.seam import Store, above, each, walk


def replaced(mode: str, adds: Sequence[str], there: Sequence[str], before: Sequence[str]) -> set[str]:
    """The files that go: all, or those of the partitions written, and in any case those of the slice's generation before.

    >>> sorted(replaced("overwrite_partitions", ["p=1/new"], ["p=1/a", "p=2/b", "p=3/c"], ["p=3/c", "p=4/gone"]))
    ['p=1/a', 'p=3/c']
    """
    if mode in ("overwrite", "rollback"):
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
    new, old, empty = f"{work}/new", f"{work}/old", f"{work}/empty"
    if is_of(store, new, part.run_id) and not (store.exchanges and store.exchange(new, part.target)):
        store.rename(part.target, old)
        while not store.rename(new, part.target) and is_of(store, new, part.run_id):
            # one who was overtaken while it put files makes the folder that it would put the next one in
            if walk(store, part.target) or not store.rename(part.target, empty):
                raise _in_the_way(part.target)
            store.delete(empty)
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


def copy_files(store: Store, staged: str, part: Part) -> None:
    """Copies staged files into a target, then deletes those that they replace: where there is no rename. What is staged is deleted before
    another publication is decided, so that who is late copies nothing.

    Raises:
        InfrastructureError: staged files are gone, and are not in the target.
    """
    names = [(f"{staged}/{file}", f"{part.target}/{file}") for file in part.adds]
    made = each(store, lambda pair: store.duplicate(*pair), names)
    left = {new for (_, new), done in zip(names, made, strict=True) if not done}
    lost = left - {f"{part.target}/{file}" for file in walk(store, part.target)} if left else set()
    if lost:
        raise InfrastructureError(f"{min(lost)} was published from {staged}, and is in neither", reason="journal_damaged",
                                  hint="restore that folder, or move the whole journal away to go on with what the target holds")
    each(store, store.delete, [f"{part.target}/{file}" for file in part.removes])


def _in_the_way(path: str) -> InfrastructureError:
    return InfrastructureError(f"{path} was made by a stranger while it was published", reason="target_exists",
                               hint="move it away, and run again")
