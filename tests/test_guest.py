"""The names of readers whose page has none: one for each reader of a page, and none that follows him to another."""

from __future__ import annotations

import pytest

from adlayout.events.guest import guest

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = "payload.kid.mac.0"


def name(token: str = PAGE, address: str | None = "203.0.113.7", agent: str = FIREFOX, key: str = "s") -> str:
    return guest(token, address, agent, secret=key)


def test_a_reader_has_one_name_for_all_addresses_of_a_page() -> None:
    assert name("payload.kid.another.3") == name()
    assert (len(name()), set(name()) <= set("0123456789abcdef")) == (24, True)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("203.0.113.7", "203.0.113.200", True),
        ("203.0.113.7", "203.0.114.7", False),
        ("203.0.113.7", "::ffff:203.0.113.9", True),
        ("2001:db8:1:2::7", "2001:db8:1:2:aaaa::9", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        (None, "no address", True),
    ],
)
def test_an_address_says_the_network(ours: str | None, theirs: str, same: bool) -> None:
    assert (name(address=ours) == name(address=theirs)) is same


@pytest.mark.parametrize(
    "other",
    [
        {"token": "another.kid.mac.0"},
        {"agent": "Mozilla/5.0 (Macintosh) Version/17.5 Safari/605.1.15"},
        {"key": "another"},
        {"agent": "\ud800"},
    ],
)
def test_another_page_browser_or_service_makes_another_name(other: dict[str, str]) -> None:
    assert name(**other) != name()
