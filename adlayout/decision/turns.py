"""How far flights are delivered, as pages see it: who is done, and who takes turns since he is ahead of his pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, log, log1p
from typing import Final

from adlayout.decision.draw import numbers

# Rates within a factor of two share a bucket; below this one they share the last.
_BUCKETS: Final = 24


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """`rates` are the shares of pages on which flights run that do not run on all; `spent` those that are done, each
    with (reason, needed, actual).

    Two are never equal, so that what is worked out for one is not taken for another.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    _buckets: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        buckets: list[list[tuple[str, float]]] = [[] for _ in range(_BUCKETS)]
        for flight in sorted(self.rates):
            rate = self.rates[flight]
            buckets[min(_BUCKETS - 1, floor(-log(rate, 2)) if 0 < rate < 1 else 0)].append((flight, rate))
        found = tuple((0.5**at, tuple(bucket)) for at, bucket in enumerate(buckets) if bucket)
        object.__setattr__(self, "_buckets", found)

    def taking(self, seed: str) -> frozenset[str]:
        """Those who take their turn on the page of this seed, each with its own rate, whatever the others do.

        Costs what those cost who do: within a bucket the next one is found by the gap before it, which is geometric.
        """
        draws = numbers(f"{seed}\nturns")
        taking: list[str] = []
        for most, flights in self._buckets:
            at = -1
            while True:
                at += 1 if most >= 1 else 1 + floor(log1p(-next(draws)) / log1p(-most))
                if at >= len(flights):
                    break
                flight, rate = flights[at]
                if next(draws) * most < rate:
                    taking.append(flight)
        return frozenset(taking)


AT_START: Final = Standing()
