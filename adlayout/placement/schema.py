"""What ops may write in a layout file, key by key, with the defaults. Knows no article and places nothing.

The text below a key is what editors show of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Strict,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from adlayout.model import Device
from adlayout.placement.distance import Distance, Plain, Unit
from adlayout.placement.overlay import overlaid
from adlayout.placement.values import (
    EMPTY,
    DistanceSaid,
    Formats,
    Keys,
    OnEmpty,
    Percent,
    PositionsSaid,
    Px,
    Reserve,
    Selectors,
    SlotId,
    Switch,
    TagName,
    Text,
    Whole,
)

HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
CLOSED: Final = (
    *("blockquote", "figure", "figcaption", "table", "ul", "ol", "dl", "pre", "details", "aside", "nav"),
    *("form", "template", "noscript", "svg", "math", "iframe", "object", "video", "audio"),
)


class CountKeys(Keys):
    """Which blocks count as paragraphs: their tags, the least text in them, and whether bare text counts."""

    tags: Annotated[tuple[TagName, ...], Field(min_length=1)] = ("p",)
    """The tags of paragraphs."""
    min_words: Whole = 1
    """The least words in a paragraph."""
    min_chars: Whole = 0
    """The least characters in a paragraph."""
    bare_text: Literal["auto", "always", "never"] = "auto"
    """Whether text without a tag of its own counts; auto: only where there is no p."""


class Move(Keys):
    """Where a due ad goes when its gap is refused, and how many gaps at most."""

    move: Literal["after", "before", "nearest"]
    """after: to the first gap below that is allowed; before: the first above; nearest: the nearer of the two."""
    limit: Whole | Literal["none"] | None = None
    """How many gaps at most; none: as far as it takes."""


def _conflict_kind(value: object) -> str:
    return "move-keys" if isinstance(value, Mapping | Move) else "drop-word"


OnConflict: TypeAlias = Annotated[
    Annotated[Move, Tag("move-keys")] | Annotated[Literal["drop"], Tag("drop-word")], Discriminator(_conflict_kind)
]


class Clearance(Keys):
    """The room that blocks of one kind keep from ads: `after` below them, `before` above them."""

    selector: Text
    """Which blocks: CSS, or one of the names that `no_after` takes."""
    after: DistanceSaid | None = None
    """The least distance from the end of such a block to an ad below it."""
    before: DistanceSaid | None = None
    """The least distance from an ad to such a block below it."""
    lift_before_if_next: Text | None = None
    """`before` does not hold where the block right below the ad matches this."""

    @model_validator(mode="after")
    def _keeps_something(self) -> Clearance:
        if self.after is None and self.before is None:
            raise ValueError("expected `after`, `before` or both, such as {selector: figure, after: 200 chars}")
        return self


class Escalation(Keys):
    """A wider `every` for the later ads."""

    from_ads: Annotated[int, Strict(), Field(ge=1, le=1_000_000)]
    """Once so many ads stand,"""
    every: DistanceSaid
    """this is the least distance between one ad and the next."""


class WeightKeys(Keys):
    """What blocks of one kind count for beside their own text, where they count at all."""

    selector: Text
    """Which blocks: CSS, or one of the names that `no_after` takes."""
    words: Whole = 0
    """So many words more."""
    chars: Whole = 0
    """So many characters more."""


class HeightKeys(Keys):
    """The height of blocks with one tag: fixed + margin + line for each line of their text, in CSS pixels."""

    fixed: Px | None = None
    """What stands in it beside text, as a picture."""
    margin: Px | None = None
    """The space around it."""
    line: Px | None = None
    """One line of its text."""


class PerDevice(Keys):
    """A number for each device."""

    mobile: Annotated[int, Strict(), Field(ge=1, le=10_000)] | None = None
    """On phones."""
    tablet: Annotated[int, Strict(), Field(ge=1, le=10_000)] | None = None
    """On tablets."""
    desktop: Annotated[int, Strict(), Field(ge=1, le=10_000)] | None = None
    """On computers."""


class EstimateKeys(Keys):
    """What heights are estimated from. Beside these two, each key is a tag, or `unknown` for all that are not named."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[TagName, HeightKeys] = Field(init=False)

    chars_per_line: PerDevice = PerDevice()
    """How many characters fit a line. 39 on phones, 72 elsewhere."""
    column: PerDevice = PerDevice()
    """How wide the text is, in CSS pixels. 328 on phones, 620 elsewhere."""


