"""Measures: words and characters of any script, and what can be seen of a text."""

from __future__ import annotations

import pytest

from adlayout.article.measure import ZERO_WIDTH, has_word, is_visible, trim, words


@pytest.mark.parametrize(("text", "expected"), [
    ("", 0),
    (" \n\t", 0),
    ("one", 1),
    ("one two\nthree\u00a0four\u3000five", 5),
    ("one - two", 2),
    ("* * * ___ … 😀", 0),
    ("don't e-mail 1,000 a_b _a_ 7", 6),
    ("o\u00adne\u200btwo", 1),
    ("\u200b \u00ad", 0),
    ("漢字", 2),
    ("漢、字。", 2),
    ("iPhone15を買う", 4),
    ("A漢B漢C", 3),
    ("漢!?字", 2),
    ("コーヒー", 4),
    ("ｺｰﾋｰ", 4),
    ("らーめん ふたつ", 7),
    ("𠀋々〇", 3),
    ("か\u3099", 1),
    ("한국어 문장", 2),
    ("مرحبا بكم", 2),
    ("สวัสดีครับ", 1),
    ("नमस्ते दुनिया", 2),
    ("e\u0301te\u0301", 1),
    ("٣ ½", 2),
])  # fmt: skip
def test_words_are_counted_in_every_script(text: str, expected: int) -> None:
    assert (words(text), has_word(text)) == (expected, expected > 0)


@pytest.mark.parametrize(("text", "expected"), [
    ("", ""),
    (" one \n\t two ", "one two"),
    ("\u00a0one\u00a0\u00a0two\u3000three\u00a0", "one two three"),
    ("\u200b \u00ad one \ufeff\u00a0\u2060", "one"),
    ("o\u00adne \u200b two", "o\u00adne \u200b two"),
    (ZERO_WIDTH, ""),
    ("\0", "\0"),
])  # fmt: skip
def test_a_text_is_trimmed_as_a_reader_sees_it(text: str, expected: str) -> None:
    assert (trim(text), is_visible(text)) == (expected, expected != "")


def test_zero_width_are_the_characters_that_the_rules_name() -> None:
    ranges = [range(0x200B, 0x2010), (0x00AD, 0x180E, 0x2060, 0xFEFF)]
    assert sorted(ZERO_WIDTH) == sorted(chr(point) for points in ranges for point in points)
