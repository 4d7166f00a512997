"""Verb: guest. The name of a reader on a page that has none: the same for one page, and for no other."""

from __future__ import annotations

import hmac
from typing import Final

from adlayout.events.traffic import read_address

_LABEL: Final = b"adlayout guest 1\n"
_NAME_CHARS: Final = 24
# What is left of an address is a street or a house, not a reader: readers are told apart by their browsers as well.
_KEPT_BYTES: Final = {4: 3, 6: 8}
_AGENT_CHARS: Final = 512


def guest(token: str, address: str | None, agent: str, *, secret: str) -> str:
    """What to call who asks for an address of a page that caches keep, so that what he does twice counts once.

    Made of the page's token, the network of the address (/24, or /64 of IPv6) and the browser; whoever lacks the secret
    can lead it back to none of them.
    """
    payload = token.partition(".")[0]
    said = "\n".join((payload, _network(address), agent[:_AGENT_CHARS]))
    return hmac.digest(secret.encode(), _LABEL + said.encode("utf-8", "surrogatepass"), "sha256").hex()[:_NAME_CHARS]


def _network(address: str | None) -> str:
    found = read_address(address or "")
    return found.packed[: _KEPT_BYTES[found.version]].hex() if found else ""
