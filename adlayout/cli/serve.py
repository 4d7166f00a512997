"""`adlayout serve`: checks the config, starts a store where none is configured, and runs the workers."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from adlayout.assemble import Edition, assemble
from adlayout.cli.directory import add_config, config_directory
from adlayout.config.effective import state_directory
from adlayout.errors import ConfigError
from adlayout.store import embedded, runtime
from adlayout.store.client import Store
from adlayout.upkeep import seed_if_empty
from adlayout.web.accounts import closet, kept_secret
from adlayout.web.app import CONFIG_DIR, STORE_NAME
from adlayout.web.server import Listener, listen, serve_until_stopped

_VARIABLES = {
    "host": "ADLAYOUT_HOST",
    "port": "ADLAYOUT_PORT",
    "workers": "ADLAYOUT_WORKERS",
    "data_dir": "ADLAYOUT_DATA_DIR",
}
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
    add_config(parser)
    parser.add_argument("--host", help="the address to listen on (default: that of the config, else 127.0.0.1)")
    parser.add_argument("--port", help="the port, 0 for a free one (default: that of the config, else 8080)")
    parser.add_argument("--workers", metavar="N", help="processes (default: those of the config, else 1)")
    parser.add_argument("--data-dir", metavar="DIR", help="where the embedded store keeps its data (default: nowhere)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serves until it is stopped; 1 where the app does not start."""
    signal.signal(signal.SIGTERM, _leave)
    directory = config_directory(args.config)
    os.environ.update(_said(args))
    edition = _assembled(directory, args)
    server = edition.settings.server
    listener = listen(server.host, server.port)
    with _store(edition, listener.port) as url:
        _tell_workers(edition, url, directory)
        if edition.settings.public_url is None:
            # Without one only this machine is served, which is where a port that was free just now is known.
            os.environ["ADLAYOUT_PUBLIC_URL"] = listener.base
        _welcome(edition, listener, directory)
        return 0 if serve_until_stopped(listener, workers=server.workers) else 1


def _tell_workers(edition: Edition, url: str, directory: Path) -> None:
    """What the workers are to serve, in the variables that they inherit."""
    # Beside an embedded store that keeps nothing, what its workers write down may go with it.
    state = state_directory(edition.settings, os.environ) or Path(url.removeprefix("unix://")).parent / "state"
    os.environ["ADLAYOUT_STATE_DIR"] = str(state.absolute())
    if edition.settings.store.url is None:
        os.environ[STORE_NAME] = "embedded"
    # Said here, once, before any worker tries it in vain.
    closet(state, os.environ.get(STORE_NAME) or Store(url).where)
    if not edition.settings.secrets:
        kept_secret(state)
    os.environ.update({CONFIG_DIR: str(directory.resolve()), "ADLAYOUT_REDIS_URL": url})


def _said(args: argparse.Namespace) -> dict[str, str]:
    """The options as the variables they stand for, so that they are checked and inherited like these."""
    return {name: value for option, name in _VARIABLES.items() if (value := getattr(args, option)) is not None}


def _assembled(directory: Path, args: argparse.Namespace) -> Edition:
    """The edition; what is wrong with an option is said of it, not of the variable that it stands for."""
    try:
        return assemble(directory, os.environ)
    except ConfigError as exc:
        said = {f"environment {name}": f"--{option.replace('_', '-')}" for option, name in _VARIABLES.items()}
        given = {at: option for at, option in said.items() if at.removeprefix("environment ") in _said(args)}
        raise ConfigError(tuple(replace(fault, at=given.get(fault.at, fault.at)) for fault in exc.faults)) from exc


@contextmanager
def _store(edition: Edition, port: int) -> Iterator[str]:
    """The address of the configured store, which may be away, or of an embedded one for as long as the block runs."""
    configured = edition.settings.store
    if configured.url:
        yield configured.url
        return
    with embedded.start(configured.data_dir) as server:
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
        admin = 'curl -H "Authorization: Bearer $ADLAYOUT_ADMIN_TOKEN" ' if edition.settings.admin_token else ""
        print(f"look at a page:     {admin}{listener.base}/preview?sample={quote(sample.stem)}")
        print(
            f"compose an article: curl -H 'Content-Type: text/html'{token}"
            f" --data-binary @{sample} {listener.base}/v1/compose"
        )
    print("Ctrl-C stops it", flush=True)


def _leave(signum: int, frame: FrameType | None) -> None:
    """SIGTERM unwinds the stack, so that the embedded store is ended and its socket removed."""
    raise SystemExit(0)
