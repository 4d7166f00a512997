"""The values that travel between the stages: all frozen, none with behaviour that needs another room."""

from __future__ import annotations

from collections.abc import Mapping
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
    CLEARANCE = "clearance"  # too near to a block that keeps its distance, as a figure
    SMALL_NEIGHBOUR = "small_neighbour"  # a block beside the gap is too short, or is no paragraph
    FIRST_SCREEN = "first_screen"  # an ad here would stand on the reader's first screen
    POSITIONS = "positions"  # ads stand only at the positions that the layout names
    EXISTING_ADS = "existing_ads"  # the article brings ads of its own, or was composed before
    MARKER = "marker"  # an editor marked the article, or this stretch of it, as free of ads
    BLOCKLISTED = "blocklisted"  # a word, tag or section of the article is on the blocklist
    UNSAFE_MARKUP = "unsafe_markup"  # an ad here would change the article's tree
    MAX_ADS = "max_ads"  # the article holds as many ads as it may
    DENSITY = "density"  # with this ad too much of the page would be ads
    CONFLICT = "conflict"  # a due ad found no gap that takes it
    OUT_OF_RANGE = "out_of_range"  # the article has no such position


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


class Height(NamedTuple):
    """The height of a block in CSS pixels: `fixed + margin + line` for each line of its text."""

    fixed: int = 0
    margin: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Heights:
    """What heights are estimated from on one device; `column` is the width of the text in CSS pixels.

    `by_tag` has an entry for each tag that is known, `unknown` is the key of all others; bare text is measured as `p`.
    """

    chars_per_line: int
    column: int
    by_tag: Mapping[str, Height]


class Weight(NamedTuple):
    """What the counted blocks that match a selector count beside their own words and characters."""

    selector: str
    words: int
    chars: int


@dataclass(frozen=True, slots=True)
class MarkerNames:
    """What editors write: the text of comments, and the attribute of a block that no ad may touch."""

    off: str = "adlayout: off"
    stop: str = "adlayout: stop"
    start: str = "adlayout: start"
    slot: str = "adlayout: slot"
    attribute: str = "data-adl-stop"


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
    weights: tuple[Weight, ...] = ()
    heights: Heights | None = None
    # The ads that an article may bring; where they count, each that stands in the flow is a block of its own.
    ads: tuple[str, ...] = ()
    ads_count: bool = False
    blocklist: tuple[str, ...] = ()
    markers: MarkerNames = MarkerNames()


# An article has as many of these as a page has lines: a tuple is made in a third of a frozen dataclass's time.
class Block(NamedTuple):
    """One piece of the article's flow; `start`/`end` in code points of the article as sent.

    `tag` is None for an anonymous paragraph; `words`, `chars` and `px` are 0 where the layout does not ask for them;
    `matches` holds those of the layout's selectors that match; `hollow` blocks have nothing to see. `ads` are the ads
    that the article brought in it, `ad` says that the block is one; no ad may stand beside a block that `stop`s.
    """

    tag: str | None
    start: int | None
    end: int | None
    counted: bool
    hollow: bool
    matches: frozenset[str]
    words: int = 0
    chars: int = 0
    px: int = 0
    ad: bool = False
    ads: int = 0
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands in an article beside its text, for the layout to heed.

    `composed`: it was composed before. `off`: an editor wants no ads in it, or none in the gaps `stopped`. `slots` are
    the gaps in which an editor wants an ad, each with its type. `ads` is how many ads the article brought, wherever.
    `blocklisted` is the word of the blocklist that was found first.
    """

    composed: bool = False
    off: bool = False
    stopped: frozenset[int] = frozenset()
    slots: tuple[tuple[int, str], ...] = ()
    ads: int = 0
    blocklisted: str | None = None


@dataclass(frozen=True, slots=True)
class Article:
    """The source text with its blocks; `offsets[n]` is where gap n is in the source, None where it has no point.

    There is one gap more than there are blocks. `warnings` name what ops or the CMS should know.
    """

    html: str
    blocks: tuple[Block, ...]
    offsets: tuple[int | None, ...]
    marks: Marks = Marks()
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
    lazy: bool = True


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
    """One rule's no, with what it asked for and what it found; `where` says beside which block, if beside one."""

    rule: Reason
    needed: str
    actual: str
    where: str = ""


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
    """A due ad that found no gap; `position` is the entry that named it, as ops wrote it.

    No `due_gap` where the article has no such position.
    """

    due_gap: int | None
    reason: Reason = Reason.CONFLICT
    position: str | None = None


@dataclass(frozen=True, slots=True)
class Space:
    """How much of a page is ads, as estimated: heights in CSS pixels, those of the article's own ads included."""

    px: int = 0
    ad_px: int = 0

    @property
    def density(self) -> float:
        """The share of the ads in the height of article and ads, 0 to 1."""
        return self.ad_px / (self.px + self.ad_px) if self.ad_px else 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The slots in document order and the ads that were dropped; `gaps` are every gap's judgement, where one asked.

    `space` is known where heights were asked for.
    """

    slots: tuple[Slot, ...]
    gaps: tuple[Judgement, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    space: Space = Space()


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
    adomain: tuple[str, ...] = ()
    cat: tuple[str, ...] = ()
    view_trackers: tuple[str, ...] = ()
    click_trackers: tuple[str, ...] = ()


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
class Consent:
    """What the CMS says of a reader's consent; None where it says nothing."""

    gdpr: bool | None = None
    tcf: str | None = None
    gpp: str | None = None
    gpp_sid: tuple[int, ...] = ()
    gpc: bool | None = None
    coppa: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request, typed once at the door. `layout` None: the site decides. The answer is written in `charset`.

    `retried` says that the caller gave the request id, so that the request may come again; `consent` is None where the
    caller says nothing of it. A page that is not `counted` is looked at by ops. `variation` is that of an
    experiment whose pages the caller keeps apart, as `experiment=variation`.
    """

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
    user_agent: str | None = None
    ip: str | None = None
    consent: Consent | None = None
    request_id: str = ""
    retried: bool = False
    counted: bool = True
    variation: str | None = None
    seed: str | None = None
    timeout_ms: int | None = None
    charset: str = "utf-8"
    warnings: tuple[str, ...] = ()


class Trial(NamedTuple):
    """The experiment that chose a page's layout; only where the hash was used is the page one of its readers'."""

    key: str
    variation_id: int
    variation_key: str
    in_experiment: bool
    hash_used: bool
    bucket: float | None


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

    The article with its ads is `pieces[article_from:article_to]`. `token` is what its events are counted with, empty
    where it is not counted; `script` the tag of the page script that sends them.
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
    token: str = ""
    script: str = ""
    experiment: Trial | None = None
