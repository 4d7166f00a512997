"""The log: events and requests in the words of the glossary, a line each; ids and counts, never an article's text."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO, TypeAlias

from adlayout.model import Filled, Page
from adlayout.telemetry.lines import Lines

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Requests: TypeAlias = Literal["all", "slow", "off"]

# A page that took longer than this was noticed by somebody.
SLOW_MS: Final = 100.0
# Of the requests that went well, so many are told as one: enough to see what is usual.
ONE_IN: Final = 100

_RANKS: Final[Mapping[str, int]] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
# Events whose level follows from what they say; all others are `info` where nothing else is asked for.
_LEVELS: Final[Mapping[str, Level]] = {
    "bad_row": "warning",
    "bad_markup": "warning",
    "config_warning": "warning",
    "lines_lost": "warning",
    "store_error": "warning",
    "store_timeout": "warning",
    "pacing_stale": "warning",
    "compose_failed": "error",
    "template_failed": "error",
    "reload_failed": "error",
}
_MOST_CHARS: Final = 500
_MOST_FRAMES: Final = 12


def _now() -> datetime:
    return datetime.now(UTC)


class Log:
    """Writes events, a line each, as JSON for a collector or as text for people; without lines it writes nothing.

    `requests` is which of them get a line: all, those that were slow or went wrong and a few of the others, or none.
    """

    def __init__(
        self,
        lines: Lines | None,
        *,
        level: Level = "info",
        text: bool = False,
        requests: Requests = "slow",
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._lines = lines
        self._least = _RANKS[level]
        self._text = text
        self._requests = requests
        self._now = now
        self._usual = 0
        self._lost = 0

    def __call__(self, event: str, /, **fields: object) -> None:
        """Writes one event with its fields; a field `level` is the level."""
        level = str(fields.pop("level", None) or _LEVELS.get(event, "info"))
        if self._lines is None or _RANKS[level] < self._least:
            return
        if self._lines.is_full:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self("lines_lost", count=lost)
        form = _as_text if self._text else _as_json
        self._lines.put(form(self._now(), level, event, fields))

    def answered(self, ms: float, status: int, page: Page | None, named: Mapping[str, object]) -> None:
        """Tells of one request that was answered, where `requests` and the level ask for it; `named` says which."""
        if self._requests == "off" or self._lines is None:
            return
        wrong = status >= 400 or (page is not None and bool(page.degraded))
        sampled: dict[str, object] = {}
        if self._requests == "slow" and not wrong and ms <= SLOW_MS:
            self._usual += 1
            if self._usual % ONE_IN != 1:
                return
            sampled = {"one_in": ONE_IN}
        level = "error" if status >= 500 else "warning" if wrong else "info"
        self("request", level=level, **named, status=status, ms=round(ms, 2), **_told(page), **sampled)

    def flush(self) -> None:
        """Returns when what was told is written, or after a second."""
        if self._lines is not None:
            self._lines.flush()


QUIET: Final = Log(None)


def to_stream(stream: TextIO, *, level: Level, form: Literal["auto", "json", "text"], requests: Requests) -> Log:
    """The log on a stream; `auto` is text where a person looks at it, else JSON."""
    text = form == "text" or (form == "auto" and stream.isatty())
    return Log(Lines(stream), level=level, text=text, requests=requests)


def failure(exc: BaseException) -> dict[str, object]:
    """An exception as fields: its kind and where it came from.

    Its message, which may quote an article, is left out unless it is the operating system's.
    """
    frames = traceback.extract_tb(exc.__traceback__)[-_MOST_FRAMES:]
    told: dict[str, object] = {"exception": type(exc).__name__}
    if isinstance(exc, OSError):
        told["error"] = str(exc)
    return told | {"frames": [f"{one.filename}:{one.lineno} {one.name}" for one in frames]}


class Bridge(logging.Handler):
    """What libraries log, as events of this log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record, with what is told of its exception."""
        error = record.exc_info[1] if record.exc_info else None
        told = failure(error) if error is not None else {}
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self._log("library", level=level, logger=record.name, message=record.getMessage(), **told)


def adopt_libraries(log: Log) -> None:
    """From here on what libraries log in this process, from a warning upwards, is a line of this log."""
    logging.basicConfig(handlers=[Bridge(log)], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def _told(page: Page | None) -> dict[str, object]:
    """What is told of a page."""
    if page is None:
        return {}
    return {
        "site": page.site,
        "layout": page.layout,
        "device": page.device,
        "output": page.output,
        "filled": sum(isinstance(each, Filled) for each in page.decisions),
        "slots": len(page.decisions),
        "degraded": list(page.degraded),
        "warnings": len(page.warnings),
        "cached": page.cached,
        **{f"{stage}_ms": round(spent, 2) for stage, spent in page.timings_ms},
    }


def _as_json(at: datetime, level: str, event: str, fields: Mapping[str, object]) -> str:
    named = {name: value[:_MOST_CHARS] if isinstance(value, str) else value for name, value in fields.items()}
    ts = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"ts": ts, "level": level, "event": event} | named, separators=(",", ":"), default=str)


def _as_text(at: datetime, level: str, event: str, fields: Mapping[str, object]) -> str:
    told = " ".join(f"{name}={_readable(value)}" for name, value in fields.items())
    return f"{at:%H:%M:%S} {level:<7} {event} {told}".rstrip()


def _readable(value: object) -> str:
    """The value on one line, with nothing in it that a terminal would obey."""
    if isinstance(value, list):
        return ",".join(map(_readable, value)) or "-"
    text = str(value)[:_MOST_CHARS]
    if text.isprintable() and not {" ", '"', "="} & set(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else json.dumps(text)
