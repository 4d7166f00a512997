"""The signed page token: everything that has to be known to count a page's events. Knows no store and no request."""

from __future__ import annotations

import hmac
import json
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha512
from typing import Final, NamedTuple

from adlayout.counts import NO_FLIGHT, Reader

# A page of a hundred ads stays below it; a batch of events, which holds one, below its own limit.
LONGEST_TOKEN: Final = 12_288
_LONGEST_NAME: Final = 100
# 144 bits of the hash for each purpose: whole characters of base64, so that one encoding serves all three.
_MAC_BYTES: Final = 18
_MAC_CHARS: Final = 24
_KEY_ID_CHARS: Final = 4
# Another form of payload takes another label, so that no token is read as what it is not. What else is made of the
# same secret cannot be passed off as a signature.
_LABEL: Final = b"adlayout page token 1"

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_quoted: Final = json.encoder.encode_basestring_ascii


class Purpose(StrEnum):
    """What a signature allows: events of a page, the view of one ad, the click on one."""

    PAGE = "page"
    VIEW = "view"
    CLICK = "click"


_PLACES: Final = {purpose: place * _MAC_CHARS for place, purpose in enumerate(Purpose)}
_ALL_BYTES: Final = _MAC_BYTES * len(Purpose)


class Ad(NamedTuple):
    """What stands in one slot; `flight` and `campaign` are `-` where there is none, `gap` is None for page slots."""

    slot: str
    flight: str
    creative: str
    campaign: str = NO_FLIGHT
    gap: int | None = None
    type: str = ""


class Ticket(NamedTuple):
    """A page as its events are counted: where it came from, what stood on it, and until when that counts.

    `serve` names the page where only one reader gets it, and is empty where a shared cache may keep it. `expires` is in
    Unix seconds; `bucket` that of the holds, 0 where nothing is held; `variation` is `experiment=variation` or empty;
    `slots` counts the empty ones too. `unit` is the key under which an experiment counts the page, empty where none
    does, and `ms` how many milliseconds it took to compose it. `agent` is the family of the browser that
    it was made for, empty where nobody said or may know.
    """

    expires: int
    site: str
    layout: str
    device: str
    serve: str = ""
    shard: int = 0
    bucket: int = 0
    variation: str = ""
    section: str = ""
    article: str = ""
    reader: Reader | None = None
    slots: int = 0
    ads: tuple[Ad, ...] = ()
    unit: str = ""
    ms: int = 0
    agent: str = ""

    def only(self, slot: str) -> Ticket | None:
        """The ticket of one of its ads, or None where the slot has none."""
        return next((self._replace(ads=(ad,)) for ad in self.ads if ad.slot == slot), None)

    def named(self, id: str) -> Ticket:
        """The ticket under a name that its reader's browser made up, where it has none of its own.

        Such names never meet those of the service, which begin otherwise.
        """
        return self if self.serve or not id else self._replace(serve=f"~{id}")


@dataclass(frozen=True, slots=True)
class Expired:
    """An authentic token whose time is over: a click on it may be followed, and nothing counts."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Signed:
    """A ticket with its signatures. `page` is the page's token, `facts` the JSON that its records share with it."""

    ticket: Ticket
    page: str
    facts: str
    _view: str
    _click: str

    def view(self, index: int) -> str:
        """The tail of the address that counts a view of the ad at `index`."""
        return f"{self._view}{index}"

    def click(self, index: int) -> str:
        """The tail of the address that counts a click on the ad at `index` and leads to its link."""
        return f"{self._click}{index}"


