"""Where clicks lead: never anywhere but to the advertiser, however the address is spelt."""

from __future__ import annotations

import pytest

from adlayout.web.destinations import destination

LINK = "https://acme.example/spring"
ADOMAIN = ("acme.example", "Shop.Acme.test.")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://acme.example/a?b=c&d=e#f",
        "http://acme.example",
        "https://www.acme.example/",
        "https://a.b.acme.example:8443/x",
        "HTTPS://ACME.example/x",
        "https://acme.example./x",
        "https://shop.acme.test/x",
        "https://acme.example/%C3%A4;x=1",
    ],
)
def test_an_address_of_the_advertiser_is_followed(wanted: str) -> None:
    assert destination(wanted, LINK, ADOMAIN) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "https://evil.example/",
        "https://evil.example/acme.example",
        "https://evilacme.example/",
        "https://acme.example.evil.example/",
        "https://acme.test/",
        "https://acme.example@evil.example/",
        "https://user:password@acme.example/",
        "https://@acme.example/",
        "https://evil.example\\@acme.example/",
        "https://evil.example\\.acme.example/",
        "https:\\\\acme.example",
        "//acme.example/",
        "/acme.example",
        "acme.example",
        "https:acme.example",
        "https:///acme.example",
        "javascript:alert(1)//acme.example",
        "data:text/html,acme.example",
        "ftp://acme.example/",
        "https://acme.example/\r\nSet-Cookie: a=b",
        "https://acme.example/\tx",
        " https://acme.example/",
        "https://acme.example/a b",
        "https://evil.example%2f.acme.example/",
        "https://evil.example%23.acme.example/",
        "https://evil.example\uff0f.acme.example/",
        "https://evil.example\u2100.acme.example/",
        "https://\uff41cme.example/",
        "https://[::1].acme.example/",
        "https://[acme.example]/",
        "https://acme.example:port/",
        "https://acme.example:99999/",
        "https://acme.example/" + "x" * 9000,
        "https://.acme.example/",
    ],
)
def test_any_other_address_is_the_link(wanted: str | None) -> None:
    assert destination(wanted, LINK, ADOMAIN) == LINK


@pytest.mark.parametrize("adomain", [(), ("",), (".",), ("example ",)])
def test_without_a_domain_of_the_advertiser_it_is_always_the_link(adomain: tuple[str, ...]) -> None:
    assert destination("https://acme.test/", LINK, adomain) == LINK


def test_a_top_level_domain_is_what_ops_wrote() -> None:
    assert destination("https://other.example/", LINK, ("example",)) == "https://other.example/"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (None, None),
        ("", None),
        ("javascript:alert(1)", None),
        ("https://acme.example/\r\nX: y", None),
        ("https://u@acme.example/", None),
        ("https://acme.example/ä?q=ü", "https://acme.example/%C3%A4?q=%C3%BC"),
        ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x"),
        ("https://müller.example/", "https://m%C3%BCller.example/"),
        ("https://acme.example/'\"<>", "https://acme.example/'%22%3C%3E"),
    ],
)
def test_a_link_that_is_none_leads_nowhere(link: str | None, expected: str | None) -> None:
    assert destination("https://evil.example", link, ADOMAIN) == expected
