"""What `adlayout.yaml` may say: sites, server, store, counting and log. Knows no file and no environment.

The text below a key is what editors show of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from adlayout.config.faults import nearest
from adlayout.config.fields import (
    Curve,
    Language,
    Network,
    Number,
    Origin,
    PublicUrl,
    StoreUrl,
    Switch,
    Text,
    TimeZone,
    Whole,
)
from adlayout.config.source import Trail
from adlayout.model import Device


def _or_empty(room: type[BaseModel]) -> BeforeValidator:
    """`server:` with every key below it commented out is null to YAML, and the defaults to the person who wrote it."""
    return BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=room | None)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Keys):
    """Which articles a rule is for: one value of every list that is given has to fit; capitals do not matter."""

    section: tuple[Text, ...] = ()
    """Sections as the CMS calls them."""
    tags: tuple[Text, ...] = ()
    """Tags as the CMS calls them."""
    device: tuple[Device, ...] = ()
    """mobile, tablet, desktop."""

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
    """Which articles are meant: section, tags and device, at least one of them."""
    layout: Text
    """The layout for those articles: the name of a file in layouts/."""


class SiteConsent(_Keys):
    """What holds for readers of whom a request says nothing."""

    default: Literal["granted", "denied"] = "granted"
    """granted: ads may use what the request says of the reader; denied: they are chosen by the article alone."""


class Site(_Keys):
    """One publication: what its pages say of themselves, and which layout an article gets."""

    name: Text
    """The name of the publication, for the head of the page template."""
    tagline: str = ""
    """The line under the name."""
    language: Language = "en"
    """The language of the pages, as in <html lang>, where the article names none: a BCP 47 tag."""
    ads: Switch = True
    """Whether this site shows ads; false turns all of them off at once."""
    layout: Text = "every-2"
    """The layout of an article that no rule of `layouts` is for: the name of a file in layouts/."""
    layouts: tuple[LayoutRule, ...] = ()
    """Layouts for some articles; the first rule that holds decides."""
    cache_max_age_s: Annotated[Whole, Field(ge=0, le=31_536_000)] = 60
    """For how long a cache may keep a page that holds nothing made for one reader, in seconds."""
    blocked_categories: tuple[Text, ...] = ()
    """Ads that this site does not take: IAB categories, as creatives name them under `cat`."""
    consent: Annotated[SiteConsent, _or_empty(SiteConsent)] = SiteConsent()
    """What holds for readers of whom a request says nothing."""

    def layout_for(self, section: str | None, tags: Collection[str], device: Device) -> str:
        """The layout of the first rule that holds, else the site's own."""
        rules = (rule.layout for rule in self.layouts if rule.when.holds(section, tags, device))
        return next(rules, self.layout)


class Server(_Keys):
    """Where the service listens and what it takes from callers."""

    host: Text = "127.0.0.1"
    """The address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for every network."""
    port: Annotated[Whole, Field(ge=0, le=65_535)] = 8080
    """The TCP port; 0 takes a free one."""
    workers: Annotated[Whole, Field(ge=1, le=256)] = 1
    """Worker processes; one for each core is plenty."""
    max_body_bytes: Annotated[Whole, Field(ge=1024, le=256 * 1024 * 1024)] = 2 * 1024 * 1024
    """The largest body that is taken, in bytes."""
    timeout_ms: Annotated[Whole, Field(ge=1, le=60_000)] = 250
    """How long a page may take where the request sets no timeout_ms; after that it goes out with the ads it has."""
    body_timeout_s: Annotated[Number, Field(gt=0, le=300, allow_inf_nan=False)] = 5.0
    """How long a caller may take to send its body."""
    origins: tuple[Origin, ...] = ()
    """Which sites' scripts may call the public routes (CORS): https://www.example.com, or "*" for every site."""


class StoreSettings(_Keys):
    """Where the inventory and the counters are; without an address a store is started beside the service."""

    url: StoreUrl | None = None
    """redis://HOST:PORT/DB, rediss:// (TLS), unix://PATH, redis+cluster://… or redis+sentinel://…; null: embedded."""
    data_dir: Path | None = None
    """Where the embedded Valkey keeps its data; null forgets everything at the end."""
    timeout_ms: Annotated[Whole, Field(ge=1, le=10_000)] = 80
    """How long an answer of the store is waited for."""
    page_timeout_ms: Annotated[Whole, Field(ge=1, le=10_000)] = 30
    """How long a page waits for the store before it goes out with the ads that need no counter."""
    poll_ms: Annotated[Whole, Field(ge=50, le=60_000)] = 250
    """How often the store is asked whether the inventory changed."""
    shards: Annotated[Whole, Field(ge=1, le=256)] = 1
    """Into how many parts the counters are split, each on one node of a cluster; the same in every worker."""


