"""`adlayout healthcheck`: whether the service on this machine lives, for containers."""

from __future__ import annotations

import argparse
import os
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from adlayout.cli.directory import add_config, config_directory
from adlayout.cli.terminal import complain
from adlayout.config.effective import load_settings
from adlayout.config.settings import Server
from adlayout.errors import ConfigError

_TIMEOUT_S: Final = 2.0

_EXAMPLE = """examples:
  adlayout healthcheck
  HEALTHCHECK CMD ["adlayout", "healthcheck"]"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "healthcheck",
        help="whether the service on this machine answers; exit 0 or 1",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, help="the port (default: that of the config, else 8080)")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Asks /healthz once, past any proxy; 0 where it answers 200."""
    server = _server(args)
    url = f"http://{_reachable(server.host)}:{server.port if args.port is None else args.port}/healthz"
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_TIMEOUT_S) as answer:
            status = answer.status
    except HTTPError as exc:
        status = exc.code
    except (OSError, HTTPException, ValueError) as exc:
        complain(f"{url}: {_why(exc)}")
        return 1
    if status != 200:
        complain(f"{url}: answered {status}")
        return 1
    print(f"{url}: ok")
    return 0


def _server(args: argparse.Namespace) -> Server:
    """Where the service listens. A config that broke while the service runs on is not what is asked here."""
    try:
        return load_settings(config_directory(args.config), os.environ).server
    except ConfigError:
        return Server()


def _reachable(host: str) -> str:
    """The host to ask: this machine itself where the service listens on every network."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _why(exc: OSError | HTTPException | ValueError) -> str:
    """The cause without the words of the library around it."""
    cause = exc.reason if isinstance(exc, URLError) else exc
    said = cause.strerror if isinstance(cause, OSError) else None
    return said.lower() if said else str(cause)
