"""What no model can say of a config directory: selectors, names across files, templates that fail. Opens no file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from difflib import get_close_matches
from typing import Final, Generic, TypeVar

from pydantic import BaseModel

from adlayout.article.contain import escape_of
from adlayout.article.selectors import NAMES, selector_fault
from adlayout.config.faults import nearest
from adlayout.config.source import Source, steps
from adlayout.decision.files import dangling, doubtful, repeated, to_rows
from adlayout.decision.inventory import read_inventory
from adlayout.decision.schema import CreativeRow, InventoryFile
from adlayout.errors import Fault
from adlayout.model import Creative, Device
from adlayout.placement.doubts import doubts, is_written
from adlayout.placement.layout import compile_all
from adlayout.placement.schema import LayoutFile
from adlayout.rendering.creative import BadMarkup, Prepared, prepare
from adlayout.rendering.page import NATIVE, SUFFIX, PageContext, Templates
from adlayout.rendering.rehearse import asked_slots, rehearse, rehearse_natives

M = TypeVar("M", bound=BaseModel)

_SELECTOR_LISTS: Final = ("exclude_within", "enter", "no_after", "no_before", "keep_with_next")
_SELECTORS_IN: Final = {"clearances": ("selector", "lift_before_if_next"), "weights": ("selector",)}
# What Google's tags are known by, and the labels that its publisher policies let stand over their ads (AdSense help,
# "Ad placement policies": ads may be labelled "Advertisements" or "Sponsored Links").
_GOOGLE: Final = re.compile(r"googletag|adsbygoogle|pagead2\.googlesyndication\.com", re.IGNORECASE)
_GOOGLE_LABELS: Final = frozenset({"advertisement", "advertisements", "sponsored links"})
_PSEUDO_CLASS: Final = re.compile(r":[A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """A file that was read: its name without its ending, its contents, and where everything in it stands."""

    name: str
    source: Source
    contents: M


# One layout, as data.


def layout_data_faults(data: object, name: str) -> tuple[Fault, ...]:
    """What the model of layouts does not see in a file of this name."""
    return (*_misnamed(data, name), *wrong_selectors(data))


def _misnamed(data: object, name: str) -> Iterator[Fault]:
    """What a layout file needs and a layout in a request does not: its version, and the name of its file."""
    if not isinstance(data, Mapping):
        return
    if data.get("version") is None:
        yield Fault("version", "is missing: write `version: 1`")
    said = data.get("name")
    if said is None:
        yield Fault("name", f"is missing: write `name: {name}`, as the file is called")
    elif isinstance(said, str) and said.strip() != name:
        yield Fault("name", f'expected "{name}", as the file is called (got "{said}")')


def wrong_selectors(data: object) -> Iterator[Fault]:
    """The selectors of a layout that cannot be read, each at its entry; what is no text is left to the model."""
    inline = data.get("inline") if isinstance(data, Mapping) else None
    for path, selector in _selectors(inline) if isinstance(inline, Mapping) else ():
        if message := selector_fault(selector.strip()):
            yield Fault(f"inline.{path}", f'{_plainly(message, selector.strip())} (got "{selector}")')


def _selectors(inline: Mapping[object, object]) -> Iterator[tuple[str, str]]:
    """Every selector of the rules, and of those for one device, with its path."""
    container = inline.get("container")
    if isinstance(container, str):
        yield "container", container
    existing = inline.get("existing_ads")
    brought = existing.get("selectors") if isinstance(existing, Mapping) else None
    for key, entries in (*((key, inline.get(key)) for key in _SELECTOR_LISTS), ("existing_ads.selectors", brought)):
        yield from ((path, entry) for path, entry in _entries(key, entries) if isinstance(entry, str))
    for key, names in _SELECTORS_IN.items():
        entries = ((path, entry) for path, entry in _entries(key, inline.get(key)) if isinstance(entry, Mapping))
        told = ((f"{path}.{name}", entry.get(name)) for path, entry in entries for name in names)
        yield from ((path, selector) for path, selector in told if isinstance(selector, str))
    devices = inline.get("devices")
    for device, rules in devices.items() if isinstance(devices, Mapping) else ():
        if isinstance(rules, Mapping):
            yield from ((f"devices.{device}.{path}", selector) for path, selector in _selectors(rules))


def _entries(key: str, said: object) -> Iterator[tuple[str, object]]:
    """The entries of a list, each with its path."""
    yield from ((f"{key}.{at}", entry) for at, entry in enumerate(said if isinstance(said, list | tuple) else ()))


def _plainly(message: str, selector: str) -> str:
    """The parser's message without the selector that it repeats, and the name that was probably meant."""
    said = message.rpartition('": ')[2]
    near = [name for one in _PSEUDO_CLASS.findall(selector) for name in get_close_matches(one, NAMES, n=1)]
    hint = f', did you mean "{near[0]}"?' if near and "pseudo-class" in said else ""
    return f"not a CSS selector: {said}{hint}"


