"""Creatives become markup once, and whatever could harm a page is refused or taken out."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from adlayout.model import Content, Creative, Html, Image, Native
from adlayout.rendering.creative import BadMarkup, Prepared, prepare
from adlayout.rendering.macros import AdFacts, fill
from adlayout.rendering.page import Templates

SHIPPED = Path(__file__).parent.parent / "config" / "templates"
FITTING = "max-width:100%;height:auto;margin:0 auto;border:0"
REL = 'rel="sponsored nofollow noopener"'


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(SHIPPED)


def measured(width: int, height: int) -> str:
    """The attributes of a picture whose size is known, which neither a page's style nor its own file can change."""
    look = f"display:block;width:{width}px;aspect-ratio:{width}/{height};object-fit:contain;{FITTING}"
    return f'width="{width}" height="{height}" loading="lazy" decoding="async" style="{look}"'


UNMEASURED = f'loading="lazy" decoding="async" style="display:block;{FITTING}"'


def fluid(content: Content, templates: Templates, *, link: str | None = None) -> str:
    """The markup of a creative with that content in the one format `fluid`."""
    return fill(prepare(Creative("c", content, link), templates).markup["fluid"], AdFacts("c"))


def test_an_image_is_drawn_once_for_each_of_its_formats(templates: Templates) -> None:
    image = Image("https://cdn.example/a.png", "An ad")
    prepared = prepare(Creative("c", image, formats=("300x250", "336x280")), templates)
    opening = '<img src="https://cdn.example/a.png" alt="An ad"'
    assert prepared == Prepared(
        {
            "300x250": f"{opening} {measured(300, 250)}>",
            "336x280": f"{opening} {measured(336, 280)}>",
        }
    )


def test_an_image_with_a_link_says_that_the_link_is_paid_for(templates: Templates) -> None:
    markup = fluid(Image("/a.png", "Shop", w=600, h=300), templates, link="https://shop.example/?a=1&b=2")
    assert markup == (
        f'<a href="https://shop.example/?a=1&amp;b=2" {REL} target="_blank">'
        f'<img src="/a.png" alt="Shop" {measured(600, 300)}></a>'
    )


def test_a_link_around_a_picture_without_a_text_has_a_name(templates: Templates) -> None:
    markup = fluid(Image("/a.png", " "), templates, link="https://shop.example/")
    assert markup == (
        f'<a href="https://shop.example/" {REL} target="_blank" aria-label="Advertisement">'
        f'<img src="/a.png" alt=" " {UNMEASURED}></a>'
    )


def test_a_fluid_image_of_unknown_size_states_none(templates: Templates) -> None:
    images = (Image("/a.png"), Image("/a.png", w=300), Image("/a.png", w=300, h=0))
    assert {fluid(image, templates) for image in images} == {f'<img src="/a.png" alt="" {UNMEASURED}>'}


def test_alternative_text_cannot_leave_its_attribute(templates: Templates) -> None:
    markup = fluid(Image("/a.png", '"><script>alert(1)</script>'), templates)
    assert markup == (f'<img src="/a.png" alt="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" {UNMEASURED}>')


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " https://shop.example/",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//shop.example/",
        "/landing",
        "https:///nowhere",
        "https://user@shop.example/",
        "https://shop.example\\@evil.example/",
        "http://[broken/",
        "mailto:a@b.example",
        "",
    ],
)
def test_a_link_that_is_not_plain_web_is_refused(link: str, templates: Templates) -> None:
    with pytest.raises(BadMarkup, match=r"^link: expected an http or https address"):
        fluid(Image("/a.png"), templates, link=link)


@pytest.mark.parametrize(
    "src",
    ["javascript:alert(1)", "data:text/html,<b>", "//cdn.example/a.png", "a.png", "/a b.png", "file:///etc/x", ""],
)
@pytest.mark.parametrize("kind", ["image", "native"])
def test_a_picture_from_a_bad_address_is_refused(src: str, kind: str, templates: Templates) -> None:
    contents: dict[str, Content] = {"image": Image(src), "native": Native("Title", image=Image(src))}
    with pytest.raises(BadMarkup, match=r"^image\.src: expected"):
        fluid(contents[kind], templates)


def test_a_picture_may_be_in_the_address_itself(templates: Templates) -> None:
    assert 'src="data:image/svg+xml,%3Csvg/%3E"' in fluid(Image("data:image/svg+xml,%3Csvg/%3E"), templates)


def test_a_native_ad_is_laid_out_by_its_template_with_every_field_escaped(tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    source = "{{ title }}|{{ body }}|{{ cta }}|{{ sponsor }}|{{ image.src }}|{{ link }}"
    (tmp_path / "native" / "plain.html.j2").write_text(source)
    native = Native("<i>", "{{ 7 * 7 }}", '"', "&", Image("/a.png"), "plain")
    markup = fluid(native, Templates.load(tmp_path), link="https://shop.example/")
    assert markup == "&lt;i&gt;|{{ 7 * 7 }}|&#34;|&amp;|/a.png|https://shop.example/"


def test_the_shipped_card_holds_what_the_creative_has(templates: Templates) -> None:
    native = Native("A <title>", "Body", "Go", "Sponsor", Image("/a.png", "Alt"))
    markup = fluid(native, templates, link="https://shop.example/")
    assert [part in markup for part in ("A &lt;title&gt;", "Body", "Go", "Sponsor", 'src="/a.png" alt="Alt"', REL)] == [
        True
    ] * 6


def test_the_shipped_card_leaves_out_what_the_creative_lacks(templates: Templates) -> None:
    markup = fluid(Native("Only a title"), templates)
    assert (markup.count("<span"), markup.count("<img"), markup.count("<a ")) == (1, 0, 0)
    assert markup.startswith('<div dir="auto"')


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ 1 // 0 }}", r"native/bad\.html\.j2:1:1: ZeroDivisionError"),
        ("\n{{ titel }}", r"native/bad\.html\.j2:2:1: UndefinedError: 'titel' is undefined"),
        ("{{ title.__class__.__mro__ }}", r"native/bad\.html\.j2:1:1: SecurityError"),
    ],
)
def test_a_native_template_that_fails_refuses_the_creative(source: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "bad.html.j2").write_text(source)
    with pytest.raises(BadMarkup, match=message):
        fluid(Native("Title", template="bad"), Templates.load(tmp_path))


