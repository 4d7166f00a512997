"""The names of all keys in the store. They share a hash tag, so that one call may touch them together on a cluster."""

from __future__ import annotations

from typing import Final

_TAG: Final = "adl:{adl.0}"

CAMPAIGNS: Final = f"{_TAG}:inv:campaigns"
FLIGHTS: Final = f"{_TAG}:inv:flights"
CREATIVES: Final = f"{_TAG}:inv:creatives"
REVISION: Final = f"{_TAG}:rev"

INVENTORY: Final = (CAMPAIGNS, FLIGHTS, CREATIVES)
