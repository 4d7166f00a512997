"""The first promise: whatever fails, the article comes back whole, and the answer says what it went without."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from adlayout.cli.main import main
from adlayout.store import keys

from .newsroom import Answer, Redis, Service, copy_config, creative, wait_until

Serve = Callable[..., Service]

NO_STORE = Answer(degraded={"store_error"}, ads=0)
NO_ANSWER = Answer(degraded={"store_timeout"}, ads=0)
STALE = Answer(degraded={"store_error", "stale_inventory"})
STALE_AND_HUNG = Answer(degraded={"store_timeout", "stale_inventory"})


def comes_to(answer: Answer, service: Service, *, within_s: float = 5) -> None:
    """Waits for the answer; every answer on the way is a 200 with the whole article."""

    def holds() -> bool:
        given = service.compose()
        assert (given.status, given.whole) == (200, True)
        return given == answer

    wait_until(holds, within_s=within_s)


def test_on_a_good_day_every_slot_has_its_ad(store: Redis, serve: Serve) -> None:
    service = serve(store.url)
    assert service.compose() == Answer()
    assert service.readyz()["store"] == "ok"


# Redis.


def test_a_redis_that_is_killed_leaves_the_ads_as_they_last_were(store: Redis, serve: Serve) -> None:
    service = serve(store.url)
    store.kill()
    comes_to(STALE, service)
    said = service.readyz()
    counting = said.pop("counting")
    assert (counting["waiting"] > 0, counting["lost"]) == (True, 0)
    assert said | {"worker": 0} == {
        "status": "ready",
        "version": "0.1.0",
        "store": "degraded",
        "revision": 1,
        "bad_rows": 0,
        "worker": 0,
        "problem": None,
    }


def test_a_redis_that_hangs_leaves_the_ads_as_they_last_were(store: Redis, serve: Serve) -> None:
    service = serve(store.url)
    store.send(SIGSTOP)
    comes_to(STALE_AND_HUNG, service)
    store.send(SIGCONT)
    comes_to(Answer(), service, within_s=2)


def test_a_redis_that_comes_late_brings_its_ads_within_two_seconds(store: Redis, serve: Serve) -> None:
    store.kill()
    service = serve(store.url)
    assert service.compose() == NO_STORE
    store.start()
    store.write(spring=creative("spring", "<b>spring</b>"))
    comes_to(Answer(), service, within_s=2)


def test_a_redis_that_hangs_at_the_start_brings_its_ads_when_it_goes_on(store: Redis, serve: Serve) -> None:
    store.send(SIGSTOP)
    service = serve(store.url)
    assert service.compose() == NO_ANSWER
    store.send(SIGCONT)
    comes_to(Answer(), service, within_s=2)


def test_a_redis_that_takes_calls_and_never_speaks_costs_the_ads(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes the calls
        service = serve(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert service.compose() == NO_ANSWER


@contextmanager
def relay(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that treats each caller in a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                answer(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()


def one_that_replies(reply: bytes) -> AbstractContextManager[str]:
    """The address of a server that gives this reply to every command."""

    def answer(caller: socket.socket) -> None:
        while asked := caller.recv(65_536):
            caller.sendall(reply * asked.count(b"*"))

    return relay(answer)


@pytest.mark.parametrize(
    "reply",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=["loading", "password", "no redis"],
)
def test_a_redis_that_answers_with_an_error_costs_the_ads(serve: Serve, reply: bytes) -> None:
    with one_that_replies(reply) as url:
        assert serve(url).compose() == NO_STORE


@contextmanager
def a_long_way_to(store: Redis) -> Iterator[str]:
    """The address of a relay that keeps every answer of the store for a fifth of a second."""

    def pass_on(caller: socket.socket) -> None:
        with caller, store.connect() as server:
            while asked := caller.recv(65_536):
                server.sendall(asked)
                threading.Event().wait(0.2)
                caller.sendall(server.recv(65_536))

    with relay(pass_on) as url:
        yield url


def test_a_redis_that_is_far_away_is_waited_for_as_long_as_ops_say(store: Redis, serve: Serve, tmp_path: Path) -> None:
    config = copy_config(tmp_path)
    settings = config / "adlayout.yaml"
    settings.write_text(settings.read_text().replace("timeout_ms: 80", "timeout_ms: 5000"))
    with a_long_way_to(store) as url:
        comes_to(Answer(), serve(url, config=config))


@pytest.mark.parametrize("key", [keys.CREATIVES, keys.REVISION])
def test_a_wrong_type_under_a_key_leaves_the_ads_as_they_last_were(store: Redis, serve: Serve, key: str) -> None:
    service = serve(store.url)
    store.client.incr(keys.REVISION)
    store.client.delete(key)
    store.client.rpush(key, "no hash and no number")
    comes_to(STALE, service)
    store.client.delete(key)
    store.write(spring=creative("spring", "<b>spring</b>"))
    comes_to(Answer(), service, within_s=2)


def test_rights_that_are_taken_away_leave_the_ads_as_they_last_were(store: Redis, serve: Serve) -> None:
    service = serve(store.url)
    store.client.acl_setuser("default", enabled=True, nopass=True, reset_keys=True, categories=["+@all"])
    comes_to(STALE, service)
    store.client.acl_setuser("default", enabled=True, nopass=True, keys=["*"], categories=["+@all"])
    comes_to(Answer(), service, within_s=2)


def test_a_password_that_nobody_told_us_leaves_the_ads_as_they_last_were(store: Redis, serve: Serve) -> None:
    service = serve(store.url)
    store.client.config_set("requirepass", "secret")
    store.client.client_kill_filter(_type="normal", skipme=True)
    comes_to(STALE, service)
    store.client.config_set("requirepass", "")
    comes_to(Answer(), service, within_s=2)


def test_a_full_redis_refuses_new_ads_and_keeps_the_old(
    store: Redis, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = serve(store.url)
    store.client.config_set("maxmemory", "1")
    ads = tmp_path / "ads.yaml"
    ads.write_text(f"creatives: [{creative('autumn', '<b>autumn</b>')}]")
    assert main(["inventory", "load", str(ads), "--redis-url", store.url]) == 1
    assert "maxmemory" in capsys.readouterr().err
    assert service.compose() == Answer()


# Creatives.


RUBBISH = {
    "no-json": "{",
    "no-object": "[]",
    "no-utf-8": "\udcff",
    "no-creative": '{"id": "no-creative"}',
    "another-id": creative("other", "<b>other</b>"),
    "bad-markup": creative("bad-markup", "<script>bad</script>"),
}


def test_rubbish_rows_are_counted_and_cost_no_other_its_place(store: Redis, serve: Serve) -> None:
    for id, text in RUBBISH.items():
        store.client.hset(keys.CREATIVES, id, text.encode("utf-8", "surrogateescape"))
    service = serve(store.url)
    assert service.compose() == Answer()
    assert service.readyz()["bad_rows"] == len(RUBBISH)


# Templates, sites, layouts, time.


# What a template does with a headline that it was not rehearsed with, only a reader finds out.
TEMPLATE = """
{% if headline != "no article" %}{{ article }}{% endif %}
{% if headline == "two articles" %}{{ article }}{% endif %}
{% if headline == "an error" %}{{ 1 // 0 }}{% endif %}
{% if headline == "an unknown name" %}{{ nobody }}{% endif %}
"""


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    """A config directory whose page template breaks with some headlines."""
    config = copy_config(tmp_path)
    (config / "templates" / "article.html.j2").write_text(TEMPLATE)
    return config


def test_a_template_that_breaks_costs_the_page_its_looks(store: Redis, serve: Serve, fragile: Path) -> None:
    service = serve(store.url, config=fragile)
    headlines = ("good", "no article", "two articles", "an error", "an unknown name")
    answers = [service.compose(f"?headline={headline}") for headline in headlines]
    assert answers == [Answer(), *[Answer(degraded={"template"})] * 4]
    assert service.post("?headline=an error").text.startswith("<!doctype html>")


def test_a_site_without_ads_lacks_nothing(store: Redis, serve: Serve, tmp_path: Path) -> None:
    config = copy_config(tmp_path)
    settings = config / "adlayout.yaml"
    settings.write_text(settings.read_text().replace("ads: true", "ads: false"))
    service = serve(store.url, config=config)
    assert service.compose() == Answer(ads=0)
    assert service.post().headers["adlayout-slots"] == "0/0"
    store.kill()
    wait_until(lambda: service.readyz()["store"] == "degraded")
    assert service.compose() == Answer(ads=0)


def test_names_that_nobody_knows_fall_back_to_the_defaults(store: Redis, serve: Serve) -> None:
    service = serve(store.url)
    assert service.compose("?site=nowhere&layout=nothing") == Answer(degraded={"unknown_site", "unknown_layout"})


def test_a_deadline_that_is_over_costs_the_ads(store: Redis, serve: Serve) -> None:
    """To plan this article takes seconds; who sent it gets it back at once, and everybody else their ads."""
    service = serve(store.url)
    assert service.compose("?timeout_ms=1", b"<p>x" * 400_000) == Answer(degraded={"deadline"}, ads=0)
    comes_to(Answer(), service)


def test_when_everything_fails_at_once_the_article_is_still_there(serve: Serve, fragile: Path) -> None:
    service = serve(f"unix://{fragile}/nobody", config=fragile)
    assert service.compose("?headline=an error&site=nowhere&layout=nothing") == Answer(
        degraded={"unknown_site", "unknown_layout", "template", "store_error"}, ads=0
    )
