"""`adlayout serve`: checks the config, starts a store where none is configured, and runs the workers."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from adlayout.assemble import Edition, assemble
from adlayout.errors import ConfigError, StoreError
from adlayout.store import embedded, runtime
from adlayout.store.client import Store
from adlayout.upkeep import seed_if_empty
from adlayout.web.app import CONFIG_DIR, STORE_URL
from adlayout.web.server import Listener, listen, serve_until_stopped

_EXAMPLE = """example:
  adlayout serve --config config --port 8080 --workers 2

Without a Redis in the config, an embedded Valkey is started and filled with the inventory of the config
directory; it forgets everything at the end unless --data-dir names a directory to keep it in."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "serve",
        help="the service; with no Redis configured, an embedded Valkey",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="DIR", help="the config directory (default: ./config)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="the port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded store keeps its data")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serves until it is stopped; 1 where it cannot start."""
    signal.signal(signal.SIGTERM, _leave)
    directory = args.config or Path("config")
    try:
        edition = assemble(directory, os.environ)
        listener = listen(args.host, args.port)
        with _store(edition, args.data_dir, listener.port) as url:
            os.environ[CONFIG_DIR], os.environ[STORE_URL] = str(directory.resolve()), url
            _welcome(edition, listener, directory)
            return 0 if serve_until_stopped(listener, workers=args.workers) else 1
    except (ConfigError, StoreError) as exc:
        print(exc, file=sys.stderr)
        return 1


@contextmanager
def _store(edition: Edition, data_dir: Path | None, port: int) -> Iterator[str]:
    """The address of the configured store, which may be away, or of an embedded one for as long as the block runs."""
    if edition.settings.store.url:
        yield edition.settings.store.url
        return
    with embedded.start(data_dir) as server:
        asyncio.run(_seed(edition, server.url))
        runtime.announce(port, server.url)
        try:
            yield server.url
        finally:
            runtime.withdraw(port)


async def _seed(edition: Edition, url: str) -> None:
    store = Store(url)
    try:
        await seed_if_empty(store, edition.house_rows)
    finally:
        await store.close()


def _welcome(edition: Edition, listener: Listener, directory: Path) -> None:
    """What to try next, in lines that can be pasted."""
    print(f"adlayout listens on {listener.base}")
    if not edition.settings.store.url:
        print("no Redis is configured: an embedded Valkey holds the sample inventory, for one machine only")
    sample = next(iter(sorted((directory / "samples").glob("*.html"))), None)
    if sample is not None:
        token = ' -H "Authorization: Bearer $ADLAYOUT_CMS_TOKEN"' if edition.settings.cms_token else ""
        print(f"look at a page:     {listener.base}/preview?sample={quote(sample.stem)}")
        print(
            f"compose an article: curl -H 'Content-Type: text/html'{token}"
            f" --data-binary @{sample} {listener.base}/v1/compose"
        )
    print("Ctrl-C stops it", flush=True)


def _leave(signum: int, frame: FrameType | None) -> None:
    """SIGTERM unwinds the stack, so that the embedded store is ended and its socket removed."""
    raise SystemExit(0)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
