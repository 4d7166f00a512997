"""How high the service reckons an article to be, against how high a browser lays it out in the shipped page."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest

from adlayout.assemble import assemble
from adlayout.compose import Composer
from adlayout.decision.inventory import read_inventory
from adlayout.model import Device, Request, Space
from adlayout.upkeep import Shelf, Stock

from .browser import Page, browsing
from .newsroom import CONFIG
from .written import SAMPLES, article

LAYOUT = "every-2"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WINDOWS = {390: Device.MOBILE, 1280: Device.DESKTOP}
MOST_OFF = 0.1
"""By how much of the real height the median estimate may be wrong, as the documents promise."""

MOST_OFF_DENSITY = 0.05
"""By how many hundredths of the page the median density may be wrong: a limit of 30 % stays one of 35 % at most.

A page gives an ad some padding, and on phones the room of a format that is too wide to be reckoned with.
"""

# The heights of the ads, and of the article as it is without them.
HEIGHTS = """() => {
  const article = document.querySelector("article"), ads = [...article.querySelectorAll("aside.adl-slot")];
  const ad_px = ads.reduce((all, ad) => all + ad.offsetHeight, 0);
  ads.forEach(ad => { ad.style.display = "none"; });
  return [article.offsetHeight, ad_px];
}"""


@dataclass(frozen=True, slots=True)
class Found:
    """One article as it was reckoned and as it was laid out."""

    reckoned: Space
    real: Space

    @property
    def off(self) -> float:
        """How far the estimated height is from the real one, as a share of that."""
        return self.reckoned.px / self.real.px - 1

    @property
    def density_off(self) -> float:
        """How far the estimated density is from the real one."""
        return self.reckoned.density - self.real.density


Results = Mapping[str, Found]


@pytest.fixture(scope="module")
def page(browser_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of a browser."""
    with browsing(browser_program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser.page()


@pytest.fixture(scope="module")
def composer() -> Composer:
    """The service with the shipped config and its sample ads."""
    edition = assemble(CONFIG, {})
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(one) for id, one in inventory.creatives.items()}
    return Composer(edition, Shelf(Stock(inventory, prepared, 1)))


@pytest.fixture(scope="module", params=WINDOWS)
def results(
    request: pytest.FixtureRequest, composer: Composer, page: Page, tmp_path_factory: pytest.TempPathFactory
) -> Results:
    """Every sample in a window of one width; `--log-cli-level=info` shows them."""
    home = tmp_path_factory.mktemp("pages")
    found = {name: measured(article(parts), request.param, composer, page, home) for name, parts in SAMPLES.items()}
    for name, one in found.items():
        logging.getLogger("heights").info(
            "%4d px %-26s content %5d for %5d: %+5.1f %%, density %4.1f for %4.1f %%",
            *(request.param, name, one.reckoned.px, one.real.px, 100 * one.off),
            *(100 * one.reckoned.density, 100 * one.real.density),
        )
    return found


def measured(html: str, width: int, composer: Composer, page: Page, home: Path) -> Found:
    """What is said of the article for the device of that width, and what a browser makes of its page."""
    request = Request(html, layout=LAYOUT, device=WINDOWS[width], seed="a")
    composed = home / "page.html"
    composed.write_text("".join(piece.text for piece in composer.compose(request, now=NOW).pieces), "utf-8")
    page.open(composed.as_uri(), width=width)
    return Found(composer.plan(request).plan.space, Space(*page.run(HEIGHTS)))


def table(results: Results) -> str:
    return json.dumps({name: [round(one.off, 3), round(one.density_off, 3)] for name, one in results.items()}, indent=1)


def told(results: Results, offs: list[float]) -> float:
    """The median of what the estimates are off by; it is logged with the worst."""
    sizes = sorted(map(abs, offs))
    logging.getLogger("heights").info("median %.1f %%, worst %.1f %%", 100 * median(sizes), 100 * sizes[-1])
    return median(sizes)


def test_content_is_as_high_as_was_reckoned(results: Results) -> None:
    """On phones and on desks, for articles of every kind."""
    assert told(results, [one.off for one in results.values()]) < MOST_OFF, table(results)


def test_as_much_of_the_page_is_ads_as_was_reckoned(results: Results) -> None:
    """The density that a limit holds is the one that readers get."""
    assert told(results, [one.density_off for one in results.values()]) < MOST_OFF_DENSITY, table(results)
