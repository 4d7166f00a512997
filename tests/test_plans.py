"""Plans: made once, kept while there is room, and proven as a whole."""

from __future__ import annotations

from adlayout.article.parse import parse
from adlayout.model import Device, Verdict
from adlayout.placement.explain import explain
from adlayout.placement.layout import Layout, compile_layout
from adlayout.placement.schema import LayoutFile
from adlayout.plans import Key, Plans, _proven, judge, lay


def layout_of(**inline: object) -> Layout:
    rules = {"first": "1 block", "every": "1 block", "end_guard": "0 blocks", "no_after": [], "no_before": [], **inline}
    return compile_layout(LayoutFile.model_validate({"inline": rules}), "blocks")


def key_of(html: str) -> Key:
    return html, "blocks", Device.MOBILE


def test_what_was_made_is_found_again() -> None:
    plans, key = Plans(), key_of("<p>one</p><p>two</p>")
    laid, timings_ms = plans.make(key, layout_of())
    assert plans.find(key) == laid
    assert [name for name, _ in timings_ms] == ["parse", "place", "verify"]
    assert [piece.text for piece in laid.stretches] == ["<p>one</p>", "<p>two</p>", ""]


def test_the_least_used_plan_is_forgotten_first() -> None:
    """Three articles of six million characters do not fit together."""
    plans, layout = Plans(), layout_of()
    keys = [key_of(name * 6_000_000) for name in "abc"]
    plans.make(keys[0], layout)
    plans.make(keys[1], layout)
    plans.find(keys[0])
    plans.make(keys[2], layout)
    assert [plans.find(key) is not None for key in keys] == [True, False, True]


def test_what_does_not_hold_together_loses_its_last_ads_until_it_does() -> None:
    """No article is known whose safe gaps fail together, so the proof is asked about an unsafe one."""
    parsed = parse("<p>one<p>two<p><a href=x>three<p>four</a>", layout_of().needs)
    plan = _proven(parsed, explain(parsed.article, layout_of()))
    assert [slot.gap for slot in plan.slots] == [1, 2]
    assert [gap.verdict.value for gap in plan.gaps] == ["refused", "slot", "slot", "refused", "refused"]
    assert {gap.reasons[0].rule.value for gap in plan.gaps[3:]} == {"unsafe_markup"}


def test_an_unsafe_gap_loses_its_ad_and_no_other_does() -> None:
    html = "<p><a href=x>one<p>two</a><p>three<p>four"
    judged = judge(html, layout_of())
    laid, _ = lay(html, layout_of())
    assert [box.slot.gap for box in laid.boxes] == [slot.gap for slot in judged.plan.slots] == [2, 3, 4]
    refused = {gap.gap: gap.reasons[0].rule.value for gap in judged.plan.gaps if gap.verdict is Verdict.REFUSED}
    assert refused == {0: "first", 1: "unsafe_markup"}


def test_a_plan_that_two_made_at_once_is_kept_once() -> None:
    """Three of six million characters do not fit together, and these are two."""
    plans, layout = Plans(), layout_of()
    keys = [key_of(name * 6_000_000) for name in "aab"]
    for key in keys:
        plans.make(key, layout)
    assert [plans.find(key) is not None for key in keys] == [True, True, True]
