"""What single values of `adlayout.yaml` may look like: addresses, languages, time zones, networks. Knows no key."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from ipaddress import ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, Strict, StringConstraints, WithJsonSchema

_TAG: Final = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
_ADDRESS: Final = r"^(rediss?(\+cluster|\+sentinel)?|unix)://"
_ORIGIN: Final = r"https?://[^/?#@\s*]+"
_HOURS: Final = 24


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name; UTC needs no database."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:
        raise ValueError("expected a time zone such as Europe/Berlin") from exc


def _language(text: str) -> str:
    if not re.fullmatch(_TAG[1:-1], text):
        raise ValueError("expected a language tag such as en or pt-BR")
    return text


def _public_url(text: str) -> str:
    """The address without a slash at its end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise ValueError("expected an address such as https://ads.example.com")
    return text.rstrip("/")


def _store_url(text: str) -> str:
    parts = urlsplit(text)
    scheme, _, kind = parts.scheme.partition("+")
    if not re.match(_ADDRESS, text):
        raise ValueError("expected redis://HOST:PORT/DB, rediss://… or unix://PATH")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if kind == "cluster" and (not all(hosts) or parts.path.strip("/")):
        raise ValueError(f"expected {scheme}+cluster://HOST:PORT,HOST:PORT (a cluster has no numbered databases)")
    if kind == "sentinel" and (not all(hosts) or not re.fullmatch(r"/[^/]+(/\d+)?", parts.path)):
        raise ValueError(f"expected {scheme}+sentinel://HOST:PORT,HOST:PORT/MASTER")
    return text


def _time_zone(name: str) -> str:
    zone(name)
    return name


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as exc:
        raise ValueError("expected a network such as 192.0.2.0/24 or 2001:db8::/32") from exc
    return text


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(_ORIGIN, text):
        raise ValueError('expected a scheme and a host, as https://www.example.com, or "*"')
    return text.lower()


def _curve(weights: tuple[float, ...]) -> tuple[float, ...]:
    if not any(weights):
        raise ValueError("one hour at least needs a weight")
    return weights


Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]
Switch = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Language = Annotated[
    str, StringConstraints(strict=True), AfterValidator(_language), WithJsonSchema({"type": "string", "pattern": _TAG})
]
PublicUrl = Annotated[
    Text, AfterValidator(_public_url), WithJsonSchema({"type": "string", "pattern": "^https?://[^?#@]+$"})
]
StoreUrl = Annotated[Text, AfterValidator(_store_url), WithJsonSchema({"type": "string", "pattern": _ADDRESS})]
TimeZone = Annotated[Text, AfterValidator(_time_zone)]
Network = Annotated[Text, AfterValidator(_network)]
Origin = Annotated[Text, AfterValidator(_origin), WithJsonSchema({"type": "string", "pattern": rf"^(\*|{_ORIGIN})$"})]
Curve = Annotated[
    tuple[Annotated[Number, Field(ge=0, allow_inf_nan=False)], ...],
    Field(min_length=_HOURS, max_length=_HOURS),
    AfterValidator(_curve),
]
