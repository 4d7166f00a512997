"""Placement: the article's gaps judged by a layout's rules, and its ads given to those that pass. Pure and linear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from adlayout.model import Article, Judgement, Plan, Refusal, Slot, Verdict
from adlayout.placement.layout import Layout
from adlayout.placement.rules import Context, Rule
from adlayout.placement.select import Selection, select

Refusals: TypeAlias = tuple[Refusal, ...]


def place(article: Article, layout: Layout, unsafe: frozenset[int] = frozenset()) -> Plan:
    """The plan of an article: gates, then the hard rules of each gap, then selection among those that pass.

    `unsafe` are the gaps in which an ad would change the article's tree.
    """
    context = Context(article, unsafe)
    gaps = range(context.last_gap + 1)
    if gate := _refusals(layout.gates, 0, context)[:1]:
        return Plan((), tuple(Judgement(gap, article.offsets[gap], Verdict.REFUSED, None, gate) for gap in gaps))
    refused = [_refusals(layout.rules, gap, context) for gap in gaps]
    chosen = select(context, [not refusals for refusals in refused], layout.schedule)
    slots = _slots(article, layout, chosen)
    return Plan(slots, _judgements(article, refused, chosen, slots), chosen.dropped)


def _refusals(rules: Sequence[Rule], gap: int, context: Context) -> Refusals:
    return tuple(refusal for rule in rules if (refusal := rule.refuse(gap, context)) is not None)


def _slots(article: Article, layout: Layout, chosen: Selection) -> tuple[Slot, ...]:
    return tuple(
        Slot(
            id=f"inline-{number + 1}",
            style=layout.styles[min(number, len(layout.styles) - 1)],
            gap=gap,
            offset=article.offsets[gap],
            due_gap=due,
        )
        for number, (gap, due) in enumerate(sorted(chosen.ads.items()))
    )


def _judgements(
    article: Article, refused: Sequence[Refusals], chosen: Selection, slots: tuple[Slot, ...]
) -> tuple[Judgement, ...]:
    ids = {slot.gap: slot.id for slot in slots}
    return tuple(
        Judgement(gap, article.offsets[gap], Verdict.SLOT, ids[gap])
        if gap in ids
        else Judgement(gap, article.offsets[gap], Verdict.REFUSED, None, refusals)
        if refusals
        else Judgement(gap, article.offsets[gap], Verdict.FREE, None, chosen.free[gap])
        for gap, refusals in enumerate(refused)
    )
