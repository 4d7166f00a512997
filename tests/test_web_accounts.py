"""What a worker keeps on its disk: one secret for all, a place for each store, and problems that are said at once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adlayout.config.settings import Settings, Site
from adlayout.delivery import Delivery
from adlayout.errors import ConfigError
from adlayout.events.token import Purpose, Signer, Ticket
from adlayout.store.client import Store
from adlayout.upkeep import Shelf
from adlayout.web.accounts import closet, kept_secret, open_accounts

SETTINGS = Settings(version=1, sites={"default": Site(name="News")})
TICKET = Ticket(4_000_000_000, "daily", "news", "mobile")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    first = kept_secret(state)
    assert (kept_secret(state), len(first), mode(state / "secret"), mode(state)) == (first, 43, 0o600, 0o700)
    assert [path.name for path in state.iterdir()] == ["secret"]


def test_processes_that_begin_together_have_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(kept_secret, [tmp_path] * 64))
    assert (len(found), [path.name for path in tmp_path.iterdir()]) == (1, ["secret"])


@pytest.mark.parametrize("text", ["", "short", "ä" * 40])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="ADLAYOUT_SECRET"):
        kept_secret(tmp_path)


def test_a_state_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"counting.state_dir: .*cannot be written \(not a directory\)"):
        closet(tmp_path / "file" / "state", "redis://one")
    with pytest.raises(ConfigError, match="cannot be read"):
        kept_secret(tmp_path / "file" / "state")


def test_each_store_has_a_place_of_its_own(tmp_path: Path) -> None:
    places = [closet(tmp_path, store) for store in ("redis://one", "redis://two", "redis://one")]
    assert (places[0] == places[2], places[0] == places[1]) == (True, False)
    assert [mode(place.path) for place in places] == [0o700] * 3


def test_the_secrets_of_the_settings_come_before_that_of_the_disk(tmp_path: Path) -> None:
    old, new = "x" * 16, "y" * 16
    place, store = closet(tmp_path, "one"), Store("unix:///nowhere")
    said = open_accounts(SETTINGS.model_copy(update={"secret": f"{new},{old}"}), Shelf(), store, place)
    kept = open_accounts(SETTINGS, Shelf(), store, place)
    assert (said.books.secrets, kept.books.secrets) == ((new, old), (kept_secret(tmp_path),))
    assert said.books.signer.read(Signer([old]).sign(TICKET).page, Purpose.PAGE) == TICKET
    assert kept.books.signer.read(Signer([old]).sign(TICKET).page, Purpose.PAGE) is None
    for one in (said, kept):
        one.counter.close()


def test_what_is_learnt_of_clicks_reaches_the_shelf(tmp_path: Path) -> None:
    accounts = open_accounts(SETTINGS, Shelf(), Store("unix:///nowhere"), closet(tmp_path, "one"))
    accounts.delivery = Delivery(rates={"f": 0.5}, ctr={"g": 0.01})
    assert (accounts.books.standing.rates, accounts.delivery.rates, accounts.shelf.ctr) == (
        {"f": 0.5},
        {"f": 0.5},
        {"g": 0.01},
    )
    accounts.counter.close()


def test_a_worker_says_how_much_waits(tmp_path: Path) -> None:
    accounts = open_accounts(SETTINGS, Shelf(), Store("unix:///nowhere"), closet(tmp_path, "one"))
    assert accounts.waiting() == {"waiting": 0, "oldest_s": 0.0, "lost": 0}
    for _ in range(3):
        accounts.counter.page(accounts.books.signer.sign(TICKET))
    assert (accounts.waiting()["waiting"], accounts.waiting()["lost"]) == (3, 0)
    accounts.counter.close()
