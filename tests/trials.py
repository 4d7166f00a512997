"""Readers who read, see and click unevenly, counted as they come: what tests and benchmarks of experiments run on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from adlayout.experiments.stats import ALPHA, Effect, Estimator, Sums, Verified, absolute, relative, sequential

Whole: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Crowd:
    """For each reader m and d of a metric."""

    m: Whole
    d: Whole

    def days(self, count: int) -> list[Sums]:
        """The sums at the end of each day, as many new readers on each."""
        products = (self.m, self.m * self.m, self.d, self.d * self.d, self.m * self.d)
        a_day = len(self.m) // count
        sums = [np.cumsum(each)[a_day - 1 :: a_day].tolist() for each in products]
        return [Sums(a_day * (day + 1), *row) for day, row in enumerate(zip(*sums, strict=True))]

    def batch(self) -> Sums:
        """The sums of all."""
        return Sums.of(zip(self.m.tolist(), self.d.tolist(), strict=True))

    def events(self, rng: Generator) -> Iterator[tuple[int, int, int]]:
        """Each single m and d of each reader as (reader, of m, of d), in any order."""
        of_m, of_d = (np.repeat(np.arange(len(each)), each) for each in (self.m, self.d))
        order = rng.permutation(len(of_m) + len(of_d))
        readers = np.concatenate((of_m, of_d))[order].tolist()
        is_m = (order < len(of_m)).astype(int).tolist()
        yield from zip(readers, is_m, (1 - one for one in is_m), strict=True)


Test: TypeAlias = Callable[[Effect], Verified]
Draw: TypeAlias = Callable[[Generator, int], Crowd]


def clicks_and_views(rng: Generator, readers: int, *, lift: float = 0.0) -> Crowd:
    """Most readers see few ads, some see many; most hardly ever click, some often do."""
    views = np.minimum(1 + (rng.pareto(1.5, readers) * 3).astype(np.int64), 200)
    likes = np.minimum(rng.beta(0.4, 5.0, readers) * (1 + lift), 1.0)
    return Crowd(rng.binomial(views, likes), views)


def streamed(events: Iterable[tuple[int, int, int]], readers: int) -> Sums:
    """The sums after these events, kept as the store keeps them: from where each reader stood."""
    stands = [(0, 0)] * readers
    m = mm = d = dd = md = 0
    for reader, up_m, up_d in events:
        at_m, at_d = stands[reader]
        stands[reader] = at_m + up_m, at_d + up_d
        m, d = m + up_m, d + up_d
        mm += 2 * at_m * up_m + up_m * up_m
        dd += 2 * at_d * up_d + up_d * up_d
        md += at_m * up_d + at_d * up_m + up_m * up_d
    return Sums(readers, m, mm, d, dd, md)


def conversions(rng: Generator, readers: int) -> Crowd:
    """One in fifty does something, once."""
    return Crowd((rng.random(readers) < 0.02).astype(np.int64), np.zeros(readers, np.int64))


def lifted(a: Sums, b: Sums, estimator: Estimator, test: Test) -> bool:
    """Whether the test, on its own terms, finds that the two differ: in their difference and in the lift."""
    of_a, of_b = estimator(a), estimator(b)
    assert of_a
    assert of_b
    found = [each for each in (absolute(of_a, of_b), relative(of_a, of_b)) if each]
    return bool(found) and all(test(each).p < ALPHA for each in found)


@dataclass(frozen=True, slots=True)
class Looks:
    """Tests that are looked at on each of their days, `a_day` new readers in each variation."""

    days: int
    a_day: int
    tests: int = 1000
    test: Test = sequential


def false_alarms(draw: Draw, estimator: Estimator, looks: Looks, *, seed: int) -> int:
    """In how many tests of equal variations a difference is found on any of the days."""
    rng, found = np.random.default_rng(seed), 0
    for _ in range(looks.tests):
        a, b = (draw(rng, looks.days * looks.a_day).days(looks.days) for _ in range(2))
        found += any(lifted(of_a, of_b, estimator, looks.test) for of_a, of_b in zip(a, b, strict=True))
    return found
