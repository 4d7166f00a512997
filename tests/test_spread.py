"""The even choice: rows by hand, and every small row against all the choices that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.placement.spread import Candidate, Standing, spread


@dataclass(frozen=True)
class Row:
    """Candidates, what stands between them, the end, and how many at most."""

    candidates: tuple[Candidate, ...]
    standing: tuple[Standing, ...]
    end: int
    most: int

    def spread(self) -> tuple[int, ...]:
        """What is chosen of the row."""
        return spread(self.candidates, self.standing, self.end, self.most)


def row(places: str, end: int, most: int, apart: int = 1) -> Row:
    """A row as it is drawn: candidates as numbers, what stands as `*5`, or `*5-7` where it has a height.

    Neighbours have to be so far `apart`.
    """
    candidates: list[Candidate] = []
    standing: list[Standing] = []
    for place in places.split():
        if place.startswith("*"):
            above, _, below = place[1:].partition("-")
            standing.append(Standing(len(candidates), int(above), int(below or above)))
        else:
            reach = sum(int(place) - upper.at >= apart for upper in candidates)
            candidates.append(Candidate(int(place), reach))
    return Row(tuple(candidates), tuple(standing), end, most)


@pytest.mark.parametrize(("why", "given_row", "chosen"), [
    ("one ad stands in the middle", row("1 2 3 4 5", 6, 1), (2,)),
    ("two ads stand at the thirds", row("1 2 3 4 5", 6, 2), (1, 3)),
    ("of two that are as even the earlier is chosen", row("1 2", 3, 1), (0,)),
    ("a tie in the second ad leaves the first where it is", row("1 2 4 6", 8, 2), (1, 2)),
    ("of three that are as even the one that begins first is chosen", row("1 2 3 4", 5, 2), (0, 2)),
    ("of several candidates at one place the first is chosen", row("2 3 3 3 4", 6, 1), (1,)),
    ("candidates at one place go together where they need not be apart", row("3 3 3", 6, 9, apart=0), (0, 1, 2)),
    ("two ads are better than one that is more even", row("1 50 99", 100, 9, apart=98), (0, 2)),
    ("of several candidates at one place that with the nearer neighbour is chosen",
     Row((Candidate(1, 0), Candidate(3, 1), Candidate(3, 1), Candidate(4, 2), Candidate(5, 3)), (), 5, 3), (0, 1, 3)),
    ("two ads before the longer rest are more even", row("1 3 4", 5, 2), (0, 1)),
    ("two ads that are as far apart as two others stand nearer to the middle",
     Row((Candidate(0, 0), Candidate(1, 1), Candidate(3, 1), Candidate(4, 3)), (), 5, 2), (1, 3)),
    ("as many as are far enough apart", row("1 2 3 4 5", 6, 9, apart=2), (0, 2, 4)),
    ("the longest row may start late", row("1 3 5 6 7 9", 10, 4, apart=2), (0, 1, 2, 4)),
    ("one ad alone is bound by no distance", row("1 2 3", 40, 9, apart=30), (2,)),
    ("what is due at the start may be chosen there", row("0 5", 10, 2), (0, 1)),
    ("a page without length takes what goes together", row("0 0", 0, 9, apart=0), (0, 1)),
    ("none may be chosen", row("1 2", 3, 0), ()),
    ("fewer than none is none", row("1 2", 3, -1), ()),
    ("nothing to choose from", row("", 9, 3), ()),
    ("nothing to choose from between two that stand", row("*3 *6", 9, 3), ()),
    ("what stands takes its part of the page", row("1 2 3 *4 5 6 7", 8, 1), (1,)),
    ("each side of what stands is spread on its own", row("1 2 3 *4 5 6 7", 8, 2), (1, 4)),
    ("what stands at the start leaves the rest", row("*0 1 2 3 4 5", 6, 1), (2,)),
    ("what stands at the end leaves the rest", row("1 2 3 4 5 *6", 6, 1), (2,)),
    ("two in a row that stand shorten the larger side", row("1 2 3 4 5 *6 *7 8 9", 10, 1), (2,)),
    ("across what stands no distance is asked", row("4 *5 6", 10, 9, apart=5), (0, 1)),
    ("past what stands the distance is asked again", row("3 4 *5 6 7 8", 10, 9, apart=2), (0, 2, 4)),
    ("what stands is seen from both its sides", row("1 2 3 *4-8 9 10 11 12 13", 14, 1), (5,)),
    ("the larger side takes more", row("1 *2 3 4 5 6 7 8", 9, 7, apart=3), (0, 2, 5)),
])  # fmt: skip
def test_the_choice_is_the_most_and_then_the_most_even(why: str, given_row: Row, chosen: tuple[int, ...]) -> None:
    assert given_row.spread() == chosen, why


# Any small row: each place with its kind, its step from the place before, and its height if it stands.

PLACES = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 2)), max_size=10)
CROWDED = st.lists(st.tuples(st.just(False), st.integers(0, 9), st.just(0)), max_size=11)
REACHES = st.lists(st.integers(0, 10), min_size=11, max_size=11).map(sorted)


def built(places: Sequence[tuple[bool, int, int]], reaches: Sequence[int], rest: int, most: int) -> Row:
    """The row of these places, with as much reach as a candidate can have."""
    candidates: list[Candidate] = []
    standing: list[Standing] = []
    here = 0
    for stands, step, height in places:
        here += step
        if stands:
            standing.append(Standing(len(candidates), here, here + height))
            here += height
        else:
            candidates.append(Candidate(here, min(reaches[len(candidates)], len(candidates))))
    return Row(tuple(candidates), tuple(standing), here + rest, most)


def best(row: Row) -> tuple[int, ...]:
    """The answer by trying every choice: the largest that go together, of these the most even, then the earliest."""
    tried = [
        (-len(chosen), unevenness(row, chosen), chosen)
        for size in range(max(0, row.most) + 1)
        for chosen in combinations(range(len(row.candidates)), size)
        if all(together(row, upper, lower) for upper, lower in pairwise(chosen))
    ]
    return min(tried)[2]


def together(row: Row, upper: int, lower: int) -> bool:
    between = any(upper < ad.before <= lower for ad in row.standing)
    return between or upper < row.candidates[lower].reach


def unevenness(row: Row, chosen: tuple[int, ...]) -> int:
    return sum((lower[0] - upper[1]) ** 2 for upper, lower in pairwise(neighbours(row, chosen)))


def neighbours(row: Row, chosen: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """What is neighbour to what, each as seen from above and from below; an ad that stands is above candidate n."""
    ads = [(index + 0.5, index, row.candidates[index].at, row.candidates[index].at) for index in chosen]
    ads += [(ad.before, order, ad.above, ad.below) for order, ad in enumerate(row.standing)]
    yield (0, 0)
    yield from (seen for *_, above, below in sorted(ads) for seen in [(above, below)])
    yield (row.end, row.end)


@given(st.builds(built, PLACES | CROWDED, REACHES, st.integers(0, 9), st.integers(0, 11)))
def test_no_other_choice_is_better(any_row: Row) -> None:
    assert any_row.spread() == best(any_row)
