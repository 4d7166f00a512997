"""Reads what the page script reports into typed values; what is wrong is left out, with a reason, and no error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adlayout.events.record import Happening, What

LONGEST_BODY: Final = 16_384
MOST_EVENTS: Final = 50
_MOST_NUMBERS: Final = 1_000
# What comes in parts, each time that the page is left; everything else happens to a page once.
_SEVERAL: Final = (What.ENGAGED, What.SHIFT)
_DAY_MS: Final = 86_400_000
_MOST_SHIFT: Final = 1_000.0
_MOST_WORTH: Final = 1e12
# Slots are named in layouts, conversions in the site's own pages: names for keys, not texts.
_NAME: Final = re.compile(r"[^\x00-\x20\x7f]{1,100}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one page reports at once; `id` is the name that its browser gave it, empty where it gave none."""

    token: str
    id: str = ""
    happenings: tuple[Happening, ...] = ()
    dropped: tuple[str, ...] = ()


def read_batch(body: bytes) -> Batch:
    """The batch of a body of JSON, whatever its media type; any bytes at all are a batch, most of them empty."""
    if len(body) > LONGEST_BODY:
        return Batch("", dropped=("too_long",))
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Batch("", dropped=("not_json",))
    if not isinstance(said, dict) or not isinstance(said.get("token"), str):
        return Batch("", dropped=("no_token",))
    id, events = said.get("id"), said.get("events")
    if not isinstance(events, list):
        return Batch(said["token"], dropped=("no_events",))
    read = [_happening(event) for event in events[:MOST_EVENTS]]
    dropped = [one for one in read if isinstance(one, str)] + ["too_many"] * (len(events) > MOST_EVENTS)
    return Batch(
        said["token"],
        id if isinstance(id, str) and _ID.fullmatch(id) else "",
        tuple(one for one in read if not isinstance(one, str)),
        tuple(dropped),
    )


def _happening(event: object) -> Happening | str:
    """The event, or the reason why it is none."""
    if not isinstance(event, dict):
        return "not_an_event"
    read = _KINDS.get(event["type"]) if isinstance(event.get("type"), str) else None
    if read is None:
        return "unknown_type"
    number = event.get("n", 0)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _MOST_NUMBERS:
        return "bad_number"
    found = read(event)
    if found is None:
        return "bad_value"
    return found._replace(number=number) if found.what in _SEVERAL else found


def _view(event: Mapping[str, Any]) -> Happening | None:
    slot = _name(event.get("slot"))
    return Happening(What.VIEW, slot=slot) if slot else None


def _exposure(event: Mapping[str, Any]) -> Happening | None:
    return Happening(What.EXPOSURE)


def _engaged(event: Mapping[str, Any]) -> Happening | None:
    ms = _within(event.get("ms"), 0, _DAY_MS)
    return Happening(What.ENGAGED, value=round(ms)) if ms is not None else None


def _shift(event: Mapping[str, Any]) -> Happening | None:
    value = _within(event.get("value"), 0, _MOST_SHIFT)
    return Happening(What.SHIFT, value=round(value, 4)) if value is not None else None


def _conversion(event: Mapping[str, Any]) -> Happening | None:
    name, value = _name(event.get("name")), _within(event.get("value", 1), -_MOST_WORTH, _MOST_WORTH)
    return Happening(What.CONVERSION, name=name, value=value) if name and value is not None else None


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Happening | None]]] = {
    "view": _view,
    "exposure": _exposure,
    "engaged": _engaged,
    "shift": _shift,
    "conversion": _conversion,
}


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _within(value: object, least: float, most: float) -> float | None:
    """The number, where it is one and lies within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if least <= value <= most else None
