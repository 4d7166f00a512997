"""What stands in an article beside its text, for a layout to heed: editors' comments, words, earlier slots of ours."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from turbohtml import Comment, Element, Node

from adlayout.article.flow import Flow, Kind
from adlayout.article.measure import SINGLE, ZERO_WIDTH
from adlayout.article.nodes import look
from adlayout.article.points import Points
from adlayout.model import MarkerNames, Marks, Needs

_SLOTS = "[data-adl-slot]"
# What is in these is not the article's own, or never a comment of it.
_CLOSED = frozenset(["template", "noscript"])
# An entered wrapper is two entries, and what stands in it has entries of its own.
_EDGES = frozenset([Kind.OPEN, Kind.CLOSE])
_UNSEEN = dict.fromkeys(map(ord, ZERO_WIDTH))


class _Found(NamedTuple):
    """A comment in document order: the gap from which on it lies above, and the gap that it stands in, if in one."""

    comment: str
    above_from: int
    gap: int | None


def marks_of(root: Element, source: str, flow: Flow, points: Points, needs: Needs) -> Marks:
    """What the article says beside its text; the ads that it brought are counted elsewhere."""
    names = _patterns(needs.markers)
    comments = list(_comments(root, flow, points)) if names.hint.search(source) else ()
    return Marks(
        composed=bool(root.select(_SLOTS)),
        off=any(names.off.fullmatch(one.comment) for one in comments),
        stopped=_stopped(comments, names, len(points.gaps)) if comments else frozenset(),
        slots=tuple(_slots(comments, names)) if comments else (),
        blocklisted=_first_listed(root, needs.blocklist) if needs.blocklist else None,
    )


# Comments.


class _Patterns(NamedTuple):
    """`hint` finds any of the others in a source, quickly."""

    hint: re.Pattern[str]
    off: re.Pattern[str]
    stop: re.Pattern[str]
    start: re.Pattern[str]
    slot: re.Pattern[str]


@lru_cache(maxsize=64)
def _patterns(names: MarkerNames) -> _Patterns:
    said = (names.off, names.stop, names.start, names.slot)
    beginnings = {re.split(r"[\s:]", name.strip())[0] for name in said}
    either = "|".join("".join(_either_case(letter) for letter in word) for word in sorted(beginnings))
    return _Patterns(
        hint=re.compile(rf"<!--\s*(?:{either})"),
        off=_spelled(names.off),
        stop=_spelled(names.stop),
        start=_spelled(names.start),
        slot=_spelled(names.slot, r"\s+(\S+)"),
    )


def _either_case(letter: str) -> str:
    # A pattern that ignores case is searched for letter by letter; a beginning of its own makes that a leap.
    return f"[{re.escape(letter.lower())}{re.escape(letter.upper())}]" if letter.isalpha() else re.escape(letter)


def _spelled(name: str, rest: str = "") -> re.Pattern[str]:
    """A comment's text with as much white space as one likes, and as little around its colons."""
    text = r"\s*:\s*".join(r"\s+".join(map(re.escape, part.split())) for part in name.split(":"))
    return re.compile(rf"\s*{text}{rest}\s*", re.IGNORECASE)


def _comments(root: Element, flow: Flow, points: Points) -> Iterator[_Found]:
    places = {entry.node: index for index, entry in enumerate(flow.entries) if entry.kind not in _EDGES}
    lasts = [stretch.last for stretch in flow.stretches]
    passed = flow.container is root
    for node in _walk(root):
        passed = passed or node == flow.container
        if not isinstance(node, Comment):
            continue
        at, inside = _place(node, places)
        if at is None:
            yield _Found(node.data, len(points.gaps) if passed else 0, None)
            continue
        gap = bisect_left(lasts, at)
        if gap < len(lasts) and flow.stretches[gap].first <= at:
            yield _Found(node.data, gap + 1, None)
        else:
            yield _Found(node.data, gap + _lies_below(points, at, gap), None if inside else gap)


def _place(node: Node, places: dict[Node, int]) -> tuple[int | None, bool]:
    """Which entry of the flow the comment is or is in, and whether it is inside one."""
    entry: Node | None = node
    while entry is not None and entry not in places:
        entry = entry.parent
    return (None, True) if entry is None else (places[entry], entry != node)


def _lies_below(points: Points, at: int, gap: int) -> bool:
    """Whether an entry between two blocks comes after the point of their gap."""
    span, point = points.spans[at], points.gaps[gap]
    return span is not None and point is not None and span[0] >= point


def _walk(root: Element) -> Iterator[Node]:
    """All nodes in document order, but for what is in a template or stands in for scripts."""
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Element) and node.tag not in _CLOSED:
            waiting.extend(reversed(node.children))


def _stopped(comments: Sequence[_Found], names: _Patterns, gaps: int) -> frozenset[int]:
    stopped: set[int] = set()
    since: int | None = None
    for one in comments:
        if since is None and names.stop.fullmatch(one.comment):
            since = one.above_from
        elif since is not None and names.start.fullmatch(one.comment):
            stopped.update(range(since, one.above_from))
            since = None
    if since is not None:
        stopped.update(range(since, gaps))
    return frozenset(stopped)


def _slots(comments: Sequence[_Found], names: _Patterns) -> Iterator[tuple[int, str]]:
    """The gaps that an editor wants an ad in, with its type; the first says it where several do."""
    taken: set[int] = set()
    for one in comments:
        wanted = names.slot.fullmatch(one.comment)
        if wanted is not None and one.gap is not None and one.gap not in taken:
            taken.add(one.gap)
            yield one.gap, wanted[1]


# Words.


def _first_listed(root: Element, phrases: tuple[str, ...]) -> str | None:
    """The first of the phrases that stands in the visible text as whole words, in any case."""
    text = " ".join(look(root.children)[0].translate(_UNSEEN).casefold().split())
    return next((phrase for phrase in phrases if _stands_in(text, phrase)), None)


def _stands_in(text: str, phrase: str) -> bool:
    wanted = " ".join(phrase.translate(_UNSEEN).casefold().split())
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        if _begins(text, at) and _parts(text[end : end + 1], wanted[-1]):
            return True
        at = text.find(wanted, at + 1)
    return False


def _begins(text: str, at: int) -> bool:
    """Whether a word may begin here: marks belong to the character before them, whatever that is."""
    before = at
    while before and unicodedata.category(text[before - 1]).startswith("M"):
        before -= 1
    return not before or _parts(text[before - 1], text[at])


def _parts(outside: str, inside: str) -> bool:
    """Whether a word ends between two characters; in scripts without spaces every character is one."""
    if not outside or SINGLE.match(inside) or SINGLE.match(outside):
        return not outside or not unicodedata.category(outside).startswith("M")
    is_in_word = outside.isalnum() or outside == "_" or unicodedata.category(outside).startswith("M")
    return not is_in_word or not (inside.isalnum() or inside == "_")
