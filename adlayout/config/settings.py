"""What `adlayout.yaml` may say: the service's sites, server, store and log. Knows no file and no environment."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from adlayout.config.faults import nearest
from adlayout.config.source import Trail
from adlayout.model import Device

_TAG: Final = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"


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
    if urlsplit(text).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("expected redis://HOST:PORT/DB, rediss://… or unix://PATH")
    return text


Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]
Switch = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Language = Annotated[
    str, StringConstraints(strict=True), AfterValidator(_language), WithJsonSchema({"type": "string", "pattern": _TAG})
]
PublicUrl = Annotated[Text, AfterValidator(_public_url)]
StoreUrl = Annotated[Text, AfterValidator(_store_url)]


# `server:` with every key below it commented out is null to YAML, and the defaults to the person who wrote it.
_EMPTY = BeforeValidator(lambda value: {} if value is None else value)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Keys):
    """Which articles a rule is for: one value of every list that is given has to fit; capitals do not matter."""

    section: tuple[Text, ...] = ()
    tags: tuple[Text, ...] = ()
    device: tuple[Device, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> When:
        if not (self.section or self.tags or self.device):
            raise ValueError("name a section, a tag or a device; the layout for everything else is the site's `layout`")
        return self

    def holds(self, section: str | None, tags: Collection[str], device: Device) -> bool:
        """Whether an article of this section and these tags on this device is meant."""
        return (
            (not self.section or _fold([section or ""]) <= _fold(self.section))
            and (not self.tags or bool(_fold(tags) & _fold(self.tags)))
            and (not self.device or device in self.device)
        )


def _fold(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


class LayoutRule(_Keys):
    """A layout for some of a site's articles."""

    when: When
    layout: Text


class Site(_Keys):
    """One publication: what its pages say of themselves, and which layout an article gets."""

    name: Text
    tagline: str = ""
    language: Language = "en"
    ads: Switch = True
    layout: Text = "every-2"
    layouts: tuple[LayoutRule, ...] = ()
    cache_max_age_s: Annotated[Whole, Field(ge=0, le=31_536_000)] = 60

    def layout_for(self, section: str | None, tags: Collection[str], device: Device) -> str:
        """The layout of the first rule that holds, else the site's own."""
        rules = (rule.layout for rule in self.layouts if rule.when.holds(section, tags, device))
        return next(rules, self.layout)


class Server(_Keys):
    """Where the service listens and what it takes from callers."""

    host: Text = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65_535)] = 8080
    workers: Annotated[Whole, Field(ge=1, le=256)] = 1
    max_body_bytes: Annotated[Whole, Field(ge=1024, le=256 * 1024 * 1024)] = 2 * 1024 * 1024
    timeout_ms: Annotated[Whole, Field(ge=1, le=60_000)] = 250
    body_timeout_s: Annotated[float, Strict(), Field(gt=0, le=300, allow_inf_nan=False)] = 5.0


class StoreSettings(_Keys):
    """Where the inventory is; without an address a store is started beside the service."""

    url: StoreUrl | None = None
    data_dir: Path | None = None
    timeout_ms: Annotated[Whole, Field(ge=1, le=10_000)] = 80
    poll_ms: Annotated[Whole, Field(ge=50, le=60_000)] = 500


class Log(_Keys):
    """How much is logged and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"
    requests: Literal["all", "slow", "off"] = "slow"


class Settings(_Keys):
    """The whole of `adlayout.yaml`, and the two tokens, which come from the environment only."""

    version: Literal[1]
    public_url: PublicUrl | None = None
    default_site: Text = "default"
    sites: Annotated[dict[str, Site], Field(min_length=1)]
    server: Annotated[Server, _EMPTY] = Server()
    store: Annotated[StoreSettings, _EMPTY] = StoreSettings()
    log: Annotated[Log, _EMPTY] = Log()
    cms_token: str | None = Field(default=None, repr=False)
    admin_token: str | None = Field(default=None, repr=False)

    def site(self, name: str | None) -> Site:
        """The site of this name, else the default one."""
        return self.sites.get(name or self.default_site) or self.sites[self.default_site]

    def contradictions(self) -> Iterator[tuple[Trail, str]]:
        """Where two settings do not go together, each at the key to change."""
        if self.default_site not in self.sites:
            yield ("default_site",), f'no site "{self.default_site}", {nearest(self.default_site, self.sites)}'
        if self.public_url is None and not _is_loopback(self.server.host):
            yield (
                ("public_url",),
                f'is needed because server.host is not this machine alone (got "{self.server.host}"):'
                " write the address that readers reach, as https://ads.example.com, or set ADLAYOUT_PUBLIC_URL",
            )

    def unknown_layouts(self, known: Collection[str]) -> Iterator[tuple[Trail, str]]:
        """Every place that names a layout which does not exist."""
        for id, site in self.sites.items():
            named: list[tuple[Trail, str]] = [(("sites", id, "layout"), site.layout)]
            named += [(("sites", id, "layouts", at, "layout"), rule.layout) for at, rule in enumerate(site.layouts)]
            for trail, layout in named:
                if layout not in known:
                    yield trail, f'no layout "{layout}", {nearest(layout, known)}'


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
