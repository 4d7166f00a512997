"""The tag of the page script."""

from __future__ import annotations

import pytest

from adlayout.rendering.script import script_tag


@pytest.mark.parametrize(
    ("base", "src"),
    [
        ("https://ads.example", "https://ads.example/adlayout.js"),
        ("", "/adlayout.js"),
        ("https://ads.example/a&b", "https://ads.example/a&amp;b/adlayout.js"),
    ],
)
def test_the_script_is_asked_for_where_the_service_is(base: str, src: str) -> None:
    assert script_tag(base, "p.k.m") == f'<script async src="{src}" data-token="p.k.m"></script>'
