"""What many tests share: a real store, started once and empty for each test, and the suite's own options."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings

from adlayout.store import embedded

# The same examples in every run, so that no change fails for what another one did; `make fuzz` draws new ones.
settings.register_profile("suite", max_examples=40, derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=int(os.environ.get("EXAMPLES", "2000")), deadline=None)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that rewrites the golden pages."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/*/out.html; review the diff")


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What services keep on disk is kept in a directory of this run, and not in the home of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """The address of a real Valkey on a unix socket, one for the whole run; what stands in it is anybody's."""
    with embedded.start() as server:
        yield server.url


@pytest.fixture
def clean_store(store_url: str) -> str:
    """The same address, with nothing in it."""
    with redis.Redis.from_url(store_url) as client:
        client.flushall()
    return store_url


# Not every machine has a browser, and the tests must pass on those too: here, and nowhere else, this is decided.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
_OF_BROWSERS = ("story/test_browser.py", "story/test_heights.py", "story/test_page_script.py")
collect_ignore = [] if BROWSER else [*_OF_BROWSERS]


def pytest_report_header() -> str:
    """Says which browser is used, or what does not run without one."""
    if BROWSER:
        return f"browser: {BROWSER}"
    files = " and ".join(f"tests/{name}" for name in _OF_BROWSERS)
    return f"browser: none, so {files} do NOT run (apt-get install chromium, or put a Chrome on PATH)"


@pytest.fixture(scope="session")
def browser_program() -> str:
    """A Chromium on this machine."""
    assert BROWSER, f"none of {', '.join(_BROWSERS)} is on PATH: apt-get install chromium"
    return BROWSER
