"""Placement: the table of cases, and what a whole plan says."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from adlayout.model import (
    Article,
    Block,
    Dropped,
    Judgement,
    Marks,
    Plan,
    Reason,
    Refusal,
    Slot,
    SlotStyle,
    Space,
    Verdict,
)
from adlayout.placement.explain import explain
from adlayout.placement.layout import Layout, compile_layout
from adlayout.placement.measures import Measure
from adlayout.placement.place import place
from adlayout.placement.schema import LayoutFile
from adlayout.placement.totals import totals

TABLE = yaml.safe_load((Path(__file__).parent / "cases" / "rules.yaml").read_text(encoding="utf-8"))
TAGS = {"p": "p", "s": "p", "H": "h2", "f": "figure", "e": "p", "t": None, "A": "div", "x": "p"}
WORDS = {"s": 1, "e": 0}
NO_MARKS = Marks()


def layout_of(**inline: object) -> Layout:
    return compile_layout(LayoutFile.model_validate({"inline": {**TABLE["basis"], **inline}}), "case")


def article_of(letters: str, layout: Layout, marks: Marks = NO_MARKS) -> Article:
    blocks = tuple(block_of(letter, at, layout) for at, letter in enumerate(letters.split()))
    marks = replace(marks, ads=sum(block.ads for block in blocks))
    return Article("", blocks, tuple(gap * 10 for gap in range(len(blocks) + 1)), marks)


def block_of(letter: str, at: int, layout: Layout) -> Block:
    tag = TAGS[letter]
    names = {name for name in (tag, ":lead-in" if letter == "t" else None) if name}
    counted = letter == "t" or (letter != "e" and tag in layout.needs.count.tags)
    matches = frozenset(names & set(layout.needs.selectors))
    words, ad = WORDS.get(letter, 10), letter == "A"
    return Block(
        tag, at * 10, at * 10 + 9, counted, letter == "e", matches,
        words=words, chars=5 * words, px=0 if letter in "eA" else 60, ad=ad, ads=int(ad), stop=letter == "x",
    )  # fmt: skip


def drawn(letters: str, plan: Plan) -> str:
    """The blocks with a star for each ad, as the cases draw them."""
    ads = {slot.gap for slot in plan.slots}
    marks = [[letter] + ["*"] * (gap in ads) for gap, letter in enumerate(letters.split(), start=1)]
    return " ".join(["*"] * (0 in ads) + [mark for pair in marks for mark in pair])


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    why: str
    blocks: str
    expect: str
    inline: dict[str, object] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    free: dict[int, str] = field(default_factory=dict)
    dropped: tuple[int | str, ...] = ()
    stopped: tuple[int, ...] = ()
    slots: dict[int, str] = field(default_factory=dict)

    @property
    def marks(self) -> Marks:
        return Marks(stopped=frozenset(self.stopped), slots=tuple(self.slots.items()))


CASES = [Case(**row) for row in TABLE["cases"]]


@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_ads_stand_where_the_case_draws_them(case: Case) -> None:
    layout = layout_of(**case.inline)
    article = article_of(case.blocks, layout, case.marks)
    plan = explain(article, layout)
    assert place(article, layout) == replace(plan, gaps=()), case.why
    told = {
        verdict: {j.gap: " ".join(r.rule for r in j.reasons) for j in plan.gaps if j.verdict is verdict}
        for verdict in (Verdict.REFUSED, Verdict.FREE)
    }
    assert drawn(case.blocks, plan) == case.expect, case.why
    assert told == {Verdict.REFUSED: case.refused, Verdict.FREE: case.free}, case.why
    assert [drop.position or drop.due_gap for drop in plan.dropped] == list(case.dropped), case.why


def test_a_plan_tells_everything() -> None:
    layout = layout_of(no_before=["h2"], max_ads=1, slots=[{"type": "top", "formats": ["fluid"]}], reserve="none")
    first = Reason.FIRST
    assert explain(article_of("p p H p p p", layout), layout) == Plan(
        slots=(Slot("inline-1", SlotStyle("top", ("fluid",), reserve="none", lazy=False), 4, 40, due_gap=2),),
        gaps=(
            Judgement(0, 0, Verdict.REFUSED, None, (Refusal(first, "2 paragraphs", "0 paragraphs"),)),
            Judgement(1, 10, Verdict.REFUSED, None, (Refusal(first, "2 paragraphs", "1 paragraph"),)),
            Judgement(2, 20, Verdict.REFUSED, None, (Refusal(Reason.NO_BEFORE, "not h2", "h2"),)),
            Judgement(3, 30, Verdict.REFUSED, None, (
                Refusal(Reason.NO_AFTER, "not h2", "h2"), Refusal(Reason.KEEP_WITH_NEXT, "not h2", "h2"))),
            Judgement(4, 40, Verdict.SLOT, "inline-1"),
            Judgement(5, 50, Verdict.FREE, None, (Refusal(Reason.EVERY, "2 paragraphs", "1 paragraph"),)),
            Judgement(6, 60, Verdict.FREE, None, (Refusal(Reason.MAX_ADS, "at most 1 ad", "1 ad"),)),
        ),
        space=Space(px=360, ad_px=274),
    )  # fmt: skip


def test_a_grid_tells_the_next_due_point_from_the_start() -> None:
    layout = layout_of(anchor="grid")
    gap = explain(article_of("p p p", layout), layout).gaps[3]
    assert gap.reasons == (Refusal(Reason.EVERY, "4 paragraphs", "3 paragraphs"),)


def test_an_unsafe_gap_is_refused_and_its_ad_moves() -> None:
    layout = layout_of()
    plan = explain(article_of("p p p", layout), layout, frozenset({2}))
    assert [(slot.gap, slot.due_gap) for slot in plan.slots] == [(3, 2)]
    assert [refusal.rule for refusal in plan.gaps[2].reasons] == [Reason.UNSAFE_MARKUP]


def test_an_article_without_blocks_has_one_gap_without_a_place() -> None:
    (gap,) = explain(Article("", (), (None,)), layout_of()).gaps
    assert [refusal.rule for refusal in gap.reasons] == [Reason.UNSAFE_MARKUP, Reason.FIRST]


def test_the_last_style_repeats() -> None:
    layout = layout_of(slots=[{"type": "top"}, {"type": "rest"}])
    slots = place(article_of("p p p p p p", layout), layout).slots
    assert [slot.style.type for slot in slots] == ["top", "rest", "rest"]


def test_no_more_drops_are_told_than_there_are_gaps() -> None:
    layout = layout_of(anchor="grid", first="1 char", every="1 char", on_conflict="drop")
    assert place(article_of("p p", layout), layout).dropped == (Dropped(1), Dropped(1), Dropped(1))


@pytest.mark.parametrize("anchor", ["since_last", "grid"])
def test_a_long_article_without_room_takes_no_longer_for_it(anchor: str) -> None:
    """Work that grew with the square of the gaps would pass the suite's time limit here."""
    layout = layout_of(
        anchor=anchor, every="1 paragraph", on_conflict={"move": "after", "limit": "none"}, no_after=["p"]
    )
    plan = place(article_of(" ".join(["e", "p"] * 30_000), layout), layout)
    assert plan.slots == ()


