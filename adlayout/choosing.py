"""Which layout a request gets: the one it names, that of a running experiment, or the site's. Knows no article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from adlayout.config.settings import Site
from adlayout.experiments.assign import Assignment, Experiment, first_assignment
from adlayout.model import Request
from adlayout.privacy.consent import permissions


class Choice(NamedTuple):
    """A layout by its name, and the experiment that chose it, if one did.

    `of_reader` says that another reader of the article might get another layout. A page that fails may not count in
    its experiment; whether it does is seen later.
    """

    layout: str
    assignment: Assignment | None = None
    of_reader: bool = False


def choose_layout(request: Request, site: Site, experiments: Sequence[Experiment]) -> Choice:
    """The layout of a request that names none that is known; `experiments` are those of the site."""
    if experiments:
        attributes = attributes_of(request, site)
        found = first_assignment(experiments, attributes, forced=_forced(request, experiments))
        of_reader = request.variation is None and any(_is_of_readers(one) for one in experiments)
        if found is not None:
            experiment, assignment = found
            forced = request.variation is None and not assignment.hash_used
            return Choice(experiment.variations[assignment.variation_id], assignment, of_reader or forced)
        return Choice(_usual(request, site), None, of_reader)
    return Choice(_usual(request, site))


def attributes_of(request: Request, site: Site) -> Mapping[str, object]:
    """What experiments may know of a request: of the reader only what the consent permits.

    `url` is the article's id, else its address without query and fragment.
    """
    permits, facts = permissions(request.consent, site.consent.default), request.facts
    own: dict[str, object] = {}
    for name, value in request.attributes if permits.personalise else ():
        known = own.get(name)
        own[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    return {
        **own,
        "id": request.unit if permits.identify and permits.measure else None,
        "url": facts.id or _bare(facts.url),
        "section": facts.section,
        "tags": list(facts.tags),
        "device": request.device.value,
        "country": request.country if permits.personalise else None,
    }


def _usual(request: Request, site: Site) -> str:
    return site.layout_for(request.facts.section, request.facts.tags, request.device)


def _is_of_readers(experiment: Experiment) -> bool:
    """Whether it may give two readers of an article two layouts, but for those whose names ops wrote down."""
    if experiment.status != "running" and experiment.force is None:
        return False
    return experiment.hash_attribute == "id" or experiment.condition is not None or bool(experiment.filters)


def _forced(request: Request, experiments: Sequence[Experiment]) -> Mapping[str, int] | None:
    """The variation that the caller keeps pages of: `experiment=variation`; what is not there forces nothing."""
    key, _, name = (request.variation or "").partition("=")
    for one in experiments:
        if one.key == key and name in one.variation_keys:
            return {key: one.variation_keys.index(name)}
    return None


def _bare(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        return urlsplit(url)._replace(query="", fragment="").geturl()
    except ValueError:  # the CMS may send anything
        return url.partition("?")[0].partition("#")[0]
