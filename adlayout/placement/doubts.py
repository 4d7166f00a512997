"""What a layout says in vain: keys without effect, keys that exclude each other, devices that change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from adlayout.errors import Fault
from adlayout.model import Device
from adlayout.placement.clashes import Clash, clashes
from adlayout.placement.idle import idle
from adlayout.placement.schema import Inline, LayoutFile, Rules

_BY_DEVICE: Final = ("max_density", "estimate.chars_per_line", "estimate.column")


def doubts(file: LayoutFile, own: object) -> Iterator[Fault]:
    """What ops should know of a layout that holds, each at the dotted path of a key that its file writes.

    `own` are the keys as they stand in the file, without those of the layout that it extends: what is wrong there is
    told there. A key that is laid over other keys is told only where it is in vain on every device that has it.
    """
    found: dict[tuple[str, ...], dict[Device, str]] = {}
    for device in Device:
        for keys, message in _on(file.inline.on(device)):
            found.setdefault(keys, {}).setdefault(device, message)
    for keys, by_device in found.items():
        places = (list(_places(file.inline, own, key, by_device)) for key in keys)
        yield from next((told for told in places if told), ())
    for fault in (*_without_ads(file.inline), *_devices(file), *_covered(file.inline)):
        if is_written(own, fault.at):
            yield fault


def is_written(own: object, path: str) -> bool:
    """Whether a file has a value at a dotted path."""
    for step in path.split("."):
        match own:
            case Mapping():
                own = own.get(step)
            case list() | tuple() if step.isdecimal() and int(step) < len(own):
                own = own[int(step)]
            case _:
                return False
    return own is not None


def _on(keys: Inline) -> Iterator[Clash]:
    if keys.max_ads:
        yield from clashes(keys)
        # One position may stand there without a list.
        yield from (Clash(tuple(dict.fromkeys((one.at, one.at.removesuffix(".0")))), one.message) for one in idle(keys))


def _places(inline: Inline, own: object, key: str, by_device: Mapping[Device, str]) -> Iterator[Fault]:
    """Where a key is written that is in vain on these devices: for one of them, or for all that have it from there."""
    inheriting = []
    for device in Device:
        rules = getattr(inline.devices, device)
        if rules is not None and _is_said(rules, key.split(".")):
            path = f"inline.devices.{device}.{key}"
            if device in by_device and is_written(own, path):
                yield Fault(path, by_device[device])
        elif inline.on(device).max_ads:
            inheriting.append(device)
    if inheriting and by_device.keys() >= set(inheriting) and is_written(own, f"inline.{key}"):
        yield Fault(f"inline.{key}", by_device[inheriting[0]])


def _is_said(said: object, steps: Sequence[str]) -> bool:
    """Whether rules say something at a path; lists and values are said as a whole."""
    for step in steps:
        if not isinstance(said, BaseModel):
            return True
        if step not in said.model_fields_set:
            return False
        said = getattr(said, step)
    return True


def _without_ads(inline: Inline) -> Iterator[Fault]:
    if not any(inline.on(device).max_ads for device in Device):
        message = "no article gets an ad but where an editor marks a place: write 1 or more, or leave it out"
        yield Fault("inline.max_ads", message)


def _devices(file: LayoutFile) -> Iterator[Fault]:
    """Rules for one device that are those of all devices, or those of another."""
    for device in Device:
        rules = getattr(file.inline.devices, device)
        at = f"inline.devices.{device}"
        for path in (f"{key}.{other}" for key in _BY_DEVICE for other in Device if other is not device):
            if rules is not None and _is_said(rules, path.split(".")):
                yield Fault(f"{at}.{path}", f"has no effect on {device}: leave it out")
        # Over another layout's rules for the device these may well be a change.
        if rules is None or file.extends is not None:
            continue
        view = file.inline.on(device)
        same = {key for key in Rules.model_fields if getattr(view, key) == getattr(file.inline, key)}
        if len(same) == len(Rules.model_fields):
            yield Fault(at, f"changes nothing on {device}: leave it out")
            continue
        message = f"is the same without `devices`, so that it changes nothing on {device}: leave it out"
        yield from (Fault(f"{at}.{key}", message) for key in sorted(same & rules.model_fields_set))


def _covered(inline: Inline) -> Iterator[Fault]:
    """Keys that every device has its own value of."""
    rules = [getattr(inline.devices, device) for device in Device]
    for key in Rules.model_fields:
        if any(one is None or key not in one.model_fields_set for one in rules):
            continue
        # What merges is not covered by a value that leaves some of its keys alone.
        if not any(isinstance(getattr(one, key), BaseModel) for one in rules):
            yield Fault(f"inline.{key}", "never holds, for each device has its own: leave one of them out")
