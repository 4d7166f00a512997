"""Inventory as it stands in the store: JSON texts by id, not yet read. What store and decision both speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["campaigns", "flights", "creatives"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Campaigns, flights and creatives, each id -> JSON text.

    A text that was not UTF-8 carries its bytes as lone surrogates, so that only the reader of that row refuses it.
    """

    campaigns: Mapping[str, str] = field(default_factory=dict)
    flights: Mapping[str, str] = field(default_factory=dict)
    creatives: Mapping[str, str] = field(default_factory=dict)
