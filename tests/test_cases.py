"""The shared cases, where a folder of them is named: placement, the seed page, and html5lib's inputs."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from turbohtml import parse_fragment

from adlayout.assemble import assemble
from adlayout.compose import Composer
from adlayout.decision.inventory import read_inventory
from adlayout.errors import BadPlan
from adlayout.model import Output, Request
from adlayout.upkeep import Shelf, Stock

CASES = Path(os.environ.get("ADLAYOUT_CASES") or Path(__file__).parent / "cases" / "own")
CONFIG = Path(__file__).parents[1] / "config"
BLOCKS = {
    "first": "1 block",
    "every": "1 block",
    "max_ads": 99,
    "end_guard": "0 blocks",
    "no_after": [],
    "no_before": [],
    "keep_with_next": [],
}


def composer() -> Composer:
    edition = assemble(CONFIG, {})
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    return Composer(edition, Shelf(stock=Stock(inventory, prepared, 1)))


def placement_cases() -> list[Any]:
    file = CASES / "placement.json"
    return [pytest.param(case, id=case["id"]) for case in json.loads(file.read_text())] if file.exists() else []


def html5lib_inputs() -> list[str]:
    files = sorted((CASES / "html5lib").glob("*.dat"))
    texts = [file.read_bytes().decode("utf-8", "surrogateescape") for file in files]
    return [data for text in texts for data in re.findall(r"#data\n(.*?)\n#errors", text, re.DOTALL)]


def test_ads_stand_where_the_cases_say() -> None:
    """Cases whose keys are not all known are told by their unknown keys, never passed over in silence."""
    wrong = []
    for parameter in placement_cases():
        case = parameter.values[0]
        try:
            planned = composer().plan(Request(case["html"]), {"version": 1, "name": "case", "inline": case["inline"]})
        except BadPlan as exc:
            assert all("unknown key" in fault.message for fault in exc.faults), case["id"]  # noqa: PT017
            continue
        gaps = [slot.gap for slot in planned.plan.slots]
        if gaps != case["gaps"]:
            wrong.append((case["id"], gaps, case["gaps"]))
    assert wrong == []


def test_every_parser_input_keeps_its_bytes_and_its_tree() -> None:
    one = composer()
    broken = []
    for html in html5lib_inputs():
        planned = one.plan(Request(html), {"inline": BLOCKS})
        marked = html
        for slot in reversed(planned.plan.slots):
            assert slot.offset is not None
            marked = marked[: slot.offset] + '<aside data-x="1"><p>ad</p></aside>' + marked[slot.offset :]
        tree = parse_fragment(marked, "body")
        for probe in tree.select('aside[data-x="1"]'):
            probe.extract()
        tree.normalize()
        if not tree.equals(parse_fragment(html, "body")):
            broken.append(html)
    assert broken == []


def test_the_page_minus_its_slots_is_the_article() -> None:
    html = (CONFIG / "samples" / "news.html").read_text()
    page = composer().compose(Request(html, output=Output.FRAGMENT, seed="s"), now=datetime(2026, 11, 24, tzinfo=UTC))
    assert "".join(piece.text for piece in page.pieces if piece.sacred) == html
    assert len([piece for piece in page.pieces if piece.slot is not None]) == len(page.decisions) > 4


@pytest.mark.parametrize(
    ("html", "warnings"),
    [
        ("<p>one</p><p>two</p>", ()),
        ("<p>one<p>two", ()),
        ("<p>one</p></div><p>two</p>", ("unbalanced_article",)),
        ("<b><p>one</p>", ("unbalanced_article",)),
        ("<!-- open", ("unbalanced_article",)),
    ],
)
def test_an_article_that_reaches_into_the_page_is_named(html: str, warnings: tuple[str, ...]) -> None:
    page = composer().compose(Request(html), now=datetime(2026, 11, 24, tzinfo=UTC))
    assert page.warnings == warnings
