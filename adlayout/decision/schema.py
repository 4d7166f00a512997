"""What ops and other systems may write: the rows of campaigns, flights and creatives, field by field.

A row is the same in a YAML file, in the API and, as JSON, in the store. Unknown keys are refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

PRIORITIES: Final = {"sponsorship": 4, "standard": 8, "network": 12, "bulk": 12, "price_priority": 12, "house": 16}
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MAX_WEIGHT = 1_000_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNSEEN = re.compile(r"[\x00-\x20\x7f\\]")  # what browsers strip or read as a slash


def _iso(value: object) -> object:
    """Keeps out numbers, which would be read as seconds since 1970: also those in quotes, such as "20260301"."""
    if isinstance(value, (int, float)) or (isinstance(value, str) and not _DATE.match(value)):
        raise ValueError("expected a time such as 2026-03-01T00:00:00+01:00")
    return value


def _zoned(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name; UTC needs no database."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:
        raise ValueError(f'no time zone "{name}": expected a name such as "Europe/Berlin"') from exc


def _zone_name(name: str) -> str:
    zone(name)
    return name


def _link(value: str) -> str:
    if _UNSEEN.search(value):
        raise ValueError("holds a space, a control character or a backslash")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError('expected an address that starts with "https://" or "http://"')
    if "@" in parts.netloc:
        raise ValueError("names a user before the host, which misleads readers")
    return value


def _source(value: str) -> str:
    if _UNSEEN.search(value):
        raise ValueError("holds a space, a control character or a backslash")
    if value.startswith("data:image/") or (value.startswith("/") and not value.startswith("//")):
        return value
    return _link(value)


def _bare_source(value: object) -> object:
    return {"src": value} if isinstance(value, str) else value


def _hours(value: object) -> object:
    """`8` is the hour from 8:00 to 9:00, `"8-18"` those from 8:00 to 18:00, `"22-6"` those across midnight."""
    if not isinstance(value, (list, tuple)):
        raise ValueError('expected a list such as [8, 9] or ["8-18"]')
    return tuple(sorted({hour for entry in value for hour in _span(entry)}))


def _span(entry: object) -> range | set[int]:
    first, dash, last = str(entry).partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or int(first) > 23 or (dash and int(last) > 24):
        raise ValueError(f'expected an hour from 0 to 23 or a span such as "8-18", got {entry!r}')
    start, end = int(first), int(last) if dash else int(first) + 1
    return range(start, end) if start < end else {*range(start, 24), *range(end)}


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
Link = Annotated[str, StringConstraints(max_length=8192), AfterValidator(_link)]
Source = Annotated[str, AfterValidator(_source)]
Time = Annotated[datetime, BeforeValidator(_iso), AfterValidator(_zoned)]
Format = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,4}x[1-9][0-9]{0,4}|fluid)$")]
Weight = Annotated[float, Field(gt=0, le=_MAX_WEIGHT, allow_inf_nan=False)]
Pixels = Annotated[int, Field(gt=0, lt=100_000)]
Count = Annotated[int, Field(gt=0)]
Words = tuple[Annotated[str, StringConstraints(min_length=1)], ...]


class Row(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FrequencyCap(Row):
    """At most `max` events per `num` windows and reader."""

    max: Count
    per: Literal["page", "minute", "hour", "day", "week", "month", "lifetime"]
    num: Count = 1
    scope: Literal["advertiser", "campaign", "flight", "creative"] = "flight"
    event: Literal["served", "view", "click"] = "view"


class Window(Row):
    """A start and an end, each open where it is absent; without a zone a time is UTC."""

    start_time: Time | None = None
    end_time: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_time and self.end_time and self.end_time <= self.start_time:
            raise ValueError("end_time is not after start_time")
        return self


class CampaignRow(Window):
    """The advertiser's umbrella over flights."""

    id: Id
    advertiser: str = ""
    adomain: Words = ()
    name: str = ""
    active: bool = True
    frequency_caps: tuple[FrequencyCap, ...] = ()
    labels: Words = ()


class Goal(Row):
    """What was booked: a number of events, or a percentage of what fits."""

    type: Literal["served", "view", "click", "percentage"]
    units: Count

    @model_validator(mode="after")
    def _of_a_whole(self) -> Self:
        if self.type == "percentage" and self.units > 100:
            raise ValueError("units: a percentage is at most 100")
        return self


class Share(Row):
    """A creative of a flight and how often it runs beside the flight's others."""

    id: Id
    weight: Weight = 1.0


