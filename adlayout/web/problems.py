"""Failures as `application/problem+json` (RFC 9457). Knows the failure tree and HTTP; never how a page is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adlayout.errors import InputError, NotAllowed, StoreError, TooLarge
from adlayout.web.requests import request_id_of
from adlayout.web.responses import json_answer

PROBLEM = "application/problem+json"
# By then a store that was only restarted is back.
_AGAIN_S = 2
_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


async def input_problem(request: Request, exc: Exception) -> Response:
    """The 4xx of an InputError, with every fault that was found."""
    assert isinstance(exc, InputError)  # noqa: S101 - the app hands it no other; for the type checker
    return _told(request, problem_of(exc))


async def store_problem(request: Request, exc: Exception) -> Response:
    """503 where an answer needs the store and the store does not give it; pages need none."""
    assert isinstance(exc, StoreError)  # noqa: S101 - the app hands it no other; for the type checker
    value = {
        "type": "urn:adlayout:problem:store-error",
        "title": "The store does not answer",
        "status": 503,
        "detail": str(exc),
    }
    return _told(request, json_answer(value, 503, {"Content-Type": PROBLEM, "Retry-After": str(_AGAIN_S)}))


async def http_problem(request: Request, exc: Exception) -> Response:
    """404, 405 and their like, with the methods that are allowed."""
    assert isinstance(exc, HTTPException)  # noqa: S101 - the app hands it no other; for the type checker
    # The router keeps them in a set, whose order is another in each process.
    allowed = ", ".join(sorted((exc.headers or {}).get("Allow", "").split(", ")))
    detail = f"{request.method} {request.url.path[:200]}: {_helpful(exc, allowed)}"
    return _told(request, _plain_problem(exc.status_code, detail, {"Allow": allowed} if allowed else None))


def _helpful(exc: HTTPException, allowed: str) -> str:
    """What to do instead, where the router only has the name of the status to say."""
    if exc.detail != HTTPStatus(exc.status_code).phrase:
        return exc.detail
    return f"this address takes {allowed}" if allowed else "there is no such address; GET / lists those there are"


async def unexpected(request: Request, exc: Exception) -> Response:
    """The last resort outside compose: 500 without a word about our insides. The server logs the traceback."""
    return _told(request, _plain_problem(500, "the request failed; the reason is in the log of the service"))


def _told(request: Request, answer: Response) -> Response:
    """The answer under the id that the log knows the request by."""
    found = request.scope.get("request_id") or request_id_of(dict(request.scope["headers"]))
    request.scope["request_id"] = answer.headers["X-Request-Id"] = found
    return answer


def problem_of(error: InputError) -> Response:
    """One InputError as the answer, with everything that is wrong under `errors`."""
    value: dict[str, object] = {
        "type": f"urn:adlayout:problem:{_WORD_START.sub('-', type(error).__name__).lower()}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    if error.faults:
        value["errors"] = [{"at": fault.at, "message": fault.message} for fault in error.faults]
    return json_answer(value, error.status, {"Content-Type": PROBLEM, **_headers_of(error)})


def _headers_of(error: InputError) -> dict[str, str]:
    if isinstance(error, NotAllowed):
        return {"WWW-Authenticate": 'Bearer realm="adlayout"'}
    return {"Connection": "close"} if isinstance(error, TooLarge) else {}


def _plain_problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    value = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json_answer(value, status, {"Content-Type": PROBLEM, **(headers or {})})