def _every_device(said: object) -> object:
    """One share holds for all devices."""
    return dict.fromkeys(Device, said) if isinstance(said, str) else said


class DensityKeys(Keys):
    """The most of a page's height that may be ads, by device; a device that is not named has no limit."""

    mobile: Percent | None = None
    """On phones; the Better Ads Standards set 30 %."""
    tablet: Percent | None = None
    """On tablets."""
    desktop: Percent | None = None
    """On computers."""


class ExistingAds(Keys):
    """The ads that articles bring themselves."""

    selectors: Selectors = (".ad", ".advert", "ins.adsbygoogle", "amp-ad")
    """CSS that finds them."""
    mode: Literal["count", "stop", "ignore"] = "count"
    """count: ours keep their distance and there are fewer of them; stop: then none of ours; ignore: as any block."""


class Markers(Keys):
    """What editors write into an article to steer its ads."""

    off: Text = "adlayout: off"
    """A comment: no ad in the whole article."""
    stop: Text = "adlayout: stop"
    """A comment: no ad from here"""
    start: Text = "adlayout: start"
    """to here, or to the end."""
    slot: Text = "adlayout: slot"
    """A comment, followed by a type: an ad here."""
    attribute: Text = "data-adl-stop"
    """An attribute: no ad right above or below this block."""


class Blocklist(Keys):
    """What no ad should stand beside; where one of these is found, the article has no ads."""

    words: Selectors = ()
    """Whole words or phrases of the visible text, in any case."""
    tags: Selectors = ()
    """Tags of the article, in any case."""
    sections: Selectors = ()
    """Sections, in any case."""


class InlineSlot(Keys):
    """One entry of `slots`: what an ad in the article may be. Label and reserve are those of `inline` where absent."""

    type: Text = "in-article"
    """What creatives name as slot_types."""
    formats: Formats = ("300x250", "336x280", "fluid")
    """What fits: sizes such as 300x250, or fluid."""
    label: Text | None = None
    """The text over the ad."""
    lazy: bool | None = None
    """Whether the ad loads only when the reader comes near it; without it `lazy_after` says."""
    on_empty: OnEmpty = "collapse"
    """Whether an empty place goes away (collapse) or stays (hold)."""
    reserve: Reserve | None = None
    """The height that is kept while the ad loads: that of the largest or smallest format, or none."""


class PageSlot(Keys):
    """A place that the page template names; its type is its own name where absent."""

    formats: Formats
    """What fits: sizes such as 728x90, or fluid."""
    type: Text | None = None
    """What creatives name as slot_types; the slot's own name where absent."""
    label: Text | None = None
    """The text over the ad."""
    lazy: bool = True
    """Whether the ad loads only when the reader comes near it."""
    on_empty: OnEmpty = "collapse"
    """Whether an empty place goes away (collapse) or stays (hold)."""
    reserve: Reserve | None = None
    """The height that is kept while the ad loads: that of the largest or smallest format, or none."""


