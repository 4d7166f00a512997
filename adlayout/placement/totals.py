"""How much an article holds, for whoever explains a plan."""

from __future__ import annotations

from adlayout.model import Article
from adlayout.placement.measures import Measure, measures_to_gaps


def totals(article: Article) -> Measure:
    """The article's blocks, paragraphs, words, characters and height, as the layout counts them."""
    return measures_to_gaps(article.blocks)[-1]
