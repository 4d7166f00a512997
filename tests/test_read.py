"""Reading what ops write: values by YAML 1.2, and every fault at once, at its place, in words."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from adlayout.assemble import assemble
from adlayout.config.read import read, validate
from adlayout.config.source import Spot, parse, scalar
from adlayout.errors import ConfigError, Fault

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "bad_config.yaml").read_text("utf-8"))


def _distance(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('expected a distance such as "2 paragraphs"')
    return value


class Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Circle(Keys):
    type: Literal["circle"]
    radius: int


class Square(Keys):
    type: Literal["square"]
    side: int
    circle: str = ""


class Drawing(Keys):
    every: Annotated[str, BeforeValidator(_distance)] = "2 paragraphs"
    shapes: tuple[Annotated[Circle | Square, Field(discriminator="type")], ...] = ()
    size: int | Literal["auto"] = 1
    named: dict[str, Circle | None] = Field(default_factory=dict)
    points: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    since: datetime | None = None
    scale: float = Field(default=1.0, gt=0.0)
    row: tuple[int, ...] | list[str] = ()


def faults_of(text: str) -> list[str]:
    """What is said of a file with this text as a drawing."""
    return [str(fault) for fault in faults_at(text)]


def faults_at(text: str, path: Path | None = None) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        validate(parse(text, "f").data, Drawing) if path is None else read(path, Drawing)
    return caught.value.faults


# A config directory that holds, with one name of each kind to get wrong.
SOUND = {
    "adlayout.yaml": "version: 1\nsites: {default: {name: News, layout: news}}\n",
    "layouts/news.yaml": "version: 1\nname: news\n",
    "templates/article.html.j2": "<h1>{{ headline }}</h1>{{ article }}",
}


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, "utf-8")


def _said(directory: Path) -> list[str]:
    """What ops read of the directory: every fault, or, where there is none, every warning."""
    try:
        warnings = assemble(directory, {}).warnings
    except ConfigError as exc:
        return str(exc).replace(f"{directory}/", "").splitlines()
    return [f"warning {warning}".replace(f"{directory}/", "") for warning in warnings]


def test_the_sound_directory_holds(tmp_path: Path) -> None:
    _write(tmp_path, SOUND)
    assert _said(tmp_path) == []


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_every_line_that_ops_read(case: dict[str, Any], tmp_path: Path) -> None:
    _write(tmp_path, SOUND | ({"adlayout.yaml": case["text"]} if "text" in case else case["files"]))
    assert _said(tmp_path) == case["expect"], case["why"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, text) for text in ("no", "on", "y", "12:30", "2026-01-01", "1_000", "0b1", "- 1", "tRUE", "1e", "=")),
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        *(("0", 0), ("010", 10), ("-7", -7), ("+7", 7), ("0o10", 8), ("0xfF", 255)),
        *(("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-1e3", -1000.0), (".inf", float("inf")), ("-.INF", -float("inf"))),
        ("9" * 400, "9" * 400),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert (scalar(text), type(scalar(text))) == (value, type(value))


def test_what_stands_in_quotes_is_text() -> None:
    assert parse("a: '1'\nb: \"no\"\nc: |\n  true\n2: x", "f").data == {"a": "1", "b": "no", "c": "true\n", "2": "x"}


def test_every_key_and_value_has_its_place() -> None:
    source = parse("a:\n  - b: 1\n    é: [x, y]\n", "f")
    assert source.values == {
        (): Spot(1, 1),
        ("a",): Spot(2, 3),
        ("a", 0): Spot(2, 5),
        ("a", 0, "b"): Spot(2, 8),
        ("a", 0, "é"): Spot(3, 8),
        ("a", 0, "é", 0): Spot(3, 9),
        ("a", 0, "é", 1): Spot(3, 12),
    }
    assert source.keys == {("a",): Spot(1, 1), ("a", 0, "b"): Spot(2, 5), ("a", 0, "é"): Spot(3, 5)}


def test_an_alias_stands_for_its_value() -> None:
    assert parse("a: &x [1, 2]\nb: *x", "f").data == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: &a [*a]", "f:1:4: aliases (`*name`) blow this up beyond all limits"),
        ("[" * 100, "f:1:41: nested deeper than 40 levels"),
        ("[" * 900, "f:1:41: nested deeper than 40 levels"),
        ("- a\n" * 400_000, "f:399999:3: more than 200000 values"),
        ("#" * (8 * 1024 * 1024 + 1), "f: larger than 8 MiB"),
        ("a: 1\n---\nb: 2", "f:2:1: not YAML: expected a single document in the stream, but found another document"),
        ("é:\n é: \x01", "f:2:5: not YAML: control characters are not allowed"),
        ("{[a]: 1}", "f:1:2: a key has to be text"),
    ],
)
def test_what_is_no_sound_yaml_is_one_fault(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _unwrapped(text)
    assert str(caught.value)[: len(fault)] == fault


def _unwrapped(text: str) -> None:
    source = parse(text, "f")
    raise ConfigError(tuple(fault for _, fault in source.faults))


def test_aliases_cannot_grow_without_limit() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
    with pytest.raises(ConfigError, match="aliases"):
        parse(text, "f")


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_is_values_or_a_config_error(text: str) -> None:
    try:
        parse(text, "f")
    except ConfigError as exc:
        assert exc.faults  # noqa: PT017 - either outcome is right


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert faults_at("", path) == (Fault(str(path), "cannot be read: no such file or directory"),)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert faults_at("", tmp_path) == (Fault(str(tmp_path), "cannot be read: is a directory"),)


def test_bytes_that_are_no_utf_8_are_a_fault_at_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\né: ".encode() + b"\xe9")
    assert faults_at("", path) == (Fault(f"{path}:2:4", "not UTF-8 (got the byte 0xe9): save the file as UTF-8"),)


def test_json_as_programs_write_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "drawing.json"
    path.write_text(json.dumps({"every": '\U0001f600 \\ud83d\\ude00 "\n', "size": 3}, indent="\t"))
    assert read(path, Drawing) == Drawing(every='\U0001f600 \\ud83d\\ude00 "\n', size=3)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfsize: 2")
    assert read(path, Drawing) == Drawing(size=2)


def test_tags_of_unions_are_in_no_path() -> None:
    assert faults_of("shapes: [{type: circle, radius: x}, {type: square, side: 1, sdie: 2}]") == [
        'shapes.0.radius: expected a whole number (got "x")',
        'shapes.1.sdie: unknown key, did you mean "side"?',
    ]


def test_a_key_that_is_called_like_a_tag_stays_in_the_path() -> None:
    assert faults_of("shapes: [{type: square, side: 1, circle: 3}]") == ["shapes.0.circle: expected text (got 3)"]


def test_the_arms_of_a_union_speak_with_one_voice() -> None:
    assert faults_of("size: big") == ['size: expected a whole number or "auto" (got "big")']
    assert faults_of("row: 3") == ["row: expected a list (got 3)"]


def test_a_tag_that_is_missing_or_unknown_is_told_at_its_key() -> None:
    assert faults_of("shapes: [{side: 1}, {type: line}]") == [
        "shapes.0.type: is missing",
        'shapes.1.type: expected "circle", "square" (got "line")',
    ]


def test_what_a_value_parser_says_is_told_without_jargon(tmp_path: Path) -> None:
    path = tmp_path / "drawing.yaml"
    path.write_text("every: 2\n")
    assert faults_at("", path) == (Fault(f"{path}:1:8", 'every: expected a distance such as "2 paragraphs" (got 2)'),)


def test_keys_below_free_names_are_known_too() -> None:
    assert faults_of("named: {any: {type: circle, radius: 1, radios: 2}}") == [
        'named.any.radios: unknown key, did you mean "radius"?'
    ]


def test_what_a_list_item_misses_is_told_at_the_item(tmp_path: Path) -> None:
    path = tmp_path / "drawing.yaml"
    path.write_text("shapes:\n  - type: circle\n  - side: 1\n")
    assert faults_at("", path) == (
        Fault(f"{path}:2:5", "shapes.0.radius: is missing"),
        Fault(f"{path}:3:5", "shapes.1.type: is missing"),
    )


def test_a_list_of_bad_items_is_not_called_short() -> None:
    assert faults_of("points: [a]") == ['points.0: expected a number (got "a")']
    assert faults_of("points: []") == ["points: expected at least 1 of them"]


def test_times_and_limits_are_told_as_they_are_written() -> None:
    assert faults_of("since: tomorrow\nscale: -1") == [
        'since: expected a time such as 2026-03-01T00:00:00+01:00 (got "tomorrow")',
        "scale: expected more than 0 (got -1)",
    ]


def test_values_from_json_are_told_by_path_below_a_name() -> None:
    with pytest.raises(ConfigError) as caught:
        validate({"every": 2, "shpaes": 3}, Drawing, at="layout")
    assert caught.value.faults == (
        Fault("layout.every", 'expected a distance such as "2 paragraphs" (got 2)'),
        Fault("layout.shpaes", 'unknown key, did you mean "shapes"?'),
    )


def test_values_that_hold_become_the_model() -> None:
    assert validate({"shapes": [{"type": "circle", "radius": 1}]}, Drawing) == Drawing(
        shapes=(Circle(type="circle", radius=1),)
    )


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert faults_of('{"\\e[31m": 1, size: "\\e[2J"}') == [
        'size: expected a whole number or "auto" (got "\\u001b[2J")',
        "\\x1b[31m: unknown key, there are: every, named, points, row, scale, shapes, since, size",
    ]
