"""The page script as it is served: `adlayout.js` without what only its readers need."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("adlayout.js")
# No text of the script spans lines, and no comment follows code: so a line may lose what it begins with, and its end
# where the next one cannot be taken for more of it.
_FOR_READERS: Final = re.compile(rb"^(\s*//.*\n|\s+)|(?<=[{;,])\n", re.MULTILINE)


@cache
def page_script() -> bytes:
    """The script: nothing it needs comes from elsewhere, and `data-token` of its own tag says which page it is on."""
    return _FOR_READERS.sub(b"", _SOURCE.read_bytes())
