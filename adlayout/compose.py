"""The story of one request, from the article to the page; the only file that calls every stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from time import perf_counter

from adlayout.article.parse import Parsed, parse
from adlayout.article.verify import holds, is_balanced, unsafe_gaps
from adlayout.assemble import Edition, selector_faults
from adlayout.config.read import validate
from adlayout.config.settings import Site
from adlayout.decision.settle import settle
from adlayout.decision.shortlist import shortlist
from adlayout.decision.targeting import PageFacts
from adlayout.errors import BadPlan, ConfigError, Fault
from adlayout.model import (
    Article,
    Decision,
    Degraded,
    Device,
    Empty,
    Filled,
    Judgement,
    Output,
    Page,
    Piece,
    Plan,
    Reason,
    Refusal,
    Request,
    Slot,
    Unfilled,
    Verdict,
)
from adlayout.placement.layout import Layout, compile_layout
from adlayout.placement.place import place
from adlayout.placement.schema import LayoutFile
from adlayout.rendering.page import Frame, PageContext, TemplateFailure, plain_frame
from adlayout.rendering.slot import empty_slot, slot_markup
from adlayout.upkeep import Shelf, Stock

_CACHED_CHARS = 32_000_000
_UNSAFE = Refusal(Reason.UNSAFE_MARKUP, "an unchanged article", "an ad here would change it")


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made of."""

    article: Article
    plan: Plan
    layout: str
    device: Device


def never() -> bool:
    """A deadline that does not come."""
    return False


class Composer:
    """Composes pages from one edition and what stands on the shelf; plans are kept for the next reader."""

    def __init__(self, edition: Edition, shelf: Shelf) -> None:
        self._edition = edition
        self._shelf = shelf
        self._plans: OrderedDict[tuple[str, str, Device], Planned] = OrderedDict()
        self._cached_chars = 0

    def compose(self, request: Request, *, now: datetime, expired: Callable[[], bool] = never) -> Page:
        """The page of the request: always with its article, with fewer ads where something failed."""
        started = perf_counter()
        site, degraded = self._site(request)
        layout = self._layout(request, site, degraded)
        planned, cached = self._planned(request, layout, expired)
        plan = planned.plan if site.ads else replace(planned.plan, slots=())
        placed = perf_counter()
        frame = self._frame(request, site, layout, degraded)
        stock = self._shelf.stock
        holes = {hole.name for hole in frame.parts if not isinstance(hole, str)} if site.ads else set()
        slots = (*(slot for slot in layout.page_slots if slot.id in holes), *plan.slots)
        decisions = self._decide(request, slots, stock, (now, expired), degraded)
        decided = perf_counter()
        pieces, start, stop = _pieces(planned.article.html, frame, decisions, stock)
        rendered = perf_counter()
        return Page(
            pieces=pieces,
            article_from=start,
            article_to=stop,
            decisions=decisions,
            output=request.output,
            site=self._site_name(request),
            layout=layout.name,
            device=request.device,
            degraded=tuple(dict.fromkeys(degraded)),
            warnings=(*request.warnings, *planned.article.warnings),
            timings_ms=(
                ("place", (placed - started) * 1000),
                ("decide", (decided - placed) * 1000),
                ("render", (rendered - decided) * 1000),
            ),
            cached=cached,
            cacheable_s=0 if degraded else site.cache_max_age_s,
        )

    def plan(self, request: Request, layout: object | None = None) -> Planned:
        """The plan of the request, with every gap's safety known; raises BadPlan with all that is wrong."""
        chosen = self._given(layout) if layout is not None else self._named(request)
        needs = replace(chosen.needs, words=True, chars=True)
        parsed = parse(request.html, needs)
        unsafe = unsafe_gaps(parsed, range(len(parsed.points)))
        return Planned(parsed.article, _proven(parsed, chosen, unsafe), chosen.name, request.device)

    def _given(self, value: object) -> Layout:
        try:
            file = validate(value, LayoutFile)
        except ConfigError as exc:
            raise BadPlan("the layout does not hold", exc.faults) from exc
        layout = compile_layout(file, file.name or "layout")
        faults = selector_faults(layout, "inline")
        if faults:
            raise BadPlan("the layout does not hold", tuple(faults))
        return layout

    def _named(self, request: Request) -> Layout:
        settings = self._edition.settings
        if request.site is not None and request.site not in settings.sites:
            raise BadPlan(f"no site is named {request.site!r}", (Fault("site", "unknown site"),), status=404)
        if request.layout is not None and request.layout not in self._edition.layouts:
            raise BadPlan(f"no layout is named {request.layout!r}", (Fault("layout", "unknown layout"),), status=404)
        return self._layout(request, self._site(request)[0], [])

    def _site_name(self, request: Request) -> str:
        settings = self._edition.settings
        return request.site if request.site in settings.sites else settings.default_site

    def _site(self, request: Request) -> tuple[Site, list[Degraded]]:
        unknown = request.site is not None and request.site not in self._edition.settings.sites
        site = self._edition.settings.sites[self._site_name(request)]
        return site, [Degraded.UNKNOWN_SITE] if unknown else []

    def _layout(self, request: Request, site: Site, degraded: list[Degraded]) -> Layout:
        name = request.layout
        if name is not None and name not in self._edition.layouts:
            degraded.append(Degraded.UNKNOWN_LAYOUT)
            name = None
        if name is None:
            name = site.layout_for(request.facts.section, request.facts.tags, request.device)
        return self._edition.layouts[name]

    def _planned(self, request: Request, layout: Layout, expired: Callable[[], bool]) -> tuple[Planned, bool]:
        key = (request.html, layout.name, request.device)
        if key in self._plans:
            self._plans.move_to_end(key)
            return self._plans[key], True
        parsed = parse(request.html, layout.needs)
        article = parsed.article
        if not is_balanced(parsed):
            article = replace(article, warnings=(*article.warnings, "unbalanced_article"))
        planned = Planned(article, _safe_plan(parsed, layout), layout.name, request.device)
        self._plans[key] = planned
        self._cached_chars += len(request.html)
        while self._cached_chars > _CACHED_CHARS and len(self._plans) > 1:
            (html, *_), _ = self._plans.popitem(last=False)
            self._cached_chars -= len(html)
        return planned, False

    def _frame(self, request: Request, site: Site, layout: Layout, degraded: list[Degraded]) -> Frame | _Bare:
        if request.output is Output.FRAGMENT:
            return _BARE
        facts = request.facts
        context = PageContext(
            site=site.name,
            tagline=site.tagline or "",
            language=facts.language or site.language or "",
            headline=facts.headline or "",
            byline=facts.byline or "",
            url=facts.url or "",
            page_slots=tuple(slot.id for slot in layout.page_slots),
        )
        try:
            return self._edition.templates.frame(layout.template, context)
        except TemplateFailure:
            degraded.append(Degraded.TEMPLATE)
            return plain_frame(context)

    def _decide(
        self,
        request: Request,
        slots: tuple[Slot, ...],
        stock: Stock,
        time: tuple[datetime, Callable[[], bool]],
        degraded: list[Degraded],
    ) -> tuple[Decision, ...]:
        now, expired = time
        if self._shelf.failure is not None:
            degraded.append(self._shelf.failure)
            if stock.revision is not None:
                degraded.append(Degraded.STALE_INVENTORY)
        if expired():
            degraded.append(Degraded.DEADLINE)
            return tuple(Empty(slot, Unfilled.DEADLINE) for slot in slots)
        facts = PageFacts(
            site=self._site_name(request),
            section=request.facts.section,
            tags=request.facts.tags,
            keywords=request.keywords,
            country=request.country,
            device=request.device,
            url=request.facts.url,
            language=request.facts.language,
        )
        seed = request.seed or request.request_id or token_hex(8)
        return tuple(settle(shortlist(stock.inventory, slots, facts, now=now, seed=seed)))


@dataclass(frozen=True, slots=True)
class _Bare:
    """The frame of a fragment: nothing but the article."""

    parts: tuple[()] = ()


_BARE = _Bare()


def _safe_plan(parsed: Parsed, layout: Layout) -> Plan:
    """The plan whose slots are proven. Where the first choice holds, no other gap need be looked at."""
    plan = place(parsed.article, layout)
    if not plan.slots or holds(parsed, _gaps(plan)):
        return plan
    return _proven(parsed, layout, unsafe_gaps(parsed, range(len(parsed.points))))


def _proven(parsed: Parsed, layout: Layout, unsafe: frozenset[int]) -> Plan:
    plan = place(parsed.article, layout, unsafe)
    while plan.slots and not holds(parsed, _gaps(plan)):
        plan = _without_last(plan)
    return plan


def _gaps(plan: Plan) -> list[int]:
    return [slot.gap for slot in plan.slots if slot.gap is not None]


def _without_last(plan: Plan) -> Plan:
    last = plan.slots[-1]
    refused = tuple(
        Judgement(gap.gap, gap.offset, Verdict.REFUSED, None, (_UNSAFE,)) if gap.gap == last.gap else gap
        for gap in plan.gaps
    )
    return replace(plan, slots=plan.slots[:-1], gaps=refused)


def _pieces(
    html: str, frame: Frame | _Bare, decisions: tuple[Decision, ...], stock: Stock
) -> tuple[tuple[Piece, ...], int, int]:
    texts = [_text(decision, stock) for decision in decisions]
    article = tuple(_article_pieces(html, decisions, texts))
    if isinstance(frame, _Bare):
        return article, 0, len(article)
    by_id = {decision.slot.id: at for at, decision in enumerate(decisions)}
    pieces: list[Piece] = []
    start = 0
    for part in frame.parts:
        if isinstance(part, str):
            pieces.append(Piece(part))
        elif part.kind == "article":
            start = len(pieces)
            pieces += article
        elif part.name in by_id and texts[by_id[part.name]]:
            pieces.append(Piece(texts[by_id[part.name]], slot=by_id[part.name]))
    return tuple(pieces), start, start + len(article)


def _article_pieces(html: str, decisions: tuple[Decision, ...], texts: list[str]) -> Iterator[Piece]:
    at = 0
    for index, decision in enumerate(decisions):
        offset = decision.slot.offset
        if offset is None or not texts[index]:
            continue
        yield Piece(html[at:offset], sacred=True)
        yield Piece(texts[index], slot=index)
        at = offset
    yield Piece(html[at:], sacred=True)


def _text(decision: Decision, stock: Stock) -> str:
    if isinstance(decision, Filled):
        return slot_markup(decision.slot, stock.prepared[decision.creative].markup[decision.format])
    return empty_slot(decision.slot) if decision.slot.style.on_empty == "hold" else ""
