"""The JSON answers, as plain values ready to be dumped. Knows the page; never HTTP, charsets or the store."""

from __future__ import annotations

from adlayout.article.splice import splice
from adlayout.model import Decision, Filled, Page
from adlayout.placement.totals import totals
from adlayout.plans import Planned
from adlayout.rendering.slot import empty_slot

Span = tuple[int, int]


def page_json(page: Page, request_id: str) -> dict[str, object]:
    """The composed page as the contract words it; every span counts code points of `html`."""
    starts = _starts(page)
    spans = _spans(page, starts)
    return {
        "html": "".join(piece.text for piece in page.pieces),
        "output": page.output.value,
        "layout": page.layout,
        "device": page.device.value,
        "experiment": page.experiment._asdict() if page.experiment else None,
        "slots": [_slot_json(decision, spans.get(at)) for at, decision in enumerate(page.decisions)],
        "article_start": starts[page.article_from],
        "article_end": starts[page.article_to],
        "script": page.script or None,
        "degraded": [reason.value for reason in page.degraded],
        "warnings": list(page.warnings),
        "request_id": request_id,
    }


def _starts(page: Page) -> list[int]:
    """Where each piece starts, and, as the last entry, where the text ends."""
    starts = [0]
    for piece in page.pieces:
        starts.append(starts[-1] + len(piece.text))
    return starts


def _spans(page: Page, starts: list[int]) -> dict[int, Span]:
    """From slot to the stretch its pieces cover; a slot that was not inserted is missing."""
    spans: dict[int, Span] = {}
    for at, piece in enumerate(page.pieces):
        if piece.slot is not None:
            first = spans.get(piece.slot, (starts[at], 0))[0]
            spans[piece.slot] = (first, starts[at + 1])
    return spans


def _slot_json(decision: Decision, span: Span | None) -> dict[str, object]:
    slot = decision.slot
    start, end = span or (None, None)
    filled = isinstance(decision, Filled)
    return {
        "id": slot.id,
        "type": slot.style.type,
        "gap": slot.gap,
        "offset": slot.offset,
        "output_start": start,
        "output_end": end,
        "filled": filled,
        "creative": decision.creative if isinstance(decision, Filled) else None,
        "flight": decision.flight if isinstance(decision, Filled) else None,
        "campaign": decision.campaign if isinstance(decision, Filled) else None,
        "house": isinstance(decision, Filled) and decision.house,
        "reason": None if isinstance(decision, Filled) else decision.reason.value,
    }


def plan_json(planned: Planned) -> dict[str, object]:
    """The plan as the contract words it; `html` is the article with an empty marked slot at each place."""
    article, plan = planned.article, planned.plan
    marked = splice(article.html, ((slot.offset or 0, empty_slot(slot)) for slot in plan.slots))
    return {
        "layout": planned.layout,
        "device": planned.device.value,
        "totals": _totals(planned),
        "blocks": [
            {
                "block": number,
                "tag": block.tag,
                "start": block.start,
                "end": block.end,
                "words": block.words,
                "chars": block.chars,
                "px": block.px,
                "counted": block.counted,
            }
            for number, block in enumerate(article.blocks, start=1)
        ],
        "gaps": [
            {
                "gap": gap.gap,
                "offset": gap.offset,
                "verdict": gap.verdict.value,
                "slot": gap.slot,
                "reasons": [
                    {"rule": reason.rule.value, "needed": reason.needed, "actual": reason.actual}
                    | ({"where": reason.where} if reason.where else {})
                    for reason in gap.reasons
                ],
            }
            for gap in plan.gaps
        ],
        "slots": [
            {"id": s.id, "type": s.style.type, "gap": s.gap, "offset": s.offset, "due_gap": s.due_gap}
            for s in plan.slots
        ],
        "dropped": [
            {"due_gap": dropped.due_gap, "position": dropped.position, "reason": dropped.reason.value}
            for dropped in plan.dropped
        ],
        "warnings": list(planned.warnings),
        "html": marked,
    }


def _totals(planned: Planned) -> dict[str, object]:
    held, space = totals(planned.article), planned.plan.space
    return {
        "blocks": len(planned.article.blocks),
        "paragraphs": held.paragraphs,
        "words": held.words,
        "chars": held.chars,
        "px": space.px,
        "ad_px": space.ad_px,
        "density": round(space.density, 3),
    }
