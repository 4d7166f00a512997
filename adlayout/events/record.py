"""Records: one event as its line of JSON, in the spool and in the stream. Knows neither."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from adlayout.counts import Reader, Record
from adlayout.events.token import Signed, Ticket, facts_of

_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_quoted: Final = json.encoder.encode_basestring_ascii
# Quotes within a JSON text are escaped, so this stands once in a line: before its record.
_BEFORE_RECORD: Final = b',"record":{'


class What(StrEnum):
    """What a record tells of (closed list)."""

    PAGE = "page"
    VIEW = "view"
    CLICK = "click"
    EXPOSURE = "exposure"
    ENGAGED = "engaged"
    SHIFT = "shift"
    CONVERSION = "conversion"
    LOST = "lost"  # a line that cannot be read any more, in whose place this stands


class Happening(NamedTuple):
    """Something that happened to a page once it was served, or to the ad in its `slot`.

    `value` is what its kind measures: milliseconds engaged, layout shift, worth of a conversion. `number` tells apart
    what may happen several times.
    """

    what: What
    slot: str | None = None
    value: float | None = None
    name: str | None = None
    number: int = 0
    worth: int = 0

    @property
    def once(self) -> str:
        """What of a page's events this is: the same text counts once."""
        parts = (self.what, self.slot or self.name, self.number or None)
        return ":".join(str(part) for part in parts if part is not None)


# A reader's fields of the store in which an event counts, each with how many milliseconds its count lasts.
Caps: TypeAlias = Sequence[tuple[str, int]]


def page_record(signed: Signed, at_ms: int, *, once: bool, caps: Caps = (), bad: str | None = None) -> Record:
    """That the page was served; `once` says that whoever asked for it may ask again, and gets the same `serve`."""
    ticket = signed.ticket
    text = f'{{"e":"page","at":{at_ms},{_also(caps, bad)}{signed.facts}'
    serve = ticket.serve if once and ticket.serve else None
    return Record(text, at_ms, serve, "page" if serve else None, ticket.reader if caps else None)


def event_record(
    ticket: Ticket, happening: Happening, at_ms: int, *, caps: Caps = (), bad: str | None = None
) -> Record:
    """What happened to the page, or to the one ad that the ticket holds; it counts once where the page has a name.

    An exposure says how many ads stood on the page; what happens to a page names none of them.
    """
    filled = len(ticket.ads) if happening.what is What.EXPOSURE and ticket.unit else None
    said = {"name": happening.name, "value": happening.value, "w": happening.worth or None, "f": filled}
    own = "".join(f'"{key}":{_encode(one)},' for key, one in said.items() if one is not None)
    facts = facts_of(ticket if happening.slot else ticket._replace(ads=()))
    text = f'{{"e":"{happening.what}","at":{at_ms},{_also(caps, bad)}{own}{facts}'
    once = happening.once if ticket.serve else None
    return Record(text, at_ms, ticket.serve or None, once, ticket.reader if caps else None)


def lost_record(at_ms: int) -> Record:
    """Something that counts nothing, in place of a line that cannot be read."""
    return Record(_encode({"e": What.LOST, "at": at_ms, "i": "", "p": []}), at_ms)


def line_of(record: Record) -> bytes:
    """The record as a line of the spool, without its end."""
    reader = _encode(record.reader) if record.reader else "null"
    serve, once = _quoted(record.serve or ""), _quoted(record.once or "")
    line = f'{{"at":{record.at_ms},"serve":{serve},"once":{once},"reader":{reader},"record":{record.text}}}'
    return line.encode("ascii")


def record_of(line: bytes) -> Record | None:
    """The record of a line, or None for what `line_of` never wrote."""
    head, between, text = line.partition(_BEFORE_RECORD)
    if not between or not text.endswith(b"}}"):
        return None
    try:
        said: dict[str, Any] = json.loads(head + b"}")  # its values are what `line_of` wrote, or nothing is taken
        reader = Reader(*said["reader"]) if said["reader"] else None
        record = "{" + text[:-1].decode("ascii")
        return Record(record, said["at"], said["serve"] or None, said["once"] or None, reader)
    except (ValueError, TypeError, LookupError):
        return None


def _also(caps: Caps, bad: str | None) -> str:
    counted = f'"caps":{_encode(caps)},' if caps else ""
    return f'{counted}"bad":{_quoted(bad)},' if bad else counted
