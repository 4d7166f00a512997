"""What a preview tells below its page: who stands in each slot and why nobody else does. Never in a reader's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape

from adlayout.model import Page, Piece
from adlayout.reports.why import Why


def with_reasons(page: Page, found: Sequence[Why]) -> Page:
    """The page with what was decided below it, folded, and as a comment for those who read its source."""
    return replace(page, pieces=(*page.pieces, Piece(_comment(found)), Piece(_folded(found)))) if found else page


def _folded(found: Sequence[Why]) -> str:
    rows = "\n".join(_rows(found))
    return (
        '\n<details class="adl-why" style="margin:2rem 1rem;font:14px/1.5 system-ui,sans-serif">'
        "<summary>Why these ads?</summary>\n"
        '<table style="border-collapse:collapse;text-align:left">\n'
        f"{rows}\n</table></details>\n"
    )


def _rows(found: Sequence[Why]) -> Iterator[str]:
    for one in found:
        head = f"{one.slot} ({one.type}): {_stands(one)}"
        yield f'<tr><th colspan="4" style="padding-top:1em">{escape(head)}'
        for group in one.others:
            cells = (group.reason, f"needs {group.needed}", f"has {group.actual}", group.few)
            yield "<tr>" + "".join(f'<td style="padding-right:1em">{escape(cell)}' for cell in cells)


def _comment(found: Sequence[Why]) -> str:
    lines = []
    for one in found:
        lines.append(f"{one.slot} ({one.type}): {_stands(one)}")
        lines += [f"  {group.reason}: needs {group.needed}, has {group.actual}: {group.few}" for group in one.others]
    # What ops wrote must not end the comment (HTML standard, 13.1.6).
    text = "\n".join(lines).replace("--", "- -").replace("<", "(").replace(">", ")")
    return f"\n<!-- adlayout\n{text}\n-->"


def _stands(one: Why) -> str:
    if one.creative is None:
        return f"empty, {one.reason}"
    return f"{one.creative}, " + (f"flight {one.flight}, campaign {one.campaign}" if one.flight else "a house ad")
