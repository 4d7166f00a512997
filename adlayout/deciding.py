"""The middle of one request: what its reader permits, who may stand in its slots, what the store is asked, its ticket.

Knows no article and no markup; everything but `ask` is pure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import blake2b
from secrets import token_hex
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adlayout.config.settings import Settings, Site
from adlayout.counts import NO_FLIGHT, Asking, Event, Reader, shard_of
from adlayout.decision.draft import Conditions, Draft, draft
from adlayout.decision.explain import Passed, explain
from adlayout.decision.inventory import Inventory
from adlayout.decision.settle import Outcome, Settled, Word, settle
from adlayout.decision.shortlist import shortlist
from adlayout.decision.targeting import PageFacts
from adlayout.decision.turns import AT_START, Standing
from adlayout.errors import StoreError, StoreTimeout
from adlayout.events.token import Ad, Signed, Signer, Ticket
from adlayout.events.traffic import family_of
from adlayout.model import Degraded, Filled, Request, Slot
from adlayout.privacy.consent import Permissions, permissions
from adlayout.privacy.readers import reader, unit_key
from adlayout.store.client import Store


@dataclass(slots=True)
class Books:
    """What a page needs so that its ads count: who keeps budgets and signs tokens, and how far flights are delivered.

    `standing` changes as the background learns more, and so does `shown`, which holds for pages that only ops look at;
    `ahead` is how far the store's clock is ahead of ours.
    """

    store: Store
    signer: Signer
    secrets: tuple[str, ...]
    settings: Settings
    standing: Standing = AT_START
    shown: Standing = AT_START
    ahead: Callable[[], timedelta] = timedelta

    @property
    def base(self) -> str:
        """What addresses in a page begin with; empty where they are of the same host."""
        return self.settings.public_url or ""


class Receipt(NamedTuple):
    """What is to be written down when the page leaves: who was served, and what that counts for its reader.

    `serve` names the page where it may come again, and else is None.
    """

    signed: Signed
    caps: tuple[tuple[str, int], ...]
    reader: Reader | None
    serve: str | None


class Counted(NamedTuple):
    """What an experiment counts a page as: its key and the value of the attribute that is hashed."""

    experiment: str
    value: str


class Scene(NamedTuple):
    """Where a page is to be filled: the site's id, the site, all that may run, and its standing where none counts.

    `counted` is what an experiment counts the page as, if one does.
    """

    site_name: str
    site: Site
    inventory: Inventory
    shown: Standing = AT_START
    counted: Counted | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Who may stand in the slots of one page, as far as that is known without the store.

    `of_reader` says that another reader of the page might see other ads; `agent` is the family of the reader's browser,
    where that may be looked at.
    """

    request: Request
    scene: Scene
    facts: PageFacts
    reader: Reader | None
    draft: Draft
    of_reader: bool
    agent: str = ""


def question(request: Request, scene: Scene, slots: Sequence[Slot], *, books: Books | None, now: datetime) -> Question:
    """Draws the candidates of every slot."""
    permits = permissions(request.consent, scene.site.consent.default)
    known = _reader(request, permits, books, now)
    facts = _facts(request, scene)
    if not permits.personalise:
        facts = facts.without_reader()
    seed = request.seed or request.request_id or token_hex(8)
    conditions = Conditions(
        seed=seed,
        # Where nothing is counted, nobody has seen anything yet.
        reader=known is not None or books is None,
        withheld=request.unit is not None and known is None,
        standing=books.standing if books else scene.shown,
    )
    drafted = draft(shortlist(scene.inventory, slots, facts, now=now, seed=seed), conditions)
    told = bool(facts.country or facts.kv)
    of_reader = drafted.asks or (scene.inventory.asked.of_readers and told)
    agent = family_of(request.user_agent) if permits.personalise else ""
    return Question(request, scene, facts, known, drafted, of_reader, agent)


def asking(asked: Question, books: Books, *, now: datetime, why: bool = False) -> Asking | None:
    """What the store is to be asked; None where nobody has a budget or a cap to be asked for."""
    if not asked.draft.asks:
        return None
    request = asked.request
    return Asking(
        attempts=tuple([tried.attempt for tried in asked.draft.attempts]),
        shard_key=_shard_key(asked),
        day=day_of(now, books),
        memo=request.request_id if request.retried else None,
        reader=asked.reader,
        why=why,
    )


