"""The documents: every key, rule and reason is in the manual, and every example and command in them works."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
import yaml
from pydantic import BaseModel
from starlette.testclient import TestClient

from adlayout.assemble import assemble
from adlayout.checks import wrong_selectors
from adlayout.cli.main import _parser, main
from adlayout.cli.outline import WARNINGS
from adlayout.config.effective import TOKENS, VARIABLES
from adlayout.config.read import fit
from adlayout.config.settings import Settings
from adlayout.config.source import Source, Trail, parse
from adlayout.decision.files import merged, parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.decision.schema import InventoryFile
from adlayout.experiments.metrics import METRICS
from adlayout.experiments.schema import ExperimentsFile
from adlayout.model import Reason
from adlayout.placement.doubts import doubts
from adlayout.placement.layout import compile_layout
from adlayout.placement.overlay import extended
from adlayout.placement.rules import GATES, HARD, Rule
from adlayout.placement.schema import LayoutFile
from adlayout.rendering.macros import _ADDRESSES, _VALUES
from adlayout.rendering.macros import _ALIASES as ALIASES
from adlayout.upkeep import Shelf, Stock
from adlayout.web.app import create_app

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "config" / "README.md"
LAYOUTS = sorted((ROOT / "config" / "layouts").glob("*.yaml"))
README = ROOT / "README.md"
DOCUMENTS = [README, MANUAL, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
Out = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Example:
    """One fenced block of a document."""

    place: str
    kind: str
    text: str


def examples(document: Path, kind: str) -> list[Example]:
    text = document.read_text("utf-8")
    found = [(text.count("\n", 0, match.start()) + 1, match) for match in FENCE.finditer(text)]
    return [Example(f"{document.name}:{line}", match[1], match[2]) for line, match in found if match[1] == kind]


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text("utf-8"))


def place(value: object) -> str | None:
    return value.place if isinstance(value, Example) else None


# Every example of a config file holds.

YAML = [example for document in DOCUMENTS for example in examples(document, "yaml")]
WHOLE = next(example for example in YAML if example.text.startswith("campaigns:"))
MODELS: tuple[type[BaseModel], ...] = (Settings, LayoutFile, InventoryFile, ExperimentsFile)
TELLING: dict[str, type[BaseModel]] = {
    "sites": Settings,
    "campaigns": InventoryFile,
    "flights": InventoryFile,
    "creatives": InventoryFile,
    "experiments": ExperimentsFile,
}


def source_of(example: Example) -> Source:
    return parse(example.text, example.place)


def model_of(example: Example) -> type[BaseModel]:
    """The kind of file, told by the keys that only it has."""
    data = source_of(example).data
    assert isinstance(data, dict)
    return next((model for key, model in TELLING.items() if key in data), LayoutFile)


def loaded(example: Example) -> BaseModel:
    source = source_of(example)
    match fit(source, model_of(example), wrong_selectors(source.data)):
        case Settings() as settings:
            assert list(settings.contradictions()) == []
            return settings
        case InventoryFile() as inventory:
            # The short examples go on from the long one: they name its campaign and its creatives.
            known = parse_inventory(parse(WHOLE.text, WHOLE.place).data)
            assert read_inventory(merged(known, parse_inventory(source.data, known)))[1] == ()
            return inventory
        case LayoutFile() as layout:
            assert compile_layout(layout, "example").name == "example"
            return layout
        case other:
            return other


@pytest.mark.parametrize("example", YAML, ids=place)
def test_every_example_of_a_config_file_holds(example: Example) -> None:
    assert isinstance(loaded(example), model_of(example))


def test_the_shipped_config_holds_without_a_warning(capsys: Out) -> None:
    assert (main(["check", str(ROOT / "config")]), capsys.readouterr().err) == (0, "")


# Every key is in the manual, in an example and in words.

Key = tuple[str, str]


def keys_below(kind: object, above: Trail = ()) -> Iterator[tuple[Key, Trail]]:
    """Every key of a model and of those in it, with where it stands; a step that ops name, or of a list, is `*`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield (owner(kind, name), name), (*above, name)
            yield from keys_below(field.annotation, (*above, name))
        if kind.model_config.get("extra") == "allow":
            yield from keys_below(get_type_hints(kind)["__pydantic_extra__"], above)
        return
    arguments = get_args(kind)[1:] if get_origin(kind) is dict else get_args(kind)
    step = ("*",) if get_origin(kind) in (dict, tuple) else ()
    for argument in arguments:
        yield from keys_below(argument, (*above, *step))


def owner(kind: type[BaseModel], name: str) -> str:
    """The model that a key is written in: what one device has are the keys of all, shown once."""
    return next(one.__name__ for one in reversed(kind.__mro__) if name in vars(one).get("__annotations__", {}))


# What only the environment sets.
LEFT_OUT: dict[type[BaseModel], set[object]] = {Settings: {trail[0] for trail in TOKENS.values()}}


def keys_of(model: type[BaseModel]) -> list[tuple[Key, Trail]]:
    left_out = LEFT_OUT.get(model, set())
    return [(key, trail) for key, trail in keys_below(model) if left_out.isdisjoint(map(str, trail))]


