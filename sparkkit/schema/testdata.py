"""Rows that keep a contract, for tests: the same for the same seed, edges first, then at random.

Rows keep types, `required`, keys, `unique` and the columns' limits. Rules written as SQL, and limits inside of structs
and arrays, are not looked at: a contract with such rules needs rows by hand, or a filter.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.domains import Domain, domain
from sparkkit.schema.reader import effective
from sparkkit.schema.types import parse

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_TRIES = 1000


def rows(contract: Contract, n: int, seed: int = 0) -> list[tuple[Any, ...]]:
    """`n` rows of Python values, in the contract's order: nulls where they may be, bounds, unicode, 29 February.

    Times with a zone are in UTC; those without are naive. Floats are finite.

    Raises:
        UsageError: the limits leave no value, or too few for a unique column (reason `bad_contract`).

    >>> rows(Contract("t", (Column("a", "tinyint", key=1), Column("b", "date"))), 3)
    [(-128, datetime.date(1, 1, 1)), (127, None), (0, datetime.date(9999, 12, 31))]
    """
    rng = random.Random(seed)
    domains = [_domain(column, contract) for column in contract.columns]
    unique = _unique(contract)
    seen: list[set[Any]] = [set() for _ in unique]
    return [_row(contract, domains, list(zip(unique, seen, strict=True)), i, rng) for i in range(n)]


def hypothesis_rows(contract: Contract, *, max_size: int = 20) -> SearchStrategy[list[tuple[Any, ...]]]:
    """A Hypothesis strategy of lists of rows that keep the contract, `max_size` at most.

    Raises:
        UsageError: the limits leave no value (reason `bad_contract`).
    """
    from hypothesis import strategies as st

    columns = [_strategy(_domain(column, contract)) for column in contract.columns]
    unique = tuple(_unique(contract))
    return st.lists(st.tuples(*columns), max_size=max_size, unique_by=unique or None)


def _strategy(found: Domain) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    return st.one_of(st.sampled_from(found.edges), st.randoms(use_true_random=True).map(found.draw))


def _domain(column: Column, contract: Contract) -> Domain:
    found = domain(parse(column.type), column.limits, effective(contract, column), column.name)
    return found if column.required or column.key else found.or_null()


def _row(contract: Contract, domains: Sequence[Domain], unique: list[tuple[Callable[[Any], Any], set[Any]]],
         index: int, rng: random.Random) -> tuple[Any, ...]:
    for attempt in range(_TRIES):
        row = tuple(_value(found, index + attempt, rng) for found in domains)
        if all(key(row) not in seen for key, seen in unique):
            for key, seen in unique:
                seen.add(key(row))
            return row
    raise UsageError(f"contract {contract.name!r}: only {index} rows were found that differ in its unique columns",
                     reason="bad_contract", hint="ask for fewer rows")


def _value(found: Domain, place: int, rng: random.Random) -> Any:
    if place < len(found.edges):
        return found.edges[place]
    return rng.choice(found.edges) if rng.random() < 0.2 else found.draw(rng)


def _unique(contract: Contract) -> list[Callable[[tuple[Any, ...]], Any]]:
    """What may not stand twice, as functions of a row: the key, and each unique column."""
    single = [(column.name,) for column in contract.columns if column.unique]
    places = [[contract.names.index(n) for n in names] for names in (contract.keys, *single) if names]
    return [_picked(place) for place in places]


def _picked(places: list[int]) -> Callable[[tuple[Any, ...]], Any]:
    return lambda row: _frozen([row[place] for place in places])


def _frozen(value: Any) -> Any:
    """A value that can stand in a set."""
    if isinstance(value, dict):
        return tuple(sorted((repr(key), repr(item)) for key, item in value.items()))
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
