"""A page while it is filled: what stands on it, and so what it refuses. The store's script keeps the same rules.

Knows attempts; never how they came about.
"""

from __future__ import annotations

from adlayout.counts import Attempt
from adlayout.decision.reasons import FlightReason


class Board:
    """The slots that are filled, and by whom; begins empty."""

    __slots__ = ("counts", "creatives", "filled", "owners")

    def __init__(self) -> None:
        self.filled: dict[str, tuple[str, str | None]] = {}
        self.creatives: set[str] = set()
        self.owners: dict[str, str | None] = {}
        self.counts: dict[str, int] = {}

    def admits(self, attempt: Attempt) -> bool:
        """Whether the page takes it: its slots are free, and no rule of the page is against it."""
        return not any(slot in self.filled for slot, _ in attempt.fills) and self.refuses(attempt) is None

    def refuses(self, attempt: Attempt) -> FlightReason | None:
        """Which rule of the page is against it, wherever it would stand."""
        if attempt.once and any(creative in self.creatives for _, creative in attempt.fills):
            return FlightReason.PAGE_DUPLICATE
        if any(self.owners.get(label, attempt.flight) != attempt.flight for label in attempt.labels):
            return FlightReason.PAGE_LABEL
        wanted = len(attempt.fills)
        for key, most in attempt.page_caps:
            if self.counts.get(key, 0) + wanted > most:
                return FlightReason.ROADBLOCK if key.startswith("roadblock/") else FlightReason.FREQUENCY_CAP
        return None

    def take(self, attempt: Attempt) -> None:
        """Fills its slots."""
        for slot, creative in attempt.fills:
            self.filled[slot] = (creative, attempt.flight)
            self.creatives.add(creative)
        for label in attempt.labels:
            self.owners[label] = attempt.flight
        for key, _ in attempt.page_caps:
            self.counts[key] = self.counts.get(key, 0) + len(attempt.fills)
