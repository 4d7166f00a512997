"""The programs that run inside the store: one `.lua` file each, beside this one. They say themselves what they take."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """A program's text and the name by which a server that ran it knows it.

    `twice` says that it may run again where its answer was lost: it does no more harm than holding a place too many.
    """

    text: bytes
    sha: str
    twice: bool


def _read(name: str, *, twice: bool = True) -> Script:
    text = Path(__file__).with_name(f"{name}.lua").read_bytes()
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest(), twice)


PUBLISH: Final = _read("publish", twice=False)
LOAD: Final = _read("load")
RESERVE: Final = _read("reserve")
RECORD: Final = _read("record")
COUNTS: Final = _read("counts")
RAISE: Final = _read("raise")
LEASE: Final = _read("lease")
REVISION: Final = _read("revision")
