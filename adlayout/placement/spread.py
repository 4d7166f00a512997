"""The most even of all choices of places that have the most ads, exactly. Pure numbers; knows no article.

With k more to place below the i-th candidate, the least cost is f(k, i) = min over j of (at j - at i)² + f(k - 1, j), j
being far enough below i, or, past the last choice above an ad that stands already, the cost of what lies below that ad.
Written as a line in `at i`, each j has a slope of -2 · at j, so that the least of them is read off the lower hull of
these lines (the "convex hull trick" of dynamic programming): j comes into reach from the bottom up, slopes only grow,
and `at i` only shrinks, so that each line enters and leaves a queue once. That makes it linear for a given `most`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple, TypeAlias


class Candidate(NamedTuple):
    """A place for an ad: `at` from the start, and how many candidates (the first ones) are far enough above it."""

    at: int
    reach: int


class Standing(NamedTuple):
    """An ad that stands already: how many candidates lie above it, and where it is, seen from above and from below."""

    before: int
    above: int
    below: int


# A cost, whole unless it is infinite: what cannot be.
Cost: TypeAlias = "int | float"
# The cost by candidate, once for each number of ads still to be placed below it.
Costs: TypeAlias = list[list[Cost]]


def spread(candidates: Sequence[Candidate], standing: Sequence[Standing], end: int, most: int) -> tuple[int, ...]:
    """The indexes of the chosen candidates, `most` of them at most.

    Two neighbours are chosen only where the upper is within the reach of the lower, or an ad stands between them. Of
    all such choices this is one with most ads, of those the one with the least sum of squared distances between
    neighbours, the start (0), the ads that stand and the end among them, and of those the one with the earliest places.
    """
    most = min(most, len(candidates))
    if most <= 0:
        return ()
    stretches = _stretches(len(candidates), standing, end)
    below: Costs = [[inf] * len(candidates) for _ in range(most + 1)]
    # From the end on, nothing can be placed any more.
    from_top: list[list[Cost]] = [[0, *[inf] * most]]
    for stretch in reversed(stretches):
        from_top.append(_solve(candidates, stretch, below, from_top[-1]))
    from_top.reverse()
    count = max(k for k in range(most + 1) if from_top[0][k] < inf)
    return tuple(_trace(candidates, stretches, below, from_top, count))


class _Stretch(NamedTuple):
    """The candidates `first` to `stop` between two fixed places, `top` above them and `bottom` below."""

    first: int
    stop: int
    top: int
    bottom: int


def _stretches(count: int, standing: Sequence[Standing], end: int) -> list[_Stretch]:
    fixed = [Standing(0, 0, 0), *standing, Standing(count, end, end)]
    return [_Stretch(upper.before, lower.before, upper.below, lower.above) for upper, lower in pairwise(fixed)]


def _solve(candidates: Sequence[Candidate], stretch: _Stretch, below: Costs, after: Sequence[Cost]) -> list[Cost]:
    """Fills in the costs of a stretch, given those from its bottom on, and returns those from its top on."""
    from_top: list[Cost] = []
    for k, cost_after in enumerate(after):
        hull: deque[tuple[int, int]] = deque()
        coming = stretch.stop - 1
        for i in range(stretch.stop - 1, stretch.first - 1, -1):
            while k and coming > i and candidates[coming].reach > i:
                _add(hull, candidates[coming].at, below[k - 1][coming])
                coming -= 1
            at = candidates[i].at
            below[k][i] = min((stretch.bottom - at) ** 2 + cost_after, _least(hull, at))
        straight = (stretch.bottom - stretch.top) ** 2 + cost_after
        placed = (
            (candidates[j].at - stretch.top) ** 2 + below[k - 1][j] for j in range(stretch.first, stretch.stop) if k
        )
        from_top.append(min(straight, min(placed, default=inf)))
    return from_top


def _add(hull: deque[tuple[int, int]], at: int, cost: Cost) -> None:
    """Adds the line of a candidate, and drops those that it and an older one make useless."""
    if isinstance(cost, float):
        return
    slope, height = -2 * at, at * at + cost
    if hull and hull[-1][0] == slope:
        if hull[-1][1] <= height:
            return
        hull.pop()
    while len(hull) > 1:
        (first_slope, first), (last_slope, last) = hull[-2], hull[-1]
        if (height - last) * (first_slope - last_slope) < (last - first) * (last_slope - slope):
            break
        hull.pop()
    hull.append((slope, height))


def _least(hull: deque[tuple[int, int]], at: int) -> Cost:
    """The least cost of going on from here; lines that are no longer the lowest never will be again."""
    while len(hull) > 1 and hull[0][0] * at + hull[0][1] >= hull[1][0] * at + hull[1][1]:
        hull.popleft()
    return hull[0][0] * at + hull[0][1] + at * at if hull else inf


def _trace(
    candidates: Sequence[Candidate],
    stretches: Sequence[_Stretch],
    below: Costs,
    from_top: Sequence[Sequence[Cost]],
    count: int,
) -> list[int]:
    """The choice that has the least cost; where two have, the earlier place is found first."""
    chosen: list[int] = []
    for number, stretch in enumerate(stretches):
        at, wanted = stretch.top, from_top[number][count]
        above: int | None = None
        for j in range(stretch.first, stretch.stop):
            if not count or (above is not None and candidates[j].reach <= above):
                continue
            if (candidates[j].at - at) ** 2 + below[count - 1][j] == wanted:
                chosen.append(j)
                above, at, wanted = j, candidates[j].at, below[count - 1][j]
                count -= 1
    return chosen