# All layouts and their templates.


def template_faults(
    layouts: Sequence[Read[LayoutFile]], templates: Templates, sites: Sequence[PageContext], also: Iterable[str] = ()
) -> Iterator[Fault]:
    """Templates that do not exist or fail, tried with the page slots of each layout that uses them, or with none."""
    for layout in layouts:
        name = layout.contents.template
        if name not in templates.pages:
            yield layout.source.placed(Fault("template", f'no template "{name}", {nearest(name, templates.pages)}'))
    used = [(layout.contents.template, tuple(layout.contents.page_slots)) for layout in layouts]
    tries = (
        rehearse(templates, name, [replace(site, page_slots=slots) for site in sites])
        for name, slots in (*used, *((name, ()) for name in sorted(also)))
        if name in templates.compiled
    )
    yield from dict.fromkeys(fault for faults in tries for fault in faults)
    yield from rehearse_natives(templates)


def slot_warnings(layouts: Sequence[Read[LayoutFile]], templates: Templates) -> Iterator[Fault]:
    """Page slots that the template of their layout does not ask for, and slots that no layout has."""
    for layout in layouts:
        asked = asked_slots(templates, layout.contents.template)
        for slot in layout.contents.page_slots if asked.complete else ():
            if slot not in asked.places:
                template = f"{layout.contents.template}{SUFFIX}"
                message = f'{template} has no {{{{ slot("{slot}") }}}}, so that it never shows'
                yield layout.source.placed(Fault(f"page_slots.{slot}", message), key=True)
    for name in sorted({layout.contents.template for layout in layouts}):
        used_by = [layout for layout in layouts if layout.contents.template == name]
        known = {slot for layout in used_by for slot in layout.contents.page_slots}
        for slot, place in asked_slots(templates, name).places.items():
            if slot not in known:
                users = ", ".join(layout.name for layout in used_by)
                message = (
                    f"no layout with this template has such a page slot (layouts: {users}), {nearest(slot, known)}"
                )
                yield Fault(place, f'slot("{slot}"): {message}')


def layout_warnings(
    layouts: Sequence[Read[LayoutFile]], inventory: Sequence[Read[InventoryFile]] = ()
) -> Iterator[Fault]:
    """What a layout says in vain, from the top of its file down; labels are held against the ads in the inventory."""
    by_name = {layout.name: layout for layout in layouts}
    google = _google_tags(inventory)
    for layout in layouts:
        file, own = layout.contents, layout.source.data
        found = [*doubts(file, own), *_needless(layout, by_name.get(file.extends or ""))]
        found += (fault for fault in _labels(file, google) if is_written(own, fault.at))
        found.sort(key=lambda fault: astuple(layout.source.spot(steps(fault.at))))
        yield from map(layout.source.placed, found)


