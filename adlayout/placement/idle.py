"""Keys of a layout that do nothing beside its other keys. Knows no article; says only what holds for every one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from adlayout.errors import Fault
from adlayout.placement.distance import All, Distance, Plain, Unit, units_of
from adlayout.placement.positions import Nth, Position, Series
from adlayout.placement.schema import Blocklist, Clearance, Inline, Move, WeightKeys

_PACE: Final = ("first", "every", "anchor", "escalate")
_SELECTORS: Final = ("exclude_within", "enter", "no_after", "no_before", "keep_with_next", "clearances", "weights")
_MARKERS: Final = ("off", "stop", "start", "slot", "attribute")
_WHOLE: Final = 100
# What is looked for in a text is looked for without these.
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_INSIDE_IMG: Final = frozenset({"a", "picture"})


def idle(keys: Inline) -> Iterator[Fault]:
    """What has no effect among the rules of one device, each at its path below `inline`."""
    for check in (_course, _pace, _ends, _lists, _lifts, _weights, _shares, _positions, _nothing_listed, _styles):
        yield from check(keys)


def _course(keys: Inline) -> Iterator[Fault]:
    if keys.positions is not None:
        for key in _PACE:
            yield Fault(key, "has no effect beside `positions`, which name the gaps: leave one of them out")
    elif keys.strategy == "spread":
        if keys.anchor == "grid":
            yield Fault("anchor", "has no effect beside `strategy: spread`, which places all ads at once: leave it out")
        yield Fault("on_conflict", "has no effect beside `strategy: spread`, where no ad is due in a gap: leave it out")
    elif keys.anchor == "since_last" and isinstance(keys.on_conflict, Move) and keys.on_conflict.move == "before":
        message = "with anchor since_last an ad can never move before its gap, so it is dropped"
        yield Fault("on_conflict.move", message)


def _pace(keys: Inline) -> Iterator[Fault]:
    """Escalations that never come, or that are none."""
    before: Distance = keys.every
    order = sorted(range(len(keys.escalate)), key=lambda at: keys.escalate[at].from_ads)
    for place, at in enumerate(order if keys.positions is None else ()):
        step = keys.escalate[at]
        if step.from_ads >= keys.max_ads:
            message = f"never comes: no ad is placed any more once {keys.max_ads} stand (max_ads)"
            yield Fault(f"escalate.{at}.from_ads", message)
        elif step.from_ads in (keys.escalate[later].from_ads for later in order[place + 1 :]):
            yield Fault(f"escalate.{at}.from_ads", "never holds: a later entry has the same number: leave one out")
            continue
        if step.every == before:
            yield Fault(f"escalate.{at}.every", f"changes nothing: {before.text()} held before: leave it out")
        elif _is_less(step.every, before):
            message = f"is less than the {before.text()} before it: the more ads stand, the nearer they come"
            yield Fault(f"escalate.{at}.every", message)
        before = step.every


def _is_less(one: Distance, other: Distance) -> bool:
    return isinstance(one, Plain) and isinstance(other, Plain) and one.unit is other.unit and one.amount < other.amount


def _ends(keys: Inline) -> Iterator[Fault]:
    if keys.min_article is None or keys.min_article.is_zero:
        yield Fault("short_article", "has no effect without `min_article`: say below what an article is short")
    elif isinstance(keys.min_article, Plain) and keys.min_article.unit is Unit.PERCENT:
        message = "an article with text always has 100 % of itself: write paragraphs, words or chars"
        yield Fault("min_article", message)


def _lists(keys: Inline) -> Iterator[Fault]:
    """Entries that are said twice, or that another list has already."""
    lists: list[tuple[str, Sequence[object]]] = [(key, getattr(keys, key)) for key in _SELECTORS]
    lists += [("count.tags", keys.count.tags), ("existing_ads.selectors", keys.existing_ads.selectors)]
    for key, entries in lists:
        for at, entry in enumerate(entries):
            if entry in entries[:at]:
                yield Fault(f"{key}.{at}", "was said before in this list: leave it out")
    for at, selector in enumerate(keys.enter):
        if selector in keys.exclude_within:
            yield Fault(f"enter.{at}", "is never entered: `exclude_within` has it too: take it out there")
    if keys.existing_ads.mode == "ignore":
        message = "has no effect beside `mode: ignore`, which looks for no ads: leave one of them out"
        yield Fault("existing_ads.selectors", message)


def _lifts(keys: Inline) -> Iterator[Fault]:
    for at, one in enumerate(keys.clearances):
        if one.before is None:
            yield Fault(f"clearances.{at}.lift_before_if_next", "has no effect without `before`, which it lifts")
        yield from (Fault(f"clearances.{at}.{side}", "keeps nothing: leave it out") for side in _free_sides(one))


def _free_sides(one: Clearance) -> Iterator[str]:
    for side, distance in (("after", one.after), ("before", one.before)):
        if distance is not None and distance.is_zero:
            yield side


def _weights(keys: Inline) -> Iterator[Fault]:
    units = {unit for distance in keys.distances for unit in units_of(distance)}
    chars = bool(units & {Unit.CHARS, Unit.PERCENT}) or (keys.positions is not None and keys.positions.shares)
    for at, one in enumerate(keys.weights):
        if not one.words and not one.chars:
            yield Fault(f"weights.{at}", "adds nothing: say how many `words` or `chars`")
        elif not (one.words and Unit.WORDS in units) and not (one.chars and chars):
            unit = "words" if one.words and not one.chars else "chars" if not one.words else "words or chars"
            yield Fault(f"weights.{at}", f"has no effect: no distance of this layout is in {unit}")
        if uncounted := _uncounted(one, frozenset(keys.count.tags)):
            message = f"adds nothing, for {uncounted} does not count: add it to `count.tags`"
            yield Fault(f"weights.{at}.selector", message)


def _uncounted(one: WeightKeys, tags: frozenset[str]) -> str:
    """The tags that a weight is for, where they are nothing but tags and none of them counts."""
    named = [tag.strip().lower() for tag in one.selector.split(",")]
    # A lone picture, or a link around one, is an `img`.
    counted = tags | (_INSIDE_IMG if "img" in tags else frozenset())
    if counted.isdisjoint(named) and all(tag.isascii() and tag.isalnum() for tag in named):
        return ", ".join(named)
    return ""


def _shares(keys: Inline) -> Iterator[Fault]:
    for path, distance in _distances(keys):
        for at, plain in _plain(path, distance):
            if plain.unit is Unit.PERCENT and plain.amount > _WHOLE:
                yield Fault(at, f"is never reached, for no article has {plain.text()}: write 100 % or less")


def _distances(keys: Inline) -> Iterator[tuple[str, Distance]]:
    paced = ("first", "every") if keys.positions is None else ()
    for key in (*paced, "min_between", "min_article", "end_guard", "small_neighbour"):
        if (distance := getattr(keys, key)) is not None:
            yield key, distance
    for at, step in enumerate(keys.escalate if paced else ()):
        yield f"escalate.{at}.every", step.every
    for at, one in enumerate(keys.clearances):
        sides = (("after", one.after), ("before", one.before))
        yield from ((f"clearances.{at}.{side}", distance) for side, distance in sides if distance is not None)


def _plain(path: str, distance: Distance) -> Iterator[tuple[str, Plain]]:
    if isinstance(distance, Plain):
        yield path, distance
        return
    name = "all" if isinstance(distance, All) else "any"
    for at, part in enumerate(distance.parts):
        yield from _plain(f"{path}.{name}.{at}", part)


def _positions(keys: Inline) -> Iterator[Fault]:
    """Positions that no article has, that are meant twice, or that are taken back."""
    entries = keys.positions.entries if keys.positions is not None else ()
    for at, entry in enumerate(entries):
        if isinstance(entry, Series) and entry.step <= 0 and entry.start < 1:
            yield Fault(f"positions.{at}", f"{entry.text} means no gap: all its results are under 1")
        elif not entry.never and (other := _covering(entry, (one for one in entries if one.never))):
            yield Fault(f"positions.{at}", f"never holds an ad: {other.text} forbids it: leave one of them out")
        elif other := _covering(entry, _others(at, entries)):
            yield Fault(f"positions.{at}", f"{entry.text} is meant by {other.text} already: leave it out")


def _others(at: int, entries: Sequence[Position]) -> Iterator[Position]:
    """What may mean an entry already: what stands before it, and for a single gap also a series below."""
    for place, other in enumerate(entries):
        is_wider = place > at and isinstance(other, Series) and not isinstance(entries[at], Series)
        if other.never is entries[at].never and (place < at or is_wider):
            yield other


def _covering(entry: Position, others: Iterable[Position]) -> Position | None:
    """The first of the others that means the entry's gap in whatever article."""
    return next((other for other in others if _covers(other, entry)), None)


