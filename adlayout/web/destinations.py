"""Where a click may lead: to the link of its creative, or to an address of its advertiser. Knows no token and no count.

An address that anyone may write after a signed click would make the service a way to send readers anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

# What browsers strip, or read as a slash.
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
# A name in another script comes as its ASCII form; anything else is not read by all browsers alike.
_NAME: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_LONGEST: Final = 8192
# What stands in an address as it is; a percent sign is taken for the beginning of an escape.
_SAFE: Final = ":/?#[]@!$&'()*+,;=%-._~"


def destination(wanted: str | None, link: str | None, adomain: Iterable[str]) -> str | None:
    """The address of a click, fit for a header: what is wanted, where it is the advertiser's, else the link."""
    chosen = wanted if wanted and _is_of(wanted, adomain) else link
    return quote(chosen, safe=_SAFE) if chosen and _host(chosen) else None


def _is_of(address: str, adomain: Iterable[str]) -> bool:
    """Whether the address is on one of the domains, or below it."""
    host = _host(address)
    if host is None or not _NAME.fullmatch(host):
        return False
    domains = (domain.strip().lower().strip(".") for domain in adomain)
    return any(f".{host}".endswith(f".{domain}") for domain in domains if domain)


def _host(address: str) -> str | None:
    """The host of an address that a reader may be sent to, in small letters; None for any other."""
    if len(address) > _LONGEST or _UNSEEN.search(address):
        return None
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return host.removesuffix(".")
