"""Reads what stands in the hashes of the store: counts, and what is held of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from adlayout.errors import StoreError
from adlayout.store import keys

_HELD: Final = ":h"


def as_revision(raw: Any) -> int:  # the client's replies are untyped
    """The revision, 0 where there is none; raises `StoreError` where something else stands there."""
    if raw is None:
        return 0
    if not isinstance(raw, bytes) or not raw.isdigit():
        raise StoreError(f"{keys.REVISION} holds no number but {raw!r}: delete it, then publish again")
    return int(raw)


def as_texts(raw: Any) -> Mapping[str, str]:  # the client's replies are untyped
    """A hash of texts, however it was brought; see `rows.Rows` for what is no UTF-8."""
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {as_text(key): as_text(value) for key, value in pairs}


def as_text(raw: bytes) -> str:
    """The text of some bytes, with lone surrogates for what is no UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def counts(texts: Mapping[str, str]) -> dict[str, int]:
    """The counts of a hash, without what is held."""
    return {name: int(text) for name, text in texts.items() if not name.endswith(_HELD) and text.isdecimal()}


def holds(texts: Mapping[str, str], bucket: int) -> dict[str, int]:
    """What is held of each count in this bucket, as the programs read it."""
    found = ((name.removesuffix(_HELD), _held(text, bucket)) for name, text in texts.items() if name.endswith(_HELD))
    return {name: number for name, number in found if number}


def summed(hashes: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """One hash of many, field by field."""
    total: dict[str, int] = {}
    for one in hashes:
        for name, number in one.items():
            total[name] = total.get(name, 0) + number
    return total


def _held(text: str, bucket: int) -> int:
    words = text.split("|")
    if len(words) != 3 or not all(word.isdecimal() for word in words):
        return 0
    at, newest, older = map(int, words)
    if at in {bucket, bucket + 1}:
        return newest + older
    return newest if at == bucket - 1 else 0
