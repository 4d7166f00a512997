"""What all flights and creatives of an inventory ask of pages: pages that answer alike can share their work."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from adlayout.decision.targeting import PageValues, Targeting, Term, hour_of_week

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # differences to it compare faster than times with zones


class Answer(NamedTuple):
    """What a page says to flights: to every flight two pages with one answer are the same page.

    `passed` counts the starts and ends of flights that are past; `hours` are the hours of the week in the time zones
    of flights; `values` are, by key, those of the page that some flight wants or shuns.
    """

    passed: int
    hours: tuple[int, ...]
    values: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Values that are asked for; `lengths` are theirs where a page's value need only start so, and else empty."""

    wanted: frozenset[str] = frozenset()
    lengths: tuple[int, ...] = ()

    def among(self, found: Iterable[str]) -> frozenset[str]:
        """Those that a page with these values has."""
        if not self.lengths:
            return self.wanted.intersection(found)
        return self.wanted.intersection([value[:length] for value in found for length in self.lengths])


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions: when something starts or ends, time zones, values by key, slots by type or id, languages.

    `of_readers` says whether one of them is about who reads, so that two readers of a page may answer differently.
    """

    times: tuple[timedelta, ...]
    zones: tuple[tzinfo, ...]
    values: tuple[tuple[str, Words], ...]
    slots: frozenset[str]
    languages: Words
    of_readers: bool

    def answer(self, values: PageValues, now: datetime) -> Answer:
        """What a page answers at a moment."""
        return Answer(
            bisect(self.times, now - _EPOCH),
            tuple([hour_of_week(now.astimezone(zone)) for zone in self.zones]),
            tuple([words.among(values.of(key)) for key, words in self.values]),
        )

    def spoken(self, language: str | None) -> frozenset[str]:
        """The languages of creatives that fit an article: `en` fits `en-GB`, and all fit where nobody says."""
        if not language:
            return self.languages.wanted
        found = language.casefold().replace("_", "-")
        begun = self.languages.among((found,))
        return frozenset(name for name in begun if found[len(name) : len(name) + 1] in ("", "-"))


def ask(targetings: Iterable[Targeting], times: Iterable[datetime], languages: Iterable[str]) -> Asked:
    """The questions of flights that have these wishes, start or end at these times, and creatives in these languages.

    Everything but the times is case-folded.
    """
    every = tuple(targetings)
    terms: dict[str, list[Term]] = {}
    for term in (term for targeting in every for term in targeting.page):
        terms.setdefault(term.key, []).append(term)
    return Asked(
        times=tuple(sorted({time - _EPOCH for time in times})),
        zones=tuple(dict.fromkeys(targeting.hours.zone for targeting in every if targeting.hours)),
        values=tuple((key, _words(_wanted(terms[key]), prefix=terms[key][0].prefix)) for key in sorted(terms)),
        slots=_wanted(term for targeting in every for term in targeting.slot),
        languages=_words(frozenset(languages), prefix=True),
        of_readers=any(key == "country" or key.startswith("kv.") for key in terms),
    )


def _wanted(terms: Iterable[Term]) -> frozenset[str]:
    return frozenset(value for term in terms for value in term.wanted)


def _words(wanted: frozenset[str], *, prefix: bool) -> Words:
    return Words(wanted, tuple(sorted({len(value) for value in wanted})) if prefix else ())
