"""What the manual says to ask by HTTP is asked here, in its order, and answered as it says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.testclient import TestClient

from adlayout.assemble import assemble
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts, closet, open_accounts, open_store
from adlayout.web.app import create_app

from .pages import ask
from .servers import wait_until

CONFIG = Path(__file__).parents[1] / "config"
MANUAL = (CONFIG / "README.md").read_text("utf-8")
BASE = "http://127.0.0.1:8080"


class Said(NamedTuple):
    """One command, and the answer as far as it is written out."""

    command: str
    answer: str


def said() -> list[Said]:
    blocks = re.findall(r"^```console\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    commands = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    found = [part.replace("\\\n", " ").partition("\n") for part in commands if part.startswith("curl ")]
    return [Said(command, answer) for command, _, answer in found]


def is_as(answer: str) -> Callable[[str], bool]:
    """Whether a text is this answer, where an ellipsis stands for anything and a line's end for a space."""
    words = " ".join(answer.split())
    wanted = re.compile(".*".join(map(re.escape, words.split("…"))), re.DOTALL)
    return lambda text: wanted.fullmatch(" ".join(text.split())) is not None


class Curl(NamedTuple):
    """A command as a client of ours sends it."""

    method: str
    path: str
    headers: dict[str, str]
    body: str | None


def curl(command: str) -> Curl:
    words = shlex.split(command)[1:]
    given: dict[str, list[str]] = {"-X": [], "-H": [], "-d": [], "": []}
    for before, word in pairwise(["", *words]):
        if word not in given:
            given[before if before in given else ""].append(word)
    (address,), body = given[""], next(iter(given["-d"]), None)
    assert address.startswith(BASE)
    method = next(iter(given["-X"]), "POST" if body else "GET")
    return Curl(method, address.removeprefix(BASE), dict(header.split(": ", 1) for header in given["-H"]), body)


class Service(NamedTuple):
    """A service as `adlayout serve` starts it, and what it counts with."""

    client: TestClient
    accounts: Accounts

    def told(self, command: str) -> str:
        """The answer to a command, once everything that it changed is seen everywhere."""
        one = curl(command)
        answer = self.client.request(one.method, one.path, headers=one.headers, content=one.body)
        wait_until(self._is_quiet)
        return answer.text

    def _is_quiet(self) -> bool:
        newest = self.client.get("/v1/campaigns").json()["revision"]
        seen: object = self.client.get("/readyz").json()["revision"]
        return seen == newest and self.accounts.counter.waiting().lines == 0


@pytest.fixture
def service(clean_store: str, tmp_path: Path) -> Iterator[Service]:
    edition = assemble(CONFIG, {"ADLAYOUT_SECRET": "a-secret-of-sixteen-characters-or-more"})
    settings = edition.settings
    # Others use this machine too: none of the answers is about time.
    patient = settings.store.model_copy(update={"timeout_ms": 10_000, "page_timeout_ms": 10_000})
    slow = settings.server.model_copy(update={"timeout_ms": 60_000})
    edition = replace(edition, settings=settings.model_copy(update={"store": patient, "server": slow}))
    ask(clean_store, lambda store: store.seed(edition.house_rows))
    shelf, store = Shelf(), open_store(edition.settings, clean_store)
    accounts = open_accounts(edition.settings, shelf, store, closet(tmp_path, "store"))
    app = create_app(edition, shelf, store, accounts=accounts)
    with TestClient(app, client=("127.0.0.1", 50_000)) as client:
        yield Service(client, accounts)


def test_every_request_of_the_manual_is_answered_as_it_says(service: Service) -> None:
    answers = [(one, service.told(one.command)) for one in said()]
    assert len(answers) > 10
    assert [(one, told) for one, told in answers if not is_as(one.answer)(told)] == []
