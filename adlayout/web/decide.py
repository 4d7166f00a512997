"""Decisions for callers that render themselves: the question in, the answer out. Never knows how a page is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import count
from typing import Final, assert_never

from adlayout.compose import Decided
from adlayout.config.faults import nearest
from adlayout.decision.explain import Passed
from adlayout.errors import Fault, InputError
from adlayout.formats import size_of
from adlayout.imprint import Imprint, view_address
from adlayout.model import Content, Filled, Html, Image, Native, Request, Slot, SlotStyle
from adlayout.rendering.macros import AdFacts, fill, of_address
from adlayout.upkeep import Stock
from adlayout.web.requests import Headers, read_question

MOST_SLOTS: Final = 50
_MOST_FORMATS: Final = 20
_LONGEST_NAME: Final = 100
_KEYS: Final = ("id", "type", "formats")


class BadDecide(InputError):
    """A question without slots that can be decided."""

    status = 422
    title = "No decision can be made of this"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("the question names no slots that can be decided", faults)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be decided: the slots, and the page and reader that they are for."""

    request: Request
    slots: tuple[Slot, ...]


def read_decide(tree: object, headers: Headers) -> Wanted:
    """The question of a JSON body; what is wrong with its slots is refused, other fields are left out and named."""
    if not isinstance(tree, Mapping):
        raise BadDecide((Fault("", 'expected an object, as in {"slots": [{"id": "top", "formats": ["728x90"]}]}'),))
    faults: list[Fault] = []
    slots = tuple(_slots(tree.get("slots"), faults))
    if faults:
        raise BadDecide(tuple(faults))
    article = tree.get("article")
    # Compose wants the article itself; here it would only be thrown away.
    if isinstance(article, Mapping):
        tree = {**tree, "article": {name: value for name, value in article.items() if name != "html"}}
    asked = read_question({name: value for name, value in tree.items() if name != "slots"}, headers)
    return Wanted(asked.request, slots)


def _slots(given: object, faults: list[Fault]) -> Iterator[Slot]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_SLOTS:
        faults.append(Fault("slots", f"expected a list of 1 to {MOST_SLOTS} slots"))
        return
    seen: set[str] = set()
    for at, one in enumerate(given):
        found = tuple(_faults(one, seen))
        faults += (Fault(".".join(filter(None, (f"slots.{at}", fault.at))), fault.message) for fault in found)
        if not found:
            seen.add(one["id"])
            yield _slot(one)


def _slot(given: Mapping[str, object]) -> Slot:
    style, formats = SlotStyle(type=str(given.get("type") or SlotStyle().type)), given.get("formats")
    if isinstance(formats, list) and formats:
        style = replace(style, formats=tuple(map(str, formats)))
    return Slot(str(given["id"]), style)


def _faults(given: object, seen: set[str]) -> Iterator[Fault]:
    if not isinstance(given, Mapping):
        yield Fault("", "expected an object with an id")
        return
    for key in given:
        if key not in _KEYS:
            yield Fault(str(key)[:_LONGEST_NAME], f"there is no such field, {nearest(str(key)[:_LONGEST_NAME], _KEYS)}")
    id = given.get("id")
    if not _is_name(id):
        yield Fault("id", f"expected a text of 1 to {_LONGEST_NAME} characters")
    elif id in seen:
        yield Fault("id", f'"{id}" was there before')
    if given.get("type") is not None and not _is_name(given["type"]):
        yield Fault("type", "expected the type of a slot, as in-article")
    if given.get("formats") is not None and not _are_formats(given["formats"]):
        yield Fault("formats", 'expected a list of sizes such as ["300x250", "fluid"]')


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _LONGEST_NAME and value.isprintable()


def _are_formats(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MOST_FORMATS
        and all(isinstance(one, str) and size_of(one) is not None for one in value)
    )


# The answer.


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided, with what is needed to tell it: the stock that it is from, and the base of addresses."""

    wanted: Wanted
    decided: Decided
    stock: Stock
    base: str
    now: datetime


def decide_json(answer: Answer) -> dict[str, object]:
    """The answer as the contract words it."""
    decided, request = answer.decided, answer.wanted.request
    passed = decided.passed or ((),) * len(decided.decisions)
    return {
        "decisions": {one.slot.id: ad for one, ad in zip(decided.decisions, _ads(answer), strict=True)},
        "explain": {
            one.slot.id: [passed_json(each) for each in others]
            for one, others in zip(decided.decisions, passed, strict=True)
        },
        "page_token": decided.receipt.signed.page if decided.receipt else None,
        "degraded": [reason.value for reason in decided.degraded],
        "warnings": list(request.warnings),
        "request_id": request.request_id,
    }


def passed_json(passed: Passed) -> dict[str, object]:
    """A flight that does not stand in a slot, and why."""
    return {
        "flight": passed.flight,
        "reason": passed.reason.value,
        "needed": passed.needed,
        "actual": passed.actual,
    }


def _ads(answer: Answer) -> Iterator[dict[str, object] | None]:
    """Each slot's ad; addresses number those that are filled."""
    imprint = Imprint(answer.wanted.request, answer.decided.receipt, answer.base, answer.now)
    index = count()
    for decision in answer.decided.decisions:
        if isinstance(decision, Filled):
            yield _ad(decision, answer, imprint.of(decision), next(index))
        else:
            yield None


def _ad(filled: Filled, answer: Answer, facts: AdFacts, index: int) -> dict[str, object]:
    creative, receipt = answer.stock.inventory.creatives[filled.creative], answer.decided.receipt
    link = fill(of_address(creative.link), facts) if creative.link else None
    return {
        "creative": filled.creative,
        "flight": filled.flight,
        "campaign": filled.campaign,
        "house": filled.house,
        "format": filled.format,
        **_content(creative.content),
        **({"markup": _markup(filled, answer.stock, facts)} if isinstance(creative.content, Html) else {}),
        "link": link,
        "adomain": list(creative.adomain),
        "trackers": {
            "view": [fill(of_address(one), facts) for one in creative.view_trackers],
            "click": [fill(of_address(one), facts) for one in creative.click_trackers],
        },
        "click_url": (facts.click or None) if link else None,
        "view_url": view_address(answer.base, receipt.signed.view(index)) if receipt else None,
    }


def _content(content: Content) -> dict[str, object]:
    match content:
        case Image():
            return {"kind": "image", "image": asdict(content)}
        case Native():
            fields = asdict(content)
            return {"kind": "native", "template": fields.pop("template"), "fields": fields}
        case Html():
            return {"kind": "html"}
        case _:  # pragma: no cover (the type checker lets no other kind pass)
            assert_never(content)


def _markup(filled: Filled, stock: Stock, facts: AdFacts) -> str:
    """The finished markup, framed or sanitised: what an advertiser wrote is not for a page as it is."""
    return fill(stock.prepared[filled.creative].markup[filled.format], facts)
