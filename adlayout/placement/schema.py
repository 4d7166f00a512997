"""What ops may write in a layout file, key by key, with the defaults. Knows no article and places nothing.

The text below a key is what editors show of it.
"""

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
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from adlayout.placement.distance import Distance, DistanceKey, Plain, Unit

_SLOT_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FORMAT: Final = r"^(fluid|[1-9][0-9]{0,3}x[1-9][0-9]{0,3})$"
# What editors are told of a distance; what stands deeper inside each other than this, only the parser judges.
_TEXT_OF_DISTANCE: Final = {
    "type": "string",
    "pattern": r"^\s*[0-9]{1,9}\s+(" + "|".join(f"{unit.removesuffix('s')}s?" for unit in Unit) + r")\s*$",
}
_PARTS: Final = {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT_OF_DISTANCE, {"type": "object"}]}}
_OF_PARTS: Final = {
    "type": "object",
    "properties": {"all": _PARTS, "any": _PARTS},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_DISTANCE: Final = {"anyOf": [_TEXT_OF_DISTANCE, _OF_PARTS]}
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
# The defaults are plain distances, whose text is what ops write.
DistanceSaid = Annotated[DistanceKey, PlainSerializer(lambda said: said.text()), WithJsonSchema(_DISTANCE)]
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

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        told = handler.resolve_ref_schema(handler(schema))
        for name, key in cls.model_fields.items():
            if isinstance(key.default, Plain):
                told["properties"][name]["default"] = key.default.text()
            if not key.is_required():
                told["properties"][name] = _or_null(told["properties"][name])
        return told


def _or_null(said: JsonSchemaValue) -> JsonSchemaValue:
    """The schema of a key whose null is its default; what is said of the key itself stays outside."""
    about = {name: said[name] for name in ("default", "description") if name in said}
    value = {name: told for name, told in said.items() if name not in about}
    arms = value.get("anyOf", [value])
    return about | {"anyOf": arms if {"type": "null"} in arms else [*arms, {"type": "null"}]}


class CountKeys(_Keys):
    """Which blocks count as paragraphs: their tags, the least text in them, and whether bare text counts."""

    tags: Annotated[tuple[TagName, ...], Field(min_length=1)] = ("p",)
    """The tags of paragraphs."""
    min_words: Whole = 1
    """The least words in a paragraph."""
    min_chars: Whole = 0
    """The least characters in a paragraph."""
    bare_text: Literal["auto", "always", "never"] = "auto"
    """Whether text without a tag of its own counts; auto: only where there is no p."""


class Move(_Keys):
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


class InlineSlot(_Keys):
    """One entry of `slots`: what an ad in the article may be. Label and reserve are those of `inline` where absent."""

    type: Text = "in-article"
    """What creatives name as slot_types."""
    formats: Formats = ("300x250", "336x280", "fluid")
    """What fits: sizes such as 300x250, or fluid."""
    label: Text | None = None
    """The text over the ad."""
    on_empty: OnEmpty = "collapse"
    """Whether an empty place goes away (collapse) or stays (hold)."""
    reserve: Reserve | None = None
    """The height that is kept while the ad loads: that of the largest or smallest format, or none."""


class PageSlot(_Keys):
    """A place that the page template names; its type is its own name where absent."""

    formats: Formats
    """What fits: sizes such as 728x90, or fluid."""
    type: Text | None = None
    """What creatives name as slot_types; the slot's own name where absent."""
    label: Text | None = None
    """The text over the ad."""
    on_empty: OnEmpty = "collapse"
    """Whether an empty place goes away (collapse) or stays (hold)."""
    reserve: Reserve | None = None
    """The height that is kept while the ad loads: that of the largest or smallest format, or none."""


class Inline(_Keys):
    """The rules for ads inside the article."""

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
    max_ads: Whole = 8
    """The most ads in the article."""
    min_article: DistanceSaid | None = None
    """A shorter article gets no ad at all."""
    end_guard: DistanceSaid = Plain(1, Unit.PARAGRAPHS)
    """What must remain below an ad."""

    no_after: Selectors = (*HEADINGS, ":bold-line", ":floated")
    """What no ad stands right below: CSS, or :bold-line, :media-only, :floated, :caption, :lead-in, :empty-block."""
    no_before: Selectors = ("figure", "img", "iframe", ":media-only", ":caption")
    """What no ad stands right above: CSS, or one of the names that `no_after` takes."""
    keep_with_next: Selectors = HEADINGS
    """What is never parted from the block below it: CSS, or one of the names that `no_after` takes."""
    on_conflict: OnConflict | None = None
    """What an ad does that is due in a refused gap: drop, or {move: after, limit: 2}."""

    slots: Annotated[tuple[InlineSlot, ...], Field(min_length=1)] = (InlineSlot(),)
    """The k-th ad is as the k-th entry says, the last entry repeats."""
    label: Text = "Advertisement"
    """The text over each ad."""
    reserve: Reserve = "largest"
    """The height that is kept while an ad loads: that of the largest or smallest format, or none."""

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
    """The form of this file, always 1."""
    name: Text | None = None
    """The layout's name, the same as the file's."""
    description: str = ""
    """What the layout is for, for people."""
    template: Text = "article"
    """The page around the article: templates/NAME.html.j2."""
    inline: Annotated[Inline, _EMPTY] = Inline()
    """The rules for ads inside the article."""
    page_slots: Annotated[dict[SlotId, PageSlot], _EMPTY] = Field(default_factory=dict)
    """The ads that the template places with {{ slot("NAME") }}, by that name."""
