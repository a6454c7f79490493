"""Which store a path of a session is on."""
from __future__ import annotations

from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.hadoop_store import HadoopStore
from sparkkit.storage.object_store import ObjectStore
from sparkkit.storage.seam import Store


def known(hadoop: Hadoop, path: str) -> bool:
    """Whether plain files can be published there: a rename is one step, or one of many puts at a name wins."""
    return HadoopStore.knows(hadoop, path) or ObjectStore.knows(hadoop, path)


def store(hadoop: Hadoop, path: str) -> Store:
    """The store that a qualified path is on.

    Raises:
        UsageError: plain files can't be published there.
    """
    return ObjectStore.of(hadoop, path) if ObjectStore.knows(hadoop, path) else HadoopStore.of(hadoop, path)
