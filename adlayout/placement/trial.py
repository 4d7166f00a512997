"""Which rules judge an article's gaps: all of them, those for the end of a short article, or one gate for every gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adlayout.model import Reason, Refusal
from adlayout.placement.context import Context
from adlayout.placement.layout import Layout
from adlayout.placement.rules import Rule


@dataclass(frozen=True, slots=True)
class Trial:
    """The rules for the gaps of one article; a `gate` that is shut has one answer for all of them.

    `at_end`: for all but the last gap, which the rules judge.
    """

    context: Context
    rules: tuple[Rule, ...]
    gate: Refusal | None = None
    at_end: bool = False

    @property
    def is_shut(self) -> bool:
        """Whether the article gets no ad whatever its gaps are like."""
        return self.gate is not None and not self.at_end

    def refusals(self, gap: int) -> Iterator[Refusal]:
        """What there is against an ad in the gap, rule by rule."""
        if self.gate is not None and (not self.at_end or gap < self.context.last_gap):
            yield self.gate
            return
        for rule in self.rules:
            refusal = rule.refuse(gap, self.context)
            if refusal is not None:
                yield refusal

    def allowed(self) -> list[bool]:
        """Of each gap, whether no rule refuses it; the first refusal settles that."""
        gaps = range(self.context.last_gap + 1)
        if self.gate is not None:
            return [next(self.refusals(gap), None) is None for gap in gaps]
        rules = [rule.refuse for rule in self.rules]
        allowed = [True] * len(gaps)
        for gap in gaps:
            for refuse in rules:
                if refuse(gap, self.context) is not None:
                    allowed[gap] = False
                    break
        return allowed


def trial_of(layout: Layout, context: Context) -> Trial:
    """The rules of a layout for one article; the first gate that is shut is the one that counts."""
    for gate in layout.gates:
        refusal = gate.refuse(0, context)
        if refusal is None:
            continue
        if refusal.rule is Reason.MIN_ARTICLE and layout.end_rules is not None:
            return Trial(context, layout.end_rules, refusal, at_end=True)
        return Trial(context, (), refusal)
    return Trial(context, layout.rules)
