"""What a person asks, read strictly: who mistypes a number or a body is told, not served something else."""

from __future__ import annotations

import re

from starlette.requests import Request

from adlayout.config.settings import Server
from adlayout.errors import Fault, InputError, NotAnArticle, UnsupportedBody
from adlayout.web.json_body import read_json
from adlayout.web.limits import read_body

_JSON_MEDIA = re.compile(r"application/([a-z0-9.-]+\+)?json", re.IGNORECASE)


class BadQuery(InputError):
    """A question whose query does not hold."""

    status = 422
    title = "The question does not hold"

    def __init__(self, *faults: Fault) -> None:
        super().__init__("the query has parameters that do not hold", faults)


class NotJson(InputError):
    """A body that is not JSON, or did not arrive."""

    title = "The body is not JSON"


def number(request: Request, name: str, usual: int, *, most: int) -> int:
    """The whole number from 1 to `most` that the query says, else the usual one."""
    said = request.query_params.get(name)
    if not said:
        return usual
    if not (said.isascii() and said.isdecimal() and len(said) < 10 and 1 <= int(said) <= most):
        raise BadQuery(Fault(name, f"expected a whole number from 1 to {most}"))
    return int(said)


def switch(request: Request, name: str) -> bool:
    """Whether the query says `true`; false where it says nothing."""
    said = request.query_params.get(name, "false")
    if said not in ("true", "false"):
        raise BadQuery(Fault(name, "expected true or false"))
    return said == "true"


async def json_of(request: Request, server: Server) -> object:
    """The values of the body; raises NotJson, UnsupportedBody or TooLarge."""
    headers = dict(request.scope["headers"])
    # Also a body without a type: a page of anybody's may send one from a browser on this machine, unasked (CORS).
    media = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
    if not _JSON_MEDIA.fullmatch(media):
        raise UnsupportedBody(f"content-type {media[:80]!r} is not taken: send application/json")
    try:
        body = await read_body(headers, request.receive, limit=server.max_body_bytes, within_s=server.body_timeout_s)
        return read_json(body)
    except NotAnArticle as exc:
        raise NotJson(exc.detail) from exc
