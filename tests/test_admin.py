"""Routes for those who run the service: this machine alone without an admin token, with one whoever sends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from adlayout.assemble import assemble
from adlayout.upkeep import Shelf
from adlayout.web.app import create_app

CONFIG = Path(__file__).parent.parent / "config"
HERE, ELSEWHERE = ("127.0.0.1", 1), ("192.0.2.1", 1)
TOKENS = {"ADLAYOUT_ADMIN_TOKEN": "swordfish", "ADLAYOUT_CMS_TOKEN": "herring"}


def seen(env: dict[str, str], client: tuple[str, int], headers: dict[str, str]) -> tuple[int, int, bool]:
    """The statuses of a preview and of the first page, and whether the latter names the samples."""
    app = create_app(assemble(CONFIG, env), Shelf(), None, samples=CONFIG / "samples")
    asker = TestClient(app, client=client, headers=headers)
    first = asker.get("/")
    return asker.get("/preview").status_code, first.status_code, "/preview?" in first.text


@pytest.mark.parametrize(
    ("env", "client", "headers", "expected"),
    [
        ({}, HERE, {}, (200, 200, True)),
        ({}, ELSEWHERE, {}, (401, 200, False)),
        ({}, ELSEWHERE, {"authorization": "Bearer swordfish"}, (401, 200, False)),
        ({"ADLAYOUT_CMS_TOKEN": "herring"}, HERE, {}, (200, 200, True)),
        (TOKENS, HERE, {}, (401, 200, False)),
        (TOKENS, HERE, {"authorization": "Bearer herring"}, (401, 200, False)),
        (TOKENS, HERE, {"authorization": "Bearer swordfish"}, (200, 200, True)),
        (TOKENS, ELSEWHERE, {"authorization": "Bearer swordfish"}, (200, 200, True)),
    ],
)
def test_previews_are_for_this_machine_or_for_who_has_the_admin_token(
    env: dict[str, str], client: tuple[str, int], headers: dict[str, str], expected: tuple[int, int, bool]
) -> None:
    assert seen(env, client, headers) == expected


def test_who_is_refused_is_told_which_token_is_missing() -> None:
    remote = TestClient(create_app(assemble(CONFIG, {}), Shelf(), None), client=ELSEWHERE)
    details = [remote.get("/preview").json()["detail"], remote.post("/v1/compose", content="<p>x").json()["detail"]]
    assert details == [
        "without ADLAYOUT_ADMIN_TOKEN this route answers callers on the same machine only",
        "without ADLAYOUT_CMS_TOKEN this route answers callers on the same machine only",
    ]
