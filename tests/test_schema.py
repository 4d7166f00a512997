"""What editors are told of the config files: current, complete, and no stricter than what is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adlayout.cli.main import main
from adlayout.cli.schema import schema_of

CONFIG = Path(__file__).parent.parent / "config"
FILES = sorted(CONFIG.rglob("*.yaml"))
KINDS = [None, "settings", "layout", "inventory", "experiments"]


def inside(told: object) -> Iterator[dict[str, Any]]:
    """Every mapping in a schema."""
    if isinstance(told, dict):
        yield told
        told = list(told.values())
    if isinstance(told, list):
        for one in told:
            yield from inside(one)


def test_the_schema_that_ships_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    now = capsys.readouterr().out
    assert (CONFIG / "adlayout.schema.json").read_text("utf-8") == now, "run: adlayout schema > adlayout.schema.json"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_line_of_every_file_leads_to_the_schema(path: Path) -> None:
    key, _, where = path.read_text("utf-8").splitlines()[0].partition("=")
    assert (key, (path.parent / where).resolve()) == (
        "# yaml-language-server: $schema",
        CONFIG / "adlayout.schema.json",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_whole_and_of_a_draft_that_editors_read(kind: str | None) -> None:
    schema = schema_of(kind)
    named = {one["$ref"] for one in inside(schema) if isinstance(one.get("$ref"), str)}
    assert named <= {f"#/definitions/{name}" for name in schema["definitions"]}
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert not {"discriminator", "prefixItems", "$defs"} & {key for one in inside(schema) for key in one}


def test_a_file_is_told_by_the_keys_that_only_its_kind_has() -> None:
    schema = schema_of()
    assert (schema["if"], schema["then"]) == (
        {"anyOf": [{"required": ["campaigns"]}, {"required": ["flights"]}, {"required": ["creatives"]}]},
        {"allOf": [{"$ref": "#/definitions/InventoryFile"}]},
    )
    assert {"required": ["sites"]} in schema["else"]["if"]["anyOf"]
    assert schema["else"]["then"] == {"allOf": [{"$ref": "#/definitions/Settings"}]}
    assert schema["else"]["else"] == {
        "if": {"anyOf": [{"required": ["experiments"]}]},
        "then": {"allOf": [{"$ref": "#/definitions/ExperimentsFile"}]},
        "else": {"allOf": [{"$ref": "#/definitions/LayoutFile"}]},
    }


@pytest.mark.parametrize("kind", ["settings", "layout", "experiments"])
def test_every_key_says_what_it_is(kind: str) -> None:
    rooms = schema_of(kind)["definitions"]
    keys = {f"{room}.{key}": told for room, one in rooms.items() for key, told in one.get("properties", {}).items()}
    assert [name for name, told in keys.items() if not told.get("description")] == []


def test_unknown_keys_are_marked_everywhere() -> None:
    rooms = {name: one for name, one in schema_of()["definitions"].items() if "properties" in one}
    # Tags are keys of `estimate`, and each of them holds a height.
    assert rooms.pop("EstimateKeys")["additionalProperties"] == {"$ref": "#/definitions/HeightKeys"}
    assert [name for name, one in rooms.items() if one["additionalProperties"] is not False] == []


def test_a_secret_is_no_key_of_a_file() -> None:
    keys = schema_of("settings")["definitions"]["Settings"]["properties"].keys()
    assert not {"cms_token", "admin_token", "secret"} & keys


def test_a_layout_file_needs_what_a_layout_in_a_request_does_not() -> None:
    assert schema_of("layout")["definitions"]["LayoutFile"]["required"] == ["version", "name"]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        *((text, True) for text in ("3 paragraphs", "1 block", " 250  words ", "0 chars", "1 paragraphs")),
        *((text, False) for text in ("3", "paragraphs", "-1 block", "1.5 words", "2 lines", "2 paragraphs or so")),
    ],
)
def test_a_distance_is_a_number_and_a_unit(text: str, taken: bool) -> None:
    form, of_parts, null = schema_of("layout")["definitions"]["Inline"]["properties"]["every"]["anyOf"]
    assert (re.search(form["pattern"], text) is not None, null) == (taken, {"type": "null"})
    assert sorted(of_parts["properties"]) == ["all", "any"]


def test_defaults_are_as_ops_write_them() -> None:
    inline = schema_of("layout")["definitions"]["Inline"]["properties"]
    assert (inline["every"]["default"], inline["max_ads"]["default"]) == ("3 paragraphs", 8)


@pytest.mark.parametrize(("room", "key"), [("Settings", "server"), ("LayoutFile", "inline"), ("Inline", "no_after")])
def test_a_room_may_stand_empty(room: str, key: str) -> None:
    assert {"type": "null"} in schema_of()["definitions"][room]["properties"][key]["anyOf"]


def test_what_is_read_in_two_forms_is_marked_in_neither() -> None:
    rooms = schema_of("inventory")["definitions"]
    assert rooms["TargetingRow"]["properties"]["hours"]["items"]["type"] == ["integer", "string"]
    assert {"type": "string"} in rooms["FieldsRow"]["properties"]["image"]["anyOf"]
    assert "date-time" not in json.dumps(rooms)


def test_a_kind_that_is_not_there_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["schema", "layuot"])
    assert "layuot" in capsys.readouterr().err
