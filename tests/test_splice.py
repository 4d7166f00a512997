"""Splicing: texts at offsets, and nothing of the source lost or changed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.article.splice import splice


@pytest.mark.parametrize(("source", "inserts", "expected"), [
    ("", [], ""),
    ("", [(0, "x")], "x"),
    ("one", [], "one"),
    ("one", [(0, "x"), (3, "y")], "xoney"),
    ("one two", [(4, "x"), (4, "y"), (5, "z")], "one xytzwo"),
    ("one", [(1, "")], "one"),
    ("a\r\n\0😀\ud800b", [(3, "x"), (5, "y"), (6, "z")], "a\r\nx\0😀y\ud800zb"),
])  # fmt: skip
def test_texts_stand_at_their_offsets(source: str, inserts: Sequence[tuple[int, str]], expected: str) -> None:
    assert splice(source, inserts) == expected


@given(st.lists(st.tuples(st.text(), st.text())), st.text())
def test_cutting_the_texts_out_gives_back_the_source(pairs: list[tuple[str, str]], tail: str) -> None:
    """Each pair is a piece of the source and the text that is put behind it."""
    inserts: list[tuple[int, str]] = []
    source = ""
    for piece, text in pairs:
        source += piece
        inserts.append((len(source), text))
    page = splice(source + tail, inserts)
    assert page == "".join(piece + text for piece, text in pairs) + tail