class Rules(Keys):
    """The rules for ads inside the article, as they are or as one device has them."""

    count: CountKeys = CountKeys()
    """Which blocks are paragraphs."""
    exclude_within: Selectors = CLOSED
    """Elements that are one block each, with no ad and nothing to count inside."""
    container: Text | None = None
    """A CSS selector of the element that holds the text; without it the wrappers around the text are gone through."""
    enter: Selectors = ()
    """Wrappers inside whose children stand in the text as if the wrapper were not there."""

    first: DistanceSaid = Plain(3, Unit.PARAGRAPHS)
    """The least distance from the start to the first ad."""
    every: DistanceSaid = Plain(3, Unit.PARAGRAPHS)
    """The least distance between one ad and the next."""
    anchor: Literal["since_last", "grid"] = "since_last"
    """since_last counts from where the last ad really stands, grid from the start, wherever the others went."""
    min_between: DistanceSaid = Plain(1, Unit.BLOCKS)
    """The least distance between any two ads, also those that moved."""
    positions: PositionsSaid | None = None
    """Instead of `first` and `every`: 3, -1 (after the last), 0 (before all), 3n+1, !2 (never there), 50 %."""
    strategy: Literal["greedy", "spread"] = "greedy"
    """greedy: from the top, each ad as soon as it is due; spread: as many as possible, as evenly as possible."""
    escalate: tuple[Escalation, ...] = ()
    """A wider `every` once some ads stand: [{from_ads: 3, every: 6 paragraphs}]."""
    max_ads: Whole = 8
    """The most ads in the article."""
    max_density: Annotated[DensityKeys, BeforeValidator(_every_device)] | None = None
    """The most of the page's height that may be ads: {mobile: 30 %, tablet: 30 %, desktop: 25 %}."""
    min_article: DistanceSaid | None = None
    """A shorter article gets no ad at all."""
    short_article: Literal["end"] | None = None
    """end: such an article gets one ad at its end."""
    end_guard: DistanceSaid = Plain(1, Unit.PARAGRAPHS)
    """What must remain below an ad."""

    no_after: Selectors = (*HEADINGS, ":bold-line", ":floated")
    """What no ad stands right below: CSS, or :bold-line, :media-only, :floated, :caption, :lead-in, :empty-block."""
    no_before: Selectors = ("figure", "img", "iframe", ":media-only", ":caption")
    """What no ad stands right above: CSS, or one of the names that `no_after` takes."""
    keep_with_next: Selectors = HEADINGS
    """What is never parted from the block below it: CSS, or one of the names that `no_after` takes."""
    clearances: tuple[Clearance, ...] = ()
    """The room that some blocks keep from ads: [{selector: figure, after: 200 chars, before: 100 chars}]."""
    small_neighbour: DistanceSaid | None = None
    """Both blocks beside an ad must be paragraphs of at least this length."""
    first_screen: Literal["allow", "avoid"] = "allow"
    """avoid: no ad on the first screen, 800 px high on phones and 900 elsewhere."""
    on_conflict: OnConflict | None = None
    """What an ad does that is due in a refused gap: drop, or {move: after, limit: 2}."""

    existing_ads: ExistingAds = ExistingAds()
    """What becomes of ads that the article brings."""
    markers: Markers = Markers()
    """What editors write into articles to steer their ads."""
    blocklist: Blocklist = Blocklist()
    """What no ad should stand beside."""
    weights: tuple[WeightKeys, ...] = ()
    """What some blocks count for beside their text: [{selector: figure, words: 70, chars: 300}]."""
    estimate: EstimateKeys = EstimateKeys()
    """What heights are estimated from, where a rule asks for them."""

    slots: Annotated[tuple[InlineSlot, ...], Field(min_length=1)] = (InlineSlot(),)
    """The k-th ad is as the k-th entry says, the last entry repeats."""
    label: Text = "Advertisement"
    """The text over each ad."""
    reserve: Reserve = "largest"
    """The height that is kept while an ad loads: that of the largest or smallest format, or none."""
    lazy_after: Whole = 1
    """The ads after so many load only when the reader comes near them."""
    last_slot_fit: Switch = "off"
    """on: the last ad is no taller than what remains of the article below it."""

    @property
    def distances(self) -> tuple[Distance, ...]:
        """Every distance that a rule measures."""
        paced = (self.first, self.every, *(step.every for step in self.escalate)) if self.positions is None else ()
        cleared = (distance for one in self.clearances for distance in (one.after, one.before))
        said = (*paced, self.min_between, self.end_guard, self.min_article, self.small_neighbour, *cleared)
        return tuple(distance for distance in said if distance is not None)


