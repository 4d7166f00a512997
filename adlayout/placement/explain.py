"""Every gap's verdict with the reasons for it, for a person who asks; the slots are those that `place` gives."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from adlayout.model import Article, Judgement, Plan, Reason, Refusal, Verdict
from adlayout.placement.distance import Distance, Plain
from adlayout.placement.layout import Layout
from adlayout.placement.measures import Measure
from adlayout.placement.place import slots_of
from adlayout.placement.rules import Context, Rule
from adlayout.placement.select import Choice, select


def explain(article: Article, layout: Layout, unsafe: frozenset[int] = frozenset()) -> Plan:
    """The plan of an article with a judgement of each gap; `unsafe` are those in which an ad would change the tree."""
    context = Context(article, unsafe)
    if gate := _refusals(layout.gates, 0, context)[:1]:
        return Plan((), gaps=tuple(_refused(article, gap, gate) for gap in range(context.last_gap + 1)))
    refused = [_refusals(layout.rules, gap, context) for gap in range(context.last_gap + 1)]
    choice = select(context, [not refusals for refusals in refused], layout.schedule)
    slots = slots_of(article, layout, choice.ads)
    ids = {slot.gap: slot.id for slot in slots}
    free = _reasons(choice)
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
    )


def _refusals(rules: Sequence[Rule], gap: int, context: Context) -> tuple[Refusal, ...]:
    return tuple(refusal for rule in rules if (refusal := rule.refuse(gap, context)) is not None)


def _refused(article: Article, gap: int, refusals: tuple[Refusal, ...]) -> Judgement:
    return Judgement(gap, article.offsets[gap], Verdict.REFUSED, None, refusals)


def _reasons(choice: Choice) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free, were it allowed and not chosen."""
    schedule = choice.schedule
    if schedule.grid and isinstance(schedule.first, Plain) and isinstance(schedule.every, Plain):
        return _grid_reasons(choice, schedule.first, schedule.every)
    return _turn_reasons(choice)


def _turn_reasons(choice: Choice) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: too little since the last ad was due or stood, or a cap."""
    context, schedule = choice.context, choice.schedule
    bases, ads = iter([*choice.bases, context.last_gap + 1]), choice.ads
    capped = min(choice.capped, default=context.last_gap + 1)
    reasons: dict[int, tuple[Refusal, ...]] = {}
    base: int | None = None
    ad: int | None = None
    coming = next(bases)
    for gap in range(context.last_gap + 1):
        if gap >= capped:
            reasons[gap] = (_cap(schedule.max_ads),)
        else:
            since = None if base is None else context.between(base, gap)
            apart = None if ad is None else context.between(ad, gap)
            reasons[gap] = (
                *_unmet(Reason.EVERY, schedule.every, since),
                *_unmet(Reason.MIN_BETWEEN, schedule.min_between, apart),
            )
        ad = gap if gap in ads else ad
        if gap == coming:
            base, coming = gap, next(bases)
    return reasons


def _unmet(reason: Reason, distance: Distance, measured: Measure | None) -> Iterator[Refusal]:
    if measured is not None and not distance.reached(measured):
        yield Refusal(reason, distance.text(), distance.actual(measured))


def _cap(most: int) -> Refusal:
    return Refusal(Reason.MAX_ADS, f"at most {_ads(most)}", _ads(most))


def _ads(count: int) -> str:
    return f"{count} ad" if count == 1 else f"{count} ads"


def _grid_reasons(choice: Choice, first: Plain, every: Plain) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: it is no due point, or an ad is too near, or a cap took its ad."""
    context, taken = choice.context, sorted(choice.ads)
    reasons: dict[int, tuple[Refusal, ...]] = {}
    for gap, measure in enumerate(context.to_gap):
        if gap in choice.capped:
            reasons[gap] = (_cap(choice.schedule.max_ads),)
        elif gap in choice.due:
            reasons[gap] = tuple(_too_near(choice, gap, taken))
        else:
            beyond = max(0, (measure[first.at] - first.amount) // every.amount + 1)
            due = Plain(first.amount + beyond * every.amount, first.unit)
            reasons[gap] = (Refusal(Reason.EVERY, due.text(), due.actual(measure)),)
    return reasons


def _too_near(choice: Choice, gap: int, taken: list[int]) -> Iterator[Refusal]:
    """The first ad beside the gap, above it or below, that is too near to it."""
    at = bisect_right(taken, gap)
    for other in taken[max(0, at - 1) : at + 1]:
        measured = choice.context.between(min(other, gap), max(other, gap))
        found = tuple(_unmet(Reason.MIN_BETWEEN, choice.schedule.min_between, measured))
        if found:
            yield found[0]
            return
