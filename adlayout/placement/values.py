"""What the values of a layout's keys look like, and what editors are told of them. Knows no key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from adlayout.placement.distance import DistanceKey, Plain, Unit
from adlayout.placement.positions import PositionsKey

_SLOT_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FORMAT: Final = r"^(fluid|[1-9][0-9]{0,3}x[1-9][0-9]{0,3})$"
_WORDS: Final = "|".join(f"{unit}?" for unit in Unit if unit.endswith("s"))
# What editors are told of a distance; what stands deeper inside each other than this, only the parser judges.
_TEXT_OF_DISTANCE: Final = {
    "type": "string",
    "pattern": rf"^\s*[0-9]{{1,9}}(\s+({_WORDS})|\s*(px|%))\s*$",
}
_ONE_POSITION: Final = ({"type": "integer"}, {"type": "string"})
_POSITIONS: Final = {"anyOf": [{"type": "array", "minItems": 1, "items": {"anyOf": [*_ONE_POSITION]}}, *_ONE_POSITION]}
_PARTS: Final = {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT_OF_DISTANCE, {"type": "object"}]}}
_OF_PARTS: Final = {
    "type": "object",
    "properties": {"all": _PARTS, "any": _PARTS},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_DISTANCE: Final = {"anyOf": [_TEXT_OF_DISTANCE, _OF_PARTS]}
_WHOLE: Final = 100
_INLINE_ID: Final = re.compile(r"inline-[0-9]+")


def _tag(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9._-]*", name):
        raise ValueError("expected the name of a tag, such as p")
    return name


def _switch(said: object) -> object:
    """JSON has no `on`."""
    return {True: "on", False: "off"}[said] if isinstance(said, bool) else said


def _format(text: str) -> str:
    if not re.fullmatch(_FORMAT[1:-1], text):
        raise ValueError("expected a size such as 300x250, or fluid")
    return text


def _percent(said: object) -> int:
    form = re.fullmatch(r"\s*([0-9]{1,3})\s*%\s*", said) if isinstance(said, str) else None
    if form is None or not 0 < int(form[1]) <= _WHOLE:
        raise ValueError(f"expected a share such as 30 % (got {said!r})")
    return int(form[1])


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
PositionsSaid = Annotated[
    PositionsKey, PlainSerializer(lambda said: said.text), WithJsonSchema(_POSITIONS, mode="validation")
]
TagName = Annotated[Text, AfterValidator(_tag)]
SlotId = Annotated[Text, AfterValidator(_slot_id)]
Selectors = tuple[Text, ...]
Percent = Annotated[
    int,
    BeforeValidator(_percent),
    PlainSerializer(lambda said: f"{said} %"),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[0-9]{1,3}\s*%\s*$"}),
]
Px = Annotated[int, Strict(), Field(ge=0, le=100_000)]
Switch = Annotated[Literal["on", "off"], BeforeValidator(_switch)]
Reserve = Literal["largest", "smallest", "none"]
OnEmpty = Literal["collapse", "hold"]

# `inline:` with every key below it commented out is null to YAML, and the defaults to the person who wrote it.
EMPTY: Final = BeforeValidator(lambda value: {} if value is None else value)


class Keys(BaseModel):
    """A map of keys, of which null is the default and no other is known."""

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
