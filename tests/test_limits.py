"""What the service takes: bodies up to a limit however they are framed, callers with a token or on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from starlette.types import Message

from adlayout.errors import NotAllowed, NotAnArticle, TooLarge
from adlayout.web.limits import Deadline, admit, read_body


def read(chunks: list[bytes], *, limit: int = 10, headers: Mapping[bytes, bytes] | None = None) -> tuple[bytes, int]:
    """The body of these chunks, and how many of them were left unread."""
    messages: list[Message] = [{"type": "http.request", "body": each, "more_body": True} for each in chunks]
    messages[-1]["more_body"] = False
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    body = asyncio.run(read_body(headers or {}, receive, limit=limit, within_s=5))
    return body, len(list(left))


@pytest.mark.parametrize("chunks", [[b""], [b"0123456789"], [b"01234", b"56789"], [b"", b"x", b""]])
def test_a_body_within_the_limit_is_read_whole(chunks: list[bytes]) -> None:
    assert read(chunks) == (b"".join(chunks), 0)


@pytest.mark.parametrize("chunks", [[b"0123456789x"], [b"0123456789", b"x"], [b"0123456789x", b"y", b"z"]])
def test_a_body_over_the_limit_is_refused_however_it_is_framed(chunks: list[bytes]) -> None:
    with pytest.raises(TooLarge, match="10 bytes"):
        read(chunks)


@pytest.mark.parametrize("length", [b"11", b"9" * 400])
def test_a_body_that_announces_too_much_is_refused(length: bytes) -> None:
    with pytest.raises(TooLarge):
        read([b"x"], headers={b"content-length": length})


def test_a_caller_that_waits_for_leave_is_refused_without_sending() -> None:
    async def receive() -> Message:
        raise AssertionError("asked for the body")

    with pytest.raises(TooLarge):
        asyncio.run(read_body({b"content-length": b"11", b"expect": b"100-continue"}, receive, limit=10, within_s=0.01))


def test_a_caller_that_hangs_up_is_no_article() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(NotAnArticle):
        asyncio.run(read_body({}, receive, limit=10, within_s=0.01))


def test_a_body_that_never_ends_is_given_up() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    with pytest.raises(NotAnArticle, match="did not arrive"):
        asyncio.run(read_body({}, receive, limit=10, within_s=0.01))


@pytest.mark.parametrize("client", [None, ("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)])
def test_without_a_token_this_machine_is_let_in(client: tuple[str, int] | None) -> None:
    admit({"client": client}, {}, None)


@pytest.mark.parametrize("client", [("192.0.2.1", 1), ("::ffff:192.0.2.1", 1), ("testclient", 1), ("", 1)])
def test_without_a_token_every_other_machine_is_refused(client: tuple[str, int]) -> None:
    with pytest.raises(NotAllowed, match="same machine"):
        admit({"client": client}, {b"authorization": b"Bearer x"}, None)


@pytest.mark.parametrize("given", [b"Bearer secret", b"bearer  secret"])
def test_the_token_lets_any_machine_in(given: bytes) -> None:
    admit({"client": ("192.0.2.1", 1)}, {b"authorization": given}, "secret")


@pytest.mark.parametrize("given", [b"", b"Bearer", b"Bearer secrets", b"Basic secret", b"secret", b"Bearer \xff"])
def test_a_wrong_token_is_refused_on_this_machine_too(given: bytes) -> None:
    with pytest.raises(NotAllowed, match="Bearer"):
        admit({"client": ("127.0.0.1", 1)}, {b"authorization": given}, "secret")


@pytest.mark.parametrize(("asked", "ends"), [(None, 100.25), (50, 100.05), (9_999, 109.999), (10**9, 160.0)])
def test_a_request_says_how_long_it_waits_up_to_a_minute(asked: int | None, ends: float) -> None:
    moments = iter([100.0, ends - 0.25, ends - 0.001, ends + 0.001, ends + 1])
    deadline = Deadline(asked, 250, now=lambda: next(moments))
    assert deadline.left_s == pytest.approx(0.25)
    assert [deadline.passed(), deadline.passed(), deadline.left_s] == [False, True, 0.0]


def test_a_caller_that_announces_too_much_and_stalls_is_not_waited_for() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    async def main() -> None:
        async with asyncio.timeout(5):
            await read_body({b"content-length": b"11"}, receive, limit=10, within_s=60)

    with pytest.raises(TooLarge, match="10 bytes"):
        asyncio.run(main())
