"""What a page fills into an ad: links by way of the service, macros of advertisers, whom else to tell."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.checks import proven
from adlayout.model import Content, Creative, Html, Image, Native
from adlayout.rendering.creative import BadMarkup, prepare
from adlayout.rendering.macros import AUDIT, AdFacts, Sheet, fill, has_macros, of_address
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


def first_party(inner: str, templates: Templates, facts: AdFacts = FACTS, **more: Any) -> str:
    """The advertiser's own markup as it stands in the box that is made for it."""
    found = drawn(Html(inner, "first-party"), templates, facts, **more)
    return found.removeprefix('<div dir="auto" style="overflow:hidden">').removesuffix("</div>")


@pytest.mark.parametrize("macro", ["${CLICK_URL}", "%%CLICK_URL_UNESC%%", "{clickurl}"])
@pytest.mark.parametrize(
    ("behind", "counted", "direct"),
    [
        ("", CLICK, LINK),
        ("https://shop.example/x?a=1&amp;b", f"{CLICK}?to=https%3A%2F%2Fshop.example%2Fx%3Fa%3D1%26b", "x?a=1&b"),
        ("https%3A%2F%2Fshop.example%2Fx", f"{CLICK}?to=https%3A%2F%2Fshop.example%2Fx", "x"),
        ("https://shop.example/x?r={random}", f"{CLICK}?to=https%3A%2F%2Fshop.example%2Fx%3Fr%3D4711", "x?r=4711"),
        ("https%3A%2F%2Fshop.example%2F{random}", f"{CLICK}?to=https%3A%2F%2Fshop.example%2F4711", "4711"),
    ],
)
def test_the_click_macro_of_first_party_markup_leads_on(
    macro: str, behind: str, counted: str, direct: str, templates: Templates
) -> None:
    markup = f'<a href="{macro}{behind}">x</a>'
    uncounted = AdFacts("box", sheet=SHEET)
    assert hrefs(first_party(markup, templates)) == [counted]
    assert hrefs(first_party(markup, templates, uncounted)) == [
        direct if behind == "" else f"https://shop.example/{direct}"
    ]


@pytest.mark.parametrize(
    "behind",
    [
        "javascript:alert(1)",
        "javascript%3Aalert(1)",
        "data:text/html,x",
        "//shop.example/",
        "/x",
        "{random}",
        "https://shop.example{random}/",
        "https%3A%2F%2Fshop.example{random}",
        "https://{random}.shop.example/",
        "https://u@shop.example/",
    ],
)
def test_no_link_leads_anywhere_but_to_the_web_behind_the_click_macro(behind: str, templates: Templates) -> None:
    markup = f'<a href="${{CLICK_URL}}{behind}">x</a>'
    assert hrefs(first_party(markup, templates)) == []
    assert hrefs(first_party(markup, templates, AdFacts("box"))) == []


def test_a_link_with_macros_is_counted_like_any_other(templates: Templates) -> None:
    link = "https://shop.example/?r=${CACHEBUSTER}"
    markup = f'<a href="{link}">1</a><a href="{link}&amp;b">2</a>'
    more: dict[str, Any] = {"link": link, "adomain": ("shop.example",)}
    assert hrefs(first_party(markup, templates, **more)) == [
        CLICK,
        f"{CLICK}?to=https%3A%2F%2Fshop.example%2F%3Fr%3D4711%26b",
    ]
    assert hrefs(first_party(markup, templates, AdFacts("box", sheet=SHEET), **more)) == [
        "https://shop.example/?r=4711",
        "https://shop.example/?r=4711&b",
    ]


def test_a_link_without_an_address_of_its_own_is_none_where_the_creative_has_no_link(templates: Templates) -> None:
    assert hrefs(first_party('<a href="${CLICK_URL}">x</a>', templates, link=None)) == []


def test_macros_of_first_party_markup_are_filled_in_texts_and_addresses(templates: Templates) -> None:
    markup = (
        '<b title="${FLIGHT_ID}">${CREATIVE_ID}, ${UNKNOWN}</b><img src="https://x.example/?r={random}&u=${UNKNOWN}">'
    )
    assert first_party(markup, templates) == (
        '<b title="spring">box, ${UNKNOWN}</b><img src="https://x.example/?r=4711&amp;u=" loading="lazy">'
    )


def test_what_only_looks_like_a_link_is_left_as_it_is(templates: Templates) -> None:
    text = '<p>write href="https://shop.example/" and so on</p>'
    assert first_party(text, templates, adomain=("shop.example",)) == text


def test_no_macro_makes_a_class_by_which_a_page_finds_its_slots(templates: Templates) -> None:
    facts = AdFacts("adl-slot", "dl-slot")
    markup = '<b class="${CREATIVE_ID}">x</b><b class="a${FLIGHT_ID}">y</b><b class="${UNKNOWN}">z</b>'
    assert first_party(markup, templates, facts) == '<b>x</b><b>y</b><b class="${UNKNOWN}">z</b>'


