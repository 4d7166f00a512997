"""Placement: the gaps of an article that pass a layout's rules, and the ads given to some of them. Pure and linear."""

from __future__ import annotations

from collections.abc import Mapping

from adlayout.model import Article, Plan, Slot
from adlayout.placement.layout import Layout
from adlayout.placement.rules import Context
from adlayout.placement.select import select


def place(article: Article, layout: Layout, unsafe: frozenset[int] = frozenset()) -> Plan:
    """The slots of an article: gates, then the hard rules of each gap, then selection among those that pass.

    `unsafe` are the gaps in which an ad would change the article's tree.
    """
    context = Context(article, unsafe)
    if any(gate.refuse(0, context) is not None for gate in layout.gates):
        return Plan(())
    # The first refusal settles a gap; who wants to know them all asks `explain`.
    allowed = [all(rule.refuse(gap, context) is None for rule in layout.rules) for gap in range(context.last_gap + 1)]
    choice = select(context, allowed, layout.schedule)
    return Plan(slots_of(article, layout, choice.ads), dropped=tuple(choice.dropped))


def slots_of(article: Article, layout: Layout, ads: Mapping[int, int]) -> tuple[Slot, ...]:
    """The slots in document order; `ads` leads from a gap to the gap where its ad was due."""
    return tuple(
        Slot(
            id=f"inline-{number + 1}",
            style=layout.styles[min(number, len(layout.styles) - 1)],
            gap=gap,
            offset=article.offsets[gap],
            due_gap=due,
        )
        for number, (gap, due) in enumerate(sorted(ads.items()))
    )
