"""A weighted lottery that the same seed repeats on every machine; knows nothing of flights and slots."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Final

_WORDS: Final = Struct("<8Q")
_UNIT: Final = 2.0**-53
_MISSES: Final = 4  # after so many draws of what is gone already, draws pass over it

# So many draws of an order hit the sums as they are, even if all but the first were misses.
PLAIN_DRAWS: Final = _MISSES + 1


def numbers(seed: str) -> Iterator[float]:
    """Endless numbers in [0, 1), the 53 upper bits of BLAKE2b's words over the seed and a counter."""
    block = 0
    while True:
        for word in words(seed, block):
            yield (word >> 11) * _UNIT
        block += 1


def words(seed: str, block: int = 0) -> tuple[int, ...]:
    """The words of which `numbers` makes its numbers, eight in a block."""
    return _WORDS.unpack(blake2b(f"{block}\n{seed}".encode("utf-8", "surrogatepass")).digest())


def hit(sums: Sequence[float], word: int) -> int:
    """The index that a word draws, each with the share of its weight."""
    return bisect(sums, (word >> 11) * _UNIT * sums[-1], 0, len(sums) - 1)


def order(sums: Sequence[float], draws: Iterator[float]) -> Iterator[int]:
    """Yields every index once, each next one with the share of its weight among those that are left.

    `sums` are the running sums of the weights. Stop early and only what was asked for has been drawn: what a draw
    costs does not grow with their number.
    """
    last = len(sums) - 1
    gone: set[int] = set()
    starts: list[float] = []
    widths, misses = [0.0], 0
    while len(gone) < last:
        point = next(draws) * (sums[last] - widths[-1])
        if starts:
            point += widths[bisect(starts, point)]
        at = bisect(sums, point, 0, last)
        if at in gone:
            misses += 1
            if misses < _MISSES:
                continue
            misses = 0
            if len(starts) < len(gone):
                starts, widths = _cuts(sums, gone)
                continue
            at = next(at for at in range(last) if at not in gone)  # lighter than floats can tell
        gone.add(at)
        yield at
    yield from (at for at in range(last + 1) if at not in gone)


def _cuts(sums: Sequence[float], gone: Iterable[int]) -> tuple[list[float], list[float]]:
    """Where the weights that are gone begin if those before them are cut out, and how much is cut out up to there."""
    starts: list[float] = []
    widths = [0.0]
    for at in sorted(gone):
        start = sums[at - 1] if at else 0.0
        starts.append(start - widths[-1])
        widths.append(widths[-1] + sums[at] - start)
    return starts, widths