def _needless(layout: Read[LayoutFile], base: Read[LayoutFile] | None) -> Iterator[Fault]:
    """A layout that is another one by another name, on every device."""
    if base is not None and compile_all(layout.contents, base.name) == compile_all(base.contents, base.name):
        message = f'changes nothing of "{base.name}" on any device: say what is different, or use "{base.name}"'
        yield Fault("extends", message)


def _google_tags(inventory: Iterable[Read[InventoryFile]]) -> list[tuple[CreativeRow, str]]:
    """The creatives that are tags of Google's, with what each is called in a message."""
    rows = ((file.source.name, row) for file in inventory for row in file.contents.creatives)
    return [(row, f'"{row.id}" in {name}') for name, row in rows if row.markup and _GOOGLE.search(row.markup)]


def _labels(file: LayoutFile, google: Sequence[tuple[CreativeRow, str]]) -> Iterator[Fault]:
    """Labels that Google lets nobody write over its ads, where such an ad may come to stand under one."""
    for path, label, types in _labelled(file):
        if label.casefold() in _GOOGLE_LABELS:
            continue
        found = (said for row, said in google if not row.slot_types or not types.isdisjoint(row.slot_types))
        if said := next(found, None):
            message = f'over an ad of Google\'s ({said}) its policy wants "Advertisements" or "Sponsored Links"'
            yield Fault(path, f'{message} (got "{label}")')


def _labelled(file: LayoutFile) -> Iterator[tuple[str, str, set[str]]]:
    """Every label with its path and the types of the slots that it stands over."""
    pages = {id: slot.type or id for id, slot in file.page_slots.items()}
    bare = {pages[id] for id, slot in file.page_slots.items() if slot.label is None}
    for at, keys in (
        ("inline", file.inline),
        *((f"inline.devices.{device}", file.inline.on(device)) for device in Device),
    ):
        yield f"{at}.label", keys.label, bare | {slot.type for slot in keys.slots if slot.label is None}
        for number, slot in enumerate(keys.slots):
            yield f"{at}.slots.{number}.label", slot.label or keys.label, {slot.type}
    for id, page in file.page_slots.items():
        yield f"page_slots.{id}.label", page.label or file.inline.label, {pages[id]}


# All inventory files.


def inventory_faults(files: Sequence[Read[InventoryFile]]) -> Iterator[Fault]:
    """Ids that are said twice, and flights that name what no file has."""
    rows = to_rows(file.contents for file in files)
    for file, twice in zip(files, repeated(file.contents for file in files), strict=True):
        for fault in (*twice, *dangling(file.contents, rows)):
            yield file.source.placed(fault)


def inventory_warnings(files: Iterable[Read[InventoryFile]]) -> Iterator[Fault]:
    """Rows that hold and hardly do what was meant."""
    for file in files:
        for warning in doubtful(file.contents):
            yield file.source.placed(warning, key=True)


def markup_faults(files: Sequence[Read[InventoryFile]], templates: Templates) -> Iterator[Fault]:
    """Creatives that may not stand in a page."""
    creatives = read_inventory(to_rows(file.contents for file in files))[0].creatives
    for file in files:
        for at, row in enumerate(file.contents.creatives):
            if row.id not in creatives or f"{NATIVE}{row.template}" in templates.broken:
                continue
            try:
                proven(creatives[row.id], templates)
            except ValueError as exc:
                yield file.source.placed(at_key(f"creatives.{at}", row, str(exc)))


def at_key(path: str, row: CreativeRow, message: str) -> Fault:
    """The fault at the key that its message begins with, where it begins with one."""
    key, _, rest = message.partition(": ")
    return Fault(f"{path}.{key}", rest) if key.partition(".")[0] in type(row).model_fields else Fault(path, message)


def proven(creative: Creative, templates: Templates) -> Prepared:
    """The creative's markup, made once; raises BadMarkup where it must not stand in a page or could leave its slot."""
    made = prepare(creative, templates)
    for markup in made.samples():
        if fault := escape_of(markup):
            raise BadMarkup(f"its markup {fault}")
    return made