def _covers(other: Position, entry: Position) -> bool:
    match other, entry:
        case Nth(number), Nth(wanted):
            return number == wanted
        case Series(step, start), Nth(wanted) if wanted > 0:
            return wanted == start if step == 0 else (wanted - start) % step == 0 and (wanted - start) // step >= 0
        case Series(step, start), Series(wanted, begin):
            return (step, start) == (wanted, begin)
    return False


def _nothing_listed(keys: Inline) -> Iterator[Fault]:
    """Words that nobody can see, and markers that cannot be told apart."""
    for key in Blocklist.model_fields:
        entries: Sequence[str] = getattr(keys.blocklist, key)
        for at, entry in enumerate(entries):
            if not entry.translate(_INVISIBLE).strip():
                yield Fault(f"blocklist.{key}.{at}", "has nothing to be seen in it, and is never found: leave it out")
            elif entry.casefold() in (other.casefold() for other in entries[:at]):
                yield Fault(f"blocklist.{key}.{at}", "was said before in this list, in whatever case: leave it out")
    names = [(key, getattr(keys.markers, key)) for key in _MARKERS[:-1]]
    for place, (key, text) in enumerate(names):
        if same := next((other for other, said in names[:place] if said == text), None):
            yield Fault(f"markers.{key}", f"is the text of `{same}` too, so that they cannot be told apart")


def _styles(keys: Inline) -> Iterator[Fault]:
    """Entries of `slots` that no ad takes, and a `lazy_after` that none heeds."""
    for at, slot in enumerate(keys.slots):
        if at and slot == keys.slots[at - 1] and at == len(keys.slots) - 1:
            yield Fault(f"slots.{at}", "is as the entry before it, which repeats anyway: leave it out")
        # An editor may ask for a type by its name, whatever its place in the list.
        elif at >= keys.max_ads and slot.type in (other.type for other in keys.slots[:at]):
            message = f"is for ad {at + 1}, and max_ads is {keys.max_ads}, so that only an editor's ad may take it"
            yield Fault(f"slots.{at}", f"{message}: leave it out")
    if all(slot.lazy is not None for slot in keys.slots):
        yield Fault("lazy_after", "has no effect, for each entry of `slots` has its own `lazy`: leave it out")
    elif keys.lazy_after >= keys.max_ads:
        yield Fault("lazy_after", f"makes no ad lazy, for max_ads is {keys.max_ads}: write less than that")
