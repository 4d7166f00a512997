"""What a page fills into an ad: links by way of the service, macros of advertisers, whom else to tell."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.checks import proven
from adlayout.model import Content, Creative, Html, Image, Native
from adlayout.rendering.creative import BadMarkup, prepare
from adlayout.rendering.macros import AUDIT, AdFacts, Sheet, fill, of_address
from adlayout.rendering.page import Templates
from adlayout.rendering.urls import is_under

SHIPPED = Path(__file__).parent.parent / "config" / "templates"
LINK = "https://shop.example/?a=1&b=2"
CLICK = "https://ads.example/v1/click/p.k.m.0"
SHEET = Sheet(
    "5e1f",
    "https://news.example/a?b=c d",
    1_790_000_000_123,
    "4711",
    gdpr=True,
    tcf="CPxy_-.A",
    gpp="DB~x",
    gpp_sid=(2, 7),
)
FACTS = AdFacts("box", "spring", "acme", CLICK, SHEET)


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(SHIPPED)


def drawn(content: Content, templates: Templates, facts: AdFacts = FACTS, **more: Any) -> str:
    """The markup as a page with these facts has it; `more` are other keys of the creative."""
    made = proven(Creative("box", content, **{"link": LINK, "formats": ("fluid",), **more}), templates)
    return fill(made.markup["fluid"], facts)


def hrefs(markup: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]*)"', markup)]


@pytest.mark.parametrize(
    "content",
    [Image("/a.png", "A"), Native("Title"), Html(f'<a href="{LINK.replace("&", "&amp;")}">x</a>', "first-party")],
    ids=["image", "native", "first-party"],
)
def test_a_link_leads_by_way_of_the_click_address_where_there_is_one(content: Content, templates: Templates) -> None:
    assert hrefs(drawn(content, templates)) == [CLICK]
    assert hrefs(drawn(content, templates, AdFacts("box"))) == [LINK]


def test_a_link_to_another_page_of_the_advertisers_is_counted_too(templates: Templates) -> None:
    markup = '<a href="https://www.shop.example/sale?x=1&amp;y">1</a><a href="https://other.example/">2</a>'
    found = drawn(Html(markup, "first-party"), templates, adomain=("shop.example",))
    assert hrefs(found) == [
        f"{CLICK}?to=https%3A%2F%2Fwww.shop.example%2Fsale%3Fx%3D1%26y",
        "https://other.example/",
    ]
    bare = drawn(Html(markup, "first-party"), templates, AdFacts("box"), adomain=("shop.example",))
    assert hrefs(bare) == ["https://www.shop.example/sale?x=1&y", "https://other.example/"]


@pytest.mark.parametrize(
    ("macro", "value"),
    [
        ("${CLICK_URL}", f"{CLICK}?to="),
        ("${CLICK_URL_ENC}", "https%3A%2F%2Fads.example%2Fv1%2Fclick%2Fp.k.m.0%3Fto%3D"),
        ("%%CLICK_URL_UNESC%%", f"{CLICK}?to="),
        ("%%CLICK_URL_ESC%%", "https%3A%2F%2Fads.example%2Fv1%2Fclick%2Fp.k.m.0%3Fto%3D"),
        ("{clickurl}", f"{CLICK}?to="),
        ("{clickurl_enc}", "https%3A%2F%2Fads.example%2Fv1%2Fclick%2Fp.k.m.0%3Fto%3D"),
        ("{clickurl_html}", f"{CLICK}?to="),
        ("${CACHEBUSTER}", "4711"),
        ("%%CACHEBUSTER%%", "4711"),
        ("{random}", "4711"),
        ("${TIMESTAMP}", "1790000000"),
        ("${SERVE_ID}", "5e1f"),
        ("${CREATIVE_ID}", "box"),
        ("${FLIGHT_ID}", "spring"),
        ("${CAMPAIGN_ID}", "acme"),
        ("${PAGE_URL_ENC}", "https%3A%2F%2Fnews.example%2Fa%3Fb%3Dc%20d"),
        ("${GDPR}", "1"),
        ("${GDPR_CONSENT_755}", "CPxy_-.A"),
        ("${GPP_STRING_755}", "DB~x"),
        ("${GPP_SID}", "2,7"),
        ("${NOBODY_KNOWS}", "${NOBODY_KNOWS}"),
        ("${lower}", "${lower}"),
    ],
)
@pytest.mark.parametrize("place", ["<b>{}</b>", '<a href="x{}">y</a>', "<script>var s = '{}'</script>"])
def test_macros_of_framed_markup_are_filled_wherever_they_stand(
    macro: str, value: str, place: str, templates: Templates
) -> None:
    markup = drawn(Html(place.replace("{}", macro), "scripts"), templates)
    document = unescape(markup.removeprefix('<iframe srcdoc="').partition('"')[0])
    assert document.endswith(place.replace("{}", value))


def test_without_a_click_address_its_macros_are_empty(templates: Templates) -> None:
    markup = drawn(Html("[${CLICK_URL}][${CLICK_URL_ENC}]", "strict"), templates, AdFacts("box"))
    assert "[][]" in markup


def test_macros_of_addresses_are_filled_and_unknown_ones_empty(templates: Templates) -> None:
    image = Image("https://cdn.example/a.png?r=${CACHEBUSTER}&u=${UNKNOWN}&c=${CREATIVE_ID}")
    assert 'src="https://cdn.example/a.png?r=4711&amp;u=&amp;c=box"' in drawn(image, templates)
    link = "https://shop.example/?r=%%CACHEBUSTER%%"
    assert hrefs(drawn(image, templates, AdFacts("box", sheet=SHEET), link=link)) == ["https://shop.example/?r=4711"]


def test_a_value_is_never_taken_for_a_macro(templates: Templates) -> None:
    facts = AdFacts("${SERVE_ID}", "{random}", "%%CACHEBUSTER%%", CLICK, SHEET._replace(tcf="${SERVE_ID}"))
    markup = drawn(Html("${CREATIVE_ID} ${FLIGHT_ID} ${CAMPAIGN_ID} ${GDPR_CONSENT_1}", "strict"), templates, facts)
    assert "5e1f" not in markup
    assert "4711" not in markup


@given(st.text(max_size=30))
def test_no_value_leaves_its_place(said: str) -> None:
    facts = AdFacts(said, said, said, CLICK, SHEET._replace(page_url=said, tcf=said, gpp=said, serve_id=said))
    macros = "${CREATIVE_ID}${FLIGHT_ID}${CAMPAIGN_ID}${PAGE_URL_ENC}${GDPR_CONSENT_1}${GPP_STRING_1}${SERVE_ID}"
    assert re.fullmatch(r"[A-Za-z0-9%._~-]*", fill(of_address(macros), facts))


def test_in_a_preview_nothing_can_be_counted(templates: Templates) -> None:
    facts = AdFacts("box", "f", "c", "", AUDIT)
    assert "[AUDIT][AUDIT]" in drawn(Html("[${SERVE_ID}][${CACHEBUSTER}]", "strict"), templates, facts)


def test_trackers_are_told_to_the_page_script(templates: Templates) -> None:
    trackers: dict[str, Any] = {
        "view_trackers": ("https://t.example/v?r=${CACHEBUSTER}&x", "https://u.example/"),
        "click_trackers": ("https://t.example/c",),
    }
    assert drawn(Image("/a.png"), templates, **trackers).endswith(
        '<span hidden data-adl-view="https://t.example/v?r=4711&amp;x https://u.example/"'
        ' data-adl-click="https://t.example/c"></span>'
    )


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/v", "https://t.example/a b", "https://u@t.example/"])
def test_a_tracker_that_is_no_web_address_is_refused(address: str, templates: Templates) -> None:
    with pytest.raises(BadMarkup, match=r"^trackers: expected an http or https address"):
        prepare(Creative("c", Image("/a.png"), view_trackers=(address,)), templates)


def test_markup_brings_no_trackers_of_its_own(templates: Templates) -> None:
    markup = drawn(Html('<b data-adl-view="https://t.example/">x</b>', "first-party"), templates)
    assert "data-adl-view" not in markup


def test_a_template_that_changes_its_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native/card.html.j2").write_text("<a href='{{ link|upper }}'>{{ title }}</a>")
    with pytest.raises(BadMarkup, match="native/card changes its link"):
        prepare(Creative("c", Native("T"), LINK), Templates.load(tmp_path))


def test_no_text_of_a_native_ad_is_taken_for_its_link(templates: Templates) -> None:
    title = "https://m000000000000000000000000x0z.example/"
    assert title in drawn(Native(title), templates)


@pytest.mark.parametrize(
    ("url", "domains", "expect"),
    [
        ("https://shop.example/", ("shop.example",), True),
        ("https://www.shop.example/x", (".Shop.Example",), True),
        ("https://shop.example.:443/", ("shop.example",), True),
        ("https://badshop.example/", ("shop.example",), False),
        ("https://shop.example.evil.example/", ("shop.example",), False),
        ("https://evil.example/?shop.example", ("shop.example",), False),
        ("https://shop.example@evil.example/", ("shop.example",), False),
        ("https://evil.example\\@shop.example/", ("shop.example",), False),
        ("//shop.example/", ("shop.example",), False),
        ("https://shop.example/", (), False),
        ("https://shop.example/", ("",), False),
    ],
)
def test_an_address_is_under_a_domain_by_its_host(url: str, domains: tuple[str, ...], expect: bool) -> None:
    assert is_under(url, domains) is expect
