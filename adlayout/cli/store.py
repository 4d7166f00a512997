"""Which store a command means, and the settings that it counts by. Asks no store anything."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from adlayout.config.effective import FILE, load_settings
from adlayout.config.settings import Settings, Site
from adlayout.errors import StoreError
from adlayout.store import runtime

_REDIS_URL: Final = "ADLAYOUT_REDIS_URL"

FOUND: Final = """The store is that of --redis-url, else of ADLAYOUT_REDIS_URL, else of store.url in the config,
else the one that a running `adlayout serve` of yours started for itself."""


def add_store(parser: argparse.ArgumentParser) -> None:
    """Adds what says which store is meant; the config directory is for others to add."""
    parser.add_argument("--redis-url", metavar="URL", help="the store, whatever the config says")
    parser.add_argument("--port", type=int, help="which running serve, where several run")


def settings_of(args: argparse.Namespace) -> Settings:
    """Those of the config; where none was named and none is here, what holds without one."""
    directory = args.config or Path("config")
    if args.config or (directory / FILE).exists():
        return load_settings(directory, os.environ)
    return Settings(version=1, sites={"default": Site(name="default")})


def find_store(args: argparse.Namespace, settings: Settings) -> str | None:
    """The address of the store that is meant, or None; raises StoreError where several might be."""
    return args.redis_url or settings.store.url or os.environ.get(_REDIS_URL) or runtime.find(args.port)


def store_url(args: argparse.Namespace) -> str:
    """The address of the store that is meant; raises StoreError where none is found."""
    if url := args.redis_url or find_store(args, settings_of(args)):
        return str(url)
    raise StoreError(f"no store: say --redis-url, set {_REDIS_URL} or store.url, or start `adlayout serve`")
