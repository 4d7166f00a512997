"""Decisions for callers that render themselves: the question in, the answer out. Never knows how a page is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Final, assert_never

from adlayout.compose import Decided
from adlayout.config.faults import nearest
from adlayout.decision.explain import Passed
from adlayout.errors import Fault, InputError
from adlayout.formats import size_of
from adlayout.model import Content, Creative, Filled, Html, Image, Native, Request, Slot, SlotStyle
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
class Served:
    """What was decided, with what is needed to tell it: the creatives by id, and the base of every address."""

    decided: Decided
    creatives: Mapping[str, Creative]
    base: str


def decide_json(wanted: Wanted, served: Served) -> dict[str, object]:
    """The answer as the contract words it."""
    decided = served.decided
    pairs = zip(decided.decisions, decided.passed or ((),) * len(decided.decisions), strict=True)
    told = dict(zip((one.slot.id for one in decided.decisions), _ads(served), strict=True))
    return {
        "decisions": told,
        "explain": {one.slot.id: [_passed_json(each) for each in passed] for one, passed in pairs},
        "page_token": decided.receipt.signed.page if decided.receipt else None,
        "degraded": [reason.value for reason in decided.degraded],
        "warnings": list(wanted.request.warnings),
        "request_id": wanted.request.request_id,
    }


def _ads(served: Served) -> Iterator[dict[str, object] | None]:
    """Each slot's ad; addresses number those that are filled."""
    index = count()
    for decision in served.decided.decisions:
        yield _ad(decision, served, next(index)) if isinstance(decision, Filled) else None


def _ad(filled: Filled, served: Served, index: int) -> dict[str, object]:
    creative = served.creatives[filled.creative]
    receipt = served.decided.receipt
    return {
        "creative": filled.creative,
        "flight": filled.flight,
        "campaign": filled.campaign,
        "house": filled.house,
        "format": filled.format,
        **_content(creative.content),
        "link": creative.link,
        "adomain": list(creative.adomain),
        "click_url": f"{served.base}/v1/click/{receipt.signed.click(index)}" if receipt and creative.link else None,
        "view_url": f"{served.base}/v1/view/{receipt.signed.view(index)}" if receipt else None,
    }


def _content(content: Content) -> dict[str, object]:
    match content:
        case Image():
            return {"kind": "image", "image": asdict(content)}
        case Native():
            fields = asdict(content)
            return {"kind": "native", "template": fields.pop("template"), "fields": fields}
        case Html():
            return {"kind": "html", "markup": content.markup, "sandbox": content.sandbox}
        case _:  # pragma: no cover (the type checker lets no other kind pass)
            assert_never(content)


def _passed_json(passed: Passed) -> dict[str, object]:
    return {
        "flight": passed.flight,
        "reason": passed.reason.value,
        "needed": passed.needed,
        "actual": passed.actual,
    }
