"""The program `adlayout`: its commands in one table, and every failure as a line on standard error."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from adlayout import __version__
from adlayout.cli import (
    check,
    compose,
    config,
    counters,
    experiments,
    explain,
    healthcheck,
    inventory,
    schema,
    serve,
    simulate,
)
from adlayout.cli.terminal import complain
from adlayout.errors import AdlayoutError

_COMMANDS: Final = (
    serve,
    check,
    compose,
    explain,
    simulate,
    inventory,
    experiments,
    counters,
    schema,
    config,
    healthcheck,
)

_EXAMPLE = """examples:
  adlayout serve
  adlayout explain article.html
  adlayout compose article.html -o page.html

Every command has a --help of its own."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 good, 1 failed, 2 not understood."""
    # A stream that was closed is None, and what goes there is lost.
    sys.stdout, sys.stderr = (
        stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end, as the stream would be
        for stream in (sys.stdout, sys.stderr)
    )
    for stream in (sys.stdout, sys.stderr):
        # A mark that the terminal's charset does not have is no reason to print nothing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    args = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        code = run(args)
        sys.stdout.flush()
    except AdlayoutError as exc:
        complain(str(exc))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, as `head`, had enough; without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adlayout",
        description="Puts ads into articles: an article in, the composed page out, every decision explained.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"adlayout {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(subparsers)
    return parser