@pytest.mark.parametrize("anchor", ["since_last", "grid"])
def test_ads_keep_their_distances_whatever_the_article(anchor: str) -> None:
    layout = layout_of(
        anchor=anchor, min_between="2 blocks", max_ads=5, on_conflict={"move": "nearest", "limit": "none"}
    )
    numbers = random.Random(7)  # noqa: S311 (articles, not secrets)
    articles = [article_of(" ".join(numbers.choices("ppHfet", k=30)), layout) for _ in range(200)]
    gaps = [[slot.gap or 0 for slot in place(article, layout).slots] for article in articles]
    assert all(later - gap >= 2 for found in gaps for gap, later in pairwise(found))
    assert max(map(len, gaps)) == 5


def test_totals_hold_the_whole_article() -> None:
    layout = layout_of()
    held = totals(article_of("H p p f", layout))
    assert held == Measure(paragraphs=2, blocks=4, words=20, chars=100, px=240, whole=100)


@pytest.mark.parametrize("formats", [["300x250"], ["300x600", "300x250", "320x50"]])
@pytest.mark.parametrize("marked", [{}, {2: "box"}, {9: "box"}, {3: "box", 8: "rest"}])
@pytest.mark.parametrize("most", [1, 20, 40, 60, 80])
def test_as_many_ads_stay_as_the_page_can_take(formats: list[str], marked: dict[int, str], most: int) -> None:
    slots = [{"formats": [format]} for format in formats]
    layout = layout_of(first="1 block", every="1 block", slots=slots, max_density=f"{most} %")
    article = article_of("p p p p p p p p p p", layout, Marks(slots=tuple(marked.items())))
    plan = explain(article, layout)
    dense = [gap.gap for gap in plan.gaps if Reason.DENSITY in {reason.rule for reason in gap.reasons}]
    own = [slot.gap or 0 for slot in plan.slots if slot.gap not in marked]
    assert (plan.space.density * 100 <= most or own == [], own + dense) == (True, sorted(own + dense))
    # With the first of those that left the page would have been too dense, or it would not have left.
    told = [int(gap.reasons[0].actual.removesuffix(" %")) for gap in plan.gaps if gap.gap in dense]
    assert [share for share in told if share <= most] == []


def test_thinning_a_long_article_takes_no_longer_than_placing_it() -> None:
    """Work that grew with the square of the ads would pass the suite's time limit here."""
    layout = layout_of(first="1 block", every="1 block", max_ads=99_999, max_density="1 %", min_between="0 blocks")
    gaps = range(2, 20_000, 3)
    plan = place(article_of(" ".join(["p"] * 20_000), layout, Marks(slots=tuple((gap, "box") for gap in gaps))), layout)
    assert len(plan.slots) == len(gaps)