def fits(pattern: Trail, trail: Trail) -> bool:
    return len(pattern) == len(trail) and all(step in ("*", at) for step, at in zip(pattern, trail, strict=True))


@pytest.mark.parametrize("model", MODELS)
def test_every_key_has_an_example(model: type[BaseModel]) -> None:
    trails = {trail for example in YAML if model_of(example) is model for trail in source_of(example).keys}
    shown = {key for key, pattern in keys_of(model) if any(fits(pattern, trail) for trail in trails)}
    assert {key for key, _ in keys_of(model)} - shown == set()


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    words = set(re.findall(r"[A-Za-z_]+", " ".join(SPAN.findall(prose(MANUAL)))))
    assert {name for (_, name), _ in keys_of(model)} - words == set()


@pytest.mark.parametrize("variable", [*VARIABLES, *TOKENS, *(f"{name}_FILE" for name in TOKENS)])
def test_every_variable_is_in_the_table(variable: str) -> None:
    assert f"\n| `{variable}` |" in prose(MANUAL)


# Every rule has its paragraph and its cases.


# Rules whose key has another name than the reason that they give.
KEYS = {Reason.CLEARANCE: "clearances", Reason.MARKER: "markers", Reason.BLOCKLISTED: "blocklist"}


def reason_of(rule: type[Rule]) -> Reason:
    """The one reason that stands in the rule's own code."""
    (name,) = set(re.findall(r"Reason\.([A-Z_]+)", inspect.getsource(rule)))
    return Reason[name]


def refusals_in_cases() -> list[str]:
    """Every reason that a row of the table or a golden page shows against a gap."""
    files = [ROOT / "tests" / "cases" / "rules.yaml", *(ROOT / "tests" / "golden").glob("*/setup.yaml")]
    table, *pages = [yaml.safe_load(path.read_text("utf-8")) for path in files]
    told = [reasons for row in (*table["cases"], *pages) for reasons in row.get("refused", {}).values()]
    return " ".join(told).split()


@pytest.mark.parametrize("rule", [*GATES, *HARD], ids=reason_of)
def test_every_rule_has_a_paragraph_and_a_case(rule: type[Rule]) -> None:
    reason = reason_of(rule)
    assert len(re.findall(rf"^- `{KEYS.get(reason, reason)}`: \w", prose(MANUAL), re.MULTILINE)) == 1
    assert reason in refusals_in_cases()


# What else ops look up.

# Any number may stand for a vendor.
MACROS = [f"${{{name.replace('nnn', '123')}}}" for name in (*_VALUES, *_ADDRESSES) if name.isupper() or "_nnn" in name]

WISHES = re.findall(r"^\| ([^|]+) \| `([^`]*(?:inline|extends):[^`]*)` \|$", prose(MANUAL), re.MULTILINE)


@pytest.mark.parametrize("written", [written for _, written in WISHES], ids=[wish for wish, _ in WISHES])
def test_every_wish_is_answered_with_a_layout_that_holds(written: str) -> None:
    keys = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in LAYOUTS}
    wanted = parse(written, "manual").data
    assert list(wrong_selectors(wanted)) == []
    assert list(doubts(LayoutFile.model_validate(extended(wanted, keys)), wanted)) == []


def rows(title: str) -> set[str]:
    """The names in the first column of the tables below a title of the manual, up to the next title."""
    section = prose(MANUAL).partition(f" {title}\n")[2].partition("\n#")[0]
    return set(re.findall(r"^\| `([^`]+)` \| \w", section, re.MULTILINE))


def test_every_layout_that_ships_is_told_in_one_line() -> None:
    assert rows("Presets, and layouts that extend others") == {path.stem for path in LAYOUTS}


@pytest.mark.parametrize("macro", [*MACROS, *ALIASES])
def test_every_macro_is_told(macro: str) -> None:
    section = prose(MANUAL).partition(" Links, macros and trackers\n")[2].partition("\n#")[0]
    table = [span for line in section.splitlines() if line.startswith("| `") for span in SPAN.findall(line)]
    assert macro in table


def test_every_metric_is_told() -> None:
    assert set(METRICS) - rows("Experiments") == set()


def test_every_warning_is_told() -> None:
    assert set(WARNINGS) - rows("Why is there no ad here?") == set()


# Every command is one.

COMMAND = re.compile(r"(?<![\w-])adlayout (?=[a-z-])")


def commands() -> list[tuple[str, str]]:
    """What a reader may paste: lines after a prompt, and spans of code."""
    lines = [
        (example.place, line.removeprefix("$ "))
        for document in DOCUMENTS
        for example in examples(document, "console")
        for line in example.text.splitlines()
        if line.startswith("$ ")
    ]
    return lines + [(document.name, span) for document in DOCUMENTS for span in SPAN.findall(prose(document))]


OURS = [(where, said) for where, said in commands() if COMMAND.search(said)]
MADE = [(where, said) for where, said in commands() if re.match(r"make [a-z]", said)]


