"""`adlayout inventory`: campaigns, flights and creatives to and from the store."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adlayout.checks import proven
from adlayout.cli.directory import config_directory
from adlayout.cli.store import FOUND, add_store, store_url
from adlayout.cli.terminal import complain, warn
from adlayout.config.read import fit, open_source
from adlayout.config.source import Source
from adlayout.decision.files import doubtful
from adlayout.decision.inventory import read_inventory
from adlayout.decision.schema import InventoryFile
from adlayout.errors import AdlayoutError, ConfigError, Fault
from adlayout.model import Creative, Native
from adlayout.publishing import BadInventory, Prepare, Publisher
from adlayout.rendering.page import Templates
from adlayout.rows import Rows
from adlayout.store.client import Store

# What YAML does not take inside quotes, or takes for the end of a line.
_YAML_UNFIT = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")

_EXAMPLE = f"""examples:
  adlayout inventory load ads/spring.yaml ads/house.yaml
  adlayout inventory load --replace ads/*.yaml
  adlayout inventory export > backup.yaml
  adlayout inventory show acme-spring

{FOUND}"""


@dataclass(frozen=True, slots=True)
class _File:
    """A file's contents, and where everything in it stands."""

    source: Source
    contents: InventoryFile


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command, its three verbs and their options."""
    parser = subparsers.add_parser(
        "inventory",
        help="campaigns, flights, creatives to and from Redis",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--config", type=Path, metavar="DIR", help="the config directory (default: ./config)")
    add_store(where)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="load | export | show")
    verb = partial(
        verbs.add_parser, parents=[where], epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    load = verb("load", help="write the rows of files, all or none")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON")
    load.add_argument("--replace", action="store_true", help="remove the rows that are not in the files")
    load.add_argument("--json", action="store_true", help="say what changed as one JSON object")
    export = verb("export", help="print all rows as a file that load takes")
    export.add_argument("--json", action="store_true", help="as one JSON object")
    show = verb("show", help="print the rows with an id, as JSON")
    show.add_argument("id", metavar="ID")


def run(args: argparse.Namespace) -> int:
    """Does what was asked; 1, with the causes on standard error, where it cannot."""
    try:
        return asyncio.run(_run(args))
    except AdlayoutError as exc:
        complain(str(exc))
        return 1


async def _run(args: argparse.Namespace) -> int:
    files = _read(args.files) if args.verb == "load" else []
    store = Store(store_url(args))
    try:
        match args.verb:
            case "load":
                publisher = Publisher(store, _prepare(args.config))
                return await _load(publisher, files, replaces=args.replace, as_json=args.json)
            case "export":
                return _export((await store.load())[1], as_json=args.json)
            case _:
                return _show((await store.load())[1], args.id)
    finally:
        await store.close()


def _read(paths: Iterable[Path]) -> list[_File]:
    """All files, or every fault of all of them."""
    files: list[_File] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            source = open_source(path)
            files.append(_File(source, fit(source, InventoryFile)))
        except ConfigError as exc:
            faults.extend(exc.faults)
    if faults:
        raise ConfigError(tuple(faults))
    return files


async def _load(publisher: Publisher, files: list[_File], *, replaces: bool, as_json: bool) -> int:
    try:
        done = await publisher.publish([file.contents for file in files], replaces=replaces)
    except BadInventory as bad:
        pairs = zip(files, bad.by_file, strict=True)
        raise ConfigError(tuple(file.source.placed(fault) for file, faults in pairs for fault in faults)) from bad
    for warning in (file.source.placed(one, key=True) for file in files for one in doubtful(file.contents)):
        warn(str(warning))
    counts = {kind: delta.counts() for kind, delta in done.deltas.items()}
    if as_json:
        print(_json({"revision": done.revision} | counts))
        return 0
    for kind, count in counts.items():
        print("{kind}: {rows} ({added} added, {changed} changed, {removed} removed)".format(kind=kind, **count))
    print(f"revision {done.revision}")
    return 0


def _prepare(directory: Path | None) -> Prepare:
    """Tries a creative as the service would; without templates at hand, a native one is taken as it is."""
    templates, _ = Templates.attempt(_config(directory) / "templates")

    def prepare(creative: Creative) -> None:
        if templates.compiled or not isinstance(creative.content, Native):
            proven(creative, templates)

    return prepare


def _config(directory: Path | None) -> Path:
    """The config directory; where none was named and none is found, one that need not be there."""
    try:
        return config_directory(directory)
    except ConfigError:
        if directory is not None:
            raise
        return Path("config")


def _kinds(rows: Rows) -> Iterable[tuple[str, Mapping[str, str]]]:
    return (("campaigns", rows.campaigns), ("flights", rows.flights), ("creatives", rows.creatives))


def _export(rows: Rows, *, as_json: bool) -> int:
    """Prints every row that holds; 1 where one does not, so that nobody takes the rest for the whole."""
    bad = _warn(rows)
    held = {
        kind: [json.loads(text) for id, text in sorted(texts.items()) if (kind, id) not in bad]
        for kind, texts in _kinds(rows)
    }
    print(_json(held) if as_json else _yaml(held))
    return 1 if bad else 0


def _warn(rows: Rows) -> set[tuple[str, str]]:
    """Names the bad rows on standard error and returns those that cannot be exported."""
    _, bad_rows = read_inventory(rows)
    for row in bad_rows:
        warn(f"{row.kind} {row.id}: {row.message}")
    return {(kind, id) for kind, texts in _kinds(rows) for id, text in texts.items() if not _is_json(text)}


def _is_json(text: str) -> bool:
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _yaml(held: Mapping[str, list[object]]) -> str:
    """A row per line, in a file that `load` takes."""
    lines = []
    for kind, rows in held.items():
        lines.append(f"{kind}:" if rows else f"{kind}: []")
        lines += [f"  - {_json(row)}" for row in rows]
    return "\n".join(lines)


def _json(value: object) -> str:
    """JSON that is YAML too."""
    return _YAML_UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _show(rows: Rows, id: str) -> int:
    """Prints every row of this id, whatever its kind, and whether it holds."""
    texts = {kind.removesuffix("s"): texts[id] for kind, texts in _kinds(rows) if id in texts}
    if not texts:
        known = {*rows.campaigns, *rows.flights, *rows.creatives}
        near = difflib.get_close_matches(id, known, n=1)
        complain(f'no row "{id}"' + (f': did you mean "{near[0]}"?' if near else ""))
        return 1
    faults = [row for row in read_inventory(rows)[1] if row.id == id]
    for fault in faults:
        warn(f"{fault.kind} {id}: {fault.message}")
    held = {kind: json.loads(text) if _is_json(text) else text for kind, text in texts.items()}
    print(json.dumps(held, ensure_ascii=False, indent=2))
    return 1 if faults else 0
