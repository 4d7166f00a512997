"""HTML in, an `Article` out: blocks that carry offsets, matches and only the measures that are asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from turbohtml import Element, parse_fragment

from adlayout.article.brought import ads_in_blocks, brought_ads
from adlayout.article.flow import Flow, Stretch, counts, flow_of, is_enough_text
from adlayout.article.height import height_of
from adlayout.article.marks import marks_of
from adlayout.article.measure import words
from adlayout.article.points import Points, points_of
from adlayout.article.selectors import Matcher, Piece
from adlayout.model import Article, Block, Needs


@dataclass(frozen=True, slots=True)
class Parsed:
    """An article with the tree it came from; only `verify` looks at the tree."""

    article: Article
    source: str
    root: Element
    flow: Flow
    points: tuple[int | None, ...]


def parse(html: str, needs: Needs) -> Parsed:
    """Parses the article as the content of `body`; any text is an article."""
    source = html.replace("\r\n", "\n").replace("\r", "\n") if "\r" in html else html
    root = parse_fragment(source, "body", source_locations=True)
    ads = brought_ads(root, needs.ads)
    flow = flow_of(root, needs, ads if needs.ads_count else frozenset())
    points = points_of(source, flow)
    blocks = _blocks(root, flow, points, needs, ads if needs.ads_count else frozenset())
    marks = marks_of(root, source, flow, points, needs)
    if ads:
        marks = replace(marks, ads=len(ads))
        blocks = _with_ads(blocks, flow, ads) if needs.ads_count else blocks
    blocks = _with_stops(blocks, flow, needs.markers.attribute.lower())
    article = Article(html, blocks, points.gaps, marks, flow.warnings)
    return Parsed(_mapped(article), source, root, flow, points.gaps)


def _blocks(root: Element, flow: Flow, points: Points, needs: Needs, ads: frozenset[Element]) -> tuple[Block, ...]:
    matcher = Matcher(root, (*needs.selectors, *(weight.selector for weight in needs.weights)))
    bare_counts = needs.count.bare_text == "always" or (
        needs.count.bare_text == "auto"
        and not any(
            piece.tag == "p" and counts(piece, needs.count) and ads.isdisjoint(piece.elements)
            for _, _, piece in flow.stretches
        )
    )
    return tuple(
        _block(stretch, number, points, matcher, (needs, bare_counts))
        for number, stretch in enumerate(flow.stretches, start=1)
    )


def _block(stretch: Stretch, number: int, points: Points, matcher: Matcher, counting: tuple[Needs, bool]) -> Block:
    needs, bare_counts = counting
    piece = stretch.piece
    first, last = points.spans[stretch.first], points.spans[stretch.last]
    end = last[1] if last is not None and last[1] is not None else points.gaps[number]
    block = Block(
        tag=piece.tag,
        start=first[0] if first is not None else None,
        end=end,
        counted=bare_counts and is_enough_text(piece, needs.count) if piece.tag is None else counts(piece, needs.count),
        hollow=_is_hollow(piece),
        matches=matcher.matches(piece),
        words=words(piece.line) if needs.words else 0,
        chars=len(piece.line) if needs.chars else 0,
        px=height_of(piece, needs.heights) if needs.heights is not None else 0,
    )
    return _weighed(block, needs) if needs.weights else block


def _weighed(block: Block, needs: Needs) -> Block:
    """The block with what its weights add, and with the selectors that rules ask about."""
    weights = [weight for weight in needs.weights if block.counted and weight.selector in block.matches]
    return block._replace(
        matches=block.matches.intersection(needs.selectors),
        words=block.words + sum(weight.words for weight in weights) if needs.words else 0,
        chars=block.chars + sum(weight.chars for weight in weights) if needs.chars else 0,
    )


def _with_ads(blocks: Sequence[Block], flow: Flow, ads: frozenset[Element]) -> tuple[Block, ...]:
    """The blocks with the ads that the article brought in them; one that is an ad counts for nothing else."""
    held = ads_in_blocks(flow, ads)
    return tuple(
        block._replace(ad=True, ads=1, counted=False, px=0)
        if stretch.piece.tag is not None and not ads.isdisjoint(stretch.piece.elements)
        else block._replace(ads=sum(held.get(node, 0) for node in stretch.piece.nodes))
        for block, stretch in zip(blocks, flow.stretches, strict=True)
    )


def _with_stops(blocks: tuple[Block, ...], flow: Flow, attribute: str) -> tuple[Block, ...]:
    # HTML has attributes that no selector can name, so the elements are asked.
    stopped = {
        number
        for number, (_, _, piece) in enumerate(flow.stretches)
        for element in piece.elements
        if element.attr(attribute) is not None
    }
    if not stopped:
        return blocks
    return tuple(block._replace(stop=True) if number in stopped else block for number, block in enumerate(blocks))


def _is_hollow(piece: Piece) -> bool:
    return not piece.seen and (not piece.media or piece.tag == "a")


def _mapped(article: Article) -> Article:
    """The article with its offsets counted in the text as sent, where a CRLF is two characters."""
    if "\r\n" not in article.html:
        return article
    ends: list[int] = []
    at = article.html.find("\r\n")
    while at >= 0:
        ends.append(at - len(ends))
        at = article.html.find("\r\n", at + 2)

    def back(offset: int | None) -> int | None:
        return None if offset is None else offset + bisect_left(ends, offset)

    blocks = tuple(block._replace(start=back(block.start), end=back(block.end)) for block in article.blocks)
    return replace(article, blocks=blocks, offsets=tuple(back(offset) for offset in article.offsets))
