"""Why each slot of a page holds what it holds, and why no other flight stands there: grouped, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from adlayout.compose import Composer, Decided
from adlayout.decision.explain import Passed
from adlayout.model import Decision, Filled, Request

_FEW: Final = 12


class Group(NamedTuple):
    """Flights that do not run for one and the same reason."""

    reason: str
    needed: str
    actual: str
    flights: tuple[str, ...]

    @property
    def few(self) -> str:
        """As many of the flights as people read, and how many more there are."""
        more = f" and {len(self.flights) - _FEW} more" if len(self.flights) > _FEW else ""
        return ", ".join(self.flights[:_FEW]) + more


class Why(NamedTuple):
    """What stands in a slot, or why nothing does (`reason`), and why the others do not."""

    slot: str
    type: str
    creative: str | None
    flight: str | None
    campaign: str | None
    house: bool
    reason: str | None
    others: tuple[Group, ...]


def why(composer: Composer, request: Request, *, now: datetime) -> tuple[Why, ...]:
    """For each slot of the request's page who stands there and why nobody else does; counts and holds nothing."""
    work = composer.begin(request)
    composer.draft(work, now=now)
    return reasons(composer.decided(work, now=now))


def reasons(decided: Decided) -> tuple[Why, ...]:
    """The same of what was decided; slots that were never asked for come first and have nothing to tell."""
    missing = len(decided.decisions) - len(decided.passed)
    passed = ((),) * missing + decided.passed
    return tuple(_why(one, others) for one, others in zip(decided.decisions, passed, strict=True))


def _why(decision: Decision, passed: Sequence[Passed]) -> Why:
    slot, others = decision.slot, _grouped(passed)
    if isinstance(decision, Filled):
        ad = decision
        return Why(slot.id, slot.style.type, ad.creative, ad.flight, ad.campaign, ad.house, None, others)
    return Why(slot.id, slot.style.type, None, None, None, False, decision.reason.value, others)


def _grouped(passed: Sequence[Passed]) -> tuple[Group, ...]:
    """One group for all that is said alike, groups of one reason together, in the order of the inventory."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for one in passed:
        found.setdefault(one.reason.value, {}).setdefault((one.needed, one.actual), []).append(one.flight)
    return tuple(
        Group(reason, *said, tuple(flights)) for reason, alike in found.items() for said, flights in alike.items()
    )
