"""Experiments over HTTP: what there is, who would see what, what came of it. Knows the contract; no formula."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from adlayout.assemble import Edition
from adlayout.config.faults import nearest
from adlayout.config.fields import zone
from adlayout.errors import Fault, StoreError
from adlayout.experiments.assign import Experiment
from adlayout.experiments.metrics import CONVERSIONS, METRICS, metric
from adlayout.model import Request as PageRequest
from adlayout.store.client import Store
from adlayout.trials import Form, Stats, assignment, exposures, listed, results_json, results_of, written
from adlayout.web.limits import admit
from adlayout.web.questions import BadQuery
from adlayout.web.requests import read_request
from adlayout.web.responses import json_answer, wants

_MEDIA: Final = {Form.CSV: "text/csv; charset=utf-8; header=present", Form.NDJSON: "application/x-ndjson"}
_SHORT: Final = {"country": "context.country"}
_LONGEST_HINT: Final = 128


@dataclass(slots=True)
class Laboratory:
    """The handlers of all routes of experiments, over those of the edition and the store that counts them."""

    edition: Edition
    store: Store | None

    async def experiments(self, request: Request) -> Response:
        """All experiments of the config, drafts too."""
        self._admit(request)
        _refuse_others(request, ())
        return json_answer({"experiments": [listed(one) for one in self.edition.all_experiments]})

    async def assignment(self, request: Request) -> Response:
        """What an experiment makes of a page: its variation, and the layout that the page gets. Counts nothing."""
        self._admit(request)
        experiment, page = self._experiment(request), _page(request)
        site, running = self.edition.settings.sites[experiment.site], self.edition.experiments.get(experiment.site, ())
        return json_answer(assignment(experiment, page, site=site, running=running))

    async def results(self, request: Request) -> Response:
        """What came of an experiment: its units, its metrics beside the baseline, and a verdict in words."""
        self._admit_admin(request)
        experiment = self._experiment(request)
        stats, metrics = _question(request)
        today = datetime.now(zone(self.edition.settings.counting.time_zone)).date()
        found = await results_of(self._open(), experiment, today=today, metrics=metrics)
        return json_answer(results_json(experiment, found, stats=stats))

    async def exposures(self, request: Request) -> Response:
        """Who saw which variation first, a row for each unit, as GrowthBook reads them."""
        self._admit_admin(request)
        experiment, form = self._experiment(request), _form(request)
        pieces = written(exposures(self._open(), experiment), form)
        # Once the answer has begun, it cannot be a failure any more.
        first = await anext(pieces)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{experiment.key}.{form}"',
        }
        return StreamingResponse(_joined(first, pieces), media_type=_MEDIA[form], headers=headers)

    def _experiment(self, request: Request) -> Experiment:
        key, known = str(request.path_params["key"]), {one.key: one for one in self.edition.all_experiments}
        if key not in known:
            near = nearest(key, known) if len(key) <= _LONGEST_HINT else ""
            raise HTTPException(404, "there is no such experiment" + (f"; {near}" if near.startswith("did") else ""))
        return known[key]

    def _admit(self, request: Request) -> None:
        admit(request.scope, dict(request.scope["headers"]), self.edition.settings.cms_token)

    def _admit_admin(self, request: Request) -> None:
        headers = dict(request.scope["headers"])
        admit(request.scope, headers, self.edition.settings.admin_token, variable="ADLAYOUT_ADMIN_TOKEN")

    def _open(self) -> Store:
        if self.store is None:
            raise StoreError("this service has no store")
        return self.store


def _page(request: Request) -> PageRequest:
    """The page that is asked about, in the words of a request for one."""
    said = [(_SHORT.get(name, name), value) for name, value in request.query_params.multi_items()]
    headers = {name: value for name, value in request.scope["headers"] if name.startswith(b"adlayout-")}
    received = read_request(b"", headers, urlencode(said).encode())
    if received.faults:
        raise BadQuery(*received.faults)
    return received.request


def _question(request: Request) -> tuple[Stats, list[str]]:
    query, faults = request.query_params, list(_others(request, ("stats", "metric")))
    stats, metrics = query.get("stats", Stats.SEQUENTIAL.value), list(dict.fromkeys(query.getlist("metric")))
    if stats not in set(Stats):
        faults.append(Fault("stats", f"expected one of {', '.join(Stats)}"))
    if any(metric(name) is None for name in metrics):
        faults.append(Fault("metric", f"expected one of {', '.join((*METRICS, f'{CONVERSIONS}<name>'))}"))
    if faults:
        raise BadQuery(*faults)
    return Stats(stats), metrics


def _form(request: Request) -> Form:
    faults, said = list(_others(request, ("format",))), request.query_params.get("format")
    if said is not None and said not in set(Form):
        faults.append(Fault("format", f"expected one of {', '.join(Form)}"))
    if faults:
        raise BadQuery(*faults)
    if said:
        return Form(said)
    prefers = wants("application/x-ndjson", request.headers.get("accept", ""), over="text/csv")
    return Form.NDJSON if prefers else Form.CSV


def _refuse_others(request: Request, known: Collection[str]) -> None:
    if faults := list(_others(request, known)):
        raise BadQuery(*faults)


def _others(request: Request, known: Collection[str]) -> Iterator[Fault]:
    for name in dict.fromkeys(request.query_params):
        if name not in known:
            yield Fault(name, "there is no such parameter")


async def _joined(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece
