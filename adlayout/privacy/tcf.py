"""The string of IAB Europe's Transparency and Consent Framework, version 2: which purposes a reader consents to."""

from __future__ import annotations

from typing import Final

from adlayout.privacy.bits import bits

_VERSION: Final = 2
_PURPOSES_AT: Final = 152  # 24 bits, purpose 1 first
_PURPOSES: Final = 24
_LEAST: Final = 36  # characters: the fields of fixed length, up to the publisher's country


def purposes(text: str) -> frozenset[int]:
    """The purposes that the reader consents to. Raises ValueError where the string is none, or of another version."""
    core = bits(text.partition(".")[0], least=_LEAST, most=_LEAST)
    if int(core[:6], 2) != _VERSION:
        raise ValueError("not a TCF string of version 2")
    asked = core[_PURPOSES_AT : _PURPOSES_AT + _PURPOSES]
    return frozenset(purpose for purpose, answer in enumerate(asked, 1) if answer == "1")
