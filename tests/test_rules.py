"""Rules: each has its row in the table, and is left out where a layout does not want it."""

from __future__ import annotations

import pytest

from adlayout.model import Article, Block, Reason, Refusal
from adlayout.placement.context import Context
from adlayout.placement.distance import Plain, Unit
from adlayout.placement.rules import (
    GATES,
    HARD,
    Blocklisted,
    Composed,
    EndGuard,
    First,
    KeepWithNext,
    Marked,
    MarkedOff,
    MinArticle,
    NoAfter,
    NoBefore,
    Rule,
    UnsafeMarkup,
    rules_of,
)
from adlayout.placement.schema import Inline

MARKED = Marked("adlayout: stop", "data-adl-stop")
TWO = Plain(2, Unit.BLOCKS)
BLOCKS = (
    Block("h2", 0, 9, False, False, frozenset({"h2"})),
    Block(None, 10, 19, True, False, frozenset({":lead-in"})),
    Block("hr", 20, 29, False, True, frozenset()),
    Block("figure", 30, 39, False, False, frozenset({"figure"})),
)
CONTEXT = Context(Article("", BLOCKS, (0, None, 20, 30, 40)), frozenset({2}))


def test_a_layout_has_only_the_rules_it_wants() -> None:
    keys = Inline.model_validate({"no_after": [], "no_before": [], "keep_with_next": [], "end_guard": "0 blocks"})
    assert rules_of(HARD, keys) == (MARKED, UnsafeMarkup(), First(keys.first, everywhere=True))
    assert rules_of(GATES, keys) == (Composed(), Blocklisted(), MarkedOff("adlayout: off"))


@pytest.mark.parametrize(("rule", "reason", "refused"), [
    (MinArticle(Plain(2, Unit.PARAGRAPHS)), Reason.MIN_ARTICLE,
     dict.fromkeys(range(5), ("2 paragraphs", "1 paragraph"))),
    (NoAfter(("figure", ":lead-in")), Reason.NO_AFTER,
     {2: ("not :lead-in", "text"), 3: ("not :lead-in", "text"), 4: ("not figure", "figure")}),
    (NoBefore(("figure",)), Reason.NO_BEFORE, {2: ("not figure", "figure"), 3: ("not figure", "figure")}),
    (KeepWithNext(("h2", "figure")), Reason.KEEP_WITH_NEXT, {1: ("not h2", "h2")}),
    (EndGuard(TWO), Reason.END_GUARD, {3: ("2 blocks", "1 block"), 4: ("2 blocks", "0 blocks")}),
    (First(TWO, everywhere=True), Reason.FIRST, {0: ("2 blocks", "0 blocks"), 1: ("2 blocks", "1 block")}),
    (First(TWO, everywhere=False), Reason.FIRST, {0: ("2 blocks", "0 blocks")}),
    (UnsafeMarkup(), Reason.UNSAFE_MARKUP, {1: ("a place between two blocks", "no such place in the source"),
                                            2: ("an article that stays as it is", "an ad here changes the article")}),
])  # fmt: skip
def test_a_rule_refuses_only_its_gaps(rule: Rule, reason: Reason, refused: dict[int, tuple[str, str]]) -> None:
    told = {gap: refusal for gap in range(5) if (refusal := rule.refuse(gap, CONTEXT))}
    assert told == {gap: Refusal(reason, needed, actual) for gap, (needed, actual) in refused.items()}
