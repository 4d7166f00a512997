"""What lies between two gaps of an article, in every unit at once. Knows no rule."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from adlayout.model import Block


class Measure(NamedTuple):
    """What lies between two gaps; `paragraphs` are the counted blocks, whatever tags they have."""

    paragraphs: int = 0
    blocks: int = 0
    words: int = 0
    chars: int = 0

    def since(self, earlier: Measure) -> Measure:
        """What lies between the gap that `earlier` reaches to and the one that this reaches to."""
        return Measure(
            self.paragraphs - earlier.paragraphs,
            self.blocks - earlier.blocks,
            self.words - earlier.words,
            self.chars - earlier.chars,
        )


def measures_to_gaps(blocks: Iterable[Block]) -> tuple[Measure, ...]:
    """What lies before each gap: one measure more than there are blocks, the last of them the whole article's."""
    return tuple(accumulate(blocks, _with, initial=Measure()))


def _with(before: Measure, block: Block) -> Measure:
    if not block.counted:
        return before._replace(blocks=before.blocks + 1)
    return Measure(before.paragraphs + 1, before.blocks + 1, before.words + block.words, before.chars + block.chars)