async def ask(books: Books, wanted: Asking, *, within_s: float) -> tuple[Outcome, Degraded | None]:
    """The store's answer, or how it failed; never waits longer than `within_s`, and never raises for the store."""
    try:
        async with asyncio.timeout(within_s):
            return await books.store.reserve(wanted), None
    except (StoreTimeout, TimeoutError):
        return Word.FAILED, Degraded.STORE_TIMEOUT
    except StoreError:
        return Word.FAILED, Degraded.STORE_ERROR


def answered(asked: Question, outcome: Outcome) -> Settled:
    """Who stands where."""
    return Settled(asked.draft, outcome, settle(asked.draft, outcome))


def explained(asked: Question, settled: Settled, *, now: datetime, zone: tzinfo) -> tuple[tuple[Passed, ...], ...]:
    """For each slot every flight that does not stand in it, and why."""
    return explain(asked.scene.inventory, settled, asked.facts, now=now, zone=zone)


class Sheet(NamedTuple):
    """What a ticket says of a page beside its ads; `ms` is how long it took to compose."""

    layout: str
    cacheable_s: int
    variation: str = ""
    ms: int = 0


def receipt(asked: Question, settled: Settled, sheet: Sheet, *, books: Books, now: datetime) -> Receipt:
    """The page's signed ticket, and what is counted when it leaves.

    A page that caches may keep has no serve id: the same token goes to many readers.
    """
    request, outcome, trial = asked.request, settled.outcome, asked.scene.counted
    filled = [one for one in settled.decisions if isinstance(one, Filled)]
    name = serve_id(request.request_id)
    bucket = outcome.bucket if not isinstance(outcome, Word) else 0
    ticket = Ticket(
        expires=int(now.timestamp()) + books.settings.counting.token_hours * 3600 + sheet.cacheable_s,
        site=asked.scene.site_name,
        layout=sheet.layout,
        device=request.device.value,
        serve="" if sheet.cacheable_s else name,
        shard=shard_of(_shard_key(asked), books.settings.store.shards),
        bucket=bucket,
        variation=sheet.variation,
        section=request.facts.section or "",
        article=request.facts.id or request.facts.url or "",
        reader=None if sheet.cacheable_s else asked.reader,
        slots=len(settled.decisions),
        ads=tuple([_ad(one) for one in filled]),
        unit=unit_key(trial.experiment, trial.value, books.secrets) if trial else "",
        ms=sheet.ms if trial else 0,
        agent="" if sheet.cacheable_s else asked.agent,
    )
    caps = [
        cap
        for one in filled
        if asked.reader
        for cap in asked.scene.inventory.caps_of(one.flight, one.creative, Event.SERVED)
    ]
    return Receipt(books.signer.sign(ticket), tuple(caps), asked.reader, name if request.retried else None)


def day_of(now: datetime, books: Books) -> str:
    """Today in the reporting time zone by the store's clock, as `20261124`."""
    return f"{(now + books.ahead()).astimezone(_zone(books.settings.counting.time_zone)):%Y%m%d}"


def zone_of(settings: Settings) -> tzinfo:
    """The reporting time zone."""
    return _zone(settings.counting.time_zone)


def serve_id(request_id: str) -> str:
    """The name of a page: the same where a request comes again, and nothing that leads back to it."""
    return blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"adlayout serve").hexdigest()


@lru_cache(maxsize=8)
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _shard_key(asked: Question) -> str:
    """The unit, and not its key in the store: that changes, and the reader must stay where his caps are.

    An experiment counts in the shard of what it hashes, so that one unit is never two.
    """
    request, trial = asked.request, asked.scene.counted
    if asked.reader and request.unit:
        return request.unit
    return trial.value if trial else request.request_id


def _reader(request: Request, permits: Permissions, books: Books | None, now: datetime) -> Reader | None:
    """The reader's keys, where there is one who may be known and whose ads may be chosen by that."""
    if books is None or not request.unit or not (permits.identify and permits.personalise):
        return None
    return reader(request.unit, books.secrets, now, books.settings.counting.reader_days)


def _facts(request: Request, scene: Scene) -> PageFacts:
    return PageFacts(
        site=scene.site_name,
        section=request.facts.section,
        tags=request.facts.tags,
        keywords=request.keywords,
        country=request.country,
        device=request.device,
        url=request.facts.url,
        language=request.facts.language,
        kv=request.attributes,
        blocked=_blocked(scene.site.blocked_categories),
    )


@lru_cache(maxsize=256)
def _blocked(categories: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(str.casefold, categories))


def _ad(one: Filled) -> Ad:
    return Ad(
        one.slot.id, one.flight or NO_FLIGHT, one.creative, one.campaign or NO_FLIGHT, one.slot.gap, one.slot.style.type
    )
