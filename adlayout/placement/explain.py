"""Every gap's verdict with the reasons for it, for a person who asks; the slots are those that `place` gives."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from adlayout.model import Article, Judgement, Plan, Reason, Refusal, Verdict
from adlayout.placement.context import Context
from adlayout.placement.density import space_of
from adlayout.placement.distance import Distance, Plain
from adlayout.placement.layout import Course, Layout
from adlayout.placement.place import choose, slots_of
from adlayout.placement.select import Choice
from adlayout.placement.trial import trial_of


def explain(
    article: Article, layout: Layout, unsafe: frozenset[int] = frozenset(), listed: Refusal | None = None
) -> Plan:
    """The plan of an article with a judgement of each gap.

    `unsafe` are those in which an ad would change the tree, `listed` is what the blocklist has against the article.
    """
    context = Context(article, unsafe, listed)
    trial = trial_of(layout, context)
    refused = [tuple(trial.refusals(gap)) for gap in range(context.last_gap + 1)]
    if trial.is_shut:
        return Plan((), tuple(_refused(article, gap, why) for gap, why in enumerate(refused)),
                    space=space_of(article, (), layout, context.to_gap[-1]))  # fmt: skip
    choice = choose(trial, [not refusals for refusals in refused], layout)
    slots = tuple(slots_of(choice, layout))
    ids = {slot.gap: slot.id for slot in slots}
    free = _reasons(choice, at_end=trial.at_end)
    return Plan(
        slots,
        tuple(
            Judgement(gap, article.offsets[gap], Verdict.SLOT, ids[gap])
            if gap in ids
            else _refused(article, gap, refusals)
            if refusals
            else Judgement(gap, article.offsets[gap], Verdict.FREE, None, free[gap])
            for gap, refusals in enumerate(refused)
        ),
        tuple(choice.dropped),
        space_of(article, slots, layout, context.to_gap[-1]),
    )


def _refused(article: Article, gap: int, refusals: tuple[Refusal, ...]) -> Judgement:
    return Judgement(gap, article.offsets[gap], Verdict.REFUSED, None, refusals)


def _reasons(choice: Choice, *, at_end: bool) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free, were it allowed and not chosen."""
    schedule = choice.schedule
    reasons: dict[int, tuple[Refusal, ...]]
    if at_end:
        reasons = {choice.context.last_gap: (_cap(choice),)}
    elif schedule.positions is not None:
        reasons = _position_reasons(choice, schedule.positions.text)
    elif schedule.course is Course.GRID and isinstance(schedule.first, Plain):
        reasons = _grid_reasons(choice, schedule.first)
    elif schedule.course is Course.SPREAD:
        reasons = _spread_reasons(choice)
    else:
        reasons = _turn_reasons(choice)
    near = {gap: (refusal,) for gap, refusal in choice.near.items()}
    return reasons | near | {gap: (refusal,) for gap, refusal in choice.dense.items()}


def _turn_reasons(choice: Choice) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: too little since the last ad was due or stood, or a cap."""
    context, schedule = choice.context, choice.schedule
    bases, ads = iter([*choice.bases, context.last_gap + 1]), {*choice.ads, *choice.dense}
    capped = min(choice.capped, default=context.last_gap + 1)
    reasons: dict[int, tuple[Refusal, ...]] = {}
    base: int | None = None
    ad: int | None = None
    stood = 0
    coming = next(bases)
    for gap in range(context.last_gap + 1):
        if gap >= capped:
            reasons[gap] = (_cap(choice),)
        else:
            every = schedule.every_after(stood + choice.standing.over(gap))
            since = None if base is None else (base, gap)
            apart = None if ad is None else (ad, gap)
            reasons[gap] = (
                *_unmet(Reason.EVERY, every, since, context),
                *_unmet(Reason.MIN_BETWEEN, schedule.min_between, apart, context),
            )
        if gap in ads:
            ad, stood = gap, stood + 1
        if gap == coming:
            base, coming = gap, next(bases)
    return reasons


def _unmet(reason: Reason, distance: Distance, gaps: tuple[int, int] | None, context: Context) -> Iterator[Refusal]:
    if gaps is not None and not context.reached(distance, *gaps):
        yield Refusal(reason, distance.text(), distance.actual(context.between(*gaps)))


def _cap(choice: Choice) -> Refusal:
    most = choice.schedule.max_ads
    return Refusal(Reason.MAX_ADS, f"at most {_ads(most)}", _ads(len(choice.ads) + len(choice.dense) + choice.others))


def _ads(count: int) -> str:
    return f"{count} ad" if count == 1 else f"{count} ads"


def _grid_reasons(choice: Choice, first: Plain) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: it is no due point, or an ad is too near, or a cap took its ad."""
    points = sorted({*choice.due.values(), choice.coming})
    whole = choice.context.to_gap[-1].whole
    reasons = _due_reasons(choice)
    for gap, measure in enumerate(choice.context.to_gap):
        if gap not in reasons:
            due = points[min(bisect_right(points, first.place(measure)), len(points) - 1)]
            reasons[gap] = (Refusal(Reason.EVERY, first.sized(due, whole), first.actual(measure)),)
    return reasons


def _position_reasons(choice: Choice, positions: str) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: no position names it, or an ad is too near, or a cap took its ad."""
    context = choice.context
    named = _due_reasons(choice)
    unnamed = {
        gap: (Refusal(Reason.POSITIONS, positions, context.after_text(gap)),) for gap in range(context.last_gap + 1)
    }
    return unnamed | named


def _due_reasons(choice: Choice) -> dict[int, tuple[Refusal, ...]]:
    """Of each gap in which an ad was due why it would be free all the same."""
    taken = sorted({*choice.ads, *choice.dense})
    return {
        gap: (_cap(choice),) if gap in choice.capped else tuple(_too_near(choice, gap, taken)) for gap in choice.due
    }


def _too_near(choice: Choice, gap: int, taken: list[int]) -> Iterator[Refusal]:
    """The first ad beside the gap, above it or below, that is too near to it."""
    at = bisect_right(taken, gap)
    for other in taken[max(0, at - 1) : at + 1]:
        ends = (min(other, gap), max(other, gap))
        found = tuple(_unmet(Reason.MIN_BETWEEN, choice.schedule.min_between, ends, choice.context))
        if found:
            yield found[0]
            return


def _spread_reasons(choice: Choice) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: an ad stands too near, or there are as many as there may be."""
    context, schedule = choice.context, choice.schedule
    taken = sorted({*choice.ads, *choice.dense})
    reasons: dict[int, tuple[Refusal, ...]] = {}
    for gap in range(context.last_gap + 1):
        at = bisect_right(taken, gap)
        sides = [(min(other, gap), max(other, gap)) for other in taken[max(0, at - 1) : at + 1]]
        unmet = [
            refusal
            for ends in sides
            for reason, distance in ((Reason.EVERY, schedule.every), (Reason.MIN_BETWEEN, schedule.min_between))
            for refusal in _unmet(reason, distance, ends, context)
        ]
        reasons[gap] = tuple({refusal.rule: refusal for refusal in reversed(unmet)}.values()) or (_cap(choice),)
    return reasons
