"""Verb: permissions. From what a request says of a reader's consent to what may be done; knows no settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from adlayout.model import Consent
from adlayout.privacy import gpp
from adlayout.privacy.tcf import purposes

Default = Literal["granted", "denied"]

_EU: Final = 2
_US: Final = 7


class Cause(StrEnum):
    """Why something may not be done with a reader (closed list)."""

    DEFAULT = "consent_default"  # the request says nothing, and the site says no
    COPPA = "coppa"  # the reader is a child
    GPC = "gpc"  # the browser says no to all
    TCF_MISSING = "tcf_missing"  # GDPR holds, and nobody says what the reader consents to
    TCF_MALFORMED = "tcf_malformed"  # GDPR holds, and the string cannot be read
    PURPOSE_1 = "tcf_purpose_1"  # no consent to store or read anything
    PURPOSE_2 = "tcf_purpose_2"  # no consent to choose ads by anything but the article
    PURPOSE_7 = "tcf_purpose_7"  # no consent to measure ads
    GPP_MALFORMED = "gpp_malformed"  # a section applies, and the string cannot be read or lacks it
    GPP_UNKNOWN = "gpp_unknown"  # a section applies that is not understood here
    US_OPT_OUT = "us_opt_out"  # no to sale, sharing or targeted ads


_PURPOSES: Final = {1: Cause.PURPOSE_1, 2: Cause.PURPOSE_2, 7: Cause.PURPOSE_7}


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may be done with a reader.

    `identify`: an id is read or set. `personalise`: ads are chosen by more than the article. `measure`: counts may
    say which reader it was.
    """

    identify: bool = True
    personalise: bool = True
    measure: bool = True
    why: tuple[Cause, ...] = ()


_GRANTED: Final = Permissions()


def permissions(consent: Consent | None, default: Default) -> Permissions:
    """What a reader's consent permits; `default` holds where the request says nothing of it.

    What applies and is missing, malformed or not understood is a no.
    """
    causes = tuple(dict.fromkeys(_causes(consent or Consent(), default)))
    if not causes:
        return _GRANTED
    return Permissions(
        identify=_left(causes, Cause.PURPOSE_1),
        personalise=_left(causes, Cause.PURPOSE_2),
        measure=_left(causes, Cause.PURPOSE_7),
        why=causes,
    )


def _left(causes: tuple[Cause, ...], purpose: Cause) -> bool:
    """Whether no cause is this purpose or one that takes all."""
    return all(cause in _PURPOSES.values() and cause is not purpose for cause in causes)


def _causes(consent: Consent, default: Default) -> Iterator[Cause]:
    # 0 and -1 say that no section applies, or that nobody knows yet.
    applies = tuple(section for section in consent.gpp_sid if section > 0)
    if default == "denied" and consent.gdpr is None and not consent.tcf and not applies:
        yield Cause.DEFAULT
    if consent.coppa:
        yield Cause.COPPA
    if consent.gpc:
        yield Cause.GPC
    # A string without the flag comes from a reader who was asked: what it says holds.
    if consent.tcf and consent.gdpr is not False:
        yield from _european(consent.tcf)
    elif consent.gdpr and _EU not in applies:
        yield from _european(_section(consent.gpp, _EU))
    for section in applies:
        yield from _american_or_european(section, _section(consent.gpp, section))


def _european(text: str | None) -> Iterator[Cause]:
    if not text:
        yield Cause.TCF_MISSING
        return
    try:
        given = purposes(text)
    except ValueError:
        yield Cause.TCF_MALFORMED
    else:
        yield from (cause for purpose, cause in _PURPOSES.items() if purpose not in given)


def _american_or_european(section: int, text: str | None) -> Iterator[Cause]:
    if section not in (_EU, _US):
        yield Cause.GPP_UNKNOWN
    elif text is None:
        yield Cause.GPP_MALFORMED
    elif section == _EU:
        yield from _european(text)
    else:
        yield from _american(text)


def _american(text: str) -> Iterator[Cause]:
    try:
        if gpp.opts_out(text):
            yield Cause.US_OPT_OUT
    except ValueError:
        yield Cause.GPP_MALFORMED


def _section(text: str | None, number: int) -> str | None:
    """The text of a section, None where the string cannot be read or has no such section."""
    try:
        return gpp.sections(text or "").get(number)
    except ValueError:
        return None
