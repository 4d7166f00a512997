"""What a worker counts with, and what it keeps on the local disk for that: the secret, its spools, the last inventory.

Never knows a request.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from errno import EACCES
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from adlayout.config.fields import zone
from adlayout.config.settings import Settings
from adlayout.counting import Counter
from adlayout.deciding import Books, Receipt
from adlayout.decision.turns import Standing
from adlayout.delivery import Delivery
from adlayout.errors import ConfigError, Fault
from adlayout.events.spool import Bounds
from adlayout.events.token import Signer
from adlayout.events.traffic import Rate, Traffic, is_early
from adlayout.model import Request
from adlayout.store.client import Store
from adlayout.store.effects import Terms
from adlayout.telemetry.logs import QUIET, Log
from adlayout.upkeep import Shelf

_KEPT_AS: Final = "secret"
_SECRET_BYTES: Final = 32
_HOUR_MS: Final = 3_600_000


@dataclass(slots=True)
class Accounts:
    """Who keeps budgets and signs, who counts, who tells readers from machines, and the shelf that learns of clicks."""

    books: Books
    counter: Counter
    traffic: Traffic
    shelf: Shelf
    _delivery: Delivery = field(default_factory=Delivery)

    @property
    def delivery(self) -> Delivery:
        """How far flights are delivered, as it was last heard."""
        return self._delivery

    @delivery.setter
    def delivery(self, value: Delivery) -> None:
        self._delivery = value
        self.books.standing = Standing(value.rates, value.spent)
        # Whose turn it is not stands in a preview all the same: ops look for their ads there.
        self.books.shown = Standing(spent=value.spent)
        self.shelf.ctr = value.ctr

    def served(self, receipt: Receipt, request: Request, headers: Mapping[bytes, bytes]) -> None:
        """Writes down that a page leaves; a caller that asks for it again is told the same and counted once."""
        signed = receipt.signed
        if receipt.serve is not None:
            signed = replace(signed, ticket=signed.ticket._replace(serve=receipt.serve))
        bad = self.traffic.invalid(agent=request.user_agent, address=request.ip, early=is_early(headers))
        self.counter.page(signed, once=receipt.serve is not None, caps=receipt.caps, bad=bad)

    def waiting(self) -> dict[str, object]:
        """What is still to be counted: lines, the age of the oldest in seconds, and how many lines were lost."""
        waiting = self.counter.waiting()
        return {"waiting": waiting.lines, "oldest_s": round(waiting.oldest_s, 1), "lost": waiting.lost}


@dataclass(frozen=True, slots=True)
class Closet:
    """The directory of one store in the state directory: nothing in it may be sent to another store."""

    path: Path

    @property
    def snapshot(self) -> Path:
        """The last good inventory."""
        return self.path / "inventory.json"

    @property
    def spools(self) -> Path:
        """What waits to be counted."""
        return self.path / "spools"


def closet(state: Path, store: str) -> Closet:
    """The place of the store of this address, or of this name, made where it is not there yet."""
    path = state / hashlib.sha256(store.encode()).hexdigest()[:16]
    try:
        for each in (state, path):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as exc:
        message = f"{path}: cannot be written ({(exc.strerror or str(exc)).lower()}): name a directory that can"
        raise ConfigError((Fault("counting.state_dir", message),)) from exc
    return Closet(path)


def open_accounts(settings: Settings, shelf: Shelf, store: Store, place: Closet, *, log: Log = QUIET) -> Accounts:
    """Opens the worker's own spools and takes the secrets of the settings, else that of the disk."""
    held = settings.secrets or (kept_secret(place.path.parent),)
    counting, traffic = settings.counting, settings.traffic
    counter = Counter(
        place.spools,
        shards=settings.store.shards,
        log=log,
        bounds=Bounds(disk_bytes=counting.spool_max_mb * 1024 * 1024),
    )
    return Accounts(
        books=Books(store, Signer(held), held, settings, ahead=lambda: counter.ahead),
        counter=counter,
        traffic=Traffic(
            [ip_network(network) for network in traffic.data_centres],
            rate=Rate(traffic.events_per_minute, traffic.events_per_minute),
        ),
        shelf=shelf,
    )


def open_store(settings: Settings, url: str) -> Store:
    """The client of the store, as the settings want it."""
    kept, counting = settings.store, settings.counting
    return Store(
        url,
        timeout_ms=kept.timeout_ms,
        page_timeout_ms=kept.page_timeout_ms,
        shards=kept.shards,
        hold_ms=counting.hold_s * 1000,
        token_ms=counting.token_hours * _HOUR_MS,
        stream_length=counting.stream_length,
        hourly_days=counting.hourly_days,
        zone=zone(counting.time_zone),
    )


def terms_of(settings: Settings) -> Terms:
    """How the store of these settings counts events."""
    counting = settings.counting
    return Terms(
        zone=zone(counting.time_zone),
        hold_ms=counting.hold_s * 1000,
        token_ms=counting.token_hours * _HOUR_MS,
        hour_ms=counting.hourly_days * 24 * _HOUR_MS,
        stream_length=counting.stream_length,
    )


def kept_secret(state: Path) -> str:
    """The secret in the state directory, the same for every process; made where there is none yet."""
    path = state / _KEPT_AS
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        found = path.read_text("ascii").strip()
    except (OSError, ValueError) as exc:
        raise ConfigError((Fault(str(path), f"cannot be read: {exc}; or set ADLAYOUT_SECRET"),)) from exc
    if len(found) < _SECRET_BYTES:
        raise ConfigError((Fault(str(path), "holds no secret: delete it, or set ADLAYOUT_SECRET"),))
    return found


def _make(path: Path) -> None:
    """Writes a secret whole before it has its name; of several that try at once, the first one's stands."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_SECRET_BYTES))
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