@pytest.mark.parametrize("name", ["missing", "../article", "card.html.j2"])
def test_a_native_template_that_does_not_exist_refuses_the_creative(name: str, templates: Templates) -> None:
    with pytest.raises(BadMarkup, match="there is no such template"):
        fluid(Native("Title", template=name), templates)


@pytest.mark.parametrize(
    ("sandbox", "allowed"),
    [
        ("strict", "allow-popups allow-popups-to-escape-sandbox"),
        ("scripts", "allow-scripts allow-popups allow-popups-to-escape-sandbox"),
    ],
)
def test_advertiser_markup_is_kept_in_a_sandbox(sandbox: str, allowed: str, templates: Templates) -> None:
    creative = Creative("c", Html("<p>ad</p>", sandbox), formats=("300x250",))
    assert prepare(creative, templates).markup["300x250"] == (
        '<iframe srcdoc="&lt;!doctype html&gt;&lt;meta charset=&quot;utf-8&quot;&gt;'
        '&lt;base target=&quot;_blank&quot;&gt;&lt;style&gt;body{margin:0}&lt;/style&gt;&lt;p&gt;ad&lt;/p&gt;"'
        f' sandbox="{allowed}" allow="" referrerpolicy="no-referrer" loading="lazy" width="300" height="250"'
        ' title="Advertisement"'
        ' style="border:0;display:block;width:300px;height:250px;max-width:100%;margin:0 auto"></iframe>'
    )


def test_a_fluid_frame_takes_the_column_and_250_pixels(templates: Templates) -> None:
    assert fluid(Html("<p>ad</p>"), templates).partition('width="')[2] == (
        '100%" height="250" title="Advertisement"'
        ' style="border:0;display:block;width:100%;height:250px;max-width:100%;margin:0 auto"></iframe>'
    )


def test_markup_cannot_leave_its_frame(templates: Templates) -> None:
    hostile = '"></iframe><script>alert(1)</script>&quot;'
    markup = fluid(Html(hostile, "scripts"), templates)
    document = markup.removeprefix('<iframe srcdoc="').partition('"')[0]
    assert unescape(document).endswith(hostile)
    assert (markup.count("<"), markup.count("</iframe>")) == (2, 1)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>ad</p>", "<p>ad</p>"),
        ("<p>ad</p><script>alert(1)</script>", "<p>ad</p>"),
        ("<p onclick=alert(1)>ad</p>", "<p>ad</p>"),
        ("<form action=/x><button>ad</button><select><option>x</select></form>", "adx"),
        ("<nobr>ad</nobr><iframe src=https://x.example></iframe>", "ad"),
        ("<style>p{position:fixed}</style>ad", "ad"),
        ('<p style="position:fixed;color:red">ad</p>', '<p style="color:red">ad</p>'),
        ('<p id="x" class="promo">ad</p>', '<p class="promo">ad</p>'),
        ('<p class="adl-slot">ad</p>', "<p>ad</p>"),
        ("</aside></div>ad", "ad"),
        ("<!-- x --><b>ad", "<b>ad</b>"),
        ('<img src="/a.png" srcset="x 2x" onerror="x">', '<img src="/a.png" loading="lazy">'),
        ('<img src="javascript:x">', '<img loading="lazy">'),
        ('<img src="data:text/html,x">', '<img loading="lazy">'),
        ('<a href="javascript:x" rel="opener">ad</a>', f'<a target="_blank" {REL}>ad</a>'),
        ('<a href="data:image/png,x">ad</a>', f'<a {REL} target="_blank">ad</a>'),
    ],
)
def test_first_party_markup_keeps_only_what_is_allowed(markup: str, expected: str, templates: Templates) -> None:
    assert fluid(Html(markup, "first-party"), templates) == f'<div dir="auto" style="overflow:hidden">{expected}</div>'


def test_a_first_party_link_is_marked_as_paid_for(templates: Templates) -> None:
    markup = fluid(Html('<a href="https://shop.example/" rel="opener" target="_top">ad</a>', "first-party"), templates)
    assert (REL in markup, 'target="_blank"' in markup, "opener " in markup.replace("noopener", "")) == (
        True,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("html", "message"),
    [
        (Html("  \n"), "^markup: expected the ad's HTML, got nothing"),
        (Html("<script>alert(1)</script>", "first-party"), "^markup: nothing that may stand in a page remains"),
        (Html("<p> </p>", "first-party"), "^markup: nothing that may stand in a page remains"),
        (Html("<p>ad</p>", "none"), "^sandbox: expected one of strict, scripts, first-party, got 'none'"),
    ],
)
def test_html_that_shows_nothing_or_names_no_sandbox_is_refused(html: Html, message: str, templates: Templates) -> None:
    with pytest.raises(BadMarkup, match=message):
        fluid(html, templates)


@pytest.mark.parametrize("format", ["300", "300x", "0x50", "300X250", "\u0663\u0660\u0660x250", "300x250 "])
def test_a_format_that_is_no_size_is_refused(format: str, templates: Templates) -> None:
    with pytest.raises(BadMarkup, match=r"^formats: expected a size"):
        prepare(Creative("c", Image("/a.png"), formats=(format,)), templates)
