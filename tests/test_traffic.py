"""Who is no reader, and that the many who share an address are."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.events.traffic import Invalid, Rate, Traffic, family_of, is_crawler, is_early

PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)
READERS = [
    PHONE,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
]
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.5.0",
    "python-requests/2.32.3",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
]
SERVERS = tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.7/32", "2001:db8:5::/48", "203.0.113.128/25")))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_reader_is_valid() -> None:
    assert Traffic(SERVERS).invalid(agent=PHONE, address="203.0.113.7") is None


@pytest.mark.parametrize("agent", READERS)
def test_readers_are_no_crawlers(agent: str) -> None:
    assert not is_crawler(agent)


@pytest.mark.parametrize("agent", ROBOTS)
def test_robots_that_say_so_are_known(agent: str) -> None:
    assert Traffic().invalid(agent=agent, address="203.0.113.7") is Invalid.CRAWLER


CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
BROWSERS = [
    *READERS,
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/126.0.0.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 OPR/112.0.0.0",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} YaBrowser/24.6 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 SamsungBrowser/25.0 {CHROME} Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 CriOS/126.0 Mobile Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Opera/9.80",
]


def test_browsers_and_systems_are_told_apart() -> None:
    found = {family_of(agent) for agent in BROWSERS}
    assert (len(found), {len(one) for one in found}) == (len(BROWSERS), {4})


@pytest.mark.parametrize(
    ("before", "after"),
    [(PHONE, PHONE.replace("126.0", "127.0")), (PHONE, PHONE + "x" * 9999), (BROWSERS[-1], "Something/else")],
)
def test_a_browser_that_updates_itself_is_the_same(before: str, after: str) -> None:
    assert family_of(before) == family_of(after)


@pytest.mark.parametrize("agent", [None, "", " "])
def test_who_does_not_say_what_he_is_has_no_family(agent: str | None) -> None:
    assert family_of(agent) == ""


@pytest.mark.parametrize(
    ("agent", "family", "why"),
    [
        (PHONE, family_of(PHONE), None),
        (PHONE, "", None),
        (None, family_of(PHONE), None),
        (READERS[1], family_of(PHONE), Invalid.AGENT_CHANGED),
        (ROBOTS[0], family_of(PHONE), Invalid.CRAWLER),
    ],
)
def test_what_comes_from_another_browser_than_the_page_went_to_is_no_readers(
    agent: str | None, family: str, why: Invalid | None
) -> None:
    assert Traffic().invalid(agent=agent, address="203.0.113.7", family=family) is why


@pytest.mark.parametrize("agent", ["", " ", "\t"])
def test_who_does_not_say_what_he_is_is_no_reader(agent: str) -> None:
    assert Traffic().invalid(agent=agent, address="203.0.113.7") is Invalid.NO_AGENT


def test_what_a_cms_does_not_say_is_not_held_against_its_reader() -> None:
    assert Traffic(SERVERS).invalid(agent=None, address=None) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"sec-purpose", b"prefetch"),
        (b"sec-purpose", b"prefetch;prerender"),
        (b"purpose", b"prefetch"),
        (b"purpose", b"Preview"),
        (b"x-purpose", b"preview"),
        (b"x-moz", b"prefetch"),
    ],
)
def test_a_page_that_is_fetched_ahead_is_said_to_be(name: bytes, value: bytes) -> None:
    assert is_early({b"accept": b"*/*", name: value})


@pytest.mark.parametrize("headers", [{}, {b"sec-purpose": b""}, {b"sec-fetch-dest": b"prefetch"}, {b"x-moz": b"1"}])
def test_other_headers_say_nothing_of_it(headers: dict[bytes, bytes]) -> None:
    assert not is_early(headers)


def test_a_page_that_is_fetched_ahead_is_nobodys() -> None:
    assert Traffic().invalid(agent=PHONE, address="203.0.113.7", early=True) is Invalid.PREFETCH


@pytest.mark.parametrize(
    "address",
    ["192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8:5:ffff::1", "203.0.113.128", "::ffff:192.0.2.9"],
)
def test_an_address_of_servers_is_no_readers(address: str) -> None:
    assert Traffic(SERVERS).invalid(agent=PHONE, address=address) is Invalid.DATA_CENTRE


@pytest.mark.parametrize(
    "address", ["192.0.3.0", "192.0.1.255", "198.51.100.8", "2001:db8:6::1", "203.0.113.127", "", "nobody", "1.2.3"]
)
def test_other_addresses_are_readers(address: str) -> None:
    assert Traffic(SERVERS).invalid(agent=PHONE, address=address) is None


@given(st.ip_addresses())
def test_every_address_is_in_the_network_of_all(address: object) -> None:
    traffic = Traffic((ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert traffic.invalid(agent=PHONE, address=str(address)) is Invalid.DATA_CENTRE


def judged(traffic: Traffic, address: str, times: int) -> list[Invalid | None]:
    return [traffic.invalid(agent=PHONE, address=address) for _ in range(times)]


def test_an_address_that_sends_more_than_readers_do_is_flagged_until_it_is_quiet_again() -> None:
    clock = Clock()
    traffic = Traffic(rate=Rate(per_minute=60, burst=3), clock=clock)
    assert judged(traffic, "203.0.113.7", 5) == [None, None, None, Invalid.RATE, Invalid.RATE]
    assert judged(traffic, "203.0.113.8", 1) == [None]
    clock.now += 1
    assert judged(traffic, "203.0.113.7", 2) == [None, Invalid.RATE]
    clock.now += 3_600
    assert judged(traffic, "203.0.113.7", 4) == [None, None, None, Invalid.RATE]


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", Invalid.RATE),
        ("2001:db8::1", "2001:db8:0:1::1", None),
        ("203.0.113.7", "::ffff:203.0.113.7", Invalid.RATE),
        ("unix", "unix", Invalid.RATE),
    ],
)
def test_a_customers_whole_network_is_one_address(first: str, second: str, verdict: Invalid | None) -> None:
    traffic = Traffic(rate=Rate(per_minute=0, burst=1))
    assert judged(traffic, first, 1) + judged(traffic, second, 1) == [None, verdict]


def test_the_address_that_was_quiet_for_longest_is_forgotten() -> None:
    traffic = Traffic(rate=Rate(per_minute=0, burst=1), addresses=2)
    heard = [judged(traffic, f"203.0.113.{n}", 1)[0] for n in (1, 2, 1, 3, 1, 2)]
    assert heard == [None, None, Invalid.RATE, None, Invalid.RATE, None]


def test_an_agent_of_any_length_is_judged() -> None:
    assert Traffic().invalid(agent="x" * 1_000_000, address=None) is None
    assert Traffic().invalid(agent="\ud800" + "x" * 40 + " Googlebot/2.1", address=None) is Invalid.CRAWLER
