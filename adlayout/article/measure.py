"""Words and characters of a text, as readers of any script would count them. Knows no HTML."""

from __future__ import annotations

import re

BLANK = " \t\n\f\r"
"""What HTML calls white space."""

ZERO_WIDTH = "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_LETTER = re.compile(r"[^\W_]")
# Scripts written without spaces: every character of theirs is a word of its own.
SINGLE = re.compile(
    "[\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U000323af]"
)


def trim(text: str) -> str:
    """The text with its white space collapsed, and white space and zero-width characters trimmed at both ends."""
    return " ".join(text.split()).strip(" " + ZERO_WIDTH)


def ends_in(text: str, end: str) -> bool:
    """Whether the last that can be seen of the text is this."""
    tail = text.rstrip()
    while tail and tail[-1] in ZERO_WIDTH:
        tail = tail.rstrip(ZERO_WIDTH).rstrip()
    return tail.endswith(end)


def is_visible(text: str) -> bool:
    """Whether anything in the text can be seen."""
    return has_word(text) or bool(trim(text))


def has_word(text: str) -> bool:
    """Whether the text holds a letter or a digit."""
    return _LETTER.search(text) is not None


def words(text: str) -> int:
    """The number of words: runs between white space with a letter or digit; Han and Kana count one by one."""
    if text.isascii() or SINGLE.search(text) is None:
        return sum(1 for run in text.split() if run.isalnum() or _LETTER.search(run))
    return sum(_words_of_run(run) for run in text.split())


def _words_of_run(run: str) -> int:
    rest, singles = SINGLE.subn("", run)
    return singles + (1 if _LETTER.search(rest) else 0)
