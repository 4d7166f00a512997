"""Inventory over HTTP: one row, a page of rows, or many at once. Knows the contract; never what makes a row hold."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adlayout.assemble import Edition
from adlayout.config.faults import nearest
from adlayout.config.read import validate_json
from adlayout.decision.files import doubtful
from adlayout.errors import ConfigError, Fault, StoreError
from adlayout.publishing import (
    KINDS,
    MODELS,
    BadInventory,
    Kind,
    Outdated,
    Published,
    Publisher,
    inventory_of,
)
from adlayout.rows import Rows
from adlayout.store.client import Store
from adlayout.telemetry.logs import QUIET, Log
from adlayout.web.limits import admit
from adlayout.web.questions import json_of, number, switch
from adlayout.web.responses import json_answer

_USUAL_PAGE: Final = 100
_LONGEST_PAGE: Final = 1000
# Proxies that compress an answer call its tag weak; the revision it names is the same.
_REVISION: Final = re.compile(r'(?:W/)?"([0-9]{1,18})"')
_MOST_IDS_TOLD: Final = 50


@dataclass(slots=True)
class Desk:
    """The handlers of all inventory routes, over the one store; without one they say so."""

    edition: Edition
    store: Store | None
    log: Log = QUIET
    # Loads and publications are large: those who ask together wait for each other, not for a connection.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def rows(self, request: Request) -> Response:
        """A page of the rows of one kind, by id; `q` finds words in them, `after` goes on behind an id."""
        kind = self._admitted(request)
        limit = number(request, "limit", _USUAL_PAGE, most=_LONGEST_PAGE)
        async with self._turn:
            revision, rows = await self._open().load()
        texts: Mapping[str, str] = getattr(rows, kind)
        found = sorted(id for id, text in texts.items() if _speaks_of(text, request.query_params.get("q", "")))
        after = request.query_params.get("after", "")
        behind = [id for id in found if id > after]
        shown = behind[:limit]
        answer = {
            kind: [row for id in shown if (row := _value(texts[id])) is not None],
            "bad": [bad for id in shown if (bad := _bad(kind, id, texts[id]))],
            "total": len(found),
            "next": shown[-1] if len(behind) > limit else None,
            "revision": revision,
        }
        return json_answer(answer, headers=_tag(revision))

    async def row(self, request: Request) -> Response:
        """One row: read, written whole, or removed."""
        kind = self._admitted(request)
        id = str(request.path_params["id"])
        match request.method:
            case "PUT":
                return await self._put(request, kind, id)
            case "DELETE":
                return await self._delete(request, kind, id)
            case _:
                return await self._get(kind, id)

    async def many(self, request: Request) -> Response:
        """Many rows at once, all or none; with `replace=true` the rows that are not among them go."""
        self._admitted(request)
        file = inventory_of(await json_of(request, self.edition.settings.server))
        replaces = switch(request, "replace")
        async with self._turn:
            done = await self._publisher().publish([file], replaces=replaces, expect=_expected(request))
        self._tell(request, done)
        answer: dict[str, object] = {"revision": done.revision}
        answer |= {kind: delta.counts() for kind, delta in done.deltas.items()}
        answer["warnings"] = [{"at": doubt.at, "message": doubt.message} for doubt in doubtful(file)]
        return json_answer(answer, headers=_tag(done.revision))

    async def _get(self, kind: Kind, id: str) -> Response:
        async with self._turn:
            revision, rows = await self._open().load()
        texts: Mapping[str, str] = getattr(rows, kind)
        if id not in texts:
            raise _missing(kind, id, rows)
        value = _value(texts[id])
        if value is None:
            raise BadInventory([(Fault("", f'what stands in the store as "{id}" is no JSON object'),)])
        return json_answer(value, headers=_tag(revision))

    async def _put(self, request: Request, kind: Kind, id: str) -> Response:
        data = await json_of(request, self.edition.settings.server)
        async with self._turn:
            done = await self._publisher().put(kind, id, data, expect=_expected(request))
        self._tell(request, done)
        status = 201 if id in done.deltas[kind].added else 200
        return json_answer(_value(getattr(done.rows, kind)[id]), status, _tag(done.revision))

    async def _delete(self, request: Request, kind: Kind, id: str) -> Response:
        async with self._turn:
            done = await self._publisher().remove(kind, id, expect=_expected(request))
        if not done.deltas[kind].removed:
            raise _missing(kind, id, done.rows)
        self._tell(request, done)
        return Response(status_code=204, headers=_tag(done.revision))

    def _admitted(self, request: Request) -> Kind:
        """Which kind of rows the address is about, for a caller who may ask."""
        headers = dict(request.scope["headers"])
        admit(request.scope, headers, self.edition.settings.admin_token, variable="ADLAYOUT_ADMIN_TOKEN")
        named = request.scope["route"].path.split("/")[2]
        return next((kind for kind in KINDS if kind == named), KINDS[0])

    def _open(self) -> Store:
        if self.store is None:
            raise StoreError("this service has no store")
        return self.store

    def _publisher(self) -> Publisher:
        return Publisher(self._open(), self.edition.prepare)

    def _tell(self, request: Request, done: Published) -> None:
        """One line for each change: who, what, and the revision that has it."""
        if any(delta.touches for delta in done.deltas.values()):
            self.log(
                "inventory_changed",
                who=caller(request, self.edition.settings.admin_token),
                revision=done.revision,
                added=list(_ids(done, "added")),
                changed=list(_ids(done, "changed")),
                removed=list(_ids(done, "removed")),
            )


def caller(request: Request, token: str | None) -> str:
    """Who asks, as a log may say it: `local`, or the start of the token's hash."""
    return "local" if token is None else hashlib.sha256(token.encode()).hexdigest()[:8]


def _ids(done: Published, what: str) -> Iterator[str]:
    """The ids that were touched in this way, each below its kind; of very many the first."""
    touched = [f"{kind}/{id}" for kind, delta in done.deltas.items() for id in getattr(delta, what)]
    yield from touched[:_MOST_IDS_TOLD]
    if len(touched) > _MOST_IDS_TOLD:
        yield f"and {len(touched) - _MOST_IDS_TOLD} more"


def _tag(revision: int) -> dict[str, str]:
    return {"ETag": f'"{revision}"'}


def _expected(request: Request) -> int | None:
    """The revision that the caller saw and wants to change, where it says one."""
    said = request.headers.get("if-match")
    if said is None:
        return None
    found = _REVISION.fullmatch(said.strip())
    if found is None:
        raise Outdated('If-Match: expected the ETag of an answer, such as "12"')
    return int(found[1])


def _missing(kind: Kind, id: str, rows: Rows) -> HTTPException:
    known: Mapping[str, str] = getattr(rows, kind)
    hint = f"; {near}" if len(id) <= 128 and (near := nearest(id, known)).startswith("did") else ""
    return HTTPException(404, f"there is no such {kind.removesuffix('s')}{hint}")


def _speaks_of(text: str, words: str) -> bool:
    """Whether each of the words stands somewhere in the row."""
    if not words:
        return True
    value = _value(text)
    seen = (text if value is None else json.dumps(value, ensure_ascii=False)).casefold()
    return all(word in seen for word in words.casefold().split())


def _value(text: str) -> dict[str, object] | None:
    """The row as it stands in the store; None where that is no JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _bad(kind: Kind, id: str, text: str) -> dict[str, str] | None:
    """What is wrong with a row that stands in the store and that pages leave out."""
    try:
        validate_json(text, MODELS[kind])
    except ConfigError as exc:
        return {"id": id, "message": "; ".join(map(str, exc.faults[:8]))}
    return None
