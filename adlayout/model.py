"""The values that travel between the stages: all frozen, none with behaviour that needs another room."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Device(StrEnum):
    """What the reader holds; `mobile` where nobody says."""

    MOBILE = "mobile"
    TABLET = "tablet"
    DESKTOP = "desktop"


class Output(StrEnum):
    """How much is returned: the whole page, or the article with its ads."""

    PAGE = "page"
    FRAGMENT = "fragment"


class Verdict(StrEnum):
    """What became of a gap."""

    SLOT = "slot"
    REFUSED = "refused"
    FREE = "free"


class Reason(StrEnum):
    """Why a gap holds no ad, or a due ad found no gap (closed list)."""

    FIRST = "first"  # the gap lies before the first ad may stand
    EVERY = "every"  # an ad is due only further on
    MIN_BETWEEN = "min_between"  # too near to another ad
    MIN_ARTICLE = "min_article"  # the article is too short for any ad
    END_GUARD = "end_guard"  # too little of the article would remain after the ad
    NO_AFTER = "no_after"  # the block above is one that no ad may follow, as a heading
    NO_BEFORE = "no_before"  # the block below is one that no ad may precede, as a figure
    KEEP_WITH_NEXT = "keep_with_next"  # the gap would part a heading from its text
    UNSAFE_MARKUP = "unsafe_markup"  # an ad here would change the article's tree
    MAX_ADS = "max_ads"  # the article holds as many ads as it may
    CONFLICT = "conflict"  # a due ad found no gap that takes it


class Degraded(StrEnum):
    """Why a page has fewer ads than it should have (closed list)."""

    STORE_TIMEOUT = "store_timeout"
    STORE_ERROR = "store_error"
    TEMPLATE = "template"
    CREATIVE = "creative"
    DEADLINE = "deadline"
    VERIFY = "verify"
    UNKNOWN_LAYOUT = "unknown_layout"
    UNKNOWN_SITE = "unknown_site"
    SHED = "shed"
    STALE_INVENTORY = "stale_inventory"


class Unfilled(StrEnum):
    """Why a slot has no creative (closed list)."""

    NO_CANDIDATE = "no_candidate"
    PAGE_DUPLICATE = "page_duplicate"
    DEADLINE = "deadline"
    STORE_ERROR = "store_error"
    TEMPLATE = "template"


# The article, as placement sees it.


@dataclass(frozen=True, slots=True)
class Count:
    """Which blocks count as paragraphs."""

    tags: frozenset[str] = frozenset({"p"})
    min_words: int = 1
    min_chars: int = 0
    bare_text: str = "auto"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a layout asks of an article: how to find its flow, which selectors to match, what to measure."""

    count: Count
    exclude_within: tuple[str, ...]
    container: str | None = None
    enter: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    words: bool = False
    chars: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of the article's flow; `start`/`end` in code points of the article as sent.

    `tag` is None for an anonymous paragraph; `words` and `chars` are 0 where the layout does not ask for them;
    `matches` holds those of the layout's selectors that match; `hollow` blocks have nothing to see.
    """

    tag: str | None
    start: int | None
    end: int | None
    counted: bool
    hollow: bool
    matches: frozenset[str]
    words: int = 0
    chars: int = 0


@dataclass(frozen=True, slots=True)
class Article:
    """The source text with its blocks; `offsets[n]` is where gap n is in the source, None where it has no point.

    There is one gap more than there are blocks. `warnings` name what ops or the CMS should know.
    """

    html: str
    blocks: tuple[Block, ...]
    offsets: tuple[int | None, ...]
    warnings: tuple[str, ...] = ()


# What placement answers.


@dataclass(frozen=True, slots=True)
class SlotStyle:
    """What ops wrote for a slot: its type, the formats (`300x250`, `fluid`) it takes, its label and reserve."""

    type: str = "in-article"
    formats: tuple[str, ...] = ("300x250", "336x280", "fluid")
    label: str = "Advertisement"
    on_empty: str = "collapse"  # or "hold"
    reserve: str = "largest"  # or "smallest", "none"


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in one page that may hold an ad; page slots have neither gap nor offset."""

    id: str
    style: SlotStyle
    gap: int | None = None
    offset: int | None = None
    due_gap: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One rule's no, with what it asked for and what it found."""

    rule: Reason
    needed: str
    actual: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A gap's verdict and the reasons for it."""

    gap: int
    offset: int | None
    verdict: Verdict
    slot: str | None = None
    reasons: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A due ad that found no gap."""

    due_gap: int
    reason: Reason = Reason.CONFLICT


@dataclass(frozen=True, slots=True)
class Plan:
    """The slots in document order and the ads that were dropped; `gaps` are every gap's judgement, where one asked."""

    slots: tuple[Slot, ...]
    gaps: tuple[Judgement, ...] = ()
    dropped: tuple[Dropped, ...] = ()


