"""Who stands where: no creative twice on a page, but for the house."""

from __future__ import annotations

import pytest

from adlayout.decision.draft import draft
from adlayout.decision.field import Candidate, Field, Lots, tier_of
from adlayout.decision.settle import settle
from adlayout.decision.shortlist import Shortlist
from adlayout.model import Empty, Filled, Slot, SlotStyle, Unfilled


def slot(number: int) -> Slot:
    return Slot(f"inline-{number}", SlotStyle())


def candidate(name: str) -> Candidate:
    """`a` is a flight's creative; `H` and the like, in capitals, are of the house."""
    house = name.isupper()
    return Candidate(name, "300x250", None if house else f"f-{name}", None if house else "c", house)


def listed(names: str) -> Field:
    """The candidates as one flight that takes them in this order."""
    candidates = tuple(map(candidate, names.split()))
    return (tier_of([Lots(candidates, (), fixed=True)], [1.0]),) if candidates else ()


def page(*lists: str) -> list[str]:
    """Settles lists such as "a b H": who stands in each slot, or why nobody does."""
    shortlists = [Shortlist(slot(n), listed(names), "s") for n, names in enumerate(lists)]
    decisions = settle(draft(shortlists))
    assert [decision.slot for decision in decisions] == [entry.slot for entry in shortlists]
    return [decision.creative if isinstance(decision, Filled) else decision.reason.value for decision in decisions]


@pytest.mark.parametrize(
    ("lists", "expect", "why"),
    [
        ((), [], "no slots, no decisions"),
        (("a b", "b a"), ["a", "b"], "each slot takes its first"),
        (("a b", "a b"), ["a", "b"], "what stands above is passed over"),
        (("a", "a"), ["a", "page_duplicate"], "nobody is left who is not on the page"),
        (("", "a"), ["no_candidate", "a"], "nobody may stand here, and that harms no other slot"),
        (("a H", "a H", "a H"), ["a", "H", "H"], "the house repeats"),
        (("H", "a H"), ["H", "a"], "a flight comes before the house"),
        (("H I", "H I", "H I"), ["H", "I", "H"], "the house repeats only when all of it was shown"),
    ],
)
def test_settling(lists: tuple[str, ...], expect: list[str], why: str) -> None:
    assert page(*lists) == expect, why


def test_a_decision_carries_what_the_candidate_was() -> None:
    lists = [Shortlist(slot(1), listed("a"), "s"), Shortlist(slot(2), (), "s")]
    assert settle(draft(lists)) == (
        Filled(slot(1), "a", "f-a", "c", house=False, format="300x250"),
        Empty(slot(2), Unfilled.NO_CANDIDATE),
    )
