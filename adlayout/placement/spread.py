"""The even choice: of some places in a row as many as go together, spread as evenly as can be. Knows only numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Candidate(NamedTuple):
    """A place that may be chosen.

    It stands `at` so much from the start, no earlier than the one before it. The first `reach` candidates are far
    enough above it to be its upper neighbour: no fewer than for the one before it, and never itself.
    """

    at: int
    reach: int


class Standing(NamedTuple):
    """What stands already: a neighbour of what is chosen, with `before` candidates above it.

    It may have a height: what is above it is as far from it as from `above`, what is below it as from `below`. Both lie
    between the candidates around it.
    """

    before: int
    above: int
    below: int


def spread(candidates: Sequence[Candidate], standing: Sequence[Standing], end: int, most: int) -> tuple[int, ...]:
    """The indexes of the candidates to choose: as many as go together, up to `most`, and as evenly as can be.

    Two that are chosen go together if the upper one is within reach of the lower one, or something stands between them.
    The most even choice has the least sum of squared distances between neighbours, from the start (0) past all that is
    chosen or stands to the end. Of equals, the one whose first difference is an earlier candidate.

    With f(k, p) for the least sum below point p if k more are to be chosen there:

        f(k, p) = min of (q - p)² + f(k', q) over the points q that may be the lower neighbour of p,
                  k' = k - 1 if q is a candidate, k if it stands
        f(0, end) = 0

    Each k takes time linear in the points, because the least over q is read off a lower hull of lines (see `_Hull`).
    """
    points = _points(candidates, standing, end)
    layers = [_layer(points, ())]
    while len(layers) <= most:
        layer = _layer(points, layers[-1])
        if layer[0] is None:  # what goes together does so with one left out: no larger number is possible either
            break
        layers.append(layer)
    return tuple(_chosen(points, layers))


class _Point(NamedTuple):
    """A place in the row: the start, a `candidate` (its index), something that stands, or the end.

    Its upper neighbour is one of the points from the last that stands above it down to `upper`.
    """

    above: int
    below: int
    upper: int
    candidate: int | None = None


_Costs = Sequence[int | None]  # by point; None where so many cannot be chosen below it


def _points(candidates: Sequence[Candidate], standing: Sequence[Standing], end: int) -> list[_Point]:
    points = [_Point(0, 0, -1)]
    first = 0
    for passed, mark in enumerate((*standing, Standing(len(candidates), end, end))):
        # Candidate n is point n + 1 + passed here, and what stands above candidate `first` is point first + passed.
        for index in range(first, mark.before):
            at, reach = candidates[index]
            points.append(_Point(at, at, max(first, reach) + passed, index))
        points.append(_Point(mark.above, mark.below, len(points) - 1))
        first = mark.before
    return points


def _layer(points: Sequence[_Point], fewer: _Costs) -> _Costs:
    """f(k, p) for every point, from the end up; `fewer` is f(k - 1, p), empty where k is 0.

    `upper` never falls from a point to the next, so on the way up lower neighbours only ever join, from the end up,
    until one that stands shuts off all below it.
    """
    costs: list[int | None] = [None] * len(points)
    costs[-1] = None if fewer else 0
    hull = _Hull()
    joining = len(points) - 1
    for at in range(len(points) - 2, -1, -1):
        while points[joining].upper >= at:
            if points[joining].candidate is None:
                hull = _Hull()
                hull.join(points[joining].above, costs[joining])
            elif fewer:
                hull.join(points[joining].above, fewer[joining])
            joining -= 1
        costs[at] = hull.least(points[at].below)
    return costs


@dataclass(slots=True)
class _Hull:
    """The least (place - seen)² + cost over all that joined, for whoever sees them from further and further up.

    The squares of `seen` are the same for all, so each is a line over `seen`, and the least is their lower hull. Places
    come in falling order, so the slopes (-2 place) rise and a new line can only be the lowest from some `seen` upwards
    on the page: its turn. Views come in falling order too, so a line that had its turn never has it again. Each line
    joins once and leaves once: the convex hull trick with a queue (P. Brucker, Efficient algorithms for some path
    partitioning problems, Discrete Applied Mathematics 62, 1995). Views are whole numbers, so turns are, rounded down.
    """

    lines: deque[tuple[int, int, int]] = field(default_factory=deque)  # place, cost, turn; turns fall

    def join(self, place: int, cost: int | None) -> None:
        """Adds a line, and takes out those that it leaves without a turn."""
        if cost is None:
            return
        turn = place  # nothing below what sees it: alone, it has its turn from the start
        while self.lines:
            last_place, last_cost, last_turn = self.lines[-1]
            if last_place == place and last_cost <= cost:
                return
            if last_place > place:
                turn = (last_place**2 + last_cost - place**2 - cost) // (2 * (last_place - place))
                if turn < last_turn:
                    break
            self.lines.pop()
        self.lines.append((place, cost, turn))

    def least(self, seen: int) -> int | None:
        """The least from here, where there is any."""
        while len(self.lines) > 1 and self.lines[1][2] >= seen:
            self.lines.popleft()
        if not self.lines:
            return None
        place, cost, _ = self.lines[0]
        return (place - seen) ** 2 + cost


def _chosen(points: Sequence[_Point], layers: Sequence[_Costs]) -> Iterator[int]:
    """From the start down, each time the first point that keeps the sum at its least: so ties go to the earlier."""
    here, left = 0, len(layers) - 1
    for at, point in enumerate(points):
        if left == 0:
            return
        rest = layers[left if point.candidate is None else left - 1][at]
        if point.upper < here or rest is None:
            continue
        if (point.above - points[here].below) ** 2 + rest == layers[left][here]:
            here = at
            if point.candidate is not None:
                left -= 1
                yield point.candidate
