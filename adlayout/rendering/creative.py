"""A creative's markup, made and made safe once when it is loaded; knows nothing of pages, slots or readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import assert_never

import nh3

from adlayout.formats import FLUID, Size, size_of
from adlayout.model import Creative, Html, Image, Native
from adlayout.rendering.macros import (
    EMPTY_SHEET,
    AdFacts,
    Hole,
    Marks,
    Sheet,
    Text,
    behind_click,
    escaped,
    fill,
    has_macros,
    is_personal,
    joined,
    of_address,
    to_address,
    to_link,
    without,
)
from adlayout.rendering.page import TemplateFailure, Templates
from adlayout.rendering.urls import is_picture, is_under, is_web

_REL = "sponsored nofollow noopener"

# What an ad without a text of its own is called to those who do not see it.
_NAME = "Advertisement"

# No sandbox holds allow-same-origin: with allow-scripts it would let a srcdoc document remove its own sandbox.
# Links open a new tab in both; without scripts only the reader's click can do that.
_SANDBOXES = {
    "strict": "allow-popups allow-popups-to-escape-sandbox",
    "scripts": "allow-scripts allow-popups allow-popups-to-escape-sandbox",
}

_FIRST_PARTY = "first-party"

_LAZY = ' loading="lazy"'

# What an iframe's document needs so that the creative fills it and its links leave it.
_DOCUMENT_HEAD = '<!doctype html><meta charset="utf-8"><base target="_blank"><style>body{margin:0}</style>'

# No headings: an ad has no place in the article's outline. No forms, no nobr, nothing that loads or runs a document.
# fmt: off
_TAGS = frozenset({
    "a", "abbr", "b", "blockquote", "br", "div", "em", "figcaption", "figure", "hr", "i", "img", "li", "mark", "ol",
    "p", "s", "small", "span", "strong", "sub", "sup", "u", "ul",
})
# fmt: on
_ATTRIBUTES = {"*": {"class", "style", "title", "dir", "lang"}, "a": {"href"}, "img": {"src", "alt", "width", "height"}}

# None of these takes an address or lifts an element out of its place.
# fmt: off
_PROPERTIES = frozenset({
    "background-color", "border", "border-color", "border-radius", "border-style", "border-width", "color", "display",
    "font-family", "font-size", "font-style", "font-weight", "height", "letter-spacing", "line-height", "margin",
    "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height", "max-width", "min-height", "min-width",
    "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align", "text-decoration",
    "vertical-align", "white-space", "width",
})
# fmt: on


# What a page may say at worst, to prove that the markup stays in its slot whatever stands in its holes.
_ODD = "'\"<>&`= \\"
_BARE = AdFacts("", sheet=EMPTY_SHEET)
_FULL = AdFacts(
    _ODD, _ODD, _ODD, "https://ads.example/v1/click/x.y.z.0", Sheet(_ODD, _ODD, 1, _ODD, True, _ODD, _ODD, (2,))
)


class BadMarkup(ValueError):
    """A creative that may not stand in a page; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A creative's finished markup by format (`300x250`, `fluid`); one entry for each of its formats.

    `markup` loads when the reader comes near it, `eager` at once. Both have holes for what only a page knows;
    `personal` says that one of them is for what no other reader should get.
    """

    markup: Mapping[str, Text]
    eager: Mapping[str, Text] = field(init=False)
    personal: bool = field(init=False)

    def __post_init__(self) -> None:
        # What a creative says itself stands in it with its quotes escaped, so that this is always an attribute.
        eager = {format: without(text, _LAZY) for format, text in self.markup.items()}
        object.__setattr__(self, "eager", eager)
        object.__setattr__(self, "personal", any(is_personal(text) for text in self.markup.values()))

    def samples(self) -> Iterator[str]:
        """The markup as pages may have it: without anything in its holes, and with all that can stand there."""
        for text in dict.fromkeys(self.markup.values()):
            yield from dict.fromkeys((fill(text, _BARE), fill(text, _FULL)))


def prepare(creative: Creative, templates: Templates) -> Prepared:
    """Makes the creative's markup for each of its formats (`fluid` where it names none); raises BadMarkup."""
    if creative.link is not None and not is_web(creative.link):
        raise BadMarkup(f"link: expected an http or https address, got {creative.link[:80]!r}")
    draw, trackers = _drawing(creative, templates), _trackers(creative)
    return Prepared({format: joined(trackers, draw(_size(format))) for format in creative.formats or (FLUID,)})


