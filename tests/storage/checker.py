"""A small model checker: every order in which programs can make their calls to one store, each state once.

A program is a plain function of a store. To let it stop between any two calls, and go on from there in many ways, it is run again
from its start with the answers that it has had so far; the call after those is its next step. What it is, is what it was answered.
A program that dies is one that has no further step: every state is checked as if all had died in it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from tests.storage.memory import CALLS, MemoryStore, call_on

Program = Callable[[Any], Hashable]
RUNNING = "running"


class _Next(BaseException):
    """Carries the next call out of a program."""


class _Replay:
    """A store that answers from the record, and stops at the first call that is not in it."""

    def __init__(self, answers: list[Any], store: MemoryStore) -> None:
        self.renames, self.links, self.exchanges = store.renames, store.links, store.exchanges
        self._answers, self._at, self.threads = answers, 0, 1
        self._next: tuple[str, tuple[Any, ...]] | None = None

    def __getattr__(self, name: str) -> Any:
        assert name in CALLS, name

        def call(*args: Any) -> Any:
            if self._at == len(self._answers):
                self._next = self._next or (name, args)  # what `finally` would do after it is not done
                raise _Next(self._next)
            self._at += 1
            answer = self._answers[self._at - 1]
            if isinstance(answer, OSError):
                raise answer
            return answer

        return call


@dataclass(eq=False)
class Point:
    """A point in one program's life: its next call, or how it ended."""

    answers: list[Any]
    call: tuple[str, tuple[Any, ...]] | None
    result: Hashable
    after: dict[Hashable, Point] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Program, answers: list[Any], store: MemoryStore) -> Point:
        try:
            return cls(answers, None, program(_Replay(answers, store)))
        except _Next as found:
            return cls(answers, found.args[0], RUNNING)

    def step(self, program: Program, store: MemoryStore) -> Point:
        """Makes the next call on the store; the point after it."""
        assert self.call
        try:
            answer = call_on(store, self.call)
            key: Hashable = answer
        except OSError as error:
            answer, key = error, type(error).__name__
        if key not in self.after:
            point = Point.of(program, [*self.answers, answer], store)
            self.after[key] = point if point.call else _ended(point.result)
        return self.after[key]


@cache
def _ended(result: Hashable) -> Point:
    """All ends with one result are one point: what led to it has no say any more."""
    return Point([], None, result)


@dataclass
class Report:
    """What was tried, and what was found wrong: each violation with the calls that led to it."""

    calls: int = 0
    states: int = 0
    facts: dict[frozenset[Any], Hashable] = field(default_factory=dict)
    edges: dict[frozenset[Any], dict[frozenset[Any], Point]] = field(default_factory=dict)
    ends: set[tuple[Hashable, ...]] = field(default_factory=set)
    violations: list[tuple[str, list[str]]] = field(default_factory=list)


Look = Callable[[MemoryStore], Hashable]
Judge = Callable[[Any, Mapping[str, Hashable]], Iterator[str]]


def explore(
    programs: Mapping[str, Program], start: MemoryStore, look: Look, judge: Judge, switches: int | None = None
) -> Report:
    """Tries every order of calls, up to the first violation.

    `look` says what is to be known of a store, once for each; `judge` what is wrong with that, given how far the programs are.
    `switches` bounds how often a program is left that could go on; None is every order.
    """
    report, names, runs = Report(), list(programs), list(programs.values())
    seen: set[Any] = set()
    judged: set[Any] = set()
    stack: list[Any] = [(start, tuple(Point.of(run, [], start) for run in runs), None, switches, ())]
    while stack and not report.violations:
        store, points, last, left, path = stack.pop()
        frozen = frozenset(store.state.items())
        key = (frozen, points) if left is None else (frozen, points, last, left)
        if key in seen:
            continue
        seen.add(key)
        results = tuple(p.result for p in points)
        if RUNNING not in results:
            report.ends.add(results)
        if frozen not in report.facts:
            report.facts[frozen] = look(store.copy())
        fact = report.facts[frozen]
        if (fact, results) not in judged:
            judged.add((fact, results))
            found = judge(fact, dict(zip(names, results, strict=True)))
            report.violations += [(wrong, _trail(path, names)) for wrong in found]
        for i, point in enumerate(points):
            leaves = last not in (None, i) and points[last].call is not None
            if not point.call or (leaves and left == 0):
                continue
            report.calls += 1
            after = store.copy()
            step = point.step(runs[i], after)
            if after.state != store.state:
                report.edges.setdefault(frozen, {}).setdefault(frozenset(after.state.items()), point)
            then = left if left is None else left - leaves
            stack.append((after, (*points[:i], step, *points[i + 1 :]), i, then, (path, i, point)))
    report.states = len(seen)
    return report


def observe(report: Report, program: Program, start: MemoryStore, see: Look, valid: Callable[[Any, list[Any]], bool]) -> Report:
    """Runs a program that only reads through every way in which the stores of an exploration can change under it.

    `valid` is given its result, and what `see` says of the stores that it has met, in their order, without repetitions.
    """
    found = Report()
    begun = Point.of(program, [], start)
    stores = {frozen: replace(start, state=dict(frozen)) for frozen in report.facts}
    seen_in = {frozen: see(store) for frozen, store in stores.items()}
    stack: list[Any] = [(frozen, begun, (fact,), ()) for frozen, fact in seen_in.items()]
    seen: set[Any] = set()
    while stack and not found.violations:
        frozen, point, met, path = stack.pop()
        if (frozen, point, met) in seen:
            continue
        seen.add((frozen, point, met))
        if not point.call:
            found.ends.add((point.result,))
            if not valid(point.result, list(met)):
                found.violations.append((f"read {point.result}, while there was {met}", _trail(path, ["reader", "writers"])))
            continue
        found.calls += 1
        stack.append((frozen, point.step(program, stores[frozen]), met, (path, 0, point)))
        for after, step in report.edges.get(frozen, {}).items():
            fact = seen_in[after]
            stack.append((after, point, met if met[-1] == fact else (*met, fact), (path, 1, step)))
    found.states = len(seen)
    return found


def _trail(path: Any, names: list[str]) -> list[str]:
    found = []
    while path:
        path, i, point = path
        found.append(f"{names[i]}: {point.call}")
    return found[::-1]
