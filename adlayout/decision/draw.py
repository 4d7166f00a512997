"""A weighted lottery that the same seed repeats on every machine; knows nothing of flights and slots."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate, count
from struct import Struct

_WORDS = Struct("<8Q")
_MISSES = 4  # after so many draws of what is gone already, the sums are made anew


def numbers(seed: str) -> Iterator[float]:
    """Endless numbers in [0, 1), the 53 upper bits of BLAKE2b's words over the seed and a counter."""
    text = seed.encode("utf-8", "surrogatepass")
    for block in count():
        for word in _WORDS.unpack(blake2b(b"%d\n%b" % (block, text)).digest()):
            yield (word >> 11) * 2.0**-53


def order(sums: Sequence[float], draws: Iterator[float]) -> Iterator[int]:
    """Yields every index once, each next one with the share of its weight among those that are left.

    `sums` are the running sums of the weights. Stop early and only what was asked for has been drawn.
    """
    places: Sequence[int] = range(len(sums))
    while len(places) > 1:
        drawn: set[int] = set()
        yield from _draw(places, sums, draws, drawn)
        weights = [high - low for low, high in zip((0.0, *sums), sums, strict=False)]
        kept = [at for at in range(len(places)) if at not in drawn]
        places, sums = [places[at] for at in kept], list(accumulate(weights[at] for at in kept))
    yield from places


def _draw(places: Sequence[int], sums: Sequence[float], draws: Iterator[float], drawn: set[int]) -> Iterator[int]:
    """Draws until too often what is gone already, or until one is left."""
    last, misses = len(places) - 1, 0
    while misses < _MISSES and len(drawn) < last:
        at = bisect(sums, next(draws) * sums[last], 0, last)
        if at in drawn:
            misses += 1
        else:
            drawn.add(at)
            yield places[at]
