"""Which layout a request gets, and what an experiment makes of its page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adlayout.assemble import Edition, assemble
from adlayout.choosing import Choice, attributes_of, choose_layout
from adlayout.compose import Composer
from adlayout.config.settings import LayoutRule, Site, SiteConsent, When
from adlayout.deciding import Books
from adlayout.decision.inventory import read_inventory
from adlayout.events.token import Purpose, Signer, Ticket
from adlayout.experiments.assign import Experiment, experiments_of
from adlayout.experiments.schema import ExperimentsFile
from adlayout.model import ArticleFacts, Consent, Degraded, Output, Page, Request, Trial
from adlayout.privacy.readers import unit_key
from adlayout.store.client import Store
from adlayout.upkeep import Shelf, Stock

SECRETS = ("a secret for tests",)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SITE = Site(name="News", layout="every-2")
META: list[dict[str, str]] = [{"key": "control"}, {}]
ARTICLE = "<h1>On the hill</h1>" + "".join(f"<p>Paragraph {n} says a little.</p>" for n in range(8))


def test_of(**more: Any) -> tuple[Experiment, ...]:
    row = {
        "key": "density",
        "status": "running",
        "variations": ["every-2", "article"],
        "meta": [{"key": "control"}, {}],
    }
    return experiments_of(ExperimentsFile.model_validate({"version": 1, "experiments": [row | more]}))


test_of.__test__ = False  # type: ignore[attr-defined]  # it makes a test of layouts, and is none


def asked(unit: str | None = "ann", **more: Any) -> Request:
    return Request(ARTICLE, unit=unit, layout=None, output=Output.FRAGMENT, request_id="r-1", **more)


def arms(experiments: tuple[Experiment, ...], **more: Any) -> dict[str, str]:
    """Who gets which layout."""
    return {unit: choose_layout(asked(unit, **more), SITE, experiments).layout for unit in "abcdefghij"}


def test_without_an_experiment_the_site_decides() -> None:
    rules = (LayoutRule(when=When(section=("sport",)), layout="article"),)
    site = SITE.model_copy(update={"layouts": rules})
    assert choose_layout(asked(facts=ArticleFacts(section="Sport")), site, ()) == Choice("article")
    assert choose_layout(asked(), site, ()) == Choice("every-2")


def test_a_running_experiment_decides_before_the_site() -> None:
    assert set(arms(test_of()).values()) == {"every-2", "article"}


def test_who_is_not_in_it_gets_what_the_site_says_and_no_cache_keeps_it() -> None:
    choice = choose_layout(asked(), SITE, test_of(coverage=0.0))
    assert choice == Choice("every-2", None, of_reader=True)


def test_an_article_is_the_unit_where_ops_say_so_and_caches_may_keep_the_page() -> None:
    experiments = test_of(hashAttribute="url")
    urls = [f"https://news.example/{n}" for n in range(12)]
    choices = [
        choose_layout(asked(None, facts=ArticleFacts(url=url + tail)), SITE, experiments)
        for url in urls
        for tail in ("", "?from=mail", "#top")
    ]
    assert all(first.assignment == again.assignment for first, again in zip(choices[::3], choices[1::3], strict=True))
    assert {choice.layout for choice in choices} == {"every-2", "article"}
    assert not any(choice.of_reader for choice in choices)


def test_the_id_of_an_article_is_its_unit_rather_than_its_address() -> None:
    facts = ArticleFacts(id="kz-1", url="https://news.example/1")
    assert attributes_of(asked(facts=facts), SITE)["url"] == "kz-1"


@pytest.mark.parametrize("consent", [Consent(gdpr=True), Consent(gpc=True), Consent(coppa=True)])
def test_a_reader_who_may_not_be_told_apart_is_in_no_experiment_of_readers(consent: Consent) -> None:
    assert choose_layout(asked(consent=consent), SITE, test_of()).assignment is None
    denied = SITE.model_copy(update={"consent": SiteConsent(default="denied")})
    assert choose_layout(asked(), denied, test_of()).assignment is None


def test_without_a_reader_the_article_may_be_the_unit() -> None:
    experiments = test_of(fallbackAttribute="url")
    choice = choose_layout(asked(None, facts=ArticleFacts(id="kz-1")), SITE, experiments)
    assert choice.assignment is not None
    assert (choice.assignment.unit, choice.assignment.hash_used) == ("kz-1", True)


def test_a_caller_may_ask_for_a_variation_to_keep_its_pages() -> None:
    choice = choose_layout(asked(variation="density=1"), SITE, test_of())
    assert choice.assignment is not None
    assert (choice.layout, choice.of_reader, choice.assignment.hash_used) == ("article", False, False)
    assert choose_layout(asked(variation="density=none"), SITE, test_of(coverage=0.0)).assignment is None


def test_an_editor_may_see_a_draft_that_nobody_else_does() -> None:
    experiments = test_of(status="draft", forcedVariations={"ann": 1})
    choice = choose_layout(asked("ann"), SITE, experiments)
    assert (choice.layout, choice.of_reader) == ("article", True)
    assert choose_layout(asked("ben"), SITE, experiments) == Choice("every-2")


def test_own_keys_of_the_request_are_told_and_hide_nothing() -> None:
    request = asked(attributes=(("plan", "free"), ("topic", "a"), ("topic", "b"), ("id", "forged")))
    attributes = attributes_of(request, SITE)
    assert [attributes[name] for name in ("plan", "topic", "id")] == ["free", ["a", "b"], "ann"]


@pytest.fixture(scope="module")
def edition() -> Edition:
    return replace(assemble(Path(__file__).parents[1] / "config", {}), experiments={"default": test_of()})


def page_of(edition: Edition, request: Request, *, failure: Degraded | None = None) -> Page:
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    books = Books(Store("unix:///nowhere/s"), Signer(SECRETS), SECRETS, edition.settings)
    shelf = Shelf(Stock(inventory, prepared, 1), failure=failure)
    return Composer(edition, shelf, books=books).compose(request, now=NOW)


def ticket_of(page: Page) -> Ticket:
    ticket = Signer(SECRETS, now=NOW.timestamp).read(page.token, Purpose.PAGE)
    assert isinstance(ticket, Ticket)
    return ticket


def test_a_page_says_which_variation_it_is(edition: Edition) -> None:
    page = page_of(edition, asked())
    trial = page.experiment
    assert trial is not None
    assert trial == Trial("density", trial.variation_id, ("control", "1")[trial.variation_id], True, True, trial.bucket)
    assert page.layout == ("every-2", "article")[trial.variation_id]
    assert page.cacheable_s == 0
    ticket = ticket_of(page)
    assert (ticket.variation, ticket.unit) == (
        f"density={trial.variation_key}",
        unit_key("density", "ann", SECRETS),
    )


def test_a_layout_that_is_named_is_no_experiments(edition: Edition) -> None:
    page = page_of(edition, replace(asked(), layout="article"))
    assert (page.experiment, ticket_of(page).variation, ticket_of(page).unit) == (None, "", "")


@pytest.mark.parametrize("request_of", [lambda: asked(variation="density=1")], ids=["asked for"])
def test_a_variation_that_was_forced_counts_nobody(edition: Edition, request_of: Any) -> None:
    ticket = ticket_of(page_of(edition, request_of()))
    assert (ticket.variation, ticket.unit) == ("density=1", "")


def test_a_page_that_failed_counts_nobody(edition: Edition) -> None:
    ticket = ticket_of(page_of(edition, asked(), failure=Degraded.STORE_ERROR))
    assert (ticket.variation.partition("=")[0], ticket.unit) == ("density", "")


def test_a_site_has_its_own_experiments_only(edition: Edition) -> None:
    elsewhere = replace(edition, experiments={"other": test_of(site="other")})
    assert page_of(elsewhere, asked()).experiment is None
