"""`adlayout check`: every fault of config directories at once, each at its line."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from adlayout.assemble import assemble
from adlayout.cli.directory import add_config, config_directory, missing
from adlayout.cli.progress import Progress
from adlayout.cli.terminal import complain, print_json, warn
from adlayout.corpus import survey
from adlayout.errors import ConfigError, Fault
from adlayout.simulate import articles_in

_EXAMPLE = """examples:
  adlayout check
  adlayout check config staging/config
  adlayout check --json config
  adlayout check --corpus articles

Warnings are no faults: what a layout says in vain, and, with --corpus, what it says that none of the articles needs."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "check",
        help="every fault in the config at once, file:line:column",
        description="Finds every fault in config directories at once. Exit 0 where there is none, else 1.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="config directories (default: --config)")
    add_config(parser)
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="a folder of articles, *.html and *.htm: try every layout on them"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks every directory, whatever the one before was like; 1 where there are faults."""
    directories = args.paths or [config_directory(args.config)]
    corpus = _Corpus(args.corpus, articles_in(args.corpus)) if args.corpus is not None else None
    checked = [_checked(directory, corpus) for directory in directories]
    faults = [fault for one in checked for fault in one.faults]
    if args.json:
        warnings = [warning for one in checked for warning in one.warnings]
        told = {"faults": [asdict(one) for one in faults], "warnings": [asdict(one) for one in warnings]}
        print_json({"ok": not faults} | told)
    else:
        for one in checked:
            _tell(one)
    return 1 if faults else 0


@dataclass(frozen=True, slots=True)
class _Corpus:
    folder: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Checked:
    directory: Path
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    layouts: tuple[str, ...] = ()
    articles: str = ""


def _checked(directory: Path, corpus: _Corpus | None) -> _Checked:
    if fault := missing(directory):
        return _Checked(directory, (fault,))
    try:
        edition = assemble(directory, os.environ)
    except ConfigError as exc:
        return _Checked(directory, exc.faults)
    checked = _Checked(directory, (), edition.warnings, tuple(sorted(edition.layouts)))
    if corpus is None:
        return checked
    with Progress(sys.stderr) as progress:
        found = survey(edition, corpus.folder, corpus.files, progress.tell)
    many = "1 article" if found.articles == 1 else f"{found.articles:,} articles"
    return replace(checked, warnings=(*checked.warnings, *found.warnings), articles=f", tried on {many}")


def _tell(one: _Checked) -> None:
    for warning in one.warnings:
        warn(str(warning))
    if one.faults:
        complain("\n".join(str(fault) for fault in one.faults))
        count = "1 fault" if len(one.faults) == 1 else f"{len(one.faults)} faults"
        print(f"{one.directory}: {count}")
    else:
        print(f"{one.directory}: good (layouts: {', '.join(one.layouts) or 'none'}){one.articles}")