@pytest.mark.parametrize("host", ["${CREATIVE_ID}.example", "a{random}", "%%CACHEBUSTER%%.example", "${UNKNOWN}"])
@pytest.mark.parametrize("key", ["link", "view_trackers", "src"])
def test_no_macro_stands_for_a_host(host: str, key: str, templates: Templates) -> None:
    address = f"https://{host}/"
    keys: dict[str, dict[str, Any]] = {"link": {key: address}, "view_trackers": {key: (address,)}, "src": {}}
    with pytest.raises(BadMarkup, match=r"expected (an )?http"):
        prepare(Creative("c", Image(address if key == "src" else "/a.png"), **keys[key]), templates)


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


@given(st.text(max_size=30) | st.text("%:/?=&2F", max_size=30))
def test_an_address_is_read_back_as_it_was(address: str) -> None:
    found = fill(of_address("${PAGE_URL_ENC}"), AdFacts("c", sheet=Sheet(page_url=address)))
    assert found == quote(address, safe="~")


@given(st.text(max_size=30))
def test_no_value_leaves_its_place(said: str) -> None:
    facts = AdFacts(said, said, said, CLICK, SHEET._replace(page_url=said, tcf=said, gpp=said, serve_id=said))
    macros = "${CREATIVE_ID}${FLIGHT_ID}${CAMPAIGN_ID}${PAGE_URL_ENC}${GDPR_CONSENT_1}${GPP_STRING_1}${SERVE_ID}"
    assert re.fullmatch(r"[A-Za-z0-9%._~-]*", fill(of_address(macros), facts))


def test_in_a_preview_nothing_can_be_counted() -> None:
    names = ("SERVE_ID", "CACHEBUSTER", "TIMESTAMP", "CREATIVE_ID", "FLIGHT_ID", "CAMPAIGN_ID", "PAGE_URL_ENC")
    consent = ("GDPR", "GDPR_CONSENT_7", "GPP_STRING_7", "GPP_SID")
    said = of_address("".join(f"${{{name}}}," for name in (*names, *consent, "CLICK_URL")))
    assert fill(said, AdFacts("box", "f", "c", "", AUDIT)) == 11 * "AUDIT," + ","


def test_names_are_cut_and_consent_is_not() -> None:
    facts = AdFacts("x" * 101, "x" * 101, "x" * 101, CLICK, SHEET._replace(serve_id="x" * 101, tcf="C" * 2000))
    said = of_address("${CREATIVE_ID} ${FLIGHT_ID} ${CAMPAIGN_ID} ${SERVE_ID} ${GDPR_CONSENT_7}")
    assert fill(said, facts) == " ".join([*["x" * 100] * 4, "C" * 2000])


def test_half_a_character_is_none() -> None:
    assert fill(of_address("${PAGE_URL_ENC}"), AdFacts("c", sheet=Sheet(page_url="a\ud800b"))) == "a%3Fb"


@pytest.mark.parametrize("name", ["TO", "LINK", "GDPR_CONSENT", "GDPR_CONSENT_X", "GDPR_CONSENT_7_8"])
def test_no_other_name_is_a_macro(name: str) -> None:
    assert (has_macros(f"${{{name}}}"), fill(of_address(f"a${{{name}}}b"), FACTS)) == (False, "ab")


def test_trackers_are_told_to_the_page_script(templates: Templates) -> None:
    trackers: dict[str, Any] = {
        "view_trackers": ("https://t.example/v?r=${CACHEBUSTER}&x", "https://u.example/"),
        "click_trackers": ("https://t.example/c",),
    }
    # Before the ad, which a style sheet may know as the last of its slot.
    assert drawn(Image("/a.png"), templates, **trackers).startswith(
        '<span hidden data-adl-view="https://t.example/v?r=4711&amp;x https://u.example/"'
        ' data-adl-click="https://t.example/c"></span><a '
    )


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/v", "https://t.example/a b", "https://u@t.example/"])
def test_a_tracker_that_is_no_web_address_is_refused(address: str, templates: Templates) -> None:
    with pytest.raises(BadMarkup, match=r"^trackers: expected an http or https address"):
        prepare(Creative("c", Image("/a.png"), view_trackers=(address,)), templates)


def test_markup_brings_no_trackers_of_its_own(templates: Templates) -> None:
    markup = drawn(Html('<b data-adl-view="https://t.example/">x</b>', "first-party"), templates)
    assert "data-adl-view" not in markup


@pytest.mark.parametrize("filter", ["upper", "urlencode", "replace('https://', '')", "replace('.example/', '')"])
def test_a_template_that_changes_its_link_is_refused(filter: str, tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native/card.html.j2").write_text(f"<a href='{{{{ link|{filter} }}}}'>{{{{ title }}}}</a>")
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
        ("https://sh\u00f6p.example/", ("sh\u00f6p.example",), False),
        ("https://shop.example/", (), False),
        ("https://shop.example/", ("",), False),
    ],
)
def test_an_address_is_under_a_domain_by_its_host(url: str, domains: tuple[str, ...], expect: bool) -> None:
    assert is_under(url, domains) is expect
