"""Layouts: the defaults, what is refused, and the layouts that ship."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from adlayout.config.faults import found_faults
from adlayout.model import Count, Device, MarkerNames, Needs, Slot, SlotStyle, Weight
from adlayout.placement.heights import heights_of
from adlayout.placement.layout import Conflict, Layout, compile_layout
from adlayout.placement.schema import CLOSED, HEADINGS, EstimateKeys, LayoutFile

LAYOUTS = Path(__file__).parents[1] / "config" / "layouts"
MANUAL = Path(__file__).parents[1] / "config" / "README.md"


SELECTORS = (*HEADINGS, ":bold-line", ":floated", "figure", "img", "iframe", ":media-only", ":caption")
ADS = (".ad", ".advert", "ins.adsbygoogle", "amp-ad")


def layout_of(**inline: object) -> Layout:
    return compile_layout(LayoutFile.model_validate({"inline": inline}), "news")


def faults_of(data: dict[str, object]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        LayoutFile.model_validate(data)
    return [(".".join(map(str, one.trail)), one.message) for one in found_faults(caught.value, data, LayoutFile)]


def test_a_layout_asks_for_what_its_rules_look_at() -> None:
    selectors = SELECTORS
    assert layout_of().needs == Needs(Count(), CLOSED, selectors=selectors, ads=ADS, ads_count=True)
    assert layout_of(
        every={"any": ["1 block", "9 words"]}, count={"min_chars": 3}, no_after=[], existing_ads={"mode": "stop"}
    ).needs == Needs(Count(min_chars=3), CLOSED, selectors=(*selectors[8:], *HEADINGS), words=True, chars=True, ads=ADS)


@pytest.mark.parametrize(("inline", "asked"), [
    ({"first": "30 %"}, {"chars": True}),
    ({"positions": ["50 %"]}, {"chars": True}),
    ({"positions": [3], "every": "9 words"}, {}),
    ({"escalate": [{"from_ads": 2, "every": "9 words"}]}, {"words": True}),
    ({"small_neighbour": "9 chars"}, {"chars": True}),
    ({"clearances": [{"selector": "ul", "after": "9 words", "lift_before_if_next": "ol"}]},
     {"words": True, "selectors": (*SELECTORS, "ul", "ol")}),
    ({"weights": [{"selector": "ul", "words": 4}]}, {"weights": (Weight("ul", 4, 0),)}),
    ({"existing_ads": {"mode": "ignore"}}, {"ads": (), "ads_count": False}),
    ({"blocklist": {"words": ["crash"]}}, {"blocklist": ("crash",)}),
    ({"markers": {"off": "noads"}}, {"markers": MarkerNames(off="noads")}),
    *(({**inline}, {"heights": heights_of(EstimateKeys(), Device.MOBILE)}) for inline in (
        {"every": "900 px"}, {"first_screen": "avoid"}, {"last_slot_fit": "on"}, {"max_density": "30 %"})),
    ({"max_density": {"desktop": "30 %"}}, {}),
])  # fmt: skip
def test_a_rule_asks_for_what_it_looks_at_and_no_more(inline: dict[str, object], asked: dict[str, object]) -> None:
    assert layout_of(**inline).needs == replace(layout_of().needs, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(("inline", "conflict"), [
    ({}, Conflict(after=True)),
    ({"on_conflict": "drop"}, Conflict()),
    ({"on_conflict": {"move": "nearest", "limit": 4}}, Conflict(after=True, limit=4)),
    ({"on_conflict": {"move": "before"}}, Conflict()),
    ({"anchor": "grid"}, Conflict(after=True, before=True, limit=2)),
    ({"positions": [2]}, Conflict(after=True, before=True, limit=2)),
    ({"anchor": "grid", "on_conflict": {"move": "before", "limit": "none"}}, Conflict(before=True)),
])  # fmt: skip
def test_an_ad_moves_as_the_anchor_lets_it(inline: dict[str, object], conflict: Conflict) -> None:
    assert layout_of(**inline).schedule.conflict == conflict


def test_page_slots_are_of_their_own_type() -> None:
    file = {"inline": {"label": "Anzeige"}, "page_slots": {"top": {"formats": ["728x90"], "on_empty": "hold"}}}
    layout = compile_layout(LayoutFile.model_validate(file), "news")
    assert layout.page_slots == (Slot("top", SlotStyle("top", ("728x90",), "Anzeige", "hold")),)


def test_null_is_the_default() -> None:
    assert LayoutFile.model_validate({"inline": {"every": None}, "page_slots": None}) == LayoutFile()


@pytest.mark.parametrize(("data", "at", "told"), [
    ({"inline": {"every": 2}}, "inline.every", 'expected a distance such as "2 paragraphs" (got 2)'),
    ({"inline": {"evrey": None}}, "inline.evrey", 'unknown key, did you mean "every"?'),
    ({"inline": {"on_conflict": "move"}}, "inline.on_conflict", 'expected "drop" (got "move")'),
    ({"inline": {"on_conflict": {"move": "up"}}}, "inline.on_conflict.move",
     "expected \"after\", \"before\" or \"nearest\" (got \"up\")"),
    ({"page_slots": {"inline-1": {"formats": ["fluid"]}}}, "page_slots.inline-1",
     'inline-1 and the like are the names of the ads inside the article (got "inline-1")'),
    ({"page_slots": {"top": {}}}, "page_slots.top.formats", "is missing"),
    ({"inline": {"anchor": "grid", "every": "9 words"}}, "inline", "anchor: grid needs `first` and `every` in one "
     'unit, such as "2 words" (got "3 paragraphs" and "9 words")'),
    ({"inline": {"anchor": "grid", "every": "0 paragraphs"}}, "inline",
     'anchor: grid needs an `every` of more than nothing (got "0 paragraphs")'),
    ({"inline": {"strategy": "spread", "every": "9 words"}}, "inline", "strategy: spread needs `first` and `every` in "
     'one unit, such as "2 words" (got "3 paragraphs" and "9 words")'),
    ({"inline": {"strategy": "spread", "positions": [2]}}, "inline",
     "strategy: spread chooses the gaps itself, which leaves no `positions`: use one of them"),
    ({"inline": {"strategy": "spread", "escalate": [{"from_ads": 2, "every": "9 paragraphs"}]}}, "inline",
     "strategy: spread places all ads at once, which leaves no `escalate`: use one of them"),
    ({"inline": {"anchor": "grid", "escalate": [{"from_ads": 2, "every": "9 words"}]}}, "inline", "anchor: grid needs "
     '`first` and `every` in one unit, such as "2 paragraphs" (got "9 words" and "3 paragraphs")'),
    ({"inline": {"devices": {"mobile": {"anchor": "grid", "every": "9 words"}}}}, "inline.devices.mobile",
     "anchor: grid needs `first` and `every` in one unit, such as \"2 words\" (got \"3 paragraphs\" and \"9 words\")"),
    ({"inline": {"devices": {"mobile": {"evrey": "9 words"}}}}, "inline.devices.mobile.evrey",
     'unknown key, did you mean "every"?'),
    ({"inline": {"positions": ["two"]}}, "inline.positions",
     'expected a position such as 3, -1, "3n+1", "!2" or "50 %" (got \'two\')'),
    ({"inline": {"positions": ["!2"]}}, "inline.positions",
     'expected a position where an ad may stand, not only such as "!2" where none may'),
    ({"inline": {"max_density": {"mobile": 30}}}, "inline.max_density.mobile",
     "expected a share such as 30 % (got 30)"),
    ({"inline": {"clearances": [{"selector": "p"}]}}, "inline.clearances.0",
     "expected `after`, `before` or both, such as {selector: figure, after: 200 chars}"),
    ({"inline": {"estimate": {"P": {"line": 3}}}}, "inline.estimate.P",
     'expected the name of a tag, such as p (got "P")'),
    ({"inline": {"anchor": "grid", "every": {"any": ["9 words"]}}}, "inline",
     "anchor: grid needs plain distances in `first` and `every`, without `all` and `any`"),
])  # fmt: skip
def test_what_does_not_hold_is_told(data: dict[str, object], at: str, told: str) -> None:
    assert faults_of(data) == [(at, told)]


@pytest.mark.parametrize("path", sorted(LAYOUTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_layouts_that_ship_hold(path: Path) -> None:
    file = LayoutFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert (file.version, file.name) == (1, path.stem)


def test_the_manual_names_every_key() -> None:
    section = MANUAL.read_text(encoding="utf-8").partition("\n## Layouts\n")[2].partition("\n## ")[0]
    examples = [yaml.safe_load(fence.partition("```")[0]) for fence in section.split("```yaml\n")[1:]]
    files = [LayoutFile.model_validate(example) for example in examples]
    shown = {key for file in files for key in file.inline.model_fields_set}
    assert shown == set(type(files[0].inline).model_fields)
