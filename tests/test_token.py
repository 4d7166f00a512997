"""What the page token says is what was signed, for its one purpose and for its time, whoever sends what."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.counts import Reader
from adlayout.events import token as token_room
from adlayout.events.token import LONGEST_TOKEN, Ad, Expired, Purpose, Signed, Signer, Ticket

EXPIRES = 1_000
ADS = (
    Ad("top", "spring", "board", "acme", None, "leaderboard"),
    Ad("inline-1", "-", "house", "-", 0, "in-article"),
    Ad("inline-2", "spring", "box", "acme", 4, "in-article"),
)
TICKET = Ticket(
    expires=EXPIRES,
    site="default",
    layout="article",
    device="mobile",
    serve="0123456789abcdef",
    shard=2,
    bucket=29_833_333,
    variation="density=every-3",
    section="world",
    article="kz-1",
    reader=Reader("now", "before"),
    slots=4,
    ads=ADS,
    unit="5" * 32,
    ms=12,
    agent="1f0c",
)
ADDRESS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."


def signer(*secrets: bytes | str, at: float = EXPIRES - 1) -> Signer:
    return Signer(secrets or ("secret",), now=lambda: at)


def token(purpose: Purpose, signed: Signed, index: int = 0) -> str:
    return {
        Purpose.PAGE: signed.page,
        Purpose.VIEW: signed.view(index),
        Purpose.CLICK: signed.click(index),
    }[purpose]


SIGNED = signer().sign(TICKET)


def test_a_page_token_says_all_that_was_signed() -> None:
    assert signer().read(SIGNED.page, Purpose.PAGE) == TICKET


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("purpose", [Purpose.VIEW, Purpose.CLICK])
def test_an_address_says_which_ad_it_is_for(purpose: Purpose, index: int) -> None:
    assert signer().read(token(purpose, SIGNED, index), purpose) == TICKET._replace(ads=(ADS[index],))


def test_a_page_without_reader_ads_or_serve_is_signed_too() -> None:
    bare = Ticket(EXPIRES, "default", "article", "desktop")
    signed = signer().sign(bare)
    assert signer().read(signed.page, Purpose.PAGE) == bare
    assert signer().read(signed.click(0), Purpose.CLICK) is None


def test_a_token_stands_in_an_address_as_it_is() -> None:
    assert set(SIGNED.page + SIGNED.view(0) + SIGNED.click(2)) <= set(ADDRESS)


@pytest.mark.parametrize("asked", Purpose)
@pytest.mark.parametrize("given", Purpose)
def test_no_token_serves_another_purpose(given: Purpose, asked: Purpose) -> None:
    answer = signer().read(token(given, SIGNED), asked)
    assert (answer is not None) == (given is asked)


def test_a_page_token_is_no_address_with_an_index_added() -> None:
    assert [signer().read(f"{SIGNED.page}.0", purpose) for purpose in Purpose] == [None, None, None]


@pytest.mark.parametrize("index", ["3", "999", "1000", "-1", "", "+1", "1 ", "0x1", "1_0", "٣", "²"])
def test_an_index_that_names_no_ad_is_no_address(index: str) -> None:
    assert signer().read(SIGNED.click(0)[:-1] + index, Purpose.CLICK) is None


@pytest.mark.parametrize("at", [EXPIRES, EXPIRES + 1e9])
def test_a_token_past_its_time_is_authentic_and_expired(at: float) -> None:
    assert signer(at=at).read(SIGNED.page, Purpose.PAGE) == Expired(TICKET)
    assert signer(at=at).read(SIGNED.click(1), Purpose.CLICK) == Expired(TICKET._replace(ads=(ADS[1],)))


def test_every_changed_character_is_noticed() -> None:
    for at, letter in enumerate(SIGNED.page):
        for other in {"A", "B", ".", chr(ord(letter) ^ 1)} - {letter}:
            assert signer().read(SIGNED.page[:at] + other + SIGNED.page[at + 1 :], Purpose.PAGE) is None, (at, other)


@given(st.text() | st.text(ADDRESS) | st.from_regex(r"[\w-]*(\.[\w-]*){2,3}"), st.sampled_from(Purpose))
def test_any_text_is_read_and_none_is_believed(text: str, purpose: Purpose) -> None:
    assert signer().read(text, purpose) is None


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("glue", ["{0}{1}", "{1}{0}", "{0}.{1}", "{1}.{0}", "{0} {1}", "{0}\n", "\ud800{0}", "{0}é"])
def test_nothing_can_be_added_to_a_token(glue: str, purpose: Purpose) -> None:
    assert signer().read(glue.format(token(purpose, SIGNED), "A"), purpose) is None


def test_a_token_longer_than_any_page_needs_is_not_looked_at() -> None:
    ads = tuple(Ad(f"slot-{n}", "f" * 60, "c" * 60) for n in range(100))
    signed = signer().sign(TICKET._replace(ads=ads))
    assert len(signed.page) > LONGEST_TOKEN
    assert signer().read(signed.page, Purpose.PAGE) is None


def test_a_hundred_ads_fit_in_a_token() -> None:
    ads = tuple(Ad(f"inline-{n}", "acme-spring", "acme-300x250", "acme-26", n, "in-article") for n in range(100))
    ticket = TICKET._replace(ads=ads)
    assert signer().read(signer().sign(ticket).page, Purpose.PAGE) == ticket


def test_the_first_secret_signs_and_all_are_believed() -> None:
    rotated = signer("new", b"secret")
    assert rotated.read(SIGNED.page, Purpose.PAGE) == TICKET
    assert signer().read(rotated.sign(TICKET).page, Purpose.PAGE) is None
    assert signer("new").read(rotated.sign(TICKET).page, Purpose.PAGE) == TICKET


def test_another_secret_believes_nothing() -> None:
    assert signer("other").read(SIGNED.page, Purpose.PAGE) is None


def test_names_of_every_script_come_back_and_long_ones_are_cut() -> None:
    ticket = TICKET._replace(section="Новости \ud800\U0001f6a2", article="é" * 200, reader=Reader('"', "\\"))
    assert signer().read(signer().sign(ticket).page, Purpose.PAGE) == ticket._replace(article="é" * 100)


def test_a_ticket_of_one_ad_is_found_by_its_slot() -> None:
    assert TICKET.only("inline-2") == TICKET._replace(ads=(ADS[2],))
    assert TICKET.only("inline-3") is None


def test_a_page_that_no_experiment_counts_says_nothing_of_one() -> None:
    bare = Ticket(EXPIRES, "default", "article", "desktop")
    payload = b64decode(signer().sign(bare).page.partition(".")[0] + "==", altchars="-_")
    assert list(json.loads(payload)) == ["x", "k", "u", "i", "b", "s", "l", "v", "d", "c", "a", "n", "p"]


@pytest.mark.parametrize("payload", ["", "e30", "bnVsbA", "W10", "MQ", "_", "eyJ4IjoxfQ", "-_-_"])
def test_an_authentic_payload_of_another_form_is_no_ticket(payload: str) -> None:
    """As after a roll-back to an older version of the service."""
    ours = _Forger(["secret"], now=lambda: 0.0)
    assert ours.read(ours.forged(payload), Purpose.PAGE) is None


class _Forger(Signer):
    """Signs whatever it is given."""

    def forged(self, payload: str) -> str:
        head = f"{payload}.{self._id}"
        return f"{head}.{token_room._macs(self._key, head)[: token_room._MAC_CHARS]}"
