"""Content types and charsets: which bodies are taken, and how their bytes become text and bytes again."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache

from adlayout.errors import UnsupportedBody

_TOKEN = re.compile(r"[a-z0-9._+-]+")  # what may stand in a header without quotes
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# Single-byte and a superset of ASCII, each byte its own character: an article comes back byte for byte.
# cp864 (no percent sign), EBCDIC and everything stateful or multi-byte are left out on purpose.
_SINGLE_BYTE = frozenset(
    {
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp125{digit}" for digit in range(9)),
        *("ascii", "koi8-r", "koi8-t", "koi8-u", "kz1048", "ptcp154", "hp-roman8", "tis-620"),
        *("cp437", "cp720", "cp737", "cp775", "cp850", "cp852", "cp855", "cp856", "cp857", "cp858", "cp860"),
        *("cp861", "cp862", "cp863", "cp865", "cp866", "cp869", "cp874", "cp1125"),
        *("mac-roman", "mac-cyrillic", "mac-greek", "mac-latin2", "mac-iceland", "mac-turkish", "mac-croatian"),
        "mac-romanian",
    }
)
# Labels of https://encoding.spec.whatwg.org/#names-and-labels that Python's codecs do not know.
_WHATWG = {
    "unicode-1-1-utf-8": "utf-8",
    "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8",
    "x-unicode20utf8": "utf-8",
    "dos-874": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "logical": "iso8859-8",
    "visual": "iso8859-8",
    "sun_eu_greek": "iso8859-7",
    "koi": "koi8-r",
    "koi8": "koi8-r",
    "koi8-ru": "koi8-u",
    "mac": "mac-roman",
    "x-mac-roman": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    **{f"x-cp125{digit}": f"cp125{digit}" for digit in range(9)},
}


@dataclass(frozen=True, slots=True)
class Charset:
    """How the answer is written: `label` as the caller named it, `codec` as Python does.

    `raw`: the article came as bytes, so an invalid byte is one code point (surrogateescape) and goes back as that byte.
    """

    label: str = "utf-8"
    codec: str = "utf-8"
    raw: bool = False

    def decode(self, body: bytes) -> str:
        """The article's text, one code point for each byte that is invalid in the charset."""
        return body.decode(self.codec, "surrogateescape")

    def encode_article(self, text: str) -> bytes:
        """The article's own bytes again; what came as JSON has U+FFFD for a lone surrogate."""
        if self.raw:
            return text.encode(self.codec, "surrogateescape")
        try:
            return text.encode()
        except UnicodeEncodeError:
            return without_surrogates(text).encode()

    def encode_own(self, text: str) -> bytes:
        """Our text; what the charset cannot hold becomes a character reference."""
        return text.encode(self.codec, "xmlcharrefreplace")


UTF8 = Charset()


def without_surrogates(text: str) -> str:
    """The text with U+FFFD, also one code point, in place of each lone surrogate."""
    return _LONE_SURROGATE.sub("\ufffd", text)


@lru_cache(maxsize=256)
def read_content_type(value: str) -> Charset | None:
    """How an article that comes as a text body is read; None for a JSON body. Other bodies are refused."""
    media, _, parameters = value.partition(";")
    media = media.strip().lower()
    if media == "application/json" or media.endswith("+json"):
        return None
    if media in ("text/html", "text/plain", ""):
        return _charset(_parameter("charset", parameters) or "utf-8")
    raise UnsupportedBody(
        f"content-type {media[:100]!r} is not taken: send the article as text/html, or a request as application/json"
    )


def _parameter(name: str, parameters: str) -> str | None:
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip("\"'").strip()
    return None


def _charset(label: str) -> Charset:
    codec = _WHATWG.get(label.lower()) or _python_codec(label)
    if codec != "utf-8" and codec not in _SINGLE_BYTE:
        raise UnsupportedBody(
            f"charset {label[:100]!r} is not taken: send UTF-8, or a single-byte charset such as windows-1251"
        )
    label = label.lower()
    return Charset(label if _TOKEN.fullmatch(label) else codec, codec, raw=True)


def _python_codec(label: str) -> str | None:
    try:
        return codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
