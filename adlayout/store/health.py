"""How the servers of a store are, as far as it matters to counts; knows what INFO answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_KEEPS_ALL: Final = "noeviction"


@dataclass(frozen=True, slots=True)
class Health:
    """How the servers that take writes are: of several, the worst. `memory_most` is 0 where nothing bounds it."""

    role: str
    policy: str
    servers: int
    memory_used: int
    memory_most: int
    append_only: bool

    @property
    def evicts(self) -> bool:
        """Whether it may forget counts and caps when it is full."""
        return self.policy != _KEEPS_ALL


def read_health(answers: Sequence[Mapping[str, Any]]) -> Health:  # the client's replies are untyped
    """The health of all servers, from what each says of itself."""
    fullest = max(answers, key=_fullness)
    return Health(
        role=next((answer["role"] for answer in answers if answer["role"] != "master"), "master"),
        policy=next((policy for one in answers if (policy := one["maxmemory_policy"]) != _KEEPS_ALL), _KEEPS_ALL),
        servers=len(answers),
        memory_used=fullest["used_memory"],
        memory_most=fullest["maxmemory"],
        append_only=all(answer["aof_enabled"] for answer in answers),
    )


def _fullness(answer: Mapping[str, Any]) -> float:
    most = int(answer["maxmemory"])
    return int(answer["used_memory"]) / most if most else 0.0
