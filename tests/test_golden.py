"""Golden pages: an article in, the exact page out. `pytest --update-golden` rewrites them, and the diff is reviewed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adlayout.assemble import Edition, assemble
from adlayout.compose import Composer
from adlayout.config.read import open_source
from adlayout.decision.inventory import read_inventory
from adlayout.model import Page, Request, Verdict
from adlayout.upkeep import Shelf, Stock
from adlayout.web.requests import read_request

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.parent.name for path in GOLDEN.glob("*/setup.yaml"))
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
JSON = {b"content-type": b"application/json"}
SITE = {"name": "The Outer Islands Gazette", "tagline": "Twice a week", "layout": "golden"}


@dataclass(frozen=True)
class Setup:
    """What stands beside an article: `request` and `article` are fields of the contract's JSON form.

    `told` is what the answer warns of, `refused` the rules against each refused gap.
    """

    why: str
    layout: Mapping[str, object]
    inventory: Mapping[str, object]
    request: Mapping[str, object]
    article: Mapping[str, object] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One folder: its setup, its article, and the service as the setup wants it."""

    setup: Setup
    request: Request
    composer: Composer

    def page(self) -> Page:
        return self.composer.compose(self.request, now=NOW)

    def refused(self) -> dict[str, str]:
        gaps = [gap for gap in self.composer.plan(self.request).plan.gaps if gap.verdict is Verdict.REFUSED]
        return {str(gap.gap): " ".join(reason.rule for reason in gap.reasons) for gap in gaps}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(name: str, tmp_path: Path) -> Case:
    data = open_source(GOLDEN / name / "setup.yaml").data
    assert isinstance(data, dict)
    setup = Setup(**{**data, "told": tuple(data.get("told", ()))})
    article = {"html": text_of(GOLDEN / name / "in.html"), **setup.article}
    request = read_request(json.dumps({"article": article, **setup.request}).encode(), JSON).request
    edition = edition_of(setup, tmp_path)
    return Case(setup, request, Composer(edition, stocked(edition)))


def edition_of(setup: Setup, directory: Path) -> Edition:
    """A config directory with the setup in it, read as any other. JSON is YAML."""
    shutil.copytree(GOLDEN / "templates", directory / "templates")
    files: dict[str, object] = {
        "adlayout.yaml": {"version": 1, "sites": {"default": SITE}},
        "layouts/golden.yaml": {"version": 1, "name": "golden", **setup.layout},
        "inventory/golden.yaml": setup.inventory,
    }
    for path, value in files.items():
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).write_text(json.dumps(value))
    return assemble(directory, {})


def stocked(edition: Edition) -> Shelf:
    inventory, bad_rows = read_inventory(edition.house_rows)
    assert bad_rows == ()
    return Shelf(Stock(inventory, {id: edition.prepare(one) for id, one in inventory.creatives.items()}, 1))


def text_of(path: Path) -> str:
    """The file with every character of it: line ends and byte order mark too."""
    return path.read_bytes().decode()


def expected(path: Path, composed: str, *, update: bool) -> str:
    if update:
        path.write_bytes(composed.encode())
    return text_of(path)


def test_the_page_is_this_one_to_the_byte(name: str, case: Case, pytestconfig: pytest.Config) -> None:
    page = case.page()
    composed = "".join(piece.text for piece in page.pieces)
    update = bool(pytestconfig.getoption("--update-golden"))
    assert composed == expected(GOLDEN / name / "out.html", composed, update=update), case.setup.why
    assert (*page.degraded, *page.warnings) == case.setup.told, case.setup.why


def test_every_refused_gap_has_its_reasons(case: Case) -> None:
    assert case.refused() == case.setup.refused, case.setup.why
