"""Keys of a layout that exclude each other, so that one never decides or no ad can stand. Knows no article."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from adlayout.placement.distance import Any_, Distance, Plain, Unit
from adlayout.placement.positions import Nth, Position, Share
from adlayout.placement.schema import Inline, Move

_WHOLE: Final = 100
# Of these nothing is left below the last counted block, whatever other blocks follow it.
_COUNTED: Final = frozenset({Unit.PARAGRAPHS, Unit.WORDS, Unit.CHARS, Unit.PERCENT})


class Clash(NamedTuple):
    """Keys that do not go together, the one that is probably meant to change first, as paths below `inline`."""

    keys: tuple[str, ...]
    message: str


def clashes(keys: Inline) -> Iterator[Clash]:
    """What cannot be among the rules of one device."""
    for check in (_every, _grid, _short, _shares, _end, _positions):
        yield from check(keys)


def _in_turn(keys: Inline) -> bool:
    return keys.positions is None and keys.strategy == "greedy" and keys.anchor == "since_last"


def _plain_pair(one: Distance | None, other: Distance | None) -> tuple[Plain, Plain] | None:
    """Both, where they can be compared for every article."""
    if isinstance(one, Plain) and isinstance(other, Plain) and one.unit is other.unit:
        return one, other
    return None


def _every(keys: Inline) -> Iterator[Clash]:
    """An `every` that is smaller than `min_between`, where no ad is dropped, from which `every` alone would count."""
    move = keys.on_conflict
    never_drops = move is None or (isinstance(move, Move) and move.move != "before" and move.limit in (None, "none"))
    if not (_in_turn(keys) and never_drops):
        return
    steps = (("every", keys.every), *((f"escalate.{at}.every", step.every) for at, step in enumerate(keys.escalate)))
    for path, every in steps:
        pair = _plain_pair(every, keys.min_between)
        if pair and pair[0].amount < pair[1].amount:
            yield Clash((path, "min_between"), f"`every: {pair[0].text()}` never decides: `min_between` keeps"
                        f" {pair[1].text()} between any two ads: raise the one or lower the other")  # fmt: skip


def _grid(keys: Inline) -> Iterator[Clash]:
    """Due points that lie nearer to each other than ads may stand; in blocks they are met exactly."""
    pair = _plain_pair(keys.every, keys.min_between)
    if keys.positions is not None or keys.strategy == "spread" or keys.anchor != "grid" or pair is None:
        return
    every, apart = pair
    if every.unit in (Unit.PARAGRAPHS, Unit.BLOCKS) and every.amount < apart.amount:
        yield Clash(("every", "min_between"), f"ads are due every {every.text()}, and `min_between` keeps"
                    f" {apart.text()} between them, so that some move or are dropped: raise the one or lower the"
                    " other")  # fmt: skip


def _short(keys: Inline) -> Iterator[Clash]:
    """A `min_article` that articles pass which are too short for an ad all the same."""
    pair = _plain_pair(keys.min_article, keys.first)
    if keys.positions is not None or (keys.anchor == "grid" and keys.strategy == "greedy") or pair is None:
        return
    least, first = pair
    end = _plain_pair(keys.end_guard, first)
    room = Plain(first.amount + (end[0].amount if end else 0), first.unit)
    if least.unit is Unit.PERCENT or not 0 < least.amount < room.amount:
        return
    needed = f"`first` and `end_guard` need {room.text()}" if end and end[0].amount else f"`first` needs {room.text()}"
    odd = ", while shorter ones get one at the end" if keys.short_article else ""
    yield Clash(("min_article", "first", "end_guard"), f"an article of {least.text()} passes `min_article` and gets no"
                f" ad{odd}: {needed}: raise `min_article` to that or lower the others")  # fmt: skip


def _shares(keys: Inline) -> Iterator[Clash]:
    pair = _plain_pair(keys.first, keys.end_guard)
    grid = keys.anchor == "grid" and keys.strategy == "greedy"
    if keys.positions is not None or grid or pair is None or pair[0].unit is not Unit.PERCENT:
        return
    first, end = pair
    if first.amount + end.amount > _WHOLE >= max(first.amount, end.amount):
        yield Clash(("first", "end_guard"), f"no article has room for an ad: {first.text()} above it (first) and"
                    f" {end.text()} below it (end_guard) are more than 100 %")  # fmt: skip


def _end(keys: Inline) -> Iterator[Clash]:
    if keys.short_article is not None and keys.small_neighbour is not None:
        yield Clash(("short_article", "small_neighbour"), "no short article gets an ad: `small_neighbour` asks for a"
                    " block below it, and at the end there is none: leave one of them out")  # fmt: skip


def _positions(keys: Inline) -> Iterator[Clash]:
    """Positions whose own gap is refused in every article, so that their ads move or are dropped."""
    for at, entry in enumerate(keys.positions.entries if keys.positions is not None else ()):
        paths = (f"positions.{at}", "positions")
        if entry.never:
            continue
        if _is_guarded(entry, keys.end_guard):
            yield Clash((*paths, "end_guard"), f"no ad stands at {entry.text}: `end_guard` keeps"
                        f" {keys.end_guard.text()} below each: lower it, or name another position")  # fmt: skip
        if keys.small_neighbour is not None and (_is(entry, 0) or _is(entry, -1) or _is_share(entry)):
            yield Clash((*paths, "small_neighbour"), f"no ad stands at {entry.text}: `small_neighbour` asks for a"
                        " paragraph on both sides: name another position")  # fmt: skip
        if keys.first_screen == "avoid" and _is(entry, 0):
            yield Clash((*paths, "first_screen"), "no ad stands at 0: `first_screen: avoid` keeps ads off the first"
                        " screen: allow them there, or name another position")  # fmt: skip


def _is(entry: Position, number: int) -> bool:
    return isinstance(entry, Nth) and entry.number == number


def _is_share(entry: Position) -> bool:
    """Whether the entry is the gap below everything."""
    return isinstance(entry, Share) and entry.percent == _WHOLE


def _is_guarded(entry: Position, guard: Distance) -> bool:
    """Whether too little lies below the entry in every article."""
    if _is_share(entry):
        return not guard.is_zero
    if not isinstance(entry, Nth) or entry.number >= 0:
        return False
    return _exceeds(guard, -entry.number - 1)


def _exceeds(guard: Distance, left: int) -> bool:
    """Whether a distance is larger than so many counted blocks, whatever is in them."""
    if isinstance(guard, Plain):
        if guard.unit is Unit.PARAGRAPHS:
            return guard.amount > left
        return guard.unit in _COUNTED and not left and guard.amount > 0
    exceeding = (_exceeds(part, left) for part in guard.parts)
    return all(exceeding) if isinstance(guard, Any_) else any(exceeding)
