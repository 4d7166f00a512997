"""Which addresses an advertiser may write into a page; knows nothing of where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

# A backslash is a slash to browsers and none to other parsers; white space and control characters hide a scheme.
_NEVER = re.compile(r"[\x00-\x20\x7f\\]")

# Credentials; and macros: what stands for the host must be known when the address is looked at.
_NO_HOST = re.compile(r"[@${}]|%%")

_PICTURE = re.compile(r"data:image/[a-z0-9.+-]+[;,]", re.IGNORECASE)


def is_web(url: str) -> bool:
    """True for an absolute http or https address with a host and without credentials."""
    if _NEVER.search(url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and not _NO_HOST.search(parts.netloc)


def is_picture(url: str) -> bool:
    """True for what `<img src>` may name: a web address, a `/path` of the site, or a `data:image/` URL."""
    if _PICTURE.match(url):
        return True
    own_path = url.startswith("/") and not url.startswith("//") and not _NEVER.search(url)
    return own_path or is_web(url)


def is_under(url: str, domains: Iterable[str]) -> bool:
    """True for a web address whose host is one of the domains or lies under one.

    Browsers do not all read a host of other letters than ASCII's alike: such a one is under none.
    """
    if not is_web(url):
        return False
    host = (urlsplit(url).hostname or "").rstrip(".")
    if not host.isascii():
        return False
    roots = [domain.strip(".").lower() for domain in domains]
    return any(root and (host == root or host.endswith(f".{root}")) for root in roots)