def arguments_in(said: str) -> list[str]:
    """What the program is given: nothing of a pipe, a redirection or a comment."""
    last = list(COMMAND.finditer(said))[-1]
    lexer = shlex.shlex(said[last.end() :], posix=True, punctuation_chars=True)
    words = list(lexer)
    ends = [at for at, word in enumerate(words) if set(word) <= set("|>&;()")]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize(("where", "said"), OURS)
def test_every_command_is_understood(where: str, said: str) -> None:
    assert isinstance(_parser().parse_args(arguments_in(said)), argparse.Namespace), where


@pytest.mark.parametrize(("where", "said"), MADE)
def test_every_target_is_in_the_makefile(where: str, said: str) -> None:
    target = said.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), where


# Links lead somewhere.


def anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", prose(document))
    found = [(document.parent / path if path else document, anchor) for path, anchor in links]
    assert [path for path, _ in found if not path.exists()] == []
    assert [anchor for path, anchor in found if anchor and anchor not in anchors(path)] == []


PATH = re.compile(r"[\w./-]+/(?:[\w-]+\.(?:py|yaml|json|md))?")


@pytest.mark.parametrize("document", [README, ROOT / "docs" / "architecture.md"], ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(document: Path) -> None:
    named = [span for span in SPAN.findall(prose(document)) if PATH.fullmatch(span)]
    assert [path for path in named if not ((ROOT / path).exists() or (ROOT / "adlayout" / path).exists())] == []


# The README.


@pytest.fixture
def article(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The first article of the README, beside the shipped config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(ROOT / "config")
    html = examples(README, "html")[0].text
    (tmp_path / "article.html").write_text(html, "utf-8")
    return html


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 150


def test_the_article_of_the_readme_becomes_the_one_below_it(
    article: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["compose", "article.html", "--layout", "every-2", "--output", "fragment"]) == 0
    page = capfdbinary.readouterr().out.decode()
    short = re.sub(
        r'(<aside class="adl-slot" data-adl-slot="[^"]*").*?</aside>', r"\1>…</aside>", page, flags=re.DOTALL
    )
    assert short == examples(README, "html")[1].text


def test_the_readme_shows_what_explain_says(article: str, capsys: Out) -> None:
    command, *lines = next(one for one in examples(README, "console") if "explain" in one.text).text.splitlines()
    assert main(arguments_in(command)) == 0
    assert "\n".join(lines) in capsys.readouterr().out


def test_the_request_in_the_readme_gets_a_page_with_ads(monkeypatch: pytest.MonkeyPatch) -> None:
    said = next(one.text for one in examples(README, "console") if "curl" in one.text)
    words = dict(zip(shlex.split(said), shlex.split(said)[1:], strict=False))
    name, _, value = words["-H"].partition(": ")
    edition = assemble(ROOT / "config", {})
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(one) for id, one in inventory.creatives.items()}
    client = TestClient(create_app(edition, Shelf(Stock(inventory, prepared, 1)), None), client=("127.0.0.1", 50_000))
    body = (ROOT / words["--data-binary"].removeprefix("@")).read_bytes()
    answer = client.post(said.split("127.0.0.1:8080")[1].strip(), content=body, headers={name: value})
    assert (answer.status_code, answer.text.count('<aside class="adl-slot"') > 1) == (200, True)


def test_the_map_in_the_readme_is_the_one_of_the_architecture() -> None:
    drawing = next(one for one in examples(ROOT / "docs" / "architecture.md", "") if "4 doors" in one.text)
    assert drawing.text in README.read_text("utf-8")


# Decisions.

ENTRY = re.compile(r"^(\d+)\. \*\*(.*?)\*\*(.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)
DECISIONS = ENTRY.findall((ROOT / "docs" / "decisions.md").read_text("utf-8"))


def test_decisions_are_numbered_and_short() -> None:
    assert [int(number) for number, _, _ in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert [number for number, _, text in DECISIONS if len(text.strip().splitlines()) > 10] == []


def test_every_dependency_has_its_decision() -> None:
    """One that came or went without a word is named here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
    ]
    names = {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in wanted}
    said = set(re.findall(r"[a-z0-9-]+", " ".join(f"{title} {text}" for _, title, text in DECISIONS).lower()))
    assert {name for name in names if name not in said and f"{name}-py" not in said} == set()


# The drawing.

DRAWING = next(one.text for one in examples(ROOT / "docs" / "architecture.md", "") if "4 doors" in one.text)
FLOORS = {room: int(line[0]) for line in DRAWING.splitlines() for room in line.split()[2:]}


def test_the_drawing_has_every_room_and_no_other() -> None:
    rooms = {
        path.stem for path in (ROOT / "adlayout").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert set(FLOORS) == rooms - {"__init__"}


def test_the_drawing_is_what_the_imports_are_held_against() -> None:
    tree = ast.parse((ROOT / "tests" / "test_floors.py").read_text("utf-8"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(assigned["FLOORS"]) == {"__init__": 0, **FLOORS}