class Signer:
    """Signs with the first of its secrets and believes what any of them signed."""

    def __init__(self, secrets: Sequence[bytes | str], *, now: Callable[[], float] = time.time) -> None:
        keys = [_key(secret) for secret in secrets]
        self._now = now
        self._keys = dict(reversed(keys))
        self._id, self._key = keys[0]

    def sign(self, ticket: Ticket) -> Signed:
        """The ticket with its signatures: one hash, whatever the number of ads."""
        facts = facts_of(ticket)
        reader = f"[{','.join(map(_quoted, ticket.reader))}]" if ticket.reader else "null"
        agent = f'"f":{_quoted(ticket.agent)},' if ticket.agent else ""
        own = f'{{"x":{ticket.expires},"k":{ticket.shard},"u":{reader},{agent}{facts}'
        head = f"{_base64(own.encode('ascii'))}.{self._id}"
        macs = _macs(self._key, head)
        page, view, click = macs[:_MAC_CHARS], macs[_MAC_CHARS:-_MAC_CHARS], macs[-_MAC_CHARS:]
        return Signed(ticket, f"{head}.{page}", facts, f"{head}.{view}.", f"{head}.{click}.")

    def read(self, token: str, purpose: Purpose) -> Ticket | Expired | None:
        """The ticket of an authentic token, for a view or click with that one ad; None for anything else."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        body, index = (token, "") if purpose is Purpose.PAGE else _parted(token)
        head, _, mac = body.rpartition(".")
        payload, _, key_id = head.rpartition(".")
        key = self._keys.get(key_id)
        place = _PLACES[purpose]
        if key is None or not hmac.compare_digest(_macs(key, head)[place : place + _MAC_CHARS], mac):
            return None
        ticket = _ticket(payload)
        if ticket is None or (purpose is not Purpose.PAGE and not index.isdecimal()):
            return None
        if index:
            ticket = ticket._replace(ads=ticket.ads[int(index) : int(index) + 1])
            if not ticket.ads:
                return None
        return ticket if self._now() < ticket.expires else Expired(ticket)


def facts_of(ticket: Ticket) -> str:
    """What records say of the page, as the tail of a JSON object: all but for the first brace."""
    place = _place(ticket.site, ticket.layout, ticket.variation, ticket.device, ticket.section[:_LONGEST_NAME])
    serve, article = _quoted(ticket.serve), _quoted(ticket.article[:_LONGEST_NAME])
    ads = ",".join(map(_ad, ticket.ads))
    trial = f'"h":{_quoted(ticket.unit)},"m":{ticket.ms},' if ticket.unit or ticket.ms else ""
    return f'"i":{serve},"b":{ticket.bucket},{place},"a":{article},"n":{ticket.slots},{trial}"p":[{ads}]}}'


# Pages of a site differ in little, and its ads stand in the same few places.
@lru_cache(maxsize=4096)
def _place(site: str, layout: str, variation: str, device: str, section: str) -> str:
    return _encode({"s": site, "l": layout, "v": variation, "d": device, "c": section})[1:-1]


@lru_cache(maxsize=4096)
def _ad(ad: Ad) -> str:
    return _encode(ad)


def _key(secret: bytes | str) -> tuple[str, bytes]:
    """A secret's key for tokens, with the name under which tokens say that it signed them."""
    raw = secret.encode() if isinstance(secret, str) else secret
    key = hmac.digest(raw, _LABEL, "sha512")
    return _base64(sha512(key).digest())[:_KEY_ID_CHARS], key


def _macs(key: bytes, head: str) -> str:
    """Made of the text as it travels: nothing is decoded before it is known to be ours."""
    return _base64(hmac.digest(key, head.encode("ascii"), "sha512")[:_ALL_BYTES])


def _base64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def _parted(token: str) -> tuple[str, str]:
    body, _, index = token.rpartition(".")
    return body, index if len(index) < 4 else ""


def _ticket(payload: str) -> Ticket | None:
    """The ticket that was signed; a payload of another version of this program may hold something else."""
    try:
        raw = a2b_base64(payload.replace("-", "+").replace("_", "/") + "=" * (-len(payload) % 4))
        said = json.loads(raw)
        reader = said["u"]
        return Ticket(
            expires=said["x"],
            site=said["s"],
            layout=said["l"],
            device=said["d"],
            serve=said["i"],
            shard=said["k"],
            bucket=said["b"],
            variation=said["v"],
            section=said["c"],
            article=said["a"],
            reader=Reader(*reader) if reader else None,
            slots=said["n"],
            ads=tuple(Ad(*ad) for ad in said["p"]),
            unit=said.get("h", ""),
            ms=said.get("m", 0),
            agent=said.get("f", ""),
        )
    except (ValueError, TypeError, LookupError):
        return None
