"""What each route does: who may ask, the request in, the story told by others, the answer out."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from adlayout import __version__
from adlayout.answers import plan_json
from adlayout.assemble import Edition
from adlayout.compose import Composer
from adlayout.errors import BadPlan
from adlayout.model import Degraded, Output, Page, Piece
from adlayout.model import Request as PageRequest
from adlayout.reports.why import why
from adlayout.store.client import Store
from adlayout.telemetry.logs import QUIET, Log, failure
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts
from adlayout.web.charsets import without_surrogates
from adlayout.web.decide import Answer, decide_json, read_decide
from adlayout.web.experiments import Laboratory
from adlayout.web.inventory import Desk
from adlayout.web.lane import Lane
from adlayout.web.limits import Deadline, admit, may_ask, read_body
from adlayout.web.preview import with_reasons
from adlayout.web.public import Gate
from adlayout.web.questions import json_of
from adlayout.web.reports import Office
from adlayout.web.requests import Headers, Received, read_request
from adlayout.web.responses import json_answer, page_answer, wants_json


class Life(StrEnum):
    """Where the process is in its life; only a `ready` one wants requests."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(slots=True)
class Doors:
    """Every route's handler, over what they share.

    `store` is what fills the shelf, where something does, and `accounts` what is counted with. A `problem` is why
    requests should go elsewhere although the worker could answer them.
    """

    edition: Edition
    composer: Composer
    shelf: Shelf
    store: Store | None
    samples: Path | None = None
    log: Log = QUIET
    accounts: Accounts | None = None
    life: Life = Life.STARTING
    problem: str | None = None
    lane: Lane = field(init=False)
    desk: Desk = field(init=False)
    office: Office = field(init=False)
    laboratory: Laboratory = field(init=False)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.lane = Lane(self.composer)
        self.desk = Desk(self.edition, self.store, self.log)
        settings, accounts = self.edition.settings, self.accounts
        secrets = accounts.books.secrets if accounts else settings.secrets
        experiments = tuple(one.key for one in self.edition.all_experiments)
        self.office = Office(settings, self.shelf, self.store, secrets, self.log, experiments)
        self.laboratory = Laboratory(self.edition, self.store)
        self.gate = Gate(self.shelf, accounts, settings.server, self.log, settings.cms_token)

    def routes(self) -> list[Route]:
        """The literal table of routes."""
        return [
            Route("/v1/compose", self.compose, methods=["POST"]),
            Route("/v1/plan", self.plan, methods=["POST"]),
            Route("/v1/decide", self.decide, methods=["POST"]),
            Route("/v1/campaigns", self.desk.rows),
            Route("/v1/campaigns/{id}", self.desk.row, methods=["GET", "PUT", "DELETE"]),
            Route("/v1/flights", self.desk.rows),
            Route("/v1/flights/{id}", self.desk.row, methods=["GET", "PUT", "DELETE"]),
            Route("/v1/creatives", self.desk.rows),
            Route("/v1/creatives/{id}", self.desk.row, methods=["GET", "PUT", "DELETE"]),
            Route("/v1/inventory", self.desk.many, methods=["POST"]),
            Route("/v1/flights/{id}/delivery", self.office.delivery),
            Route("/v1/reports", self.office.report),
            Route("/v1/experiments", self.laboratory.experiments),
            Route("/v1/experiments/{key}/assignment", self.laboratory.assignment),
            Route("/v1/experiments/{key}/results", self.laboratory.results),
            Route("/v1/experiments/{key}/exposures", self.laboratory.exposures),
            Route("/v1/units/{unit:path}", self.office.forget, methods=["DELETE"]),
            Route("/adlayout.js", self.gate.script),
            Route("/v1/events", self.gate.events, methods=["POST", "OPTIONS"]),
            Route("/v1/view/{token}", self.gate.view, methods=["GET", "OPTIONS"]),
            Route("/v1/click/{token}", self.gate.click),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/preview", self.preview),
            Route("/", self.index),
        ]

    async def compose(self, request: Request) -> Response:
        """The composed page. Whatever fails once there is an article, the article goes out."""
        headers = dict(request.scope["headers"])
        received = await self._received(request, headers)
        as_json = wants_json(headers.get(b"accept", b"").decode("latin-1"))
        return await self._composed(request.scope, received, as_json=as_json)

    async def plan(self, request: Request) -> Response:
        """Where the ads would stand and why, or everything that is wrong with the question."""
        received = await self._received(request, dict(request.scope["headers"]))
        request.scope["request_id"] = received.request.request_id
        try:
            answer = await self.lane.run(received.request, partial(self._plan, received))
        except BadPlan as bad:
            raise BadPlan(bad.detail, (*received.faults, *bad.faults), status=bad.status) from bad
        if received.faults:
            raise BadPlan("the request has fields that do not hold", received.faults)
        if received.charset.raw:
            answer["html"] = without_surrogates(str(answer["html"]))
        return json_answer(answer)

    async def decide(self, request: Request) -> Response:
        """Who stands in slots of the caller's own, and why nobody else does."""
        headers = dict(request.scope["headers"])
        admit(request.scope, headers, self.edition.settings.cms_token)
        server = self.edition.settings.server
        wanted = read_decide(await json_of(request, server), headers)
        request.scope["request_id"] = wanted.request.request_id
        now, deadline = datetime.now(UTC), Deadline(wanted.request.timeout_ms, server.timeout_ms)
        work = self.composer.decide(wanted.request, wanted.slots, now=now)
        await self.composer.reserve(work, now=now, within_s=deadline.left_s)
        decided = self.composer.decided(work, now=now)
        if decided.receipt is not None and self.accounts is not None:
            self.accounts.served(decided.receipt, wanted.request, headers)
        base = self.accounts.books.base if self.accounts else ""
        answer = decide_json(Answer(wanted, decided, work.stock, base, now))
        return json_answer(answer, headers={"X-Request-Id": wanted.request.request_id})

    async def healthz(self, request: Request) -> Response:
        """Whether the process lives."""
        return json_answer({"status": "ok", "version": __version__})

    async def readyz(self, request: Request) -> Response:
        """Whether requests should be sent to this worker; a store that is away costs ads, not readiness."""
        answer = {
            "status": self.life,
            "version": __version__,
            "worker": os.getpid(),
            "store": self._store_state(),
            "revision": self.shelf.stock.revision,
            "bad_rows": len(self.shelf.bad_rows) + len(self.shelf.unprepared),
            "counting": self.accounts.waiting() if self.accounts else None,
            "problem": self.problem,
        }
        return json_answer(answer, 200 if self.life is Life.READY and self.problem is None else 503)

    async def preview(self, request: Request) -> Response:
        """A sample article, composed, to look at in a browser."""
        headers = dict(request.scope["headers"])
        admit(request.scope, headers, self.edition.settings.admin_token, variable="ADLAYOUT_ADMIN_TOKEN")
        samples = self._samples()
        name = request.query_params.get("sample") or next(iter(samples), "")
        if name not in samples:
            raise HTTPException(404, f"there is no sample {name!r}; there are: {', '.join(samples) or 'none'}")
        fields = [(field, value) for field, value in request.query_params.multi_items() if field != "sample"]
        # Whoever looks is the reader here, not a CMS that speaks for one.
        fields = [("context.user_agent", headers.get(b"user-agent", b"").decode("latin-1")), *fields]
        received = read_request(samples[name].read_bytes(), {}, urlencode(fields).encode())
        # Ads that ops look at are nobody's: they count nowhere and hold nothing.
        asked = replace(received.request, counted=False, seed=received.request.seed or received.request.request_id)
        page = await self.lane.run(asked, partial(self._previewed, asked, datetime.now(UTC)))
        request.scope["page"], request.scope["request_id"] = page, asked.request_id
        return page_answer(page, replace(received, request=asked), as_json=False)

    async def index(self, request: Request) -> Response:
        """What this is, for a person who opens the address in a browser."""
        may_see = may_ask(request.scope, dict(request.scope["headers"]), self.edition.settings.admin_token)
        links = [
            f'<li><a href="/preview?sample={quote(sample)}&amp;layout={quote(layout)}">'
            f"{html.escape(sample)}, layout {html.escape(layout)}</a>"
            for sample in (self._samples() if may_see else ())
            for layout in self.edition.layouts
        ]
        pages = f"<h2>Look at a page</h2>\n<ul>\n{chr(10).join(links)}\n</ul>" if links else ""
        routes = [
            f"<dt><code>{_methods(route)} {route.path}</code><dd>{html.escape(_first_line(route.endpoint))}"
            for route in self.routes()
        ]
        return HTMLResponse(_INDEX.format(version=__version__, pages=pages, routes="\n".join(routes)))

    def _previewed(self, request: PageRequest, now: datetime) -> Page:
        return with_reasons(self.composer.compose(request, now=now), why(self.composer, request, now=now))

    def _plan(self, received: Received) -> dict[str, object]:
        return plan_json(self.composer.plan(received.request, layout=received.layout))

    async def _received(self, request: Request, headers: Headers) -> Received:
        server = self.edition.settings.server
        admit(request.scope, headers, self.edition.settings.cms_token)
        body = await read_body(headers, request.receive, limit=server.max_body_bytes, within_s=server.body_timeout_s)
        return read_request(body, headers, request.scope["query_string"])

    async def _composed(self, scope: Scope, received: Received, *, as_json: bool) -> Response:
        request = received.request
        deadline = Deadline(request.timeout_ms, self.edition.settings.server.timeout_ms)
        try:
            page, receipt = await self.lane.compose(request, datetime.now(UTC), deadline)
            answer = page_answer(page, received, as_json=as_json)
            if receipt is not None and self.accounts is not None:
                self.accounts.served(receipt, request, dict(scope["headers"]))
        except Exception as exc:
            self.log("compose_failed", request_id=request.request_id, **failure(exc))
            page = _untouched(received)
            answer = page_answer(page, received, as_json=as_json)
        scope["page"], scope["request_id"] = page, request.request_id
        return answer

    def _store_state(self) -> str:
        if self.store is None:
            return "none"
        return "degraded" if self.shelf.failure or self.shelf.last_ok is None else "ok"

    def _samples(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self.samples.glob("*.html"))} if self.samples else {}


def _untouched(received: Received) -> Page:
    """The last resort: the article as it came."""
    request = received.request
    return Page(
        pieces=(Piece(request.html, sacred=True),),
        article_from=0,
        article_to=1,
        decisions=(),
        output=Output.FRAGMENT,
        site=request.site or "",
        layout=request.layout or "",
        device=request.device,
        degraded=(Degraded.VERIFY,),
        warnings=request.warnings,
    )


def _methods(route: Route) -> str:
    return ", ".join(sorted((route.methods or set()) - {"HEAD"}))


def _first_line(handler: object) -> str:
    return (handler.__doc__ or "").partition("\n")[0]


_INDEX = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>adlayout</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 38rem; margin: 3rem auto; padding: 0 1.25rem }}
h2 {{ margin-top: 2.5rem; font-size: 1.15rem }}
ul {{ padding: 0; list-style: none }}
li a {{ display: block; padding: .4rem 0 }}
dd {{ margin: 0 0 .8rem }}
</style>
<h1>adlayout {version}</h1>
<p>An article in, the composed page out: never altered, every decision explained.</p>
{pages}
<h2>What it answers</h2>
<dl>
{routes}
</dl>
"""
