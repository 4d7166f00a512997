"""What the ads of one page may say of it: their click addresses and what macros stand for. Knows no markup."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from adlayout.deciding import Receipt, serve_id
from adlayout.model import Consent, Filled, Request
from adlayout.rendering.macros import AUDIT, AdFacts, Sheet

_NOTHING = Consent()


class Imprint:
    """The facts of a page's ads, each worked out when an ad asks.

    `base` is what addresses of the service begin with; without a receipt nothing is counted, and links are direct.
    """

    __slots__ = ("_base", "_click", "_index", "_now", "_request", "_sheet")

    def __init__(self, request: Request, receipt: Receipt | None, base: str, now: datetime) -> None:
        self._request, self._base, self._now = request, base, now
        self._click: Callable[[int], str] | None = receipt.signed.click if receipt else None
        self._index = {ad.slot: at for at, ad in enumerate(receipt.signed.ticket.ads)} if receipt else {}
        self._sheet: Sheet | None = None

    def of(self, ad: Filled) -> AdFacts:
        """Those of one ad."""
        sheet = self._sheet
        if sheet is None:
            sheet = self._sheet = AUDIT if not self._request.counted else sheet_of(self._request, self._now)
        click = click_address(self._base, self._click(self._index[ad.slot.id])) if self._click else ""
        return AdFacts(ad.creative, ad.flight or "", ad.campaign or "", click, sheet)


def click_address(base: str, tail: str) -> str:
    """The whole address of a click; of characters that mean nothing in an attribute."""
    return f"{_plain(base)}/v1/click/{tail}"


def view_address(base: str, tail: str) -> str:
    """The whole address that counts a view."""
    return f"{_plain(base)}/v1/view/{tail}"


def sheet_of(request: Request, now: datetime) -> Sheet:
    """What all ads of a request's page may know; another request gets another cachebuster, a retry the same."""
    consent, serve = request.consent or _NOTHING, serve_id(request.request_id)
    return Sheet(
        serve_id=serve,
        page_url=request.facts.url or "",
        now_ms=int(now.timestamp() * 1000),
        cachebuster=str(int(serve, 16) % 10**10),
        gdpr=consent.gdpr,
        tcf=consent.tcf or "",
        gpp=consent.gpp or "",
        gpp_sid=consent.gpp_sid,
    )


@lru_cache(maxsize=8)
def _plain(base: str) -> str:
    return quote(base, safe="/:[]%~")
