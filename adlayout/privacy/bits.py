"""Consent strings as bits: base64url without padding, six bits a character, whatever whole bytes they fill."""

from __future__ import annotations

import re
import string
from typing import Final

_ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_BITS: Final = {letter: f"{value:06b}" for value, letter in enumerate(_ALPHABET)}
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+")


def bits(text: str, *, least: int, most: int) -> str:
    """The bits of the first `most` characters as zeros and ones.

    Raises ValueError where there are fewer characters than `least`, or one of all of them is of another alphabet.
    """
    text = text.rstrip("=")
    if len(text) < least or not _FORM.fullmatch(text):
        raise ValueError("not a consent string")
    return "".join(map(_BITS.__getitem__, text[:most]))
