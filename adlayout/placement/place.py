"""Placement: the gaps of an article that pass a layout's rules, and the ads given to some of them. Pure and linear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adlayout.formats import height_of
from adlayout.model import Article, Plan, Slot, SlotStyle
from adlayout.placement.context import Context
from adlayout.placement.density import inline_styles, space_of, thin_out
from adlayout.placement.layout import Layout
from adlayout.placement.select import Choice, select
from adlayout.placement.trial import Trial, trial_of


def place(article: Article, layout: Layout, unsafe: frozenset[int] = frozenset()) -> Plan:
    """The slots of an article: gates, then the hard rules of each gap, then selection among those that pass.

    `unsafe` are the gaps in which an ad would change the article's tree.
    """
    context = Context(article, unsafe)
    trial = trial_of(layout, context)
    if trial.is_shut:
        return Plan((), space=space_of(article, (), layout, context.to_gap[-1]))
    # Who wants to know every refusal, and not only whether there is one, asks `explain`.
    choice = choose(trial, trial.allowed(), layout)
    slots = tuple(slots_of(choice, layout))
    return Plan(slots, dropped=tuple(choice.dropped), space=space_of(article, slots, layout, context.to_gap[-1]))


def choose(trial: Trial, allowed: list[bool], layout: Layout) -> Choice:
    """The gaps that get ads, no more of them than the page can take."""
    choice = select(trial.context, allowed, layout.schedule, at_end=trial.at_end)
    thin_out(choice, layout)
    return choice


def slots_of(choice: Choice, layout: Layout) -> Iterator[Slot]:
    """The slots in document order."""
    article, styles = choice.context.article, inline_styles(choice, layout)
    for number, (gap, style) in enumerate(styles.items(), start=1):
        if layout.last_slot_fits and number == len(styles):
            style = _fitting(style, choice.context.between(gap, choice.context.last_gap).px)
        yield Slot(f"inline-{number}", style, gap, article.offsets[gap], choice.ads.get(gap, gap))


def _fitting(style: SlotStyle, room_px: int) -> SlotStyle:
    """The style without the formats that are taller than the room."""
    return replace(style, formats=tuple(format for format in style.formats if height_of(format) <= room_px))
