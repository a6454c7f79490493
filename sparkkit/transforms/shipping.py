"""Functions for workers that have no sparkkit: pickled with the modules that they are defined in."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def by_value(function: Callable[..., Any], modules: Sequence[ModuleType]) -> Callable[..., Any]:
    """`function` as one that a worker without these modules can load; they import nothing else of sparkkit.

    Args:
        function: a function, a bound method or a partial, defined in one of the modules.
        modules: the modules that travel with it.

    Raises:
        Exception: whatever pickling raises, where the function holds what can't travel (a session, a lock).

    >>> from sparkkit.transforms import names
    >>> by_value(names.need, [names]).__name__
    'run'
    """
    cloudpickle: Any = importlib.import_module("pyspark.cloudpickle")
    known = cloudpickle.list_registry_pickle_by_value()
    own = [module for module in modules if module.__name__ not in known]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        payload: bytes = cloudpickle.dumps(function)
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)

    def run(argument: Any) -> Any:
        import pickle

        return pickle.loads(payload)(argument)

    return run
