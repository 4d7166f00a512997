"""A CMS and its readers' browsers: they ask for pages, report what is seen and followed, and note what they are told.

Whoever gets no answer asks again, under the same name, until there is one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from time import perf_counter
from typing import Any

import httpx2

from .ledger import Ad, Ledger, Told

ARTICLE = "<h1>On the hill</h1>\r\n" + "".join(f"<p>Paragraph {n} says a little more than it must.\n" for n in range(8))
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_CLICK = re.compile(r"/v1/click/([\w.-]+)")
_AGAIN_S = 0.05
_CALLERS, _READERS = 6, 5
_HURRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Sight:
    """A page as its caller got it: the ads, what to report them with, and whether everything else is as it must be.

    `serve` is empty where caches may keep the page, `token` where nothing of it counts.
    """

    article: str
    ads: tuple[Ad, ...]
    token: str
    serve: str
    clicks: Mapping[str, str]
    degraded: tuple[str, ...]
    whole: bool


@dataclass(slots=True)
class Caller:
    """A CMS and the browsers of its readers: asks again, with the same names, until it is answered."""

    base: str
    ledger: Ledger
    deadline_s: float = 0.25
    timeout_ms: int | None = None
    line: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
        # There is no TLS; to read the certificates of the machine would cost more than a page.
        self.line = httpx2.AsyncClient(
            base_url=self.base, timeout=10, verify=False, limits=limits, headers={"user-agent": BROWSER}
        )

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.line.aclose()

    async def page(self, article: str, *, unit: str | None = None, section: str | None = None) -> Sight:
        """The page of an article of this name; it has that of its request, too."""
        asked = {
            "article": {"html": ARTICLE, "id": article, "section": section},
            "request_id": article,
            "unit": unit,
            "timeout_ms": self.timeout_ms,
        }
        answer, again, spent_s = await self._answered(
            "POST", "/v1/compose", 200, json=asked, headers={"accept": "application/json"}
        )
        sight = sight_of(article, answer)
        ledger = self.ledger
        ledger.pages[article] = Told(sight.ads if sight.token else None, again)
        if unit is not None:
            ledger.units[article] = unit
        ledger.slowest_s = max(ledger.slowest_s, spent_s)
        ledger.late += spent_s > self.deadline_s
        ledger.altered += not sight.whole
        ledger.degraded.update(sight.degraded or ["nothing"])
        return sight

    async def see(self, sight: Sight, ads: Sequence[Ad] | None = None) -> None:
        """Reports that these ads, else all, were seen, in one batch."""
        seen = sight.ads if ads is None else tuple(ads)
        events = [{"type": "view", "slot": ad.slot} for ad in seen]
        body = json.dumps({"token": sight.token, "id": f"browser-{sight.article}"[:64], "events": events})
        _, again, _ = await self._answered(
            "POST", "/v1/events", 204, content=body, headers={"content-type": "text/plain"}
        )
        for ad in seen:
            self.ledger.events[sight.article, "view", ad.slot] = Told((ad,), again)

    async def follow(self, sight: Sight, ad: Ad) -> None:
        """Clicks on an ad."""
        _, again, _ = await self._answered("GET", sight.clicks[ad.slot], 302)
        self.ledger.events[sight.article, "click", ad.slot] = Told((ad,), again)

    async def _answered(
        self, method: str, path: str, status: int, **what: Any
    ) -> tuple[httpx2.Response, bool, float]:  # the client's own arguments
        """The answer, whether one may have left before it, and how long it took."""
        again = False
        while True:
            started = perf_counter()
            try:
                answer = await self.line.request(method, path, **what)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                pass  # nobody was asked
            except httpx2.TransportError:
                again = True
            else:
                if answer.status_code == status:
                    return answer, again, perf_counter() - started
                assert answer.status_code >= 500, (answer.status_code, answer.text)
                self.ledger.refused += 1
            await asyncio.sleep(_AGAIN_S)


async def traffic(base: str, ledger: Ledger, name: str, rng: Random, meanwhile: Callable[[], object]) -> None:
    """Callers ask for pages of this name and report what is seen and followed, and at some moment something happens."""
    names = (f"{name}-{at}" for at in count())
    pace = _Pace()
    async with Caller(base, ledger) as caller, asyncio.TaskGroup() as tasks:
        for _ in range(_CALLERS):
            tasks.create_task(_browse(caller, names, Random(rng.random()), pace))  # noqa: S311 (chance, no secrets)
        await asyncio.sleep(rng.uniform(0.1, 0.8))
        pace.hurry.set()
        asyncio.get_running_loop().call_later(_HURRY_S, pace.hurry.clear)
        await asyncio.sleep(rng.uniform(0, _HURRY_S))
        await asyncio.to_thread(meanwhile)
        await asyncio.sleep(rng.uniform(0.2, 0.6))
        pace.over.set()


@dataclass(frozen=True, slots=True)
class _Pace:
    """When callers stop, and when they ask without a pause: so that something is always on its way when it fails."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def rest(self, least_s: float, most_s: float, rng: Random) -> None:
        if not self.hurry.is_set():
            await asyncio.sleep(rng.uniform(least_s, most_s))


async def _browse(caller: Caller, names: Iterator[str], rng: Random, pace: _Pace) -> None:
    """Pages, what is seen of them and followed, some of it reported twice at once, until it is over."""
    while not pace.over.is_set():
        name = next(names)
        sport = rng.random() < 0.6
        unit = f"{name.split('-')[0]}-reader-{rng.randrange(_READERS)}" if sport else None
        sight = await caller.page(name, unit=unit, section="sport" if sport else None)
        await pace.rest(0, 0.02, rng)
        if sight.token and sight.ads and rng.random() < 0.9:
            await asyncio.gather(*(caller.see(sight) for _ in range(rng.choice((1, 1, 2)))))
        if sight.serve or rng.random() < 0.5:
            for ad in sight.ads:
                if ad.slot in sight.clicks and rng.random() < 0.2:
                    await caller.follow(sight, ad)
        await pace.rest(0.06, 0.16, rng)


def sight_of(article: str, answer: httpx2.Response) -> Sight:
    """The page of a JSON answer."""
    said = answer.json()
    token = answer.headers.get("adlayout-page-token", "")
    payload = _payload(token)
    ads = tuple(Ad(one["id"], one["flight"] or "-", one["creative"]) for one in said["slots"] if one["filled"])
    signed = tuple(Ad(*ad[:3]) for ad in payload.get("p", ads))
    clicks = {signed[int(tail.rpartition(".")[2])].slot: tail for tail in _CLICK.findall(said["html"])}
    return Sight(
        article=article,
        ads=ads,
        token=token,
        serve=payload.get("i", ""),
        clicks={slot: f"/v1/click/{tail}" for slot, tail in clicks.items()},
        degraded=tuple(said["degraded"]),
        whole=_without_ads(said) == ARTICLE and signed == ads,
    )


def _payload(token: str) -> Any:  # what was signed
    head = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) if head else {}


def _without_ads(said: Mapping[str, Any]) -> str:
    spans = sorted((one["output_start"], one["output_end"]) for one in said["slots"] if one["gap"] is not None)
    at, kept = said["article_start"], ""
    for start, end in spans:
        if start is not None:
            kept += said["html"][at:start]
            at = end
    return kept + str(said["html"][at : said["article_end"]])
