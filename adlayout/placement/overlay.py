"""Laying one layout's keys over another's, as `extends` and `devices` do. Knows no key's meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adlayout.config.faults import nearest
from adlayout.errors import ConfigError, Fault

# What a layout says of itself, and not of its ads.
_ITS_OWN: Final = frozenset({"version", "name", "description", "extends"})


def extended(data: object, layouts: Mapping[str, object]) -> object:
    """A layout's keys laid over those of the layout it extends, which may extend another.

    `layouts` has the keys of each layout by its name, as they were written. Raises `ConfigError` where the name is
    unknown or leads back to the layout itself.
    """
    chain: list[Mapping[object, object]] = []
    names: list[str] = []
    while isinstance(data, Mapping):
        chain.append(data)
        name = data.get("extends")
        if not isinstance(name, str):
            break
        if name not in layouts:
            raise _fault(f'no layout "{name}", {nearest(name, layouts)}')
        if name in names:
            raise _fault(f"leads back to itself: {' extends '.join([*names, name])}")
        names.append(name)
        data = layouts[name]
    whole: object = {}
    for keys in reversed(chain):
        kept = {key: value for key, value in whole.items() if key not in _ITS_OWN} if isinstance(whole, Mapping) else {}
        whole = overlaid(kept, keys)
    return whole if chain else data


def _fault(message: str) -> ConfigError:
    return ConfigError((Fault("extends", message),))


def overlaid(base: object, over: object) -> object:
    """The keys of `base` with those of `over`: maps merge, lists and texts replace, null restores the default."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping) or _is_value(over):
        return over
    kept = {key: value for key, value in base.items() if key not in over}
    laid = {key: overlaid(base.get(key), value) for key, value in over.items() if value is not None}
    return kept | laid


def _is_value(said: Mapping[object, object]) -> bool:
    """Whether the map is one distance, `{all: […]}` or `{any: […]}`, of which halves make no sense."""
    return bool(said) and said.keys() <= {"all", "any"}