def _size(format: str) -> Size:
    size = size_of(format)
    if size is None:
        raise BadMarkup(f'formats: expected a size such as "300x250", or "fluid", got {format!r}')
    return size


def _drawing(creative: Creative, templates: Templates) -> Callable[[Size], Text]:
    content = creative.content
    match content:
        case Image():
            _check_image(content)
            return lambda size: _image(content, creative.link, size)
        case Native():
            markup = _native(content, creative.link, templates)
            return lambda _size: markup
        case Html():
            return _html(content, creative)
        case _:  # pragma: no cover (the type checker lets no other kind pass)
            assert_never(content)


def _check_image(image: Image) -> None:
    if not is_picture(image.src):
        raise BadMarkup(f"image.src: expected http(s), a /path or data:image/, got {image.src[:80]!r}")


def _image(image: Image, link: str | None, size: Size) -> Text:
    width, height = (image.w, image.h) if size.width_px is None else (size.width_px, size.height_px)
    measures, look = "", ""
    if width and height:
        # A page's own `img {width: 100%}` must not blow the ad up, nor a file of another shape push the text down.
        measures = f' width="{width}" height="{height}"'
        look = f"width:{width}px;aspect-ratio:{width}/{height};object-fit:contain;"
    picture = joined(
        '<img src="',
        escaped(of_address(image.src)),
        f'" alt="{escape(image.alt)}"{measures} loading="lazy" decoding="async"'
        f' style="display:block;{look}max-width:100%;height:auto;margin:0 auto;border:0">',
    )
    if link is None:
        return picture
    # Without a text of its own a link is read out as its address.
    name = "" if image.alt.strip() else f' aria-label="{_NAME}"'
    return joined('<a href="', (_link(link),), f'" rel="{_REL}" target="_blank"{name}>', picture, "</a>")


def _link(link: str) -> Hole:
    return to_link(escaped(of_address(link)))


def _native(native: Native, link: str | None, templates: Templates) -> Text:
    if native.image is not None:
        _check_image(native.image)
    marks = Marks()
    fields = {
        "title": native.title,
        "body": native.body,
        "cta": native.cta,
        "sponsor": native.sponsor,
        "image": native.image,
        "link": marks.address(_link(link)) if link is not None else None,
    }
    try:
        markup = templates.native(native.template, fields)
    except TemplateFailure as exc:
        raise BadMarkup(f"template: {exc}") from exc
    text = marks.cut(markup)
    if text is None:
        raise BadMarkup(f"template: native/{native.template} changes its link, which must stand in it as it is")
    return text


def _html(html: Html, creative: Creative) -> Callable[[Size], Text]:
    if not html.markup.strip():
        raise BadMarkup("markup: expected the ad's HTML, got nothing")
    if html.sandbox == _FIRST_PARTY:
        clean = _sanitised(html.markup, creative)
        return lambda _size: clean
    sandbox = _SANDBOXES.get(html.sandbox)
    if sandbox is None:
        known = ", ".join((*_SANDBOXES, _FIRST_PARTY))
        raise BadMarkup(f"sandbox: expected one of {known}, got {html.sandbox!r}")
    return lambda size: _iframe(html.markup, sandbox, size)


