"""A real Chromium, driven over its DevTools pipe: pages to look at as readers do, and its own parse of any HTML."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Chromium reads commands from descriptor 3 and answers on 4; this takes the two pipes there and becomes it.
_BECOME = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3])
os.dup2(commands, 3), os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # which containers do not allow; the pages are ours
    "--disable-gpu",
    "--hide-scrollbars",  # as on phones, where they take no room
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)


@dataclass
class Browser:
    """The two ends of the pipe, and what the browser told unasked since the last page was opened."""

    commands: int
    answers: int
    told: list[dict[str, Any]] = field(default_factory=list)
    _said: int = 0
    _heard: bytes = b""

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Asks for one thing of the DevTools protocol and waits for the answer."""
        self._said += 1
        number = self._said
        message = {"id": number, "method": method, "params": parameters}
        waiting = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while waiting:
            waiting = waiting[os.write(self.commands, waiting) :]
        while True:
            answer = self._hear()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.told.append(answer)

    def wait_for(self, method: str) -> None:
        """Returns when the browser has told of such an event."""
        while not self.events(method):
            self.told.append(self._hear())

    def events(self, method: str) -> list[dict[str, Any]]:
        """What was told of one kind of event."""
        return [event["params"] for event in self.told if event.get("method") == method]

    def page(self) -> Page:
        """An empty page that reports what it does."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        return page

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            read = os.read(self.answers, 1 << 20)
            assert read, "the browser has ended"
            self._heard += read
        message, _, self._heard = self._heard.partition(b"\0")
        event: dict[str, Any] = json.loads(message)
        return event


@dataclass
class Page:
    """One tab."""

    browser: Browser
    session: str

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def open(self, url: str, *, width: int = 390, dark: bool = False) -> None:
        """Goes to the address in a window of that width, and returns when all of it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.browser.told.clear()
        self.call("Page.navigate", url=url)
        self.browser.wait_for("Page.loadEventFired")

    def run(self, script: str, *values: object) -> Any:
        """What a function of JavaScript returns for the values."""
        call = f"({script})({', '.join(json.dumps(value) for value in values)})"
        answer = self.call("Runtime.evaluate", expression=call, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def requests(self) -> list[str]:
        """Every address that was asked for since the page was opened, but for those that hold their own answer."""
        asked = [event["request"]["url"] for event in self.browser.events("Network.requestWillBeSent")]
        return [url for url in asked if not url.startswith("data:")]

    def faults(self) -> list[str]:
        """What failed in scripts and what the console was told."""
        thrown = self.browser.events("Runtime.exceptionThrown")
        logged = self.browser.events("Log.entryAdded") + self.browser.events("Runtime.consoleAPICalled")
        return [json.dumps(event) for event in (*thrown, *logged)]


@contextmanager
def browsing(program: str, home: Path) -> Iterator[Browser]:
    """A browser with nothing in its memory, for as long as the block runs."""
    told, commands = os.pipe()
    answers, said = os.pipe()
    launch = [sys.executable, "-c", _BECOME, str(told), str(said), program, *_OPTIONS, f"--user-data-dir={home}"]
    with (home / "errors").open("wb") as errors:
        process = subprocess.Popen(launch, pass_fds=(told, said), stdout=errors, stderr=errors)
    os.close(told)
    os.close(said)
    try:
        browser = Browser(commands, answers)
        yield browser
        browser.call("Browser.close")
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