# The ads.


@dataclass(frozen=True, slots=True)
class Image:
    """A picture with its size in CSS pixels; `w`/`h` None where nobody said."""

    src: str
    alt: str = ""
    w: int | None = None
    h: int | None = None


@dataclass(frozen=True, slots=True)
class Native:
    """Fields for a native ad and the name of the template (`native/NAME.html.j2`) that lays them out."""

    title: str
    body: str = ""
    cta: str = ""
    sponsor: str = ""
    image: Image | None = None
    template: str = "card"


@dataclass(frozen=True, slots=True)
class Html:
    """Markup of an advertiser; `sandbox` is `strict`, `scripts` (both framed) or `first-party` (sanitised, inline)."""

    markup: str
    sandbox: str = "strict"


Content: TypeAlias = Image | Native | Html


@dataclass(frozen=True, slots=True)
class Creative:
    """The ad itself. `formats` as `300x250` or `fluid`; no `slot_types` means any."""

    id: str
    content: Content
    link: str | None = None
    slot_types: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    lang: str | None = None
    house: bool = False


# A page has as many of these and of `Piece` as it has ads: a tuple is made in a third of a frozen dataclass's time.
class Filled(NamedTuple):
    """A slot with its creative; `format` is the creative's format that fits the slot."""

    slot: Slot
    creative: str
    flight: str | None
    campaign: str | None
    house: bool
    format: str


@dataclass(frozen=True, slots=True)
class Empty:
    """A slot without a creative, and why."""

    slot: Slot
    reason: Unfilled


Decision: TypeAlias = Filled | Empty


# The request and the answer.


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """What the CMS says about the article besides its HTML."""

    id: str | None = None
    url: str | None = None
    headline: str | None = None
    byline: str | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request, typed once at the door. `layout` None: the site decides. The answer is written in `charset`."""

    html: str
    facts: ArticleFacts = ArticleFacts()
    site: str | None = None
    layout: str | None = None
    output: Output = Output.PAGE
    device: Device = Device.MOBILE
    country: str | None = None
    keywords: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    unit: str | None = None
    request_id: str = ""
    seed: str | None = None
    timeout_ms: int | None = None
    charset: str = "utf-8"
    warnings: tuple[str, ...] = ()


class Piece(NamedTuple):
    """A stretch of the answer: the article's own source (`sacred`) or our text; `slot` indexes the page's slots."""

    text: str
    sacred: bool = False
    slot: int | None = None


# How long each stage took, in milliseconds.
Timings: TypeAlias = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The answer: pieces to be joined, and everything the response tells about them.

    The article with its ads is `pieces[article_from:article_to]`.
    """

    pieces: tuple[Piece, ...]
    article_from: int
    article_to: int
    decisions: tuple[Decision, ...]
    output: Output
    site: str
    layout: str
    device: Device
    degraded: tuple[Degraded, ...] = ()
    warnings: tuple[str, ...] = ()
    timings_ms: Timings = ()
    cached: bool = False
    cacheable_s: int = 0
