"""What a layout says in vain: each row a layout, the place and the words of its warning; and layouts without any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adlayout.assemble import assemble
from adlayout.placement.doubts import doubts
from adlayout.placement.overlay import extended
from adlayout.placement.schema import LayoutFile

CONFIG = Path(__file__).parents[1] / "config"


def told(text: str, base: str = "") -> list[tuple[str, str]]:
    """The doubts of a layout whose `inline` this is, laid over another one where there is one."""
    own = {"inline": yaml.safe_load(text)} | ({"extends": "base"} if base else {})
    whole = extended(own, {"base": {"inline": yaml.safe_load(base)}} if base else {})
    return [
        (fault.at.removeprefix("inline."), fault.message) for fault in doubts(LayoutFile.model_validate(whole), own)
    ]


BESIDE_POSITIONS = "has no effect beside `positions`, which name the gaps: leave one of them out"
TWICE = "was said before in this list: leave it out"
NO_NEIGHBOUR = "`small_neighbour` asks for a paragraph on both sides: name another position"
SHORT = "has no effect without `min_article`: say below what an article is short"
OWN_LAZY = "has no effect, for each entry of `slots` has its own `lazy`: leave it out"
SAME = "is the same without `devices`, so that it changes nothing on"
TOO_NEAR = (
    "`every: 2 paragraphs` never decides: `min_between` keeps 4 paragraphs between any two ads:"
    " raise the one or lower the other"
)
NO_ROOM = "and gets no ad: `first` and `end_guard` need 4 paragraphs: raise `min_article` to that or lower the others"

IN_VAIN = [
    # Beside positions and spread.
    ("{positions: [4], first: 2 paragraphs}", "first", BESIDE_POSITIONS),
    ("{positions: [4], every: 2 paragraphs}", "every", BESIDE_POSITIONS),
    ("{positions: [4], anchor: grid}", "anchor", BESIDE_POSITIONS),
    ("{positions: [4], escalate: [{from_ads: 1, every: 2 words}]}", "escalate", BESIDE_POSITIONS),
    ("{strategy: spread, anchor: grid}", "anchor",
     "has no effect beside `strategy: spread`, which places all ads at once: leave it out"),
    ("{strategy: spread, on_conflict: drop}", "on_conflict",
     "has no effect beside `strategy: spread`, where no ad is due in a gap: leave it out"),
    ("{on_conflict: {move: before}}", "on_conflict.move",
     "with anchor since_last an ad can never move before its gap, so it is dropped"),
    ("{on_conflict: {move: before}, devices: {mobile: {on_conflict: drop}}}", "on_conflict.move",
     "with anchor since_last an ad can never move before its gap, so it is dropped"),
    # When ads are due, and how many there are.
    ("{max_ads: 0}", "max_ads",
     "no article gets an ad but where an editor marks a place: write 1 or more, or leave it out"),
    ("{max_ads: 3, escalate: [{from_ads: 3, every: 6 paragraphs}]}", "escalate.0.from_ads",
     "never comes: no ad is placed any more once 3 stand (max_ads)"),
    ("{escalate: [{from_ads: 3, every: 6 paragraphs}, {from_ads: 3, every: 5 paragraphs}]}", "escalate.0.from_ads",
     "never holds: a later entry has the same number: leave one out"),
    ("{escalate: [{from_ads: 3, every: 2 paragraphs}]}", "escalate.0.every",
     "is less than the 3 paragraphs before it: the more ads stand, the nearer they come"),
    ("{escalate: [{from_ads: 5, every: 5 words}, {from_ads: 3, every: 6 words}]}", "escalate.0.every",
     "is less than the 6 words before it: the more ads stand, the nearer they come"),
    ("{escalate: [{from_ads: 3, every: 3 paragraphs}]}", "escalate.0.every",
     "changes nothing: 3 paragraphs held before: leave it out"),
    ("{every: 2 paragraphs, min_between: 4 paragraphs}", "every", TOO_NEAR),
    ("{anchor: grid, every: 2 paragraphs, min_between: 4 paragraphs}", "every",
     "ads are due every 2 paragraphs, and `min_between` keeps 4 paragraphs between them, so that some move or are"
     " dropped: raise the one or lower the other"),
    # Articles and their ends.
    ("{short_article: end}", "short_article", SHORT),
    ("{short_article: end, min_article: 0 words}", "short_article", SHORT),
    ("{short_article: end, min_article: 300 words, small_neighbour: 9 words}", "short_article",
     "no short article gets an ad: `small_neighbour` asks for a block below it, and at the end there is none: leave one"
     " of them out"),
    ("{min_article: 50 %}", "min_article",
     "an article with text always has 100 % of itself: write paragraphs, words or chars"),
    ("{min_article: 3 paragraphs}", "min_article", f"an article of 3 paragraphs passes `min_article` {NO_ROOM}"),
    ("{min_article: 2 paragraphs, short_article: end}", "min_article",
     "an article of 2 paragraphs passes `min_article` and gets no ad, while shorter ones get one at the end: `first`"
     " and `end_guard` need 4 paragraphs: raise `min_article` to that or lower the others"),
    ("{min_article: 100 words, first: 150 words}", "min_article",
     "an article of 100 words passes `min_article` and gets no ad: `first` needs 150 words: raise `min_article` to that"
     " or lower the others"),
    ("{first: 60 %, end_guard: 50 %}", "first",
     "no article has room for an ad: 60 % above it (first) and 50 % below it (end_guard) are more than 100 %"),
    ("{first: 120 %}", "first", "is never reached, for no article has 120 %: write 100 % or less"),
    ("{every: {any: [4 paragraphs, {all: [101 %, 2 words]}]}}", "every.any.1.all.0",
     "is never reached, for no article has 101 %: write 100 % or less"),
    ("{escalate: [{from_ads: 2, every: 101 %}]}", "escalate.0.every",
     "is never reached, for no article has 101 %: write 100 % or less"),
    # Positions.
    ("{positions: [3, -1]}", "positions.1",
     "no ad stands at -1: `end_guard` keeps 1 paragraph below each: lower it, or name another position"),
    ("{positions: -1}", "positions",
     "no ad stands at -1: `end_guard` keeps 1 paragraph below each: lower it, or name another position"),
    ("{positions: [-2], end_guard: {all: [9 px, 2 paragraphs]}}", "positions.0",
     "no ad stands at -2: `end_guard` keeps 9 px and 2 paragraphs below each: lower it, or name another position"),
    ("{positions: [-1], end_guard: {any: [9 words, 9 chars]}}", "positions.0",
     "no ad stands at -1: `end_guard` keeps 9 words or 9 chars below each: lower it, or name another position"),
    ("{positions: [100 %], end_guard: 9 px}", "positions.0",
     "no ad stands at 100 %: `end_guard` keeps 9 px below each: lower it, or name another position"),
    ("{positions: [0, 4], small_neighbour: 9 words}", "positions.0", f"no ad stands at 0: {NO_NEIGHBOUR}"),
    ("{positions: [-1], end_guard: 0 words, small_neighbour: 9 words}", "positions.0",
     f"no ad stands at -1: {NO_NEIGHBOUR}"),
    ("{positions: [100 %], end_guard: 0 words, small_neighbour: 9 words}", "positions.0",
     f"no ad stands at 100 %: {NO_NEIGHBOUR}"),
    ("{positions: [0], first_screen: avoid}", "positions.0",
     "no ad stands at 0: `first_screen: avoid` keeps ads off the first screen: allow them there, or name another"
     " position"),
    ("{positions: [4, 4]}", "positions.1", "4 is meant by 4 already: leave it out"),
    ("{positions: [7, 3n+1]}", "positions.0", "7 is meant by 3n+1 already: leave it out"),
    ("{positions: [3n+1, 3n+1]}", "positions.1", "3n+1 is meant by 3n+1 already: leave it out"),
    ("{positions: [3, 0n+3]}", "positions.0", "3 is meant by 0n+3 already: leave it out"),
    ("{positions: [4, 7, '!2n']}", "positions.0", "never holds an ad: !2n forbids it: leave one of them out"),
    ("{positions: -2n}", "positions", "-2n means no gap: all its results are under 1"),
    # Lists and selectors.
    ("{no_after: [h2, h3, h2]}", "no_after.2", TWICE),
    ("{count: {tags: [p, p]}}", "count.tags.1", TWICE),
    ("{clearances: [{selector: ul, after: 1 word}, {selector: ul, after: 1 word}]}", "clearances.1", TWICE),
    ("{enter: [section, aside]}", "enter.1", "is never entered: `exclude_within` has it too: take it out there"),
    ("{existing_ads: {mode: ignore, selectors: [.ad]}}", "existing_ads.selectors",
     "has no effect beside `mode: ignore`, which looks for no ads: leave one of them out"),
    ("{clearances: [{selector: ul, after: 2 words, lift_before_if_next: h2}]}", "clearances.0.lift_before_if_next",
     "has no effect without `before`, which it lifts"),
    ("{clearances: [{selector: ul, after: 0 px, before: 2 words}]}", "clearances.0.after",
     "keeps nothing: leave it out"),
    ("{every: 9 words, weights: [{selector: 'ul, OL', words: 9}]}", "weights.0.selector",
     "adds nothing, for ul, ol does not count: add it to `count.tags`"),
    ("{every: 9 words, weights: [{selector: p}]}", "weights.0", "adds nothing: say how many `words` or `chars`"),
    ("{every: 9 words, weights: [{selector: p, chars: 4}]}", "weights.0",
     "has no effect: no distance of this layout is in chars"),
    ("{weights: [{selector: p, chars: 4, words: 4}]}", "weights.0",
     "has no effect: no distance of this layout is in words or chars"),
    # Words that are looked for.
    ('{blocklist: {words: [war, "\\u200b\\u00ad"]}}', "blocklist.words.1",
     "has nothing to be seen in it, and is never found: leave it out"),
    ("{blocklist: {sections: [War, waR]}}", "blocklist.sections.1",
     "was said before in this list, in whatever case: leave it out"),
    ("{markers: {stop: no ads, start: no ads}}", "markers.start",
     "is the text of `stop` too, so that they cannot be told apart"),
    # Slots.
    ("{max_ads: 1, slots: [{formats: [fluid]}, {}]}", "slots.1",
     "is for ad 2, and max_ads is 1, so that only an editor's ad may take it: leave it out"),
    ("{slots: [{}, {type: in-article}]}", "slots.1", "is as the entry before it, which repeats anyway: leave it out"),
    ("{lazy_after: 8}", "lazy_after", "makes no ad lazy, for max_ads is 8: write less than that"),
    ("{lazy_after: 2, slots: [{lazy: true}]}", "lazy_after", OWN_LAZY),
    # Devices.
    ("{devices: {tablet: {}}}", "devices.tablet", "changes nothing on tablet: leave it out"),
    ("{every: 4 paragraphs, devices: {mobile: {every: 4 paragraph}}}", "devices.mobile",
     "changes nothing on mobile: leave it out"),
    ("{devices: {mobile: {every: 3 paragraphs, first: 9 words}}}", "devices.mobile.every",
     f"{SAME} mobile: leave it out"),
    ("{devices: {mobile: {first: 9 words, max_density: {mobile: 30 %, desktop: 25 %}}}}",
     "devices.mobile.max_density.desktop", "has no effect on mobile: leave it out"),
    ("{devices: {desktop: {estimate: {column: {tablet: 500}}}}}", "devices.desktop.estimate.column.tablet",
     "has no effect on desktop: leave it out"),
    ("{every: 5 words, devices: {mobile: {every: 2 words}, tablet: {every: 3 words}, desktop: {every: 4 words}}}",
     "every", "never holds, for each device has its own: leave one of them out"),
    ("{every: 5 words, devices: {mobile: {positions: [4]}, tablet: {every: 2 words, positions: [4]},"
     " desktop: {first: 2 words}}}", "devices.tablet.every", BESIDE_POSITIONS),
    ("{first: 9 words, devices: {mobile: {max_ads: 0}, tablet: {positions: [4]}, desktop: {positions: [5]}}}",
     "first", BESIDE_POSITIONS),
    ("{positions: [-1], end_guard: 0 words, devices: {mobile: {end_guard: 2 words}}}", "devices.mobile.end_guard",
     "no ad stands at -1: `end_guard` keeps 2 words below each: lower it, or name another position"),
]  # fmt: skip


@pytest.mark.parametrize(("inline", "at", "message"), IN_VAIN, ids=[row[0] for row in IN_VAIN])
def test_what_is_in_vain_is_told(inline: str, at: str, message: str) -> None:
    assert told(inline) == [(at, message)]


@pytest.mark.parametrize("inline", [
    "{}",
    "{first: 0 paragraphs, every: 1 paragraph, end_guard: 0 paragraphs, max_ads: 99}",
    "{positions: [0, 3, -2, 50 %, 100n+7, '!5'], end_guard: 1 paragraph}",
    "{positions: [-1], end_guard: 9 px}",
    "{positions: [-1], end_guard: {any: [9 px, 1 paragraph]}}",
    "{positions: [-1], end_guard: 0 paragraphs, on_conflict: {move: before}}",
    "{positions: [-2], small_neighbour: 9 words}",
    "{positions: [2, -2n+9]}",
    "{every: 2 paragraphs, min_between: 4 paragraphs, on_conflict: drop}",
    "{every: 2 paragraphs, min_between: 4 paragraphs, on_conflict: {move: after, limit: 2}}",
    "{every: 2 paragraphs, min_between: 4 blocks}",
    "{every: {any: [2 paragraphs, 2 words]}, min_between: 4 paragraphs}",
    "{anchor: grid, first: 90 chars, every: 90 chars, min_between: 180 chars}",
    "{anchor: grid, first: 9 paragraphs, min_article: 4 paragraphs}",
    "{anchor: grid, on_conflict: {move: before, limit: 1}}",
    "{strategy: spread, anchor: since_last}",
    "{min_article: 4 paragraphs, short_article: end}",
    "{min_article: 3 blocks, short_article: end}",
    "{first: 60 %, end_guard: 40 %}",
    "{escalate: [{from_ads: 4, every: 9 words}, {from_ads: 2, every: 6 paragraphs}]}",
    "{clearances: [{selector: ul, before: 2 words, lift_before_if_next: ul}, {selector: ul, before: 3 words}]}",
    "{every: 9 words, count: {tags: [p, img]}, weights: [{selector: 'picture, a', words: 9}]}",
    "{every: 9 words, weights: [{selector: 'ul, p', words: 9}, {selector: '.wide', words: 9}]}",
    "{positions: [50 %], weights: [{selector: p, chars: 9}]}",
    "{max_ads: 1, slots: [{}, {type: sponsored}]}",
    "{lazy_after: 7, slots: [{lazy: true}, {}]}",
    "{every: 5 words, devices: {mobile: {positions: [4]}}}",
    "{every: 5 words, positions: [4], devices: {mobile: {positions: null}}}",
    "{devices: {mobile: {max_ads: 0}}}",
    "{max_ads: 0, devices: {mobile: {max_ads: 2}}}",
    "{count: {min_words: 4}, devices: {mobile: {count: {min_words: 2}}, tablet: {count: {min_words: 3}},"
    " desktop: {count: {min_words: 5}}}}",
    "{max_density: 30 %, devices: {mobile: {max_density: 25 %}}}",
    "{last_slot_fit: on, slots: [{formats: [fluid]}]}",
])  # fmt: skip
def test_what_may_have_an_effect_is_left_alone(inline: str) -> None:
    assert told(inline) == []


@pytest.mark.parametrize(("inline", "base", "expect"), [
    ("{positions: [4]}", "{every: 2 paragraphs}", []),
    ("{every: 2 paragraphs}", "{positions: [4]}", [("every", BESIDE_POSITIONS)]),
    ("{min_between: 4 paragraphs}", "{every: 2 paragraphs}", [("min_between", TOO_NEAR)]),
    ("{label: Anzeige}", "{every: 2 paragraphs, min_between: 4 paragraphs}", []),
    ("{devices: {mobile: {every: 3 paragraphs}}}", "{devices: {mobile: {every: 9 paragraphs}}}", []),
])  # fmt: skip
def test_a_layout_is_told_of_what_it_writes_itself(inline: str, base: str, expect: list[Any]) -> None:
    assert told(inline, base) == expect


def test_nothing_that_ships_is_in_vain() -> None:
    assert assemble(CONFIG, {}).warnings == ()
