"""`adlayout config print`: the settings that hold, and where each of them was set."""

from __future__ import annotations

import argparse
import json
import os
import sys

from adlayout.cli.directory import add_config, config_directory
from adlayout.cli.terminal import ink, print_json, warn
from adlayout.config.effective import effective

_EXAMPLE = """examples:
  adlayout config print
  ADLAYOUT_PORT=9000 adlayout config print --json

A value comes from a line of adlayout.yaml, from a variable, or is the default. Secrets are never printed."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its verb."""
    parser = subparsers.add_parser(
        "config",
        help="the effective configuration and where each value came from",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="print")
    verb = verbs.add_parser(
        "print",
        help="print every setting",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(verb)
    verb.add_argument("--json", action="store_true", help="print one JSON object, {key: {value, origin}}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints every setting; raises `ConfigError` where the file does not hold."""
    found = effective(config_directory(args.config), os.environ)
    values = found.values()
    for warning in found.warnings:
        warn(str(warning))
    if args.json:
        print_json({value.key: {"value": value.shown, "origin": value.origin} for value in values})
        return 0
    settings = [f"{value.key}: {json.dumps(value.shown, ensure_ascii=False)}" for value in values]
    room = max(len(setting) for setting in settings)
    for setting, value in zip(settings, values, strict=True):
        print(f"{setting:<{room}}  {ink(f'# {value.origin}', '2', sys.stdout)}")
    return 0
