"""The story of one request, from the article to the page; with `plans`, the only file that calls every stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import NamedTuple

from adlayout.assemble import Edition
from adlayout.checks import wrong_selectors
from adlayout.choosing import Choice, choose_layout
from adlayout.config.faults import nearest
from adlayout.config.read import validate
from adlayout.config.settings import Site
from adlayout.deciding import (
    Books,
    Counted,
    Question,
    Receipt,
    Scene,
    Sheet,
    answered,
    ask,
    asking,
    explained,
    question,
    receipt,
    zone_of,
)
from adlayout.decision.explain import Passed
from adlayout.decision.settle import Outcome, Settled, Word
from adlayout.decision.turns import AT_START
from adlayout.errors import BadPlan, ConfigError, Fault
from adlayout.experiments.assign import Assignment
from adlayout.imprint import Imprint
from adlayout.model import (
    Decision,
    Degraded,
    Device,
    Empty,
    Filled,
    Output,
    Page,
    Piece,
    Request,
    Slot,
    Timings,
    Trial,
    Unfilled,
)
from adlayout.placement.layout import Layout, compile_all
from adlayout.placement.overlay import extended
from adlayout.placement.schema import LayoutFile
from adlayout.plans import Laid, Planned, Plans, judge
from adlayout.rendering.macros import fill
from adlayout.rendering.page import Frame, PageContext, TemplateFailure, plain_frame
from adlayout.rendering.script import script_tag
from adlayout.rendering.slot import SlotBox, box
from adlayout.telemetry.logs import QUIET
from adlayout.upkeep import Log, Shelf, Stock

# Headlines differ from article to article, so a frame is worth keeping for the readers of one article only.
_KEPT_FRAMES = 256
# A template that fails differently for every headline must not fill the memory, nor the log.
_TOLD_FAULTS = 100


def never() -> bool:
    """A deadline that does not come."""
    return False


class Composer:
    """Composes pages from one edition and what stands on the shelf; plans are kept for the next reader.

    Without `books` nothing is counted, and nobody's budget or cap is used up.
    """

    def __init__(self, edition: Edition, shelf: Shelf, *, books: Books | None = None, log: Log = QUIET) -> None:
        self._edition = edition
        self._shelf = shelf
        self._books = books
        self._log = log
        self._told: set[Fault] = set()
        self._plans = Plans()
        self._frames: OrderedDict[tuple[str, PageContext], Frame] = OrderedDict()
        self._page_boxes = {
            (name, device): {slot.id: box(slot) for slot in layout.page_slots}
            for name, devices in edition.layouts.items()
            for device, layout in devices.items()
        }

    def compose(self, request: Request, *, now: datetime, expired: Callable[[], bool] = never) -> Page:
        """The page of the request, counted nowhere: as if no budget and no cap were used yet.

        Always with its article, with fewer ads where something failed.
        """
        work = self.begin(request)
        self.draft(work, now=now, expired=expired)
        return self.finish(work, now=now)

    def draft(self, work: Work, *, now: datetime, expired: Callable[[], bool] = never) -> None:
        """Lays the article out and draws who may stand in its slots."""
        work.laid, work.timings_ms = self._laid(work, expired)
        started = perf_counter()
        slots = self._slots(work, work.laid)
        # A page without slots is asked for too: it has readers to be counted as one with ads has.
        if not slots or self._can_fill(work, slots, expired):
            self._ask(work, slots, now)
        work.decide_ms = (perf_counter() - started) * 1000

    async def reserve(self, work: Work, *, now: datetime, within_s: float) -> None:
        """Asks the store, once, where somebody who may stand has a budget or a cap; else does nothing."""
        books = self._books_of(work)
        wanted = asking(work.question, books, now=now, why=work.why) if work.question and books else None
        if wanted is None or books is None:
            return
        started = perf_counter()
        work.outcome, failed = await ask(books, wanted, within_s=within_s)
        if failed is not None:
            work.degraded.append(failed)
        work.decide_ms += (perf_counter() - started) * 1000

    def finish(self, work: Work, *, now: datetime) -> Page:
        """The page of a request that was drafted, with its ads."""
        started = perf_counter()
        laid = work.laid or _uncut(work.request)
        decisions = self._settled(work)
        prepared = work.stock.prepared
        work.of_reader |= any(isinstance(one, Filled) and prepared[one.creative].personal for one in decisions)
        self._sign(work, now)
        decide_ms = work.decide_ms + (perf_counter() - started) * 1000
        return self._rendered(work, laid, decisions, timings_ms=(*work.timings_ms, ("decide", decide_ms)), now=now)

    def bare(self, request: Request, reason: Degraded, *, now: datetime) -> Page:
        """The page without ads, for when there is no time or no room to plan them."""
        work = self.begin(request)
        work.degraded.append(reason)
        return self._rendered(work, _uncut(request), (), now=now)

    def decide(self, request: Request, slots: tuple[Slot, ...], *, now: datetime) -> Work:
        """Draws who may stand in slots of the caller's own; `reserve` and `decided` follow."""
        work = self.begin(request)
        work.why = True
        if slots and self._can_fill(work, slots, never):
            self._ask(work, slots, now)
            work.of_reader = True  # whoever renders the answer asked for one reader
        return work

    def decided(self, work: Work, *, now: datetime) -> Decided:
        """Who stands where and why nobody else does, with the ticket under which it is counted."""
        decisions = self._settled(work)
        self._sign(work, now)
        zone = zone_of(self._edition.settings)
        asked, settled = work.question, work.settled
        passed = explained(asked, settled, now=now, zone=zone) if asked and settled else ()
        return Decided(decisions, passed, tuple(dict.fromkeys(work.degraded)), work.receipt)

    def plan(self, request: Request, layout: object | None = None) -> Planned:
        """The plan of the request, with every gap's safety known; raises BadPlan with all that is wrong."""
        unknown = tuple(self._unknown(request, named=layout is None))
        given, faults = self._given(layout) if layout is not None else (None, ())
        if unknown or faults:
            detail = "the question holds what cannot be answered"
            raise BadPlan(detail, (*unknown, *faults), status=422 if faults else 404)
        planned = given[request.device] if given is not None else self.begin(request).layout
        return judge(request.html, planned, planned.listed(request.facts.section, request.facts.tags))

    def _unknown(self, request: Request, *, named: bool) -> Iterator[Fault]:
        """The names that are not known, of those that count."""
        sites, layouts = self._edition.settings.sites, self._edition.layouts
        if request.site is not None and request.site not in sites:
            yield Fault("site", f'no site "{request.site}", {nearest(request.site, sites)}')
        if named and request.layout is not None and request.layout not in layouts:
            yield Fault("layout", f'no layout "{request.layout}", {nearest(request.layout, layouts)}')

    def _given(self, value: object) -> tuple[Mapping[Device, Layout] | None, tuple[Fault, ...]]:
        """The layout that came with the request, or what is wrong with it, at the request's own paths."""
        try:
            whole = extended(value, self._edition.layout_keys)
            file, faults = validate(whole, LayoutFile), tuple(wrong_selectors(value))
        except ConfigError as exc:
            file, faults = None, exc.faults
        if file is not None and not faults:
            return compile_all(file, file.name or "layout"), ()
        return None, tuple(Fault(f"layout.{fault.at}" if fault.at else "layout", fault.message) for fault in faults)

    def begin(self, request: Request) -> Work:
        """What the request means here, and the plan of its article where that is kept already."""
        degraded: list[Degraded] = []
        name = self._site_name(request)
        if request.site is not None and request.site != name:
            degraded.append(Degraded.UNKNOWN_SITE)
        site = self._edition.settings.sites[name]
        choice = self._choice(request, name, site, degraded)
        layout = self._edition.layouts[choice.layout][request.device]
        bare = not site.ads or layout.listed(request.facts.section, request.facts.tags) is not None
        known = _bare(request) if bare else self._plans.find((request.html, layout.name, request.device))
        work = Work(request, name, site, layout, self._shelf.stock, degraded, known)
        work.of_reader, work.assignment = choice.of_reader, choice.assignment
        return work

    def _site_name(self, request: Request) -> str:
        settings = self._edition.settings
        return request.site if request.site in settings.sites else settings.default_site

    def _choice(self, request: Request, site_name: str, site: Site, degraded: list[Degraded]) -> Choice:
        if request.layout is not None:
            if request.layout in self._edition.layouts:
                return Choice(request.layout)
            degraded.append(Degraded.UNKNOWN_LAYOUT)
        return choose_layout(request, site, self._edition.experiments.get(site_name, ()))

    def _laid(self, work: Work, expired: Callable[[], bool]) -> tuple[Laid, Timings]:
        """The article cut at its slots; uncut where the time is over."""
        if work.known is not None:
            return work.known, ()
        if expired():
            work.degraded.append(Degraded.DEADLINE)
            return _uncut(work.request), ()
        return self._plans.make((work.request.html, work.layout.name, work.request.device), work.layout)

    def _slots(self, work: Work, laid: Laid) -> tuple[Slot, ...]:
        """The slots to be filled, page slots first; those that a failed template lost are noted."""
        bare = laid.bare or not work.site.ads or work.request.output is not Output.PAGE
        wanted = () if bare else work.layout.page_slots
        placed = self._frame(work).slots if wanted else frozenset()
        work.lost = wanted if Degraded.TEMPLATE in work.degraded else ()
        return (*[slot for slot in wanted if slot.id in placed], *[one.slot for one in laid.boxes])

    def _can_fill(self, work: Work, slots: tuple[Slot, ...], expired: Callable[[], bool]) -> bool:
        """Whether there is something to fill the slots from, and time to; what speaks against it is noted."""
        reason = None
        if self._shelf.failure is not None:
            work.degraded.append(self._shelf.failure)
            if work.stock.revision is not None:
                work.degraded.append(Degraded.STALE_INVENTORY)
            else:
                reason = Unfilled.STORE_ERROR
        if reason is None and expired():
            work.degraded.append(Degraded.DEADLINE)
            reason = Unfilled.DEADLINE
        if reason is not None:
            work.unfilled = tuple(Empty(slot, reason) for slot in slots)
        return reason is None

    def _ask(self, work: Work, slots: tuple[Slot, ...], now: datetime) -> None:
        books = self._books_of(work)
        shown = self._books.shown if self._books else AT_START
        made = work.assignment
        # A page that failed is none of its variation's, and is not counted as one.
        counted = Counted(made.key, made.unit) if made and made.hash_used and not work.degraded else None
        scene = Scene(work.site_name, work.site, work.stock.inventory, shown, counted)
        work.question = question(work.request, scene, slots, books=books, now=now)
        work.of_reader |= work.question.of_reader

    def _books_of(self, work: Work) -> Books | None:
        """None for a page that only ops look at."""
        return self._books if work.request.counted else None

    def _settled(self, work: Work) -> tuple[Decision, ...]:
        if work.question is not None:
            work.settled = answered(work.question, work.outcome)
        decisions = work.settled.decisions if work.settled else work.unfilled
        return (*[Empty(slot, Unfilled.TEMPLATE) for slot in work.lost], *decisions)

    def _sign(self, work: Work, now: datetime) -> None:
        """The page's ticket, where it is counted: also of a page on which nobody stands, which is one reader's too."""
        books = self._books_of(work)
        if books is not None and work.question is not None and work.settled is not None:
            sheet = Sheet(work.layout.name, _cacheable_s(work), _variation(work), round(_spent_ms(work)))
            work.receipt = receipt(work.question, work.settled, sheet, books=books, now=now)

    def _rendered(
        self, work: Work, laid: Laid, decisions: tuple[Decision, ...], *, timings_ms: Timings = (), now: datetime
    ) -> Page:
        started = perf_counter()
        own = len(decisions) - len(laid.boxes)
        base = self._books.base if self._books else ""
        ads = _Ads(work.stock, Imprint(work.request, work.receipt, base, now))
        article = _article(laid, decisions, own, ads) if decisions else laid.stretches
        script = script_tag(base, work.receipt.signed.page) if work.receipt else ""
        pieces, start = article, 0
        if work.request.output is Output.PAGE:
            boxes = self._page_boxes[work.layout.name, work.layout.device]
            texts = {each.slot.id: (at, ads.text(boxes[each.slot.id], each)) for at, each in enumerate(decisions[:own])}
            pieces, start = _around(article, self._frame(work), texts, script)
        return Page(
            pieces=pieces,
            article_from=start,
            article_to=start + len(article),
            decisions=decisions,
            output=work.request.output,
            site=work.site_name,
            layout=work.layout.name,
            device=work.request.device,
            degraded=tuple(dict.fromkeys(work.degraded)),
            warnings=(*work.request.warnings, *laid.warnings),
            timings_ms=(*timings_ms, ("render", (perf_counter() - started) * 1000)),
            cached=work.known is not None and work.site.ads,
            cacheable_s=_cacheable_s(work),
            token=work.receipt.signed.page if work.receipt else "",
            script=script,
            experiment=_trial(work),
        )

    def _frame(self, work: Work) -> Frame:
        """The page around the article; the plain one where the template fails."""
        if work.frame is None:
            context = _context(work)
            try:
                work.frame = self._template(work.layout.template, context)
            except TemplateFailure as exc:
                self._tell(exc.fault)
                work.degraded.append(Degraded.TEMPLATE)
                work.frame = plain_frame(context)
        return work.frame

    def _tell(self, fault: Fault) -> None:
        """Logs where a template failed, once for each failure; its message may hold what a caller sent."""
        if fault not in self._told and len(self._told) < _TOLD_FAULTS:
            self._told.add(fault)
            self._log("template_failed", at=fault.at, kind=fault.message.partition(":")[0])

    def _template(self, name: str, context: PageContext) -> Frame:
        frame = self._frames.pop((name, context), None) or self._edition.templates.frame(name, context)
        self._frames[name, context] = frame
        if len(self._frames) > _KEPT_FRAMES:
            self._frames.popitem(last=False)
        return frame


