"""What readers' browsers call: events, views, clicks and the page script. Believes nothing but signatures.

Whatever comes, a page is never kept waiting for a count, and nobody is sent anywhere but to an advertiser.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import randbelow
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from adlayout.config.settings import Server
from adlayout.counts import NO_FLIGHT, Event
from adlayout.errors import InputError
from adlayout.events.beacon import LONGEST_BODY, read_batch
from adlayout.events.guest import guest
from adlayout.events.record import Caps, Happening, What
from adlayout.events.script import page_script
from adlayout.events.token import Ad, Expired, Purpose, Ticket
from adlayout.events.traffic import Invalid, is_early
from adlayout.model import Creative
from adlayout.rendering.macros import AdFacts, Sheet, fill, of_address
from adlayout.telemetry.logs import QUIET, Log
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts
from adlayout.web.destinations import destination
from adlayout.web.limits import may_ask, read_body

Headers: TypeAlias = Mapping[bytes, bytes]

# One transparent pixel: GIF89a, 1x1, a palette of two, a graphic control extension that makes the first transparent.
GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_UNKEPT: Final = {"Cache-Control": "no-store"}
_FOLLOWED: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_SHARED: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "86400",
}
_ALL: Final = "*"
_COUNTED: Final = {What.VIEW: Event.VIEW, What.CLICK: Event.CLICK}
_SCRIPT_S: Final = 3600
_SCRIPT_TAG: Final = f'"{hashlib.sha256(page_script()).hexdigest()[:16]}"'
_NOTHING_HERE: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found</title>
<p>This link does not lead anywhere (any more).</p></html>
"""