class Terms(Row):
    """What a page and a slot are asked for; any value of a list fits, upper and lower case are the same."""

    site: Words = ()
    section: Words = ()
    category: Words = ()  # the section or a tag
    tag: Words = ()
    keyword: Words = ()  # a keyword of the request or a tag
    country: Words = ()
    device: tuple[Literal["mobile", "tablet", "desktop"], ...] = ()
    url: Words = ()  # what the address starts with; from "/" on, its path
    slot: Words = ()  # a slot's type or id
    kv: dict[str, Words] = Field(default_factory=dict)


class TargetingRow(Row):
    """All keys of `include` must fit and none of `exclude` may; days and hours are those of `timezone`."""

    include: Terms = Terms()
    exclude: Terms = Terms()
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    hours: Annotated[tuple[int, ...], BeforeValidator(_hours)] = ()
    timezone: Annotated[str, AfterValidator(_zone_name)] | None = None  # absent: that of `counting.time_zone`


class FlightRow(Window):
    """Dates, goal, weight, caps and targeting under which creatives run."""

    id: Id
    campaign: Id
    creatives: Annotated[tuple[Share, ...], Field(min_length=1)]
    name: str = ""
    active: bool = True
    line_item_type: Literal["sponsorship", "standard", "network", "bulk", "price_priority", "house"] = "standard"
    priority: Annotated[int, Field(ge=1, le=16)] | None = None  # lower wins; absent: by line_item_type
    weight: Weight = 1.0
    rate_type: Literal["cpm", "cpc", "flat"] = "cpm"
    price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    goal: Goal | None = None
    daily_cap: Count | None = None
    lifetime_cap: Count | None = None
    delivery_rate: Literal["evenly", "frontloaded", "curve", "asap"] = "evenly"
    frequency_caps: tuple[FrequencyCap, ...] = ()
    cap_unknown_viewer: Literal["deny", "allow", "page_only"] = "deny"
    on_store_error: Literal["serve", "skip"] | None = None  # absent: serve where nothing is capped
    targeting: TargetingRow = TargetingRow()
    labels: Words = ()
    roadblock: Literal["only_one", "as_many_as_possible", "all"] | None = None
    creative_rotation: Literal["even", "weighted", "sequential"] = "weighted"

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [share.id for share in self.creatives]
        if twice := next((id for id in ids if ids.count(id) > 1), None):
            raise ValueError(f'creatives: "{twice}" is listed twice')
        return self


class ImageRow(Row):
    """A picture; its size is that of the creative where the creative names no formats."""

    src: Source
    alt: str = ""
    w: Pixels | None = None
    h: Pixels | None = None


class FieldsRow(Row):
    """What a native ad says."""

    title: Annotated[str, StringConstraints(min_length=1)]
    body: str = ""
    cta: str = ""
    sponsor: str = ""
    image: Annotated[ImageRow, BeforeValidator(_bare_source)] | None = None  # or its address alone


class Trackers(Row):
    """Addresses of others that are told of views and clicks."""

    view: tuple[Link, ...] = ()
    click: tuple[Link, ...] = ()


class CreativeRow(Row):
    """The ad itself: an image, fields for a native template, or markup; a house ad needs no flight."""

    id: Id
    kind: Literal["image", "native", "html"]
    advertiser: str = ""
    adomain: Words = ()
    cat: Words = ()
    slot_types: Words = ()
    formats: tuple[Format, ...] = ()
    image: ImageRow | None = None
    fields: FieldsRow | None = None
    template: Id | None = None
    markup: Annotated[str, StringConstraints(min_length=1)] | None = None
    link: Link | None = None
    trackers: Trackers = Trackers()
    sandbox: Literal["strict", "scripts", "first-party"] | None = None
    lang: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")] | None = None
    active: bool = True
    house: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        content = {"image": "image", "native": "fields", "html": "markup"}
        if getattr(self, content[self.kind]) is None:
            raise ValueError(f"{content[self.kind]}: missing, and kind is {self.kind}")
        owner = {"image": "image", "fields": "native", "template": "native", "markup": "html", "sandbox": "html"}
        for key, kind in owner.items():
            if kind != self.kind and getattr(self, key) is not None:
                raise ValueError(f"{key}: belongs to kind {kind}, and kind is {self.kind}")
        return self


class InventoryFile(Row):
    """A file of inventory."""

    campaigns: tuple[CampaignRow, ...] = ()
    flights: tuple[FlightRow, ...] = ()
    creatives: tuple[CreativeRow, ...] = ()