@dataclass(slots=True)
class Work:
    """One request on its way: what it asked for, what that means here, and what went wrong so far.

    `known` is the article as it was cut for an earlier reader; `of_reader` says that another reader of the page might
    see other ads or another layout, `assignment` is that of the experiment that chose the layout. `question` is who may
    stand in its slots, `outcome` what the store said to it; `unfilled` are the decisions where nothing was asked,
    `lost` the slots of a template that failed. `receipt` is what is counted when the page leaves, and `why` asks the
    store for the figures of its refusals.
    """

    request: Request
    site_name: str
    site: Site
    layout: Layout
    stock: Stock
    degraded: list[Degraded]
    known: Laid | None
    frame: Frame | None = None
    of_reader: bool = False
    assignment: Assignment | None = None
    why: bool = False
    laid: Laid | None = None
    timings_ms: Timings = ()
    decide_ms: float = 0.0
    lost: tuple[Slot, ...] = ()
    unfilled: tuple[Decision, ...] = ()
    question: Question | None = None
    outcome: Outcome = Word.GRANTED
    settled: Settled | None = None
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions without a page: who stands in each slot, why every other flight does not, and the ticket."""

    decisions: tuple[Decision, ...]
    passed: tuple[tuple[Passed, ...], ...]
    degraded: tuple[Degraded, ...]
    receipt: Receipt | None


def _variation(work: Work) -> str:
    made = work.assignment
    return f"{made.key}={made.variation_key}" if made else ""


def _trial(work: Work) -> Trial | None:
    made = work.assignment
    if made is None:
        return None
    return Trial(made.key, made.variation_id, made.variation_key, made.in_experiment, made.hash_used, made.bucket)


def _spent_ms(work: Work) -> float:
    """How long the page has taken up to its ads."""
    return sum(spent for _, spent in work.timings_ms) + work.decide_ms


def _cacheable_s(work: Work) -> int:
    return 0 if work.degraded or work.of_reader else work.site.cache_max_age_s


def _uncut(request: Request) -> Laid:
    return Laid((Piece(request.html, sacred=True),))


def _bare(request: Request) -> Laid:
    return replace(_uncut(request), bare=True)


def _context(work: Work) -> PageContext:
    facts = work.request.facts
    return PageContext(
        site=work.site.name,
        tagline=work.site.tagline or "",
        language=facts.language or work.site.language or "",
        headline=facts.headline or "",
        byline=facts.byline or "",
        url=facts.url or "",
        charset=work.request.charset,
        page_slots=tuple(slot.id for slot in work.layout.page_slots),
    )


class _Ads(NamedTuple):
    """The ads of one page as markup."""

    stock: Stock
    imprint: Imprint

    def text(self, slot_box: SlotBox, decision: Decision) -> str:
        """What stands in a slot, or in its place."""
        if isinstance(decision, Filled):
            made = self.stock.prepared[decision.creative]
            text = (made.markup if slot_box.slot.style.lazy else made.eager)[decision.format]
            return slot_box.around(text if isinstance(text, str) else fill(text, self.imprint.of(decision)))
        return slot_box.without


def _article(laid: Laid, decisions: Sequence[Decision], own: int, ads: _Ads) -> tuple[Piece, ...]:
    """The article's stretches with the ads of its inline slots between them; page slots come first in `decisions`."""
    pieces: list[Piece] = []
    for at, (slot_box, stretch) in enumerate(zip(laid.boxes, laid.stretches, strict=False), own):
        pieces.append(stretch)
        text = ads.text(slot_box, decisions[at])
        if text:
            pieces.append(Piece(text, False, at))
    return (*pieces, laid.stretches[-1])


def _around(
    article: tuple[Piece, ...], frame: Frame, texts: Mapping[str, tuple[int, str]], script: str
) -> tuple[tuple[Piece, ...], int]:
    """The frame with its holes filled, and at which piece the article starts."""
    pieces: list[Piece] = []
    start = 0
    for part in frame.parts:
        if isinstance(part, str):
            pieces.append(Piece(part))
        elif part.kind == "article":
            start = len(pieces)
            pieces += article
        elif part.kind == "script":
            pieces += [Piece(script)] if script else []
        elif part.name in texts and texts[part.name][1]:
            at, text = texts[part.name]
            pieces.append(Piece(text, slot=at))
    return tuple(pieces), start