def _iframe(markup: str, sandbox: str, size: Size) -> Text:
    width, look = ("100%", "100%") if size.width_px is None else (str(size.width_px), f"{size.width_px}px")
    marks = Marks()
    document = marks.cut(escape(_DOCUMENT_HEAD + marks.marked(markup))) or ""
    return joined(
        '<iframe srcdoc="',
        document,
        f'" sandbox="{sandbox}" allow="" referrerpolicy="no-referrer"'
        f' loading="lazy" width="{width}" height="{size.height_px}" title="{_NAME}"'
        f' style="border:0;display:block;width:{look};height:{size.height_px}px;max-width:100%;margin:0 auto">',
        "</iframe>",
    )


def _sanitised(markup: str, creative: Creative) -> Text:
    links = _Links(creative)
    clean = _cleaner(links.attribute).clean(markup).strip()
    if not _CLEANER_OF_TEXT.clean(clean).strip():
        raise BadMarkup("markup: nothing that may stand in a page remains of it")
    # The box keeps negative margins and wide children from reaching over the article; an ad reads in the direction of
    # its own language, whatever the page's.
    boxed = f'<div dir="auto" style="overflow:hidden">{links.marks.marked(clean)}</div>'
    return links.marks.cut(boxed) or ""


@dataclass(frozen=True, slots=True)
class _Links:
    """What may stand in the attributes of a creative's own markup; its links become holes, each with its mark."""

    creative: Creative
    marks: Marks = field(default_factory=Marks)

    def attribute(self, tag: str, attribute: str, value: str) -> str | None:
        """The attribute's value, or None where it must not stand."""
        match attribute:
            case "href":
                return self._href(value)
            case "src":
                return self._standing(value) if is_picture(value) else None
            case "class":
                # Those names are how a page finds its slots, and a macro may stand for any name.
                return None if "adl-" in value or has_macros(value) else value
            case _:
                return value

    def _href(self, address: str) -> str | None:
        """The address by way of the click address, where it leads to the advertiser."""
        behind, link = behind_click(address), self.creative.link
        if link is not None and (address == link or behind == ""):
            return self.marks.address(_link(link))
        if behind is not None:
            return self.marks.address(to_address(behind)) if _leads(behind) else None
        if not is_web(address):
            return None
        if is_under(address, self.creative.adomain):
            return self.marks.address(to_address(of_address(address)))
        return self._standing(address)

    def _standing(self, address: str) -> str:
        text = of_address(address)
        return address if isinstance(text, str) else self.marks.standing(text)


def _leads(text: Text) -> bool:
    """Whether an address leads to the web, whatever its macros stand for: the host is none of them."""
    first = text if isinstance(text, str) else text[0]
    return isinstance(first, str) and is_web(first) and (isinstance(text, str) or _BEHIND_HOST.match(first) is not None)


def _trackers(creative: Creative) -> Text:
    """What the page script reads: whom else to tell of views and clicks."""
    told = {"view": creative.view_trackers, "click": creative.click_trackers}
    parts = [joined(f' data-adl-{name}="', *_spaced(addresses), '"') for name, addresses in told.items() if addresses]
    return joined("<span hidden", *parts, "></span>") if parts else ""


def _spaced(addresses: Iterable[str]) -> Iterator[Text]:
    for number, address in enumerate(addresses):
        if not is_web(address):
            raise BadMarkup(f"trackers: expected an http or https address, got {address[:80]!r}")
        yield joined(" " if number else "", escaped(of_address(address)))


def _cleaner(attribute: Callable[[str, str, str], str | None]) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TAGS),
        clean_content_tags={"script", "style", "iframe", "object", "template", "noscript", "svg", "math", "title"},
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        link_rel=_REL,
        url_schemes={"http", "https", "data"},
        filter_style_properties=set(_PROPERTIES),
        set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"loading": "lazy"}},
    )


_BEHIND_HOST = re.compile(r"https?://[^/?#]+[/?#]", re.IGNORECASE)
_CLEANER_OF_TEXT = nh3.Cleaner(tags={"img"}, attributes={}, link_rel=None)
