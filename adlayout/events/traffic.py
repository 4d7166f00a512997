"""Invalid traffic: what is flagged and counted apart, by the same rule whatever stood on the page. Drops nothing."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from secrets import token_bytes
from typing import Final, NamedTuple, TypeAlias

from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # type: ignore[import-untyped]  # it says nothing of types

Network: TypeAlias = IPv4Network | IPv6Network

# Longer ones tell nothing more, and each that is made up costs a search through all patterns.
_AGENT_CHARS: Final = 512
_KEPT: Final = 8_192
_PURPOSES: Final = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_EARLY: Final = re.compile(rb"prefetch|prerender|preview", re.IGNORECASE)
# In this order: most browsers also say "Chrome" and "Safari", and systems the names of those that they descend from.
_BROWSERS: Final = (
    *("Edg", "OPR/", "YaBrowser/", "SamsungBrowser/", "UCBrowser/", "MiuiBrowser/"),
    *("Firefox/", "FxiOS/", "Chrome/", "CriOS/", "Safari/"),
)
_ALIASES: Final = {"FxiOS/": "Firefox/", "CriOS/": "Chrome/"}
_SYSTEMS: Final = ("Android", "iPhone", "iPad", "CrOS", "Windows", "Macintosh", "Linux")
# One customer of a provider has a network of this size or larger.
_CUSTOMER_BITS: Final = 64


class Invalid(StrEnum):
    """Why an event is no reader's (closed list)."""

    PREFETCH = "prefetch"  # the browser fetched the page on the chance that somebody wants it
    NO_AGENT = "no_agent"  # the client does not say what it is
    CRAWLER = "crawler"  # the client says that it is a robot
    AGENT_CHANGED = "agent_changed"  # the client is not the browser that the page was made for
    DATA_CENTRE = "data_centre"  # the address belongs to servers, not to readers
    RATE = "rate"  # more comes from the address than readers send


@dataclass(frozen=True, slots=True)
class Rate:
    """What one address may send in the long run, and how much of it at once.

    Thousands of readers of a mobile network share an address.
    """

    per_minute: float = 1_200.0
    burst: float = 600.0


class Traffic:
    """Judges who asks; what it remembers of addresses is hashed, bounded, and forgotten with this process."""

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        rate: Rate = Rate(),
        addresses: int = 65_536,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._buckets = _Buckets(rate, addresses, clock)
        self._data_centre = lru_cache(maxsize=_KEPT)(_Networks(networks).holds)
        is_crawler("")  # compiles the patterns before somebody waits for it

    def invalid(
        self, *, agent: str | None, address: str | None, early: bool = False, family: str = ""
    ) -> Invalid | None:
        """Why the event is no reader's, or None.

        `agent` and `address` are the reader's own, None where whoever speaks for him does not say; `early` is whether
        the request was made before he asked (see `is_early`); `family` is that of the browser that the page was made
        for (see `family_of`), empty where it is not known.
        """
        if early:
            return Invalid.PREFETCH
        if agent is not None and not agent.strip():
            return Invalid.NO_AGENT
        if agent is not None and is_crawler(agent[:_AGENT_CHARS]):
            return Invalid.CRAWLER
        if family and agent is not None and family_of(agent) != family:
            return Invalid.AGENT_CHANGED
        if address is None:
            return None
        if self._data_centre(address):
            return Invalid.DATA_CENTRE
        return None if self._buckets.take(address) else Invalid.RATE


def is_early(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser says that it fetches ahead: `Sec-Purpose: prefetch`, `Purpose: preview`, `X-Moz: prefetch`."""
    return any(_EARLY.search(headers.get(name, b"")) for name in _PURPOSES)


def family_of(agent: str | None) -> str:
    """The kind of browser and system as four characters that tell no more; empty where there is no user agent.

    Versions are no part of it: browsers update themselves while a page is open.
    """
    return _family(agent[:_AGENT_CHARS]) if agent and agent.strip() else ""


@lru_cache(maxsize=_KEPT)
def _family(agent: str) -> str:
    browser, system = (next((name for name in names if name in agent), "") for names in (_BROWSERS, _SYSTEMS))
    return blake2b(f"{_ALIASES.get(browser, browser)} {system}".encode(), digest_size=2).hexdigest()


@lru_cache(maxsize=_KEPT)
def is_crawler(agent: str) -> bool:
    """Whether the user agent is a known robot's."""
    return _crawlers().search(agent) is not None


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, in its shorter form where there is one; None where it is no address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


@lru_cache(maxsize=1)
def _crawlers() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{entry['pattern']})" for entry in CRAWLER_USER_AGENTS_DATA))


class _Networks:
    """Networks by size, so that an address is looked up once for each size there is, however many there are."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._starts: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            self._starts.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)

    def holds(self, address: str) -> bool:
        """Whether one of them holds the address; what is no address is in none."""
        found = read_address(address)
        if found is None:
            return False
        number, version = int(found), found.version
        return any(kind == version and number >> shift in starts for (kind, shift), starts in self._starts.items())


class _Bucket(NamedTuple):
    left: float
    at: float


class _Buckets:
    """A token bucket for each address of late; the address that was quiet for longest is forgotten first."""

    def __init__(self, rate: Rate, addresses: int, clock: Callable[[], float]) -> None:
        self._rate, self._most, self._clock = rate, addresses, clock
        self._salt = token_bytes(16)
        self._kept: OrderedDict[bytes, _Bucket] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether there is room for one more from this address."""
        now, key = self._clock(), self._key(address)
        left, at = self._kept.pop(key, _Bucket(self._rate.burst, now))
        left = min(self._rate.burst, left + (now - at) * self._rate.per_minute / 60)
        self._kept[key] = _Bucket(left - 1 if left >= 1 else left, now)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return left >= 1

    def _key(self, address: str) -> bytes:
        return blake2b(_customer(address), key=self._salt, digest_size=8).digest()


def _customer(address: str) -> bytes:
    """The part of the address that one customer keeps; the whole text where it is no address."""
    found = read_address(address)
    if found is None:
        return address.encode("utf-8", "surrogatepass")
    return found.packed[: _CUSTOMER_BITS // 8]
