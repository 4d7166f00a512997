"""`adlayout schema`: the JSON Schema of the config files, so that editors complete and check them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from adlayout.cli.terminal import print_json
from adlayout.config.schema import DRAFT, Schema, definitions_of
from adlayout.config.settings import Settings
from adlayout.decision.schema import InventoryFile
from adlayout.experiments.schema import ExperimentsFile
from adlayout.placement.schema import LayoutFile

_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "settings": Settings,
    "layout": LayoutFile,
    "inventory": InventoryFile,
    "experiments": ExperimentsFile,
}
# Keys that only files of one kind have, by which an editor that knows one schema for all tells them apart.
_TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "experiments": ("experiments",),
    "settings": ("sites", "server", "store", "log", "public_url", "default_site"),
    "inventory": ("campaigns", "flights", "creatives"),
}

_EXAMPLE = """examples:
  adlayout schema > config/adlayout.schema.json
  adlayout schema layout

An editor with a YAML language server finds the schema by the first line of a file:
  # yaml-language-server: $schema=../adlayout.schema.json"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "schema",
        help="JSON Schema of the config files, for editors",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", nargs="?", choices=tuple(_MODELS), help="one kind of file (default: all in one schema)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the schema."""
    print_json(schema_of(args.kind))
    return 0


def schema_of(kind: str | None = None) -> Schema:
    """The schema of one kind of file, or one that tells the kinds apart."""
    definitions: Schema = {}
    for model in [_MODELS[kind]] if kind else _MODELS.values():
        definitions |= definitions_of(model)
    _mend(definitions)
    root = _reference(kind) if kind else _told_apart()
    return {"$schema": DRAFT, "title": f"adlayout {kind or 'config'} files"} | root | {"definitions": definitions}


def _told_apart() -> Schema:
    root = _reference("layout")
    for kind, keys in _TELLING.items():
        root = {"if": {"anyOf": [{"required": [key]} for key in keys]}, "then": _reference(kind), "else": root}
    return root


def _reference(kind: str) -> Schema:
    return {"allOf": [{"$ref": f"#/definitions/{_MODELS[kind].__name__}"}]}


def _mend(definitions: Schema) -> None:
    """What the models cannot say: what a file needs beyond a layout in a request, and what is read in two forms."""
    if layout := definitions.get("LayoutFile"):
        layout["required"] = ["version", "name"]
    if targeting := definitions.get("TargetingRow"):
        hour = {"type": ["integer", "string"], "pattern": "^[0-9]{1,2}(-[0-9]{1,2})?$", "minimum": 0, "maximum": 23}
        targeting["properties"]["hours"] |= {"items": hour}
    if fields := definitions.get("FieldsRow"):
        fields["properties"]["image"]["anyOf"].append({"type": "string"})
