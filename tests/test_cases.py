"""The shared cases over HTTP, where a folder of them is named: placement, parser inputs, the seed page; and our own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient
from turbohtml import Element, parse, parse_fragment

from adlayout.assemble import Edition, assemble
from adlayout.decision.inventory import read_inventory
from adlayout.placement.schema import Inline
from adlayout.upkeep import Shelf, Stock
from adlayout.web.app import create_app

OWN = Path(__file__).parent / "cases"
SHARED = Path(os.environ["ADLAYOUT_CASES"]) if "ADLAYOUT_CASES" in os.environ else None
CONFIG = Path(__file__).parents[1] / "config"
HTML = {"content-type": "text/html"}
# A layout of its own, under which every gap is due that nothing but safety speaks against.
EVERY_BLOCK = """
version: 1
name: every-block
inline:
  first: 1 block
  every: 1 block
  max_ads: 9999
  end_guard: 0 blocks
  no_after: []
  no_before: []
  keep_with_next: []
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The shipped config with one more layout, and its sample ads on the shelf."""
    directory = tmp_path_factory.mktemp("config")
    for path in CONFIG.rglob("*"):
        if path.is_file():
            target = directory / path.relative_to(CONFIG)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (directory / "layouts" / "every-block.yaml").write_text(EVERY_BLOCK)
    yield from serving(assemble(directory, {}))


def serving(edition: Edition) -> Iterator[TestClient]:
    """A service over this edition, its sample ads on the shelf, asked from the same machine."""
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    app = create_app(edition, Shelf(stock=Stock(inventory, prepared, 1)), None)
    with TestClient(app, client=("127.0.0.1", 50_000)) as local:
        yield local


def placement_cases() -> list[dict[str, Any]]:
    return json.loads((SHARED / "placement.json").read_text()) if SHARED else []


def parser_inputs() -> list[bytes]:
    """Every shared input, and our own, as bytes."""
    texts = [file.read_bytes() for file in sorted((SHARED / "html5lib").glob("*.dat"))] if SHARED else []
    shared = [data for text in texts for data in re.findall(rb"#data\n(.*?)\n#errors", text, re.DOTALL)]
    own = yaml.safe_load((OWN / "markup.yaml").read_text("utf-8"))["articles"]
    return [*shared, *(article.encode() for article in own), b"<p>\xff</p><p>\xed\xa0\x80</p>\0<p>\xc3"]


def unknown_keys(case: dict[str, Any]) -> set[str]:
    return set(case["inline"]) - set(Inline.model_fields)


def planned_gaps(client: TestClient, case: dict[str, Any]) -> list[int]:
    layout = {"version": 1, "name": "case", "inline": case["inline"]}
    answer = client.post("/v1/plan", json={"article": {"html": case["html"]}, "layout": layout})
    assert answer.status_code == 200, answer.text
    return [slot["gap"] for slot in answer.json()["slots"]]


def test_ads_stand_where_the_cases_say(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    """Cases that need rules which layouts do not have are counted, never passed over in silence."""
    known = [case for case in placement_cases() if not unknown_keys(case)]
    wrong = {case["id"]: found for case in known if (found := planned_gaps(client, case)) != case["gaps"]}
    with capsys.disabled():
        others = len(placement_cases()) - len(known)
        print(f"\nplacement cases: {len(known) - len(wrong)} of {len(known)} as expected, {others} need further rules")  # noqa: T201
    assert wrong == {}


def test_a_case_with_unknown_keys_is_refused_by_their_names(client: TestClient) -> None:
    for case in (case for case in placement_cases() if unknown_keys(case)):
        layout = {"inline": case["inline"]}
        answer = client.post("/v1/plan", json={"article": {"html": case["html"]}, "layout": layout})
        named = {key for fault in answer.json()["errors"] for key in unknown_keys(case) if key in str(fault)}
        assert (answer.status_code, named) == (422, unknown_keys(case))


def spans_of(answer: dict[str, Any]) -> list[tuple[int, int]]:
    """The inserted spans, last first."""
    spans = [(slot["output_start"], slot["output_end"]) for slot in answer["slots"]]
    return sorted((span for span in spans if span[0] is not None), reverse=True)


def without(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + text[end:]
    return text


def is_untouched(article: bytes, page: str, slots: list[str]) -> bool:
    """Whether the page's tree without its slots is the article's tree."""
    tree = parse_fragment(page, "body")
    ours = [one for one in tree.select("aside.adl-slot") if one.attr("data-adl-slot") in slots]
    for one in ours:
        one.extract()
    tree.normalize()
    return len(ours) == len(slots) and tree.equals(parse_fragment(article.decode("utf-8", "surrogateescape"), "body"))


def test_every_parser_input_keeps_its_bytes_and_its_tree(client: TestClient) -> None:
    address = "/v1/compose?layout=every-block&output=fragment&seed=1&timeout_ms=9999"
    broken: list[tuple[bytes, str]] = []
    for article in parser_inputs():
        page = client.post(address, content=article, headers=HTML)
        told = client.post(address, content=article, headers=HTML | {"accept": "application/json"})
        if (page.status_code, told.status_code) != (200, 200):
            broken.append((article, f"{page.status_code} {told.status_code}"))
            continue
        text = page.content.decode("utf-8", "surrogateescape")
        slots = [slot["id"] for slot in told.json()["slots"] if slot["filled"]]
        if without(text, spans_of(told.json())).encode("utf-8", "surrogateescape") != article:
            broken.append((article, "bytes"))
        if not is_untouched(article, text, slots):
            broken.append((article, "tree"))
    assert broken == []


def test_every_parser_input_keeps_its_characters_in_the_json_form(client: TestClient) -> None:
    wanted = {"layout": "every-block", "output": "fragment", "seed": "1", "timeout_ms": 9999}
    headers = {"content-type": "application/json", "accept": "application/json"}
    for html in (article.decode("utf-8", "surrogateescape") for article in parser_inputs()):
        body = json.dumps({"article": {"html": html}, **wanted})
        answer = client.post("/v1/compose", content=body, headers=headers).json()
        assert without(answer["html"], spans_of(answer)) == html


@pytest.mark.skipif(SHARED is None, reason="no folder of shared cases is named; tests/golden has pages of its own")
@pytest.mark.parametrize(("output", "first_line"), [("page", 0), ("fragment", 1)])
def test_the_seed_page_reads_as_it_was_published(seed_client: TestClient, output: str, first_line: int) -> None:
    """Site line, headline, paragraphs and labels, an ad after every second paragraph; a fragment has no site line."""
    article = (seed_folder() / "article.html").read_bytes()
    lines = [line for line in (seed_folder() / "page.txt").read_text("utf-8").splitlines() if line]
    answer = seed_client.post(f"/v1/compose?layout=every-2&output={output}", content=article, headers=HTML)
    assert paragraphs_of(answer.text) == lines[first_line:]


def seed_folder() -> Path:
    assert SHARED is not None
    return SHARED / "seed"


@pytest.fixture
def seed_client(tmp_path: Path) -> Iterator[TestClient]:
    """The shipped config under the seed's site line."""
    name, _, tagline = (seed_folder() / "page.txt").read_text("utf-8").splitlines()[0].partition(" | ")
    edition = assemble(CONFIG, {})
    site = edition.settings.sites["default"].model_copy(update={"name": name, "tagline": tagline})
    settings = edition.settings.model_copy(update={"sites": {"default": site}})
    yield from serving(replace(edition, settings=settings))


def paragraphs_of(html: str) -> list[str]:
    """The visible text, a line for each paragraph: creatives left out, labels left in."""
    root = parse(html)
    for slot in root.select("aside.adl-slot"):
        for part in slot.children:
            if isinstance(part, Element) and "adl-label" not in (part.attr("class") or ""):
                part.extract()
    return [" ".join(one.text.split()) for one in root.select("h1, p, .adl-label")]
