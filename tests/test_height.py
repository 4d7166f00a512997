"""Heights: what a block is likely to be high, by its kind, its text and its measures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adlayout.article.parse import parse
from adlayout.model import Device
from adlayout.placement.heights import heights_of
from adlayout.placement.layout import compile_layout
from adlayout.placement.schema import EstimateKeys, LayoutFile

NEEDS = compile_layout(LayoutFile(), "news").needs
LINE = "x" * 39
FIGURE = '<figure><img src="" {}><figcaption>{}</figcaption></figure>'


def px(html: str, device: Device = Device.MOBILE, /, **estimate: object) -> list[int]:
    heights = heights_of(EstimateKeys.model_validate(estimate), device)
    return [block.px for block in parse(html, replace(NEEDS, heights=heights)).article.blocks]


@pytest.mark.parametrize(("html", "height"), [
    (f"<p>{LINE}</p>", 14 + 24),
    (f"<p>{LINE} y</p>", 14 + 2 * 24),
    (f"<p>\n{LINE}\n</p>", 14 + 24),
    ("<p>&nbsp;</p>", 14),
    ("<hr>", 14),
    (f"{LINE}", 14 + 24),
    (f"<h1>{LINE * 2} twice</h1>", 14 + 3 * 34),
    (f"<ul><li>{LINE}<li>{LINE}</ul>", 14 + 3 * 24),
    (FIGURE.format("", ""), 230),
    (FIGURE.format("", "A caption."), 230 + 20),
    (FIGURE.format('width="800" height="450"', ""), 184),
    (FIGURE.format('width="800" height="auto"', ""), 230),
    (FIGURE.format('width="0" height="450"', ""), 230),
    ('<p><img src=""></p>', 230),
    ('<img src="" width="100" height="100">', 328),
    ('<picture><source srcset=""><img src="" width="200" height="100"></picture>', 164),
    ('<p>Text <img src=""></p>', 14 + 24),
    ("<iframe></iframe>", 250),
    ("<figure><iframe></iframe><figcaption>c</figcaption></figure>", 250 + 20),
    ("<video></video>", 195),
    ("<figure><video></video></figure>", 195),
    ("<figure><blockquote>A quote.</blockquote></figure>", 14 + 24),
    ("<my-widget></my-widget>", 200),
    ("<my-widget>Text.</my-widget>", 14 + 24),
    ("<audio></audio>", 200),
])  # fmt: skip
def test_a_block_is_as_high_as_its_kind_and_its_text(html: str, height: int) -> None:
    assert px(html) == [height]


def test_a_desktop_has_longer_lines_and_a_wider_column() -> None:
    html = f"<p>{LINE} {LINE}</p><video></video>{FIGURE.format('width=800 height=400', '')}"
    assert px(html, Device.DESKTOP) == px(html, Device.TABLET) == [14 + 48, 350, 310]


def test_ops_write_figures_of_their_own() -> None:
    html = f"<p>{LINE}</p><my-box></my-box><other-box></other-box>{FIGURE.format('', 'c')}"
    said = {"p": {"line": 30}, "my-box": {"fixed": 90}, "unknown": {"fixed": 5}, "figure": {"margin": 7}}
    estimate: dict[str, object] = {**said, "chars_per_line": {"mobile": 20}}
    assert px(html, **estimate) == [14 + 60, 90 + 14, 5, 230 + 7 + 20]