@dataclass(slots=True)
class Gate:
    """The handlers of public routes. Without `accounts` nothing is counted, and no link leads anywhere.

    Who has the `cms_token` speaks for a reader and is not judged as one.
    """

    shelf: Shelf
    accounts: Accounts | None
    server: Server
    log: Log = QUIET
    cms_token: str | None = None

    async def script(self, request: Request) -> Response:
        """The page script, which reports what readers see."""
        headers = {
            "Cache-Control": f"public, max-age={_SCRIPT_S}",
            "ETag": _SCRIPT_TAG,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if _SCRIPT_TAG in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(page_script(), media_type="text/javascript; charset=utf-8", headers=headers)

    async def events(self, request: Request) -> Response:
        """What the page script reports; 204, whatever comes."""
        headers: Headers = dict(request.scope["headers"])
        if request.method == "POST":
            await self._take(request, headers)
        return self._shared(Response(status_code=204, headers=_UNKEPT), headers)

    async def view(self, request: Request) -> Response:
        """A picture of one pixel that counts a view, for pages without a script; the same, whatever comes."""
        headers: Headers = dict(request.scope["headers"])
        if request.method == "OPTIONS":
            return self._shared(Response(status_code=204, headers=_UNKEPT), headers)
        ticket = self._read(request, Purpose.VIEW)
        if request.method == "GET" and isinstance(ticket, Ticket):
            self._count(ticket, What.VIEW, request, headers)
        shown = Response(GIF, media_type="image/gif", headers=_UNKEPT | {"X-Content-Type-Options": "nosniff"})
        return self._shared(shown, headers)

    async def click(self, request: Request) -> Response:
        """Counts a click and leads to the creative's link, or to an address of its advertiser."""
        found = self._read(request, Purpose.CLICK)
        ticket = found.ticket if isinstance(found, Expired) else found
        creative = self._creative(ticket) if ticket else None
        target = (
            destination(request.query_params.get("to"), _link(creative, ticket), creative.adomain)
            if ticket and creative
            else None
        )
        if ticket is None or target is None:
            return Response(_NOTHING_HERE, 404, headers=_FOLLOWED, media_type="text/html; charset=utf-8")
        if request.method == "GET" and isinstance(found, Ticket):
            self._count(found, What.CLICK, request, dict(request.scope["headers"]))
        return Response(status_code=302, headers=_FOLLOWED | {"Location": target})

    async def _take(self, request: Request, headers: Headers) -> None:
        try:
            body = await read_body(headers, request.receive, limit=LONGEST_BODY, within_s=self.server.body_timeout_s)
        except InputError:
            return
        accounts = self.accounts
        batch = read_batch(body)
        ticket = accounts.books.signer.read(batch.token, Purpose.PAGE) if accounts else None
        if accounts is None or not isinstance(ticket, Ticket):
            return
        bad = self._invalid(accounts, request, headers, ticket)
        dropped = accounts.counter.batch(ticket, batch, caps_of=self._caps_of, worth_of=self._worth_of, bad=bad)
        if dropped:
            self.log("events_dropped", level="debug", reasons=sorted(set(dropped)))

    def _count(self, ticket: Ticket, what: What, request: Request, headers: Headers) -> None:
        """Counts what happened to the one ad of the ticket, once for each reader of its page."""
        if self.accounts is not None:
            agent, address = _agent(headers), _address(request)
            id = guest(str(request.path_params["token"]), address, agent, secret=self.accounts.books.secrets[-1])
            bad = self._invalid(self.accounts, request, headers, ticket)
            happening = Happening(what, slot=ticket.ads[0].slot)
            self.accounts.counter.happened(
                ticket, happening, id=id, caps_of=self._caps_of, worth_of=self._worth_of, bad=bad
            )

    def _read(self, request: Request, purpose: Purpose) -> Ticket | Expired | None:
        if self.accounts is None:
            return None
        return self.accounts.books.signer.read(str(request.path_params["token"]), purpose)

    def _creative(self, ticket: Ticket) -> Creative | None:
        return self.shelf.stock.inventory.creatives.get(ticket.ads[0].creative)

    def _invalid(self, accounts: Accounts, request: Request, headers: Headers, ticket: Ticket) -> Invalid | None:
        """Why no reader of the page is behind the request; a browser always says what it is."""
        # Without a token everybody on this machine is a CMS, and so is a proxy that readers come by.
        if self.cms_token is not None and may_ask(request.scope, headers, self.cms_token):
            return None
        agent, address = _agent(headers), _address(request)
        return accounts.traffic.invalid(agent=agent, address=address, early=is_early(headers), family=ticket.agent)

    def _caps_of(self, what: What, ad: Ad) -> Caps:
        event = _COUNTED.get(what)
        return self.shelf.stock.inventory.caps_of(_flight(ad), ad.creative, event) if event else ()

    def _worth_of(self, what: What, ad: Ad) -> int:
        event = _COUNTED.get(what)
        return self.shelf.stock.inventory.worth_of(_flight(ad), event) if event else 0

    def _shared(self, answer: Response, headers: Headers) -> Response:
        """The answer with what lets scripts of the configured sites read it (Fetch standard, CORS protocol)."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        answer.headers["Vary"] = "Origin"
        if origin and (_ALL in self.server.origins or origin.lower() in self.server.origins):
            answer.headers["Access-Control-Allow-Origin"] = origin
            for name, value in _SHARED.items():
                answer.headers[name] = value
        return answer


def _flight(ad: Ad) -> str | None:
    return None if ad.flight == NO_FLIGHT else ad.flight


def _agent(headers: Headers) -> str:
    return headers.get(b"user-agent", b"").decode("latin-1")


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _link(creative: Creative, ticket: Ticket) -> str | None:
    """The creative's link with what is still known of its page: of the reader, only that this is a click."""
    if creative.link is None:
        return None
    ad = ticket.ads[0]
    flight, campaign = ("" if one == NO_FLIGHT else one for one in (ad.flight, ad.campaign))
    sheet = Sheet(ticket.serve, "", int(time.time() * 1000), str(randbelow(10**10)))
    return fill(of_address(creative.link), AdFacts(creative.id, flight, campaign, sheet=sheet))
