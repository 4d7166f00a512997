"""Templates tried before readers see them, and what they ask for. Knows no layout and no site but what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from jinja2 import meta, nodes

from adlayout.errors import Fault
from adlayout.model import Image
from adlayout.rendering.page import NATIVE, SUFFIX, PageContext, TemplateFailure, Templates

_TEXT: Final = 'The <i>market</i> & the hill, "again"'
_PICTURE: Final = Image("https://cdn.example.com/a.jpg", _TEXT, 300, 250)
_NATIVE_FIELDS: Final[Mapping[str, object]] = {
    "title": _TEXT,
    "body": _TEXT,
    "cta": _TEXT,
    "sponsor": _TEXT,
    "image": _PICTURE,
    "link": "https://example.com/?a=1&b=2",
}


def rehearse(templates: Templates, name: str, sites: Iterable[PageContext]) -> tuple[Fault, ...]:
    """What goes wrong in a page template, in pages of these sites that say everything and in those that say nothing."""
    faults: dict[str, Fault] = {}
    for site in sites:
        full = replace(site, tagline=site.tagline or _TEXT, headline=_TEXT, byline=_TEXT, url="https://example.com/a")
        bare = replace(site, tagline="", headline="", byline="", url="")
        for context, where in ((full, ""), (bare, " (in a page without headline, byline, tagline and url)")):
            if fault := _fault(templates, name, context):
                faults.setdefault(f"{fault}", Fault(fault.at, f"{fault.message}{where}"))
    return tuple(faults.values())


def rehearse_natives(templates: Templates) -> tuple[Fault, ...]:
    """What goes wrong in the native templates, for an ad that says everything."""
    return tuple(_native_faults(templates))


@dataclass(slots=True)
class Asked:
    """The page slots that a template asks for, each with the place of its first `slot(…)`.

    Not `complete` where a name is only known when a page is made.
    """

    places: dict[str, str] = field(default_factory=dict)
    complete: bool = True


def asked_slots(templates: Templates, name: str) -> Asked:
    """What the template and all that it includes ask for, read off the source: a branch not taken counts too."""
    asked = Asked()
    _ask(templates, name, asked, set())
    return asked


def _fault(templates: Templates, name: str, context: PageContext) -> Fault | None:
    try:
        templates.frame(name, context)
    except TemplateFailure as failure:
        return failure.fault
    return None


def _native_faults(templates: Templates) -> Iterator[Fault]:
    for name in sorted(name for name in templates.compiled if name.startswith(NATIVE)):
        try:
            templates.native(name.removeprefix(NATIVE), _NATIVE_FIELDS)
        except TemplateFailure as failure:
            yield failure.fault


def _ask(templates: Templates, name: str, asked: Asked, seen: set[str]) -> None:
    if name in seen or name not in templates.compiled:
        return
    seen.add(name)
    tree = templates.tree(name)
    said = [call for call in tree.find_all(nodes.Call) if _is_slot(call.node) and _constant(call)]
    for call in said:
        asked.places.setdefault(str(_constant(call)), f"{templates.folder}/{name}{SUFFIX}:{call.lineno}:1")
    others = set(meta.find_referenced_templates(tree))
    asked.complete &= (
        len(said) == len([one for one in tree.find_all(nodes.Name) if _is_slot(one)]) and None not in others
    )
    for other in sorted(other for other in others if other):
        _ask(templates, other.removesuffix(SUFFIX), asked, seen)


def _is_slot(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "slot" and node.ctx == "load"


def _constant(call: nodes.Call) -> str | None:
    """The name that is written in a call, where it is written out."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, nodes.Const) and isinstance(first.value, str) else None