class Counting(_Keys):
    """How served ads, views and clicks are counted, and for how long what is known of them is kept."""

    state_dir: Path | None = None
    """Where workers write down what happened until the store has it; null: beside the embedded store, else at home."""
    time_zone: TimeZone = "UTC"
    """The time zone of days: of daily caps, of pacing and of reports."""
    hold_s: Annotated[Whole, Field(ge=1, le=3600)] = 60
    """For how long an ad of a page that was not seen yet takes up its place in a limit, in seconds."""
    token_hours: Annotated[Whole, Field(ge=1, le=168)] = 2
    """For how long after a page its views and clicks count, in hours."""
    stream_length: Annotated[Whole, Field(ge=1, le=1_000_000_000)] = 1_000_000
    """How many events the store keeps for those who read them, about."""
    hourly_days: Annotated[Whole, Field(ge=1, le=400)] = 14
    """For how long the counts of each hour are kept, in days."""
    reader_days: Annotated[Whole, Field(ge=1, le=400)] = 90
    """For how long one salt stands between a reader and what is counted for them, in days; caps reach no further."""
    spool_max_mb: Annotated[Whole, Field(ge=1, le=1_048_576)] = 1024
    """How much a worker writes down while the store is away, in MiB; what comes after that is lost, and told."""


class Traffic(_Keys):
    """What is counted apart because no reader is behind it."""

    data_centres: tuple[Network, ...] = ()
    """Networks of machines: 192.0.2.0/24, 2001:db8::/32."""
    events_per_minute: Annotated[Whole, Field(ge=1, le=1_000_000)] = 600
    """How many events of one address count in a minute."""


class Pacing(_Keys):
    """How flights with a goal or a daily cap are spread over the day."""

    curve: Curve = (1.0,) * 24
    """24 weights, from midnight on: how much of a day runs in each hour where a flight's delivery_rate is curve."""
    every_s: Annotated[Number, Field(ge=0.05, le=3600, allow_inf_nan=False)] = 10.0
    """How often it is worked out, in seconds."""


class Log(_Keys):
    """How much is logged and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    format: Literal["auto", "json", "text"] = "auto"
    """json, one object a line; text for people; auto, text on a terminal and else json."""
    requests: Literal["all", "slow", "off"] = "slow"
    """Which requests get a line; slow: those over 100 ms, degraded or refused, and one in 100 of the others."""


class Settings(_Keys):
    """The whole of `adlayout.yaml`, and the secrets, which come from the environment only."""

    version: Literal[1]
    """The form of this file, always 1."""
    public_url: PublicUrl | None = None
    """The address that readers' browsers reach this service under; needed where server.host is not this machine."""
    default_site: Text = "default"
    """The site of a request that names none, or one that is not in `sites`."""
    sites: Annotated[dict[str, Site], Field(min_length=1)]
    """The publications, each under the id that requests give as `site`."""
    server: Annotated[Server, _or_empty(Server)] = Server()
    """Where the service listens and what it takes from callers."""
    store: Annotated[StoreSettings, _or_empty(StoreSettings)] = StoreSettings()
    """Where campaigns, flights, creatives and counters are kept."""
    counting: Annotated[Counting, _or_empty(Counting)] = Counting()
    """How served ads, views and clicks are counted."""
    traffic: Annotated[Traffic, _or_empty(Traffic)] = Traffic()
    """What is counted apart because no reader is behind it."""
    pacing: Annotated[Pacing, _or_empty(Pacing)] = Pacing()
    """How flights with a goal or a daily cap are spread over the day."""
    log: Annotated[Log, _or_empty(Log)] = Log()
    """What is written to standard error."""
    cms_token: SkipJsonSchema[str | None] = Field(default=None, repr=False)
    admin_token: SkipJsonSchema[str | None] = Field(default=None, repr=False)
    secret: SkipJsonSchema[str | None] = Field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What page tokens are signed with: the first signs, all hold, readers' keys come from the last."""
        return tuple(self.secret.split(",")) if self.secret else ()

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
