"""Vectors of one row: a list where they are dense, a dictionary of what is not zero where they are sparse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector; places that `items` lacks are zero."""

    size: int
    items: dict[int, float]


Vector = list[float] | Sparse


def pairs(vector: Vector) -> Iterable[tuple[int, float]]:
    """The places and values of a vector; of a sparse one only those it holds.

    >>> list(pairs([3.0, 0.0])), list(pairs(Sparse(9, {4: 1.0})))
    ([(0, 3.0), (1, 0.0)], [(4, 1.0)])
    """
    return vector.items.items() if isinstance(vector, Sparse) else enumerate(vector)


def size(vector: Vector) -> int:
    """How many places a vector has."""
    return vector.size if isinstance(vector, Sparse) else len(vector)


def dense(vector: Vector) -> list[float]:
    """The vector with its zeros.

    >>> dense(Sparse(3, {1: 2.0}))
    [0.0, 2.0, 0.0]
    """
    if not isinstance(vector, Sparse):
        return vector
    found = [0.0] * vector.size
    for at, value in vector.items.items():
        found[at] = value
    return found


def dot(vector: Vector, weights: Sequence[float]) -> float:
    """The sum of products with as many weights as the vector has places.

    >>> dot(Sparse(3, {1: 2.0}), [9.0, 5.0, 9.0]), dot([1.0, 2.0], [3.0, 4.0])
    (10.0, 11.0)
    """
    if isinstance(vector, Sparse):
        return sum([weights[at] * value for at, value in vector.items.items()], 0.0)
    return sum(map(float.__mul__, vector, weights), 0.0)


def scaled(vector: Vector, factors: Sequence[float]) -> Vector:
    """Each value times the factor of its place."""
    if isinstance(vector, Sparse):
        return Sparse(vector.size, {at: value * factors[at] for at, value in vector.items.items()})
    return [value * factor for value, factor in zip(vector, factors, strict=True)]


def value_at(vector: Vector, at: int) -> float:
    """The value at one place."""
    return vector.items.get(at, 0.0) if isinstance(vector, Sparse) else vector[at]
