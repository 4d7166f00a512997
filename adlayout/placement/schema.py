"""What ops may write in a layout file, key by key, with the defaults. Knows no article and places nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from adlayout.placement.distance import Distance, DistanceKey, Plain, Unit

_SLOT_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FORMAT: Final = r"^(fluid|[1-9][0-9]{0,3}x[1-9][0-9]{0,3})$"
_INLINE_ID: Final = re.compile(r"inline-[0-9]+")


def _tag(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9._-]*", name):
        raise ValueError("expected the name of a tag, such as p")
    return name


def _format(text: str) -> str:
    if not re.fullmatch(_FORMAT[1:-1], text):
        raise ValueError("expected a size such as 300x250, or fluid")
    return text


def _slot_id(name: str) -> str:
    if not _SLOT_ID.fullmatch(name):
        raise ValueError("expected a name of letters, digits, - and _ that begins with a letter")
    if _INLINE_ID.fullmatch(name):
        raise ValueError("inline-1 and the like are the names of the ads inside the article")
    return name


Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]
Whole = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Format = Annotated[
    str, StringConstraints(strict=True), AfterValidator(_format), WithJsonSchema({"type": "string", "pattern": _FORMAT})
]
Formats = Annotated[tuple[Format, ...], Field(min_length=1)]
TagName = Annotated[Text, AfterValidator(_tag)]
SlotId = Annotated[Text, AfterValidator(_slot_id)]
Selectors = tuple[Text, ...]
Reserve = Literal["largest", "smallest", "none"]
OnEmpty = Literal["collapse", "hold"]

HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
CLOSED: Final = (
    *("blockquote", "figure", "figcaption", "table", "ul", "ol", "dl", "pre", "details", "aside", "nav"),
    *("form", "template", "noscript", "svg", "math", "iframe", "object", "video", "audio"),
)

# `inline:` with every key below it commented out is null to YAML, and the defaults to the person who wrote it.
_EMPTY = BeforeValidator(lambda value: {} if value is None else value)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: said for name, said in value.items() if said is not None or name not in optional}


class CountKeys(_Keys):
    """Which blocks count as paragraphs: their tags, the least text in them, and whether bare text counts."""

    tags: Annotated[tuple[TagName, ...], Field(min_length=1)] = ("p",)
    min_words: Whole = 1
    min_chars: Whole = 0
    bare_text: Literal["auto", "always", "never"] = "auto"


class Move(_Keys):
    """Where a due ad goes when its gap is refused, and how many gaps at most."""

    move: Literal["after", "before", "nearest"]
    limit: Whole | Literal["none"] | None = None


def _conflict_kind(value: object) -> str:
    return "move-keys" if isinstance(value, Mapping | Move) else "drop-word"


OnConflict: TypeAlias = Annotated[
    Annotated[Move, Tag("move-keys")] | Annotated[Literal["drop"], Tag("drop-word")], Discriminator(_conflict_kind)
]


class InlineSlot(_Keys):
    """One entry of `slots`: what an ad in the article may be. Label and reserve are those of `inline` where absent."""

    type: Text = "in-article"
    formats: Formats = ("300x250", "336x280", "fluid")
    label: Text | None = None
    on_empty: OnEmpty = "collapse"
    reserve: Reserve | None = None


class PageSlot(_Keys):
    """A place that the page template names; its type is its own name where absent."""

    formats: Formats
    type: Text | None = None
    label: Text | None = None
    on_empty: OnEmpty = "collapse"
    reserve: Reserve | None = None


class Inline(_Keys):
    """The rules for ads inside the article.

    `count`: which blocks are paragraphs. `exclude_within`: elements that are never looked into. `container`: where
    the text is. `enter`: wrappers whose children stand in the text themselves.

    `first`: the least distance before the first ad. `every`: the least between one ad and the next. `anchor`:
    whether that is counted from where the last ad stands, or from the start. `min_between`: the least between any
    two ads. `max_ads`: the most ads. `min_article`: the least article that gets ads. `end_guard`: what must remain
    below an ad.

    `no_after`, `no_before`: what no ad stands right below or right above. `keep_with_next`: what is never parted
    from the block below it. `on_conflict`: what an ad does whose gap is refused.

    `slots`: the ads' types and formats, in order. `label`: the text over an ad. `reserve`: the space kept for it.
    """

    count: CountKeys = CountKeys()
    exclude_within: Selectors = CLOSED
    container: Text | None = None
    enter: Selectors = ()
    first: DistanceKey = Plain(3, Unit.PARAGRAPHS)
    every: DistanceKey = Plain(3, Unit.PARAGRAPHS)
    anchor: Literal["since_last", "grid"] = "since_last"
    min_between: DistanceKey = Plain(1, Unit.BLOCKS)
    max_ads: Whole = 8
    min_article: DistanceKey | None = None
    end_guard: DistanceKey = Plain(1, Unit.PARAGRAPHS)
    no_after: Selectors = (*HEADINGS, ":bold-line", ":floated")
    no_before: Selectors = ("figure", "img", "iframe", ":media-only", ":caption")
    keep_with_next: Selectors = HEADINGS
    on_conflict: OnConflict | None = None
    slots: Annotated[tuple[InlineSlot, ...], Field(min_length=1)] = (InlineSlot(),)
    label: Text = "Advertisement"
    reserve: Reserve = "largest"

    @property
    def distances(self) -> tuple[Distance, ...]:
        """Every distance that a rule measures."""
        said = (self.first, self.every, self.min_between, self.end_guard, self.min_article)
        return tuple(distance for distance in said if distance is not None)

    @model_validator(mode="after")
    def _a_grid_is_regular(self) -> Inline:
        if self.anchor == "since_last":
            return self
        if not isinstance(self.first, Plain) or not isinstance(self.every, Plain):
            raise ValueError("anchor: grid needs plain distances in `first` and `every`, without `all` and `any`")
        if self.first.unit is not self.every.unit:
            raise ValueError(
                "anchor: grid needs `first` and `every` in one unit, "
                f'such as "2 {self.every.unit}" (got "{self.first.text()}" and "{self.every.text()}")'
            )
        if self.every.is_zero:
            raise ValueError(f'anchor: grid needs an `every` of more than nothing (got "{self.every.text()}")')
        return self


class LayoutFile(_Keys):
    """A whole layout: `inline` for the ads in the article, `page_slots` for those that the template places.

    `version` and `name` may be absent in a layout that comes with a request.
    """

    version: Literal[1] | None = None
    name: Text | None = None
    description: str = ""
    template: Text = "article"
    inline: Annotated[Inline, _EMPTY] = Inline()
    page_slots: Annotated[dict[SlotId, PageSlot], _EMPTY] = Field(default_factory=dict)