def _as_told(kind: str, message: str) -> PydanticCustomError:
    """A fault that was found already, in the same words."""
    return PydanticCustomError(kind, "{told}", {"told": message.removeprefix("Value error, ")})


class Devices(Keys):
    """Rules that hold on one device only, laid over the others."""

    mobile: Rules | None = None
    """On phones."""
    tablet: Rules | None = None
    """On tablets."""
    desktop: Rules | None = None
    """On computers."""


class Inline(Rules):
    """The rules for ads inside the article."""

    devices: Devices = Devices()
    """What is different on one device: {mobile: {every: 4 paragraphs}}."""

    _on: dict[Device, Inline] = PrivateAttr(default_factory=dict)

    def on(self, device: Device) -> Inline:
        """The rules as this device has them."""
        return self._on.get(device, self)

    @model_validator(mode="wrap")
    @classmethod
    def _laid_over(cls, value: object, handler: ModelWrapValidatorHandler[Inline]) -> Inline:
        inline = handler(value)
        if isinstance(value, Mapping) and isinstance(said := value.get("devices"), Mapping):
            rules = {key: rule for key, rule in value.items() if key != "devices"}
            for device in Device:
                if said.get(device) is not None:
                    inline._on[device] = cls._of_device(device, overlaid(rules, said[device]))
        return inline

    @classmethod
    def _of_device(cls, device: Device, rules: object) -> Inline:
        try:
            return cls.model_validate(rules)
        except ValidationError as exc:
            lines = [
                InitErrorDetails(
                    type=PydanticCustomError(
                        line["type"], "{told}", {"told": line["msg"].removeprefix("Value error, ")}
                    ),
                    loc=("devices", device.value, *line["loc"]),
                    input=line["input"],
                )
                for line in exc.errors()
            ]
            raise ValidationError.from_exception_data(exc.title, lines) from exc

    @model_validator(mode="after")
    def _is_regular(self) -> Inline:
        named = "anchor: grid" if self.anchor == "grid" else "strategy: spread"
        if self.strategy == "spread":
            self._spread_alone()
        if (self.anchor == "since_last" and self.strategy == "greedy") or self.positions is not None:
            return self
        paced = (self.first, self.every, *(step.every for step in self.escalate))
        plain = [distance for distance in paced if isinstance(distance, Plain)]
        if len(plain) < len(paced):
            raise ValueError(f"{named} needs plain distances in `first` and `every`, without `all` and `any`")
        for other in plain:
            if other.unit is not plain[1].unit:
                raise ValueError(
                    f"{named} needs `first` and `every` in one unit, "
                    f'such as "2 {plain[1].unit}" (got "{other.text()}" and "{plain[1].text()}")'
                )
        if self.anchor == "grid" and any(distance.is_zero for distance in plain[1:]):
            raise ValueError(f'anchor: grid needs an `every` of more than nothing (got "{plain[1].text()}")')
        return self

    def _spread_alone(self) -> None:
        if self.escalate:
            raise ValueError("strategy: spread places all ads at once, which leaves no `escalate`: use one of them")
        if self.positions is not None:
            raise ValueError("strategy: spread chooses the gaps itself, which leaves no `positions`: use one of them")


class LayoutFile(Keys):
    """A whole layout: `inline` for the ads in the article, `page_slots` for those that the template places.

    `version` and `name` may be absent in a layout that comes with a request.
    """

    version: Literal[1] | None = None
    """The form of this file, always 1."""
    name: Text | None = None
    """The layout's name, the same as the file's."""
    description: str = ""
    """What the layout is for, for people."""
    extends: Text | None = None
    """The layout that this one is laid over: maps merge, lists replace, null restores the default."""
    template: Text = "article"
    """The page around the article: templates/NAME.html.j2."""
    inline: Annotated[Inline, EMPTY] = Inline()
    """The rules for ads inside the article."""
    page_slots: Annotated[dict[SlotId, PageSlot], EMPTY] = Field(default_factory=dict)
    """The ads that the template places with {{ slot("NAME") }}, by that name."""
