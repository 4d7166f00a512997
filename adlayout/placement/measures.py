"""What lies between two gaps of an article, in every unit at once. Knows no rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from adlayout.model import Block


class Measure(NamedTuple):
    """What lies between two gaps; `paragraphs` are the counted blocks, whatever tags they have.

    `whole` is what all counted blocks of the article hold in characters, the same in each of its measures.
    """

    paragraphs: int = 0
    blocks: int = 0
    words: int = 0
    chars: int = 0
    px: int = 0
    whole: int = 0

    def since(self, earlier: Measure) -> Measure:
        """What lies between the gap that `earlier` reaches to and the one that this reaches to."""
        return Measure(
            self.paragraphs - earlier.paragraphs,
            self.blocks - earlier.blocks,
            self.words - earlier.words,
            self.chars - earlier.chars,
            self.px - earlier.px,
            self.whole,
        )


def measures_to_gaps(blocks: Sequence[Block]) -> tuple[Measure, ...]:
    """What lies before each gap: one measure more than there are blocks, the last of them the whole article's."""
    whole = sum(block.chars for block in blocks if block.counted)
    return tuple(accumulate(blocks, _with, initial=Measure(whole=whole)))


def _with(before: Measure, block: Block) -> Measure:
    # An ad that the article brought is no part of a distance.
    if block.ad:
        return before
    paragraphs, blocks, words, chars, px, whole = before
    if block.counted:
        return Measure(
            paragraphs + 1, blocks + 1, words + block.words, chars + block.chars, px + block.px, whole
        )  # fmt: skip
    return Measure(paragraphs, blocks + 1, words, chars, px + block.px, whole)
